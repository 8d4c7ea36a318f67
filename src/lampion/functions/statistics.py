"""Statistics of tensors, and of the gradients that flow through them, taken in the step itself.

A gradient is looked at by what `observed` puts behind a tensor: an identity whose gradient rule
hands the gradient on unchanged, and gives a second input, the *carrier*, the statistics of the
tensor and of its gradient. So `carrier.grad` is an ordinary gradient of an ordinary leaf: a
backward pass makes it like any other, and a recorded one makes it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import base, dtypes, ops
from ..base import TensorBase, require_tensor, wrap
from ..ir import Op, Value, mode, registry
from ..replay.recorded import recorded

NUMBERS = ops.statistics.NUMBERS


def _numbers(value: Value, low: float | None = None, high: float | None = None) -> Value:
    """Return the statistics of a value, apart from every gradient path."""
    before, mode.grad = mode.grad, False
    try:
        if value.dtype not in (dtypes.float32, dtypes.float64):
            half = value.dtype in (dtypes.float16, dtypes.bfloat16)
            value = registry["cast"](value, dtype=dtypes.float32 if half else dtypes.float64)
        return ops.statistics.statistics(value, low=low, high=high)
    finally:
        mode.grad = before


def statistics(input: TensorBase, low: float | None = None, high: float | None = None) -> Any:
    """The statistics of all elements: one small tensor.

    The numbers are, in this order (`NUMBERS`): how many elements are not finite, are zero, are
    finite and saturated (at most `low`, or at least `high`); the sum and the sum of squares of the
    finite elements; the smallest and the largest of them, inf and -inf where there are none.

    Shape: (*) -> (7), float64.

    Args:
        input: a tensor of any type; gradients never flow through its statistics.
        low, high: elements beyond these are saturated; None for no such limit.

    Example:
        >>> import lampion as torch
        >>> from lampion.functions.statistics import statistics
        >>> statistics(torch.tensor([0.0, 1.0, 3.0, torch.inf]), high=2.0).tolist()
        [1.0, 1.0, 1.0, 4.0, 10.0, 0.0, 3.0]
    """
    return wrap(_numbers(require_tensor(input, "statistics")._value, low, high), label="statistics")


def _observe_gradient(g: Value, y: Value, x: Value, found: Value, carrier: Value) -> tuple:
    before, mode.grad = mode.grad, False
    try:
        return g, None, registry["concat"](found, _numbers(g), axis=0)
    finally:
        mode.grad = before


# It never reaches an engine: the first pass puts x in its place.
OBSERVE = Op("observe", "opaque",
             "x; the gradient of the carrier is the statistics of x and of x's gradient.",
             meaning=lambda xp, x, found, carrier: x, result=lambda x, found, carrier: x.type,
             grad=_observe_gradient)


def observed(input: TensorBase, carrier: TensorBase, low: float | None = None,
             high: float | None = None) -> Any:
    """The same tensor, looked at by a carrier on the way back.

    Args:
        input: a floating tensor that gradients flow through.
        carrier: a leaf of shape (14), float64, whose `.grad` becomes the statistics of `input` and
            those of the gradient that flows back to the result.
        low, high: as for `statistics`.
    """
    value = input._value
    behind = OBSERVE(value, _numbers(value, low, high), carrier._value)
    return wrap(behind, input._strides, label=value.label)


def collected(tensors: Sequence[TensorBase]) -> Any:
    """The statistics of several tensors as the rows of one.

    Args:
        tensors: results of `statistics` or `statistics_of`, or gradients of carriers.

    Shape: n x (k * 7) -> (sum of k, 7).
    """
    before, mode.grad = mode.grad, False
    try:
        return wrap(_rows([t._value for t in tensors]), label="collected")
    finally:
        mode.grad = before


def _rows(values: list[Value]) -> Value:
    width = len(NUMBERS)
    rows = [registry["reshape"](v, shape=(math.prod(v.shape) // width, width)) for v in values]
    return registry["concat"](*rows, axis=0)


def statistics_of(tensors: Sequence[TensorBase], others: Sequence[TensorBase] = ()) -> Any:
    """The statistics of each of several tensors, or of its difference from another.

    Args:
        tensors: the tensors; one at least.
        others: nothing, or what is subtracted from each.

    Shape: n x (*) -> (n, 7).
    """
    before, mode.grad = mode.grad, False
    try:
        values = [t._value for t in tensors]
        if others:
            values = [v - o._value for v, o in zip(values, others, strict=True)]
        return wrap(_rows([_numbers(value) for value in values]), label="statistics")
    finally:
        mode.grad = before


def copies(tensors: Sequence[TensorBase]) -> Any:
    """What tensors hold now, apart from every gradient path."""
    return [wrap(base.stop(t._value), t._strides) for t in tensors]


statistics, observed = recorded(statistics), recorded(observed)
collected, statistics_of, copies = (
    recorded(collected), recorded(statistics_of), recorded(copies))
