"""The inside of a Tensor: storage, views, versions, and binding to values of the graph.

    Storage      a cell of "memory": holds one immutable value, replaced by every in-place write
    TensorBase   a storage, and how to look at it: the chain of movement steps from the storage's
                 value to the tensor's, with PyTorch's strides beside it

Reading a view applies its steps to the storage's present value. Writing through a view goes the
steps backwards and gives the storage a new value, so every other view of it sees the change.

`detach()` gives a tensor a storage of its own that is a *peer*: a write to either reaches both,
but each keeps its own gradient path.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from . import dtypes, ops, strides, trace
from .errors import ArgumentTypeError, InplaceError, StateError
from .grad import saved
from .ir import Op, Unknown, Value, leaf, mode, origin, registry

Step = tuple[Op, dict[str, Any]]


class VersionCounter:
    """Counts the in-place writes to a piece of memory."""

    __slots__ = ("count",)

    def __init__(self):
        self.count = 0


class Storage:
    """A cell that holds one value.

    Attributes:
        value: what it holds now.
        version: counts writes; shared with detached peers.
        peers: weak references to all storages of the same memory, or None.
        shared: the link to memory that NumPy can write, or None.
        inference: made in inference mode.
        rooted: where a view of this storage is a leaf: the value its path joins the storage's
            in, and the leaf itself; else None.
        earlier: what it held since values were last computed, oldest first; None for nothing.
        deferred: what follows the calls of this thread, while a replayed write is not done yet;
            then `value` is not there. None as a rule.
        mark: what replay found out about the tensor that owns it (replay/seen.py); None for
            nothing.
    """

    __slots__ = (
        "value", "version", "peers", "shared", "inference", "rooted", "earlier", "retained",
        "deferred", "mark", "__weakref__")

    def __init__(self, value: Value, version: VersionCounter | None = None):
        if value.holder is not None:
            value = registry["copy"](value) if value.data is None else _twin(value)
        self.version = version or VersionCounter()
        self.peers: list[weakref.ref] | None = None
        self.shared: Shared | None = None
        self.inference = mode.inference
        self.rooted: tuple[Value, Value] | None = None
        self.earlier: list[Value] | None = None
        self.retained: Any = None
        self.deferred: Any = None
        self.mark: tuple | None = None
        self.value = value
        trace.hold(self)

    def __getattr__(self, name: str) -> Any:
        # Python asks here for a slot that is empty: the value, while a replayed write is due.
        if name == "value":
            self.deferred.materialise()
            return self.value
        raise AttributeError(name)

    def read(self) -> Value:
        """Return the value, freshly read where NumPy shares the memory."""
        if self.shared is None:
            return self.value
        if not self.shared.alive():
            self.shared = None
            self.value.volatile = False
            return self.value
        return self.value

    def write(self, value: Value) -> None:
        """Replace the value: an in-place operation happened."""
        old = self.value
        if self.inference and not mode.inference:
            raise StateError("Inplace update to inference tensor outside InferenceMode is not "
                             "allowed", fix="x = x.clone() first")
        self.version.count += 1
        if value.holder is not None or value.data is not None:
            value = registry["copy"](value)
        if old.tracked:
            if not mode.grad:
                value.tracked, value.history = True, origin(old)
            elif not value.tracked:
                value = registry["overwrite"](old, value)
        self._bind(value)
        for reference in self.peers or ():
            peer = reference()
            if peer is not None and peer is not self:
                peer.follow(value)

    def follow(self, value: Value) -> None:
        """Take over the data that a peer was given, keeping this storage's gradient path."""
        copied = stop(value)
        if self.value.tracked:
            copied.tracked, copied.history = True, origin(self.value)
        self._bind(copied)

    def _bind(self, value: Value) -> None:
        if isinstance(value.volatile, Unknown) and self.value.order < value.volatile.since:
            _refuse_to_leak(value.volatile)
        noting = mode.noting
        if noting is not None:
            noting.binds.append(self)
        else:
            unrecorded()
        self.mark = None
        shared = self.shared
        if shared is not None and shared.alive():
            shared.array[...] = trace.read(value)
            held = _twin(value, shared.array)
            held.volatile = True
            if value.tracked:
                held.history = origin(value)
            value = held
        if value.data is not None:
            self.earlier = None
        elif self.earlier is None:
            self.earlier = [self.value]
        else:
            self.earlier.append(self.value)
        self.value = value
        trace.hold(self)

    def share(self, shared: Shared) -> None:
        """Let NumPy share memory that already holds the value's numbers."""
        if mode.noting is not None:
            mode.noting.binds.append(self)
        else:
            unrecorded()
        old = self.value
        held = leaf(shared.array, old.dtype)
        held.volatile = True
        if old.tracked:
            held.tracked, held.history = True, origin(old)
        self.mark = self.earlier = None
        self.shared, self.value = shared, held
        trace.hold(self)

    def add_peer(self, other: Storage) -> None:
        """Let two storages be the same memory."""
        peers = self.peers if self.peers is not None else [weakref.ref(self)]
        peers[:] = [reference for reference in peers if reference() is not None]
        peers.append(weakref.ref(other))
        self.peers = other.peers = peers
        other.shared = self.shared

    def is_alone(self) -> bool:
        """Whether no other storage is the same memory."""
        if self.peers is not None:
            for reference in self.peers:
                if reference() is not self and reference() is not None:
                    return False
            self.peers = None
        return True


