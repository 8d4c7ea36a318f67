"""What a hand-made kernel needs to run: steps, each a native function and its table of arguments.

    Kernel    text that can be compiled, and the function in it
    Step      a kernel, its jobs and its slots
    Plan      steps one after another, with scratch memory and constant tables
    bind      a plan and addresses -> calls

A slot of a step is a whole number, or a name for what is only known later: `Place` is an address
inside an operand, the scratch memory or a table; a `Kernel` stands for the address of its code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..dtypes import dtype as DType
from . import jit
from .target import Target

SCRATCH, FAULT = -1, -2  # as `Place.where`


class Operand(NamedTuple):
    """How an input lies in memory.

    Attributes:
        dtype, shape: its type.
        offset, strides: where its elements are, in elements from the start of the memory.
    """

    dtype: DType
    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]


class Kernel(NamedTuple):
    """A function in LLVM text.

    Attributes:
        key: says all that the text depends on.
        make_ir: writes the text.
        name: of the function.
    """

    key: str
    make_ir: Callable[[], str]
    name: str

    def address(self, target: Target | None = None) -> int:
        """Return where the compiled function is."""
        return jit.library(self.key, self.make_ir, target).address(self.name)


class Place(NamedTuple):
    """An address: of an operand (0, 1, ...), of SCRATCH or FAULT, plus an offset in bytes.

    FAULT is one i64 that a kernel sets to 1 when it meets what has no answer: a whole number
    divided by 0, a position outside its axis. The program then stops, and the oracle raises the
    error.
    """

    where: int
    offset: int = 0


class Table(NamedTuple):
    """The address of constant numbers (i64) that stay as long as the plan."""

    numbers: np.ndarray


Slot = int | Place | Table | Kernel


class Step(NamedTuple):
    """One native call: `kernel(slots, begin, end)` for all jobs, in any order, on any threads."""

    kernel: Kernel
    jobs: int
    slots: tuple[Slot, ...]


class Plan(NamedTuple):
    """Steps one after another; each begins when the one before has ended.

    Attributes:
        steps: what is called.
        scratch_bytes: how much memory the steps share besides their operands. It may hold anything
            at the start and is aligned to 64 bytes.
        inplace: the operand whose memory may also be the result's, if it is not needed any more
            and no other operand lies in it (the steps then copy nothing); None where the result
            needs memory of its own.
    """

    steps: tuple[Step, ...]
    scratch_bytes: int
    inplace: int | None = None


class Call(NamedTuple):
    """A step that is ready: code, arguments (kept alive here), jobs."""

    address: int
    slots: np.ndarray
    jobs: int
    keep: tuple[np.ndarray, ...] = ()


def bind(
    plan: Plan, operands: Sequence[int], scratch: int = 0, target: Target | None = None,
    fault: int = 0,
) -> list[Call]:
    """Return the calls of a plan.

    Args:
        operands: addresses of the operands, inputs first.
        scratch: address of `plan.scratch_bytes` bytes.
        fault: address of the i64 for faults.
    """
    def number(slot: Slot) -> int:
        if isinstance(slot, Place):
            start = {SCRATCH: scratch, FAULT: fault}.get(slot.where)
            return (operands[slot.where] if start is None else start) + slot.offset
        if isinstance(slot, Table):
            return int(slot.numbers.ctypes.data)
        if isinstance(slot, Kernel):
            return slot.address(target)
        return slot

    calls = []
    for step in plan.steps:
        keep = tuple(slot.numbers for slot in step.slots if isinstance(slot, Table))
        slots = np.array([number(slot) for slot in step.slots], np.int64)
        calls.append(Call(step.kernel.address(target), slots, step.jobs, keep))
    return calls


_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def run_serially(calls: Sequence[Call]) -> None:
    """Do calls in this thread: for tests and where there is no pool."""
    for call in calls:
        _SIGNATURE(call.address)(call.slots.ctypes.data, 0, call.jobs)
