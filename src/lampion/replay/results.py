"""What a call returns: tensors, alone or in tuples and lists, in terms of slots and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..base import TensorBase
from .keys import Refused
from .tree import Made


class Sequence:
    """A tuple, list or named tuple of results.

    Args:
        kind: its class.
        items: what is in it.
    """

    __slots__ = ("kind", "items")

    def __init__(self, kind: type, items: list):
        self.kind, self.items = kind, items


class Slot:
    """A tensor that the record knew before the call: an in-place function returns its own."""

    __slots__ = ("number",)

    def __init__(self, number: int):
        self.number = number


class Plain:
    """A result that is no tensor."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value


def encode(result: Any, tensor: Callable[[TensorBase], Made | Slot]) -> Any:
    """Return a result in terms of slots.

    Args:
        tensor: says what to write for a tensor.
    """
    if isinstance(result, TensorBase):
        return tensor(result)
    if isinstance(result, (tuple, list)):
        return Sequence(type(result), [encode(x, tensor) for x in result])
    if result is None or type(result) in (bool, int, float, str):
        return Plain(result)
    raise Refused(f"a result of type {type(result).__name__}")


def decode(code: Any, slots: list) -> Any:
    """Return the result that a code stands for."""
    kind = type(code)
    if kind is Made:
        return slots[code.slot]
    if kind is Slot:
        return slots[code.number]
    if kind is Plain:
        return code.value
    items = [decode(item, slots) for item in code.items]
    if code.kind is list:
        return items
    return code.kind(*items) if hasattr(code.kind, "_fields") else code.kind(items)


def tensors(result: Any) -> Iterator[TensorBase]:
    """Yield the tensors of a result in order."""
    if isinstance(result, TensorBase):
        yield result
    elif isinstance(result, (tuple, list)):
        for x in result:
            yield from tensors(x)
