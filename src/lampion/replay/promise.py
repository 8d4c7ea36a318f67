"""What a tensor holds that replay handed out: a promise of numbers, then the numbers.

Such a tensor has no storage. Whoever looks at its inside makes the whole record so far come true
(`TensorBase.__getattr__`); its shape, type and flags are known without.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from ..base import Storage, TensorBase, VersionCounter, numpy_step
from ..errors import GradientError
from ..ir import Op, Value, leaf
from .tree import Fill, Made


def _used_up(g: Value, y: Value, *inputs: Value, **settings: Any) -> tuple:
    raise GradientError(
        f"Trying to backward through the graph a second time (at {y.label}), but its saved "
        "values have been freed",
        why="backward() lets go of the intermediate values as soon as it has used them",
        fix="loss.backward(retain_graph=True) the first time, or compute the loss again")


# The end of a gradient path that was walked and let go of.
CLOSED = Op("closed", "opaque", "A result whose gradient path was let go of.",
            meaning=None, result=None, grad=_used_up)  # type: ignore[arg-type]


class Cell:
    """Memory that several filled tensors look at: one storage, made when one of them needs it."""

    __slots__ = ("storage",)

    def __init__(self) -> None:
        self.storage: Storage | None = None


class Peers:
    """Filled tensors of the same memory with gradient paths of their own, as `detach()` makes.

    The storages of all are made when one of them needs its own, so that a write reaches each.
    """

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: list[ref[TensorBase]] = []

    def keep(self) -> None:
        """Give each tensor a storage."""
        first: Storage | None = None
        for member in self.members:
            tensor = member()
            promise = None if tensor is None else tensor._promise
            if tensor is None or promise is None or promise.peers is not self:
                continue
            promise.settle(tensor)
            storage = tensor._storage
            if first is None:
                first = storage
            elif storage is not first and (first.peers is None or storage.peers is not first.peers):
                storage.version = first.version
                first.add_peer(storage)


class Promise:
    """What is known of a handed-out tensor.

    Attributes:
        run: what follows the calls; None once the record has ended.
        made: what the recorded call makes.
        tracked: whether gradients flow through it now.
        array: the array of its memory, once that is computed.
        fill: what is known besides, once it is computed.
        cell: the memory, where others look at it too.
        peers: the tensors of the same memory on other gradient paths, where there are any.
    """

    __slots__ = ("run", "made", "tracked", "array", "fill", "cell", "peers")

    def __init__(self, run: Any, made: Made):
        self.run, self.made, self.tracked = run, made, made.tracked
        self.array: np.ndarray | None = None
        self.fill: Fill | None = None
        self.cell: Cell | None = None
        self.peers: Peers | None = None

    def read(self, tensor: TensorBase) -> np.ndarray:
        """Return the tensor's array: a named moment of execution."""
        if self.array is None:
            self.run.flush(tensor)
        if self.cell is not None and self.cell.storage is not None and tensor._promise is self:
            self.keep(tensor)  # what else looks at this memory may have written to it
        if tensor._promise is not self:
            return tensor._read()
        array = self.array
        for step in tensor._steps:
            array = numpy_step(array, step)  # type: ignore[arg-type]
        return array  # type: ignore[return-value]

    def keep(self, tensor: TensorBase) -> None:
        """Give the tensor a storage."""
        if self.run is not None:
            self.run.materialise()
        elif self.peers is not None:
            self.peers.keep()
        else:
            self.settle(tensor)

    def settle(self, tensor: TensorBase) -> None:
        """Give one tensor a storage, without its peers."""
        cell = self.cell
        storage = cell.storage if cell is not None else None
        if storage is None:
            storage = self._storage()
            if cell is not None:
                cell.storage = storage
        tensor._storage, tensor._promise = storage, None

    def _storage(self) -> Storage:
        fill = self.fill
        assert fill is not None and self.array is not None
        value = leaf(self.array, self.made.dtype)
        value.label = fill.label
        if fill.closed is not None:
            value.op, value.tracked, value.freed, value.label = CLOSED, True, True, fill.closed
        version = VersionCounter()
        version.count = fill.version
        storage = Storage(value, version)
        storage.inference = False  # whatever the mode is now: the call was made outside it
        return storage
