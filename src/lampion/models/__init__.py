"""The field's architectures, each one readable file with its paper.

They are ordinary PyTorch code: with `import torch` in place of `import lampion as torch` a file
works there too. Import what you need from its own file or from here.

    from lampion.models import resnet18

| file | what | paper |
|---|---|---|
| `perceptron` | Perceptron | Rosenblatt 1958 |
| `mlp` | MLP | Rumelhart, Hinton, Williams 1986 |
| `lenet` | LeNet5 | LeCun et al. 1998 |
| `alexnet` | AlexNet | Krizhevsky et al. 2012 |
| `vgg` | VGG | Simonyan, Zisserman 2015 |
| `resnet`, `resnet_cifar` | ResNet, CifarResNet | He et al. 2016 |
| `mobilenetv2` | MobileNetV2 | Sandler et al. 2018 |
| `unet` | UNet | Ronneberger et al. 2015 |
| `vision_transformer` | VisionTransformer | Dosovitskiy et al. 2021 |
| `rnn_language_model` | RNNLanguageModel | Zaremba et al. 2014 |
| `seq2seq`, `seq2seq_attention` | Seq2Seq | Sutskever 2014, Bahdanau 2015, Luong 2015 |
| `transformer` | Transformer | Vaswani et al. 2017 |
| `gpt` | GPT, GPT-2's weights | Radford et al. 2019 |
| `bert` | BertModel, MaskedLanguageModel | Devlin et al. 2019 |
| `word2vec` | SkipGram, CBOW | Mikolov et al. 2013 |
"""

from lampion.models.alexnet import AlexNet, alexnet
from lampion.models.bert import BertModel, MaskedLanguageModel
from lampion.models.gpt import GPT, GPTConfig, load_gpt2_state_dict
from lampion.models.lenet import LeNet5
from lampion.models.mlp import MLP
from lampion.models.mobilenetv2 import MobileNetV2, mobilenet_v2
from lampion.models.perceptron import Perceptron, xor_network
from lampion.models.resnet import ResNet, resnet18, resnet34, resnet50
from lampion.models.resnet_cifar import CifarResNet, resnet20
from lampion.models.rnn_language_model import RNNLanguageModel
from lampion.models.seq2seq import Decoder, Encoder, Seq2Seq
from lampion.models.transformer import Transformer
from lampion.models.unet import UNet
from lampion.models.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from lampion.models.vision_transformer import VisionTransformer, vit_b_16
from lampion.models.word2vec import CBOW, NegativeSampler, SkipGram

__all__ = [
    "AlexNet", "BertModel", "CBOW", "CifarResNet", "Decoder", "Encoder", "GPT", "GPTConfig",
    "LeNet5", "MLP", "MaskedLanguageModel", "MobileNetV2", "NegativeSampler", "Perceptron",
    "RNNLanguageModel", "ResNet", "Seq2Seq", "SkipGram", "Transformer", "UNet", "VGG",
    "VisionTransformer", "alexnet", "load_gpt2_state_dict", "mobilenet_v2", "resnet18",
    "resnet20", "resnet34", "resnet50", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16",
    "vgg16_bn", "vgg19", "vgg19_bn", "vit_b_16", "xor_network",
]
