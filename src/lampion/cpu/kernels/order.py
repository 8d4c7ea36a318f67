"""How elements are compared: NaN is beyond all others, -0 and +0 are equal.

float32 and float64 are compared as they are, and NaN is asked for; the bits of float16 become whole
numbers in the same order, with NaN as the one at the end.
"""

from __future__ import annotations

from ...dtypes import bool_, float16
from ...dtypes import dtype as DType
from ..kernel_text import Function, size_of
from .numbers import WORD, of_width


class Order:
    """Which of two elements comes first when the largest (or smallest) is looked for."""

    def __init__(self, f: Function, dtype: DType, largest: bool):
        self.f, self.dtype, self.largest = f, dtype, largest
        self.kind = WORD[dtype.name]
        self.size = size_of(self.kind)
        self.floating = self.kind in ("float", "double")
        self.signed = dtype.is_signed and dtype is not bool_

    def last(self, width: int) -> str:
        """Return the element that no other comes behind, in all lanes."""
        if self.floating:
            number = "0xFFF0000000000000" if self.largest else "0x7FF0000000000000"
        else:
            bits = 8 * self.size
            low = -(1 << (bits - 1)) if self.signed else 0
            high = (1 << (bits - 1)) - 1 if self.signed else (1 << bits) - 1
            # float16 lies in memory as bits that are made comparable only after reading.
            if self.dtype is float16:
                low, high = -0x400, 0x7C00  # the bits of the two infinities
            number = str(low if self.largest else high)
        return number if width == 1 else f"splat ({self.kind} {number})"

    def comparable(self, width: int, x: str) -> str:
        """Return elements of memory as `better` wants them."""
        if self.dtype is not float16:
            return x
        f, kind = self.f, of_width("i16", width)
        bits = of_width("i1", width)

        def number(n: int) -> str:
            return str(n) if width == 1 else f"splat (i16 {n})"

        size = f.value(f"and {kind} {x}, {number(0x7FFF)}")
        negative = f.value(f"icmp slt {kind} {x}, {number(0)}")
        # The numbers below zero in reverse; -0 becomes 0.
        turned = f.value(f"sub {kind} {number(0)}, {size}")
        key = f.value(f"select {bits} {negative}, {kind} {turned}, {kind} {size}")
        nan = f.value(f"icmp ugt {kind} {size}, {number(0x7C00)}")
        end = number(32767 if self.largest else -32768)
        return f.value(f"select {bits} {nan}, {kind} {end}, {kind} {key}")

    def before(self, width: int, a: str, b: str) -> str:
        """Return whether a comes before b; false for NaN."""
        kind = of_width(self.kind, width)
        if self.floating:
            return self.f.value(f"fcmp {'ogt' if self.largest else 'olt'} {kind} {a}, {b}")
        sign = "s" if self.signed else "u"
        return self.f.value(f"icmp {sign}{'gt' if self.largest else 'lt'} {kind} {a}, {b}")

    def better(self, width: int, a: str, b: str) -> str:
        """Return the one that comes first; which one if there is NaN is left open."""
        kind = of_width(self.kind, width)
        return self.f.value(f"select {of_width('i1', width)} {self.before(width, a, b)}, "
                            f"{kind} {a}, {kind} {b}")

    def equal(self, width: int, a: str, b: str) -> str:
        kind = of_width(self.kind, width)
        return self.f.value(f"{'fcmp oeq' if self.floating else 'icmp eq'} {kind} {a}, {b}")

    def nan(self, width: int, a: str, b: str | None = None) -> str | None:
        """Return which lanes are NaN in a or in b; None where the type has no NaN to ask for."""
        if not self.floating:
            return None
        return self.f.value(f"fcmp uno {of_width(self.kind, width)} {a}, {b or a}")
