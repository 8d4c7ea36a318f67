"""Reductions of the elements that a mask lets through, under the names of `torch.masked`.

A mask is a tensor of booleans that broadcasts to the input: True counts, False does not. What is
masked out is replaced by what changes nothing: 0 in a sum, 1 in a product, -inf for a maximum.
Elements computed from nothing at all are that number too, or NaN where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import dtypes, errors
from .functions import activation, creation, elementwise, reduction
from .functions import sample_statistics as statistics
from .functions import shape as shapes
from .functions.linalg import vector_norm
from .tensor import Tensor

_Dtype = dtypes.dtype | None


def _axes(dim: Any, rank: int) -> tuple[int, ...]:
    """The axes in order; None and () mean all."""
    if dim is None or dim == ():
        return tuple(range(rank))
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    found: list[int] = []
    for axis in given:
        if not -max(rank, 1) <= axis < max(rank, 1):
            raise errors.IndexRangeError(
                f"Dimension out of range (expected to be in range of [{-max(rank, 1)}, "
                f"{max(rank, 1) - 1}], but got {axis})")
        if axis in found:
            raise errors.StateError(f"dim={axis} appears multiple times in the list of dims")
        found.append(axis % max(rank, 1))
    return tuple(sorted(found))


def _wide(input: Tensor, mask: Tensor) -> Tensor:
    """The mask as booleans of the input's shape."""
    if mask.dim() > input.dim():
        raise errors.IndexRangeError(
            "_input_mask expected broadcastable mask (got mask dimensionality higher than of the "
            f"input): {errors.shape_text(mask.shape)} for {errors.shape_text(input.shape)}",
            fix="mask.squeeze(dim)")
    return mask.bool() if mask.shape == input.shape else shapes.expand(mask.bool(), input.shape)


def _filled(input: Tensor, mask: Tensor | None, number: float) -> Tensor:
    """The input with a number where the mask is False."""
    if mask is None:
        return input
    return elementwise.where(_wide(input, mask), input, creation.full(
        (), number, dtype=input.dtype))


def _lowest(dtype: dtypes.dtype) -> float:
    if dtype is dtypes.bool_:
        return 0
    return -math.inf if dtype.is_floating_point else dtypes.iinfo(dtype).min


def _highest(dtype: dtypes.dtype) -> float:
    if dtype is dtypes.bool_:
        return 1
    return math.inf if dtype.is_floating_point else dtypes.iinfo(dtype).max


def _sum_type(input: Tensor, dtype: _Dtype) -> dtypes.dtype:
    if dtype is not None:
        return dtype
    return input.dtype if input.dtype.is_floating_point else dtypes.int64


# --- sums and averages ------------------------------------------------------------------------


def sum(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: _Dtype = None,
        mask: Tensor | None = None) -> Any:
    """The sum of the elements that the mask lets through; 0 where it lets none.

    Shape: (*) -> (*) without `dim`, or with size 1 there if keepdim.

    Args:
        dim: the axes; None for all.
        keepdim: keep the axes with size 1.
        dtype: element type to add in; whole numbers add up as int64.
        mask: booleans that broadcast to the input; None lets everything through.

    Example:
        >>> import lampion as torch
        >>> torch.masked.sum(torch.tensor([1., 2., 4.]), mask=torch.tensor([True, False, True]))
        tensor(5.)
    """
    x = _filled(input, mask, 0)
    return reduction.sum(x, _axes(dim, x.dim()), keepdim, dtype=_sum_type(input, dtype))


def prod(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: _Dtype = None,
         mask: Tensor | None = None) -> Any:
    """The product of the elements that the mask lets through; 1 where it lets none.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.sum`.

    Example:
        >>> import lampion as torch
        >>> torch.masked.prod(torch.tensor([3., 0., 2.]), mask=torch.tensor([True, False, True]))
        tensor(6.)
    """
    kind = _sum_type(input, dtype)
    x = _filled(input, mask, 1)
    axes = _axes(dim, x.dim())
    return reduction.prod(x, axes, keepdim, dtype=kind) if axes else x.to(kind)


def cumsum(input: Tensor, dim: int, *, dtype: _Dtype = None, mask: Tensor | None = None) -> Any:
    """The running sum along an axis, in which what is masked out counts 0.

    Args:
        dim, dtype, mask: as those of `masked.sum`.
    """
    return reduction.cumsum(_filled(input, mask, 0), _axes(dim, input.dim())[0],
                            dtype=_sum_type(input, dtype))


def cumprod(input: Tensor, dim: int, *, dtype: _Dtype = None, mask: Tensor | None = None) -> Any:
    """The running product along an axis, in which what is masked out counts 1.

    Args:
        dim, dtype, mask: as those of `masked.sum`.
    """
    return reduction.cumprod(_filled(input, mask, 1), _axes(dim, input.dim())[0],
                             dtype=_sum_type(input, dtype))


