"""The outer loops of convolutions and transposed convolutions: output channels lie in the lanes.

A job is some images (or a band of rows of one), one group of channels, some panels of output
channels. It copies its part of the images into a box with zeros around, then

    for each panel of output channels        as many as a tile is wide
        for each phase                       outputs that see the same taps of the kernel
            for each tile of pixels          sums over input channels and taps
        turn the sums around into the result

Many weights for few pixels are not laid into panels before, but by the job that needs the panel,
which finds it in its cache then; and all jobs share one box, which is filled before.

All sizes are slots; what differs between kernels, strides and dilations is in tables. Memory for
the box and the sums is claimed for the time of a call.
"""

from __future__ import annotations

from enum import IntEnum

from ..kernel_text import Function, Module, Whole
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target
from .convolution_copies import Box

# Numbers of a phase: offsets of its two tables in bytes, steps, rows, rows of a last band.
PHASE = 5


class Slot(IntEnum):
    """The slots of the driver's table of arguments."""

    SOURCE = 0
    WEIGHT = 1  # panels: [group][panel][step][lane]
    RESULT = 2
    SCRATCH = 3
    ROWS = 4  # tables: of tile rows, of steps, of phases
    STEPS = 5
    PHASES = 6
    BUSY = 7  # bits of the regions of scratch memory in use
    REGIONS = 8
    REGION = 9  # elements of each
    SUMS = 10  # where in a region the sums begin
    IMAGES = 11
    TOGETHER = 12  # images of a job
    BANDS = 13
    GROUPS = 14
    PARTS = 15  # jobs that share the panels of a group
    PART = 16  # panels of a job
    SOURCE_IMAGE = 17  # distances, in elements
    SOURCE_GROUP = 18
    RESULT_IMAGE = 19
    RESULT_CHANNEL = 20
    WEIGHT_GROUP = 21
    WEIGHT_PANEL = 22
    BOX_IMAGE = 23
    LANES = 24  # output channels of a group
    PANEL = 25  # lanes of a panel
    PIXELS = 26  # outputs of a band, and of the last one
    LAST_PIXELS = 27
    PHASE_COUNT = 28
    TILE_ROWS = 29
    BAND_DEPTH = 30  # how far the box moves from band to band
    BAND_HEIGHT = 31
    BAND_WIDTH = 32
    BOX = 33  # the numbers of `Box`
    PAD = 46  # functions
    PUT = 47
    TILE = 48
    LAST_TILE = 49  # for the last panel, which may be narrower
    SHARED = 50  # the box of all images; 0 where each job fills its own
    PANEL_AT = 51  # where in a region a panel is laid out, 0 for panels that are ready
    TURN = 52  # and what `turn` takes
    LANE = 53
    RUNS = 54
    LENGTH = 55
    RUN = 56


def driver(element: str, target: Target) -> Kernel:
    """Return the driver's kernel for an element type."""
    return Kernel(f"convolution driver {element}", lambda: _Driver(element, target).text(),
                  "convolution")


def split(f: Function, number: Whole, count: Whole) -> tuple[Whole, Whole]:
    """Return a number divided by a count, and the rest."""
    above = f.divide(number, count)
    return above, f.subtract(number, f.multiply(above, count))


