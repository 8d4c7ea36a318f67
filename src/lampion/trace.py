"""What is recorded and not yet computed, and the named moments at which it is.

Work happens at these moments and at no other:

1. reading a value: `.item() .numpy() .tolist() print() repr() bool() float() int() format()`,
   iteration over values, pickling, NumPy and DLPack interchange;
2. an operation whose shape depends on data: `nonzero`, boolean masks, `unique`,
   `masked_select`, `repeat_interleave` with a tensor of counts, or a number read from a tensor
   that decides a shape;
3. the end of `optimizer.step()`;
4. when the pending record grows past its budget (`set_budget`);
5. an operation on memory shared with NumPy (`from_numpy`, or a tensor whose `.numpy()` array is
   still in use): it runs at once, since NumPy may change the memory at any time.

At each moment everything pending whose tensor is still held is computed in one program.

An operation can fail only then, if its mistake shows in the values alone (an index outside its
axis). The error names the line that recorded it, and tensors that were written with something
that comes from it go back to what they were before: a step that fails leaves the parameters as
the last good step left them.
"""

from __future__ import annotations

import contextlib
import math
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from . import grad, interpret, runtime
from .ir import Graph, Unknown, Value, mode, origin


class Holder(Protocol):
    """What holds a value: the storage of a tensor."""

    value: Value
    earlier: list[Value] | None


class Budget:
    """How much may be pending before it is computed: number of values, bytes of results."""

    values = 8192
    bytes = 256 << 20


class Pending(threading.local):
    """What a thread has recorded: threads that load data do not cut another's step in two."""

    def __init__(self):
        self.storages: list[weakref.ref] = []
        self.bytes = 0


_pending = Pending()


def set_budget(values: int | None = None, bytes: int | None = None) -> None:
    """Set how much may be pending before it is computed.

    Args:
        values: number of held results (default 8192).
        bytes: size of held results in bytes (default 256 MiB).
    """
    Budget.values = values or Budget.values
    Budget.bytes = bytes or Budget.bytes


def hold(storage: Holder) -> None:
    """Note that a storage holds a pending value; flushes when the budget is passed."""
    value = storage.value
    value.holder = weakref.ref(storage)
    if value.data is not None:
        return
    if value.volatile:
        if isinstance(value.volatile, Unknown):
            return
        if mode.noting is not None:
            mode.noting.refuse("it reads memory that NumPy may change")
        runtime.evaluate([value])
        return
    _pending.storages.append(value.holder)
    size = value.dtype.itemsize
    for n in value.shape:
        size *= n
    _pending.bytes += size
    if mode.noting is None and over_budget():
        flush()


@contextlib.contextmanager
def aside():
    """Inside, nothing that is made is pending: whoever makes it computes it, or nobody does."""
    before = _pending.storages, _pending.bytes
    _pending.storages, _pending.bytes = [], 0
    try:
        yield
    finally:
        _pending.storages, _pending.bytes = before


def over_budget() -> bool:
    """Whether more is pending than may be.

    Before too many bytes are found, they are counted anew without the results that no tensor holds
    any more: these live in the arena for some steps only, and a program that ended here would have
    to write down what the next one reads.
    """
    if len(_pending.storages) > Budget.values:
        return True
    if _pending.bytes > Budget.bytes:
        size = sum(math.prod(value.shape) * value.dtype.itemsize for value in held())
        # With less than a quarter of a budget left, counting would become frequent.
        if 4 * size > 3 * Budget.bytes:
            return True
        _pending.bytes = size
    return False


def is_empty() -> bool:
    """Whether nothing was recorded, by this thread, that is not computed."""
    return not _pending.storages


def held() -> list[Value]:
    """Return the pending values that a tensor still holds."""
    values = []
    for reference in list(_pending.storages):
        storage = reference()
        if storage is not None and storage.value.data is None:
            values.append(storage.value)
    return values


def pending_count() -> int:
    """Return how many values wait to be computed."""
    if mode.run is not None:
        mode.run.materialise()
    return len(held())


def flush(wanted: Value | None = None) -> None:
    """Compute everything pending that a tensor holds, and `wanted`."""
    if mode.noting is not None:
        mode.noting.refuse("it reads numbers")
    if mode.run is not None:
        mode.run.flush(None, wanted)
    else:
        compute(wanted)