class Shared:
    """Memory that NumPy arrays outside can read and write.

    Args:
        array: the memory.
        export: weak reference to what outside arrays keep alive; None where that is unknown.
    """

    __slots__ = ("array", "export")

    def __init__(self, array: np.ndarray, export: weakref.ref | None):
        self.array, self.export = array, export

    def alive(self) -> bool:
        return self.export is None or self.export() is not None

    def lend(self) -> np.ndarray:
        """The memory as an array that keeps the link alive."""
        return self.array if self.export is None else np.asarray(self.export())


def _twin(value: Value, array: np.ndarray | None = None) -> Value:
    """Return another value with the same data and gradient path."""
    twin = leaf(value.data if array is None else array, value.dtype)
    twin.volatile = value.volatile
    if value.tracked:
        twin.tracked, twin.history = True, origin(value)
    return twin


def stop(value: Value) -> Value:
    """Return the same data without its gradient path."""
    if value.data is not None and not value.volatile:
        return leaf(value.data, value.dtype)
    before, mode.grad = mode.grad, False
    try:
        return registry["copy"](value)
    finally:
        mode.grad = before


def _apply_step(value: Value, step: Step) -> Value:
    op, settings = step
    if op is POSITIONS:
        flat = registry["reshape"](value, shape=(_size(value.shape),))
        return registry["take"](flat, settings["index"])
    return op(value, **settings)


def _undo_step(before: Value, step: Step, update: Value) -> Value:
    """Return `before` with the part that the step looks at replaced by `update`."""
    op, settings = step
    if op.name == "reshape":
        return op(update, shape=before.shape)
    if op.name == "permute":
        return op(update, order=ops.movement.inverse(settings["order"]))
    if op.name == "slice":
        return registry["slice_put"](before, update, **settings)
    if op is POSITIONS:
        flat = registry["reshape"](before, shape=(_size(before.shape),))
        put = registry["put"](flat, settings["index"], update)
        return registry["reshape"](put, shape=before.shape)
    raise StateError(f"cannot write through a view made by {op.name}", fix="x.clone() first")


def _repeats(step: Step) -> bool:
    """Whether a view's step shows some element more than once."""
    op, settings = step
    if op is not POSITIONS:
        return op.name == "expand"
    table = settings["index"].data
    return len(np.unique(table)) < table.size


