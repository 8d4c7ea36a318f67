"""Where random decisions come from.

Everything a generator decides is a number below some bound, so that one small interface serves
both a fast seeded source and hypothesis, which can shrink its draws. By convention the first
alternative of every list is the simplest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


class Choices:
    """A source of decisions; `below` is the only method that differs between sources."""

    def below(self, count: int) -> int:
        """Return one of 0 .. count - 1."""
        raise NotImplementedError

    def between(self, low: int, high: int) -> int:
        """Return an integer of low .. high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items, each as likely."""
        return items[self.below(len(items))]

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases; the simplest answer is False."""
        return self.below(100) >= 100 - percent

    def weighted(self, items: Sequence[Item], ends: Sequence[int]) -> Item:
        """Return an item; `ends` holds the running sums of their weights."""
        mark = self.below(ends[-1])
        for item, end in zip(items, ends, strict=True):
            if mark < end:
                return item
        raise ValueError("the running sums must grow")


class SeededChoices(Choices):
    """Decisions of Python's generator, from a seed: fast and repeatable."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        return int(self._random.random() * count)


class DrawnChoices(Choices):
    """Decisions drawn through hypothesis, so that a failing program shrinks.

    Args:
        draw: hypothesis' draw function.
        integers: function from a bound to a strategy of the integers below it.
    """

    def __init__(self, draw: Any, integers: Any):
        self._draw, self._integers = draw, integers

    def below(self, count: int) -> int:
        return 0 if count <= 1 else self._draw(self._integers(count))
