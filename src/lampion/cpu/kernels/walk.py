"""Walks over arrays that lie in memory in any order: which job does what.

An array's axes are joined where neighbours lie one after the other. What is left is

    outer axes      up to MOST of them, like the digits of a number that counts up
    middle axis     done in order, never split between jobs
    inner axis      cut into blocks

and a *unit* is a block of the inner axis for one place of the outer axes, with all of the middle
axis. Jobs are runs of units; neighbouring blocks of one call are done as one. All sizes and strides
are slots, strides in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from ...strides import Shape
from ..kernel_text import Function, Whole

MOST = 6  # outer axes
JOB_BYTES = 64 * 1024  # about what a job reads and writes

# Slots of a walk, from its first one on.
UNITS, UNITS_A_JOB, BLOCKS, BLOCK, RANK, MIDDLE, INNER, AXES = range(8)


class Axis(NamedTuple):
    """A size, and for each array how many bytes on the next element lies."""

    size: int
    strides: tuple[int, ...]


def joined(shape: Shape, strides: Sequence[Shape], itemsizes: Sequence[int]) -> list[Axis]:
    """Return the axes, without those of size 1, neighbours joined where every array allows it.

    Args:
        strides: of each array, in elements.
        itemsizes: of each array, in bytes.
    """
    found: list[Axis] = []
    for k, size in enumerate(shape):
        if size == 1:
            continue
        steps = tuple(own[k] * itemsize for own, itemsize in zip(strides, itemsizes, strict=True))
        if found and found[-1].strides == tuple(size * step for step in steps):
            found[-1] = Axis(found[-1].size * size, steps)
        else:
            found.append(Axis(size, steps))
    return found


class Walk(NamedTuple):
    """How to walk: axes, and the length of the inner axis's blocks."""

    outer: list[Axis]
    middle: Axis
    inner: Axis
    block: int

    @property
    def units(self) -> int:
        return math.prod(axis.size for axis in self.outer) * -(-self.inner.size // self.block)

    def jobs(self, unit_bytes: int) -> tuple[int, int]:
        """Return the number of jobs, and of units in each, by what a unit costs."""
        together = max(1, JOB_BYTES // max(unit_bytes, 1))
        return -(-self.units // together), together

    def slots(self, units_a_job: int) -> tuple[int, ...]:
        """Return the numbers that `walking` reads."""
        arrays = range(len(self.inner.strides))
        empty = [0] * (MOST - len(self.outer))
        numbers = [self.units, units_a_job, -(-self.inner.size // self.block), self.block,
                   len(self.outer), self.middle.size, self.inner.size]
        numbers += [axis.size for axis in self.outer] + empty
        for array in arrays:
            numbers += [self.middle.strides[array], self.inner.strides[array]]
            numbers += [axis.strides[array] for axis in self.outer] + empty
        return tuple(numbers)


class Row(NamedTuple):
    """What the body of a walk does: arrays from `pointers` on, `length` elements of the inner axis.

    Attributes:
        pointers: of each array, at the first element.
        length: of the inner axis.
        middle: size of the middle axis.
        across, along: of each array, the strides of the middle and the inner axis in bytes.
    """

    pointers: list[str]
    length: Whole
    middle: Whole
    across: list[str]
    along: list[str]


def size(arrays: int) -> int:
    """Return how many slots a walk has."""
    return AXES + MOST + arrays * (2 + MOST)


@contextmanager
def walking(f: Function, start: int, pointers: Sequence[str]) -> Iterator[Row]:
    """Write a walk over the jobs %begin to %end; the slots begin at number `start`."""
    arrays = range(len(pointers))
    sizes = f.at("%args", start + AXES, "i64")
    tables = [f.at("%args", start + AXES + MOST + k * (2 + MOST), "i64") for k in arrays]
    across = [f.load("i64", table) for table in tables]
    along = [f.load("i64", f.at(table, 1, "i64")) for table in tables]
    strides = [f.at(table, 2, "i64") for table in tables]
    units, together, blocks, length, rank, middle, inner = (
        f.slot(start + k) for k in range(AXES))
    first = f.multiply("%begin", together)
    last = f.minimum(f.multiply("%end", together), units)
    counters = f.variable(f"[{MOST} x i64]")
    offsets = [f.variable("i64", 0) for _ in arrays]
    block = f.variable("i64", 0)
    with f.when(f.compare("slt", first, last)):
        place = f.divide(first, blocks)
        f.store("i64", f.subtract(first, f.multiply(place, blocks)), block)
        _begin(f, place, rank, sizes, counters, strides, offsets)
    unit = f.variable("i64", first)
    with f.while_below(unit, last) as now:
        here = f.load("i64", block)
        run = f.minimum(f.subtract(blocks, here), f.subtract(last, now))
        f.store("i64", f.add(now, run), unit)
        begin = f.multiply(here, length)
        count = f.minimum(f.multiply(run, length), f.subtract(inner, begin))
        starts = [f.at(pointer, f.add(f.load("i64", offset), f.multiply(begin, step)), "i8")
                  for pointer, offset, step in zip(pointers, offsets, along, strict=True)]
        yield Row(starts, count, middle, across, along)
        f.store("i64", 0, block)
        _advance(f, rank, sizes, counters, strides, offsets)


def _begin(f: Function, place: Whole, rank, sizes, counters, strides, offsets) -> None:
    """Set the outer axes' counters to a place, the last axis counting fastest."""
    rest = f.variable("i64", place)
    with f.loop(0, rank) as k:
        axis = f.subtract(f.subtract(rank, 1), k)
        size = f.load("i64", f.at(sizes, axis, "i64"))
        number = f.load("i64", rest)
        higher = f.divide(number, size)
        digit = f.subtract(number, f.multiply(higher, size))
        f.store("i64", higher, rest)
        f.store("i64", digit, f.at(counters, axis, "i64"))
        for table, offset in zip(strides, offsets, strict=True):
            step = f.multiply(digit, f.load("i64", f.at(table, axis, "i64")))
            f.store("i64", f.add(f.load("i64", offset), step), offset)


def _advance(f: Function, rank, sizes, counters, strides, offsets) -> None:
    """Count one on: an axis at its end goes back to 0 and carries to the one before."""
    carry = f.variable("i64", 0)
    with f.while_below(carry, rank) as k:
        axis = f.subtract(f.subtract(rank, 1), k)
        size = f.load("i64", f.at(sizes, axis, "i64"))
        counter = f.at(counters, axis, "i64")
        digit = f.add(f.load("i64", counter), 1)
        over = f.compare("eq", digit, size)
        f.store("i64", f.select(over, 0, digit), counter)
        for table, offset in zip(strides, offsets, strict=True):
            step = f.load("i64", f.at(table, axis, "i64"))
            moved = f.select(over, f.subtract(step, f.multiply(step, size)), step)
            f.store("i64", f.add(f.load("i64", offset), moved), offset)
        f.store("i64", f.select(over, f.add(k, 1), rank), carry)
