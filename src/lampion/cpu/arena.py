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


_memory = {"array": np.empty(0, np.uint8)}


def memory(size: int) -> np.ndarray:
    """Return the arena's memory, at least `size` bytes, aligned to a page.

    It grows and is never given back; growing replaces it.
    """
    if _memory["array"].size < size:
        # Private: what a fork does must not be seen by others.
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
        room = mmap.mmap(-1, max(size * 5 // 4, 1 << 20), **private)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without them
                room.madvise(mmap.MADV_HUGEPAGE)
        _memory["array"] = np.frombuffer(room, np.uint8)
    return _memory["array"]
