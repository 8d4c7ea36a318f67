"""Plans of convolutions with few channels in a group, with pixels in the lanes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .. import regions
from ..kernel_text import size_of
from ..steps import SCRATCH, Place, Plan, Step, Table
from ..steps import Slot as Argument
from ..target import Target
from .convolution_copies import Box, pad
from .convolution_lanes import box_slots, whole
from .convolution_planes_driver import PHASE, Slot, driver, weight_driver
from .convolution_planes_text import lanes, out, split, tile, weight_tile
from .convolution_shapes import Extent, Phase, Pitch, Shape, extent, taps

MOST_BOX = 1024 * 1024  # bytes; larger images are cut into bands by the other kernels
UNITS = {1: 12, 2: 12, 3: 8, 4: 6}  # of a tile at most, by its channels, with 32 registers


class Layout(NamedTuple):
    """Where the numbers of a box are, in elements.

    Attributes:
        inside: the part of the image.
        pitch: of the box.
        step, part: columns are split into `step` parts of `part` each.
        row, channel: distances after the split.
    """

    inside: Extent
    pitch: Pitch
    step: int
    part: int
    row: int
    channel: int

    def column(self, offset: int) -> int:
        """Return where a column that is read from every step-th place begins."""
        return offset % self.step * self.part + offset // self.step


def suits(shape: Shape, width: int, itemsize: int) -> bool:
    """Return whether these kernels are expected to be faster than those with channels in lanes.

    The fewer outputs there are, the more of the time is spent reading; the other kernels spend
    some on turning sums around.
    """
    across = max(phase.members(shape.result[2]) for phase in shape.phases[2])
    layout = _layout(shape, width)
    if shape.rank > 2 or layout.pitch.channel * shape.inputs * itemsize > MOST_BOX:
        return False
    steps = shape.inputs * shape.taps
    reading = 0.5 if shape.outputs == 1 else 0.7 if shape.outputs == 2 else 0.85
    efficiency = across / whole(across, _lanes(shape, width))
    in_lanes = shape.outputs / whole(shape.outputs, width) * steps / (steps + 14)
    return in_lanes < efficiency * steps / (steps + 4) * reading


def suits_weight(shape: Shape, width: int, itemsize: int) -> bool:
    """The same for the weight's gradient: it needs groups that threads can share."""
    return (suits(shape, width, itemsize) and shape.groups >= 8
            and shape.inputs * shape.outputs <= 64 and shape.images > 0)


def planes_plan(shape: Shape, weights: tuple[int, int, int],
                operands: tuple[Place, Place, Place], element: str, target: Target) -> Plan:
    """Return how to compute a convolution; the operands are source, weight and result.

    Args:
        weights: distances of groups, outputs and inputs in the weight.
    """
    itemsize = size_of(element)
    width = _lanes(shape, target.lanes(itemsize))
    layout = _layout(shape, width)
    channels = min(UNITS, key=lambda n: (whole(shape.outputs, n), -n))
    most = UNITS[channels] // (2 if target.registers < 32 else 1)
    units, steps, phases, pitch, rows = _tables(shape, layout, weights[2], width, itemsize, most)
    buffer = rows * pitch + width
    slots = _slots(shape, layout, operands, element, target, buffer * channels)
    area = math.prod(shape.source)
    slots |= {
        Slot.UNITS: Table(units[0]), Slot.STEPS: Table(steps), Slot.PHASES: Table(phases),
        Slot.SOURCE_IMAGE: shape.groups * shape.inputs * area,
        Slot.SOURCE_GROUP: shape.inputs * area,
        Slot.RESULT_IMAGE: shape.groups * shape.outputs * shape.pixels,
        Slot.RESULT_GROUP: shape.outputs * shape.pixels, Slot.RESULT_CHANNEL: shape.pixels,
        Slot.OTHER_GROUP: weights[0], Slot.OTHER_CHANNEL: weights[1],
        Slot.PHASE_COUNT: len(phases) // PHASE, Slot.TILE_UNITS: units[1], Slot.PITCH: pitch,
        Slot.TILE: tile(element, width, channels, units[1], target), Slot.TILE_CHANNELS: channels,
        Slot.LAST_TILE: tile(element, width, shape.outputs % channels, units[1], target)
        if shape.outputs % channels else 0,
        Slot.OUT: out(element, target), Slot.BUFFER_CHANNEL: buffer,
    }
    jobs = shape.images * shape.groups
    return _finish(driver(element, target), slots, jobs, itemsize)


