"""The last layer of a classifier together with its loss."""

from __future__ import annotations

import math
from typing import Any

from lampion import errors
from lampion.functions.loss_linear import LinearCrossEntropyOptions
from lampion.nn import functional as F
from lampion.nn.linear import Linear
from lampion.nn.loss import _WeightedLoss
from lampion.tensor import Tensor


class LinearCrossEntropyLoss(_WeightedLoss):
    """A linear layer whose outputs are the scores of a cross entropy.

    Shape:
        input (in) or (N, in), target as in `CrossEntropyLoss` -> scalar, or one loss per sample

    Args:
        in_features: size of each sample.
        num_classes: how many classes there are.
        out_features: more axes of the scores, for a loss at several places.
        bias: add a learned number to each score.
        device, dtype: of the parameters.
        reduction: "mean", "sum", or "none" for one loss per sample.
        weight: one factor per class.
        ignore_index: a class number that does not count; None for -100.
        label_smoothing: share of the target spread over all classes, 0 to 1.
        options: how PyTorch cuts the batch into pieces; without effect here.

    Raises:
        ShapeError: weight does not hold one factor per class.
        ArgumentRangeError: label_smoothing is no share.

    Example:
        >>> import lampion as torch
        >>> head = torch.nn.LinearCrossEntropyLoss(3, 10)
        >>> head(torch.zeros(2, 3), torch.tensor([4, 9]))
        tensor(2.3026, grad_fn=<NllLossBackward0>)
    """

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (),
        bias: bool = False, device: Any = None, dtype: Any = None, reduction: str = "mean",
        weight: Tensor | None = None, ignore_index: int | None = None,
        label_smoothing: float = 0.0, options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise errors.ShapeError(
                f"LinearCrossEntropyLoss: weight is {errors.shape_text(weight.shape)}",
                why=f"expected weight shape to be {(num_classes,)}: one factor per class")
        if not 0 <= label_smoothing <= 1:
            raise errors.ArgumentRangeError(
                f"LinearCrossEntropyLoss: label_smoothing={label_smoothing}",
                why="expected label_smoothing to be in range [0, 1]")
        super().__init__(weight=weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, math.prod(self.out_features, start=num_classes),
                             bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input, self.linear.weight.reshape((*shape, self.linear.in_features)), target,
            linear_bias=None if bias is None else bias.reshape(shape), weight=self.weight,
            reduction=self.reduction, ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing, options=self.options)

    def extra_repr(self) -> str:
        return (f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
                f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
                f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
                f"label_smoothing={self.label_smoothing}, options={self.options}")
