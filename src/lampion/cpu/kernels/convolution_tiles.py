"""The inner kernel of convolutions: a tile of sums in registers, its operands found by tables.

    tile(a, rows, b, steps, count, c, go_on)
    C[rows[i].c] (+)= sum over j below count of A[rows[i].a + steps[j].a] * B[steps[j].b]

for each row i of the tile: one number of A times vectors of B. Offsets are in bytes and come at run
time, so one kernel serves any size, stride, dilation and padding, and all three products of a
convolution: in the forward pass rows are pixels and steps are taps, in the gradient of the weight
the other way round. Nothing is copied once for each tap, as a matrix of windows would need.
"""

from __future__ import annotations

import platform
from typing import NamedTuple

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import X86, Target

ARGUMENTS = ("ptr %a", "ptr %rows", "ptr %b", "ptr %steps", "i64 %count", "ptr %c", "i64 %go_on")


class Tile(NamedTuple):
    """What one tile kernel is made for.

    Attributes:
        element: "float" or "double" (LLVM's names).
        rows, vectors: the size of the tile; a vector is as wide as the target's registers.
    """

    element: str
    rows: int
    vectors: int

    def kernel(self, target: Target) -> Kernel:
        """Return the kernel: its text is written when it is needed."""
        return Kernel(f"convolution tile {tuple(self)}", lambda: tile_text(self, target), "tile")


def most_rows(vectors: int, target: Target) -> int:
    """Return how many rows of so many vectors fit into the registers."""
    return max(1, (target.registers - 1 - vectors) // vectors)


def tile_text(tile: Tile, target: Target) -> str:
    """Return the LLVM text of a tile kernel."""
    module = Module(target)
    f = module.function("tile", ARGUMENTS)
    width = target.lanes(size_of(tile.element))
    vector = f"<{width} x {tile.element}>"
    pairs = [f.at("%rows", 2 * i, "i64") for i in range(tile.rows)]
    rows = [f.load("i64", pair) for pair in pairs]
    sums = [[f.variable(vector, "zeroinitializer") for _ in range(tile.vectors)]
            for _ in range(tile.rows)]
    with f.loop(0, "%count") as step:
        pair = f.at("%steps", f.multiply(step, 2), "i32")
        a, b = (f.at(base, f.value(f"sext i32 {f.load('i32', f.at(pair, k, 'i32'))} to i64"), "i8")
                for k, base in enumerate(("%a", "%b")))
        values = [f.vector_load(vector, f.at(b, v * width, tile.element))
                  for v in range(tile.vectors)]
        for i, row in enumerate(rows):
            factor = f.splat(tile.element, width, f.load(tile.element, f.at(a, row, "i8")))
            totals = [f.multiply_add(vector, factor, value, f.load(vector, place, 64))
                      for value, place in zip(values, sums[i], strict=True)]
            for total, place in zip(totals, sums[i], strict=True):
                f.store(vector, total, place, 64)
            a = after(f, a, [f"{vector} {total}" for total in totals], target)
    places = [[f.at(f.at("%c", f.load("i64", f.at(pair, 1, "i64")), "i8"), v * width, tile.element)
               for v in range(tile.vectors)] for pair in pairs]
    with f.when(f.compare("ne", "%go_on", 0)):
        for place, total in zip(sum(places, []), sum(sums, []), strict=True):
            longer = f.float_op("fadd", vector, f.vector_load(vector, place),
                                f.load(vector, total, 64))
            f.store(vector, longer, total, 64)
    for place, total in zip(sum(places, []), sum(sums, []), strict=True):
        f.vector_store(vector, f.load(vector, total, 64), place)
    f.done()
    return module.text()


def after(f: Function, pointer: str, values: list[str], target: Target) -> str:
    """Return the pointer as if it depended on values ("type name"): LLVM computes those first.

    Otherwise it reads the numbers of A for all rows ahead, and the registers would not do.
    """
    kind = "w" if platform.machine().lower() not in X86 else "v" if target.registers > 16 else "x"
    constraints = ",".join(["=r,0", *[kind] * len(values)])
    return f.value(f'call ptr asm "", "{constraints}"({", ".join([f"ptr {pointer}", *values])})')
