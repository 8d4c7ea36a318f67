"""What one core of this machine can do at most, measured once: arithmetic and moving memory."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable

import numpy as np

from ..dtypes import float32
from ..ir import Type
from ..kernel import Load, Loop, Phase, Store
from . import native, steps
from .kernels.matmul import matmul_plan

SIDE = 384  # of the matrices: all three fit into the second-level cache
ELEMENTS = 1 << 24  # of the copy: more than any cache holds


@functools.cache
def flops() -> float:
    """Return the most floating-point operations a second, in a matrix product of float32."""
    plan = matmul_plan(1, SIDE, SIDE, SIDE, (0, SIDE, 1), (0, SIDE, 1), float32)
    arrays = [np.ones((SIDE, SIDE), np.float32) for _ in range(3)]
    return 2 * SIDE**3 / _shortest(plan, arrays, 30)


@functools.cache
def bandwidth() -> float:
    """Return the bytes a second of a copy that is too large for the caches; read and written."""
    kind = Type((ELEMENTS,), float32)
    loop = Loop((), (ELEMENTS,), (Phase((Load(0, float32, 0, (1,)), Store(1, 0, 0, (1,)))),),
                (kind, kind), 1)
    plan = native.plan_loop(loop)
    assert plan is not None
    arrays = [np.zeros(ELEMENTS, np.float32), np.ones(ELEMENTS, np.float32)]
    return 2 * arrays[0].nbytes / _shortest(plan, arrays, 5)


def _shortest(plan: steps.Plan, arrays: list[np.ndarray], repeats: int) -> float:
    scratch = np.empty(plan.scratch_bytes + 64, np.uint8)
    calls = steps.bind(plan, [a.ctypes.data for a in arrays],
                       math.ceil(scratch.ctypes.data / 64) * 64)
    return shortest(lambda: steps.run_serially(calls), repeats)


def shortest(action: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of some repeats, in seconds."""
    best = math.inf
    for _ in range(repeats):
        before = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - before)
    return best
