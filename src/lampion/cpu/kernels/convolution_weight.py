"""Plans of a convolution's gradient for its weight, with output channels in the lanes."""

from __future__ import annotations

import itertools
import math

import numpy as np

from .. import regions
from ..kernel_text import size_of
from ..steps import SCRATCH, Place, Plan, Step, Table
from ..steps import Slot as Argument
from ..target import Target
from .convolution_copies import margin, pad, put, turn
from .convolution_lanes import BLOCK, JOBS, bands_of, box_slots, moves
from .convolution_shapes import Shape, extent, pitch, places, taps
from .convolution_tiles import Tile, most_rows
from .convolution_weight_driver import SET, Slot, SumSlot, adder, driver

MOST_PIXELS = 1 << 15  # times taps
TILE_STEPS = 20  # what a tile costs besides its sums, in steps
LEAST_GAIN = 0.99
MOST_SUMS = 2 * 1024 * 1024  # bytes of the sums of all blocks


def weight_plan(shape: Shape, operands: tuple[Place, Place, Place], element: str,
                target: Target) -> Plan:
    """Return how to compute the gradient; the operands are input, gradient and result."""
    itemsize = size_of(element)
    width = target.lanes(itemsize)
    vectors = min(2, -(-shape.outputs // width))
    panel = width * vectors
    panels = -(-shape.outputs // panel)
    lengths, bands = bands_of(shape, itemsize, panel, 1)
    inside = extent(shape.phases, lengths)
    distances = pitch(inside.sizes, shape.inputs)
    pixels = math.prod(lengths)
    image = (distances.image + pixels * panel) * itemsize
    # Few pixels at a time would read and write the sums too often.
    together = 1 if bands > 1 else max(1, min(shape.images, BLOCK // image, -(-512 // pixels)))
    count = shape.inputs * shape.taps
    # Large images have few pixels at their borders, and long tables.
    sets = _sets(shape) if bands == 1 and shape.pixels * shape.taps <= MOST_PIXELS else []
    rows, cost = _tile_rows([count], [pixels], most_rows(vectors, target))
    divided = _tile_rows([len(taps_) * shape.inputs for taps_, _ in sets],
                         [len(inside) for _, inside in sets], most_rows(vectors, target))
    if sets and divided[1] < LEAST_GAIN * cost:
        rows = divided[0]
    else:
        sets = []
    sums_job = (count + 1) * panel + margin(target, element, panel)
    units = max(1, -(-shape.images // together) * bands)
    across = shape.groups * panels
    # Blocks cost memory for their sums, parts copy the input once more each.
    blocks = max(1, min(-(-JOBS // shape.groups), units,
                        MOST_SUMS // (across * sums_job * itemsize)))
    block = -(-units // blocks)
    blocks = -(-units // block)
    parts = min(panels, -(-JOBS // (blocks * shape.groups)))
    part = -(-panels // parts)
    parts = -(-panels // part)
    jobs = blocks * shape.groups * parts
    places_ = regions.count(jobs)
    box = -(-(distances.image * together + margin(target, element, 1)) // 16) * 16
    turned = pixels * together * panel + margin(target, element, panel)
    region = -(-(box + turned) // 16) * 16 + 16
    total = -(-blocks * across * sums_job // 16) * 16
    tail = -(-(shape.outputs - (panels - 1) * panel) // width)
    row_table, step_table, set_table = _tables(
        shape, lengths, sets, (together, rows, panel), itemsize)
    slots: dict[int, Argument] = {
        Slot.SOURCE: operands[0], Slot.GRADIENT: operands[1], Slot.SUMS: Place(SCRATCH),
        Slot.SCRATCH: Place(SCRATCH, total * itemsize), Slot.ROWS: Table(row_table),
        Slot.STEPS: Table(step_table), Slot.BUSY: 0, Slot.REGIONS: places_, Slot.REGION: region,
        Slot.TURNED: box, Slot.IMAGES: shape.images, Slot.TOGETHER: together, Slot.BANDS: bands,
        Slot.GROUPS: shape.groups, Slot.PANELS: panels, Slot.UNITS: units, Slot.BLOCK: block,
        Slot.SOURCE_IMAGE: shape.groups * shape.inputs * math.prod(shape.source),
        Slot.SOURCE_GROUP: shape.inputs * math.prod(shape.source),
        Slot.GRADIENT_IMAGE: shape.groups * shape.outputs * shape.pixels,
        Slot.GRADIENT_CHANNEL: shape.pixels, Slot.SUMS_JOB: sums_job,
        Slot.BOX_IMAGE: distances.image, Slot.LANES: shape.outputs, Slot.PANEL: panel,
        Slot.PIXELS: pixels, Slot.ROW_COUNT: count, Slot.TILE_ROWS: rows,
        **moves(shape, lengths, bands, Slot.BAND_DEPTH, Slot.LAST_PIXELS),
        **box_slots(Slot.BOX, shape, inside, distances), Slot.PAD: pad(element, target),
        Slot.TURN: turn(element, target), Slot.TILE: Tile(element, rows, vectors).kernel(target),
        Slot.LAST_TILE: Tile(element, rows, tail).kernel(target), Slot.PARTS: parts,
        Slot.PART: part, Slot.SETS: Table(set_table), Slot.SET_COUNT: len(set_table) // SET,
    }
    add: dict[int, Argument] = {
        SumSlot.SUMS: Place(SCRATCH), SumSlot.RESULT: operands[2], SumSlot.GROUPS: shape.groups,
        SumSlot.PANELS: panels, SumSlot.SUMS_JOB: sums_job, SumSlot.BLOCKS: blocks,
        SumSlot.LANES: shape.outputs, SumSlot.PANEL: panel, SumSlot.ROW_COUNT: count,
        SumSlot.PUT: put(element, target),
    }
    steps = (Step(driver(element, target), jobs, tuple(slots[k] for k in range(len(slots)))),
             Step(adder(element, target), across, tuple(add[k] for k in range(len(add)))))
    return Plan(steps, (total + places_ * region) * itemsize)


def _tile_rows(counts: list[int], steps: list[int], most: int) -> tuple[int, float]:
    """Return the height of tiles with the least cost, and that: sets of rows have so many steps."""
    def cost(rows: int) -> float:
        return sum(-(-count // rows) * (n + TILE_STEPS)
                   for count, n in zip(counts, steps, strict=True)) * (rows + 1.0)

    best = min(range(max(1, most // 2), most + 1), key=cost)
    return best, cost(best)


def _sets(shape: Shape) -> list[tuple[list[int], list[int]]]:
    """Return for sets of pixels which taps see them inside the image: (taps, pixels).

    Other pixels would add zeros to the sums of these taps.
    """
    axes = []
    for phases, source, result in zip(shape.phases, shape.source, shape.result, strict=True):
        (phase,) = phases
        axes.append([[i for i in range(result) if 0 <= i * phase.advance + offset < source]
                     for _, offset in phase.taps])
    _, height, width = shape.result
    found: dict[tuple[int, ...], list[int]] = {}
    for tap, (z, y, x) in enumerate(itertools.product(*axes)):
        pixels = tuple((a * height + b) * width + c for a in z for b in y for c in x)
        found.setdefault(pixels, []).append(tap)
    return [(taps_, list(pixels)) for pixels, taps_ in found.items()]


def _tables(shape: Shape, lengths: tuple[int, ...], sets: list[tuple[list[int], list[int]]],
            sizes: tuple[int, int, int], itemsize: int,
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tables of rows, of steps, and of sets.

    Args:
        sizes: images of a pack, rows of a tile, lanes of a panel.
    """
    together, rows, panel = sizes
    part = extent(shape.phases, lengths)
    distances = pitch(part.sizes, shape.inputs)
    phase = tuple(axis[0] for axis in shape.phases)
    steps = (distances.plane, distances.row, 1)
    offset, _ = taps(phase, part.first, steps, shape.kernel)
    pixels = places(phase, lengths, steps)
    last = shape.inputs * shape.taps
    row_tables, step_tables, numbers = [], [], []
    begin_rows = begin_steps = 0
    for taps_, inside in sets or [(list(range(shape.taps)), list(range(len(pixels))))]:
        channel = np.arange(shape.inputs)[:, None]
        a = (channel * distances.channel + offset[taps_][None, :]).reshape(-1)
        c = (channel * shape.taps + np.array(taps_)[None, :]).reshape(-1)
        count = len(a)
        # Tiles are whole: rows that do not exist read the last one and are put beside the sums.
        extra = -count % rows
        a = np.concatenate([a, np.repeat(a[-1:], extra)]) * itemsize
        c = np.concatenate([c, np.full(extra, last)]) * panel * itemsize
        images, chosen = np.arange(together)[:, None], np.array(inside, np.int64)
        read = (images * distances.image + pixels[chosen][None, :]).reshape(-1)
        used = (images * len(pixels) + chosen[None, :]).reshape(-1) * panel
        numbers += [count, begin_rows, len(inside) if sets else -1, begin_steps]
        row_tables.append(np.stack([a, c], 1).astype(np.int64))
        step_tables.append((np.stack([read, used], 1) * itemsize).astype(np.int32))
        begin_rows += row_tables[-1].nbytes
        begin_steps += step_tables[-1].nbytes
    return (np.concatenate(row_tables), np.concatenate(step_tables),
            np.array(numbers, np.int64))
