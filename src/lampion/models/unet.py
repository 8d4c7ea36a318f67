"""U-Net: a class for every pixel, from what is seen from afar and what is seen up close.

Ronneberger, Fischer, Brox: U-Net: convolutional networks for biomedical image segmentation, 2015
(figure 1). The convolutions here are padded, so the answer is as large as the picture; the paper's
are not, and it loses 92 pixels at each side. Batch normalisation is newer than the paper.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import ShapeError, shape_text


class DoubleConv(nn.Sequential):
    """Twice: 3x3 convolution, batch normalisation, rectifier.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W)
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """Down by halves, up by doubles, and at every size a bridge from one side to the other.

    Shape:
        (N, in_channels, H, W) -> (N, num_classes, H, W); 2^(levels - 1) divides H and W.

    Args:
        in_channels: channels of the picture.
        num_classes: scores of each pixel.
        base_channels: width at full size; doubled at every level below.
        levels: number of sizes, 5 in the paper.

    Raises:
        ShapeError: H or W cannot be halved that often.

    31,031,810 parameters with the paper's 1 channel, 2 classes, 5 levels; the paper's own layers
    have a bias in place of batch normalisation.

    Source: Ronneberger et al. 2015, figure 1.

    Example:
        >>> import lampion as torch
        >>> UNet(1, 2, base_channels=4, levels=3)(torch.zeros(1, 1, 32, 48)).shape
        torch.Size([1, 2, 32, 48])
    """

    def __init__(
        self, in_channels: int = 1, num_classes: int = 2, base_channels: int = 64, levels: int = 5
    ) -> None:
        super().__init__()
        self.levels = levels
        widths = [base_channels * 2**level for level in range(levels)]
        self.down = nn.ModuleList(
            DoubleConv(before, after) for before, after in zip([in_channels, *widths], widths))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(below, width, kernel_size=2, stride=2)
            for below, width in zip(widths[:0:-1], widths[-2::-1]))
        self.join = nn.ModuleList(DoubleConv(2 * width, width) for width in widths[-2::-1])
        self.head = nn.Conv2d(base_channels, num_classes, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step = 2 ** (self.levels - 1)
        if x.shape[-2] % step or x.shape[-1] % step:
            raise ShapeError(
                f"UNet: the picture is {shape_text(x.shape)}",
                why=f"with {self.levels} levels, height and width are multiples of {step}",
                fix="pad the picture: torch.nn.functional.pad(x, (0, right, 0, bottom))")
        bridges = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            bridges.append(x)
        for up, join, bridge in zip(self.up, self.join, bridges[-2::-1]):
            x = join(torch.cat([bridge, up(x)], dim=1))
        return self.head(x)
