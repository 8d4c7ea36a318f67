"""A program with addresses: what is native goes to the driver, what is not to NumPy.

Buffer 0 is the arena, with the steps' scratch memory behind the intermediate results. Then come the
inputs and the outputs, whose arrays are used again when nobody else holds them any more (spare.py).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from .. import interpret
from . import arena, driver, pool
from .driver import CALL, Word
from .limits import shortest
from .places import Meaning, Native, Place, Reader, Step, places_of
from .spare import Spare
from .steps import FAULT, SCRATCH, Kernel, Table
from .steps import Place as Slot


class Fault(Exception):
    """A step met what has no answer: the oracle can say what."""


class Segment(NamedTuple):
    """Calls begin..end, then a step on NumPy (None after the last)."""

    begin: int
    end: int
    then: Meaning | None


class Linked:
    """The tables of a program.

    Args:
        steps: what is done, in order.
        inputs, outputs: where its arguments and results lie.
        passing: numbers of outputs that may take over the memory of an input.
    """

    def __init__(self, steps: Sequence[Step], inputs: Sequence[Place], outputs: Sequence[Place],
                 passing: Collection[int] = ()):
        self._count = len(inputs)
        self._lay_out(steps)
        self._write(steps, 1 + len(inputs) + len(outputs))
        self._forget(steps)
        self._spare = Spare([(p.type.shape, p.type.dtype.array) for p in outputs], passing)

    # --- tables ----------------------------------------------------------------------------

    def _lay_out(self, steps: Sequence[Step]) -> None:
        """Give each intermediate result an offset in the arena."""
        inside: dict[int, Place] = {}
        for step in steps:
            for place in places_of(step):
                if place.external is None:
                    inside[id(place)] = place
        places = list(inside.values())
        offsets, size = arena.plan([arena.Life(p.size, p.first, p.last) for p in places])
        self._offsets = {id(p): offset for p, offset in zip(places, offsets, strict=True)}
        self._scratch = arena.rounded(size)
        scratch = max((s.plan.scratch_bytes for s in steps if isinstance(s, Native)),
                      default=0)
        self.arena_bytes = self._scratch + scratch

    def _forget(self, steps: Sequence[Step]) -> None:
        """Keep the offsets that steps on NumPy ask for, and the places so that ids stay theirs."""
        self._seen_by_numpy = {id(place): place for step in steps if not isinstance(step, Native)
                               for place in places_of(step)}
        self._offsets = {key: offset for key, offset in self._offsets.items()
                         if key in self._seen_by_numpy}

    def _write(self, steps: Sequence[Step], buffers: int) -> None:
        """Write the calls, their slots, and the lists of slots to bring up to date."""
        calls: list[tuple[int, int, int, int]] = []  # function, first slot, jobs, careful
        slots: list[int] = []
        moves: list[list[tuple[int, int]]] = [[] for _ in range(buffers)]
        self._tables: list[np.ndarray] = []
        self._fault = np.zeros(1, np.int64)
        self.segments: list[Segment] = []
        begin, fault = 0, self._fault.ctypes.data
        addresses: dict[int, int] = {}  # of kernels and tables, by their id: steps hold them
        for step in steps:
            if not isinstance(step, Native):
                self.segments.append(Segment(begin, len(calls), step))
                begin = len(calls)
                continue
            for part in step.plan.steps:
                careful = 0
                calls_slots = len(slots)
                for slot in part.slots:
                    if type(slot) is int:  # by far the most
                        slots.append(slot)
                    elif isinstance(slot, Slot):
                        careful |= slot.where == FAULT
                        slots.append(fault + slot.offset)
                        if slot.where != FAULT:
                            buffer, offset = self._locate(step, slot)
                            moves[buffer].append((len(slots) - 1, offset))
                    elif isinstance(slot, (Table, Kernel)):
                        if id(slot) not in addresses:
                            addresses[id(slot)] = self._number(slot)
                        slots.append(addresses[id(slot)])
                    else:
                        slots.append(slot)
                kernel = part.kernel
                if id(kernel) not in addresses:
                    addresses[id(kernel)] = kernel.address()
                calls.append((addresses[id(kernel)], calls_slots, part.jobs, int(careful)))
        self.segments.append(Segment(begin, len(calls), None))
        self._finish(calls, slots, moves)

    def _locate(self, step: Native, slot: Slot) -> tuple[int, int]:
        """The buffer that a slot points into, and how far."""
        if slot.where == SCRATCH:
            return 0, self._scratch + slot.offset
        place = step.places[slot.where]
        if place.external is None:
            return 0, self._offsets[id(place)] + slot.offset
        return place.external + 1, slot.offset

    def _number(self, slot: Table | Kernel) -> int:
        if isinstance(slot, Table):
            self._tables.append(slot.numbers)
            return int(slot.numbers.ctypes.data)
        return slot.address()

    def _finish(self, calls, slots, moves) -> None:
        self._slots = np.array(slots or [0], np.int64)
        base = self._slots.ctypes.data
        self._calls = np.array(calls or [(0, 0, 0, 0)], np.int64).reshape(-1, CALL)
        self._calls[:, 1] = base + 8 * self._calls[:, 1]
        starts = np.cumsum([0, *(len(m) for m in moves)]).astype(np.int64)
        pairs = [(base + 8 * slot, offset) for m in moves for slot, offset in m]
        places = np.array(pairs or [(0, 0)], np.int64)
        self._nothing = [None] * len(moves)
        self._objects: list[np.ndarray | None] = [*self._nothing]  # of this length for ever
        bound = np.full(len(moves), -1, np.int64)
        self._words = np.zeros(len(Word), np.int64)
        self._words[Word.BUFFERS] = driver.address_of_items(self._objects)
        for word, array in ((Word.BOUND, bound),
                            (Word.STARTS, starts), (Word.PLACES, places),
                            (Word.CALLS, self._calls), (Word.FAULT, self._fault)):
            self._words[word] = array.ctypes.data
        self._words[Word.COUNT] = len(moves)
        self._tables += [bound, starts, places]
        self._program = self._words.ctypes.data
        self._execute = driver.execute()
        self._control = 0

    # --- running ---------------------------------------------------------------------------

    def run(
        self, arrays: Sequence[np.ndarray], take: Mapping[int, np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        """Return the outputs for these inputs.

        Args:
            arrays: one for each input, contiguous and of its type.
            take: arrays of inputs (by output number) whose memory outputs may take over.

        Raises:
            Fault: a step met what has no answer; memory that was to be taken over is untouched.
        """
        room, outputs = self._bind(arrays, take)
        try:
            for begin, end, then in self.segments:
                if begin < end and self._execute(self._program, begin, end):
                    raise Fault
                if then is not None:
                    self._compute(then, room, arrays, outputs)
        finally:
            self._objects[:] = self._nothing
        return outputs

    def times(self, arrays: Sequence[np.ndarray], repeats: int = 20) -> list[float]:
        """Return how long each call takes, in seconds: the shortest of some repeats.

        Steps on NumPy count as one call each.
        """
        arrays = [np.array(a) for a in arrays]
        room, outputs = self._bind(arrays, None)
        found = []
        for begin, end, then in self.segments:
            found += [shortest(partial(self._execute, self._program, k, k + 1), repeats)
                      for k in range(begin, end)]
            if then is not None:
                found.append(shortest(
                    partial(self._compute, then, room, arrays, outputs), repeats))
        self._objects[:] = self._nothing
        return found

    def _bind(self, arrays, take) -> tuple[np.ndarray, list[np.ndarray]]:
        """Tell the driver where everything lies; return the arena and the arrays of outputs."""
        room = arena.memory(self.arena_bytes)
        outputs = self._spare.arrays(take)
        self._objects[:] = (room, *arrays, *outputs)
        workers = pool.prepare()
        if workers.control != self._control:
            self._control = workers.control
            self._words[Word.CONTROL], self._words[Word.ENTRY] = workers.control, workers.entry
        return room, outputs

    # --- steps on NumPy --------------------------------------------------------------------

    def _compute(self, step: Meaning, room, arrays, outputs) -> None:
        operands = [self._read(reader, room, arrays, outputs) for reader in step.operands]
        with np.errstate(all="ignore"):
            made = interpret.compute(step.value, operands)
        target = self._array(step.places[0], room, arrays, outputs)
        target[...] = made.reshape(target.shape)

    def _array(self, place: Place, room, arrays, outputs) -> np.ndarray:
        if place.external is not None:
            return arrays[place.external] if place.external < self._count else (
                outputs[place.external - self._count])
        shape, dtype = place.type.shape, place.type.dtype.array
        begin = self._offsets[id(place)]
        return room[begin:begin + place.size].view(dtype).reshape(shape)

    def _read(self, reader: Reader, room, arrays, outputs) -> np.ndarray:
        array = self._array(reader.place, room, arrays, outputs)
        if reader.access is None:
            return array.reshape(reader.shape)
        if math.prod(reader.shape) == 0:
            return np.empty(reader.shape, array.dtype)
        steps = [s * array.itemsize for s in reader.access.strides]
        flat = np.ascontiguousarray(array).reshape(-1)
        return np.lib.stride_tricks.as_strided(
            flat[reader.access.offset:], reader.shape, steps, writeable=False)

