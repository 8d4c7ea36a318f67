"""Rules by which ops grow by a leading axis: elements, movement, running results, positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import dtypes
from ..ir import Value, leaf, registry
from .lanes import Lanes, count, spread


def pointwise(lanes: Lanes, **settings) -> Value:
    """Ops whose operands and result have one shape."""
    return lanes.op(*lanes.all(), **settings)


def along_axes(lanes: Lanes, axes, **settings) -> Value:
    """Ops along several axes."""
    return lanes.op(*lanes.all(), axes=tuple(k + 1 for k in axes), **settings)


def along_axis(lanes: Lanes, axis, **settings) -> Value:
    """Ops along one axis."""
    return lanes.op(*lanes.all(), axis=axis + 1, **settings)


def _shaped(lanes: Lanes, shape) -> Value:
    return lanes.op(*lanes.all(), shape=(lanes.size, *shape))


def _permute(lanes: Lanes, order) -> Value:
    return lanes.op(*lanes.all(), order=(0, *(k + 1 for k in order)))


def _slice(lanes: Lanes, start, stop, step) -> Value:
    return lanes.op(*lanes.all(), start=(0, *start), stop=(lanes.size, *stop), step=(1, *step))


def _pad(lanes: Lanes, low, high) -> Value:
    return lanes.op(*lanes.all(), low=(0, *low), high=(0, *high))


# --- positions -----------------------------------------------------------------------------------


def _rows(lanes: Lanes, index: Value, length: int, location) -> Value:
    """Positions in the rows of all elements, one element's after the other's."""
    checked = registry["checked_index"](index, size=length, wrap=True, location=location)
    firsts = np.arange(lanes.size, dtype=np.int64) * length
    firsts = firsts.reshape((lanes.size, *(1 for _ in index.shape[1:])))
    offset = registry["expand"](leaf(firsts, dtypes.int64), shape=index.shape)
    if index.dtype is not dtypes.int64:
        checked = registry["cast"](checked, dtype=dtypes.int64)
    return checked + offset


def _joined(x: Value) -> Value:
    return registry["reshape"](x, shape=(x.shape[0] * x.shape[1], *x.shape[2:]))


def _take(lanes: Lanes, location=None) -> Value:
    x, index = lanes.inputs
    if not lanes.mapped[0]:
        return registry["take"](x, index, location=location)
    if not lanes.mapped[1]:
        # (B, n, ...) -> (n, B, ...) -> (*index, B, ...) -> (B, *index, ...)
        turned = registry["permute"](x, order=(1, 0, *range(2, x.ndim)))
        found = registry["take"](turned, index, location=location)
        at = index.ndim
        return registry["permute"](
            found, order=(at, *range(at), *range(at + 1, found.ndim)))
    return registry["take"](_joined(x), _rows(lanes, index, x.shape[1], location),
                            location=location)


def _put(lanes: Lanes, location=None) -> Value:
    x, index, update = lanes.all()
    found = lanes.op(_joined(x), _rows(lanes, index, x.shape[1], location), update,
                     location=location)
    return registry["reshape"](found, shape=x.shape)


# --- random numbers ------------------------------------------------------------------------------


def _drawn(lanes: Lanes, shape, **settings) -> Value:
    """Draws of elements whose keys follow each other: one draw of all their blocks.

    A key that differs between elements is only made by a map with randomness "different", which
    gives each element the blocks after those of the one before.
    """
    key, *others = lanes.inputs
    if any(lanes.mapped[1:]):
        parts = []
        for lane in range(lanes.size):
            picked = [_lane(v, lane) if mapped else v
                      for v, mapped in zip(lanes.inputs, lanes.mapped, strict=True)]
            part = lanes.op(*picked, shape=shape, **settings)
            parts.append(registry["reshape"](part, shape=(1, *shape)))
        return registry["concat"](*parts, axis=0)
    blocks = -(-count(shape) // 4)
    first = registry["reshape"](
        registry["slice"](key, start=(0, 0), stop=(1, 2), step=(1, 1)), shape=(2,))
    drawn = lanes.op(first, *others, shape=(lanes.size, 4 * blocks), **settings)
    used = registry["slice"](drawn, start=(0, 0), stop=(lanes.size, count(shape)), step=(1, 1))
    return registry["reshape"](used, shape=(lanes.size, *shape))


def _lane(value: Value, lane: int) -> Value:
    row = registry["slice"](value, start=(lane, *(0 for _ in value.shape[1:])),
                            stop=(lane + 1, *value.shape[1:]), step=(1,) * value.ndim)
    return registry["reshape"](row, shape=value.shape[1:])


POINTWISE = (
    "i0", "i0e", "i1", "i1e", "k0", "k1", "k0e", "k1e", "j0", "j1", "y0", "y1", "erfc", "erfcx",
    "ndtri", "lgamma", "digamma", "zeta", "polygamma", "igamma", "igammac", "signbit", "mantissa",
    "exponent", "nextafter", "gcd", "polynomial", "checked_index", "gamma_slope",
    "dirichlet_slope", "complex", "real", "imag", "conj", "magnitude",
)
ALONG_AN_AXIS = (
    "concat", "windows", "windows_add", "cumsum", "cumprod", "log_cumulative", "argmax", "argmin",
    "argsort", "topk_index", "cummax_index", "gather", "scatter", "scatter_add", "scatter_reduce",
)
RULES: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(POINTWISE, pointwise),
    **dict.fromkeys(ALONG_AN_AXIS, along_axis),
    "reshape": _shaped, "expand": _shaped, "permute": _permute, "flip": along_axes,
    "slice": _slice, "slice_put": _slice, "pad": _pad, "take": _take, "put": _put,
    "put_add": _put, "random_bits": _drawn, "random_uniform": _drawn, "random_below": _drawn,
}

__all__ = ["RULES", "along_axes", "along_axis", "pointwise", "spread"]
