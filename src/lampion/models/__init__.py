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
"""

from lampion.models.alexnet import AlexNet, alexnet
from lampion.models.lenet import LeNet5
from lampion.models.mlp import MLP
from lampion.models.mobilenetv2 import MobileNetV2, mobilenet_v2
from lampion.models.perceptron import Perceptron, xor_network
from lampion.models.resnet import ResNet, resnet18, resnet34, resnet50
from lampion.models.resnet_cifar import CifarResNet, resnet20
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

__all__ = [
    "AlexNet", "CifarResNet", "LeNet5", "MLP", "MobileNetV2", "Perceptron", "ResNet", "UNet", "VGG",
    "alexnet", "mobilenet_v2", "resnet18", "resnet20", "resnet34", "resnet50", "vgg11", "vgg11_bn",
    "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "xor_network",
]
