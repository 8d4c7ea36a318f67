"""Reductions: axes collapse to size 1. Cumulative ops and positions of extremes stand beside."""

from __future__ import annotations

import builtins

from ..dtypes import int64
from ..ir import Type, Value, expand, full, zero
from .define import opaque, reduction
from .elementwise import bit_and, bit_or, cast, eq, ne, to_dtype, where

sum = reduction(
    "sum", "Add along axes.",
    meaning=lambda xp, x, axes: xp.sum(x, axis=axes, keepdims=True, dtype=x.dtype),
    grad=lambda g, y, x, axes: (expand(g, x.shape),),
    start=0, combine="add")


def _extreme_grad(g, y, x, axes):
    # Equal extremes share the gradient evenly, as in PyTorch's amax; NaN is extreme if present.
    chosen = bit_or(eq(x, expand(y, x.shape)), ne(x, x))
    count = sum(to_dtype(chosen, g.dtype), axes=axes)
    share = expand(g / count, x.shape)
    return (where(chosen, share, full(x.shape, 0, g.dtype)),)


max = reduction(
    "max", "The largest along axes; NaN if any is.",
    meaning=lambda xp, x, axes: xp.max(x, axis=axes, keepdims=True) if axes else x,
    grad=_extreme_grad, start="lowest", combine="maximum")

min = reduction(
    "min", "The smallest along axes; NaN if any is.",
    meaning=lambda xp, x, axes: xp.min(x, axis=axes, keepdims=True) if axes else x,
    grad=_extreme_grad, start="highest", combine="minimum")


def _prod_grad(g, y, x, axes):
    # The product of all the others = (product before) * (product after): right for zeros too.
    others = full(x.shape, 1, x.dtype)
    remaining = x
    for axis in axes:
        before = cumprod(remaining, axis=axis, exclusive=True, reverse=False)
        after = cumprod(remaining, axis=axis, exclusive=True, reverse=True)
        others = others * expand(before * after, x.shape)
        remaining = prod(remaining, axes=(axis,))
    return (expand(g, x.shape) * others,)


prod = reduction(
    "prod", "Multiply along axes.",
    meaning=lambda xp, x, axes: xp.prod(x, axis=axes, keepdims=True, dtype=x.dtype),
    grad=_prod_grad, start=1, combine="mul")


def _norm_grad(g, y, x, axes):
    # d|x|/dx = x / |x|, and 0 where x is 0.
    wide, none = expand(y, x.shape), full(x.shape, 0, x.dtype)
    return (expand(g, x.shape) * where(eq(wide, none), none, x / wide),)


norm2 = reduction(
    "norm2", "The root of the sum of squares along axes; its gradient at 0 is 0.",
    meaning=lambda xp, x, axes: xp.sqrt(xp.sum(x * x, axis=axes, keepdims=True, dtype=x.dtype)),
    grad=_norm_grad, start=0, combine="add",
    before=lambda b, x: b.mul(x, x), after=lambda b, x: b.sqrt(x))


def _accumulate(xp, ufunc, x, axis, exclusive, reverse, start):
    if reverse:
        x = xp.flip(x, axis)
    if exclusive:
        ones = (builtins.min(1, x.shape[axis]),)
        first = xp.full(x.shape[:axis] + ones + x.shape[axis + 1:], start)
        x = xp.concatenate([first.astype(x.dtype), xp.take(x, xp.arange(builtins.max(
            x.shape[axis] - 1, 0)), axis=axis)], axis)
    # As PyTorch: float32 is accumulated in float64, so that long axes lose nothing.
    wide = xp.float64 if x.dtype == xp.float32 else x.dtype
    out = ufunc(x, axis=axis, dtype=wide).astype(x.dtype)
    return xp.flip(out, axis) if reverse else out



_cumulative_samples = (
    (((3, 4),), {"axis": 1, "exclusive": False, "reverse": False}),
    (((3, 4),), {"axis": 0, "exclusive": True, "reverse": True}),
    (((2, 0),), {"axis": 1, "exclusive": False, "reverse": False}),
)

cumsum = opaque(
    "cumsum", "Running sum along an axis; `exclusive` leaves the element itself out.",
    meaning=lambda xp, x, axis, exclusive, reverse: _accumulate(
        xp, xp.cumsum, x, axis, exclusive, reverse, 0),
    result=lambda x, axis, exclusive, reverse: x.type,
    grad=lambda g, y, x, axis, exclusive, reverse: (
        cumsum(g, axis=axis, exclusive=exclusive, reverse=not reverse),),
    kernel="cumsum", samples=_cumulative_samples)


