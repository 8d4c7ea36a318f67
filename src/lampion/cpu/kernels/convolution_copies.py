"""Copies that convolutions make: padded boxes of images, squares turned around.

    pad(box, source, target)        channels of an image, cut or filled with zeros to a box
    turn(...)                       rows of numbers -> vectors of lanes: target[k][lane]
    put(...)                        the way back: sums[row][lane] -> result[lane][row]

A box and a turn may write up to a square of vectors beyond their end: `margin` elements.
"""

from __future__ import annotations

from enum import IntEnum

from ..kernel_text import Function, Module, size_of
from ..steps import Kernel
from ..target import Target
from .matmul_pack import transpose


class Box(IntEnum):
    """Numbers that say which part of an image is copied, for `pad` (all in elements)."""

    CHANNELS = 0
    DEPTH = 1  # sizes of the image
    HEIGHT = 2
    WIDTH = 3
    FIRST_DEPTH = 4  # where in the image the box begins; outside stand zeros
    FIRST_HEIGHT = 5
    FIRST_WIDTH = 6
    COUNT_DEPTH = 7  # sizes of the box
    COUNT_HEIGHT = 8
    COUNT_WIDTH = 9
    PLANE = 10  # distances in the copy; WIDTH, HEIGHT * WIDTH ... are those in the image
    ROW = 11
    CHANNEL = 12


TURN_ARGUMENTS = ("ptr %source", "i64 %lane", "i64 %lanes", "i64 %runs", "i64 %length", "i64 %run",
                  "ptr %target", "i64 %panel")
PUT_ARGUMENTS = ("ptr %sums", "i64 %panel", "i64 %rows", "i64 %lanes", "ptr %result", "i64 %lane",
                 "i64 %parts", "i64 %part")


def margin(target: Target, element: str, panel: int) -> int:
    """Return how many elements beyond their end copies may write or read."""
    return target.lanes(size_of(element)) * panel


def pad(element: str, target: Target) -> Kernel:
    """Return `pad(box, source, target)`: the box is a table of i64 in the order of `Box`."""
    return Kernel(f"convolution pad {element}", lambda: _pad_text(element, target), "pad")


def turn(element: str, target: Target) -> Kernel:
    """Return `turn`: target[r * length + j][k] = source[r * run + j + k * lane].

    There are `runs` runs r of `length` numbers j; k is below `lanes`. A row of the target has
    `panel` lanes: those beyond `lanes` get anything.
    """
    return Kernel(f"convolution turn {element}", lambda: _turn_text(element, target), "turn")


def put(element: str, target: Target) -> Kernel:
    """Return `put`: result[k * lane + r] = sum over p below parts of sums[p * part][r][k]."""
    return Kernel(f"convolution put {element}", lambda: _put_text(element, target), "put")


def _pad_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pad", ("ptr %box", "ptr %source", "ptr %target"))
    width = target.lanes(size_of(element))
    vector, bits = f"<{width} x {element}>", f"<{width} x i1>"
    box = {name: f.load("i64", f.at("%box", int(name), "i64")) for name in Box}
    high, wide = box[Box.HEIGHT], box[Box.WIDTH]
    area = f.multiply(high, wide)
    volume = f.multiply(area, box[Box.DEPTH])
    left = f.subtract(0, box[Box.FIRST_WIDTH])
    count = box[Box.COUNT_HEIGHT]
    top = f.minimum(f.maximum(f.subtract(0, box[Box.FIRST_HEIGHT]), 0), count)
    bottom = f.maximum(f.minimum(f.subtract(high, box[Box.FIRST_HEIGHT]), count), top)
    with f.loop(0, box[Box.CHANNELS]) as channel, f.loop(0, box[Box.COUNT_DEPTH]) as d:
        z = f.add(d, box[Box.FIRST_DEPTH])
        inside = f.value(f"icmp ult i64 {z}, {box[Box.DEPTH]}")
        first, final = f.select(inside, top, 0), f.select(inside, bottom, 0)
        target_plane = f.at("%target", f.add(f.multiply(channel, box[Box.CHANNEL]),
                                             f.multiply(d, box[Box.PLANE])), element)
        start = f.add(f.multiply(channel, volume), f.multiply(z, area))
        row = f.multiply(box[Box.FIRST_HEIGHT], wide)
        source_plane = f.at("%source", f.subtract(f.add(start, row), left), element)
        final_width = f.subtract(box[Box.COUNT_WIDTH], 1)
        last = f.subtract(final_width, f.remainder(final_width, width))
        with f.loop(0, box[Box.COUNT_WIDTH], width) as back:
            # From right to left: what is written beyond a row's end is written over later.
            w = f.subtract(last, back)
            above = lanes_from(f, width, f.subtract(left, w))
            below = lanes_to(f, width, f.subtract(f.add(left, wide), w))
            there = f.value(f"and {bits} {above}, {below}")
            for begin, end, copied in ((0, first, False), (first, final, True),
                                       (final, count, False)):
                with f.loop(begin, end) as h:
                    value = "zeroinitializer"
                    if copied:
                        here = f.at(f.at(source_plane, f.multiply(h, wide), element), w, element)
                        value = f.vector_load(vector, here, there)
                    f.vector_store(vector, value, f.at(f.at(
                        target_plane, f.multiply(h, box[Box.ROW]), element), w, element))
    f.done()
    return module.text()