def numpy_step(array: np.ndarray, step: Step) -> np.ndarray:
    """Apply a view's step to an array, without a copy where NumPy can."""
    op, settings = step
    if op is not POSITIONS:
        return op.meaning(np, array, **settings)
    table = settings["index"].data
    return array.reshape(-1)[table]


# A view by a table of positions in the flattened base: diagonals, overlapping windows, ...
POSITIONS = Op("positions", "view", "Elements at given places of the flattened base.",
               meaning=None, result=None, grad=None)  # type: ignore[arg-type]


def _size(shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


class TensorBase:
    """What every tensor has inside; `lampion.Tensor` adds the methods people call."""

    __slots__ = (
        "_promise", "_storage", "_steps", "_cached", "_shape", "_strides", "_offset", "_is_view",
        "_gradient", "_retain", "_one_of_many", "__weakref__",
    )

    def __getattr__(self, name: str) -> Any:
        # Python asks here for what is nowhere else: the storage of a tensor that replay handed
        # out is made when somebody looks at it.
        if name == "_storage" and self._promise is not None:
            self._promise.keep(self)
            return self._storage
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'",
                             name=name, obj=self)

    _storage: Storage
    _steps: tuple[Step, ...]
    _shape: tuple[int, ...]
    _strides: tuple[int, ...]

    def _set_up(self, storage: Storage, steps, shape, strides_, offset, is_view=False) -> None:
        self._promise: Any = None
        self._storage = storage
        self._steps = steps
        self._cached: tuple[Value, Value] | None = None
        self._shape = shape
        self._strides = strides_
        self._offset = offset
        self._is_view = is_view
        self._gradient = None
        self._retain: Any = None
        # Made by unbind() or split(), several views at once, or a view of such a view.
        self._one_of_many = False

    # --- reading -----------------------------------------------------------------------

    @property
    def _value(self) -> Value:
        """The value this tensor stands for now."""
        base = self._storage.read()
        if not self._steps:
            if not (self._is_view and base.tracked and self._leaf_marker() is None):
                return base
            # Something that requires grad was written into what this is a whole view of.
            self._steps = ((registry["reshape"], {"shape": self._shape}),)
        if self._cached is not None and self._cached[0] is base and base.volatile is not True:
            return self._cached[1]
        before, mode.grad = mode.grad, True
        try:
            value = base
            for step in self._steps:
                value = _apply_step(value, step)
        finally:
            mode.grad = before
        if self._cached is not None and self._cached[1].hooks:
            self._carry_hooks(self._cached[1], value)
        self._cached = (base, value)
        return value

    def _carry_hooks(self, old: Value, new: Value) -> None:
        # retain_grad follows the tensor; hooks stay with the value they were put on.
        if self._retain is not None and old.hooks and self._retain in old.hooks:
            old.hooks.remove(self._retain)
            new.hooks = [*(new.hooks or ()), self._retain]

    def _read(self) -> np.ndarray:
        """The array of this tensor, which nobody may write to: a named moment of execution."""
        if mode.noting is not None:
            mode.noting.refuse("it reads numbers")
        if self._promise is not None:
            return self._promise.read(self)
        base = self._storage.read()
        if self._steps and base.data is not None:
            # A view of computed memory needs no program.
            array = base.data
            for step in self._steps:
                array = numpy_step(array, step)
            return array.copy() if base.volatile else array
        value = self._value
        if value.volatile and value.data is None:
            if isinstance(value.volatile, Unknown):
                raise value.volatile.refuse()
            trace.runtime.evaluate([value])
        if value.data is None and mode.run is not None:
            mode.run.flush(self, value)
        return trace.read(value)

    @property
    def _dtype(self) -> dtypes.dtype:
        promise = self._promise
        return self._storage.value.dtype if promise is None else promise.made.dtype

    @property
    def _tracked(self) -> bool:
        promise = self._promise
        return self._storage.value.tracked if promise is None else promise.tracked

    def _contiguous(self) -> bool:
        return strides.is_contiguous(self._shape, self._strides)

    def _leaf_marker(self) -> Value | None:
        """The leaf of the tape that this tensor's storage stands for, or None."""
        value = self._storage.value
        if value.tracked:
            root = origin(value)
            if root.leaf is not None:
                return root
            rooted = self._storage.rooted
            if rooted is not None and rooted[0] is root:
                return rooted[1]
        return None

    def _path(self) -> Value:
        """The value at which the gradient of this tensor arrives.

        A leaf that is a view keeps it when the memory that it looks at is written.
        """
        marker = self._leaf_marker()
        if marker is not None and marker.leaf is not None and marker.leaf() is self:
            return marker
        return origin(self._value)

    # --- writing -----------------------------------------------------------------------

    def _check_writable(self, what: str, same_everywhere: bool = False) -> None:
        """Raise where an in-place operation is not allowed.

        Args:
            what: the operation, for the message.
            same_everywhere: it writes one number, which repeated elements can take.
        """
        if self._storage.inference and not mode.inference:
            raise StateError("Inplace update to inference tensor outside InferenceMode is not "
                             "allowed", fix="x = x.clone() first")
        if not same_everywhere and strides.overlaps(self._shape, self._strides):
            raise StateError(
                f"{what}: unsupported operation: more than one element of the written-to tensor "
                "refers to a single memory location",
                why="an expanded tensor repeats its elements", fix="x = x.clone() first")
        if mode.grad and self._leaf_marker() is not None:
            kind = "a view of a leaf" if self._is_view else "a leaf"
            raise InplaceError(
                f"{what}: {kind} Variable that requires grad is being used in an in-place "
                "operation.",
                why="the gradient of a leaf is taken where it stands; its old value would be lost",
                fix="with torch.no_grad(): ...   or   x = x.clone() first")
        if self._one_of_many and mode.grad and self._tracked:
            _refuse_one_of_many(what)

    def _check_apart(self, operands, what: str, whole: bool = False) -> None:
        """Raise where a write meets elements that the operation reads, as PyTorch does.

        Args:
            operands: what the operation reads besides this tensor.
            what: the operation, for the message.
            whole: refuse an operand that is this very tensor as well.
        """
        mine = self._storage
        for other in operands:
            if not isinstance(other, TensorBase) or not (
                    other._storage is mine or (
                        mine.peers is not None and mine.peers is other._storage.peers)):
                continue
            if whole and other is self:
                refuse_overlap(what)
            if 0 in self._shape or 0 in other._shape:
                continue
            views = [(t._shape, t._strides, t._offset) for t in (self, other)]
            if views[0] == views[1]:
                found = whole and strides.is_dense(self._shape, self._strides)
            else:
                found = strides.meet(*views)
            if found:
                refuse_overlap(what)

    def _sees_the_same_as(self, other: TensorBase) -> bool:
        """Whether both are the same elements of the same memory, in the same order."""
        mine, its = self._storage, other._storage
        return (mine is its or (mine.peers is not None and mine.peers is its.peers)) and (
            self._shape, self._strides, self._offset) == (
            other._shape, other._strides, other._offset) and self._dtype is other._dtype

    def _write(self, value: Value) -> None:
        """Replace this tensor's elements (checks are the caller's)."""
        if self._one_of_many and mode.grad and value.tracked:
            _refuse_one_of_many(value.label or "write")
        if any(_repeats(step) for step in self._steps):
            self._storage.write(self._write_repeated(value))
            return
        stages = [self._storage.read()]
        for step in self._steps[:-1]:
            stages.append(_apply_step(stages[-1], step))
        for before, step in zip(reversed(stages), reversed(self._steps), strict=False):
            value = _undo_step(before, step, value)
        retained = self._storage.retained
        old = None if retained is None else origin(self._storage.value)
        self._storage.write(value)
        if old is not None and mode.grad and old.hooks and retained in old.hooks:
            old.hooks.remove(retained)
            new = origin(self._storage.value)
            new.hooks = [*(new.hooks or ()), retained]

    def _write_repeated(self, value: Value) -> Value:
        """The storage's value after a write through a view that repeats elements.

        What the view itself repeats can only be given one number, so its repeats agree.
        """
        before = self._storage.read()
        places = leaf(np.arange(_size(before.shape)).reshape(before.shape), dtypes.int64)
        for step in self._steps:
            places = _apply_step(places, step)
        table = trace.read(places).reshape(-1)
        flat = registry["reshape"](before, shape=(_size(before.shape),))
        put = registry["put"](flat, leaf(table, dtypes.int64),
                              registry["reshape"](value, shape=table.shape))
        return registry["reshape"](put, shape=before.shape)

    def _version_pair(self) -> tuple[VersionCounter, int]:
        counter = self._storage.version
        return (counter, counter.count)


