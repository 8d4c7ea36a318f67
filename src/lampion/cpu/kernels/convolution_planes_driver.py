"""The outer loops of convolutions with few channels in a group: pixels lie in the lanes.

Forward and transposed: a job is a group of an image. It copies the group's channels into a box with
zeros around (for steps between pixels, every step-th column to a part of its own), then computes
channel after channel of the result, phase by phase, and copies its rows out.

The weight's gradient: a job is a group. For each image it copies input and gradient into boxes and
adds to sums that have a vector for each tap; at last the lanes of each are added up.
"""

from __future__ import annotations

from enum import IntEnum

from ..kernel_text import Module, size_of
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target
from .convolution_copies import Box
from .convolution_driver import split
from .convolution_planes_text import UNIT

# Numbers of a phase: offsets of its units and steps in bytes, steps, units, then what `out` takes:
# where it begins in the buffer, rows, columns; where in the result, distances of rows, of columns.
PHASE = 10


class Slot(IntEnum):
    """The slots of both drivers' tables of arguments."""

    SOURCE = 0
    OTHER = 1  # the weight; of the weight's gradient, the result's gradient
    RESULT = 2
    SCRATCH = 3
    UNITS = 4  # tables: of units, of steps, of phases
    STEPS = 5
    PHASES = 6
    BUSY = 7  # bits of the regions of scratch memory in use
    REGIONS = 8
    REGION = 9  # elements of each
    PLANES = 10  # where in a region the split box begins: 0 when there is none
    BUFFER = 11  # where the sums begin
    GROUPS = 12
    IMAGES = 13
    SOURCE_IMAGE = 14  # distances, in elements
    SOURCE_GROUP = 15
    RESULT_IMAGE = 16
    RESULT_GROUP = 17
    RESULT_CHANNEL = 18
    OTHER_GROUP = 19
    OTHER_CHANNEL = 20
    OTHER_IMAGE = 21
    CHANNELS = 22  # of a group of the result (of the gradient)
    PHASE_COUNT = 23
    TILE_UNITS = 24
    PITCH = 25  # of rows in the buffer
    SPLIT_ROWS = 26
    SPLIT_STEP = 27
    SPLIT_PART = 28
    BOX = 29
    OTHER_BOX = 42  # of the gradient
    PAD = 55  # functions
    SPLIT = 56
    TILE = 57
    OUT = 58  # of the weight's gradient: `lanes`
    OTHER_PLACE = 59  # where in a region the gradient's box begins
    TAPS = 60
    UNIT_ROOM = 61  # elements of the sums of two channels
    WHOLE = 62  # steps with whole vectors; those after them have LAST lanes
    REST = 63
    WIDTH = 64
    LAST = 65
    TILE_CHANNELS = 66
    LAST_TILE = 67
    BUFFER_CHANNEL = 68


def driver(element: str, target: Target) -> Kernel:
    """Return the driver of forward and transposed convolutions."""
    return Kernel(f"convolution planes driver {element}",
                  lambda: _Forward(element, target).text(), "planes")


def weight_driver(element: str, target: Target) -> Kernel:
    """Return the driver of the weight's gradient."""
    return Kernel(f"convolution planes weight driver {element}",
                  lambda: _Weight(element, target).text(), "planes")