def _count(input: Tensor, dim: Any, keepdim: bool, mask: Tensor | None) -> Any:
    if mask is None:
        mask = creation.full((), True, dtype=dtypes.bool_)
    return reduction.sum(_wide(input, mask), _axes(dim, input.dim()), keepdim)


def mean(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: _Dtype = None,
         mask: Tensor | None = None) -> Any:
    """The average of the elements that the mask lets through; NaN where it lets none.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.sum`.

    Raises:
        ArgumentError: the tensor is not floating and no floating dtype is given.

    Example:
        >>> import lampion as torch
        >>> torch.masked.mean(torch.tensor([1., 9., 3.]), mask=torch.tensor([True, False, True]))
        tensor(2.)
    """
    kind = dtypes.chosen(dtype) or input.dtype
    if not kind.is_floating_point:
        raise errors.ArgumentError(
            "mean(): Could not infer output dtype. "
            f"{'Input' if dtype is None else 'Optional'} dtype must be either a floating point or "
            f"complex dtype. Got: {kind}", fix="x.float()")
    total = sum(input, dim, keepdim=keepdim, dtype=kind, mask=mask)
    return elementwise.div(total, _count(input, dim, keepdim, mask))


def _spread(input: Tensor, dim: Any, unbiased: bool | None, correction: float | None,
            keepdim: bool, dtype: _Dtype, mask: Tensor | None) -> Any:
    if unbiased is not None and correction is not None:
        raise errors.HeadsError("Only one of unbiased and correction may be given")
    off = float(correction) if correction is not None else (0.0 if unbiased is False else 1.0)
    kind = dtypes.chosen(dtype) or (
        input.dtype if input.dtype.is_floating_point else dtypes.float32)
    wide = kind if kind.is_floating_point else dtypes.float32
    count = _count(input, dim, True, mask)
    middle = elementwise.div(sum(input, dim, keepdim=True, dtype=kind, mask=mask), count)
    distance = elementwise.sub(input, middle)
    total = sum(elementwise.mul(distance, distance), dim, keepdim=keepdim, dtype=wide, mask=mask)
    count = count.to(wide) if keepdim else shapes.reshape(count, total.shape).to(wide)
    return elementwise.div(total, elementwise.clamp(count - off, min=0.0) if off else count).to(
        kind)


def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, *,
        correction: float | None = None, keepdim: bool = False, dtype: _Dtype = None,
        mask: Tensor | None = None) -> Any:
    """The variance of the elements that the mask lets through; NaN where it lets too few.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.sum`.
        unbiased: correction of 1 (True, the default) or 0 (False).
        correction: what is taken off the count.

    Example:
        >>> import lampion as torch
        >>> torch.masked.var(torch.tensor([1., 9., 3.]), mask=torch.tensor([True, False, True]))
        tensor(2.)
    """
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, *,
        correction: float | None = None, keepdim: bool = False, dtype: _Dtype = None,
        mask: Tensor | None = None) -> Any:
    """The standard deviation: the square root of `masked.var`.

    Args:
        dim, unbiased, correction, keepdim, dtype, mask: as those of `masked.var`.
    """
    return elementwise.sqrt(_spread(input, dim, unbiased, correction, keepdim, dtype, mask))


# --- extremes, order, norms ---------------------------------------------------------------------


def _extreme(rule: Callable, number: float, input: Tensor, dim: Any, keepdim: bool,
             dtype: _Dtype, mask: Tensor | None) -> Any:
    x = _filled(input, mask, number)
    return rule(x, _axes(dim, x.dim()), keepdim).to(dtypes.chosen(dtype) or input.dtype)


def amax(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: _Dtype = None,
         mask: Tensor | None = None) -> Any:
    """The largest element that the mask lets through; -inf where it lets none.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.sum`.

    Example:
        >>> import lampion as torch
        >>> torch.masked.amax(torch.tensor([1., 9., 3.]), mask=torch.tensor([True, False, True]))
        tensor(3.)
    """
    return _extreme(reduction.amax, _lowest(input.dtype), input, dim, keepdim, dtype, mask)


def amin(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: _Dtype = None,
         mask: Tensor | None = None) -> Any:
    """The smallest element that the mask lets through; inf where it lets none.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.sum`.
    """
    return _extreme(reduction.amin, _highest(input.dtype), input, dim, keepdim, dtype, mask)


def argmax(input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: _Dtype = None,
           mask: Tensor | None = None) -> Any:
    """The position of the largest element that the mask lets through.

    Args:
        dim: the axis; None: the position in the flattened tensor.
        keepdim, mask: as those of `masked.sum`.
        dtype: the type of the result; None for the input's, as PyTorch has it.
    """
    x = _filled(input, mask, _lowest(input.dtype))
    return reduction.argmax(x, dim, keepdim).to(dtypes.chosen(dtype) or input.dtype)


