"""Running plans of hand-made kernels in tests, in memory that ends where the operands end."""

import ctypes
import mmap
import random
import sys

import numpy as np

from lampion import dtypes, ir
from lampion.cpu import steps
from lampion.cpu.kernels import PROVIDERS
from lampion.cpu.target import host

PAGE = mmap.PAGESIZE


class Fenced:
    """Memory of a given size between two pages that cannot be touched, at one end or the other.

    A kernel that reads or writes outside its operands ends the process with a fault.
    """

    def __init__(self, size: int, at_end: bool, align: int = 1):
        room = -(-max(size, 1) // PAGE) * PAGE
        self.memory = mmap.mmap(-1, room + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        if sys.platform == "linux":
            protect = ctypes.CDLL(None).mprotect
            for page in (start, start + PAGE + room):
                assert protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0) == 0
        self.offset = PAGE + ((room - size) // align * align if at_end else 0)
        self.address = start + self.offset

    def array(self, shape, dtype) -> np.ndarray:
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self.memory, dtype, count, self.offset).reshape(shape)


def fenced_copy(array: np.ndarray, at_end: bool) -> np.ndarray:
    """Return a copy in fenced memory."""
    copy = Fenced(array.nbytes, at_end).array(array.shape, array.dtype)
    copy[...] = array
    return copy


def operand(array: np.ndarray) -> steps.Operand:
    """Return how an array lies in memory that begins with it."""
    strides = tuple(s // array.itemsize for s in array.strides)
    return steps.Operand(dtypes.from_numpy(array.dtype), array.shape, 0, strides)


def plan(op: ir.Op, arrays, settings, target=None) -> tuple[steps.Plan, ir.Type]:
    """Return the plan of an op's kernel for arrays, and the result's type."""
    values = [ir.leaf(a, dtypes.from_numpy(a.dtype)) for a in arrays]
    kind = op.result(*values, **settings)
    operands = tuple(map(operand, arrays))
    made = PROVIDERS[op.lower["kernel"]](operands, kind, settings, target or host())
    assert made is not None
    return made, kind


def run(op: ir.Op, arrays, settings, target=None, at_end=True, shuffle=None) -> np.ndarray:
    """Compute an op by its kernel in fenced memory that is full of NaN before.

    Args:
        shuffle: a seed: the jobs of each step then run one by one in a drawn order.
    """
    made, kind = plan(op, arrays, settings, target)
    fenced = [fenced_copy(a, at_end) for a in arrays]
    dtype = np.dtype(kind.dtype.name)
    result = Fenced(int(np.prod(kind.shape, dtype=np.int64)) * dtype.itemsize, at_end).array(
        kind.shape, dtype)
    scratch = Fenced(made.scratch_bytes, at_end, 64)
    for array in (result, scratch.array((made.scratch_bytes // 8,), np.float64)):
        array[...] = np.nan if array.dtype.kind == "f" else -1
    calls = steps.bind(made, [a.ctypes.data for a in (*fenced, result)], scratch.address, target)
    for call in calls:
        if shuffle is None:
            steps.run_serially([call])
            continue
        jobs = list(range(call.jobs))
        random.Random(shuffle).shuffle(jobs)
        function = steps._SIGNATURE(call.address)
        for job in jobs:
            function(call.slots.ctypes.data, job, job + 1)
    return np.array(result)
