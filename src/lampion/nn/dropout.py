"""Dropout layers: while training, set random parts to zero and scale the others by 1 / (1 - p).

Shape:
    (*) -> (*)

Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors"
(2012).
"""

from __future__ import annotations

from lampion import errors
from lampion.nn import functional as F
from lampion.nn.module import Module
from lampion.tensor import Tensor


class _Dropout(Module):
    """What is set to zero together is what the subclasses differ in.

    Args:
        p: probability to be set to zero, 0 to 1.
        inplace: overwrite the input.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise errors.ArgumentError(
                f"dropout probability has to be between 0 and 1, but got {p}",
                why="p is the share of elements that are left out",
                fix=f"p={p / 100:g}" if 2 <= p <= 100 else "p=0.5")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Set single elements to zero.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Dropout(0.2).eval()(torch.ones(2))
        tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Set whole channels of (N, C, L) or (C, L) to zero."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Set whole channels of (N, C, H, W) or (N, C, L) to zero.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Dropout2d(0.5).eval()(torch.ones(1, 2, 1, 1)).flatten()
        tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to zero."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Set single elements to SELU's smallest value, keeping mean and variance.

    Source: Klambauer et al., "Self-normalizing neural networks" (2017).
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """Set whole channels to SELU's smallest value, keeping mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
