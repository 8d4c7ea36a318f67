"""Tensors that belong together, as operands of a recorded call: those of a network, for example."""

from __future__ import annotations

import itertools
from typing import Any

_numbers = itertools.count()


class Structure:
    """What bundles of the same structure share: compared by identity.

    Args:
        name: a word for messages.

    Attributes:
        refusals: how often a call with such a bundle turned out not to be recordable.
    """

    __slots__ = ("name", "refusals")

    def __init__(self, name: str):
        self.name, self.refusals = name, 0

    def __repr__(self) -> str:
        return self.name


class Bundle:
    """Tensors that belong together; it never changes.

    Args:
        structure: equal for bundles that may stand in each other's place.
        tensors: the tensors.

    Attributes:
        number: no other bundle has it.
    """

    __slots__ = ("structure", "tensors", "number", "__weakref__")

    def __init__(self, structure: Structure, tensors: tuple[Any, ...]):
        self.structure, self.tensors, self.number = structure, tensors, next(_numbers)