def refuse_overlap(what: str) -> NoReturn:
    """Raise: what is read and what is written to are, in part, the same memory."""
    raise StateError(
        f"{what}: unsupported operation: some elements of the input tensor and the written-to "
        "tensor refer to a single memory location. Please clone() the tensor before performing "
        "the operation.", why="the operation would read what it has just written",
        fix="x.add_(y.clone()), for instance")


def _refuse_to_leak(unknown: Unknown) -> NoReturn:
    raise StateError(
        f"{unknown.name}: inplace arithmetic is not possible: a tensor from outside of the mapped "
        "function would get an element of its argument",
        why="the function is run once for all elements: there is no one number to write",
        fix="x + y in place of x.add_(y), or the tensor as another argument with an in_dim")


def _refuse_one_of_many(what: str) -> NoReturn:
    raise InplaceError(
        f"{what}: this view is the output of a function that returns multiple views "
        "(unbind, split, chunk, or iteration). Such functions do not allow the output "
        "views to be modified inplace.", why="its sisters' gradients would become stale",
        fix="x[k] or x.narrow(...) for the one view, or an operation that is not in place")


def unrecorded() -> None:
    """Say that tensors are about to change in a way that the record of calls does not know."""
    if mode.run is not None:
        mode.run.lose("a change outside the recorded functions")


