"""How numbers are made: sign bits, exponents, neighbours, common divisors."""

from __future__ import annotations

from ..dtypes import bool_, int32
from ..ir import Type, zero
from .define import opaque
from .elementwise import cast, exp2

signbit = opaque(
    "signbit", "Whether the sign bit is set, that of -0 included.",
    meaning=lambda xp, x: xp.signbit(x) if x.dtype.kind == "f" else xp.asarray(x < 0),
    result=lambda x: Type(x.shape, bool_), grad=zero, kernel="signbit")


def _halved(g, exponent):
    return g * exp2(-cast(exponent, dtype=g.dtype))


mantissa = opaque(
    "mantissa", "The m of x = m 2^e with 0.5 <= |m| < 1.",
    meaning=lambda xp, x: xp.frexp(x)[0], result=lambda x: x.type, floating=True,
    kernel="mantissa", grad=lambda g, y, x: (_halved(g, exponent(x)),))

exponent = opaque(
    "exponent", "The e of x = m 2^e with 0.5 <= |m| < 1.",
    meaning=lambda xp, x: xp.asarray(xp.frexp(x)[1]).astype("int32"),
    result=lambda x: Type(x.shape, int32), floating=True, kernel="exponent", grad=zero)

nextafter = opaque(
    "nextafter", "The number next to a in the direction of b.",
    meaning=lambda xp, a, b: xp.nextafter(a, b), result=lambda a, b: a.type, floating=True,
    kernel="nextafter", grad=zero)

gcd = opaque(
    "gcd", "The greatest common divisor of whole numbers.",
    meaning=lambda xp, a, b: xp.gcd(a, b), result=lambda a, b: a.type, kernel="gcd", grad=zero)
