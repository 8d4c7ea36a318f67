"""What a program is made of: places in memory, and steps that read and write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..ir import Type, Value
from ..kernel import Loop
from ..passes.access import Access
from .steps import FAULT, Plan
from .steps import Place as Slot


class Place:
    """Where a value lies.

    Attributes:
        type: shape and element type.
        first, last: the steps between which it is needed.
        external: its number among the inputs, then the outputs; None inside the arena.
    """

    __slots__ = ("type", "first", "last", "external")

    def __init__(self, type_: Type, first: int, external: int | None = None):
        self.type, self.first, self.last, self.external = type_, first, first, external

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.type.shape) * self.type.dtype.array.itemsize


class Native(NamedTuple):
    """Native calls over some places: inputs first, then results.

    Attributes:
        results: how many of the places are written (the last ones).
        aligned: pairs of an input and a result (by number) that may be the same memory.
        loop: the fused loop that it runs, if it is one.
        text: the op, if it is a single one.
        operations: how much arithmetic it takes.
    """

    plan: Plan
    places: tuple[Place, ...]
    results: int = 1
    aligned: frozenset[tuple[int, int]] = frozenset()
    loop: Loop | None = None
    text: str = ""
    operations: float = 0.0

    def can_fault(self) -> bool:
        """Whether a step of the plan may note a fault."""
        return any(isinstance(slot, Slot) and slot.where == FAULT
                   for step in self.plan.steps for slot in step.slots)


class Reader(NamedTuple):
    """How NumPy sees a value that lies in a place: as the place itself, or through strides."""

    place: Place
    access: Access | None
    shape: tuple[int, ...]


class Meaning(NamedTuple):
    """An op computed by its meaning on NumPy."""

    value: Value
    operands: tuple[Reader, ...]
    places: tuple[Place, ...]  # the result's
    operations: float = 0.0


Step = Native | Meaning


def places_of(step: Step) -> Iterable[Place]:
    """Return all places that a step reads or writes."""
    if isinstance(step, Native):
        return step.places
    return (*(reader.place for reader in step.operands), *step.places)


def find_lives(steps: Sequence[Step], outputs: Iterable[Place]) -> None:
    """Write into each place between which steps it is needed; outputs to the end."""
    for number in reversed(range(len(steps))):
        for place in places_of(steps[number]):
            place.first = number
    for number, step in enumerate(steps):
        for place in places_of(step):
            place.last = number
    for place in outputs:
        place.last = len(steps)


def made_by(step: Step) -> Iterable[Place]:
    """Return the places that a step writes."""
    if isinstance(step, Native):
        return step.places[len(step.places) - step.results:]
    return step.places
