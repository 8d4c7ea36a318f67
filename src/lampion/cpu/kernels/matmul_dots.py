"""Tiles of products whose two operands both lie along k: sums of products of vectors along k.

    dot(A, a_row, a_column, B, b_column, C, c_row, start, start_row, k, last, packed, packed_row)
    C[i, j] = start[i * start_row + j] + sum over k of A[i * a_row + k] * B[j * b_column + k]

This is `x @ w.T` with few rows: it reads each number of w once, where a tile of vectors along the
columns needs a transposed copy first. The arguments are those of `matmul_tiles`, so the same driver
calls it; those that are not named in the formula are not used.
"""

from __future__ import annotations

from typing import NamedTuple

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import Target
from .matmul_tiles import ARGUMENTS, row_offsets

CHAINS = 8  # sums that go on side by side keep the arithmetic busy


class Dot(NamedTuple):
    """What one kernel is made for: rows of A and columns of B at a time."""

    element: str
    rows: int
    columns: int

    def kernel(self, target: Target) -> Kernel:
        """Return the kernel: its text is written when it is needed."""
        return Kernel(f"matmul dot {tuple(self)}", lambda: dot_text(self, target), "dot")


def dot_text(dot: Dot, target: Target) -> str:
    """Return the LLVM text of a kernel of dot products."""
    module = Module(target)
    f = module.function("dot", ARGUMENTS)
    return _Writer(module, f, dot, target.lanes(size_of(dot.element))).text()


class _Writer:
    def __init__(self, module: Module, f: Function, dot: Dot, width: int):
        self.module, self.f, self.dot, self.width = module, f, dot, width
        self.vector = f"<{width} x {dot.element}>"
        size = size_of(dot.element)
        self.a = [f.at("%a", offset, "i8") for offset in row_offsets(f, "%a_row", dot.rows, size)]
        self.b = [f.at("%b", offset, "i8")
                  for offset in row_offsets(f, "%b_row", dot.columns, size)]
        self.several = max(1, CHAINS // (dot.rows * dot.columns))
        self.sums = [[[f.variable(self.vector, "zeroinitializer") for _ in range(dot.columns)]
                      for _ in range(dot.rows)] for _ in range(self.several)]

    def text(self) -> str:
        f, width = self.f, self.width
        start: str | int = 0
        for step in sorted({self.several * width, width}, reverse=True):
            # As many whole steps as there are; the rest is a multiple of the next smaller step.
            end = f.subtract("%k", f.remainder("%k", step))
            with f.loop(start, end, step) as k:
                for chain in range(step // width):
                    self.step(f.add(k, chain * width), self.sums[chain], None)
            start = end
        rest = f.subtract("%k", start)
        with f.when(f.compare("sgt", rest, 0)):
            self.step(start, self.sums[0], f.lanes_below(width, rest))
        self.finish()
        f.done()
        return self.module.text()

    def step(self, k, sums, mask: str | None) -> None:
        """Multiply one vector of each row with one of each column."""
        f, vector, element = self.f, self.vector, self.dot.element
        b = [f.vector_load(vector, f.at(column, k, element), mask) for column in self.b]
        for i, row in enumerate(self.a):
            a = f.vector_load(vector, f.at(row, k, element), mask)
            for j in range(self.dot.columns):
                total = f.multiply_add(vector, a, b[j], f.load(vector, sums[i][j], 64))
                f.store(vector, total, sums[i][j], 64)

    def finish(self) -> None:
        """Add up the lanes of each sum and write the numbers, row after row."""
        f, vector, dot = self.f, self.vector, self.dot
        totals = []
        for i in range(dot.rows):
            for j in range(dot.columns):
                parts = [f.load(vector, chain[i][j], 64) for chain in self.sums]
                while len(parts) > 1:
                    parts = [f.float_op("fadd", vector, *parts[p:p + 2])
                             for p in range(0, len(parts), 2)]
                totals += parts
        together = max(1, self.width // dot.columns)
        starts = row_offsets(f, "%start_row", dot.rows, size_of(dot.element))
        places = row_offsets(f, "%c_row", dot.rows, size_of(dot.element))
        mask = f.lanes_below(self.width, dot.columns)
        for first in range(0, dot.rows, together):
            rows = range(first, min(first + together, dot.rows))
            line = lane_sums(f, vector, totals[first * dot.columns:rows.stop * dot.columns])
            for i in rows:
                down = [min(lane + (i - first) * dot.columns, self.width - 1)
                        for lane in range(self.width)]
                own = f.shuffle(vector, line, "poison", down) if i > first else line
                begin = f.vector_load(vector, f.at("%start", starts[i], "i8"), mask)
                f.vector_store(vector, f.float_op("fadd", vector, begin, own),
                               f.at("%c", places[i], "i8"), mask)


def lane_sums(f: Function, vector: str, values: list[str]) -> str:
    """Return a vector whose lane i is the sum of the lanes of values[i], in a fixed order."""
    width = int(vector[1:].partition(" ")[0])
    assert len(values) <= width
    group = width
    while group > 1:
        # Each vector holds parts of sums, `group` lanes for each; two vectors become one.
        half = group // 2
        low = [lane for start in range(0, 2 * width, group) for lane in range(start, start + half)]
        high = [lane + half for lane in low]
        values = values + [values[-1]] * (len(values) % 2)
        pairs = [(values[p], values[p + 1]) for p in range(0, len(values), 2)]
        values = [f.float_op("fadd", vector, f.shuffle(vector, x, y, low),
                             f.shuffle(vector, x, y, high)) for x, y in pairs]
        group = half
    return values[0]
