"""Runs a hand-made kernel on arrays whose surroundings are watched, and its meaning beside it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from lampion import dtypes, interpret, ir
from lampion.cpu import steps
from lampion.cpu.kernels import PROVIDERS
from lampion.cpu.target import host
from lampion.strides import contiguous

MARGIN = 128  # bytes before and after each array
GUARD = 0xA5
INTEGERS = (dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64)
FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)


class Memory:
    """Room for an array between margins that must stay as they are."""

    def __init__(self, count: int, array: np.dtype):
        self.bytes = np.full(count * array.itemsize + 2 * MARGIN, GUARD, np.uint8)
        inside = self.bytes[MARGIN:self.bytes.size - MARGIN]
        self.elements = inside.view(array)
        self.address = inside.ctypes.data if count else self.bytes.ctypes.data + MARGIN

    def check(self) -> None:
        assert (self.bytes[:MARGIN] == GUARD).all(), "written before the beginning"
        assert (self.bytes[self.bytes.size - MARGIN:] == GUARD).all(), "written after the end"


def lay(array: np.ndarray, layout: str) -> tuple[Memory, int, tuple[int, ...]]:
    """Return memory that holds an array, with offset and strides in elements.

    Args:
        layout: "plain"; "turned" (axes in reverse order); "spread" (every other element, behind
            an offset); "flipped" (from the last element to the first).
    """
    if layout == "plain" or not array.ndim:
        memory = Memory(array.size, array.dtype)
        memory.elements[:] = array.reshape(-1)
        return memory, 0, contiguous(array.shape)
    if layout == "turned":
        memory = Memory(array.size, array.dtype)
        memory.elements[:] = array.T.reshape(-1)
        return memory, 0, tuple(reversed(contiguous(array.shape[::-1])))
    if layout == "flipped":
        memory = Memory(array.size, array.dtype)
        memory.elements[:] = array.reshape(-1)[::-1]
        return memory, max(array.size - 1, 0), tuple(-s for s in contiguous(array.shape))
    memory = Memory(2 * array.size + 3, array.dtype)
    memory.elements[:] = 0
    memory.elements[3::2] = array.reshape(-1)
    return memory, 3, tuple(2 * s for s in contiguous(array.shape))


def run(op, operands: Sequence[ir.Value], settings, layouts: Sequence[str] = (),
        parts: int = 1, in_place: bool = False) -> tuple[np.ndarray | None, int]:
    """Return what the kernel computes (None where it has no plan) and the word for faults.

    Args:
        layouts: how each operand lies in memory, "plain" where not given.
        parts: how many calls do the jobs of a step, the last jobs first.
        in_place: let the result share the memory of the operand that the plan names.
    """
    value = op(*operands, **settings)
    laid = [lay(v.data, layouts[k] if k < len(layouts) else "plain")
            for k, v in enumerate(operands)]
    given = tuple(steps.Operand(v.dtype, v.shape, offset, strides)
                  for v, (_, offset, strides) in zip(operands, laid, strict=True))
    plan = PROVIDERS[op.lower["kernel"]](given, value.type, value.settings, host())
    if plan is None:
        return None, 0
    result = Memory(int(np.prod(value.shape)), value.dtype.array)
    if in_place and plan.inplace is not None:
        result = laid[plan.inplace][0]
    room = np.full(plan.scratch_bytes + 64 + 2 * MARGIN, GUARD, np.uint8)
    aligned = room.ctypes.data + MARGIN + (-(room.ctypes.data + MARGIN) % 64)
    fault = np.zeros(1, np.int64)
    addresses = [memory.address for memory, _, _ in laid] + [result.address]
    before = [memory.bytes.copy() for memory, _, _ in laid]
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    for call in steps.bind(plan, addresses, aligned, fault=fault.ctypes.data):
        assert call.jobs > 0
        cuts = [call.jobs * k // parts for k in range(parts + 1)]
        for begin, end in reversed(list(zip(cuts, cuts[1:]))):
            if begin < end:
                signature(call.address)(call.slots.ctypes.data, begin, end)
    for (memory, _, _), old in zip(laid, before, strict=True):
        if memory is not result:
            assert (memory.bytes == old).all(), "an operand was written to"
    result.check()
    behind = aligned - room.ctypes.data + plan.scratch_bytes
    assert (room[:MARGIN] == GUARD).all() and (room[behind:] == GUARD).all()
    return result.elements.reshape(value.shape).copy(), int(fault[0])


def meaning(op, operands: Sequence[ir.Value], settings) -> np.ndarray:
    """Return what the op means."""
    value = op(*operands, **settings)
    with np.errstate(all="ignore"):
        return interpret.compute(value, [v.data for v in operands])


def leaf(array: np.ndarray, dtype) -> ir.Value:
    """Return an input with these numbers."""
    kept = dtypes.round_to(dtype, np.ascontiguousarray(array).astype(dtype.array))
    return ir.leaf(kept.reshape(np.shape(array)), dtype)