def _cumprod_grad(g, y, x, axis, exclusive, reverse):
    # y_k = product of x_j, j <= k. Away from zeros dy_k/dx_i = y_k / x_i. The first zero gets
    # the running products with that one factor left out; whatever comes after it gets nothing.
    zeros, ones = full(x.shape, 0, x.dtype), full(x.shape, 1, x.dtype)
    is_zero = eq(x, zeros)
    seen = cumsum(cast(is_zero, dtype=int64), axis=axis, exclusive=False, reverse=reverse)
    none_yet = eq(seen, full(x.shape, 0, int64))
    first = bit_and(is_zero, eq(seen, full(x.shape, 1, int64)))
    flowing = cumsum(g * y, axis=axis, exclusive=exclusive, reverse=not reverse)
    regular = flowing / where(is_zero, ones, x)
    without = cumprod(where(first, ones, x), axis=axis, exclusive=exclusive, reverse=reverse)
    at_first = cumsum(g * without, axis=axis, exclusive=exclusive, reverse=not reverse)
    return (where(first, at_first, where(none_yet, regular, zeros)),)


cumprod = opaque(
    "cumprod", "Running product along an axis; `exclusive` leaves the element itself out.",
    meaning=lambda xp, x, axis, exclusive, reverse: _accumulate(
        xp, xp.cumprod, x, axis, exclusive, reverse, 1),
    result=lambda x, axis, exclusive, reverse: x.type,
    grad=_cumprod_grad, kernel="cumprod", samples=_cumulative_samples)


def _axis_removed(x: Value, axis: int) -> Type:
    return Type(x.shape[:axis] + (1,) + x.shape[axis + 1:], int64)


argmax = opaque(
    "argmax", "Position of the first largest element along an axis; NaN counts as largest.",
    meaning=lambda xp, x, axis: xp.expand_dims(xp.argmax(x, axis=axis), axis),
    result=_axis_removed, grad=zero, kernel="argmax",
    samples=((((3, 4),), {"axis": 1}),))

argmin = opaque(
    "argmin", "Position of the first smallest element along an axis; NaN counts as smallest.",
    meaning=lambda xp, x, axis: xp.expand_dims(xp.argmin(x, axis=axis), axis),
    result=_axis_removed, grad=zero, kernel="argmin",
    samples=((((3, 4),), {"axis": 0}),))


def _argsort_meaning(xp, x, axis, descending):
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    # Sorting the reversed axis and reversing back keeps equal elements in their order.
    back = xp.argsort(xp.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(back, axis)


argsort = opaque(
    "argsort", "Positions that sort an axis; equal elements keep their order, NaN is largest.",
    meaning=_argsort_meaning, result=lambda x, axis, descending: Type(x.shape, int64),
    grad=zero, kernel="sort",
    samples=((((3, 4),), {"axis": 1, "descending": False}),
             (((3, 4),), {"axis": 0, "descending": True})))

topk_index = opaque(
    "topk_index", "The first k positions of `argsort`: those of the k largest or smallest.",
    meaning=lambda xp, x, axis, k, largest: xp.take(
        _argsort_meaning(xp, x, axis, largest), xp.arange(k), axis=axis),
    result=lambda x, axis, k, largest: Type(x.shape[:axis] + (k,) + x.shape[axis + 1:], int64),
    grad=zero, kernel="topk",
    samples=((((3, 4),), {"axis": 1, "k": 2, "largest": True}),
             (((3, 4),), {"axis": 0, "k": 3, "largest": False})))


def _cummax_meaning(xp, x, axis):
    # The position moves on where the running maximum is met again or NaN appears.
    best = xp.maximum.accumulate(x, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    here = xp.where((x == best) | (x != x), xp.arange(x.shape[axis]).reshape(shape), 0)
    return xp.maximum.accumulate(here, axis=axis)


cummax_index = opaque(
    "cummax_index", "Position of the largest element so far; the later one of equals.",
    meaning=_cummax_meaning, result=lambda x, axis: Type(x.shape, int64),
    grad=zero, kernel="cummax_index", samples=((((3, 4),), {"axis": 1}),))
