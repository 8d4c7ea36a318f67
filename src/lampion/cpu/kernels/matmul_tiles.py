"""Tiles of matrix products: the innermost loops, which keep a block of C in registers.

A tile is `rows` x `vectors` of C. Each k reads `vectors` vectors of B and multiplies them
with one number of A after another:

    tile(A, a_row, a_column, B, b_row, C, c_row, start, start_row, k, last, packed, packed_row)
    C[i, :] = start[i * start_row, :] + sum over k of A[i * a_row + k * a_column] * B[k * b_row, :]

Sizes and strides (in elements) come at run time, so one kernel serves all products. `start` is C
itself to go on with a sum, or a bias with start_row 0. `last` is how many lanes of the last vector
exist (kernels with `masked`). A kernel with `packing` also writes the vectors of B that it has read
to `packed`, a row for each k: the copy costs nothing beside the arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import Target

PREFETCH_ROWS = 12  # how many rows of B ahead of the arithmetic a packing tile asks for

ARGUMENTS = ("ptr %a", "i64 %a_row", "i64 %a_column", "ptr %b", "i64 %b_row", "ptr %c",
             "i64 %c_row", "ptr %start", "i64 %start_row", "i64 %k", "i64 %last", "ptr %packed",
             "i64 %packed_row")


class Tile(NamedTuple):
    """What one tile kernel is made for.

    Attributes:
        element: "float" or "double" (LLVM's names), or "i32", "i64".
        rows, vectors: the size of the tile; a vector is as wide as the target's registers.
        masked: whether the last vector is partly outside the matrix.
        packing: whether B is copied on the way.
        ahead: whether rows of B are asked for before they are needed: B comes from far away.
    """

    element: str
    rows: int
    vectors: int
    masked: bool = False
    packing: bool = False
    ahead: bool = False

    def kernel(self, target: Target) -> Kernel:
        """Return the kernel: its text is written when it is needed."""
        return Kernel(f"matmul tile {tuple(self)}", lambda: tile_text(self, target), "tile")


def tile_text(tile: Tile, target: Target) -> str:
    """Return the LLVM text of a tile kernel."""
    module = Module(target)
    f = module.function("tile", ARGUMENTS)
    width = target.lanes(size_of(tile.element))
    vector = f"<{width} x {tile.element}>"
    sums = [[f.variable(vector, "zeroinitializer") for _ in range(tile.vectors)]
            for _ in range(tile.rows)]
    mask = f.lanes_below(width, "%last") if tile.masked else None
    masks = [None] * (tile.vectors - 1) + [mask]
    step = _Step(f, tile, vector, width, sums, masks)
    # One step a round: LLVM would mix the steps of an unrolled loop and run out of registers, and
    # the few instructions of the loop itself hide behind the arithmetic.
    with f.loop(0, "%k"):
        step.write()

    size = size_of(tile.element)
    starts = row_offsets(f, "%start_row", tile.rows, size)
    places = row_offsets(f, "%c_row", tile.rows, size)
    for i in range(tile.rows):
        start, place = f.at("%start", starts[i], "i8"), f.at("%c", places[i], "i8")
        for v in range(tile.vectors):
            begin = f.vector_load(vector, f.at(start, v * width, tile.element), masks[v])
            total = add(f, vector, begin, f.load(vector, sums[i][v], 64))
            f.vector_store(vector, total, f.at(place, v * width, tile.element), masks[v])
    f.done()
    return module.text()


class _Step:
    """Writes what a tile does for one k; the addresses of A and B move on from step to step."""

    def __init__(self, f: Function, tile: Tile, vector: str, width: int, sums, masks):
        self.f, self.tile, self.vector, self.width = f, tile, vector, width
        self.sums, self.masks = sums, masks
        self.a, self.b = f.variable("ptr", "%a"), f.variable("ptr", "%b")
        self.packed = f.variable("ptr", "%packed")
        self.rows = row_offsets(f, "%a_row", tile.rows, size_of(tile.element))

    def move(self, variable: str, step: str) -> str:
        """Return an address, and move it on for the next step."""
        f = self.f
        here = f.load("ptr", variable)
        f.store("ptr", f.at(here, step, self.tile.element), variable)
        return here

    def write(self) -> None:
        f, tile, vector = self.f, self.tile, self.vector
        row = self.move(self.b, "%b_row")
        column = self.move(self.a, "%a_column")
        b = [f.vector_load(vector, f.at(row, v * self.width, tile.element), self.masks[v])
             for v in range(tile.vectors)]
        if tile.packing or tile.ahead:
            ahead = f.at(row, f.multiply("%b_row", PREFETCH_ROWS), tile.element)
            for v in range(tile.vectors):
                f.prefetch(f.at(ahead, v * self.width, tile.element))
        if tile.packing:
            self.pack(b)
        for i in range(tile.rows):
            number = f.load(tile.element, f.at(column, self.rows[i], "i8"))
            a = f.splat(tile.element, self.width, number)
            for v in range(tile.vectors):
                place = self.sums[i][v]
                f.store(vector, multiply_add(f, vector, a, b[v], f.load(vector, place, 64)),
                        place, 64)

    def pack(self, b) -> None:
        f = self.f
        here = self.move(self.packed, "%packed_row")
        for v, value in enumerate(b):
            f.vector_store(self.vector, value, f.at(here, v * self.width, self.tile.element))


def row_offsets(f: Function, stride: str, count: int, size: int) -> list:
    """Return the places of rows 0, 1, ... in bytes: twice a row costs no further register."""
    found: list = [0]
    for i in range(1, count):
        odd = i // (i & -i)
        if i == odd:
            found.append(f.multiply(f.multiply(stride, i), size))
        else:
            found.append(f.value(f"shl i64 {found[odd]}, {(i // odd).bit_length() - 1}"))
    return found


def add(f: Function, vector: str, a: str, b: str) -> str:
    """Return a + b, of floating or whole numbers."""
    return f.float_op("add" if is_whole(vector) else "fadd", vector, a, b)


def multiply_add(f: Function, vector: str, a: str, b: str, c: str) -> str:
    """Return a * b + c, of floating or whole numbers."""
    if is_whole(vector):
        return f.float_op("add", vector, f.float_op("mul", vector, a, b), c)
    return f.multiply_add(vector, a, b, c)


def is_whole(vector: str) -> bool:
    """Whether a vector's elements are whole numbers."""
    return vector.endswith(("i32>", "i64>"))