def weight_planes_plan(shape: Shape, operands: tuple[Place, Place, Place], element: str,
                       target: Target) -> Plan:
    """Return how to compute the weight's gradient; operands are input, gradient and result."""
    itemsize = size_of(element)
    width = _lanes(shape, target.lanes(itemsize))
    layout = _layout(shape, width)
    across = whole(shape.result[2], width)
    other = Pitch(across * shape.result[1], across, across * shape.result[1],
                  across * shape.result[1] * shape.outputs)
    # All of the gradient, its rows filled up to whole vectors.
    there = Shape(shape.images, shape.groups, shape.outputs, 0, shape.result, shape.result,
                  shape.kernel, shape.phases, shape.rank)
    phase = tuple(axis[0] for axis in shape.phases)
    count = shape.taps
    size = _tile_units(count, 14)
    offset = _tap_offsets(phase, layout)
    extra = -count % size
    c = np.concatenate([np.arange(count), np.full(extra, count)]) * width
    b = np.concatenate([offset, np.repeat(offset[-1:], extra)])
    y, x = np.arange(shape.result[1])[:, None], np.arange(0, across, width)[None, :]
    complete = shape.result[2] // width
    read, met = (np.concatenate([v[:, :complete].reshape(-1), v[:, complete:].reshape(-1)])
                 for v in (y * across + x, y * phase[1].advance * layout.row + x))
    room = (count + 1) * width
    slots = _slots(shape, layout, operands, element, target,
                   room * shape.inputs * shape.outputs + other.image + 2 * width)
    area = math.prod(shape.source)
    slots |= {
        Slot.UNITS: Table(_bytes(np.stack([b, c], 1), itemsize, np.int64)),
        Slot.STEPS: Table(_bytes(np.stack([read, met], 1), itemsize, np.int32)),
        Slot.PHASES: 0, Slot.SOURCE_IMAGE: shape.groups * shape.inputs * area,
        Slot.SOURCE_GROUP: shape.inputs * area, Slot.RESULT_IMAGE: 0, Slot.RESULT_GROUP: 0,
        Slot.RESULT_CHANNEL: layout.channel, Slot.OTHER_GROUP: shape.outputs * shape.pixels,
        Slot.OTHER_CHANNEL: other.channel,
        Slot.OTHER_IMAGE: shape.groups * shape.outputs * shape.pixels,
        Slot.PHASE_COUNT: 0, Slot.TILE_UNITS: size, Slot.PITCH: 0, Slot.WIDTH: width,
        Slot.WHOLE: complete * shape.result[1], Slot.LAST: shape.result[2] % width,
        Slot.REST: len(read) - complete * shape.result[1],
        Slot.TILE: weight_tile(element, width, size, target),
        Slot.OUT: lanes(element, width, target), Slot.TAPS: count, Slot.UNIT_ROOM: room,
        **box_slots(Slot.OTHER_BOX, there,
                    Extent((0, 0, 0), (1, shape.result[1], across)), other),
    }
    slots[Slot.OTHER_PLACE] = _whole_number(slots[Slot.BUFFER]) + room * (
        shape.inputs * shape.outputs)
    return _finish(weight_driver(element, target), slots, shape.groups, itemsize)


def _whole_number(argument: Argument) -> int:
    assert isinstance(argument, int)
    return argument


def _lanes(shape: Shape, width: int) -> int:
    """Return how many lanes to use: narrow vectors cost less than empty lanes of wide ones."""
    across = max(phase.members(shape.result[2]) for phase in shape.phases[2])
    while width > 4 and width // 2 >= across:
        width //= 2
    return width


