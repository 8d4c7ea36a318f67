"""Calls that read memory which NumPy can change: what a record does instead of ending there.

Such memory must be read when the call is made, so it cannot be an argument of a record, whose
calls are made later. Where no gradient path is involved, the call is made at once, and its result
is an argument of what follows: rows are picked out of an array, then the step goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import TensorBase
from ..ir import mode
from .tree import Call

if TYPE_CHECKING:
    from .run import Run


def at_once(run: Run, call: Call, args: tuple, kwargs: dict) -> tuple[Any] | None:
    """Return what a call returns that a record refused, or None where the record is lost."""
    if (call.operands is not None or call.name.endswith("_") or call.name == "setitem"
            or "out" in kwargs):
        return None
    tensors = list(_tensors((args, tuple(kwargs.values()))))
    if not any(map(_is_shared, tensors)) or any(x.requires_grad for x in tensors):
        return None
    for tensor in tensors:
        if tensor._promise is not None or tensor._storage.value.data is None:
            tensor._read()
    mode.run = None
    try:
        return (call.function(*args, **kwargs),)
    finally:
        mode.run = run


def _tensors(x: Any) -> Any:
    if isinstance(x, TensorBase):
        yield x
    elif isinstance(x, (tuple, list)):
        for item in x:
            yield from _tensors(item)


def _is_shared(tensor: TensorBase) -> bool:
    if tensor._promise is not None:
        return False
    storage = tensor._storage
    return (storage.shared is not None and storage.deferred is None
            and storage.value.volatile is True)