def check_known_value(value: Value, check: Callable[[np.ndarray], None]) -> None:
    """Check numbers that are already computed; numbers that are pending are not checked.

    A check of values must never force the pending computation, or each loss would split the
    training step in two.

    Args:
        check: raises where the numbers are wrong. It must not use them otherwise: the same call
            with other numbers only runs the check again.
    """
    if value.data is not None:
        check(value.data)
        if mode.noting is not None:
            mode.noting.checks.append((value, check))


def check_known(tensor: TensorBase, check: Callable[[np.ndarray], None]) -> None:
    """Do what `check_known_value` does, for a tensor."""
    check_known_value(tensor._value, check)


TensorType: type[TensorBase] = TensorBase  # set to lampion.Tensor by tensor.py


def wrap(value: Value, strides_: tuple[int, ...] | None = None, label: str | None = None):
    """Return a new tensor that holds a value."""
    tensor = object.__new__(TensorType)
    if label is not None:
        value.label = label
    storage = Storage(value)
    tensor._set_up(storage, (), value.shape, strides_ or strides.contiguous(value.shape), 0)
    held = storage.value
    if held.tracked:
        if held.versions is None:
            held.versions = ((storage.version, 0),)
        else:
            held.versions = (*held.versions, (storage.version, 0))
    return tensor


def own(result: TensorBase):
    """Return a function's result in memory of its own, where it was made as a view.

    What it is a view of is a passing value that nobody else sees, so nothing is copied.
    """
    return wrap(result._value, result._strides) if result._is_view else result