def compute(wanted: Value | None = None, watch: Callable | None = None) -> None:
    """Do what `flush` does, unrecorded.

    Args:
        watch: see `runtime.evaluate`.
    """
    with runtime.lock:
        storages = [s for s in (reference() for reference in _pending.storages) if s is not None]
        outputs = held()
        _pending.storages.clear()
        _pending.bytes = 0
        try:
            needed = with_saved(outputs if wanted is None else [*outputs, wanted])
            runtime.evaluate(needed, replaced(storages), watch)
        except Exception:
            # A value that cannot be computed must not take the others with it.
            try:
                if wanted is None:
                    raise
                runtime.evaluate([wanted])
            except Exception:
                take_back(storages, wanted)
                raise
        else:
            for storage in storages:
                storage.earlier = None
            release()


def replaced(storages: list[Holder]) -> dict[int, Value]:
    """Return, for pending values by creation order, the computed value that each one replaces.

    A gradient may still ask for the old value where the new one was recorded as made from it; else
    the version counter refuses whoever asks.
    """
    found = {}
    for storage in storages:
        value = storage.value
        if value.data is None and storage.earlier and (
                not value.tracked or value.history is not None):
            old = storage.earlier[0]
            if old.data is not None and not old.volatile:
                found[value.order] = old
    return found


def settle(arrays: list, wanted: Value | None) -> None:
    """Give out arrays that an earlier program computed for what is pending now.

    Args:
        arrays: in the order in which `compute` computes.
        wanted: what it was asked for.
    """
    outputs = held()
    storages = [s for s in (reference() for reference in _pending.storages) if s is not None]
    _pending.storages.clear()
    _pending.bytes = 0
    needed = with_saved(outputs if wanted is None else [*outputs, wanted])
    pending = [value for value in needed if value.data is None]
    for value, array in zip(pending, arrays, strict=True):
        runtime.settle(value, array)
    for storage in storages:
        storage.earlier = None
    release()


def release() -> None:
    """Drop the data that a backward pass has let go of and no tensor holds.

    Should anything ask for it again, it is computed again from what it was made of.
    """
    for value in grad.released:
        storage = value.holder() if value.holder is not None else None
        if (storage is None or storage.value is not value) and value.op is not None:
            value.data = None
    grad.released.clear()


def take_back(storages: list[Holder], wanted: Value | None) -> None:
    """Give tensors that were written with a failed value their newest computable value again.

    Args:
        storages: those with pending values.
        wanted: the value whose error is about to be raised; None for the first of all errors.
            Operations that fail later in the program would not have been reached; what comes
            from one that failed before stays pending, so that reading it raises that error.
    """
    chains = [(s, [s.value, *reversed(s.earlier or ())]) for s in storages]
    wishes = [v for _, chain in chains for v in chain if v.data is None]
    graph = Graph(wishes if wanted is None else [*wishes, wanted])
    arrays, failed = interpret.run_partly(graph)
    cause = min(failed.values(), default=None) if wanted is None else failed.get(wanted.order)
    if cause is None:  # memory ran out, for example
        return
    for storage, chain in chains:
        for value in chain:
            if value.data is None and value.order in arrays:
                runtime.settle(value, arrays[value.order])
            if value.data is not None:
                storage.value, storage.earlier = value, None
                value.holder = weakref.ref(storage)
                break
            if failed[value.order] < cause:
                break


def with_saved(outputs: list[Value]) -> list[Value]:
    """Add the intermediate values that a later backward will read.

    The walk goes through pending values only: what lies behind a computed value was settled
    when that one was computed, so a long-lived graph is never walked twice.
    """
    wanted = {v.order: v for v in outputs}
    seen: set[int] = set()
    stack = [origin(v) for v in outputs if v.tracked]
    while stack:
        value = stack.pop()
        if value.order in seen or value.freed or (
            value.data is not None and value.order not in wanted
        ):
            continue
        seen.add(value.order)
        stack.extend(origin(v) for v in value.inputs if v.tracked)
        for needed in grad.saved(value):
            # Moving elements costs nothing: keep the source, not the moved copy.
            while needed.op is not None and needed.op.kind == "movement":
                needed = needed.inputs[0]
            if needed.data is None and needed.op is not None:
                wanted[needed.order] = needed
    return list(wanted.values())


def read(value: Value):
    """Return the array of a value, computing it (a named moment) if it is pending."""
    if value.data is None:
        if isinstance(value.volatile, Unknown):
            raise value.volatile.refuse()
        flush(value)
    return value.data


def __getattr__(name: str):
    if name == "executions":
        return runtime.executions
    raise AttributeError(name)
