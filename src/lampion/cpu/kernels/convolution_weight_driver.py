"""The outer loops of a convolution's gradient for its weight: output channels lie in the lanes.

A job is a block of images, a group of channels and some panels of output channels. For each pack of
images (or band of rows of one) in its block it copies the input into a box with zeros around, turns
the gradient of each panel around and adds to the panel's sums: tile rows are input channels and
taps, steps are pixels. Taps that see different pixels inside the image are sets of rows with steps
of their own. A second step adds the sums of the blocks, always in the same order.
"""

from __future__ import annotations

from enum import IntEnum

from ..kernel_text import Module
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target
from .convolution_copies import Box
from .convolution_driver import split


class Slot(IntEnum):
    """The slots of the driver's table of arguments."""

    SOURCE = 0
    GRADIENT = 1
    SUMS = 2  # [block][group][panel][row][lane]
    SCRATCH = 3
    ROWS = 4  # tables: of tile rows, of steps
    STEPS = 5
    BUSY = 6  # bits of the regions of scratch memory in use
    REGIONS = 7
    REGION = 8  # elements of each
    TURNED = 9  # where in a region the gradient lies
    IMAGES = 10
    TOGETHER = 11  # images of a pack
    BANDS = 12
    GROUPS = 13
    PANELS = 14  # of a group
    UNITS = 15  # packs times bands, in all
    BLOCK = 16  # of them in a block
    SOURCE_IMAGE = 17  # distances, in elements
    SOURCE_GROUP = 18
    GRADIENT_IMAGE = 19
    GRADIENT_CHANNEL = 20
    SUMS_JOB = 21
    BOX_IMAGE = 22
    LANES = 23  # output channels of a group
    PANEL = 24
    PIXELS = 25  # of a band, and of the last one
    LAST_PIXELS = 26
    ROW_COUNT = 27
    TILE_ROWS = 28
    BAND_DEPTH = 29  # how far the box moves from band to band
    BAND_HEIGHT = 30
    BAND_WIDTH = 31
    BOX = 32  # the numbers of `Box`
    PAD = 45  # functions
    TURN = 46
    TILE = 47
    LAST_TILE = 48
    PARTS = 49  # jobs that share the panels of a group
    PART = 50  # panels of a job
    SETS = 51  # table of the sets of rows
    SET_COUNT = 52

# Numbers of a set: its rows and their offset in bytes; its steps in an image (-1 for all pixels of
# a band) and their offset.
SET = 4


def driver(element: str, target: Target) -> Kernel:
    """Return the driver's kernel for an element type."""
    return Kernel(f"convolution weight driver {element}",
                  lambda: _Driver(element, target).text(), "convolution_weight")


