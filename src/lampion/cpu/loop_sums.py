"""What a reduction of a loop gathers: accumulators, and how they become one result.

A sum of floating numbers is added up in several accumulators for a short stretch; the stretches
are added with what each addition lost carried along (Knuth's two-sum), so that a long sum is as
exact as a pairwise one. The order depends on the form and the sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..dtypes import bool_, float32
from ..kernel import Reduce
from .builder import Builder
from .elements import HALVES, Vector, bottom, top

STRETCH = 32  # additions in one accumulator before the carried-along addition


class Reduction:
    """The accumulators of one Reduce, for some vectors side by side.

    Args:
        count: how many accumulators there are.
        width: the elements of each.
    """

    def __init__(self, b: Builder, statement: Reduce, count: int, width: int):
        self.b, self.statement, self.width = b, statement, width
        lower = statement.op.lower
        self.dtype = float32 if statement.dtype in HALVES else statement.dtype
        self.combine: Callable[[Vector, Vector], Vector] = getattr(b, lower["combine"])
        self.before, self.after = lower["before"], lower["after"]
        start = {"lowest": bottom, "highest": top}.get(lower["start"])
        self.start = b.widened(b.constant_of(
            start(self.dtype) if start else lower["start"], self.dtype), width)
        self.carries = lower["combine"] == "add" and self.dtype.is_floating_point
        self.type = b.type(self.dtype, width)
        self.places = [b.variable(self.type) for _ in range(count)]
        self.totals = [b.variable(self.type) for _ in range(count)] if self.carries else []
        self.lost = [b.variable(self.type) for _ in range(count)] if self.carries else []

    def begin(self) -> None:
        """Set all accumulators to what the reduction of nothing is."""
        for place in self.places:
            self.b.set(self.type, place, self.start.name)
        zero = self.b.widened(self.b.constant_of(0, self.dtype), self.width)
        for place in self.totals + self.lost:
            self.b.set(self.type, place, zero.name)

    def _get(self, place: str) -> Vector:
        return Vector(self.b.get(self.type, place), self.dtype, self.width)

    def take(self, x: Vector, which: int) -> None:
        """Add a vector of elements to an accumulator; missing elements count for nothing."""
        b = self.b
        if x.dtype in HALVES:
            x = b.retyped(x, float32)
        if self.before is not None:
            x = self.before(b, x)
        x = b.widened(x, self.width)
        old = self._get(self.places[which])
        new = self.combine(old, x)
        if b.mask is not None:
            new = b.where(Vector(b.mask, bool_, self.width), new, old)
        b.set(self.type, self.places[which], new.name)

    def carry(self, groups: Iterable[list[int]]) -> None:
        """Add each group of accumulators to its total, with what the addition loses kept."""
        b = self.b
        for group in groups:
            x = self._joined(group)
            total, lost = self._get(self.totals[group[0]]), self._get(self.lost[group[0]])
            new = b.add(total, x)
            part = b.sub(new, total)
            error = b.add(b.sub(total, b.sub(new, part)), b.sub(x, part))
            b.set(self.type, self.totals[group[0]], new.name)
            b.set(self.type, self.lost[group[0]], b.add(lost, error).name)
            for which in group:
                b.set(self.type, self.places[which], self.start.name)

    def _joined(self, group: list[int]) -> Vector:
        values = [self._get(self.places[which]) for which in group]
        while len(values) > 1:
            half = -(-len(values) // 2)
            values = [self.combine(values[k], values[k + half]) if k + half < len(values)
                      else values[k] for k in range(half)]
        return values[0]

    def result(self, group: list[int]) -> Vector:
        """The vector of a group of accumulators."""
        x = self._joined(group)
        if not self.carries:
            return x
        b = self.b
        lost = self._get(self.lost[group[0]])
        # Infinity minus infinity: nothing is lost where the total says it all.
        lost = b.where(b.is_nan(lost), b.constant(0, lost), lost)
        return b.add(self._get(self.totals[group[0]]), b.add(x, lost))

    def finished(self, x: Vector) -> Vector:
        """The result of the op from what was combined."""
        b = self.b
        if self.after is not None:
            x = self.after(b, x)
        return b.rounded(x, self.statement.dtype) if self.statement.dtype in HALVES else x
