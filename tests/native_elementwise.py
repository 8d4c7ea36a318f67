"""Run elementwise ops as one native loop over contiguous arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lampion import dtypes
from lampion.cpu import native, steps
from lampion.cpu.target import Target
from lampion.ir import Type, Value, registry
from lampion.kernel import Compute, Load, Loop, Phase, Store

DTYPES = {np.dtype(d.array): d for d in (
    dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64,
    dtypes.float16, dtypes.float32, dtypes.float64)}


class Call(NamedTuple):
    """An op applied to some of the arrays."""

    name: str
    operands: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...] = ()

    def value(self, types: tuple[dtypes.dtype, ...], size: int) -> Value:
        """Return it as a value of the graph, for its type and its meaning."""
        op, settings = registry[self.name], dict(self.settings)
        inputs = tuple(Value(None, (), {}, (size,), types[k]) for k in self.operands)
        result = op.result(*inputs, **settings)
        return Value(op, inputs, settings, result.shape, result.dtype)


class Results(NamedTuple):
    """What native code made, and whether it noted a fault."""

    arrays: list[np.ndarray]
    fault: bool


def loop_of(calls: list[Call], types: tuple[dtypes.dtype, ...], lengths: list[int]) -> Loop:
    """Return a loop that does all calls; a call may also use results of those before it.

    Args:
        lengths: of the arrays: as many elements as the first has, or one that stands for all.
    """
    size, count = lengths[0], len(types)
    made: list[dtypes.dtype] = []
    for call in calls:
        made.append(call.value((*types, *made), size).dtype)
    body = [*(Load(k, t, 0, (int(lengths[k] == size),)) for k, t in enumerate(types)),
            *(Compute(registry[c.name], c.operands, c.settings, t) for c, t in zip(calls, made)),
            *(Store(count + k, count + k, 0, (1,)) for k in range(len(calls)))]
    return Loop((), (size,), (Phase(tuple(body)),),
                tuple(Type((size,), t) for t in (*types, *made)), len(calls))


def run(
    calls: list[Call], arrays: list[np.ndarray], types: tuple[dtypes.dtype, ...],
    target: Target | None = None,
) -> Results:
    """Do all calls in one loop."""
    loop = loop_of(calls, types, [a.size for a in arrays])
    given = [np.ascontiguousarray(a) for a in arrays]
    results = [np.empty(t.shape, t.dtype.array) for t in loop.buffers[len(arrays):]]
    fault = np.zeros(1, np.int64)
    plan = native.plan_loop(loop, target)
    assert plan is not None
    places = [a.ctypes.data for a in (*given, *results)]
    steps.run_serially(steps.bind(plan, places, target=target, fault=fault.ctypes.data))
    return Results(results, bool(fault[0]))


def computed(name: str, *arrays: np.ndarray, target: Target | None = None) -> np.ndarray:
    """Return what native code makes of arrays of one shape and op; no fault may be noted."""
    types = tuple(DTYPES[a.dtype] for a in arrays)
    found = run([Call(name, tuple(range(len(arrays))))], list(arrays), types, target)
    assert not found.fault
    return found.arrays[0]