class _Driver:
    """What both drivers do: regions, boxes."""

    def __init__(self, element: str, target: Target):
        self.element = element
        self.module = Module(target)
        f = self.f = self.module.function("planes", ["ptr %args", "i64 %begin", "i64 %end"])
        self.s = {slot: f.slot(slot) for slot in Slot
                  if not Slot.BOX <= slot <= Slot.OUT and slot != Slot.LAST_TILE}
        for slot in (Slot.SOURCE, Slot.OTHER, Slot.RESULT, Slot.SCRATCH, Slot.UNITS, Slot.STEPS,
                     Slot.PHASES):
            self.s[slot] = f.pointer(self.s[slot])

    def text(self) -> str:
        f, s = self.f, self.s
        region = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.scratch = f.at(s[Slot.SCRATCH], f.multiply(region, s[Slot.REGION]), self.element)
        self.planes = f.at(self.scratch, s[Slot.PLANES], self.element)
        self.buffer = f.at(self.scratch, s[Slot.BUFFER], self.element)
        with f.loop("%begin", "%end") as job:
            self.job(job)
        release(f, Slot.BUSY, s[Slot.REGIONS], region)
        f.done()
        return self.module.text()

    def job(self, job) -> None:
        raise NotImplementedError

    def fill(self, image, group) -> None:
        """Copy a group of an image into the box, and split it if asked for."""
        f, s, element = self.f, self.s, self.element
        here = f.add(f.multiply(image, s[Slot.SOURCE_IMAGE]),
                     f.multiply(group, s[Slot.SOURCE_GROUP]))
        f.call(f.slot(Slot.PAD, "ptr"), [
            f"ptr {f.at('%args', int(Slot.BOX), 'i64')}",
            f"ptr {f.at(s[Slot.SOURCE], here, element)}", f"ptr {self.scratch}"])
        with f.when(f.compare("ne", s[Slot.PLANES], 0)):
            f.call(f.slot(Slot.SPLIT, "ptr"), [
                f"ptr {self.scratch}", f"i64 {s[Slot.SPLIT_ROWS]}",
                f"i64 {f.slot(Slot.BOX + Box.ROW)}", f"ptr {self.planes}",
                f"i64 {f.multiply(s[Slot.SPLIT_STEP], s[Slot.SPLIT_PART])}",
                f"i64 {s[Slot.SPLIT_STEP]}", f"i64 {s[Slot.SPLIT_PART]}"])


class _Forward(_Driver):
    """Writes the driver of forward and transposed convolutions."""

    def job(self, job) -> None:
        f, s, element = self.f, self.s, self.element
        image, group = split(f, job, s[Slot.GROUPS])
        self.fill(image, group)
        weight = f.at(s[Slot.OTHER], f.multiply(group, s[Slot.OTHER_GROUP]), element)
        place = f.add(f.multiply(image, s[Slot.RESULT_IMAGE]),
                      f.multiply(group, s[Slot.RESULT_GROUP]))
        result = f.at(s[Slot.RESULT], place, element)
        with f.loop(0, s[Slot.CHANNELS], s[Slot.TILE_CHANNELS]) as channel:
            left = f.subtract(s[Slot.CHANNELS], channel)
            whole = f.compare("sge", left, s[Slot.TILE_CHANNELS])
            tile = f.select(whole, f.slot(Slot.TILE, "ptr"), f.slot(Slot.LAST_TILE, "ptr"), "ptr")
            self.phases(
                str(tile), f.minimum(left, s[Slot.TILE_CHANNELS]),
                f.at(weight, f.multiply(channel, s[Slot.OTHER_CHANNEL]), element),
                f.at(result, f.multiply(channel, s[Slot.RESULT_CHANNEL]), element))

    def phases(self, tile: str, channels, weight: str, result: str) -> None:
        """Compute some channels of the result, phase by phase."""
        f, s, element = self.f, self.s, self.element
        size = size_of(element)
        with f.loop(0, s[Slot.PHASE_COUNT]) as phase:
            start = f.multiply(phase, PHASE)
            numbers = [f.load("i64", f.at(s[Slot.PHASES], f.add(start, i), "i64"))
                       for i in range(PHASE)]
            units = f.at(s[Slot.UNITS], numbers[0], "i8")
            steps = f.at(s[Slot.STEPS], numbers[1], "i8")
            # Neighbours in the result are written at once.
            direct = f.compare("eq", numbers[9], 1)
            place = str(f.select(direct, result, self.buffer, "ptr"))
            apart = f.select(direct, s[Slot.RESULT_CHANNEL], s[Slot.BUFFER_CHANNEL])
            with f.loop(0, numbers[3], s[Slot.TILE_UNITS]) as unit:
                f.call(tile, [
                    f"ptr {weight}", f"i64 {f.multiply(s[Slot.OTHER_CHANNEL], size)}",
                    f"ptr {f.at(units, f.multiply(unit, UNIT), 'i64')}", f"ptr {self.planes}",
                    f"ptr {steps}", f"i64 {numbers[2]}", f"ptr {place}",
                    f"i64 {f.multiply(apart, size)}"])
            with f.loop(0, f.select(direct, 0, channels)) as channel:
                begin = f.add(numbers[4], f.multiply(channel, s[Slot.BUFFER_CHANNEL]))
                end = f.add(numbers[7], f.multiply(channel, s[Slot.RESULT_CHANNEL]))
                f.call(f.slot(Slot.OUT, "ptr"), [
                    f"ptr {f.at(self.buffer, begin, element)}", f"i64 {s[Slot.PITCH]}",
                    f"i64 {numbers[5]}", f"i64 {numbers[6]}",
                    f"ptr {f.at(result, end, element)}", f"i64 {numbers[8]}",
                    f"i64 {numbers[9]}"])