def argmin(input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: _Dtype = None,
           mask: Tensor | None = None) -> Any:
    """The position of the smallest element that the mask lets through.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.argmax`.
    """
    x = _filled(input, mask, _highest(input.dtype))
    return reduction.argmin(x, dim, keepdim).to(dtypes.chosen(dtype) or input.dtype)


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: _Dtype = None,
           mask: Tensor | None = None) -> Any:
    """The middle element (the lower of two) of those that the mask lets through.

    Args:
        dim: the axis.
        keepdim, dtype, mask: as those of `masked.sum`.

    Raises:
        ArgumentError: whole numbers, and a row of which the mask lets none through (their
            result is read to know).
    """
    axis = _axes(dim, input.dim())[0]
    whole = not input.dtype.is_floating_point
    x = _filled(input.float() if whole else input, mask, math.nan)
    found = statistics.nanmedian(x, axis, keepdim).values
    if not whole:
        return found
    if bool(elementwise.isnan(found).any()):
        raise errors.ArgumentError("masked median expects no fully masked out rows if dtype is "
                                   "not floating point", fix="x.float()")
    return found.to(dtypes.chosen(dtype) or input.dtype)


def norm(input: Tensor, ord: float | None = 2.0, dim: Any = None, *, keepdim: bool = False,
         dtype: _Dtype = None, mask: Tensor | None = None) -> Any:
    """The norm of vectors without what is masked out: (sum of |x|^ord)^(1/ord).

    Args:
        ord: the norm, a number or inf or -inf; None for 2.
        dim, keepdim, dtype, mask: as those of `masked.sum`.
    """
    x = _filled(input, mask, math.inf if ord == -math.inf else 0)
    return vector_norm(x, 2 if ord is None else ord, _axes(dim, x.dim()), keepdim,
                       dtype=dtypes.chosen(dtype) or input.dtype)


# --- exponentials and normalization ---------------------------------------------------------------


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: _Dtype = None,
              mask: Tensor | None = None) -> Any:
    """log(sum(exp(x))) of the elements that the mask lets through; -inf where it lets none.

    Args:
        dim, keepdim, dtype, mask: as those of `masked.sum`.
    """
    x = _filled(input, mask, _lowest(input.dtype))
    return reduction.logsumexp(x, _axes(dim, x.dim()), keepdim).to(
        dtypes.chosen(dtype) or input.dtype)


def logaddexp(input: Tensor, other: Tensor, *, dtype: _Dtype = None,
              input_mask: Tensor | None = None, other_mask: Tensor | None = None) -> Any:
    """log(exp(input) + exp(other)), where what is masked out adds nothing.

    Args:
        dtype: the type of the result; None for the input's.
        input_mask, other_mask: what counts of each.
    """
    x = _filled(input, input_mask, _lowest(input.dtype))
    y = _filled(other, other_mask, _lowest(other.dtype))
    return elementwise.logaddexp(x, y).to(dtypes.chosen(dtype) or input.dtype)


def softmax(input: Tensor, dim: int, *, dtype: _Dtype = None, mask: Tensor | None = None) -> Any:
    """exp(x) over its sum along an axis, 0 for what is masked out.

    Args:
        dim, dtype, mask: as those of `masked.sum`.

    Example:
        >>> import lampion as torch
        >>> mask = torch.tensor([True, True, False])
        >>> torch.masked.softmax(torch.zeros(3), 0, mask=mask)
        tensor([0.5000, 0.5000, 0.0000])
    """
    x = _filled(input, mask, _lowest(input.dtype))
    return activation.softmax(x, _axes(dim, x.dim())[0], dtype=dtypes.chosen(dtype) or input.dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: _Dtype = None,
                mask: Tensor | None = None) -> Any:
    """The logarithm of `masked.softmax`, -inf for what is masked out.

    Args:
        dim, dtype, mask: as those of `masked.sum`.
    """
    x = _filled(input, mask, _lowest(input.dtype))
    return activation.log_softmax(x, _axes(dim, x.dim())[0],
                                  dtype=dtypes.chosen(dtype) or input.dtype)


def softmin(input: Tensor, dim: int, *, dtype: _Dtype = None, mask: Tensor | None = None) -> Any:
    """`masked.softmax` of -x.

    Args:
        dim, dtype, mask: as those of `masked.sum`.
    """
    x = _filled(input, mask, _highest(input.dtype))
    return activation.softmin(x, _axes(dim, x.dim())[0], dtype=dtypes.chosen(dtype) or input.dtype)


def normalize(input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: _Dtype = None,
              mask: Tensor | None = None) -> Any:
    """x over its norm along an axis, 0 for what is masked out.

    Args:
        ord, dim, dtype, mask: as those of `masked.norm`.
        eps: the least that is divided by.
    """
    length = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return elementwise.div(_filled(input, mask, 0), elementwise.clamp(length, min=eps))


__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp",
    "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin", "std", "sum",
    "var",
]
