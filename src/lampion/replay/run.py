"""Following the calls of a thread: matching them against the record, or recording them.

While calls match, a `Run` moves from node to node of the tree, keeps a log of the calls and hands
out tensors without numbers. At a flush it looks for the plan, runs the program and fills the
tensors that are still held (fulfil.py). The log is what makes this safe: at anything unexpected
the calls in it are made after all, one after another, and the tensors that were handed out become
what those calls return (truth.py). From there until the next flush everything is done the slow
way, and is recorded (record.py).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from sys import getrefcount
from typing import Any
from weakref import ref

import numpy as np

from .. import base
from ..base import Storage, TensorBase
from ..ir import Value, mode
from . import fulfil, record, truth
from .explain import Reasons
from .keys import Description, Refused, leaf_array, leaf_type
from .promise import Promise
from .results import decode
from .seen import ARRAY, MARK, Seen
from .shared import at_once
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
        memory: by the memory they look at, the slot of the tensor from outside; where several
            do, a dictionary: identity -> slot.
        bundles: the first slot of each bundle that was met whole, by its number.
        deferred: what storages held before the record wrote into them; see log.Deferred.
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
        self.memory: dict[int, Any] = {}
        self.bundles: dict[int, int] = {}
        self.deferred: dict[int, tuple] = {}
        self.gradients: dict[int, tuple[TensorBase, Any]] = {}
        self.undo: list[Any] = []
        self.outputs: list[list[np.ndarray]] = []
        self.reads_gradients = False
        self.branch: tuple[Node, tuple, int] | None = None
        # A record begins without mixed precision: what follows inside of a block is not kept.
        if mode.inference or mode.autocast is not None or self.entries > LARGEST_TREE:
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
        node = self.node
        entry = node.next
        operands: Any = None
        while entry is not None:
            if (entry.call is call and entry.grad is mode.grad and entry.matches is not None
                    and (not kwargs or call.operands is not None
                         or entry.names == tuple(kwargs))):
                if call.operands is None:
                    operands = (*args, *kwargs.values()) if kwargs else args
                elif operands is None:
                    operands = call.operands(self, args, kwargs)
                    if operands is None:
                        break
                size = len(self.slots)
                try:
                    if entry.matches(operands, self):
                        node.next = entry
                        lifts = entry.lifts
                        numbers = [operands[place] for place in lifts] if lifts else None
                        return self.follow(entry, args, kwargs, numbers)
                except BaseException:
                    self.undo_call(node, entry, size)
                    raise
                if len(self.slots) != size:
                    self.retreat(size)
            entry = node.after(entry)
        return self.look(call, args, kwargs)

    def look(self, call: Call, args: tuple, kwargs: dict) -> Any:
        """Find a call by its key among what followed here before, or begin to record."""
        node = self.node
        assert node is not None
        try:
            description = self.describe(call, args, kwargs)
        except Refused as refusal:
            made = at_once(self, call, args, kwargs)
            if made is not None:
                return made[0]
            self.lose(str(refusal))
            return record.make(self, call, args, kwargs)
        entry = node.entries.get(description.key)
        if entry is None:
            self.reasons.diverged(node, description.key, len(self.log))
            self.materialise()
            return record.record(self, call, args, kwargs)
        size = len(self.slots)
        try:
            for tensor, kind in description.fresh:
                self.meet(tensor, kind, self.slots)
            node.next = entry
            return self.follow(entry, args, kwargs, description.numbers)
        except BaseException:
            self.undo_call(node, entry, size)
            raise

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
        arguments: list = [*args]  # a list of its own, so that references can be counted
        if entry.nested:
            arguments = [copied(x) for x in arguments]
            kwargs = {name: copied(x) for name, x in kwargs.items()}
        if entry.is_special:
            if entry.call.computes and self._update(entry, arguments, kwargs, numbers):
                return None
            for slot, check in entry.checks:
                try:
                    check(self.arrays[slot])
                except Exception:
                    return self._make(entry, args, kwargs)
            if entry.writes and not self._defer(entry.writes):
                return self._make(entry, args, kwargs)
            if entry.draws:
                draws = [generator.take(blocks) for generator, blocks in entry.draws]
        self.log.append((entry, arguments, kwargs, numbers, draws))
        slots = self.slots
        for made in entry.made:
            tensor = made.spare  # an old one that nobody holds, or a new one
            # Held by `spare`, by the variable here, and by the counting itself.
            if (tensor is None or getrefcount(tensor) != 3 or tensor.__dict__
                    or tensor.__weakref__ is not None or (
                        (made.is_rare or tensor._promise is None or tensor._promise.run is None)
                        and not self.take_back(tensor, made))):
                tensor = made.spare = self.new(made)
            slots.append(tensor)
            self.made.append(tensor)
        self.node = entry.node
        code = entry.result  # read before a flush, which begins with slots of its own
        if type(code) is Made:
            result: Any = slots[code.slot]
        elif entry.returns is not None:
            result = tuple([slots[slot] for slot in entry.returns])
        else:
            result = decode(code, slots)
        if entry.is_special:
            self._after(entry, args, kwargs)
        return result

    def _update(self, entry: Entry, args: list, kwargs: dict, numbers: Any) -> bool:
        """Compute what a call writes at once: whoever calls it reads it next.

        So nothing has to be put off that would be done a moment later. False where it has to be.
        """
        moment = entry.node.moments.get(None)
        if (moment is None or entry.has_more or self.apart(entry.writes) is None):
            return False
        before = self.node
        self.log.append((entry, args, kwargs, numbers, None))
        self.node = entry.node
        if fulfil.update(self, entry, moment):
            entry.call.follow(None, args, kwargs)  # type: ignore[misc]
            return True
        self.node = before
        self.log.pop()
        return False

    def _make(self, entry: Entry, args: tuple, kwargs: dict) -> Any:
        # The tensors met here are met again when the call is recorded.
        self.retreat(len(self.slots) - len(entry.leaves))
        self.materialise()
        return record.record(self, entry.call, args, kwargs)

    def _after(self, entry: Entry, args: tuple, kwargs: dict) -> None:
        slots = self.slots
        for slot, tracked in entry.retracks:
            promise = slots[slot]._promise
            promise.tracked = tracked
            promise.made.retracked = promise.made.is_rare = True
        if entry.gradients:
            known = self.gradients
            for slot, gradient in entry.gradients:
                tensor = slots[slot]
                if tensor._promise is not None or id(tensor) in known:
                    self.set_gradient(tensor, slots[gradient])
                else:
                    known[id(tensor)] = (tensor, tensor._gradient)
                    tensor._gradient = slots[gradient]
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

    def take_back(self, tensor: TensorBase, made: Made) -> bool:
        """Make a tensor that nobody holds into what it was when it was handed out.

        False where that is not to be done: it has got a storage, or a gradient, meanwhile.
        """
        promise = tensor._promise
        if promise is None:
            return False
        if promise.run is None:  # it has got its numbers
            if tensor._gradient is not None or tensor._retain is not None:
                return False
            promise.run, promise.tracked = self, made.tracked
            promise.array = promise.fill = promise.cell = promise.peers = None
        elif made.retracked:
            promise.tracked = made.tracked
        if made.outside:
            self._place(tensor, made)
        return True

    def _place(self, tensor: TensorBase, made: Made) -> None:
        """Let a view of memory from outside begin where that begins."""
        owner = self.slots[made.cell]
        tensor._offset, tensor._steps = owner._offset + made.offset, owner._steps + made.steps

    def new(self, made: Made) -> TensorBase:
        tensor = object.__new__(base.TensorType)
        tensor._promise = Promise(self, made)
        tensor._steps, tensor._shape, tensor._strides = made.steps, made.shape, made.strides
        tensor._offset, tensor._is_view = made.offset, made.is_view
        tensor._cached = tensor._gradient = tensor._retain = None
        tensor._one_of_many = made.one_of_many
        if made.outside:
            self._place(tensor, made)
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

    def find_slots(self) -> Callable[[TensorBase], int | None]:
        """Return `slot_of`, made quick for many tensors."""
        if self.slow:
            return self.table.slot_of
        places = {id(known): slot for slot, known in reversed([*enumerate(self.slots)])}
        return lambda tensor: places.get(id(tensor))

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
        known: Any = storage.mark if storage is not None else None
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
                storage.mark = (ref(tensor), kind, tensor._shape, tensor._steps)
        memory, slot = id(storage), len(slots)
        known = self.memory.get(memory)
        if known is None:
            self.memory[memory] = slot
        elif not self._add(memory, tensor, slot):
            return False
        self.arrays[slot] = array
        if kind[4] == "leaf":
            self.differentiable.append(slot)
        slots.append(tensor)
        return True

    def _add(self, memory: int, tensor: TensorBase, slot: int) -> bool:
        """Note one more tensor of the same memory; False for one that is known."""
        known = self.memory[memory]
        if type(known) is int:
            known = self.memory[memory] = {id(self.slots[known]): known}
        if id(tensor) in known:  # `slots` holds the tensors, so identities stay theirs
            return False
        known[id(tensor)] = slot
        return True

    def meet_all(self, tensors: tuple, seen: Seen, slots: list, same: bool = False) -> bool:
        """Do what `meet` does, for several tensors: mostly the same ones as the last time.

        Args:
            same: whether it is known that they are the same ones.
        """
        if (seen.marks is not None and (same or seen.are_same(tensors))
                and all(map(is_, map(MARK, tensors), seen.marks))
                and self.memory.keys().isdisjoint(seen.memory)):
            self.arrays.update(zip(seen.memory.values(), map(ARRAY, tensors), strict=True))
            self.memory.update(seen.memory)
            self.differentiable += seen.differentiable
            slots += tensors
            return True
        first = len(slots)
        for tensor, kind in zip(tensors, seen.kinds, strict=True):
            if not self.meet(tensor, kind, slots):
                return False
        seen.learn(tensors, first)
        return True

    def retreat(self, size: int) -> None:
        """Forget the tensors from outside from a slot on."""
        del self.slots[size:]
        for slot in [slot for slot in self.arrays if slot >= size]:
            del self.arrays[slot]
        self.differentiable = [slot for slot in self.differentiable if slot < size]
        self.bundles = {number: slot for number, slot in self.bundles.items() if slot < size}
        for memory, known in list(self.memory.items()):
            if type(known) is not int:
                known = self.memory[memory] = {
                    key: slot for key, slot in known.items() if slot < size}
            if not known if type(known) is dict else known >= size:
                del self.memory[memory]

    def undo_call(self, node: Node, entry: Entry, size: int) -> None:
        """Forget a call that an interruption has stopped while it was followed.

        Args:
            node: where the record stood.
            size: the number of slots then.
        """
        if self.slow or self.node is not node or len(self.slots) < size:
            return  # it was made, or followed to its end
        if self.log and self.log[-1][0] is entry:
            self.log.pop()
        gone = {id(tensor) for tensor in self.slots[size:]}
        while self.made and id(self.made[-1]) in gone:
            self.made.pop()
        self.retreat(size)

    def apart(self, writes: list[int]) -> list[Storage] | None:
        """Return the storages that a call writes into, if nothing else is the same memory."""
        slots, memory = self.slots, self.memory
        tensors = [slots[slot] for slot in writes]
        storages = [tensor._storage for tensor in tensors]
        if any([tensor._steps for tensor in tensors]) or any(
                [type(memory[id(storage)]) is not int for storage in storages]):
            return None
        if any([storage.peers for storage in storages]) and not all(
                [storage.is_alone() for storage in storages]):
            return None
        return storages

    def _defer(self, writes: list[int]) -> bool:
        """Take away the values that a call is about to write over; False where it must not."""
        storages = self.apart(writes)
        if storages is None:
            return False
        for storage in storages:
            if storage.deferred is None:
                self.deferred[id(storage)] = (storage, storage.value, storage.version.count)
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