def _clamped(f: Function, width: int, count) -> str:
    count = f.minimum(f.maximum(count, 0), width)
    return f.splat("i32", width, f.value(f"trunc i64 {count} to i32"))


def lanes_to(f: Function, width: int, count) -> str:
    """The mask of lanes below a count, which may be negative or huge."""
    lanes = ", ".join(f"i32 {k}" for k in range(width))
    return f.value(f"icmp sgt <{width} x i32> {_clamped(f, width, count)}, <{lanes}>")


def lanes_from(f: Function, width: int, count) -> str:
    lanes = ", ".join(f"i32 {k}" for k in range(width))
    return f.value(f"icmp sle <{width} x i32> {_clamped(f, width, count)}, <{lanes}>")


def _turn_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("turn", TURN_ARGUMENTS)
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    final = f.subtract("%lanes", 1)
    single = f.both(f.compare("eq", "%lane", 1), f.compare("eq", "%length", 1))
    with f.when(single), f.loop(0, "%lanes", width) as lane:
        # Lanes lie side by side already: rows are copied as they are.
        mask = f.lanes_below(width, f.subtract("%lanes", lane))
        with f.loop(0, "%runs") as run:
            here = f.at(f.at("%source", f.multiply(run, "%run"), element), lane, element)
            there = f.at(f.at("%target", f.multiply(run, "%panel"), element), lane, element)
            f.vector_store(vector, f.vector_load(vector, here, mask), there)
    runs = f.select(single, 0, "%runs")
    with f.loop(0, runs) as run, f.loop(0, "%lanes", width) as lane:
        start = f.at("%source", f.multiply(run, "%run"), element)
        rows = [f.at(start, f.multiply(f.minimum(f.add(lane, i), final), "%lane"), element)
                for i in range(width)]
        line = f.at(f.at("%target", f.multiply(f.multiply(run, "%length"), "%panel"), element),
                    lane, element)
        with f.loop(0, "%length", width) as k:
            # The rows of a square that do not exist are written over by the next run.
            mask = f.lanes_below(width, f.subtract("%length", k))
            values = [f.vector_load(vector, f.at(row, k, element), mask) for row in rows]
            here = f.at(line, f.multiply(k, "%panel"), element)
            for i, value in enumerate(transpose(f, vector, values)):
                f.vector_store(vector, value, f.at(here, f.multiply("%panel", i), element))
    f.done()
    return module.text()


def _put_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("put", PUT_ARGUMENTS)
    width = target.lanes(size_of(element))
    vector = f"<{width} x {element}>"
    with f.loop(0, "%rows", width) as row, f.loop(0, "%lanes", width) as lane:
        mask = f.lanes_below(width, f.subtract("%rows", row))
        start = f.at(f.at("%sums", f.multiply(row, "%panel"), element), lane, element)
        lines = [f.at(start, f.multiply("%panel", i), element) for i in range(width)]
        values = [f.variable(vector, f.load(vector, line)) for line in lines]
        with f.loop(1, "%parts") as part:
            for line, value in zip(lines, values, strict=True):
                more = f.vector_load(vector, f.at(line, f.multiply(part, "%part"), element))
                f.store(vector, f.float_op("fadd", vector, f.load(vector, value, 64), more),
                        value, 64)
        here = f.at(f.at("%result", f.multiply(lane, "%lane"), element), row, element)
        turned = transpose(f, vector, [f.load(vector, value, 64) for value in values])
        for i, value in enumerate(turned):
            with f.when(f.compare("slt", f.add(lane, i), "%lanes")):
                f.vector_store(vector, value, f.at(here, f.multiply("%lane", i), element), mask)
    f.done()
    return module.text()
