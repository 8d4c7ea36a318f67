"""MobileNetV2: thin bottlenecks around wide depthwise convolutions.

Sandler, Howard, Zhu, Zhmoginov, Chen: MobileNetV2: inverted residuals and linear bottlenecks, 2018
(table 1: the block; table 2: the network). Names of layers are torchvision's: its published weights
fit.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn

# Table 2: expansion t, channels c, repeats n, stride s.
SETTINGS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def make_divisible(width: float, divisor: int = 8) -> int:
    """Return the multiple of `divisor` nearest to `width`, but never below 90 % of it.

    Example:
        >>> make_divisible(32 * 0.75), make_divisible(24 * 0.35)
        (24, 8)
    """
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


def conv_bn_relu6(
    in_planes: int, out_planes: int, kernel_size: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return convolution, batch normalisation, ReLU6 (Howard et al. 2017, MobileNets, figure 3)."""
    return nn.Sequential(
        nn.Conv2d(in_planes, out_planes, kernel_size, stride, (kernel_size - 1) // 2,
                  groups=groups, bias=False),
        nn.BatchNorm2d(out_planes),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """1x1 up, 3x3 for each channel alone, 1x1 down without a nonlinearity, and the shortcut.

    Shape:
        (N, inp, H, W) -> (N, oup, H / stride, W / stride)

    Args:
        inp, oup: channels in and out.
        stride: 1 or 2; the shortcut is there only with 1 and equal channels.
        expand_ratio: how many times as wide the middle is.

    Source: Sandler et al. 2018, table 1 and figure 4d.

    Example:
        >>> import lampion as torch
        >>> InvertedResidual(16, 24, stride=2, expand_ratio=6)(torch.zeros(1, 16, 8, 8)).shape
        torch.Size([1, 24, 4, 4])
    """

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int) -> None:
        super().__init__()
        hidden = inp * expand_ratio
        self.use_res_connect = stride == 1 and inp == oup
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(conv_bn_relu6(inp, hidden, kernel_size=1))
        layers.append(conv_bn_relu6(hidden, hidden, stride=stride, groups=hidden))
        layers += [nn.Conv2d(hidden, oup, 1, bias=False), nn.BatchNorm2d(oup)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """A convolution, seventeen inverted residuals, a wide 1x1 convolution, a linear layer.

    Shape:
        (N, 3, 224, 224) -> (N, num_classes); other sizes work too.

    Args:
        num_classes: number of scores.
        width_mult: multiplies all channels, rounded to multiples of 8; > 0.
        dropout: probability of zeroing a feature before the linear layer, in [0, 1].

    3,504,872 parameters with 1,000 classes (table 4: 3.4 millions).

    Source: Sandler et al. 2018, table 2.

    Example:
        >>> import lampion as torch
        >>> MobileNetV2(num_classes=10, width_mult=0.25)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, num_classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.2
    ) -> None:
        super().__init__()
        channels = make_divisible(32 * width_mult)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult))
        layers: list[nn.Module] = [conv_bn_relu6(3, channels, stride=2)]
        for expansion, width, repeats, stride in SETTINGS:
            out = make_divisible(width * width_mult)
            for repeat in range(repeats):
                layers.append(InvertedResidual(
                    channels, out, stride if repeat == 0 else 1, expansion))
                channels = out
        layers.append(conv_bn_relu6(channels, self.last_channel, kernel_size=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v2(num_classes: int = 1000, width_mult: float = 1.0) -> MobileNetV2:
    """Return a `MobileNetV2`; the same arguments."""
    return MobileNetV2(num_classes, width_mult)
