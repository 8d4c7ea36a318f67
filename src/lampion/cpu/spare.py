"""Memory of results, used again when nobody else holds it any more.

    spare = Spare(types, passing)
    arrays = spare.arrays(take)      one for each result, its contents unknown

Fresh memory costs a page fault every 4 KiB, more than computing what goes into it. So large arrays
stay on *shelves*, one for each type, which all programs share: what the first step of a training
needed, the second one uses. Small ones stay with their program, which finds them without a search.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Collection, Mapping, Sequence
from sys import getrefcount

import numpy as np

LARGE = 1 << 16  # bytes
# Bytes that are kept, all together, besides the results of one program.
MOST = 256 << 20
# A shelf that had arrays to spare so many times in a row lets go of these.
PATIENCE = 16
# A shelf that no program has used for so many runs is cleared.
FORGOTTEN = 64

Key = tuple[tuple[int, ...], np.dtype]


def _free(arrays: list, alone: int) -> list:
    """Return the arrays of a list that have no more references than so many, else None."""
    return [array if count <= alone else None
            for array, count in zip(arrays, map(getrefcount, arrays), strict=True)]


def _references_in_a_list() -> int:
    arrays = [object()]
    return next(n for n in range(1, 9) if _free(arrays, n) != [None])


# References that `_free` finds of an array that only a list holds.
ALONE = _references_in_a_list()

_clock = {"runs": 0}
_shelves: weakref.WeakValueDictionary[Key, Shelf] = weakref.WeakValueDictionary()
_programs: weakref.WeakSet[Spare] = weakref.WeakSet()


class Shelf:
    """The large arrays of one type, held by the programs that have such results."""

    def __init__(self, key: Key):
        self.key = key
        self.size = math.prod(key[0]) * key[1].itemsize
        self.kept: list[np.ndarray] = []
        self.used = 0
        self._times, self._surplus = 0, 0

    def take(self, count: int) -> tuple[list[np.ndarray], bool]:
        """Return so many arrays that nobody holds, and whether new ones were made."""
        self.used = _clock["runs"]
        free = [array for array in _free(self.kept, ALONE) if array is not None]
        surplus = len(free) - count
        if surplus <= 0:
            self._times = 0
            return free + [self._new() for _ in range(-surplus)], surplus < 0
        self._surplus = min(self._surplus, surplus) if self._times else surplus
        self._times += 1
        if self._times >= PATIENCE:
            self._times = 0
            gone = {id(array) for array in free[-self._surplus:]}
            self.kept = [array for array in self.kept if id(array) not in gone]
        return free[:count], False

    def _new(self) -> np.ndarray:
        array = np.empty(*self.key)
        self.kept.append(array)
        return array


class Spare:
    """The arrays of one program's results.

    Args:
        types: shape and type of each result.
        passing: numbers of results that take over the memory of what they replace. Nothing is kept
            for them: an array that is kept here has one more holder, and could not be taken over.
    """

    def __init__(self, types: Sequence[Key], passing: Collection[int] = ()):
        self._types, self._passing = types, frozenset(passing)
        self.size = 0
        self._small: list[np.ndarray | None] = [None] * len(types)
        self._apart: list[int] = []  # small results, and those of which nothing is kept
        wanted: dict[Key, list[int]] = {}
        for k, (shape, dtype) in enumerate(types):
            size = math.prod(shape) * dtype.itemsize
            self.size += size
            if size >= LARGE and k not in self._passing:
                wanted.setdefault((shape, dtype), []).append(k)
            else:
                self._apart.append(k)
        self._large = [(_shelf(key), places) for key, places in wanted.items()]
        self.small_size = 0
        _programs.add(self)

    def arrays(self, take: Mapping[int, np.ndarray] | None = None) -> list[np.ndarray]:
        """Return an array for each result.

        Args:
            take: arrays whose memory results take over, by number.
        """
        found = _free(self._small, ALONE)
        if take:
            for k, array in take.items():
                found[k] = array
        missing = [k for k in self._apart if found[k] is None]
        for k in missing:
            found[k] = self._fresh(k)
        grown = bool(missing)
        for shelf, places in self._large:
            arrays, more = shelf.take(len(places))
            grown |= more
            for k, array in zip(places, arrays, strict=True):
                found[k] = array
        _clock["runs"] += 1
        if grown or _clock["runs"] % FORGOTTEN == 0:
            _tidy(self.size)
        return found

    def _fresh(self, k: int) -> np.ndarray:
        """Return a new array for a small result, or for one that takes over nothing this time."""
        array, before = np.empty(*self._types[k]), self._small[k]
        if k not in self._passing:
            self._small[k] = array
            self.small_size += array.nbytes - (0 if before is None else before.nbytes)
        return array

    def clear(self) -> None:
        """Keep nothing any longer."""
        self._small, self.small_size = [None] * len(self._small), 0


def kept() -> int:
    """Return how many bytes are kept, all together."""
    return (sum(shelf.size * len(shelf.kept) for shelf in list(_shelves.values()))
            + sum(program.small_size for program in list(_programs)))


def let_go(array: np.ndarray) -> bool:
    """Keep an array no longer, which another holder wants to have alone; whether it was kept."""
    shelf = _shelves.get((array.shape, array.dtype))
    if shelf is None:
        return False
    for k, kept_one in enumerate(shelf.kept):
        if kept_one is array:
            del shelf.kept[k]
            return True
    return False


def _shelf(key: Key) -> Shelf:
    found = _shelves.get(key)
    if found is None:
        found = _shelves[key] = Shelf(key)
    return found


def _tidy(size: int) -> None:
    """Let go of what is not used, and of everything when that is too much.

    A program for each of many shapes would keep as many sets of gradients.

    Args:
        size: bytes of the results of the program that runs.
    """
    shelves = list(_shelves.values())
    for shelf in shelves:
        if shelf.used < _clock["runs"] - FORGOTTEN:
            shelf.kept.clear()
    if kept() > MOST + 2 * size:
        for shelf in shelves:
            shelf.kept.clear()
        for program in list(_programs):
            program.clear()
