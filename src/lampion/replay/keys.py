"""The key of a call: equal keys mean that the calls do the same to tensors of the same numbers.

A tensor appears in a key as its slot in the record, or, when the record meets it for the first
time, as its type; everything else as itself. What cannot be compared with certainty is refused,
and the call is then made without a record.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..base import TensorBase
from ..ir import mode, origin
from .bundle import Bundle
from .closed import closed_path
from .tree import Call


class Refused(Exception):
    """A call that must not be recorded; says why."""


_SELF = (bool, str, type(None), type(Ellipsis), dtypes.dtype, dtypes.device)


class Description:
    """A call in terms of slots.

    Attributes:
        key: what it is compared by.
        fresh: the tensors from outside that the record meets here, with their types.
        operands: what it depends on besides its arguments.
        numbers: the values of lifted numbers.
    """

    __slots__ = ("key", "fresh", "numbers", "operands", "_slot_of", "_size", "_places")

    def __init__(self, run: Any, call: Call, args: tuple, kwargs: dict, operands: Any):
        self.operands = operands
        self.fresh: list[tuple[TensorBase, tuple]] = []
        self.numbers: list[float] = []
        self._slot_of, self._size = run.find_slots(), run.size()
        self._places: dict[int, int] = {}  # of the tensors met here
        parts: list = [call, mode.grad]
        if call.operands is None:
            for place, x in enumerate(args):
                if place in call.lifts and type(x) is float:
                    self.numbers.append(x)
                    parts.append("number")
                else:
                    parts.append(self._part(x))
            for name, x in kwargs.items():
                if name == "out" and x is not None:
                    raise Refused("a result written into a given tensor")
                parts.append((name, self._part(x)))
        for x in operands:
            if type(x) is float and call.lifts:
                self.numbers.append(x)
                parts.append("number")
            else:
                parts.append(self._part(x))
        self.key = tuple(parts)

    def _part(self, x: Any) -> Any:
        if isinstance(x, TensorBase):
            return self._tensor(x)
        kind = type(x)
        if kind is float:
            return (float, x.hex())
        if kind is int or isinstance(x, _SELF):
            return (kind, x)
        if kind is complex:
            return (complex, x.real.hex(), x.imag.hex())
        if isinstance(x, (tuple, list)):
            return (kind, *map(self._part, x))
        if kind is slice:
            return (slice, self._part(x.start), self._part(x.stop), self._part(x.step))
        if isinstance(x, Bundle):
            return (Bundle, x.structure, *map(self._tensor, x.tensors))
        if isinstance(x, (np.number, np.bool_)):
            return (kind, x.item().hex() if isinstance(x, np.floating) else x.item())
        if kind.__name__ == "Generator" or isinstance(x, type):
            return x
        if kind is Settings:
            return (Settings, *((name, self._part(value)) for name, value in x.items()))
        raise Refused(f"an argument of type {kind.__name__}")

    def _tensor(self, tensor: TensorBase) -> tuple:
        slot = self._slot_of(tensor)
        if slot is None:
            if id(tensor) in self._places:
                return ("slot", self._places[id(tensor)])
            kind = leaf_type(tensor)
            if kind is None:
                raise Refused("a tensor whose numbers are pending, shared or part of another graph")
            self._places[id(tensor)] = self._size + len(self.fresh)
            self.fresh.append((tensor, kind))
            return ("leaf", kind)
        return ("slot", slot)


class Settings(dict):
    """Named settings among the operands of a call."""


def leaf_type(tensor: TensorBase) -> tuple | None:
    """Return what a tensor from outside must share with another to stand in its place.

    None for a tensor that no record can begin with: its numbers are not computed, NumPy can
    change them, or a gradient path leads further back.
    """
    promise = tensor._promise
    if promise is not None and promise.cell is not None and promise.run is None:
        promise.keep(tensor)  # others look at this memory: a write must be seen
        promise = None
    if promise is not None:
        made = promise.made
        if promise.array is None or promise.run is not None or made.steps:
            return None
        path = promise.fill.closed
        if made.tracked and path is None:
            return None
        return (type(tensor), tensor._shape, tensor._strides, made.dtype, path, False)
    storage = tensor._storage
    if storage.deferred is not None:
        return None
    value = storage.value
    if (value.data is None or value.volatile or storage.shared is not None or storage.inference
            or storage.rooted is not None or storage.retained is not None
            or tensor._retain is not None):
        return None
    steps = bool(tensor._steps)
    if steps and (value.tracked or _window(tensor) is None):
        return None
    path = None
    if value.tracked:
        path = _path(tensor, value)
        if path is None:
            return None
    return (type(tensor), tensor._shape, tensor._strides, value.dtype, path, steps)


def _window(tensor: TensorBase) -> np.ndarray | None:
    """The elements of a view of computed memory that were picked out beforehand."""
    cached = tensor._cached
    if cached is None or cached[0] is not tensor._storage.value or cached[1].op is not None:
        return None
    return cached[1].data


def leaf_array(tensor: TensorBase) -> np.ndarray:
    """Return the array of a tensor that has a leaf type."""
    if tensor._promise is not None:
        return tensor._promise.array
    if tensor._steps:
        return tensor._cached[1].data  # type: ignore[index,return-value]
    return tensor._storage.value.data  # type: ignore[return-value]


def _path(tensor: TensorBase, value: Any) -> Any:
    root = origin(value)
    if root.hooks or value.hooks:
        return None
    if root.leaf is not None:
        if root.leaf() is not tensor or tensor.__dict__.get("_post_accumulate_hooks"):
            return None
        return "leaf"
    return closed_path(root) if root.freed else None