class _Driver:
    """Writes the driver, one loop a method."""

    def __init__(self, element: str, target: Target):
        self.element = element
        self.module = Module(target)
        f = self.f = self.module.function("convolution", ["ptr %args", "i64 %begin", "i64 %end"])
        self.s = {slot: f.slot(slot) for slot in Slot
                  if slot < Slot.BOX or slot in (Slot.SHARED, Slot.PANEL_AT)}
        for slot in (Slot.SOURCE, Slot.WEIGHT, Slot.RESULT, Slot.SCRATCH, Slot.ROWS, Slot.STEPS,
                     Slot.PHASES):
            self.s[slot] = f.pointer(self.s[slot])

    def text(self) -> str:
        """Job after job: which images, band, group and panels it stands for."""
        f, s = self.f, self.s
        region = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.scratch = f.at(s[Slot.SCRATCH], f.multiply(region, s[Slot.REGION]), self.element)
        self.sums = f.at(self.scratch, s[Slot.SUMS], self.element)
        self.box = f.variable(f"[{len(Box)} x i64]")
        for name in Box:
            f.store("i64", f.slot(Slot.BOX + name), f.at(self.box, int(name), "i64"))
        with f.loop("%begin", "%end") as job:
            rest, part = split(f, job, s[Slot.PARTS])
            rest, group = split(f, rest, s[Slot.GROUPS])
            pack, band = split(f, rest, s[Slot.BANDS])
            first = f.multiply(pack, s[Slot.TOGETHER])
            images = f.minimum(s[Slot.TOGETHER], f.subtract(s[Slot.IMAGES], first))
            with f.when(f.compare("eq", s[Slot.SHARED], 0)):
                self.fill(first, images, band, group)
            self.panels(first, images, band, group, part)
        release(f, Slot.BUSY, s[Slot.REGIONS], region)
        f.done()
        return self.module.text()

    def fill(self, first, images, band, group) -> None:
        """Copy the images of a job into the box."""
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

    def panels(self, first, images, band, group, part) -> None:
        """Compute panel after panel and put it into the result."""
        f, s, element = self.f, self.s, self.element
        weight = f.at(s[Slot.WEIGHT], f.multiply(group, s[Slot.WEIGHT_GROUP]), element)
        last_band = f.compare("eq", f.add(band, 1), s[Slot.BANDS])
        pixels = f.select(last_band, s[Slot.LAST_PIXELS], s[Slot.PIXELS])
        left = f.multiply(f.multiply(part, s[Slot.PART]), s[Slot.PANEL])
        right = f.minimum(f.add(left, f.multiply(s[Slot.PART], s[Slot.PANEL])), s[Slot.LANES])
        with f.loop(left, right, s[Slot.PANEL]) as lane:
            panel = f.divide(lane, s[Slot.PANEL])
            b = self.laid_out(weight, panel, lane)
            lanes = f.minimum(s[Slot.PANEL], f.subtract(s[Slot.LANES], lane))
            tail = f.compare("sle", f.subtract(s[Slot.LANES], lane), s[Slot.PANEL])
            tile = f.select(tail, f.slot(Slot.LAST_TILE, "ptr"), f.slot(Slot.TILE, "ptr"), "ptr")
            self.phases(tile, b, images, last_band)
            channel = f.add(f.multiply(group, s[Slot.LANES]), lane)
            place = f.add(f.multiply(channel, s[Slot.RESULT_CHANNEL]),
                          f.multiply(band, s[Slot.PIXELS]))
            with f.loop(0, images) as image:
                here = f.add(place, f.multiply(f.add(first, image), s[Slot.RESULT_IMAGE]))
                sums = f.multiply(image, f.multiply(s[Slot.PIXELS], s[Slot.PANEL]))
                f.call(f.slot(Slot.PUT, "ptr"), [
                    f"ptr {f.at(self.sums, sums, element)}", f"i64 {s[Slot.PANEL]}",
                    f"i64 {pixels}", f"i64 {lanes}", f"ptr {f.at(s[Slot.RESULT], here, element)}",
                    f"i64 {s[Slot.RESULT_CHANNEL]}", "i64 1", "i64 0"])

    def laid_out(self, weight: str, panel: Whole, lane: Whole) -> str:
        """Return the place of a panel of weights, laid out here if it was not before."""
        f, s, element = self.f, self.s, self.element
        here = f.at(self.scratch, s[Slot.PANEL_AT], element)
        own = f.compare("ne", s[Slot.PANEL_AT], 0)
        with f.when(own):
            lanes = f.minimum(s[Slot.PANEL], f.subtract(s[Slot.LANES], lane))
            source = f.at(weight, f.multiply(lane, f.slot(Slot.LANE)), element)
            f.call(f.slot(Slot.TURN, "ptr"), [
                f"ptr {source}", f"i64 {f.slot(Slot.LANE)}", f"i64 {lanes}",
                f"i64 {f.slot(Slot.RUNS)}", f"i64 {f.slot(Slot.LENGTH)}",
                f"i64 {f.slot(Slot.RUN)}", f"ptr {here}", f"i64 {s[Slot.PANEL]}"])
        there = f.at(weight, f.multiply(panel, s[Slot.WEIGHT_PANEL]), element)
        return str(f.select(own, here, there, "ptr"))

    def phases(self, tile, b: str, images, last_band) -> None:
        """Tile after tile of each phase."""
        f, s = self.f, self.s
        ready = f.compare("ne", s[Slot.SHARED], 0)
        box = f.select(ready, f.pointer(s[Slot.SHARED]), self.scratch, "ptr")
        with f.loop(0, s[Slot.PHASE_COUNT]) as phase:
            start = f.multiply(phase, PHASE)
            numbers = [f.load("i64", f.at(s[Slot.PHASES], f.add(start, i), "i64"))
                       for i in range(PHASE)]
            rows = f.at(s[Slot.ROWS], numbers[0], "i8")
            steps = f.at(s[Slot.STEPS], numbers[1], "i8")
            count = f.multiply(images, f.select(last_band, numbers[4], numbers[3]))
            with f.loop(0, count, s[Slot.TILE_ROWS]) as row:
                here = f.at(rows, f.multiply(row, 2), "i64")
                f.call(tile, [f"ptr {box}", f"ptr {here}", f"ptr {b}", f"ptr {steps}",
                              f"i64 {numbers[2]}", f"ptr {self.sums}", "i64 0"])


