"""Kernels of convolutions with few channels in a group: neighbouring pixels lie in the lanes.

    tile(a, a_channel, units, b, steps, count, c, c_channel)
    C[t * c_channel + units[i].c] = sum over j below count of
                                    A[t * a_channel + steps[j].a] * B[units[i].b + steps[j].b]

for each channel t and unit i of the tile: a unit is a vector of pixels, and only the lanes of its
mask are written; A is one number for all lanes, a weight.

    weight_tile(a, units, b, steps, count, c, go_on, lanes)
    C[units[i].c] (+)= sum over j below count of A[steps[j].a] * B[units[i].b + steps[j].b]

Here A is a vector of the result's gradient and units are taps; so many lanes exist: beyond the end
of a row of A lies another row of B. All offsets are in bytes.

    split(source, rows, source_row, target, target_row, step, part)
                                    every step-th number of a row to one part, the next to the next
    out(source, pitch, rows, width, target, row, column)
                                    rows of numbers to rows and columns that may lie apart
    lanes(source, count, target)    the sum of each vector's lanes
"""

from __future__ import annotations

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import Target
from .convolution_tiles import after

UNIT = 3  # numbers of a unit: offsets in B and C, mask; of the weight's gradient, only two


def tile(element: str, width: int, channels: int, units: int, target: Target) -> Kernel:
    """Return the kernel of a tile of some channels and units, each `width` lanes."""
    return Kernel(f"convolution planes tile {element} {width} {channels} {units}",
                  lambda: _tile_text(element, width, channels, units, target), "tile")


def weight_tile(element: str, width: int, units: int, target: Target) -> Kernel:
    """Return the kernel of a tile of the weight's gradient."""
    return Kernel(f"convolution planes weight tile {element} {width} {units}",
                  lambda: _weight_tile_text(element, width, units, target), "tile")


def split(element: str, target: Target) -> Kernel:
    """Return `split`: target[r][c * part + j] = source[r][j * step + c] for j below part."""
    return Kernel(f"convolution split {element}", lambda: _split_text(element, target), "split")


def out(element: str, target: Target) -> Kernel:
    """Return `out`: target[r * row + c * column] = source[r * pitch + c]."""
    return Kernel(f"convolution out {element}", lambda: _out_text(element, target), "out")


def lanes(element: str, width: int, target: Target) -> Kernel:
    """Return `lanes`: target[k] = the sum of vector k of the source."""
    return Kernel(f"convolution lanes {element} {width}",
                  lambda: _lanes_text(element, width, target), "lanes")


def _step(f: Function, step: str) -> list[str]:
    """Return the two addresses of a step."""
    pair = f.at("%steps", f.multiply(step, 2), "i32")
    return [f.at(base, f.value(f"sext i32 {f.load('i32', f.at(pair, k, 'i32'))} to i64"), "i8")
            for k, base in enumerate(("%a", "%b"))]


def _tile_text(element: str, width: int, channels: int, units: int, target: Target) -> str:
    module = Module(target)
    f = module.function("tile", ["ptr %a", "i64 %a_channel", "ptr %units", "ptr %b", "ptr %steps",
                                 "i64 %count", "ptr %c", "i64 %c_channel"])
    vector = f"<{width} x {element}>"
    table = [[f.at("%units", UNIT * i + k, "i64") for k in range(UNIT)] for i in range(units)]
    offsets = [f.load("i64", unit[0]) for unit in table]
    sums = [[f.variable(vector, "zeroinitializer") for _ in range(units)]
            for _ in range(channels)]
    with f.loop(0, "%count") as step:
        a, b = _step(f, step)
        factors = [f.splat(element, width, f.load(element, f.at(
            a, f.multiply("%a_channel", t), "i8"))) for t in range(channels)]
        for i, offset in enumerate(offsets):
            value = f.vector_load(vector, f.at(b, offset, "i8"))
            totals = [f.multiply_add(vector, factor, value, f.load(vector, line[i], 64))
                      for factor, line in zip(factors, sums, strict=True)]
            for total, line in zip(totals, sums, strict=True):
                f.store(vector, total, line[i], 64)
            b = after(f, b, [f"{vector} {total}" for total in totals], target)
    for i, unit in enumerate(table):
        bits = f.value(f"bitcast i{width} {f.load(f'i{width}', unit[2], 8)} to <{width} x i1>")
        place = f.at("%c", f.load("i64", unit[1]), "i8")
        for t in range(channels):
            f.vector_store(vector, f.load(vector, sums[t][i], 64),
                           f.at(place, f.multiply("%c_channel", t), "i8"), bits)
    f.done()
    return module.text()


