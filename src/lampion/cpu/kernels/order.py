"""How elements are compared: NaN is beyond all others, -0 and +0 are equal.

float32 and float64 are compared as they are, and NaN is asked for; or bits become whole numbers in
the same order, with NaN as the one at the end: always so for float16.
"""

from __future__ import annotations

from ...dtypes import bool_, float16
from ...dtypes import dtype as DType
from ..kernel_text import Function, size_of
from .numbers import WORD, of_width

# The bits of infinity; what is above is NaN.
INFINITY = {"i16": 0x7C00, "i32": 0x7F800000, "i64": 0x7FF0000000000000}


class Order:
    """Which of two elements comes first when the largest (or smallest) is looked for.

    Args:
        bits: compare float32 and float64 by their bits, too.
    """

    def __init__(self, f: Function, dtype: DType, largest: bool, bits: bool = False):
        self.f, self.dtype, self.largest = f, dtype, largest
        self.kind = WORD[dtype.name]
        self.by_bits = dtype is float16 or bits and dtype.is_floating_point
        if self.by_bits:
            self.kind = {"float": "i32", "double": "i64"}.get(self.kind, self.kind)
        self.size = size_of(self.kind)
        self.floating = self.kind in ("float", "double")
        self.signed = dtype.is_signed and dtype is not bool_

    def last(self, width: int) -> str:
        """Return the element that no other comes behind, as in memory, in all lanes."""
        if self.floating:
            number = "0xFFF0000000000000" if self.largest else "0x7FF0000000000000"
        else:
            bits = 8 * self.size
            low = -(1 << (bits - 1)) if self.signed else 0
            high = (1 << (bits - 1)) - 1 if self.signed else (1 << bits) - 1
            if self.by_bits:
                high = INFINITY[self.kind]
                low = high - (1 << (bits - 1))
            number = str(low if self.largest else high)
        return number if width == 1 else f"splat ({self.kind} {number})"

    def comparable(self, width: int, x: str) -> str:
        """Return elements of memory as `better` wants them."""
        if not self.by_bits:
            return x
        f, kind, bits = self.f, of_width(self.kind, width), of_width("i1", width)
        top = (1 << (8 * self.size - 1)) - 1

        def number(n: int) -> str:
            return str(n) if width == 1 else f"splat ({self.kind} {n})"

        size = f.value(f"and {kind} {x}, {number(top)}")
        negative = f.value(f"icmp slt {kind} {x}, {number(0)}")
        # The numbers below zero in reverse; -0 becomes 0.
        turned = f.value(f"sub {kind} {number(0)}, {size}")
        key = f.value(f"select {bits} {negative}, {kind} {turned}, {kind} {size}")
        nan = f.value(f"icmp ugt {kind} {size}, {number(INFINITY[self.kind])}")
        end = number(top if self.largest else -top - 1)
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
