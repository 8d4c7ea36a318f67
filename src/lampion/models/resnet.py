"""Residual networks: layers that learn the difference from their input.

He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016 (figure 2: the block; table
1: the networks; section 3.3: the shortcuts). The stride of a bottleneck stands at its 3x3
convolution, as in torchvision, whose names of layers these are: its published weights fit.
The small networks for CIFAR-10 (section 4.2) are in `resnet_cifar.py`.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn


def conv3x3(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size (divided by the stride)."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """Return a 1x1 convolution."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut: y = relu(F(x) + x).

    Shape:
        (N, inplanes, H, W) -> (N, planes, H / stride, W / stride)

    Args:
        inplanes, planes: channels in and out.
        stride: of the first convolution.
        downsample: brings x to the shape of F(x); None where it has it.

    Source: He et al. 2016, equations 1 and 2, figure 5 on the left.

    Example:
        >>> import lampion as torch
        >>> BasicBlock(16, 16)(torch.zeros(1, 16, 8, 8)).shape
        torch.Size([1, 16, 8, 8])
    """

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(out + identity)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up to four times the width, and the shortcut.

    Shape:
        (N, inplanes, H, W) -> (N, 4 * planes, H / stride, W / stride)

    Args:
        inplanes: channels in.
        planes: channels of the 3x3 convolution.
        stride: of the 3x3 convolution.
        downsample: brings x to the shape of F(x); None where it has it.

    Source: He et al. 2016, figure 5 on the right.

    Example:
        >>> import lampion as torch
        >>> Bottleneck(64, 16)(torch.zeros(1, 64, 8, 8)).shape
        torch.Size([1, 64, 8, 8])
    """

    expansion = 4

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = conv1x1(inplanes, planes)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = conv1x1(planes, planes * self.expansion)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        identity = x if self.downsample is None else self.downsample(x)
        return self.relu(out + identity)


class ResNet(nn.Module):
    """A 7x7 convolution, four stages of blocks, the mean over all places, a linear layer.

    Shape:
        (N, 3, 224, 224) -> (N, num_classes); other sizes work too.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: blocks in each of the four stages.
        num_classes: number of scores.
        zero_init_residual: let each block start as the identity (Goyal et al. 2017, Accurate, large
            minibatch SGD, section 5.1).

    Source: He et al. 2016, table 1; shortcuts of option B (section 3.3).

    Example:
        >>> import lampion as torch
        >>> ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], layers: list[int],
        num_classes: int = 1000, zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2)
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2)
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialise(zero_init_residual)

    def _make_layer(
        self, block: type[BasicBlock] | type[Bottleneck], planes: int, blocks: int, stride: int = 1
    ) -> nn.Sequential:
        width = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != width:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, width, stride), nn.BatchNorm2d(width))
        first = block(self.inplanes, planes, stride, downsample)
        self.inplanes = width
        return nn.Sequential(first, *(block(width, planes) for _ in range(blocks - 1)))

    def _initialise(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)
            elif zero_init_residual and isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def resnet18(num_classes: int = 1000) -> ResNet:
    """Return the `ResNet` of 18 layers: 11,689,512 parameters with 1,000 classes."""
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes)


def resnet34(num_classes: int = 1000) -> ResNet:
    """Return the `ResNet` of 34 layers: 21,797,672 parameters with 1,000 classes."""
    return ResNet(BasicBlock, [3, 4, 6, 3], num_classes)


def resnet50(num_classes: int = 1000) -> ResNet:
    """Return the `ResNet` of 50 layers: 25,557,032 parameters with 1,000 classes."""
    return ResNet(Bottleneck, [3, 4, 6, 3], num_classes)