def make_view(base: TensorBase, steps: tuple[Step, ...], shape, strides_, offset,
              label: str | None = None):
    """Return a tensor that looks at `base`'s memory through further steps.

    Args:
        label: name of the public function that makes it, for `grad_fn`.
    """
    storage = base._storage
    if storage.value.tracked and not mode.grad:
        storage = detached(storage)
    elif storage.value.tracked and not steps:
        # A whole view still is a value of its own: hooks and gradients of it are not the base's.
        steps = ((registry["reshape"], {"shape": tuple(shape)}),)
    tensor = object.__new__(TensorType)
    tensor._set_up(storage, base._steps + steps, tuple(shape), tuple(strides_), offset, True)
    tensor._one_of_many = base._one_of_many
    if storage.value.tracked:
        # Its gradient path goes through the tensor it is a view of, until the memory is written.
        value = base._value
        for step in steps:
            value = _apply_step(value, step)
        value.label = label
        tensor._cached = (storage.read(), value)
    else:
        _carry_window(base, steps, tensor)
    return tensor


def _carry_window(base: TensorBase, steps: tuple[Step, ...], view: TensorBase) -> None:
    """Let a view of elements that were picked out beforehand go on from these."""
    cached = base._cached
    if base._steps and cached is not None and cached[0] is base._storage.value and (
            cached[1].op is None and cached[1].data is not None):
        value = cached[1]
        for step in steps:
            value = _apply_step(value, step)
        view._cached = (cached[0], value)


def detached(storage: Storage, own_version: bool = False) -> Storage:
    """Return a storage of the same memory without the gradient path."""
    peer = Storage(stop(storage.read()), None if own_version else storage.version)
    if storage.shared is not None:
        peer.value = _twin(storage.value)
        peer.value.tracked, peer.value.history = False, None
    peer.inference = storage.inference
    storage.add_peer(peer)
    return peer


def call(op: Op, tensors: tuple[TensorBase | Value, ...], settings: dict[str, Any],
         strides_: tuple[int, ...] | None = None, values: tuple[Value, ...] | None = None,
         label: str | None = None):
    """Apply an op to tensors (or values) and return the new tensor.

    Args:
        values: the operands after promotion and broadcasting, where they differ from the
            tensors' own values.
    """
    if values is None:
        values = tuple(t._value if isinstance(t, TensorBase) else t for t in tensors)
    value = op(*values, **settings)
    if value.tracked:
        value.versions = tuple(
            t._version_pair() if isinstance(t, TensorBase) else None for t in tensors)
        _refuse_inference(tensors, value)
    return wrap(value, strides_, label)


def _refuse_inference(tensors, value: Value | None = None) -> None:
    """Raise where a gradient rule would read an inference tensor (any, if no value is given)."""
    for place, tensor in enumerate(tensors):
        if isinstance(tensor, TensorBase) and tensor._storage.inference:
            if value is not None and (place >= len(value.inputs) or all(
                    v is not value.inputs[place] for v in saved(value))):
                continue
            raise StateError("Inference tensors cannot be saved for backward.",
                             why="they were made under inference_mode, which records nothing",
                             fix="x.clone() outside inference_mode, or no_grad() instead")


def is_unknown(tensor: TensorBase) -> bool:
    """Whether a tensor depends on the argument of a function that is being mapped."""
    return tensor._promise is None and isinstance(tensor._storage.value.volatile, Unknown)


def is_number(x: Any) -> bool:
    """Whether x is a Python or NumPy number (not a tensor)."""
    return isinstance(x, (bool, int, float, complex, np.number, np.bool_))


def python_number(x: Any) -> bool | int | float | complex:
    """Return a number as a Python one."""
    return x.item() if isinstance(x, (np.number, np.bool_)) else x


def require_tensor(x: Any, function: str, argument: str = "input") -> TensorBase:
    """Return x if it is a tensor; raise the error that says what to write otherwise."""
    if not isinstance(x, TensorBase):
        raise ArgumentTypeError(
            f"{function}(): argument '{argument}' must be Tensor, not {type(x).__name__}",
            fix=f"torch.{function}(torch.as_tensor({argument}), ...)")
    return x
