"""Copies of matrix blocks in the order in which the tiles of a product read them.

    pack_b(b, b_row, b_column, k, n, packed, panel)   packed[n / panel][k][panel]
    pack_a(a, a_row, a_column, rows, k, packed)       packed[k][rows]

Lanes beyond n hold copies of the last column: tiles compute with them and do not store. Both write
up to a block beyond their end: `MARGIN` elements.
"""

from __future__ import annotations

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import Target

MARGIN = 16 * 256  # elements: a square of vectors in the widest panel

B_ARGUMENTS = ("ptr %b", "i64 %b_row", "i64 %b_column", "i64 %k", "i64 %n", "ptr %packed", "i64 %panel")
A_ARGUMENTS = ("ptr %a", "i64 %a_row", "i64 %a_column", "i64 %rows", "i64 %k", "ptr %packed")


def pack_transposed(element: str, target: Target) -> Kernel:
    """Return `pack_b` for b_row = 1: squares are turned around in registers."""
    return Kernel(f"matmul pack transposed {element}",
                  lambda: _transposed_text(element, target), "pack_b")


def pack_any(element: str, target: Target) -> Kernel:
    """Return `pack_b` for any strides, one number at a time."""
    return Kernel(f"matmul pack any {element}", lambda: _any_text(element, target), "pack_b")


def pack_columns(element: str, target: Target) -> Kernel:
    """Return `pack_a` for a_row = 1."""
    return Kernel(f"matmul pack columns {element}", lambda: _columns_text(element, target),
                  "pack_a")


def transpose(f: Function, vector: str, rows: list[str]) -> list[str]:
    """Return the columns of a square of vectors: swap ever larger blocks across the diagonal."""
    width = len(rows)
    block = 1
    while block < width:
        low = [lane - block + width if lane & block else lane for lane in range(width)]
        high = [lane + width if lane & block else lane + block for lane in range(width)]
        turned = list(rows)
        for i in range(width):
            if not i & block:
                j = i + block
                turned[i] = f.shuffle(vector, rows[i], rows[j], low)
                turned[j] = f.shuffle(vector, rows[i], rows[j], high)
        rows = turned
        block *= 2
    return rows


def _transposed_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pack_b", B_ARGUMENTS)
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    final = f.subtract("%n", 1)
    with f.loop(0, "%n", width) as column:
        rows = [f.at("%b", f.multiply(f.minimum(f.add(column, i), final), "%b_column"), element)
                for i in range(width)]
        # Panels lie one after another; this group of columns is part of one.
        inside = f.value(f"urem i64 {column}, %panel")
        start = f.add(f.multiply(f.subtract(column, inside), "%k"), inside)
        place = f.at("%packed", start, element)

        def square(k, mask, rows=rows, place=place):
            lines = [f.vector_load(vector, f.at(row, k, element), mask) for row in rows]
            target_row = f.at(place, f.multiply(k, "%panel"), element)
            for t, line in enumerate(transpose(f, vector, lines)):
                f.vector_store(vector, line, f.at(target_row, f.multiply(t, "%panel"), element))

        whole = f.value(f"and i64 %k, -{width}")
        with f.loop(0, whole, width) as k:
            square(k, None)
        rest = f.subtract("%k", whole)
        with f.when(f.compare("sgt", rest, 0)):
            square(whole, f.lanes_below(width, rest))
    f.done()
    return module.text()


def _any_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pack_b", B_ARGUMENTS)
    with f.loop(0, "%n") as column:
        inside = f.value(f"urem i64 {column}, %panel")
        start = f.add(f.multiply(f.subtract(column, inside), "%k"), inside)
        source = f.at("%b", f.multiply(column, "%b_column"), element)
        place = f.at("%packed", start, element)
        with f.loop(0, "%k") as k:
            number = f.load(element, f.at(source, f.multiply(k, "%b_row"), element))
            f.store(element, number, f.at(place, f.multiply(k, "%panel"), element))
    f.done()
    return module.text()


def _columns_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pack_a", A_ARGUMENTS)
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    with f.loop(0, "%rows", width) as row:
        mask = f.lanes_below(width, f.subtract("%rows", row))
        source, place = f.at("%a", row, element), f.at("%packed", row, element)
        with f.loop(0, "%k") as k:
            line = f.vector_load(vector, f.at(source, f.multiply(k, "%a_column"), element), mask)
            f.vector_store(vector, line, f.at(place, f.multiply(k, "%rows"), element), mask)
    f.done()
    return module.text()
