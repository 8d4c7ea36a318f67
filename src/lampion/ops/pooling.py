"""Windows of images brought down to one number: the maximum, its position, the sum.

Settings have one number for each spatial axis; `out` is the number of windows along each.
"""

from __future__ import annotations

import math

from ..dtypes import int64
from ..ir import Type, Value, zero
from .convolution import places
from .define import opaque
from .indexing import gather
from .movement import reshape


def _reach(kernel, stride, dilation, out):
    """How far the windows of an axis go, from the start of the first one."""
    return tuple((n - 1) * s + d * (k - 1) + 1
                 for n, s, d, k in zip(out, stride, dilation, kernel, strict=True))


def _widths(size, reach, padding):
    # Windows may reach past the end when the output size was rounded up.
    return tuple((p, max(0, r - p - n)) for p, r, n in zip(padding, reach, size, strict=True))


def _pool_argmax(xp, x, kernel, stride, padding, dilation, out):
    lowest = -xp.inf if x.dtype.kind == "f" else xp.iinfo(x.dtype).min
    size = x.shape[2:]
    widths = _widths(size, _reach(kernel, stride, dilation, out), padding)
    padded = xp.pad(x, ((0, 0), (0, 0), *widths), constant_values=lowest)
    inside = xp.pad(xp.ones(size, bool), widths)
    numbers = xp.pad(xp.arange(math.prod(size)).reshape(size), widths)
    best = index = None
    for _, place in places(kernel, stride, dilation, out):
        candidate, position, valid = padded[place], numbers[place[2:]], inside[place[2:]]
        if best is None:
            best = xp.where(valid, candidate, lowest)
            # A window starts at its first place inside the image.
            index = xp.broadcast_to(xp.where(valid, position, -1), best.shape)
            continue
        better = valid & ((candidate > best) | (candidate != candidate) | (index < 0))
        best, index = xp.where(better, candidate, best), xp.where(better, position, index)
    return index.astype(xp.int64)


def _planes(xp, x):
    return x.reshape(x.shape[:2] + (math.prod(x.shape[2:]),))


def _max_pool(xp, x, **settings):
    index = _pool_argmax(xp, x, **settings)
    lowest = -xp.inf if x.dtype.kind == "f" else xp.iinfo(x.dtype).min
    found = xp.take_along_axis(_planes(xp, x), _planes(xp, index), 2).reshape(index.shape)
    # Far apart, the taps of a window may all lie outside.
    return xp.where(index < 0, xp.asarray(lowest, x.dtype), found)


def _max_pool_input(xp, g, x, **settings):
    index = _planes(xp, _pool_argmax(xp, x, **settings))
    planes = xp.zeros(x.shape, g.dtype).reshape(-1)
    area = max(1, math.prod(x.shape[2:]))
    first = xp.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2] + (1,)) * area
    inside = index >= 0
    xp.add.at(planes, (index + first)[inside], _planes(xp, g)[inside])
    return planes.reshape(x.shape)


def _at_maxima(values: Value, x: Value, **settings) -> Value:
    """The elements of `values` where x has its windows' maxima."""
    index = pool_argmax(x, **settings)
    flat, flat_index = (reshape(v, shape=v.shape[:2] + (math.prod(v.shape[2:]),))
                        for v in (values, index))
    return reshape(gather(flat, flat_index, axis=2), shape=index.shape)


_samples = ((((2, 3, 4, 5),), {"kernel": (2, 2), "stride": (2, 1), "padding": (0, 1),
                               "dilation": (1, 1), "out": (2, 6)}),)

pool_argmax = opaque(
    "pool_argmax", "Position, in the flattened image plane, of the first maximum of each window.",
    meaning=_pool_argmax, kernel="pool_argmax", grad=zero,
    result=lambda x, kernel, stride, padding, dilation, out: Type(x.shape[:2] + out, int64),
    samples=_samples)

max_pool = opaque(
    "max_pool", "The first maximum of each window.",
    meaning=_max_pool, kernel="max_pool",
    result=lambda x, kernel, stride, padding, dilation, out: Type(x.shape[:2] + out, x.dtype),
    grad=lambda g, y, x, **s: (max_pool_input(g, x, **s),),
    samples=_samples)

max_pool_input = opaque(
    "max_pool_input", "Gradient of max_pool for its input: each window's goes to its maximum.",
    meaning=_max_pool_input, kernel="max_pool_input",
    result=lambda g, x, kernel, stride, padding, dilation, out: Type(x.shape, g.dtype),
    grad=lambda gg, y, g, x, **s: (_at_maxima(gg, x, **s), None),
    samples=((((2, 3, 2, 6), *_samples[0][0]), _samples[0][1]),))


def _pool_sum(xp, x, kernel, stride, padding, out):
    widths = _widths(x.shape[2:], _reach(kernel, stride, (1,) * len(out), out), padding)
    padded = xp.pad(x, ((0, 0), (0, 0), *widths))
    total = xp.zeros(x.shape[:2] + tuple(out), x.dtype)
    for _, place in places(kernel, stride, (1,) * len(out), out):
        total = total + padded[place]
    return total


def _pool_spread(xp, g, size, kernel, stride, padding):
    out = g.shape[2:]
    widths = _widths(size, _reach(kernel, stride, (1,) * len(out), out), padding)
    padded = xp.zeros(
        g.shape[:2] + tuple(n + sum(w) for n, w in zip(size, widths, strict=True)), g.dtype)
    for _, place in places(kernel, stride, (1,) * len(out), out):
        padded[place] += g
    inner = tuple(slice(p, p + n) for p, n in zip(padding, size, strict=True))
    return padded[(slice(None), slice(None)) + inner]


_sums = {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 0)}

pool_sum = opaque(
    "pool_sum", "The sum of each window; zeros lie around the image.",
    meaning=_pool_sum, kernel="pool_sum",
    result=lambda x, kernel, stride, padding, out: Type(x.shape[:2] + tuple(out), x.dtype),
    grad=lambda g, y, x, kernel, stride, padding, out: (pool_spread(
        g, size=x.shape[2:], kernel=kernel, stride=stride, padding=padding),),
    samples=((((2, 3, 4, 5),), {**_sums, "out": (3, 4)}),))

pool_spread = opaque(
    "pool_spread", "Add each window's number to all its places: the transpose of pool_sum.",
    meaning=_pool_spread, kernel="pool_spread",
    result=lambda g, size, kernel, stride, padding: Type(g.shape[:2] + tuple(size), g.dtype),
    grad=lambda gg, y, g, size, kernel, stride, padding: (pool_sum(
        gg, kernel=kernel, stride=stride, padding=padding, out=g.shape[2:]),),
    samples=((((2, 3, 3, 4),), {"size": (4, 5), **_sums}),))
