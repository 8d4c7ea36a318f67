"""The standard's functions that search, sort, take by position, and compare sets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..errors import ArgumentError, ArgumentTypeError
from ..functions import creation as make
from ..functions import elementwise as e
from ..functions import indexing as i
from ..functions import reduction as r
from .array import Array, tensor_of
from .manipulation import axes_of, broadcast_shapes
from .promotion import check_kind, pair, scalar


def _position(name: str, function: Any, x: Array, axis: int | None, keepdims: bool) -> Array:
    tensor = tensor_of(x, name)
    check_kind(name, tensor.dtype, "real numeric")
    if not tensor.numel() and (axis is None or not tensor.shape[axis]):
        raise ArgumentError(f"{name}: no elements have no extreme", fix="if x.size: ...")
    if axis is not None:
        (axis,) = axes_of(axis, tensor.ndim, name)
    return Array(function(tensor, axis, keepdims))


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The position of the first largest element, along an axis or in the flattened array."""
    return _position("argmax", r.argmax, x, axis, keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The position of the first smallest element, along an axis or in the flattened array."""
    return _position("argmin", r.argmin, x, axis, keepdims)


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """The positions of elements that are not zero, an array for each axis."""
    tensor = tensor_of(x, "nonzero")
    if not tensor.ndim:
        raise ArgumentError("nonzero: a 0-d array has no positions", fix="xp.reshape(x, (1,))")
    found = i.nonzero(tensor)
    return tuple(Array(found[:, k]) for k in range(tensor.ndim))


def searchsorted(x1: Array, x2: Any, /, *, side: str = "left",
                 sorter: Array | None = None) -> Array:
    """Where to insert x2 into the sorted x1 so that it stays sorted.

    Args:
        x1: one-dimensional, in rising order (or with a sorter).
        side: "left" before equal elements, "right" after them.
        sorter: positions that bring x1 into rising order.
    """
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side is {side!r}", fix='side="left" or "right"')
    line = tensor_of(x1, "searchsorted")
    if not isinstance(x2, Array):
        x2 = Array(scalar(x2, line.dtype))
    a, b = pair("searchsorted", x1, x2, "real numeric")
    if line.ndim != 1:
        raise ArgumentError(f"searchsorted: x1 has {line.ndim} axes", fix="one axis")
    order = None if sorter is None else tensor_of(sorter, "searchsorted").numpy()
    found = np.searchsorted(a._read(), b._read(), side=side, sorter=order)  # type: ignore[call-overload]
    return Array(make.tensor(np.asarray(found, np.int64)))


# --- sorting -------------------------------------------------------------------------------------


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False,
            stable: bool = True) -> Array:
    """The positions that sort an axis; equal elements keep their order."""
    tensor = tensor_of(x, "argsort")
    check_kind("argsort", tensor.dtype, "real numeric")
    (axis,) = axes_of(axis, tensor.ndim, "argsort")
    return Array(r.argsort(tensor, axis, descending, stable=True))


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The elements of an axis in rising (or falling) order."""
    tensor = tensor_of(x, "sort")
    check_kind("sort", tensor.dtype, "real numeric")
    (axis,) = axes_of(axis, tensor.ndim, "sort")
    return Array(r.sort(tensor, axis, descending, stable=True).values)


# --- by position ---------------------------------------------------------------------------------


def _positions(name: str, indices: Any) -> Any:
    found = tensor_of(indices, name)
    if found.dtype.category != dtypes.INTEGER:
        raise ArgumentTypeError(f"{name}: indices are {found.dtype.name}", fix="whole numbers")
    return found.to(dtypes.int64)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The elements at these positions of an axis; negative ones count from the end.

    Args:
        axis: may be left out for one-dimensional arrays.
    """
    tensor, found = tensor_of(x, "take"), _positions("take", indices)
    if axis is None:
        if tensor.ndim != 1:
            raise ArgumentError(f"take: axis must be given for an array of {tensor.ndim} axes",
                                fix="axis=0")
        axis = 0
    (axis,) = axes_of(axis, tensor.ndim, "take")
    key: tuple = (slice(None),) * axis + (found,)
    return Array(tensor[key])


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """y[i, j] = x[i, indices[i, j]] for the last axis, and so on; other axes are broadcast."""
    tensor, found = tensor_of(x, "take_along_axis"), _positions("take_along_axis", indices)
    if tensor.ndim != found.ndim:
        raise ArgumentError(f"take_along_axis: {found.ndim} axes of indices for an array of "
                            f"{tensor.ndim}", fix="as many")
    (axis,) = axes_of(axis, tensor.ndim, "take_along_axis")
    beside = [tuple(1 if k == axis else n for k, n in enumerate(t.shape)) for t in (tensor, found)]
    shared = broadcast_shapes(*beside)
    wide = [t.broadcast_to(tuple(t.shape[axis] if k == axis else n for k, n in enumerate(shared)))
            for t in (tensor, found)]
    length = tensor.shape[axis]
    return Array(wide[0].gather(axis, e.where(e.lt(wide[1], 0), wide[1] + length, wide[1])))


# --- sets ----------------------------------------------------------------------------------------


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Array
    inverse_indices: Array


def unique_all(x: Array, /) -> UniqueAll:
    """The different elements, rising; where each first stands; which one each is; how many.

    Every NaN differs from all others.
    """
    tensor = tensor_of(x, "unique_all")
    values, first, inverse, counts = np.unique(
        tensor._read(), return_index=True, return_inverse=True, return_counts=True,
        equal_nan=False)
    made = [Array(make.tensor(np.asarray(part, np.int64))) for part in (
        first, np.reshape(inverse, tuple(tensor.shape)), counts)]
    return UniqueAll(Array(make.tensor(values, dtype=tensor.dtype)), *made)


def unique_counts(x: Array, /) -> UniqueCounts:
    """The different elements, and how often each occurs."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Array, /) -> UniqueInverse:
    """The different elements, and which one each element is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Array, /) -> Array:
    """The different elements."""
    return unique_all(x).values


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Array:
    """Whether each element of x1 is one of x2.

    Args:
        invert: whether it is none of them.
    """
    a, b = pair("isin", x1, x2, "any")
    found = np.isin(a._read(), b._read(), invert=invert)
    return Array(make.tensor(np.asarray(found)))
