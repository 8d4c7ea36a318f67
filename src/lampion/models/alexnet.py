"""AlexNet, the network that brought convolution back.

Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks,
2012 (figure 2). The widths are those of Krizhevsky: One weird trick for parallelizing
convolutional neural networks, 2014, without local response normalisation, as in torchvision: its
published weights fit.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn


class AlexNet(nn.Module):
    """Five convolutions, three linear layers.

    Shape:
        (N, 3, 224, 224) -> (N, num_classes); other sizes from 63x63 up work too.

    Args:
        num_classes: number of scores.
        dropout: probability of zeroing a feature before the first two linear layers, in [0, 1].

    61,100,840 parameters with 1,000 classes.

    Source: Krizhevsky et al. 2012, figure 2; Krizhevsky 2014, section 5.

    Example:
        >>> import lampion as torch
        >>> AlexNet(num_classes=10).features(torch.zeros(1, 3, 224, 224)).shape
        torch.Size([1, 256, 6, 6])
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def alexnet(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet:
    """Return an `AlexNet`; the same arguments."""
    return AlexNet(num_classes, dropout)
