"""The slots of a record that is being made the slow way: which tensor is which, and whence."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from .. import base
from ..base import Storage, TensorBase
from ..ir import Value, origin
from . import results
from .keys import Refused, leaf_array
from .noting import Noting
from .tree import Entry, Made, Source


class Leaf:
    """A tensor from outside, as the record met it."""

    __slots__ = ("storage", "value", "version", "path", "steps", "offset")

    def __init__(self, tensor: TensorBase, kind: tuple):
        self.steps, self.offset = tensor._steps, tensor._offset
        self.storage = tensor._storage
        self.value, self.version = self.storage.value, self.storage.version.count
        self.path = kind[4]


class Table:
    """What is known of a record's tensors. Tensors are held weakly, as without a record.

    Attributes:
        made: slots of the results that were alive at the last flush, and of those since.
        leaves: the tensors from outside, by slot.
        differentiable: slots of the leaves that collect gradients.
        written: slots of the tensors from outside that were written into.
        owners: of each view of a tensor from outside, that tensor's slot.
        origins: where arrays come from, by identity; the arrays are kept, so that it stays.
        beneath: the arrays that views from outside look at, by identity.
        calls: how many calls and flushes there were.
    """

    def __init__(self) -> None:
        self.made: list[int] = []
        self.leaves: dict[int, Leaf] = {}
        self.differentiable: list[int] = []
        self.written: set[int] = set()
        self.owners: dict[int, int] = {}
        self.origins: dict[int, tuple[Source, np.ndarray]] = {}
        self.beneath: dict[int, np.ndarray] = {}
        self.calls = self.flushes = 0
        self.start = Value(None, (), {}, (), None).order
        self._references: list[Any] = []
        self._index: dict[int, int] = {}
        self._cells: dict[int, tuple[int, weakref.ref]] = {}
        self._tracked: dict[int, bool] = {}

    # --- which tensor is which ---------------------------------------------------------------

    def size(self) -> int:
        return len(self._references)

    def slot_of(self, tensor: TensorBase) -> int | None:
        """Return a tensor's slot, None for one that the record has not met."""
        slot = self._index.get(id(tensor))
        return slot if slot is not None and self._references[slot]() is tensor else None

    def tensor(self, slot: int) -> TensorBase | None:
        """Return the tensor of a slot, None if nobody holds it any more."""
        return self._references[slot]()

    def cell_of(self, storage: Storage) -> int | None:
        """Return the slot that owns a storage."""
        found = self._cells.get(id(storage))
        return found[0] if found is not None and found[1]() is storage else None

    def _add(self, tensor: TensorBase) -> int:
        slot = len(self._references)
        self._references.append(weakref.ref(tensor))
        self._index[id(tensor)] = slot
        storage = tensor._storage
        if self.cell_of(storage) is None:
            self._cells[id(storage)] = (slot, weakref.ref(storage))
        self._tracked[slot] = tensor._tracked
        return slot

    def meet(self, tensor: TensorBase, kind: tuple) -> None:
        """Give a tensor from outside a slot."""
        array = leaf_array(tensor)
        slot = self._add(tensor)
        self.leaves[slot] = Leaf(tensor, kind)
        if kind[4] == "leaf":
            self.differentiable.append(slot)
        if id(array) not in self.origins:
            self.origins[id(array)] = (Source("leaf", slot), array)
        if tensor._promise is None and tensor._steps:
            whole = tensor._storage.value.data
            if whole is not None:
                self.beneath[id(whole)] = whole

    def is_shared(self, slot: int) -> bool:
        """Whether another tensor from outside may look at the memory of one."""
        mine = self.leaves[slot]
        if bool(getattr(self.tensor(slot), "_steps", ())):
            return True
        return any(leaf.storage is mine.storage or (
            mine.storage.peers is not None and leaf.storage.peers is mine.storage.peers)
            for other, leaf in self.leaves.items() if other != slot)

    # --- what calls do -----------------------------------------------------------------------

    def enter(self, tensor: TensorBase, made: Made) -> None:
        """Give a result the slot that it was recorded under."""
        slot = self._add(tensor)
        assert slot == made.slot
        self.made.append(slot)
        if made.outside:
            self.owners[slot] = made.cell

    def encode(self, result: Any) -> tuple[Any, list[Made], list[TensorBase]]:
        """Return a result in terms of slots; new tensors get the next ones."""
        made: list[Made] = []
        fresh: list[TensorBase] = []

        def code(tensor: TensorBase) -> Any:
            slot = self.slot_of(tensor)
            if slot is not None:
                known = next((m for m in made if m.slot == slot), None)
                return known or results.Slot(slot)
            self._check_result(tensor)
            cell = self.cell_of(tensor._storage)
            owner = None
            if cell in self.leaves:
                cell = self._beneath(tensor)
                owner = self.leaves[cell]
            slot = self._add(tensor)
            self.made.append(slot)
            made.append(Made(slot, slot if cell is None else cell, tensor, owner))
            if owner is not None:
                self.owners[slot] = made[-1].cell
            fresh.append(tensor)
            return made[-1]

        return results.encode(result, code), made, fresh

    def _beneath(self, view: TensorBase) -> int:
        """Return which tensor from outside a call made a view of.

        Several may look at the same memory, each at a part of its own, and at another memory
        the next time: it is the one whose own steps the view's begin with.
        """
        steps, longest = view._steps, -1
        found: list[int] = []
        for slot, leaf in self.leaves.items():
            length = len(leaf.steps)
            if leaf.storage is not view._storage or not longest <= length <= len(steps):
                continue
            if all(mine is its for mine, its in zip(leaf.steps, steps, strict=False)):
                found = [slot] if length > longest else [*found, slot]
                longest = length
        if len(found) != 1:
            raise Refused("a view of one of several tensors that are the same memory")
        return found[0]

    def _check_result(self, tensor: TensorBase) -> None:
        storage = tensor._storage
        value = storage.value
        if (type(tensor) is not base.TensorType or tensor._retain is not None or value.volatile
                or storage.shared is not None or storage.inference or storage.rooted is not None):
            raise Refused("a result of a special kind")
        root = origin(value)
        if value.tracked and root.leaf is not None and root.leaf() is tensor:
            raise Refused("a result that begins a gradient path")

    def writes(self, noting: Noting) -> tuple[list[int], list[tuple[int, bool]]]:
        """Return the slots from outside that a call wrote into, and whose tracking changed."""
        cells = set()
        for storage in noting.binds:
            cell = self.cell_of(storage)
            if cell is not None:
                cells.add(cell)
                self._check_peers(storage)
        outside = sorted(cells & set(self.leaves))
        if any(self.is_shared(slot) for slot in outside):
            raise Refused("a write into memory that several tensors look at")
        changed = []
        if cells:
            for slot, tracked in self._tracked.items():
                tensor = self.tensor(slot)
                if tensor is not None and tensor._tracked != tracked:
                    changed.append((slot, tensor._tracked))
                    self._tracked[slot] = not tracked
        if any(slot in self.leaves for slot, _ in changed):
            raise Refused("a tensor from outside joins a gradient path")
        return outside, changed

    def _check_peers(self, storage: Storage) -> None:
        for reference in storage.peers or ():
            peer = reference()
            if peer is not None and peer is not storage and self.cell_of(peer) is None:
                raise Refused("a write into memory that another tensor shares")

    def absorb(self, entry: Entry, noting: Noting) -> None:
        """Note where the arrays come from that a call brought in."""
        for value, place in noting.numbers:
            self.origins[id(value.data)] = (
                Source("number", self.calls, (place, value.dtype)), value.data)
        for place, key in enumerate(noting.keys):
            self.origins[id(key.data)] = (Source("draw", self.calls, place), key.data)
        self.written.update(entry.writes)
        self.calls += 1

    # --- flushes -----------------------------------------------------------------------------

    def mask(self) -> tuple[bool, ...]:
        """Return which results are held."""
        return tuple(self.tensor(slot) is not None for slot in self.made)

    def flushed(self, arrays: list[np.ndarray]) -> None:
        """Note a flush after which the record goes on."""
        self.made = [slot for slot in self.made if self.tensor(slot) is not None]
        for place, array in enumerate(arrays):
            self.origins[id(array)] = (Source("output", self.flushes, place), array)
        self.written.clear()
        self.calls += 1
        self.flushes += 1
