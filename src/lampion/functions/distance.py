"""Distances and similarities between vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation
from lampion.functions.checks import axis, require_tensor
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

# From this many rows on, Euclidean distances go through one matrix product, as in PyTorch.
PRODUCT_FROM_ROWS = 25


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`.

    Args:
        x1, x2: shapes that broadcast together.
        dim: the axis of the vectors, in the broadcast shape.
        eps: lower limit of each length; the gradient is that of the unlimited length.

    Shape: broadcast shape -> the same without `dim`.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.cosine_similarity(torch.eye(2), torch.ones(2, 2)).tolist()
        [0.7071067690849304, 0.7071067690849304]
    """
    require_tensor("cosine_similarity", "x1", x1)
    require_tensor("cosine_similarity", "x2", x2)
    axis("cosine_similarity", dim, max(x1.dim(), x2.dim()))
    if x1.dim() == x2.dim() == 0:
        return cosine_similarity(x1.reshape((1,)), x2.reshape((1,)), 0, eps)
    if x1.dim() != x2.dim():
        ndim = max(x1.dim(), x2.dim())
        x1 = x1.reshape((1,) * (ndim - x1.dim()) + tuple(x1.shape))
        x2 = x2.reshape((1,) * (ndim - x2.dim()) + tuple(x2.shape))
    if x1.shape[dim] != x2.shape[dim]:  # a vector of length 1 is repeated, its length counts so
        length = max(x1.shape[dim], x2.shape[dim])
        x1, x2 = _repeated(x1, dim, length), _repeated(x2, dim, length)
    return (_unit(x1, dim, eps) * _unit(x2, dim, eps)).sum(dim)


def _repeated(x: Tensor, dim: int, length: int) -> Tensor:
    if x.shape[dim] != 1:
        return x
    shape = list(x.shape)
    shape[dim] = length
    return x.expand(shape)


def _unit(x: Tensor, dim: int, eps: float) -> Tensor:
    length = x.norm(2, dim, keepdim=True)
    value = length.detach()
    return x / (length + (value.clamp(min=eps) - value))


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of x1 - x2 + eps along the last axis.

    Shape: (..., D) twice -> (...), or (..., 1) with keepdim.
    """
    require_tensor("pairwise_distance", "x1", x1)
    require_tensor("pairwise_distance", "x2", x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def cdist(
    x1: Tensor, x2: Tensor, p: float = 2.0,
    compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """Return the p-norm distances between all rows of x1 and all rows of x2.

    Args:
        x1, x2: rows of the same length; leading axes broadcast.
        p: order of the norm, 0 or more; inf for the largest difference.
        compute_mode: 'use_mm_for_euclid_dist' goes through a matrix product,
            'donot_use_mm_for_euclid_dist' through differences, the default decides by the
            number of rows.

    Shape: (..., P, M) and (..., R, M) -> (..., P, R).

    Raises:
        ShapeError: when the rows differ in length, or an input has less than two axes.
        ArgumentRangeError: when p is negative.
    """
    require_tensor("cdist", "x1", x1)
    require_tensor("cdist", "x2", x2)
    if x1.dim() < 2 or x2.dim() < 2 or x1.shape[-1] != x2.shape[-1]:
        raise errors.ShapeError(
            f"cdist: x1 is {errors.shape_text(x1.shape)}, x2 is {errors.shape_text(x2.shape)}",
            why="both need two axes or more, and rows (the last axis) of the same length",
        )
    if p < 0:
        raise errors.ArgumentRangeError(f"cdist: p={p}", why="only p >= 0 is a norm's order")
    rows = max(x1.shape[-2], x2.shape[-2])
    product = compute_mode == "use_mm_for_euclid_dist" or (
        compute_mode in (None, "use_mm_for_euclid_dist_if_necessary") and rows > PRODUCT_FROM_ROWS
    )
    if p == 2 and product:
        return _distances_by_product(x1, x2)
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)


def _distances_by_product(x1: Tensor, x2: Tensor) -> Tensor:
    squares = (x1 * x1).sum(-1, keepdim=True) + (x2 * x2).sum(-1).unsqueeze(-2)
    squared = squares - 2 * x1.matmul(x2.transpose(-2, -1))
    # Equal rows: distance 0 with gradient 0, though the root is infinitely steep there.
    none = squared <= 0
    return squared.masked_fill(none, 1).sqrt().masked_fill(none, 0)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norm distances between all pairs of rows i < j, in order.

    Shape: (N, M) -> (N (N - 1) / 2).
    """
    require_tensor("pdist", "input", input)
    if input.dim() != 2:
        raise errors.ShapeError(
            f"pdist: input is {errors.shape_text(input.shape)}",
            why="pdist only supports 2D tensors, rows of vectors",
        )
    if p < 0:
        raise errors.ArgumentRangeError(f"pdist: p={p}", why="only p >= 0 is a norm's order")
    rows = input.shape[0]
    first = [i for i in range(rows) for _ in range(i + 1, rows)]
    second = [j for i in range(rows) for j in range(i + 1, rows)]
    if not first:
        return input.reshape((-1,))[:0]  # no numbers, but a gradient path
    pick_first, pick_second = creation.tensor(first), creation.tensor(second)
    return (input.index_select(0, pick_first) - input.index_select(0, pick_second)).norm(p, -1)


record_module(globals())
