"""The operands of an op that is being mapped."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..ir import Op, Value, expand, registry


class Lanes(NamedTuple):
    """The operands of an op for all elements.

    Attributes:
        size: how many elements there are.
        inputs: the operands; those that are mapped have the elements along axis 0.
        mapped: which of them are.
        value: what the op makes of one element.
    """

    size: int
    inputs: list[Value]
    mapped: list[bool]
    value: Value

    @property
    def op(self) -> Op:
        """The op."""
        return self.value.op

    def rank(self, place: int) -> int:
        """How many axes an operand has for one element."""
        return self.inputs[place].ndim - self.mapped[place]

    def all(self) -> list[Value]:
        """The operands, each with the elements along axis 0."""
        return [v if mapped else spread(v, self.size)
                for v, mapped in zip(self.inputs, self.mapped, strict=True)]


def spread(value: Value, size: int) -> Value:
    """Repeat a value for each of `size` elements along a new axis 0."""
    return expand(value, (size, *value.shape))


def move(value: Value, source: int, target: int) -> Value:
    """Bring one axis to another place."""
    if source == target:
        return value
    order = [k for k in range(value.ndim) if k != source]
    order.insert(target, source)
    return registry["permute"](value, order=tuple(order))


def fold(value: Value, axis: int) -> Value:
    """Join the elements along axis 0 with another axis: (B, ..., n, ...) -> (..., B n, ...).

    Args:
        axis: of one element.
    """
    moved = move(value, 0, axis)
    shape = moved.shape
    return registry["reshape"](
        moved, shape=(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2:]))


def unfold(value: Value, size: int, axis: int) -> Value:
    """Undo `fold`: (..., B n, ...) -> (B, ..., n, ...)."""
    shape = value.shape
    rest = shape[axis] // size if size else 0
    split = registry["reshape"](value, shape=(*shape[:axis], size, rest, *shape[axis + 1:]))
    return move(split, axis, 0)


def count(shape: tuple[int, ...]) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)
