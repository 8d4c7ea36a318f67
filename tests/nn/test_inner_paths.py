"""PyTorch's inner paths, from which programs import base classes."""

import importlib
import importlib.util

import pytest

PLACES = {
    "activation": "ReLU Softmax2d", "batchnorm": "BatchNorm2d _BatchNorm", "channelshuffle":
    "ChannelShuffle", "container": "Sequential ModuleList ParameterDict",
    "conv": "Conv2d ConvTranspose3d _ConvNd", "distance": "CosineSimilarity",
    "dropout": "Dropout2d", "flatten": "Flatten Unflatten", "fold": "Fold Unfold",
    "instancenorm": "InstanceNorm1d", "lazy": "LazyModuleMixin", "linear": "Linear Identity",
    "loss": "_Loss _WeightedLoss CrossEntropyLoss TripletMarginLoss",
    "module": "Module register_module_forward_hook _IncompatibleKeys",
    "normalization": "LayerNorm GroupNorm", "padding": "ZeroPad2d", "pixelshuffle":
    "PixelShuffle", "pooling": "MaxPool2d", "sparse": "Embedding EmbeddingBag",
    "upsampling": "Upsample", "utils": "_single _pair _triple _quadruple _ntuple",
}


@pytest.mark.parametrize("place", PLACES)
def test_names(torch, place):
    path = f"{torch.__name__}.nn.modules.{place}"
    module = importlib.import_module(path)
    assert importlib.util.find_spec(path) is not None
    for name in PLACES[place].split():
        inner = getattr(module, name)
        assert getattr(torch.nn, name, inner) is inner


def test_tuples(torch):
    utils = torch.nn.modules.utils
    assert utils._pair(3) == (3, 3) and utils._triple((1, 2, 3)) == (1, 2, 3)
    assert utils._ntuple(5)(0) == (0,) * 5
