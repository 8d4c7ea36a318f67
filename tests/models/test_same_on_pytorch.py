"""The files of `lampion.models` are ordinary PyTorch code: they run on PyTorch and say the same.

Each file is read with PyTorch's imports in place of lampion's; the same weights go into both
networks; outputs and gradients are compared.
"""

import importlib
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import lampion

FOLDER = Path(lampion.__file__).parent / "models"
IMPORTS = {
    "import lampion as torch": "import torch",
    "from lampion import nn": "from torch import nn",
    "from lampion.nn import functional as F": "from torch.nn import functional as F",
    "from lampion.models.": "from models_on_pytorch.",
}


def on_pytorch(name):
    """Return a file of `lampion.models` as a module that uses PyTorch."""
    pytest.importorskip("torch")
    full = f"models_on_pytorch.{name}"
    if full in sys.modules:
        return sys.modules[full]
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    for other in re.findall(r"^from lampion\.models\.(\w+) import", source, re.M):
        on_pytorch(other)
    for ours, theirs in IMPORTS.items():
        source = source.replace(ours, theirs)
    module = types.ModuleType(full)
    sys.modules.setdefault("models_on_pytorch", types.ModuleType("models_on_pytorch"))
    sys.modules[full] = module
    exec(compile(source, full, "exec"), module.__dict__)
    return module


def pictures(*size):
    return np.random.default_rng(0).standard_normal(size).astype(np.float32)


def words(count, *size):
    return np.random.default_rng(1).integers(1, count, size)


def gpt(module):
    return module.GPT(module.GPTConfig(8, 11, n_layer=2, n_head=2, n_embd=16))


def seq2seq(attention):
    return lambda module: module.Seq2Seq(
        module.Encoder(9, 6, 8, num_layers=2), module.Decoder(7, 6, 8, 2, attention=attention))


# name: file, how to make the network, what goes in
CASES = {
    "mlp": ("mlp", lambda m: m.MLP(5, [8, 3], m.nn.BatchNorm1d), [pictures(6, 5)]),
    "lenet": ("lenet", lambda m: m.LeNet5(), [pictures(2, 1, 28, 28)]),
    "vgg": ("vgg", lambda m: m.make_features((4, 0, 6, 0, 6), True), [pictures(2, 3, 16, 16)]),
    "resnet": ("resnet", lambda m: m.nn.Sequential(
        m.BasicBlock(6, 6), m.Bottleneck(6, 3, 2, m.conv1x1(6, 12, 2))), [pictures(2, 6, 8, 8)]),
    "resnet_cifar": ("resnet_cifar", lambda m: m.CifarResNet(8), [pictures(2, 3, 16, 16)]),
    "mobilenet": ("mobilenet", lambda m: m.nn.Sequential(
        m.conv_bn_relu6(3, 8, stride=2), m.conv_bn_relu6(8, 8, groups=8)), [pictures(2, 3, 8, 8)]),
    "mobilenetv2": ("mobilenetv2", lambda m: m.nn.Sequential(
        m.conv_bn_relu6(3, 8, stride=2), m.InvertedResidual(8, 8, 1, 2)), [pictures(2, 3, 8, 8)]),
    "unet": ("unet", lambda m: m.UNet(1, 2, 4, levels=3), [pictures(2, 1, 16, 16)]),
    "lstm": ("rnn_language_model", lambda m: m.RNNLanguageModel("LSTM", 9, 6, 6, 2,
                                                                tie_weights=True),
             [words(9, 5, 3), (np.zeros((2, 3, 6), "f4"), np.zeros((2, 3, 6), "f4"))]),
    "seq2seq": ("seq2seq", seq2seq("none"), [words(9, 3, 5), words(7, 3, 4)]),
    "bahdanau": ("seq2seq", seq2seq("bahdanau"), [words(9, 3, 5), words(7, 3, 4)]),
    "luong": ("seq2seq", seq2seq("concat"), [words(9, 3, 5), words(7, 3, 4)]),
    "transformer": ("transformer", lambda m: m.Transformer(9, 7, 16, 2, 1, 1, 32),
                    [words(9, 2, 5), words(7, 2, 4)]),
    "gpt": ("gpt", gpt, [words(11, 2, 8), words(11, 2, 8)]),
    "bert": ("bert", lambda m: m.BertModel(11, 16, 2, 2, 32), [words(11, 2, 6)]),
    "vit": ("vision_transformer", lambda m: m.VisionTransformer(8, 4, 2, 2, 16, 32),
            [pictures(2, 3, 8, 8)]),
    "cbow": ("word2vec", lambda m: m.CBOW(9, 4),
             [words(9, 3, 4), words(9, 3), words(9, 3, 2)]),
    "autoencoder": ("autoencoder", lambda m: m.Autoencoder(9, 6, 2), [pictures(3, 9)]),
    "generator": ("gan", lambda m: m.Generator(6, 2, 1), [pictures(2, 6)]),
    "discriminator": ("gan", lambda m: m.Discriminator(2, 1), [pictures(2, 1, 64, 64)]),
    "denoiser": ("ddpm", lambda m: m.Denoiser(1, 8), [pictures(2, 1, 8, 8), words(999, 2)]),
    "cnn_lstm": ("cnn_lstm", lambda m: m.CNNLSTM(3, 1, 4, 8), [pictures(2, 3, 1, 8, 8)]),
    "actor_critic": ("ppo", lambda m: m.ActorCritic(4, 2, 8), [pictures(3, 4)]),
}


def tensors(values, library):
    return [tuple(tensors(value, library)) if isinstance(value, tuple)
            else library.from_numpy(np.array(value)) for value in values]


def first_tensors(results):
    """Return the tensors among a network's results, one after the other."""
    if isinstance(results, tuple):
        return [tensor for result in results for tensor in first_tensors(result)]
    return [results]


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name):
    torch = pytest.importorskip("torch")
    file, make, inputs = CASES[name]
    lampion.manual_seed(3)
    ours = make(importlib.import_module(f"lampion.models.{file}")).eval()
    theirs = make(on_pytorch(file)).eval()
    with lampion.no_grad():
        for parameter in ours.parameters():  # none at 0, where mistakes do not show
            parameter.add_(0.1 * lampion.randn_like(parameter))
    theirs.load_state_dict({
        key: torch.from_numpy(value.numpy().copy()) for key, value in ours.state_dict().items()})

    results = first_tensors(ours(*tensors(inputs, lampion)))
    expected = first_tensors(theirs(*tensors(inputs, torch)))
    for mine, other in zip(results, expected, strict=True):
        assert np.allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-3, atol=1e-4)
    sum(((result + 1) ** 2).mean() for result in results).backward()
    sum(((result + 1) ** 2).mean() for result in expected).backward()
    there = dict(theirs.named_parameters())
    for key, parameter in ours.named_parameters():
        mine, other = parameter.grad, there[key].grad
        assert (mine is None) == (other is None), key
        if mine is not None:
            scale = max(1e-3, float(other.abs().max()))
            assert np.allclose(mine.numpy() / scale, other.numpy() / scale, atol=2e-3), key
