"""The standard's functions that bring many elements down to few: statistics, truth, extremes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..dtypes import dtype as DType
from ..errors import ArgumentError
from ..functions import elementwise as e
from ..functions import reduction as r
from ..functions import shape as s
from .array import Array, tensor_of
from .manipulation import Axes, axes_of
from .promotion import check_kind, common_type, converted


def _sum_type(dtype: DType) -> DType:
    """Whole numbers add up in the widest type of their sign; others keep theirs."""
    if dtype.category == dtypes.INTEGER:
        return dtypes.int64 if dtype.is_signed else dtypes.uint64
    return dtype


def _total(name: str, function: Callable, x: Array, axis: Axes | None, dtype: DType | None,
           keepdims: bool) -> Array:
    tensor = tensor_of(x, name)
    check_kind(name, tensor.dtype, "numeric")
    kind = dtype or _sum_type(tensor.dtype)
    axes = axes_of(axis, tensor.ndim, name)
    if not axes:
        return Array(e.clone(converted(tensor, kind)))
    return Array(function(tensor, axes, keepdims, dtype=kind))


def sum(x: Array, /, *, axis: Axes | None = None, dtype: DType | None = None,
        keepdims: bool = False) -> Array:
    """The sum along axes (all, unless told otherwise).

    Args:
        dtype: element type to add in; None keeps it, whole numbers add up in 64 bits.
        keepdims: keep the axes with size 1.
    """
    return _total("sum", r.sum, x, axis, dtype, keepdims)


def prod(x: Array, /, *, axis: Axes | None = None, dtype: DType | None = None,
         keepdims: bool = False) -> Array:
    """The product along axes; arguments as for `sum`."""
    return _total("prod", r.prod, x, axis, dtype, keepdims)


def mean(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The average along axes."""
    tensor = tensor_of(x, "mean")
    check_kind("mean", tensor.dtype, "floating")
    axes = axes_of(axis, tensor.ndim, "mean")
    return Array(r.mean(tensor, axes, keepdims) if axes else e.clone(tensor))


def var(x: Array, /, *, axis: Axes | None = None, correction: float = 0.0,
        keepdims: bool = False) -> Array:
    """The variance along axes: sum of (x - mean)^2 over (count - correction)."""
    tensor = tensor_of(x, "var")
    check_kind("var", tensor.dtype, "real floating")
    axes = axes_of(axis, tensor.ndim, "var")
    if not axes:
        centered = tensor - tensor
        count = 1
    else:
        centered = tensor - r.mean(tensor, axes, True)
        count = math.prod(tensor.shape[k] for k in axes)
    squares = e.mul(centered, centered)
    total = r.sum(squares, axes, keepdims) if axes else squares
    return Array(e.div(total, float(max_number(count - correction, 0))))


def max_number(a: float, b: float) -> float:
    """The larger of two Python numbers (`max` is the array's here)."""
    return a if a > b else b


def std(x: Array, /, *, axis: Axes | None = None, correction: float = 0.0,
        keepdims: bool = False) -> Array:
    """The standard deviation along axes: the root of the variance."""
    return Array(e.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims).tensor))


def _extreme(name: str, function: Callable, x: Array, axis: Axes | None, keepdims: bool) -> Array:
    tensor = tensor_of(x, name)
    check_kind(name, tensor.dtype, "real numeric")
    axes = axes_of(axis, tensor.ndim, name)
    if any_true(tensor.shape[k] == 0 for k in axes):
        raise ArgumentError(f"{name}: no elements have no extreme",
                            fix="if x.size: ...")
    return Array(function(tensor, axes, keepdims) if axes else e.clone(tensor))


def any_true(truths: Any) -> bool:
    """Whether one of some Python truth values holds (`any` is the array's here)."""
    return True in list(truths)


def max(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The largest element along axes."""
    return _extreme("max", r.amax, x, axis, keepdims)


def min(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The smallest element along axes."""
    return _extreme("min", r.amin, x, axis, keepdims)


def _truths(tensor: Any) -> Any:
    return tensor if tensor.dtype is dtypes.bool_ else e.ne(tensor, 0)


def all(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """Whether every element along axes is not zero."""
    tensor = _truths(tensor_of(x, "all"))
    axes = axes_of(axis, tensor.ndim, "all")
    return Array(r.all(tensor, axes, keepdims) if axes else e.clone(tensor))


def any(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """Whether some element along axes is not zero."""
    tensor = _truths(tensor_of(x, "any"))
    axes = axes_of(axis, tensor.ndim, "any")
    return Array(r.any(tensor, axes, keepdims) if axes else e.clone(tensor))


def count_nonzero(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """How many elements along axes are not zero."""
    tensor = _truths(tensor_of(x, "count_nonzero")).to(dtypes.int64)
    axes = axes_of(axis, tensor.ndim, "count_nonzero")
    return Array(r.sum(tensor, axes, keepdims) if axes else tensor)


# --- running --------------------------------------------------------------------------------------


def _running(name: str, function: Callable, start: int, x: Array, axis: int | None,
             dtype: DType | None, include_initial: bool) -> Array:
    tensor = tensor_of(x, name)
    check_kind(name, tensor.dtype, "numeric")
    if axis is None:
        if tensor.ndim != 1:
            raise ArgumentError(f"{name}: axis must be given for an array of {tensor.ndim} axes",
                                fix="axis=-1")
        axis = 0
    (axis,) = axes_of(axis, tensor.ndim, name)
    kind = dtype or _sum_type(tensor.dtype)
    made = function(converted(tensor, kind), axis, dtype=kind)
    if include_initial:
        shape = tuple(1 if k == axis else n for k, n in enumerate(tensor.shape))
        made = s.cat([made.new_full(shape, start), made], axis)
    return Array(made)


def cumulative_sum(x: Array, /, *, axis: int | None = None, dtype: DType | None = None,
                   include_initial: bool = False) -> Array:
    """The running sum along an axis.

    Args:
        axis: may be left out for one-dimensional arrays.
        dtype: element type to add in.
        include_initial: begin with a 0.
    """
    return _running("cumulative_sum", r.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x: Array, /, *, axis: int | None = None, dtype: DType | None = None,
                    include_initial: bool = False) -> Array:
    """The running product along an axis; with include_initial it begins with a 1."""
    return _running("cumulative_prod", r.cumprod, 1, x, axis, dtype, include_initial)


def diff(x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None,
         append: Array | None = None) -> Array:
    """The differences of neighbours along an axis, taken n times.

    Args:
        prepend, append: what is put before and after the axis first.
    """
    tensor = tensor_of(x, "diff")
    check_kind("diff", tensor.dtype, "numeric")
    (axis,) = axes_of(axis, tensor.ndim, "diff")
    if n < 0:
        raise ArgumentError(f"diff: n is {n}", fix="n=1")
    joined = [tensor_of(part, "diff") for part in (prepend, x, append) if part is not None]
    if len(joined) > 1:
        dtype = joined[0].dtype
        for part in joined[1:]:
            dtype = common_type(dtype, part.dtype)
        tensor = s.cat([converted(part, dtype) for part in joined], axis)
    for _ in range(n):
        length = tensor.shape[axis]
        if not length:
            break
        later = tensor.narrow(axis, 1, length - 1)
        tensor = later - tensor.narrow(axis, 0, length - 1)
    return Array(tensor)
