"""Following the calls of a thread: matching them against the record, or recording them.

While calls match, a `Run` moves from node to node of the tree, keeps a log of the calls and hands
out tensors without numbers. At a flush it looks for the plan, runs the program and fills the
tensors that are still held (fulfil.py). The log is what makes this safe: at anything unexpected
the calls in it are made after all, one after another, and the tensors that were handed out become
what those calls return (truth.py). From there until the next flush everything is done the slow
way, and is recorded (record.py).
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any
from weakref import ref

import numpy as np

from .. import base
from ..base import TensorBase
from ..ir import Value, mode
from . import fulfil, record, truth
from .explain import Reasons
from .keys import Description, Refused, leaf_array, leaf_type
from .log import Deferred
from .promise import Promise
from .results import decode
from .tree import Call, Entry, Made, Node

# A tree with more entries than this is dropped.
LARGEST_TREE = 60_000


class Run:
    """The state of following.

    Attributes:
        root: the tree of records.
        node: where in it the record stands; None where calls are made without a record.
        slow: whether calls are made (and recorded), rather than matched.
        table: the slots of the record, while slow.
        slots: its tensors, while fast.
        log: the calls that were matched.
        made: the results handed out, except those found dead at an earlier flush.
        arrays: the arrays of the tensors from outside, by slot.
        differentiable: slots of those that collect gradients.
        memory: by the memory they look at, the tensors from outside: identity -> slot.
        deferred: what storages held before the record wrote into them.
        gradients: what `.grad` of a tensor was before the record changed it.
        undo: functions that take back what else was changed.
        outputs: the arrays of the flushes after which the record went on.
        branch: where the record left what was known: (node, key, number of entries before).
        reads_gradients: whether a call of the record depends on `.grad` of some tensor.
    """

    def __init__(self) -> None:
        self.reasons = Reasons()
        self.numbers: dict[tuple, np.ndarray] = {}
        self.forget()

    def forget(self) -> None:
        """Drop every record."""
        self.root, self.entries = Node(0), 0
        self.begin()

    def begin(self) -> None:
        """Begin a record at the root of the tree."""
        self.node: Any = self.root
        self.slow = False
        self.table: Any = None
        self.slots: list[Any] = []
        self.log: list[tuple] = []  # of Logged (unnamed, which is faster to make) and Flushed
        self.made: list[TensorBase] = []
        self.arrays: dict[int, np.ndarray] = {}
        self.differentiable: list[int] = []
        self.memory: dict[int, dict[int, int]] = {}
        self.deferred: dict[int, Deferred] = {}
        self.gradients: dict[int, tuple[TensorBase, Any]] = {}
        self.undo: list[Any] = []
        self.outputs: list[list[np.ndarray]] = []
        self.reads_gradients = False
        self.branch: tuple[Node, tuple, int] | None = None
        if mode.inference or self.entries > LARGEST_TREE:
            self._give_up()

    def _give_up(self) -> None:
        if self.entries > LARGEST_TREE:
            self.root, self.entries = Node(0), 0
            self.node = self.root
        else:
            self.slow, self.node = True, None

    # --- calls -------------------------------------------------------------------------------

    def call(self, call: Call, args: tuple, kwargs: dict) -> Any:
        """Match a call, or make it."""
        if self.slow:
            return record.record(self, call, args, kwargs)
        entry = self.node.next
        if (entry is not None and entry.call is call and entry.grad is mode.grad
                and entry.matches is not None):
            if call.operands is not None:
                operands: Any = call.operands(self, args, kwargs)
            elif not kwargs:
                operands = args
            elif entry.names == tuple(kwargs):
                operands = (*args, *kwargs.values())
            else:
                return self.look(call, args, kwargs)
            size = len(self.slots)
            if operands is not None and entry.matches(operands, self):
                numbers = [operands[place] for place in entry.lifts] if entry.lifts else None
                return self.follow(entry, args, kwargs, numbers)
            if len(self.slots) != size:
                self.retreat(size)
        return self.look(call, args, kwargs)

    def look(self, call: Call, args: tuple, kwargs: dict) -> Any:
        """Find a call by its key among what followed here before, or begin to record."""
        node = self.node
        assert node is not None
        try:
            description = self.describe(call, args, kwargs)
        except Refused as refusal:
            self.lose(str(refusal))
            return record.make(self, call, args, kwargs)
        entry = node.entries.get(description.key)
        if entry is None:
            self.reasons.diverged(node, description.key, len(self.log))
            self.materialise()
            return record.record(self, call, args, kwargs)
        for tensor, kind in description.fresh:
            self.meet(tensor, kind, self.slots)
        node.next = entry
        return self.follow(entry, args, kwargs, description.numbers)

    def describe(self, call: Call, args: tuple, kwargs: dict) -> Description:
        """Describe a call in terms of slots."""
        operands: Any = ()
        if call.operands is not None:
            operands = call.operands(self, args, kwargs)
            if operands is None:
                raise Refused(f"{call.name} called in a way that is not recorded")
        return Description(self, call, args, kwargs, operands)

    def follow(self, entry: Entry, args: tuple, kwargs: dict, numbers: Any) -> Any:
        """Note a call that matches and hand out its results."""
        draws = None
        if entry.is_special:
            for slot, check in entry.checks:
                try:
                    check(self.arrays[slot])
                except Exception:
                    return self._make(entry, args, kwargs)
            if not self._defer(entry.writes):
                return self._make(entry, args, kwargs)
            if entry.draws:
                draws = [generator.take(blocks) for generator, blocks in entry.draws]
        arguments: list = [*args]  # a list of its own, so that references can be counted
        if entry.nested:
            arguments = [copied(x) for x in arguments]
            kwargs = {name: copied(x) for name, x in kwargs.items()}
        self.log.append((entry, arguments, kwargs, numbers, draws))
        for made in entry.made:
            self.hand_out(made)
        self.node = entry.node
        code = entry.result  # read before a flush, which begins with slots of its own
        result = self.slots[code.slot] if type(code) is Made else decode(code, self.slots)
        if entry.is_special:
            self._after(entry, args, kwargs)
        return result

    def _make(self, entry: Entry, args: tuple, kwargs: dict) -> Any:
        # The tensors met here are met again when the call is recorded.
        self.retreat(len(self.slots) - len(entry.leaves))
        self.materialise()
        return record.record(self, entry.call, args, kwargs)

    def _after(self, entry: Entry, args: tuple, kwargs: dict) -> None:
        for slot, tracked in entry.retracks:
            promise = self.slots[slot]._promise
            promise.tracked, promise.made.retracked = tracked, True
        for slot, gradient in entry.gradients:
            self.set_gradient(self.slots[slot], self.slots[gradient])
        if entry.call.follow is not None:
            entry.call.follow(self, args, kwargs)
        if entry.flushes:
            self.flush()

    def set_gradient(self, tensor: TensorBase, gradient: Any) -> None:
        """Change `.grad` of a tensor, in a way that can be taken back."""
        if tensor._promise is not None:
            tensor._promise.made.spare = None
        if id(tensor) not in self.gradients:
            self.gradients[id(tensor)] = (tensor, tensor._gradient)
        tensor._gradient = gradient

    def hand_out(self, made: Made) -> None:
        """Give the next slot a tensor without numbers: an old one that nobody holds, or new."""
        tensor = made.spare
        # Held by `spare`, by the variable here, and by the counting itself.
        if (tensor is None or getrefcount(tensor) != 3 or tensor.__dict__
                or tensor.__weakref__ is not None):
            tensor = made.spare = self.new(made)
        elif made.retracked:
            tensor._promise.tracked = made.tracked
        if made.outside:
            owner = self.slots[made.cell]
            tensor._offset, tensor._steps = owner._offset + made.offset, owner._steps + made.steps
        self.slots.append(tensor)
        self.made.append(tensor)

    def new(self, made: Made) -> TensorBase:
        tensor = object.__new__(base.TensorType)
        tensor._promise = Promise(self, made)
        tensor._steps, tensor._shape, tensor._strides = made.steps, made.shape, made.strides
        tensor._offset, tensor._is_view = made.offset, made.is_view
        tensor._cached = tensor._gradient = tensor._retain = None
        tensor._one_of_many = made.one_of_many
        return tensor

    # --- tensors from outside ----------------------------------------------------------------

    def size(self) -> int:
        """Return the number of slots."""
        return self.table.size() if self.slow else len(self.slots)

    def slot_of(self, tensor: TensorBase) -> int | None:
        """Return a tensor's slot, None for one that the record has not met."""
        if self.slow:
            return self.table.slot_of(tensor)
        return next((slot for slot, known in enumerate(self.slots) if known is tensor), None)

    def differentiable_slots(self) -> list[int]:
        """Return the slots of the tensors from outside that collect gradients."""
        return self.table.differentiable if self.slow else self.differentiable

    def tensor(self, slot: int) -> Any:
        """Return the tensor of a slot, None where it is gone."""
        return self.table.tensor(slot) if self.slow else self.slots[slot]

    def meet(self, tensor: Any, kind: tuple, slots: list) -> bool:
        """Give a tensor from outside the next slot, if it is of that type and not known yet."""
        if not isinstance(tensor, TensorBase):
            return False
        storage: Any = tensor._storage if tensor._promise is None else None
        known: Any = storage.kind if storage is not None else None
        if (known is not None and (known[1] is kind or known[1] == kind) and known[0]() is tensor
                and known[2] is tensor._shape and known[3] is tensor._steps
                and storage.deferred is None):
            array = storage.value.data
        else:
            if leaf_type(tensor) != kind:
                return False
            array = leaf_array(tensor)
            storage = tensor._storage
            if not tensor._steps and storage.shared is None:
                storage.kind = (ref(tensor), kind, tensor._shape, tensor._steps)
        memory, slot = id(storage), len(slots)
        known = self.memory.get(memory)
        if known is None:
            self.memory[memory] = {id(tensor): slot}
        elif id(tensor) in known:  # `slots` holds the tensors, so identities stay theirs
            return False
        else:
            known[id(tensor)] = slot
        self.arrays[slot] = array
        if kind[4] == "leaf":
            self.differentiable.append(slot)
        slots.append(tensor)
        return True

    def retreat(self, size: int) -> None:
        """Forget the tensors from outside from a slot on."""
        del self.slots[size:]
        for slot in [slot for slot in self.arrays if slot >= size]:
            del self.arrays[slot]
        self.differentiable = [slot for slot in self.differentiable if slot < size]
        for memory, slots in list(self.memory.items()):
            self.memory[memory] = {key: slot for key, slot in slots.items() if slot < size}
            if not self.memory[memory]:
                del self.memory[memory]

    def _defer(self, writes: list[int]) -> bool:
        """Take away the values that a call is about to write over; False where it must not."""
        for slot in writes:
            tensor = self.slots[slot]
            storage = tensor._storage
            if tensor._steps or len(self.memory[id(storage)]) > 1:
                return False
            if storage.peers is not None and any(
                    peer is not None and peer is not storage
                    for peer in (reference() for reference in storage.peers)):
                return False
        for slot in writes:
            storage = self.slots[slot]._storage
            if storage.deferred is None:
                self.deferred.setdefault(
                    id(storage), Deferred(storage, storage.value, storage.version.count))
                storage.deferred = self
                del storage.value
        return True

    # --- flushes and truth -------------------------------------------------------------------

    def flush(self, tensor: TensorBase | None = None, value: Value | None = None) -> None:
        """Compute what is pending: a named moment.

        Args:
            tensor: the tensor that is read, where one is.
            value: the value that is read; None for a handed-out tensor's.
        """
        if not self.slow and not fulfil.fulfil(self, tensor, value):
            self.materialise()
        if self.slow:
            record.flush(self, tensor, tensor._value if value is None and tensor is not None
                         and tensor._promise is None else value)

    def materialise(self) -> None:
        """Make the calls of the log after all, and go on the slow way."""
        if not self.slow:
            truth.materialise(self)

    def lose(self, reason: str) -> None:
        """Go on without a record until the next flush: something happened that is not in it."""
        if not self.slow and not self.log:
            return
        if self.node is not None:
            self.materialise()
            self.reasons.lost(reason)
            self.node = self.table = None

    def cut(self) -> None:
        """Take what this record added out of the tree."""
        if self.branch is not None:
            node, key, self.entries = self.branch
            node.entries.pop(key, None)
            node.next = None


def copied(x: Any) -> Any:
    """Return lists and tuples anew: what the user does with theirs must not change the log."""
    if type(x) is list:
        return [copied(item) for item in x]
    return tuple([copied(item) for item in x]) if type(x) is tuple else x
