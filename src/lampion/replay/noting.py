"""What is noted while a recorded call is made, so that its program can run on other numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..ir import Value


class Noting:
    """Notes of one call.

    Attributes:
        binds: storages that took a new value.
        numbers: (value, place) of each lifted number.
        keys: the values that hold where a random draw begins, in the order of the draws.
        draws: (generator, blocks, (seed, begin)) of each random draw.
        checks: (value, function) of each check of numbers that are known at the call.
        refused: why the call must not be replayed, or None.
        operands: the numbers that were computed with, by what they are.
        again: draws of an earlier time, to be given out again.
    """

    __slots__ = ("binds", "numbers", "keys", "draws", "checks", "refused", "operands", "again")

    def __init__(self, again: deque | None = None):
        self.binds: list[Any] = []
        self.numbers: list[tuple[Value, int]] = []
        self.keys: list[Value] = []
        self.draws: list[tuple[Any, int, tuple[int, int]]] = []
        self.checks: list[tuple[Value, Callable]] = []
        self.refused: str | None = None
        self.operands: dict[tuple, Value] = {}
        self.again = again

    def draw(self, generator: Any, blocks: int) -> tuple[int, int]:
        """Take random blocks from a generator, or those of the earlier time."""
        start = self.again.popleft() if self.again else generator.take(blocks)
        self.draws.append((generator, blocks, start))
        return start

    def refuse(self, reason: str) -> None:
        """Say that the call must not be replayed."""
        self.refused = self.refused or reason
