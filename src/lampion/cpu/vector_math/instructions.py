"""What the functions are made of: polynomials, whole powers of two, tables in registers.

Where an instruction set has one instruction for a step (AVX-512's `scalef`, `getexp`, `getmant`,
the permutations that look numbers up), it is used; elsewhere ordinary instructions do the same.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...dtypes import dtype as DType
from ...dtypes import float32, float64, int32, int64
from ..elements import Vector, literal


class Layout(NamedTuple):
    """How a floating type lies in its bits.

    Attributes:
        whole: the whole-number type of the same size.
        fraction: how many bits the fraction has.
        bias: what is added to the exponent.
        smallest: the smallest number that is not denormal.
    """

    whole: DType
    fraction: int
    bias: int
    smallest: float

    @property
    def rounder(self) -> float:
        """Added to a number it leaves no room for a fraction: the last bits are the nearest
        whole number."""
        return 1.5 * 2.0**self.fraction


LAYOUT = {float32: Layout(int32, 23, 127, 2.0**-126), float64: Layout(int64, 52, 1023, 2.0**-1022)}


def polynomial(b, x: Vector, coefficients: Sequence[float]) -> Vector:
    """Write a polynomial; the highest power comes first."""
    found = b.constant(coefficients[0], x)
    for c in coefficients[1:]:
        found = b.fma(found, x, b.constant(c, x))
    return found


# --- whole numbers in floating registers -------------------------------------------------------


def nearest(b, x: Vector, factor: float = 1.0) -> tuple[Vector, Vector]:
    """Return n, the whole number nearest to factor * x, and bits that end in n.

    |factor * x| must be below 2^(fraction - 1).
    """
    rounder = b.constant(LAYOUT[x.dtype].rounder, x)
    if factor == 1.0:
        shifted = b.add(x, rounder)
    else:
        shifted = b.fma(x, b.constant(factor, x), rounder)
    return b.sub(shifted, rounder), b.bitcast(shifted, LAYOUT[x.dtype].whole)


def power_of_two(b, bits: Vector, dtype: DType, more: int = 0) -> Vector:
    """Return 2^(n + more) for the bits of `nearest`; it must not be denormal."""
    layout = LAYOUT[dtype]
    exponent = b.add(bits, b.constant(layout.bias + more, bits))
    return b.bitcast(b.binary("shl", exponent, b.constant(layout.fraction, bits)), dtype)


def scaled(b, x: Vector, n: Vector, bits: Vector) -> Vector:
    """Return x * 2^n, rounded once, for n and the bits of `nearest`; may be denormal or inf."""
    if has_avx512(b, x):
        return _avx512(b, "scalef", x, n)
    layout = LAYOUT[x.dtype]
    # Two factors, each a number of its own; the sum of both exponents stays positive, so that
    # the half of it is a plain shift.
    start = int(layout.rounder).bit_length() - 1
    rounder_bits = ((start + layout.bias) << layout.fraction) | (1 << (layout.fraction - 1))
    both = b.add(bits, b.constant(2 * layout.bias - rounder_bits, bits))
    half = b.binary("lshr", both, b.constant(1, bits))
    place = b.constant(layout.fraction, bits)
    for exponent in (half, b.sub(both, half)):
        x = b.mul(x, b.bitcast(b.binary("shl", exponent, place), x.dtype))
    return x


def mantissa(b, x: Vector) -> tuple[Vector, Vector]:
    """Return m and e with x = m * 2^e and 3/4 <= m < 3/2, for positive x.

    On AVX-512, m is NaN for negative x, e is -inf for 0, inf for inf.
    """
    one = b.constant(1, x)
    if has_avx512(b, x):
        # Interval [3/4, 3/2); NaN for what is negative. Adding 0 makes -0 positive.
        x = b.add(x, b.constant(0, x))
        m, e = _avx512(b, "getmant", x, settings=("i32 11",)), _avx512(b, "getexp", x)
        return m, b.where(b.lt(m, one), b.add(e, one), e)
    layout = LAYOUT[x.dtype]
    tiny = b.lt(x, b.constant(layout.smallest, x))
    up = layout.fraction + 1
    x = b.where(tiny, b.mul(x, b.constant(2.0**up, x)), x)
    bits = b.bitcast(x, layout.whole)
    place = b.constant(layout.fraction, bits)
    # A fraction of a half or more carries over into the exponent.
    moved = b.add(bits, b.constant(1 << (layout.fraction - 1), bits))
    biased = b.binary("lshr", moved, place)
    m = b.bitcast(b.sub(bits, b.binary("shl", b.sub(biased, b.constant(layout.bias, bits)),
                                       place)), x.dtype)
    # Under the exponent of 2^fraction the last bits are a whole number.
    base = 2.0**layout.fraction
    number = b.bitcast(b.bit_or(biased, b.bitcast(b.widened(b.constant(base, x), biased.width),
                                                  layout.whole)), x.dtype)
    offset = base + layout.bias
    return m, b.sub(number, b.where(tiny, b.constant(offset + up, x), b.constant(offset, x)))


def opposite(b, x: Vector, bit: Vector) -> Vector:
    """Return x with its sign turned where a whole number 0 or 1 is 1."""
    layout = LAYOUT[x.dtype]
    last = b.constant(x.dtype.itemsize * 8 - 1, bit)
    return b.bitcast(b.bit_xor(b.bitcast(x, layout.whole), b.binary("shl", bit, last)), x.dtype)


# --- AVX-512 -----------------------------------------------------------------------------------


def has_avx512(b, x: Vector) -> bool:
    """Whether a vector fills AVX-512 registers (or the lower parts that AVX-512 can use too)."""
    return b.avx512 and x.width * x.dtype.itemsize >= 16


def _avx512(b, name: str, *operands: Vector, settings: tuple[str, ...] = ()) -> Vector:
    """Write an instruction that exists for floating vectors of 16, 32 and 64 bytes."""
    operands = tuple(b.widened(v, max(v.width for v in operands)) for v in operands)
    x = operands[0]
    bits = x.width * x.dtype.itemsize * 8
    if bits > 512:
        return b.joined(*(_avx512(b, name, *(b.half_of(v, upper) for v in operands),
                                  settings=settings) for upper in (False, True)))
    type_ = b.type(x.dtype, x.width)
    letter = "s" if x.dtype is float32 else "d"
    arguments = [f"{type_} {v.name}" for v in operands]
    arguments += [*settings, f"{type_} {x.name}", f"i{max(8, x.width)} -1"]
    if bits == 512:
        arguments.append("i32 4")  # round as always
    return Vector(b.call(type_, f"llvm.x86.avx512.mask.{name}.p{letter}.{bits}", *arguments),
                  x.dtype, x.width)


# --- tables in registers -----------------------------------------------------------------------


def table_size(b, x: Vector) -> int:
    """Return how many numbers one permutation can look up for each element, 0 if none."""
    if x.dtype is not float32:
        return 0
    return 16 if b.avx512 else 8 if b.avx2 else 0


def _look_up(b, numbers: Sequence[float], index: Vector) -> Vector:
    """Return numbers[index mod len(numbers)] for float32 numbers, as many as `table_size`."""
    size = len(numbers)
    if index.width > size:
        return b.joined(*(_look_up(b, numbers, b.half_of(index, upper))
                          for upper in (False, True)))
    function = {16: "llvm.x86.avx512.permvar.sf.512", 8: "llvm.x86.avx2.permps"}[size]
    table = ", ".join(f"float {literal(number, float32)}" for number in numbers)
    many = b.type(float32, size)
    return Vector(b.call(many, function, f"{many} <{table}>",
                         f"{b.type(int32, size)} {index.name}"), float32, size)


def saturating(b, x: Vector, table: Table) -> Vector:
    """Write an odd function that climbs from 0 to 1 by a table of polynomials."""
    size = len(table.rows[0])
    if x.width < size:
        # A short vector is repeated: results must not depend on how many there are.
        wide = b.widened(x, size) if x.width == 1 else b.joined(x, x)
        found = saturating(b, wide, table)
        while found.width > x.width:
            found = b.half_of(found, False)
        return found
    a = b.minimum(b.abs(x), b.constant((size - 1) * table.step, x))
    n, index = nearest(b, a, 1 / table.step)
    d = b.fma(n, b.constant(-table.step, x), a)
    found = _look_up(b, table.rows[0], index)
    for row in table.rows[1:]:
        found = b.fma(found, d, _look_up(b, row, index))
    return b.copysign(found, x)


class Table(NamedTuple):
    """Polynomials about the multiples of `step`: one row of numbers for each power, highest first.
    """

    step: float
    rows: tuple[tuple[float, ...], ...]


@functools.cache
def table_of(function: Callable[[float], float], size: int, end: float, degree: int) -> Table:
    """Return `size` polynomials for an odd function that is 1 (in float32) from `end` on.

    Each interpolates at Chebyshev's points; the first one about 0 has no constant term, so that
    small numbers keep their precision, and the last one is 1.
    """
    # The last piece begins half a step below its middle. The step has few bits.
    step = math.ceil(end / (size - 1.5) * 1024) / 1024

    def about(place: float) -> list[float]:
        return _interpolated(lambda d: function(place + d), 0.0, step / 2, degree)

    first = _interpolated(lambda d: function(d) / d, step / 4, step / 4, degree - 1)
    columns = [[*first, 0.0], *(about(k * step) for k in range(1, size - 1)),
               [*[0.0] * degree, 1.0]]
    return Table(step, tuple(zip(*columns)))


def _interpolated(function: Callable[[float], float], middle: float, half: float,
                  degree: int) -> list[float]:
    """Coefficients, highest first, of the polynomial through Chebyshev's points."""
    count = degree + 1
    places = [middle + half * math.cos((k + 0.5) * math.pi / count) for k in range(count)]
    # Newton's divided differences, then multiplied out.
    parts = [function(x) for x in places]
    for order in range(1, count):
        for k in range(count - 1, order - 1, -1):
            parts[k] = (parts[k] - parts[k - 1]) / (places[k] - places[k - order])
    found = [parts[-1]]
    for part, place in zip(parts[-2::-1], places[-2::-1]):
        found = [a - place * before for a, before in zip([*found, 0.0], [0.0, *found])]
        found[-1] += part
    return found


# --- seldom paths ------------------------------------------------------------------------------


def unless(b, unfit: Vector, found: Vector, other: Callable[[], Vector]) -> Vector:
    """Return `found`, but `other()` where `unfit` holds; it is run only if that is anywhere."""
    type_ = b.type(found.dtype, found.width)
    place = b.variable(type_)
    b.set(type_, place, found.name)
    with b.when(b.any(unfit)):
        b.set(type_, place, b.where(unfit, other(), found).name)
    return Vector(b.get(type_, place), found.dtype, found.width)
