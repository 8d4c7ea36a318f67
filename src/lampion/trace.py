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
"""

from __future__ import annotations

import weakref
from typing import Protocol

from . import grad, runtime
from .ir import Value, origin


class Holder(Protocol):
    """What holds a value: the storage of a tensor."""

    value: Value


class Budget:
    """How much may be pending before it is computed: number of values, bytes of results."""

    values = 8192
    bytes = 256 << 20


_pending: list[weakref.ref] = []
_pending_bytes = 0


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
    global _pending_bytes
    value = storage.value
    value.holder = weakref.ref(storage)
    if value.data is not None:
        return
    if value.volatile:
        runtime.evaluate([value])
        return
    _pending.append(value.holder)
    size = value.dtype.itemsize
    for n in value.shape:
        size *= n
    _pending_bytes += size
    if len(_pending) > Budget.values or _pending_bytes > Budget.bytes:
        flush()


def held() -> list[Value]:
    """Return the pending values that a tensor still holds."""
    values = []
    for reference in list(_pending):
        storage = reference()
        if storage is not None and storage.value.data is None:
            values.append(storage.value)
    return values


def pending_count() -> int:
    """Return how many values wait to be computed."""
    return len(held())


def flush(wanted: Value | None = None) -> None:
    """Compute everything pending that a tensor holds, and `wanted`."""
    global _pending_bytes
    with runtime.lock:
        outputs = held()
        _pending.clear()
        _pending_bytes = 0
        try:
            runtime.evaluate(with_saved(outputs if wanted is None else [*outputs, wanted]))
        except Exception:
            # A value that cannot be computed must not take the others with it.
            if wanted is None or wanted.data is not None:
                raise
            runtime.evaluate([wanted])


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
        flush(value)
    return value.data




def __getattr__(name: str):
    if name == "executions":
        return runtime.executions
    raise AttributeError(name)