class _Weight(_Driver):
    """Writes the driver of the weight's gradient."""

    def job(self, group) -> None:
        f, s, element = self.f, self.s, self.element
        inputs = f.slot(Slot.BOX + Box.CHANNELS)
        pairs = f.multiply(inputs, s[Slot.CHANNELS])
        gradient = f.at(s[Slot.OTHER], f.multiply(group, s[Slot.OTHER_GROUP]), element)
        other = f.at(self.scratch, s[Slot.OTHER_PLACE], element)
        with f.loop(0, s[Slot.IMAGES]) as image:
            self.fill(image, group)
            here = f.at(gradient, f.multiply(image, s[Slot.OTHER_IMAGE]), element)
            f.call(f.slot(Slot.PAD, "ptr"), [
                f"ptr {f.at('%args', int(Slot.OTHER_BOX), 'i64')}", f"ptr {here}", f"ptr {other}"])
            go_on = f.value(f"zext i1 {f.compare('ne', image, 0)} to i64")
            with f.loop(0, pairs) as pair:
                channel, source = split(f, pair, inputs)
                self.pair(pair, f.at(other, f.multiply(channel, s[Slot.OTHER_CHANNEL]), element),
                          f.at(self.planes, f.multiply(source, s[Slot.RESULT_CHANNEL]), element),
                          go_on)
        result = f.at(s[Slot.RESULT], f.multiply(group, f.multiply(pairs, s[Slot.TAPS])), element)
        with f.loop(0, pairs) as pair:
            sums = f.at(self.buffer, f.multiply(pair, s[Slot.UNIT_ROOM]), element)
            f.call(f.slot(Slot.OUT, "ptr"), [
                f"ptr {sums}", f"i64 {s[Slot.TAPS]}",
                f"ptr {f.at(result, f.multiply(pair, s[Slot.TAPS]), element)}"])

    def pair(self, pair, gradient: str, source: str, go_on) -> None:
        """Add to the sums of a channel of the gradient and a channel of the input."""
        f, s = self.f, self.s
        sums = f.at(self.buffer, f.multiply(pair, s[Slot.UNIT_ROOM]), self.element)
        rest = f.at(s[Slot.STEPS], f.multiply(s[Slot.WHOLE], 2), "i32")
        with f.loop(0, s[Slot.TAPS], s[Slot.TILE_UNITS]) as unit:
            units = f.at(s[Slot.UNITS], f.multiply(unit, 2), "i64")
            for steps, count, lanes, more in (
                    (s[Slot.STEPS], s[Slot.WHOLE], s[Slot.WIDTH], go_on),
                    (rest, s[Slot.REST], s[Slot.LAST], 1)):
                f.call(f.slot(Slot.TILE, "ptr"), [
                    f"ptr {gradient}", f"ptr {units}", f"ptr {source}", f"ptr {steps}",
                    f"i64 {count}", f"ptr {sums}", f"i64 {more}", f"i64 {lanes}"])