def _weight_tile_text(element: str, width: int, units: int, target: Target) -> str:
    module = Module(target)
    f = module.function("tile", ["ptr %a", "ptr %units", "ptr %b", "ptr %steps", "i64 %count",
                                 "ptr %c", "i64 %go_on", "i64 %lanes"])
    vector = f"<{width} x {element}>"
    pairs = [f.at("%units", 2 * i, "i64") for i in range(units)]
    offsets = [f.load("i64", pair) for pair in pairs]
    sums = [f.variable(vector, "zeroinitializer") for _ in range(units)]
    mask = f.lanes_below(width, "%lanes")
    with f.loop(0, "%count") as step:
        a, b = _step(f, step)
        factor = f.vector_load(vector, a, mask)
        for offset, place in zip(offsets, sums, strict=True):
            value = f.vector_load(vector, f.at(b, offset, "i8"), mask)
            total = f.multiply_add(vector, factor, value, f.load(vector, place, 64))
            f.store(vector, total, place, 64)
            b = after(f, b, [f"{vector} {total}"], target)
    places = [f.at("%c", f.load("i64", f.at(pair, 1, "i64")), "i8") for pair in pairs]
    with f.when(f.compare("ne", "%go_on", 0)):
        for place, total in zip(places, sums, strict=True):
            longer = f.float_op("fadd", vector, f.vector_load(vector, place),
                                f.load(vector, total, 64))
            f.store(vector, longer, total, 64)
    for place, total in zip(places, sums, strict=True):
        f.vector_store(vector, f.load(vector, total, 64), place)
    f.done()
    return module.text()


def _split_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("split", ["ptr %source", "i64 %rows", "i64 %source_row", "ptr %target",
                                  "i64 %target_row", "i64 %step", "i64 %part"])
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    two = f.compare("eq", "%step", 2)
    with f.loop(0, "%rows") as row:
        source = f.at("%source", f.multiply(row, "%source_row"), element)
        to = f.at("%target", f.multiply(row, "%target_row"), element)
        with f.loop(0, f.select(two, "%part", 0), width) as j:
            low, high = (f.vector_load(vector, f.at(f.at(source, f.multiply(j, 2), element),
                                                    k * width, element)) for k in range(2))
            mask = f.lanes_below(width, f.subtract("%part", j))
            for c in range(2):
                value = f.shuffle(vector, low, high, range(c, 2 * width, 2))
                place = f.at(f.at(to, f.multiply("%part", c), element), j, element)
                f.vector_store(vector, value, place, mask)
        with f.loop(0, f.select(two, 0, "%step")) as column, f.loop(0, "%part") as j:
            number = f.add(f.multiply(j, "%step"), column)
            value = f.load(element, f.at(source, number, element))
            f.store(element, value, f.at(to, f.add(f.multiply(column, "%part"), j), element))
    f.done()
    return module.text()


def _out_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("out", ["ptr %source", "i64 %pitch", "i64 %rows", "i64 %width",
                                "ptr %target", "i64 %row", "i64 %column"])
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    joined, two = f.compare("eq", "%column", 1), f.compare("eq", "%column", 2)
    bits = f"<{width} x i1>"
    even = "<" + ", ".join(f"i1 {str(k % 2 == 0).lower()}" for k in range(width)) + ">"
    with f.loop(0, "%rows") as row:
        source = f.at("%source", f.multiply(row, "%pitch"), element)
        to = f.at("%target", f.multiply(row, "%row"), element)
        with f.loop(0, f.select(joined, "%width", 0), width) as c:
            mask = f.lanes_below(width, f.subtract("%width", c))
            value = f.vector_load(vector, f.at(source, c, element), mask)
            f.vector_store(vector, value, f.at(to, c, element), mask)
        with f.loop(0, f.select(two, "%width", 0), width) as c:
            rest = f.subtract("%width", c)
            value = f.vector_load(vector, f.at(source, c, element), f.lanes_below(width, rest))
            for half in range(2):
                # Every second lane is written.
                spread = f.shuffle(vector, value, "poison",
                                   [(half * width + k) // 2 for k in range(width)])
                count = f.subtract(f.multiply(rest, 2), half * width)
                mask = f.value(f"and {bits} {f.lanes_below(width, count)}, {even}")
                place = f.add(f.multiply(c, 2), half * width)
                f.vector_store(vector, spread, f.at(to, place, element), mask)
        with f.loop(0, f.select(f.either(joined, two), 0, "%width")) as c:
            value = f.load(element, f.at(source, c, element))
            f.store(element, value, f.at(to, f.multiply(c, "%column"), element))
    f.done()
    return module.text()


def _lanes_text(element: str, width: int, target: Target) -> str:
    module = Module(target)
    f = module.function("lanes", ["ptr %source", "i64 %count", "ptr %target"])
    with f.loop(0, "%count") as k:
        total = f.variable(element, "0.0")
        with f.loop(0, width) as lane:
            place = f.add(f.multiply(k, width), lane)
            value = f.load(element, f.at("%source", place, element))
            f.store(element, f.float_op("fadd", element, f.load(element, total), value), total)
        f.store(element, f.load(element, total), f.at("%target", k, element))
    f.done()
    return module.text()
