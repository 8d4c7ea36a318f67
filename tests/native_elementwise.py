"""Run one elementwise op as a native loop over contiguous arrays."""

from __future__ import annotations

import numpy as np

from lampion import dtypes
from lampion.cpu import native, steps
from lampion.cpu.target import Target
from lampion.ir import Type, Value, registry
from lampion.kernel import Compute, Load, Loop, Phase, Store

DTYPES = {np.dtype(d.array): d for d in (
    dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64,
    dtypes.float16, dtypes.float32, dtypes.float64)}


def computed(
    name: str, *arrays: np.ndarray, target: Target | None = None, settings: dict | None = None,
    types: tuple[dtypes.dtype, ...] | None = None, faults: bool = False,
) -> np.ndarray:
    """Return what native code makes of arrays of one shape.

    Args:
        types: lampion's types, where the arrays' own do not say it (bfloat16).
        faults: whether the op may note a fault; otherwise that fails.
    """
    op, settings = registry[name], settings or {}
    types = types or tuple(DTYPES[a.dtype] for a in arrays)
    size, count = arrays[0].size, len(arrays)
    out = op.result(*(Value(None, (), {}, (size,), t) for t in types), **settings).dtype
    body = [*(Load(k, t, 0, (1,)) for k, t in enumerate(types)),
            Compute(op, tuple(range(count)), tuple(settings.items()), out),
            Store(count, count, 0, (1,))]
    loop = Loop((), (size,), (Phase(tuple(body)),), tuple(Type((size,), t) for t in (*types, out)),
                1)
    given = [np.ascontiguousarray(a) for a in arrays]
    result = np.empty(size, out.array)
    fault = np.zeros(1, np.int64)
    plan = native.plan_loop(loop, target)
    places = [a.ctypes.data for a in (*given, result)]
    steps.run_serially(steps.bind(plan, places, target=target, fault=fault.ctypes.data))
    assert faults or not fault[0]
    return result.reshape(arrays[0].shape)
