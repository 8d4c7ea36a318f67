"""LeNet-5, the convolutional network that read cheques.

LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition,
Proceedings of the IEEE 86, 1998, figure 2 and section II.B:

| layer  | what                       | maps | size  | kernel | weights (paper)                |
|--------|----------------------------|------|-------|--------|--------------------------------|
| input  | picture, 28x28 padded      | 1    | 32x32 |        |                                |
| C1     | convolution                | 6    | 28x28 | 5x5    | 156                            |
| S2     | subsampling by 2           | 6    | 14x14 | 2x2    | 12 (0 here: maximum has none)  |
| C3     | convolution                | 16   | 10x10 | 5x5    | 2,416 (paper: 1,516, table I)  |
| S4     | subsampling by 2           | 16   | 5x5   | 2x2    | 32 (0 here)                    |
| C5     | convolution                | 120  | 1x1   | 5x5    | 48,120                         |
| F6     | fully connected            | 84   |       |        | 10,164                         |
| output | linear (paper: radial)     | 10   |       |        | 850                            |

61,706 weights here. The paper has 60,000: its C3 leaves out 36 of the 96 connections between maps,
to break symmetry and save time, and its output compares F6 with drawn pictures of the characters.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.nn import functional as F


class LeNet5(nn.Module):
    """28x28 grey levels in, scores out; the names of the layers are those of the paper.

    Rectifiers and maximum pooling stand where the paper has tanh and trained averages.

    Shape:
        (N, 1, 28, 28) -> (N, num_classes)

    Args:
        num_classes: number of scores.

    Source: LeCun et al. 1998, figure 2 and section II.B.

    Example:
        >>> import lampion as torch
        >>> model = LeNet5()
        >>> model(torch.zeros(32, 1, 28, 28)).shape
        torch.Size([32, 10])
        >>> sum(p.numel() for p in model.parameters())
        61706
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)  # N x 6 x 28 x 28
        self.subsample = nn.MaxPool2d(2)
        self.c3 = nn.Conv2d(6, 16, kernel_size=5)  # N x 16 x 10 x 10
        self.c5 = nn.Conv2d(16, 120, kernel_size=5)  # N x 120 x 1 x 1
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.subsample(F.relu(self.c1(x)))  # S2: N x 6 x 14 x 14
        x = self.subsample(F.relu(self.c3(x)))  # S4: N x 16 x 5 x 5
        x = F.relu(self.c5(x))
        x = F.relu(self.f6(x.flatten(1)))
        return self.output(x)
