"""Powers of whole numbers, by squaring; what does not fit wraps around."""

from __future__ import annotations

from .elements import Vector


def pow(b, base: Vector, exponent: Vector) -> Vector:
    """base to the power exponent; a negative power is 0, except for bases 1 and -1."""
    width = max(base.width, exponent.width)
    base, exponent = b.widened(base, width), b.widened(exponent, width)
    dtype = base.dtype
    if not dtype.is_signed and dtype.category == 0:
        return b.bit_or(base, b.bit_not(exponent))
    type_ = b.type(dtype, width)
    zero, one = (b.widened(b.constant(n, base), width) for n in (0, 1))
    negative = b.lt(exponent, zero)
    left = b.where(negative, b.bit_and(exponent, one), exponent)
    places = {"found": one, "square": base, "left": left}
    places = {name: (b.variable(type_), value) for name, value in places.items()}
    for place, value in places.values():
        b.set(type_, place, value.name)

    def get(name):
        return Vector(b.get(type_, places[name][0]), dtype, width)

    # 0 while any power is left to do, then 1.
    done = b.variable("i64")

    def ask() -> None:
        more = b.any(b.ne(get("left"), zero))
        b.set("i64", done, b.value(f"select i1 {more}, i64 0, i64 1"))

    ask()
    with b.f.while_below(done, 1):
        left, square, found = get("left"), get("square"), get("found")
        odd = b.ne(b.bit_and(left, one), zero)
        b.set(type_, places["found"][0], b.where(odd, b.mul(found, square), found).name)
        b.set(type_, places["square"][0], b.mul(square, square).name)
        b.set(type_, places["left"][0], b.binary("lshr", left, one).name)
        ask()
    found = get("found")
    if not dtype.is_signed:
        return found
    unit = b.bit_or(b.eq(base, one), b.eq(base, b.constant(-1, base)))
    return b.where(negative, b.where(unit, found, zero), found)