class FillSlot(IntEnum):
    """The slots of the step that fills a box that all jobs share: one job an image."""

    SOURCE = 0
    BOX_TO = 1
    SOURCE_IMAGE = 2  # distances, in elements
    BOX_IMAGE = 3
    PAD = 4
    BOX = 5  # the numbers of `Box`


def filler(element: str, target: Target) -> Kernel:
    """Return the kernel that fills the box of all images."""
    return Kernel(f"convolution filler {element}", lambda: _filler_text(element, target), "fill")


def _filler_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("fill", ["ptr %args", "i64 %begin", "i64 %end"])
    source, to = (f.pointer(f.slot(slot)) for slot in (FillSlot.SOURCE, FillSlot.BOX_TO))
    with f.loop("%begin", "%end") as image:
        here = f.at(source, f.multiply(image, f.slot(FillSlot.SOURCE_IMAGE)), element)
        there = f.at(to, f.multiply(image, f.slot(FillSlot.BOX_IMAGE)), element)
        f.call(f.slot(FillSlot.PAD, "ptr"), [
            f"ptr {f.at('%args', int(FillSlot.BOX), 'i64')}", f"ptr {here}", f"ptr {there}"])
    f.done()
    return module.text()


class PackSlot(IntEnum):
    """The slots of the step that lays weights into panels: one job a panel of a group."""

    WEIGHT = 0
    PANELS_TO = 1
    PANELS = 2  # of a group
    LANES = 3  # output channels of a group
    PANEL = 4
    GROUP = 5  # distances, in elements
    LANE = 6
    RUNS = 7
    LENGTH = 8
    RUN = 9
    PANEL_TO = 10
    GROUP_TO = 11
    TURN = 12


def packer(element: str, target: Target) -> Kernel:
    """Return the kernel that lays weights into panels."""
    return Kernel(f"convolution packer {element}", lambda: _packer_text(element, target), "pack")


def _packer_text(element: str, target: Target) -> str:
    module = Module(target)
    f = module.function("pack", ["ptr %args", "i64 %begin", "i64 %end"])
    s = {slot: f.slot(slot) for slot in PackSlot}
    weight, to = f.pointer(s[PackSlot.WEIGHT]), f.pointer(s[PackSlot.PANELS_TO])
    with f.loop("%begin", "%end") as job:
        group, panel = split(f, job, s[PackSlot.PANELS])
        lane = f.multiply(panel, s[PackSlot.PANEL])
        lanes = f.minimum(s[PackSlot.PANEL], f.subtract(s[PackSlot.LANES], lane))
        start = f.add(f.multiply(group, s[PackSlot.GROUP]), f.multiply(lane, s[PackSlot.LANE]))
        end = f.add(f.multiply(group, s[PackSlot.GROUP_TO]),
                    f.multiply(panel, s[PackSlot.PANEL_TO]))
        f.call(f.slot(PackSlot.TURN, "ptr"), [
            f"ptr {f.at(weight, start, element)}", f"i64 {s[PackSlot.LANE]}", f"i64 {lanes}",
            f"i64 {s[PackSlot.RUNS]}", f"i64 {s[PackSlot.LENGTH]}", f"i64 {s[PackSlot.RUN]}",
            f"ptr {f.at(to, end, element)}", f"i64 {s[PackSlot.PANEL]}"])
    f.done()
    return module.text()
