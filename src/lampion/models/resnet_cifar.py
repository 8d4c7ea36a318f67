"""Residual networks for 32x32 pictures, as narrow as the paper has them.

He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016, section 4.2 and table 6:
6n + 2 layers, three stages of 2n layers with 16, 32 and 64 channels, shortcuts without parameters
(option A). The names of layers are those of https://github.com/akamaster/pytorch_resnet_cifar10,
whose published weights fit.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError
from lampion.nn import functional as F


class PadShortcut(nn.Module):
    """Take every second row and column and add channels of zeros on both sides (option A).

    Shape:
        (N, C, H, W) -> (N, C + 2 * padding, H / 2, W / 2)

    Args:
        padding: channels added before and after.

    Source: He et al. 2016, section 3.3, option A.

    Example:
        >>> import lampion as torch
        >>> PadShortcut(8)(torch.zeros(1, 16, 32, 32)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))


class CifarBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters.

    Shape:
        (N, in_planes, H, W) -> (N, planes, H / stride, W / stride)

    Args:
        in_planes, planes: channels in and out.
        stride: of the first convolution: 1 or 2.

    Example:
        >>> import lampion as torch
        >>> CifarBlock(16, 32, stride=2)(torch.zeros(1, 16, 32, 32)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, in_planes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = PadShortcut((planes - in_planes) // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class CifarResNet(nn.Module):
    """A 3x3 convolution, three stages of blocks, the mean over all places, a linear layer.

    Shape:
        (N, 3, 32, 32) -> (N, num_classes)

    Args:
        depth: 6n + 2; 20, 32, 44, 56, 110 in the paper.
        num_classes: number of scores.

    Raises:
        ArgumentError: the depth is not 6n + 2.

    269,722 parameters for depth 20 (table 6: 0.27 millions, 91.25 % right on CIFAR-10).

    Source: He et al. 2016, section 4.2.

    Example:
        >>> import lampion as torch
        >>> CifarResNet(8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, depth: int = 20, num_classes: int = 10) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ArgumentError(f"CifarResNet: depth is {depth}",
                                why="it is 6n + 2: three stages of n blocks of two layers",
                                fix="CifarResNet(20)")
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks, stride=1)
        self.layer2 = self._stage(16, 32, blocks, stride=2)
        self.layer3 = self._stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(in_planes: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
        rest = (CifarBlock(planes, planes) for _ in range(blocks - 1))
        return nn.Sequential(CifarBlock(in_planes, planes, stride), *rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def resnet20(num_classes: int = 10) -> CifarResNet:
    """Return the `CifarResNet` of 20 layers."""
    return CifarResNet(20, num_classes)