class _Driver:
    """Writes the driver, one loop a method."""

    def __init__(self, element: str, target: Target):
        self.element = element
        self.module = Module(target)
        f = self.f = self.module.function(
            "convolution_weight", ["ptr %args", "i64 %begin", "i64 %end"])
        self.s = {slot: f.slot(slot) for slot in Slot if not Slot.BOX <= slot <= Slot.LAST_TILE
                  and slot < Slot.SETS}
        for slot in (Slot.SOURCE, Slot.GRADIENT, Slot.SUMS, Slot.SCRATCH, Slot.ROWS, Slot.STEPS):
            self.s[slot] = f.pointer(self.s[slot])

    def text(self) -> str:
        """Job after job: which block, group and panel it stands for."""
        f, s = self.f, self.s
        region = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.scratch = f.at(s[Slot.SCRATCH], f.multiply(region, s[Slot.REGION]), self.element)
        self.turned = f.at(self.scratch, s[Slot.TURNED], self.element)
        self.box = f.variable(f"[{len(Box)} x i64]")
        for name in Box:
            f.store("i64", f.slot(Slot.BOX + name), f.at(self.box, int(name), "i64"))
        with f.loop("%begin", "%end") as job:
            rest, part = split(f, job, s[Slot.PARTS])
            block, group = split(f, rest, s[Slot.GROUPS])
            sums = f.at(s[Slot.SUMS], f.multiply(f.multiply(rest, s[Slot.PANELS]),
                                                 s[Slot.SUMS_JOB]), self.element)
            first = f.multiply(block, s[Slot.BLOCK])
            final = f.minimum(f.add(first, s[Slot.BLOCK]), s[Slot.UNITS])
            with f.loop(first, final) as unit:
                go_on = f.value(f"zext i1 {f.compare('ne', unit, first)} to i64")
                self.unit(unit, group, part, sums, go_on)
        release(f, Slot.BUSY, s[Slot.REGIONS], region)
        f.done()
        return self.module.text()

    def unit(self, unit, group, part, sums: str, go_on) -> None:
        """A pack of images or a band of one: copy it, then panel after panel."""
        f, s = self.f, self.s
        pack, band = split(f, unit, s[Slot.BANDS])
        first = f.multiply(pack, s[Slot.TOGETHER])
        images = f.minimum(s[Slot.TOGETHER], f.subtract(s[Slot.IMAGES], first))
        self.fill(first, images, band, group)
        last_band = f.compare("eq", f.add(band, 1), s[Slot.BANDS])
        pixels = f.select(last_band, s[Slot.LAST_PIXELS], s[Slot.PIXELS])
        start = f.add(f.multiply(first, s[Slot.GRADIENT_IMAGE]),
                      f.multiply(band, s[Slot.PIXELS]))
        begin = f.multiply(part, s[Slot.PART])
        with f.loop(begin, f.minimum(f.add(begin, s[Slot.PART]), s[Slot.PANELS])) as panel:
            place = f.at(sums, f.multiply(panel, s[Slot.SUMS_JOB]), self.element)
            self.panel(panel, group, (start, images, pixels), place, go_on)

    def panel(self, panel, group, unit, sums: str, go_on) -> None:
        """Turn the gradient of a panel around and add to the sums."""
        f, s, element = self.f, self.s, self.element
        start, images, pixels = unit
        lane = f.multiply(panel, s[Slot.PANEL])
        channel = f.add(f.multiply(group, s[Slot.LANES]), lane)
        left = f.subtract(s[Slot.LANES], lane)
        here = f.add(f.multiply(channel, s[Slot.GRADIENT_CHANNEL]), start)
        f.call(f.slot(Slot.TURN, "ptr"), [
            f"ptr {f.at(s[Slot.GRADIENT], here, element)}", f"i64 {s[Slot.GRADIENT_CHANNEL]}",
            f"i64 {f.minimum(s[Slot.PANEL], left)}", f"i64 {images}", f"i64 {pixels}",
            f"i64 {s[Slot.GRADIENT_IMAGE]}", f"ptr {self.turned}", f"i64 {s[Slot.PANEL]}"])
        tail = f.compare("sle", left, s[Slot.PANEL])
        tile = f.select(tail, f.slot(Slot.LAST_TILE, "ptr"), f.slot(Slot.TILE, "ptr"), "ptr")
        with f.loop(0, f.slot(Slot.SET_COUNT)) as number:
            begin = f.at(f.slot(Slot.SETS, "ptr"), f.multiply(number, SET), "i64")
            row_count, rows, per_image, steps = (
                f.load("i64", f.at(begin, k, "i64")) for k in range(SET))
            whole = f.compare("slt", per_image, 0)
            count = f.multiply(images, f.select(whole, pixels, per_image))
            rows, steps = (f.at(s[slot], offset, "i8")
                           for slot, offset in ((Slot.ROWS, rows), (Slot.STEPS, steps)))
            with f.loop(0, row_count, s[Slot.TILE_ROWS]) as row:
                f.call(str(tile), [f"ptr {self.scratch}",
                                   f"ptr {f.at(rows, f.multiply(row, 2), 'i64')}",
                                   f"ptr {self.turned}", f"ptr {steps}", f"i64 {count}",
                                   f"ptr {sums}", f"i64 {go_on}"])

    def fill(self, first, images, band, group) -> None:
        """Copy the images of a unit into the box."""
        f, s = self.f, self.s
        for name, step in ((Box.FIRST_DEPTH, Slot.BAND_DEPTH),
                           (Box.FIRST_HEIGHT, Slot.BAND_HEIGHT),
                           (Box.FIRST_WIDTH, Slot.BAND_WIDTH)):
            start = f.add(f.slot(Slot.BOX + name), f.multiply(band, s[step]))
            f.store("i64", start, f.at(self.box, int(name), "i64"))
        source = f.at(s[Slot.SOURCE], f.multiply(group, s[Slot.SOURCE_GROUP]), self.element)
        with f.loop(0, images) as image:
            here = f.multiply(f.add(first, image), s[Slot.SOURCE_IMAGE])
            f.call(f.slot(Slot.PAD, "ptr"), [
                f"ptr {self.box}", f"ptr {f.at(source, here, self.element)}",
                f"ptr {f.at(self.scratch, f.multiply(image, s[Slot.BOX_IMAGE]), self.element)}"])


class SumSlot(IntEnum):
    """The slots of the step that adds the blocks' sums: one job a panel of a group."""

    SUMS = 0
    RESULT = 1
    GROUPS = 2
    PANELS = 3
    SUMS_JOB = 4
    BLOCKS = 5
    LANES = 6
    PANEL = 7
    ROW_COUNT = 8
    PUT = 9


def adder(element: str, target: Target) -> Kernel:
    """Return the kernel that adds the blocks' sums."""
    return Kernel(f"convolution weight adder {element}", lambda: _adder_text(element, target),
                  "add")


def _adder_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("add", ["ptr %args", "i64 %begin", "i64 %end"])
    s = {slot: f.slot(slot) for slot in SumSlot}
    sums, result = f.pointer(s[SumSlot.SUMS]), f.pointer(s[SumSlot.RESULT])
    with f.loop("%begin", "%end") as job:
        group, panel = split(f, job, s[SumSlot.PANELS])
        lane = f.multiply(panel, s[SumSlot.PANEL])
        lanes = f.minimum(s[SumSlot.PANEL], f.subtract(s[SumSlot.LANES], lane))
        channel = f.add(f.multiply(group, s[SumSlot.LANES]), lane)
        part = f.multiply(f.multiply(s[SumSlot.GROUPS], s[SumSlot.PANELS]), s[SumSlot.SUMS_JOB])
        here = f.at(sums, f.multiply(job, s[SumSlot.SUMS_JOB]), element)
        there = f.at(result, f.multiply(channel, s[SumSlot.ROW_COUNT]), element)
        f.call(f.slot(SumSlot.PUT, "ptr"), [
            f"ptr {here}", f"i64 {s[SumSlot.PANEL]}", f"i64 {s[SumSlot.ROW_COUNT]}",
            f"i64 {lanes}", f"ptr {there}", f"i64 {s[SumSlot.ROW_COUNT]}",
            f"i64 {s[SumSlot.BLOCKS]}", f"i64 {part}"])
    f.done()
    return module.text()
