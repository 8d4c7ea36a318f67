"""MobileNet, the first one: every 3x3 convolution looks at one channel, a 1x1 one mixes them.

Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto, Adam: MobileNets: efficient convolutional
neural networks for mobile vision applications, 2017 (table 1: the network; figure 3: the block). As
in the authors' TensorFlow code, a convolution of stride 2 pads at the right and below only: their
published weights fit.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn

# Table 1: channels and stride of the 13 depthwise separable blocks.
SETTINGS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)


def conv_bn_relu6(
    in_planes: int, out_planes: int, kernel_size: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return convolution, batch normalisation, ReLU6; at stride 2, padding on two sides only."""
    padding = kernel_size // 2 if stride == 1 else 0
    before: list[nn.Module] = [] if stride == 1 else [nn.ZeroPad2d((0, 1, 0, 1))]
    return nn.Sequential(
        *before,
        nn.Conv2d(in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out_planes),
        nn.ReLU6(inplace=True),
    )


class MobileNet(nn.Module):
    """A convolution, 13 pairs of a depthwise and a 1x1 convolution, a linear layer.

    Shape:
        (N, 3, 224, 224) -> (N, num_classes); other multiples of 32 work too.

    Args:
        num_classes: number of scores.
        width_mult: multiplies all channels; 0.25, 0.5, 0.75 and 1 in the paper.
        dropout: probability of zeroing a feature before the linear layer, in [0, 1].

    4,231,976 parameters with 1,000 classes (table 4: 4.2 millions).

    Source: Howard et al. 2017, table 1.

    Example:
        >>> import lampion as torch
        >>> MobileNet(num_classes=10, width_mult=0.25)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, num_classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        channels = int(32 * width_mult)
        layers = [conv_bn_relu6(3, channels, stride=2)]
        for width, stride in SETTINGS:
            out = int(width * width_mult)
            layers.append(conv_bn_relu6(channels, channels, stride=stride, groups=channels))
            layers.append(conv_bn_relu6(channels, out, kernel_size=1))
            channels = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
