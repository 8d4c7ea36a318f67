"""Plans of convolutions and transposed convolutions with output channels in the lanes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .. import regions
from ..kernel_text import size_of
from ..steps import SCRATCH, Place, Plan, Step, Table
from ..steps import Slot as Argument
from ..target import Target
from .convolution_copies import Box, margin, pad, put, turn
from .convolution_driver import PHASE, FillSlot, PackSlot, Slot, driver, filler, packer
from .convolution_shapes import AXES, Extent, Pitch, Shape, extent, outputs, pitch, places, taps
from .convolution_tiles import Tile, most_rows

# Bytes of a box and its sums: they stay in the second-level cache beside a panel of weights.
BLOCK = 512 * 1024
MOST_TOGETHER = 64  # images: more would only make planning slow
# Bytes of weights that are better laid out where they are used; bytes of a box that jobs share.
MANY_WEIGHTS = 4 << 20
LARGEST_SHARED = 1 << 20
TILE_TAPS = 30  # what a tile costs besides its sums, in steps
LEAST_GAIN = 0.99
PANEL_AT = 16  # elements: not at the beginning, which would mean that there is none
JOBS = 8  # as many as there should be at least, for threads to share


class Weights(NamedTuple):
    """Where the number of a step and a lane is: distances in elements, see `turn`."""

    group: int
    lane: int
    runs: int
    length: int
    run: int


class Blocking(NamedTuple):
    """How outputs are cut into jobs and tiles.

    Attributes:
        together: images of a job.
        lengths: sizes of a band of the result; the whole but for the first of the user's axes.
        bands: how many.
        rows, vectors: of a tile.
        extent, pitch: the box of a job.
        cost: of all tiles of an image, in sums of vectors.
    """

    together: int
    lengths: tuple[int, ...]
    bands: int
    rows: int
    vectors: int
    extent: Extent
    pitch: Pitch
    cost: float


def lanes_plan(shape: Shape, weights: Weights, operands: tuple[Place, Place, Place], element: str,
               target: Target) -> Plan:
    """Return how to compute a convolution; the operands are source, weight and result."""
    shape, blocking = _best_blocking(shape, element, target)
    itemsize = size_of(element)
    width = target.lanes(itemsize)
    panel = width * blocking.vectors
    panels = -(-shape.outputs // panel)
    steps = shape.inputs * shape.taps
    weight_panel = steps * panel + margin(target, element, panel)
    total = shape.groups * panels * weight_panel

    packs = -(-shape.images // blocking.together)
    jobs = packs * blocking.bands * shape.groups
    parts = min(panels, -(-JOBS // jobs)) if jobs else 1
    part = -(-panels // parts)
    parts = -(-panels // part)
    jobs *= parts
    places_ = regions.count(jobs)
    box = blocking.pitch.image * blocking.together + margin(target, element, 1)
    box = -(-box // 16) * 16
    pixels = math.prod(blocking.lengths)
    sums = (pixels * blocking.together + 1) * panel + margin(target, element, panel)
    # Where all images are one job's, each panel is one job's, too.
    shared = weighty(shape, itemsize)
    if shared:
        total, begin = box, whole(PANEL_AT + weight_panel, 16)
    else:
        begin = box
    region = -(-(begin + sums) // 16) * 16 + 16
    tables = _tables(shape, blocking, panel, itemsize)
    tail = -(-(shape.outputs - (panels - 1) * panel) // width)
    slots: dict[int, Argument] = {
        Slot.SOURCE: operands[0], Slot.WEIGHT: operands[1] if shared else Place(SCRATCH),
        Slot.RESULT: operands[2],
        Slot.SCRATCH: Place(SCRATCH, total * itemsize), Slot.ROWS: Table(tables.rows),
        Slot.STEPS: Table(tables.steps), Slot.PHASES: Table(tables.phases), Slot.BUSY: 0,
        Slot.REGIONS: places_, Slot.REGION: region, Slot.SUMS: begin,
        Slot.IMAGES: shape.images, Slot.TOGETHER: blocking.together, Slot.BANDS: blocking.bands,
        Slot.GROUPS: shape.groups, Slot.PARTS: parts, Slot.PART: part,
        Slot.SOURCE_IMAGE: shape.groups * shape.inputs * math.prod(shape.source),
        Slot.SOURCE_GROUP: shape.inputs * math.prod(shape.source),
        Slot.RESULT_IMAGE: shape.groups * shape.outputs * shape.pixels,
        Slot.RESULT_CHANNEL: shape.pixels,
        Slot.WEIGHT_GROUP: weights.group if shared else panels * weight_panel,
        Slot.WEIGHT_PANEL: weight_panel, Slot.BOX_IMAGE: blocking.pitch.image,
        Slot.LANES: shape.outputs, Slot.PANEL: panel, Slot.PIXELS: pixels,
        Slot.PHASE_COUNT: len(tables.phases) // PHASE, Slot.TILE_ROWS: blocking.rows,
        **moves(shape, blocking.lengths, blocking.bands, Slot.BAND_DEPTH, Slot.LAST_PIXELS),
        Slot.PAD: pad(element, target), Slot.PUT: put(element, target),
        Slot.TILE: Tile(element, blocking.rows, blocking.vectors).kernel(target) if panels > 1
        else 0,
        Slot.LAST_TILE: Tile(element, blocking.rows, tail).kernel(target),
        **box_slots(Slot.BOX, shape, blocking.extent, blocking.pitch),
        Slot.SHARED: Place(SCRATCH) if shared else 0, Slot.PANEL_AT: PANEL_AT if shared else 0,
        Slot.TURN: turn(element, target) if shared else 0, Slot.LANE: weights.lane,
        Slot.RUNS: weights.runs, Slot.LENGTH: weights.length, Slot.RUN: weights.run,
    }
    step = Step(driver(element, target), jobs, tuple(slots[k] for k in range(len(slots))))
    before = (_fill(shape, blocking, operands[0], element, target) if shared else
              _pack(shape, weights, operands[1], panels, panel, weight_panel, element, target))
    return Plan((before, step), (total + places_ * region) * itemsize)


def weighty(shape: Shape, itemsize: int) -> bool:
    """Return whether weights are many and pixels few: jobs lay out panels, and share the box."""
    weights = shape.inputs * shape.taps * shape.outputs * itemsize
    image = pitch(extent(shape.phases, shape.result).sizes, shape.inputs).image * itemsize
    return (shape.groups == 1 and weights >= MANY_WEIGHTS
            and 0 < shape.images <= min(MOST_TOGETHER, LARGEST_SHARED // max(image, 1)))


def last_lengths(shape: Shape, lengths: tuple[int, ...], bands: int) -> tuple[int, ...]:
    """Return the sizes of the last band."""
    return tuple(n - (bands - 1) * m if k == shape.band_axis else n
                 for k, (n, m) in enumerate(zip(shape.result, lengths, strict=True)))


def moves(shape: Shape, lengths: tuple[int, ...], bands: int, start: int,
          last: int) -> dict[int, Argument]:
    """Return how far the box moves from band to band, and the pixels of the last band, as slots."""
    axis = shape.band_axis
    phase = shape.phases[axis][0]
    distances = [0, 0, 0]
    if bands > 1:
        distances[axis] = lengths[axis] // phase.step * phase.advance
    found: dict[int, Argument] = {start + k: n for k, n in enumerate(distances)}
    found[last] = math.prod(last_lengths(shape, lengths, bands))
    return found


def box_slots(start: int, shape: Shape, part: Extent, distances: Pitch) -> dict[int, Argument]:
    """Return the numbers of `Box` as slots."""
    numbers = {
        Box.CHANNELS: shape.inputs, Box.PLANE: distances.plane, Box.ROW: distances.row,
        Box.CHANNEL: distances.channel,
        **{Box.DEPTH + k: n for k, n in enumerate(shape.source)},
        **{Box.FIRST_DEPTH + k: n for k, n in enumerate(part.first)},
        **{Box.COUNT_DEPTH + k: n for k, n in enumerate(part.sizes)},
    }
    return {start + int(name): number for name, number in numbers.items()}


def _fill(shape: Shape, blocking: Blocking, place: Place, element: str, target: Target) -> Step:
    slots: dict[int, Argument] = {
        FillSlot.SOURCE: place, FillSlot.BOX_TO: Place(SCRATCH),
        FillSlot.SOURCE_IMAGE: shape.inputs * math.prod(shape.source),
        FillSlot.BOX_IMAGE: blocking.pitch.image, FillSlot.PAD: pad(element, target),
        **box_slots(FillSlot.BOX, shape, blocking.extent, blocking.pitch),
    }
    return Step(filler(element, target), shape.images,
                tuple(slots[k] for k in range(len(slots))))


def _pack(shape: Shape, weights: Weights, place: Place, panels: int, panel: int, weight_panel: int,
          element: str, target: Target) -> Step:
    slots: dict[int, Argument] = {
        PackSlot.WEIGHT: place, PackSlot.PANELS_TO: Place(SCRATCH), PackSlot.PANELS: panels,
        PackSlot.LANES: shape.outputs, PackSlot.PANEL: panel, PackSlot.GROUP: weights.group,
        PackSlot.LANE: weights.lane, PackSlot.RUNS: weights.runs, PackSlot.LENGTH: weights.length,
        PackSlot.RUN: weights.run, PackSlot.PANEL_TO: weight_panel,
        PackSlot.GROUP_TO: panels * weight_panel, PackSlot.TURN: turn(element, target),
    }
    return Step(packer(element, target), shape.groups * panels,
                tuple(slots[k] for k in range(len(slots))))


class Tables(NamedTuple):
    """The three tables of the driver."""

    rows: np.ndarray
    steps: np.ndarray
    phases: np.ndarray


def _tables(shape: Shape, b: Blocking, panel: int, itemsize: int) -> Tables:
    last = last_lengths(shape, b.lengths, b.bands)
    distances = (b.pitch.plane, b.pitch.row, 1)
    pixels = math.prod(b.lengths)
    images = np.arange(b.together)[:, None]
    rows, steps, phases = [], [], []
    begin_rows = begin_steps = 0
    for phase in shape.combined():
        a = (places(phase, b.lengths, distances)[None, :] + images * b.pitch.image).reshape(-1)
        c = (outputs(phase, b.lengths)[None, :] + images * pixels).reshape(-1)
        if not len(a):
            continue
        # Tiles are whole: rows that do not exist read the last one and are put beside the sums.
        extra = -len(a) % b.rows + b.rows
        a = np.concatenate([a, np.repeat(a[-1:], extra)])
        c = np.concatenate([c, np.full(extra, pixels * b.together)])
        offset, number = taps(phase, b.extent.first, distances, shape.kernel)
        channels = np.arange(shape.inputs)[:, None]
        read = (channels * b.pitch.channel + offset[None, :]).reshape(-1)
        used = (channels * shape.taps + number[None, :]).reshape(-1) * panel
        per_image = len(places(phase, b.lengths, distances))
        phases += [begin_rows, begin_steps, len(read), per_image,
                   math.prod(p.members(n) for p, n in zip(phase, last, strict=True))]
        rows.append(np.stack([a * itemsize, c * panel * itemsize], 1))
        steps.append(np.stack([read, used], 1) * itemsize)
        begin_rows += rows[-1].size * 8
        begin_steps += steps[-1].size * 4
    return Tables(np.concatenate(rows).astype(np.int64), np.concatenate(steps).astype(np.int32),
                  np.array(phases, np.int64))


def _blocking(shape: Shape, element: str, target: Target) -> Blocking:
    """Choose bands, images of a job, and the tile with the fewest rows that do not exist."""
    itemsize = size_of(element)
    width = target.lanes(itemsize)
    vectors = min(2, -(-shape.outputs // width))
    heavy = weighty(shape, itemsize)
    lengths, bands = (shape.result, 1) if heavy else (
        bands_of(shape, itemsize, width * vectors, JOBS))
    part = extent(shape.phases, lengths)
    distances = pitch(part.sizes, shape.inputs)
    image = distances.image * itemsize + math.prod(lengths) * width * vectors * itemsize
    jobs = shape.images // 4 or 1
    most = 1 if bands > 1 else max(1, min(jobs, BLOCK // image, MOST_TOGETHER))
    counts = [(math.prod(p.members(n) for p, n in zip(phase, lengths, strict=True)),
               math.prod(len(p.taps) for p in phase) + TILE_TAPS / shape.inputs)
              for phase in shape.combined()]

    def cost(choice: tuple[int, int]) -> float:
        together, rows = choice
        tiles = sum(-(-together * count // rows) * taps for count, taps in counts)
        return tiles * (rows + 1) / together

    fit = most_rows(vectors, target)
    least = max(1, fit // 2)
    numbers = [shape.images] if heavy else range(1, most + 1)
    together, rows = min(
        ((n, rows) for n in numbers for rows in range(least, fit + 1)), key=cost)
    return Blocking(together, lengths, bands, rows, vectors, part, distances,
                    cost((together, rows)))


def _best_blocking(shape: Shape, element: str, target: Target) -> tuple[Shape, Blocking]:
    """Return a blocking, and the shape with borders of their own where that saves something."""
    best = shape, _blocking(shape, element, target)
    if best[1].bands > 1:
        return best  # a band's rows would be others each time
    for axes in (AXES - 1, AXES):
        bordered = shape.bordered(axes)
        blocking = _blocking(bordered, element, target)
        if blocking.bands == 1 and blocking.cost < LEAST_GAIN * best[1].cost:
            best = bordered, blocking
    return best


def whole(number: int, unit: int) -> int:
    """Return a number rounded up to a multiple of a unit."""
    return -(-number // unit) * unit


def bands_of(shape: Shape, itemsize: int, panel: int, jobs: int) -> tuple[tuple[int, ...], int]:
    """Return the sizes of a band whose box and sums fit into the cache, and the number of bands.

    Args:
        panel: lanes that are held for each pixel of a band.
        jobs: as many bands of all images as there should be, unless they would be small.
    """
    axis = shape.band_axis
    step = max(phase.step for phase in shape.phases[axis])
    length = shape.result[axis]

    def size(count: int) -> int:
        lengths = shape.result[:axis] + (count,) + shape.result[axis + 1:]
        part = extent(shape.phases, lengths)
        return (pitch(part.sizes, shape.inputs).image + math.prod(lengths) * panel) * itemsize

    count = length
    # Bands begin at outputs of the first phase.
    while count > step and (size(count) > BLOCK or (
            shape.images * -(-length // count) < jobs and size(count) > BLOCK // 8)):
        count = max(step, whole(count // 2, step))
    bands = -(-length // count)
    if bands == 1:
        return shape.result, 1
    even = whole(whole(length, bands) // bands, step)
    return shape.result[:axis] + (even,) + shape.result[axis + 1:], -(-length // even)
