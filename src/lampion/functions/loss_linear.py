"""Cross entropy of a linear layer's scores: the last layer and its loss in one function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lampion import errors
from lampion.functions.checks import require_tensor
from lampion.functions.linear import linear
from lampion.functions.loss_classes import cross_entropy

if TYPE_CHECKING:
    from lampion.tensor import Tensor

_POLICIES = ("auto", "accurate", "balanced", "compact")


@dataclass
class LinearCrossEntropyOptions:
    """How PyTorch cuts `linear_cross_entropy` into pieces of the batch.

    It is checked and otherwise unused here: the result is the same for every choice, and the
    engine decides where intermediate results lie.

    Args:
        allow_retain_graph: whether `backward` may run twice; here it always may.
        batch_chunk_size: samples of one piece, 1 or more.
        chunking_method: "auto", "aspect_ratio", "aspect_ratio:N" or None.
        acc_policy: "auto", "accurate", "balanced" or "compact".
        acc_dtype: element type of the sums.

    Raises:
        ArgumentError: an argument is none of these.

    Example:
        >>> import lampion as torch
        >>> torch.nn.LinearCrossEntropyOptions(batch_chunk_size=64).acc_policy
        'auto'
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise errors.ArgumentError(f"invalid acc_policy: {self.acc_policy!r}",
                                       fix=f"one of {', '.join(_POLICIES)}")
        if self.chunking_method not in (None, "auto"):
            name, colon, factor = self.chunking_method.partition(":")
            if name != "aspect_ratio" or (colon and not (factor.isdigit() and int(factor))):
                raise errors.ArgumentError(f"invalid chunking_method: {self.chunking_method!r}",
                                           fix='"aspect_ratio:2", for instance')
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise errors.ArgumentError(
                f"batch_chunk_size must be positive int or None, got {size!r}")


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: LinearCrossEntropyOptions | None = None,
) -> Tensor:
    """Return `cross_entropy(linear(input, linear_weight, linear_bias), target)`.

    Args:
        input: features.
        linear_weight: one row of factors for each class (and place, for K-dimensional losses).
        target: class indices (int64), or class probabilities.
        linear_bias: one number for each class (and place).
        weight, reduction, label_smoothing: as in `cross_entropy`.
        ignore_index: label whose places do not count; None for -100.
        options: how PyTorch cuts the batch into pieces; without effect here.

    Shape: (in) or (N, in); (C, in) or (C, d1, ..., in); targets as in `cross_entropy` for scores
    of shape (N, C, d1, ...) -> scalar, or with reduction='none' the shape of the labels.

    Raises:
        ShapeError: the features or the bias do not fit.
        StateError: ignore_index with class probabilities.

    Example:
        >>> import lampion as torch
        >>> loss = torch.nn.functional.linear_cross_entropy(
        ...     torch.ones(2, 3), torch.zeros(4, 3), torch.tensor([0, 3]))
        >>> round(loss.item(), 4)
        1.3863
    """
    function = "linear_cross_entropy"
    for name, value in (("input", input), ("linear_weight", linear_weight), ("target", target)):
        require_tensor(function, name, value)
    _check_shapes(input, linear_weight, linear_bias)
    classes, places = linear_weight.shape[0], tuple(linear_weight.shape[1:-1])
    shape = (*input.shape[:-1], classes, *places)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise errors.StateError(
            "linear_cross_entropy: ignore_index cannot be specified when target contains "
            "probabilities", fix="rows of zeros in target, for samples that do not count")
    table = linear_weight.reshape((-1, linear_weight.shape[-1])) if places else linear_weight
    bias = linear_bias.reshape((-1,)) if linear_bias is not None and places else linear_bias
    scores = linear(input, table, bias).reshape(shape)
    return cross_entropy(
        scores, target, weight=weight, reduction=reduction, label_smoothing=label_smoothing,
        ignore_index=-100 if ignore_index is None else ignore_index)


def _check_shapes(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    text = errors.shape_text
    if input.dim() not in (1, 2):
        raise errors.ShapeError(f"linear_cross_entropy: input is {text(input.shape)}",
                                why="expected input with dimensionality 1 or 2, got "
                                f"{input.dim()}")
    if linear_weight.dim() < 2:
        raise errors.ShapeError(
            f"linear_cross_entropy: linear_weight is {text(linear_weight.shape)}",
            why=f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise errors.ShapeError(
            f"linear_cross_entropy: input is {text(input.shape)}, linear_weight is "
            f"{text(linear_weight.shape)}",
            why="expected equal input and linear_weight last dimensions (in_features)")
    expected = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != expected:
        raise errors.ShapeError(
            f"linear_cross_entropy: linear_bias is {text(linear_bias.shape)}",
            why=f"expected linear_bias shape {expected}", fix=f"a bias of {math.prod(expected)} "
            "numbers in that shape")
    if linear_weight.dim() > 2 and input.dim() == 1:
        raise errors.ShapeError(
            f"linear_cross_entropy: input is {text(input.shape)}",
            why="a K-dimensional loss requires batched input, (N, in)", fix="input.unsqueeze(0)")
