"""Losses of pairs and triplets: rankings, embeddings, margins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions.activation import logsigmoid
from lampion.functions.checks import (
    legacy_reduction,
    reduce_loss,
    require_same_shape,
    require_tensor,
)
from lampion.functions.distance import pairwise_distance
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return log(1 + exp(-y x)) for labels y of 1 or -1.

    Shape: input and target alike -> scalar, or the same with reduction='none'.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor("soft_margin_loss", "input", input)
    require_tensor("soft_margin_loss", "target", target)
    require_same_shape("soft_margin_loss", input, target)
    return reduce_loss(-logsigmoid(target * input), reduction)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return x where y = 1, and max(0, margin - x) where y = -1.

    Shape: input and target alike -> scalar, or the same with reduction='none'.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor("hinge_embedding_loss", "input", input)
    require_tensor("hinge_embedding_loss", "target", target)
    require_same_shape("hinge_embedding_loss", input, target)
    far = (margin - input).clamp(min=0).masked_fill(target == 1, 0)
    return reduce_loss(far + input.masked_fill(target == -1, 0), reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return max(0, -y (x1 - x2) + margin): y = 1 says that x1 shall rank above x2, -1 below.

    Shape: three alike -> scalar, or the same with reduction='none'.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise errors.ShapeError(
            f"margin_ranking_loss: input1 is {errors.shape_text(input1.shape)}, input2 is "
            f"{errors.shape_text(input2.shape)}, target is {errors.shape_text(target.shape)}",
            why="All input tensors should have same dimension",
            fix="target.view_as(input1)",
        )
    return reduce_loss((margin - target * (input1 - input2)).clamp(min=0), reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return 1 - cos(x1, x2) where y = 1, and max(0, cos(x1, x2) - margin) where y = -1.

    Shape: (N, D), (N, D) and (N), or (D), (D) and () -> scalar, or the labels' shape with
    reduction='none'.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    dims = (target.dim(), input1.dim(), input2.dim())
    if dims not in ((0, 1, 1), (1, 2, 2)):
        raise errors.ShapeError(
            f"cosine_embedding_loss: input1 is {errors.shape_text(input1.shape)}, input2 is "
            f"{errors.shape_text(input2.shape)}, target is {errors.shape_text(target.shape)}",
            why="inputs are (samples, features) with one label for each sample, or one vector "
            "each with a scalar label",
        )
    tiny = 1e-12
    length1 = (input1 * input1).sum(-1) + tiny
    length2 = (input2 * input2).sum(-1) + tiny
    cosine = (input1 * input2).sum(-1) / (length1 * length2).sqrt()
    alike = (1 - cosine).masked_fill(target != 1, 0)
    apart = (cosine - margin).clamp(min=0).masked_fill(target != -1, 0)
    return reduce_loss(alike + apart, reduction)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return max(0, d(a, p) - d(a, n) + margin) with the p-norm distance d.

    Args:
        anchor, positive, negative: vectors along the last axis.
        margin: above 0.
        p: order of the norm.
        eps: added to each difference.
        swap: use d(p, n) where it is smaller than d(a, n).

    Shape: (N, D) thrice or (D) thrice -> scalar, or (N) or () with reduction='none'.
    Source: Balntas et al. 2016, http://www.bmva.org/bmvc/2016/papers/paper119/paper119.pdf
    """
    reduction = legacy_reduction(size_average, reduce, reduction)

    def distance(first: Tensor, second: Tensor) -> Tensor:
        return pairwise_distance(first, second, p, eps)

    return _triplet(
        "triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:
    """Return max(0, d(a, p) - d(a, n) + margin) for any distance d.

    Args:
        anchor, positive, negative: what `distance_function` takes.
        distance_function: two tensors -> their distances; by default `pairwise_distance`.
        margin: above 0.
        swap: use d(p, n) where it is smaller than d(a, n).

    Shape: that of the distances -> scalar, or the same with reduction='none'.
    """
    reduction = legacy_reduction(None, None, reduction)
    return _triplet(
        "triplet_margin_with_distance_loss", anchor, positive, negative,
        distance_function or pairwise_distance, margin, swap, reduction,
    )


def _triplet(
    function: str, anchor: Tensor, positive: Tensor, negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor], margin: float, swap: bool, reduction: str,
) -> Tensor:
    if margin <= 0:
        raise errors.ArgumentError(
            f"{function}: margin={margin}", why="margin must be greater than 0", fix="margin=1.0"
        )
    if not anchor.dim() == positive.dim() == negative.dim():
        raise errors.ShapeError(
            f"{function}: anchor is {errors.shape_text(anchor.shape)}, positive is "
            f"{errors.shape_text(positive.shape)}, negative is "
            f"{errors.shape_text(negative.shape)}",
            why="the three must have the same number of axes",
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduce_loss((margin + near - far).clamp(min=0), reduction)


record_module(globals())