def _layout(shape: Shape, width: int) -> Layout:
    inside = extent(shape.phases, shape.result)
    step = shape.phases[2][0].advance
    row = inside.sizes[2]
    rows = inside.sizes[1]
    box = Pitch(row * rows, row, row * rows, row * rows * shape.inputs)
    part = -(-row // step)
    if step == 1:
        return Layout(inside, box, 1, row, row, box.channel)
    return Layout(inside, box, step, part, step * part, step * part * rows)


def _tap_offsets(phase: tuple[Phase, ...], layout: Layout) -> np.ndarray:
    """Return where in a split channel the taps of a combined phase are read."""
    low = layout.inside.first
    return np.array([(y - low[1]) * layout.row + layout.column(x - low[2])
                     for _, y in phase[1].taps for _, x in phase[2].taps], np.int64)


def _tables(shape: Shape, layout: Layout, weight_input: int, width: int, itemsize: int,
            most: int):
    """Return (units, of a tile), steps, phases, and the pitch and rows of the buffer."""
    axes = [(phase, [phase[k].members(shape.result[k]) for k in range(3)])
            for phase in shape.combined()]
    pitch = whole(max((n[2] for _, n in axes), default=1), width)
    rows = sum(n[1] for _, n in axes)
    counts = [n[1] * -(-n[2] // width) for _, n in axes]
    size = min(range(most // 3, most + 1),
               key=lambda k: (sum(-(-c // k) * (k + 2) for c in counts), -k))
    units, steps, phases = [], [], []
    begin_units = begin_steps = begin_rows = 0
    for phase, (_, high, across) in axes:
        if not high * across:
            continue
        y = np.arange(high)[:, None]
        x = np.arange(0, across, width)[None, :]
        b = (y * phase[1].advance * layout.row + x).reshape(-1)
        lanes_of = np.minimum(across - x, width) + 0 * y
        mask = (1 << lanes_of.reshape(-1)) - 1
        if phase[2].step == 1:
            c = ((phase[1].start + y * phase[1].step) * shape.result[2] + x).reshape(-1)
        else:
            c = ((begin_rows + y) * pitch + x).reshape(-1)
        # Tiles are whole: units that do not exist do the last one again.
        extra = -len(b) % size
        table = np.stack([np.concatenate([v, np.repeat(v[-1:], extra)])
                          for v in (b * itemsize, c * itemsize, mask)], 1)
        _, number = taps(phase, layout.inside.first, (0, 0, 0), shape.kernel)
        channel = np.arange(shape.inputs)[:, None]
        used = (channel * weight_input + number[None, :]).reshape(-1)
        read = (channel * layout.channel + _tap_offsets(phase, layout)[None, :]).reshape(-1)
        phases += [begin_units, begin_steps, len(used), len(b), begin_rows * pitch, high, across,
                   phase[1].start * shape.result[2] + phase[2].start,
                   phase[1].step * shape.result[2], phase[2].step]
        units.append(table.astype(np.int64))
        steps.append(_bytes(np.stack([used, read], 1), itemsize, np.int32))
        begin_units += units[-1].nbytes
        begin_steps += steps[-1].nbytes
        begin_rows += high
    return ((np.concatenate(units), size), np.concatenate(steps), np.array(phases, np.int64),
            pitch, rows)


def _bytes(numbers: np.ndarray, itemsize: int, kind: type) -> np.ndarray:
    return (numbers * itemsize).astype(kind)


def _tile_units(count: int, most: int) -> int:
    """Return the size of equal tiles of at most `most`."""
    return -(-count // -(-count // most))


def _slots(shape: Shape, layout: Layout, operands: tuple[Place, Place, Place], element: str,
           target: Target, buffer: int) -> dict[int, Argument]:
    """Return the slots that both drivers have in common."""
    width = target.lanes(size_of(element))
    # Vectors at the end of the last row reach beyond it.
    box = whole(layout.pitch.image + 4 * width, 16)
    planes = whole(layout.channel * shape.inputs + 4 * width, 16) if layout.step > 1 else 0
    slots: dict[int, Argument] = {slot: 0 for slot in Slot}
    slots |= {
        Slot.SOURCE: operands[0], Slot.OTHER: operands[1], Slot.RESULT: operands[2],
        Slot.SCRATCH: Place(SCRATCH), Slot.REGION: whole(box + planes + buffer, 16) + 16,
        Slot.PLANES: box if planes else 0, Slot.BUFFER: box + planes, Slot.GROUPS: shape.groups,
        Slot.IMAGES: shape.images, Slot.CHANNELS: shape.outputs,
        Slot.SPLIT_ROWS: layout.inside.sizes[1] * shape.inputs, Slot.SPLIT_STEP: layout.step,
        Slot.SPLIT_PART: layout.part, **box_slots(Slot.BOX, shape, layout.inside, layout.pitch),
        Slot.PAD: pad(element, target), Slot.SPLIT: split(element, target) if planes else 0,
    }
    # Gaps between the drivers' own numbers hold the numbers of `Box`.
    for k in range(len(Box)):
        slots.setdefault(Slot.OTHER_BOX + k, 0)
    return slots


def _finish(kernel, slots: dict[int, Argument], jobs: int, itemsize: int) -> Plan:
    places = regions.count(jobs)
    slots[Slot.REGIONS] = places
    step = Step(kernel, jobs, tuple(slots[k] for k in range(len(slots))))
    return Plan((step,), places * _whole_number(slots[Slot.REGION]) * itemsize)
