"""A row times a matrix that comes from memory: rows of B are read from end to end.

    row(A, a_row, a_column, B, b_row, C, c_row, start, start_row, k, last, biased, count)
    C[j] = start[j] + sum over k of A[k * a_column] * B[k * b_row + j]      for j below count

Sums stay in memory, in the first-level cache, and a few rows of B are added at a time: memory gives
most where reading goes on and on. A tile, which keeps its sums in registers, jumps from row to row.
The arguments are those of `matmul_tiles`, but `biased` and `count` take the place of `packed` and
`packed_row`: sums begin with 0 where `biased` is null.
"""

from __future__ import annotations

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import Target
from .matmul_tiles import ARGUMENTS, multiply_add

TOGETHER = 8  # rows of B


def row_kernel(element: str, target: Target) -> Kernel:
    """Return the kernel for an element type."""
    return Kernel(f"matmul row {element}", lambda: _text(element, target), "row")


def _text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("row", (*ARGUMENTS[:-2], "ptr %biased", "i64 %count"))
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    whole = f.subtract("%count", f.remainder("%count", width))
    mask = f.lanes_below(width, f.subtract("%count", whole))

    def over(write) -> None:
        """Write what is done for each vector of the row."""
        with f.loop(0, whole, width) as j:
            write(j, None)
        with f.when(f.compare("slt", whole, "%count")):
            write(whole, mask)

    def clear(j, lanes) -> None:
        f.vector_store(vector, "zeroinitializer", f.at("%c", j, element), lanes)

    def begin(j, lanes) -> None:
        first = f.vector_load(vector, f.at("%start", j, element), lanes)
        f.vector_store(vector, first, f.at("%c", j, element), lanes)

    over(clear)
    with f.when(f.exists("%biased")):
        over(begin)
    together = f.subtract("%k", f.remainder("%k", TOGETHER))
    for start, end, step in ((0, together, TOGETHER), (together, "%k", 1)):
        with f.loop(start, end, step) as k:
            _add_rows(f, vector, element, width, k, step, over)
    f.done()
    return module.text()


def _add_rows(f: Function, vector: str, element: str, width: int, k, count: int, over) -> None:
    """Add so many rows of B, from row k on."""
    numbers, rows = [], []
    for row in range(count):
        at = f.add(k, row)
        number = f.load(element, f.at("%a", f.multiply(at, "%a_column"), element))
        numbers.append(f.splat(element, width, number))
        rows.append(f.at("%b", f.multiply(at, "%b_row"), element))

    def step(j, lanes) -> None:
        place = f.at("%c", j, element)
        total = f.vector_load(vector, place, lanes)
        for number, row in zip(numbers, rows):
            total = multiply_add(f, vector, number,
                                 f.vector_load(vector, f.at(row, j, element), lanes), total)
        f.vector_store(vector, total, place, lanes)

    over(step)
