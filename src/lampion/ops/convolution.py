"""Convolution and its two gradients.

The three convolution ops are each other's gradients, so any order of derivative is there.
Layout: images (N, C, *spatial), weights (O, C / groups, *kernel), settings one number an axis.
"""

from __future__ import annotations

import itertools
import math

from ..ir import Type, Value
from .define import opaque
from .movement import slice_


def output_size(size, kernel, stride, padding, dilation) -> tuple[int, ...]:
    """Lengths of the result's spatial axes."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def _pad(xp, x, padding, value=0):
    if not any(padding):
        return x
    widths = ((0, 0), (0, 0)) + tuple((p, p) for p in padding)
    return xp.pad(x, widths, constant_values=value)


def places(kernel, stride, dilation, out):
    """Yield, for each kernel position, the slices of the padded image that it meets."""
    for offset in itertools.product(*map(range, kernel)):
        yield offset, (slice(None), slice(None)) + tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, s, n in zip(offset, dilation, stride, out, strict=True))


def _columns(xp, x, kernel, stride, padding, dilation, out):
    """Every window as one column: (C * kernel, N * positions)."""
    padded = xp.swapaxes(_pad(xp, x, padding), 0, 1)
    n, c = x.shape[:2]
    columns = xp.empty((c,) + kernel + (n,) + out, x.dtype)
    for offset, place in places(kernel, stride, dilation, out):
        columns[(slice(None),) + offset] = padded[place]
    return columns.reshape(c * math.prod(kernel), n * math.prod(out))


def _rows(xp, g):
    """(N, O, *spatial) -> (O, N * positions)."""
    return xp.swapaxes(g, 0, 1).reshape(g.shape[1], -1)


def _convolution(xp, x, weight, stride, padding, dilation, groups):
    kernel = weight.shape[2:]
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    pieces = []
    for xs, ws in zip(xp.split(x, groups, 1), xp.split(weight, groups, 0), strict=True):
        columns = _columns(xp, xs, kernel, stride, padding, dilation, out)
        rows = ws.reshape(ws.shape[0], -1) @ columns
        pieces.append(xp.swapaxes(rows.reshape((ws.shape[0], x.shape[0]) + out), 0, 1))
    return xp.concatenate(pieces, 1)


def _convolution_input(xp, g, weight, size, stride, padding, dilation, groups):
    kernel, out, n = weight.shape[2:], g.shape[2:], g.shape[0]
    padded = tuple(s + 2 * p for s, p in zip(size, padding, strict=True))
    channels = weight.shape[1]
    total = xp.zeros((n, channels * groups) + padded, g.dtype)
    pairs = zip(xp.split(g, groups, 1), xp.split(weight, groups, 0), strict=True)
    for index, (gs, ws) in enumerate(pairs):
        columns = ws.reshape(ws.shape[0], -1).T @ _rows(xp, gs)
        columns = columns.reshape((channels,) + kernel + (n,) + out)
        part = xp.swapaxes(total[:, index * channels:(index + 1) * channels], 0, 1)
        for offset, place in places(kernel, stride, dilation, out):
            part[place] += columns[(slice(None),) + offset]
    inner = tuple(slice(p, p + s) for p, s in zip(padding, size, strict=True))
    return total[(slice(None), slice(None)) + inner]


def _convolution_weight(xp, x, g, kernel, stride, padding, dilation, groups):
    pieces = []
    for xs, gs in zip(xp.split(x, groups, 1), xp.split(g, groups, 1), strict=True):
        columns = _columns(xp, xs, kernel, stride, padding, dilation, g.shape[2:])
        flat = _rows(xp, gs) @ columns.T
        pieces.append(flat.reshape((gs.shape[1], xs.shape[1]) + kernel))
    return xp.concatenate(pieces, 0)


def _convolution_result(x: Value, weight: Value, stride, padding, dilation, groups) -> Type:
    out = output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return Type((x.shape[0], weight.shape[0]) + out, x.dtype)


def _first(x: Value, shape: tuple[int, ...]) -> Value:
    """The part of x that begins at its corner."""
    if x.shape == shape:
        return x
    zeros, ones = (0,) * len(shape), (1,) * len(shape)
    return slice_(x, start=zeros, stop=shape, step=ones)


_plain = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 1}
_grouped = {"stride": (1,), "padding": (1,), "dilation": (1,), "groups": 2}

convolution = opaque(
    "convolution", "Each output: the sum over a window of input times weight (cross-correlation).",
    meaning=_convolution, result=_convolution_result, kernel="convolution",
    grad=lambda g, y, x, weight, **s: (
        convolution_input(g, weight, size=x.shape[2:], **s),
        convolution_weight(x, g, kernel=weight.shape[2:], **s)),
    samples=((((2, 3, 5, 6), (4, 3, 3, 2)), _plain), (((2, 4, 5), (6, 2, 3)), _grouped)))

convolution_input = opaque(
    "convolution_input", "Gradient of a convolution for its input = transposed convolution.",
    meaning=_convolution_input, kernel="convolution_input",
    result=lambda g, weight, size, stride, padding, dilation, groups: Type(
        (g.shape[0], weight.shape[1] * groups) + tuple(size), g.dtype),
    # A size with room for another window (an output padding of a stride or more) has positions
    # that g has not.
    grad=lambda gg, y, g, weight, size, **s: (
        _first(convolution(gg, weight, **s), g.shape),
        convolution_weight(gg, g, kernel=weight.shape[2:], **s)),
    samples=((((2, 4, 3, 4), (4, 3, 3, 2)), {"size": (5, 6), **_plain}),
             (((2, 6, 5), (6, 2, 3)), {"size": (5,), **_grouped}),
             (((2, 4, 2, 3), (4, 3, 2, 2)), {"size": (6, 7), **_plain})))

convolution_weight = opaque(
    "convolution_weight", "Gradient of a convolution for its weight.",
    meaning=_convolution_weight, kernel="convolution_weight",
    result=lambda x, g, kernel, stride, padding, dilation, groups: Type(
        (g.shape[1], x.shape[1] // groups) + tuple(kernel), x.dtype),
    grad=lambda gg, y, x, g, kernel, **s: (
        convolution_input(g, gg, size=x.shape[2:], **s),
        _first(convolution(x, gg, **s), g.shape)),
    samples=((((2, 3, 5, 6), (2, 4, 3, 4)), {"kernel": (3, 2), **_plain}),
             (((2, 4, 5), (2, 6, 5)), {"kernel": (3,), **_grouped})))
