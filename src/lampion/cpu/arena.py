"""The arena: one piece of memory for all that a program computes on the way.

    offsets, size = plan(lives)     where each intermediate result lies
    memory(size)                    the memory, shared by all programs: one runs at a time

Results that do not live at the same time share bytes. Each is placed into the smallest gap it fits
in when it is made; gaps join when what lay beside them goes. This takes time in proportion to the
number of results (times the logarithm of the number of gaps).
"""

from __future__ import annotations

import bisect
import contextlib
import mmap
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ALIGNMENT = 64


class Life(NamedTuple):
    """How long a result is needed: from the step that makes it to the last that reads it."""

    size: int
    first: int
    last: int


def rounded(size: int) -> int:
    """Return a size as a multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class _Gaps:
    """The free places, by offset."""

    def __init__(self):
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.top = 0

    def take(self, size: int) -> int:
        best, least = -1, 0
        for k, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            room = end - start
            if room >= size and (best < 0 or room < least):
                best, least = k, room
        if best < 0:
            # The last gap grows, where it reaches the top.
            if self.ends and self.ends[-1] == self.top:
                start = self.starts.pop()
                self.ends.pop()
            else:
                start = self.top
            self.top = start + size
            return start
        start = self.starts[best]
        self.starts[best] += size
        if self.starts[best] == self.ends[best]:
            del self.starts[best], self.ends[best]
        return start

    def give(self, start: int, size: int) -> None:
        k = bisect.bisect(self.starts, start)
        end = start + size
        if k < len(self.starts) and self.starts[k] == end:
            end = self.ends[k]
            del self.starts[k], self.ends[k]
        if k and self.ends[k - 1] == start:
            self.ends[k - 1] = end
        else:
            self.starts.insert(k, start)
            self.ends.insert(k, end)


def plan(lives: Sequence[Life]) -> tuple[list[int], int]:
    """Return an offset for each result, and the size of the whole, in bytes."""
    offsets = [0] * len(lives)
    gaps = _Gaps()
    ending: dict[int, list[int]] = {}
    by_first = sorted(range(len(lives)), key=lambda k: lives[k].first)
    step = 0
    for k in by_first:
        life = lives[k]
        while step < life.first:
            for gone in ending.pop(step, ()):
                gaps.give(offsets[gone], rounded(lives[gone].size))
            step += 1
        offsets[k] = gaps.take(rounded(life.size)) if life.size else 0
        if life.size:
            ending.setdefault(max(life.last, life.first), []).append(k)
    return offsets, gaps.top


# So many runs that need less than a part of the memory are taken for the end of what needed it.
PATIENCE = 256
PART = 2
LITTLE = 16 << 20  # bytes that are kept anyhow


class _Memory:
    """The memory, and what the runs since it was last looked at have needed."""

    def __init__(self) -> None:
        self.array = np.empty(0, np.uint8)
        self.runs = self.most = 0

    def take(self, size: int) -> np.ndarray:
        self.runs += 1
        if size > self.most:
            self.most = size
        if self.array.size < size:
            self.array = _fresh(size)
        elif self.runs >= PATIENCE:
            if self.array.size > max(PART * _room(self.most), LITTLE):
                self.array = _fresh(self.most)
            self.runs, self.most = 0, size
        return self.array


_memory = _Memory()


def memory(size: int) -> np.ndarray:
    """Return the arena's memory, at least `size` bytes, aligned to a page.

    It is replaced when more is needed, and when much less has been needed for long.
    """
    return _memory.take(size)


def _room(size: int) -> int:
    """Return how many bytes to ask for: growing by little again and again would cost time."""
    return max(size * 5 // 4, 1 << 20)


def _fresh(size: int) -> np.ndarray:
    # Private: what a fork does must not be seen by others.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
    room = mmap.mmap(-1, _room(size), **private)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            room.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(room, np.uint8)
