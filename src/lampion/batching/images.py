"""Rules for convolutions and pools: elements join the images, the channels, or the groups."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Value
from .lanes import Lanes, fold, unfold


def _joined_images(lanes: Lanes, **settings) -> Value:
    """Ops that treat each image by itself: elements are more images."""
    found = lanes.op(*(fold(v, 0) for v in lanes.all()), **settings)
    return unfold(found, lanes.size, 0)


def _convolution(lanes: Lanes, groups, **settings) -> Value:
    x, weight = lanes.inputs
    if not lanes.mapped[1]:
        return unfold(lanes.op(fold(x, 0), weight, groups=groups, **settings), lanes.size, 0)
    if not lanes.mapped[0] and groups == 1:  # more output channels
        return unfold(lanes.op(x, fold(weight, 0), groups=1, **settings), lanes.size, 1)
    x, weight = lanes.all()
    found = lanes.op(fold(x, 1), fold(weight, 0), groups=groups * lanes.size, **settings)
    return unfold(found, lanes.size, 1)


def _convolution_input(lanes: Lanes, groups, **settings) -> Value:
    g, weight = lanes.inputs
    if not lanes.mapped[1]:
        return unfold(lanes.op(fold(g, 0), weight, groups=groups, **settings), lanes.size, 0)
    g, weight = lanes.all()
    found = lanes.op(fold(g, 1), fold(weight, 0), groups=groups * lanes.size, **settings)
    return unfold(found, lanes.size, 1)


def _convolution_weight(lanes: Lanes, groups, **settings) -> Value:
    x, g = lanes.all()
    found = lanes.op(fold(x, 1), fold(g, 1), groups=groups * lanes.size, **settings)
    return unfold(found, lanes.size, 0)


RULES: dict[str, Callable[..., Value]] = {
    "convolution": _convolution, "convolution_input": _convolution_input,
    "convolution_weight": _convolution_weight,
    **dict.fromkeys(("pool_argmax", "max_pool", "max_pool_input", "pool_sum", "pool_spread"),
                    _joined_images),
}
