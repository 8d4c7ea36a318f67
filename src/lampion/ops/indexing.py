"""Reading and writing at positions given by integer tensors.

`take`/`put` work on whole rows of axis 0, `gather`/`scatter` element by element along an axis.
A position outside its axis raises when it is met: at the user's line when the positions are
known there, else when the program runs.
"""

from __future__ import annotations

from ..errors import IndexRangeError, PositionRangeError
from ..ir import Type, Value, full, zero
from .define import opaque


def check_positions(xp, index, length: int, what: str, wrap: bool, location=None):
    """Return the positions as non-negative numbers; raises IndexRangeError outside the axis."""
    if index.size:
        low, high = int(index.min()), int(index.max())
        if high >= length or low < (-length if wrap else 0):
            bad = high if high >= length else low
            kind = IndexRangeError if what == "index" else PositionRangeError
            raise kind(
                f"{what}: index {bad} is out of bounds for dimension with size {length}",
                why=f"positions on this axis run from {-length if wrap else 0} to {length - 1}",
                fix="indices inside that range, e.g. index.clamp(0, size - 1), or a larger table",
                location=location)
        if wrap and low < 0:
            return xp.where(index < 0, index + length, index)
    return index


def _zeros(like: Value, dtype) -> Value:
    return full(like.shape, 0, dtype)


checked_index = opaque(
    "checked_index", "Positions on an axis of `size`, negative ones counted from the end.",
    meaning=lambda xp, index, size, wrap=True, location=None: check_positions(
        xp, index, size, "index", wrap, location),
    result=lambda index, size, wrap=True, location=None: index.type,
    grad=zero, kernel="checked_index",
    samples=((((3,),), {"size": 5}),))

# --- rows of axis 0 ------------------------------------------------------------------------

take = opaque(
    "take", "Rows of x at the positions of index; negative positions count from the end.",
    meaning=lambda xp, x, index, location=None: x[
        check_positions(xp, index, x.shape[0], "index", True, location)],
    result=lambda x, index, location=None: Type(index.shape + x.shape[1:], x.dtype),
    grad=lambda g, y, x, index, location=None: (
        put_add(_zeros(x, g.dtype), index, g), None),
    kernel="take", samples=((((5, 2), (3,)), {}), (((4,), (2, 2)), {})))


def _put(xp, x, index, update, location=None):
    out = xp.array(x)
    out[check_positions(xp, index, x.shape[0], "index", True, location)] = update
    return out


put = opaque(
    "put", "x with rows replaced; where a position repeats, the last row stays.",
    meaning=_put, result=lambda x, index, update, location=None: x.type,
    grad=lambda g, y, x, index, update, location=None: (
        put(g, index, _zeros(update, g.dtype)), None, take(g, index)),
    kernel="put", samples=((((5, 2), (3,), (3, 2)), {}),))


def _put_add(xp, x, index, update, location=None):
    out = xp.array(x)
    xp.add.at(out, check_positions(xp, index, x.shape[0], "index", True, location), update)
    return out


put_add = opaque(
    "put_add", "x with rows added to; rows at a repeated position add up.",
    meaning=_put_add, result=lambda x, index, update, location=None: x.type,
    grad=lambda g, y, x, index, update, location=None: (g, None, take(g, index)),
    kernel="put_add", samples=((((5, 2), (3,), (3, 2)), {}), (((4,), (6,), (6,)), {})))

# --- single elements along an axis ---------------------------------------------------------


def _region(xp, x, index, axis):
    """The part of x that index covers on the other axes, and a full index for it."""
    region = x[tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(index.shape))]
    grid = list(xp.indices(index.shape, sparse=True))
    grid[axis] = index
    return region, tuple(grid)


def _gather(xp, x, index, axis, location=None):
    index = check_positions(xp, index, x.shape[axis], "gather", False, location)
    region, grid = _region(xp, x, index, axis)
    return region[grid]


gather = opaque(
    "gather", "y[i, j] = x[i, index[i, j]] for axis 1, and so on.",
    meaning=_gather, result=lambda x, index, axis, location=None: Type(index.shape, x.dtype),
    grad=lambda g, y, x, index, axis, location=None: (
        scatter_add(_zeros(x, g.dtype), index, g, axis=axis), None),
    kernel="gather",
    samples=((((3, 4), (3, 2)), {"axis": 1}), (((3, 4), (2, 3)), {"axis": 0})))


def _scatter(xp, x, index, update, axis, location=None):
    out = xp.array(x)
    index = check_positions(xp, index, x.shape[axis], "scatter", False, location)
    region, grid = _region(xp, out, index, axis)
    region[grid] = update
    return out


scatter = opaque(
    "scatter", "x with y[i, index[i, j]] = update[i, j] for axis 1, and so on.",
    meaning=_scatter, result=lambda x, index, update, axis, location=None: x.type,
    grad=lambda g, y, x, index, update, axis, location=None: (
        scatter(g, index, _zeros(update, g.dtype), axis=axis), None, gather(g, index, axis=axis)),
    kernel="scatter", samples=((((3, 4), (3, 1), (3, 1)), {"axis": 1}),))


def _scatter_add(xp, x, index, update, axis, location=None):
    out = xp.array(x, order="C")
    index = check_positions(xp, index, x.shape[axis], "scatter_add", False, location)
    _, grid = _region(xp, out, index, axis)
    # Along one flat axis, `add.at` is several times as fast.
    flat = xp.ravel_multi_index(grid, out.shape) if index.size else index
    xp.add.at(out.reshape(-1), flat.reshape(-1), update.reshape(-1))
    return out


scatter_add = opaque(
    "scatter_add", "x with y[i, index[i, j]] += update[i, j] for axis 1, and so on.",
    meaning=_scatter_add, result=lambda x, index, update, axis, location=None: x.type,
    grad=lambda g, y, x, index, update, axis, location=None: (
        g, None, gather(g, index, axis=axis)),
    kernel="scatter_add",
    samples=((((3, 4), (3, 2), (3, 2)), {"axis": 1}), (((3, 4), (2, 2), (2, 2)), {"axis": 0})))
