"""Statistics of tensors, and of the gradients that flow through them, taken in the step itself.

A gradient is looked at by what `observed` puts behind a tensor: an identity of two inputs, the
tensor and a *carrier*, whose gradient rule gives the tensor its gradient unchanged and the carrier
the statistics of it. So `carrier.grad` is an ordinary gradient of an ordinary leaf: a backward
pass makes it like any other, and a recorded one makes it again.
"""

from __future__ import annotations

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


def _observe_gradient(g: Value, y: Value, x: Value, carrier: Value) -> tuple[Value, Value]:
    return g, _numbers(g)


# It never reaches an engine: the first pass puts x in its place.
OBSERVE = Op("observe", "opaque", "x; the gradient of the carrier is the statistics of x's.",
             meaning=lambda xp, x, carrier: x, result=lambda x, carrier: x.type,
             grad=_observe_gradient)


def observed(input: TensorBase, carrier: TensorBase, low: float | None = None,
             high: float | None = None) -> Any:
    """The tensor to go on with, and its statistics.

    Args:
        input: a floating tensor.
        carrier: a leaf of shape (7), float64, whose `.grad` becomes the statistics of the gradient
            that flows back to the result.
        low, high: as for `statistics`.
    """
    value = input._value
    found = wrap(_numbers(value, low, high), label="statistics")
    behind = OBSERVE(value, carrier._value)
    behind.versions = (None, None, None)
    return wrap(behind, input._strides, label=value.label), found


def collected(tensors: Sequence[TensorBase]) -> Any:
    """The statistics of several tensors in one.

    Args:
        tensors: results of `statistics`, or gradients of carriers.

    Shape: n x (7) -> (n, 7).
    """
    before, mode.grad = mode.grad, False
    try:
        rows = [registry["reshape"](t._value, shape=(1, len(NUMBERS))) for t in tensors]
        return wrap(registry["concat"](*rows, axis=0), label="collected")
    finally:
        mode.grad = before


def statistics_of(tensors: Sequence[TensorBase], others: Sequence[TensorBase] = ()) -> Any:
    """The statistics of each of several tensors, or of its difference from another.

    Args:
        tensors: the tensors.
        others: nothing, or what is subtracted from each.

    Shape: n x (*) -> list of n (7).
    """
    before, mode.grad = mode.grad, False
    try:
        values = [t._value for t in tensors]
        if others:
            values = [v - o._value for v, o in zip(values, others, strict=True)]
        return [wrap(_numbers(value), label="statistics") for value in values]
    finally:
        mode.grad = before


def copies(tensors: Sequence[TensorBase]) -> Any:
    """What tensors hold now, apart from every gradient path."""
    return [wrap(base.stop(t._value), t._strides) for t in tensors]


statistics, observed = recorded(statistics), recorded(observed)
collected, statistics_of, copies = (
    recorded(collected), recorded(statistics_of), recorded(copies))
