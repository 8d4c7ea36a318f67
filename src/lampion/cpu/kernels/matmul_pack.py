"""Copies of matrix blocks in the order in which the tiles of a product read them.

    pack(b, b_row, b_column, k, n, packed, panel)   packed[n / panel][k][panel] = b[k][n]

B in panels as wide as a tile, or A, turned around, in panels as high as a tile. What lies in the
last panel beyond n is undefined: tiles may compute with it and do not store. `MARGIN` elements
beyond the last panel may be written, too.
"""

from __future__ import annotations

from ..kernel_text import Function, Module, Whole, size_of
from ..steps import Kernel
from ..target import Target

MARGIN = 16 * 256  # elements: a square of vectors in the widest panel

ARGUMENTS = ("ptr %b", "i64 %b_row", "i64 %b_column", "i64 %k", "i64 %n", "ptr %packed",
             "i64 %panel")
TOGETHER = 4  # panels that are filled at a time from rows: each line of memory is read once
AHEAD = 16  # how many rows before they are needed they are asked for


def pack_transposed(element: str, target: Target) -> Kernel:
    """Return the copy for b_row = 1: squares are turned around in registers."""
    return Kernel(f"matmul pack transposed {element}",
                  lambda: _transposed_text(element, target), "pack")


def pack_any(element: str, target: Target) -> Kernel:
    """Return the copy for any strides, one number at a time."""
    return Kernel(f"matmul pack any {element}", lambda: _any_text(element, target), "pack")


def pack_rows(element: str, target: Target) -> Kernel:
    """Return the copy for b_column = 1 and panels of at most one vector."""
    return Kernel(f"matmul pack rows {element}", lambda: _rows_text(element, target), "pack")


def pack_wide(element: str, vectors: int, target: Target) -> Kernel:
    """Return the copy for b_column = 1 and panels of so many vectors."""
    return Kernel(f"matmul pack wide {element} {vectors}",
                  lambda: _wide_text(element, vectors, target), "pack")


def transpose(f: Function, vector: str, rows: list[str]) -> list[str]:
    """Return the columns of a square of vectors: swap ever larger blocks across the diagonal."""
    width, lanes, kind, block = len(rows), len(rows), vector, 1
    while block < width:
        if block == 2 and vector.endswith("x float>"):
            # Two floats move as one double: shuffles of fewer lanes are quicker to compile.
            lanes, kind = width // 2, f"<{width // 2} x double>"
            rows = [f.value(f"bitcast {vector} {row} to {kind}") for row in rows]
        step = block * lanes // width
        low = [lane - step + lanes if lane & step else lane for lane in range(lanes)]
        high = [lane + lanes if lane & step else lane + step for lane in range(lanes)]
        turned = list(rows)
        for i in range(width):
            if not i & block:
                j = i + block
                turned[i] = f.shuffle(kind, rows[i], rows[j], low)
                turned[j] = f.shuffle(kind, rows[i], rows[j], high)
        rows = turned
        block *= 2
    if kind != vector:
        rows = [f.value(f"bitcast {kind} {row} to {vector}") for row in rows]
    return rows


def _transposed_text(element: str, target: Target) -> str:
    module = Module(target)
    width = target.lanes(size_of(element))
    # Where masks cost nothing, one function does for whole squares, too.
    free = target.vector_bytes == 64
    _square(module, "part", element, width, masked=True)
    if not free:
        _square(module, "whole", element, width, masked=False)
    f = module.function("pack", ARGUMENTS)
    with f.loop(0, "%n", width) as column:
        # Panels lie one after another; this group of columns is part of one.
        inside = f.value(f"urem i64 {column}, %panel")
        place = f.at("%packed", f.add(f.multiply(f.subtract(column, inside), "%k"), inside),
                     element)
        source = f.at("%b", f.multiply(column, "%b_column"), element)
        columns = f.subtract("%n", column)

        def square(name: str, k, source=source, place=place, columns=columns) -> None:
            to = f.at(place, f.multiply(k, "%panel"), element)
            f.call(f"@{name}", [f"ptr {f.at(source, k, element)}", "i64 %b_column",
                                f"i64 {columns}", f"i64 {f.subtract('%k', k)}", f"ptr {to}",
                                "i64 %panel"])

        start: Whole = 0
        if not free:
            start = f.value(f"and i64 %k, -{width}")
            with f.loop(0, start, width) as k:
                square("whole", k)
        with f.loop(start, "%k", width) as k:
            square("part", k)
    f.done()
    return module.text()


def _square(module: Module, name: str, element: str, width: int, masked: bool) -> None:
    """Write the function that turns a square around; lanes beyond k may not be read if masked."""
    f = module.function(name, ["ptr %from", "i64 %step", "i64 %columns", "i64 %k", "ptr %to",
                               "i64 %panel"], internal=True)
    vector = f"<{width} x {element}>"
    mask = f.lanes_below(width, "%k") if masked else None
    lines, here, to = [], "%from", "%to"
    for i in range(width):
        lines.append(f.vector_load(vector, here, mask))
        # The last column again in place of those that do not exist.
        step = f.select(f.compare("slt", i + 1, "%columns"), "%step", 0)
        here = f.at(here, step, element)
    for line in transpose(f, vector, lines):
        f.vector_store(vector, line, to)
        to = f.at(to, "%panel", element)
    f.done()


def _wide_text(element: str, vectors: int, target: Target) -> str:
    module = Module(target)
    f = module.function("pack", ARGUMENTS)
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    panel_size = f.multiply("%k", "%panel")
    # Whole rows, one after another: memory likes that best.
    with f.loop(0, "%k") as k:
        row = f.at("%b", f.multiply(k, "%b_row"), element)
        to = f.variable("ptr", f.at("%packed", f.multiply(k, "%panel"), element))
        with f.loop(0, "%n", vectors * width) as column:
            here = f.load("ptr", to)
            f.store("ptr", f.at(here, panel_size, element), to)
            for v in range(vectors):
                start = f.add(column, v * width)
                mask = f.lanes_below(width, f.maximum(0, f.subtract("%n", start)))
                line = f.vector_load(vector, f.at(row, start, element), mask)
                f.vector_store(vector, line, f.at(here, v * width, element))
    f.done()
    return module.text()


def _any_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pack", ARGUMENTS)
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


def _rows_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pack", ARGUMENTS)
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    panel_size = f.multiply("%k", "%panel")
    with f.loop(0, "%n", f.multiply("%panel", TOGETHER)) as column:
        source = f.at("%b", column, element)
        place = f.at("%packed", f.multiply(column, "%k"), element)
        rest = f.subtract("%n", column)
        starts = [f.multiply("%panel", p) for p in range(TOGETHER)]
        # A panel that does not exist has no lanes.
        masks = [f.lanes_below(width, f.maximum(0, f.minimum("%panel", f.subtract(rest, start))))
                 for start in starts]
        with f.loop(0, "%k") as k:
            row = f.at(source, f.multiply(k, "%b_row"), element)
            f.prefetch(f.at(row, f.multiply("%b_row", AHEAD), element))
            to = f.at(place, f.multiply(k, "%panel"), element)
            for p, (start, mask) in enumerate(zip(starts, masks)):
                line = f.vector_load(vector, f.at(row, start, element), mask)
                f.vector_store(vector, line, f.at(to, f.multiply(panel_size, p), element), mask)
    f.done()
    return module.text()
