"""VGG: depth from 3x3 convolutions alone.

Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition, 2015
(table 1: the columns A, B, D and E; table 2: the numbers of parameters). Names of layers are
torchvision's, so its published weights fit.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError

POOL = 0  # stands for maximum pooling among the widths
CONFIGURATIONS = {  # table 1: depth -> widths
    11: (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    13: (64, 64, POOL, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    16: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL,
         512, 512, 512, POOL),
    19: (64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL, 512, 512, 512, 512, POOL,
         512, 512, 512, 512, POOL),
}


def make_features(widths: tuple[int, ...], batch_norm: bool) -> nn.Sequential:
    """Return the convolutions: a width is a 3x3 convolution and a rectifier, 0 halves the size."""
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        if width == POOL:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU(inplace=True))
        channels = width
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Blocks of 3x3 convolutions, each ended by a pooling, then three linear layers.

    Shape:
        (N, 3, 224, 224) -> (N, num_classes); other sizes from 32x32 up work too.

    Args:
        depth: layers with weights: 11, 13, 16 or 19 (columns A, B, D, E of table 1).
        num_classes: number of scores.
        batch_norm: put batch normalisation after each convolution (not in the paper).
        dropout: probability of zeroing a feature after the first two linear layers, in [0, 1].

    Raises:
        ArgumentError: another depth.

    138,357,544 parameters for depth 16 and 1,000 classes (table 2: 138 millions).

    Source: Simonyan and Zisserman 2015, table 1; first values: He et al. 2015, Delving deep into
    rectifiers, equation 10, with the mode of outputs.

    Example:
        >>> import lampion as torch
        >>> features = make_features(CONFIGURATIONS[11], batch_norm=True)
        >>> features(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 512, 2, 2])
    """

    def __init__(
        self, depth: int = 16, num_classes: int = 1000, batch_norm: bool = False,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if depth not in CONFIGURATIONS:
            raise ArgumentError(f"VGG: depth is {depth}",
                                why=f"the paper has the depths {sorted(CONFIGURATIONS)}",
                                fix="VGG(16)")
        self.features = make_features(CONFIGURATIONS[depth], batch_norm)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def vgg11(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 11 layers."""
    return VGG(11, num_classes, dropout=dropout)


def vgg11_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 11 layers with batch normalisation."""
    return VGG(11, num_classes, batch_norm=True, dropout=dropout)


def vgg13(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 13 layers."""
    return VGG(13, num_classes, dropout=dropout)


def vgg13_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 13 layers with batch normalisation."""
    return VGG(13, num_classes, batch_norm=True, dropout=dropout)


def vgg16(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 16 layers."""
    return VGG(16, num_classes, dropout=dropout)


def vgg16_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 16 layers with batch normalisation."""
    return VGG(16, num_classes, batch_norm=True, dropout=dropout)


def vgg19(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 19 layers."""
    return VGG(19, num_classes, dropout=dropout)


def vgg19_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return a `VGG` of 19 layers with batch normalisation."""
    return VGG(19, num_classes, batch_norm=True, dropout=dropout)
