"""asin, acos, atan and atan2: a polynomial near 0; elsewhere they are traced back to there.

    asin x = pi/2 - 2 asin sqrt((1 - x) / 2)        atan x = pi/2 - atan 1/x
"""

from __future__ import annotations

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins

# pi/2 as two numbers.
HALF_PI = {float32: (1.5707963705062866, -4.371138828673793e-08),
           float64: (1.5707963267948966, 6.123233995736766e-17)}
# (asin x - x) / x^3 up to 1/2 and (atan x - x) / x^3 up to 1, in x^2.
ARC_SINE = {
    float32: (0.04223483528, 0.02413826336, 0.04547894653, 0.07495227362, 0.1666675427),
    float64: (0.031984558255645540, -0.016331024360722028, 0.019597222141702182,
              0.0065024097252537135, 0.012175216891778917, 0.013884304957066873,
              0.017359800758709735, 0.022371751552065967, 0.030381959414207511,
              0.044642856821435893, 0.075000000003455851, 0.16666666666665372)}
ARC_TANGENT = {
    float32: (0.002976033618, -0.01658756484, 0.04356488456, -0.07581616555, 0.1067945998,
              -0.1421434827, 0.1999415512, -0.3333316779),
    float64: (1.3489965697872474e-5, -0.00015480549067492179, 0.00084353166047098136,
              -0.0029195006440405766, 0.0072637212896090369, -0.013995587991031764,
              0.022085893424322871, -0.029986269472133843, 0.036694033086459613,
              -0.042217460474950108, 0.047233055015050044, -0.052538095565995047,
              0.058805935552312126, -0.066664151835578177, 0.076922812117718206,
              -0.090909071215862274, 0.11111111013792298, -0.14285714282807304,
              0.19999999999955526, -0.33333333333333093)}


def asin(b, x: Vector) -> Vector:
    far, found = _arc_sine(b, x)
    high, low = HALF_PI[x.dtype]
    two = b.fma(found, b.constant(2, x), b.constant(-low, x))
    return b.copysign(b.where(far, b.sub(b.constant(high, x), two), found), x)


def acos(b, x: Vector) -> Vector:
    far, found = _arc_sine(b, x)
    signed = b.copysign(found, x)
    part = b.where(far, b.mul(signed, b.constant(-2, x)), signed)
    below = b.lt(x, b.constant(0, x))

    def start(number: float) -> Vector:
        """A part of the angle that is subtracted from: 0, pi/2 or pi."""
        end = b.where(below, b.constant(2 * number, x), b.constant(0, x))
        return b.where(far, end, b.constant(number, x))

    high, low = HALF_PI[x.dtype]
    return b.sub(start(high), b.sub(part, start(low)))


def _arc_sine(b, x: Vector) -> tuple[Vector, Vector]:
    """Return whether |x| > 1/2, and asin of |x| or of sqrt((1 - |x|) / 2)."""
    a, half = b.abs(x), b.constant(0.5, x)
    far = b.gt(a, half)
    square = b.where(far, b.fma(a, b.constant(-0.5, x), half), b.mul(a, a))
    a = b.where(far, b.sqrt(square), a)
    return far, b.fma(b.mul(a, square), ins.polynomial(b, square, ARC_SINE[x.dtype]), a)


def atan(b, x: Vector) -> Vector:
    a, one = b.abs(x), b.constant(1, x)
    far = b.gt(a, one)
    found = _arc_tangent(b, b.div(b.where(far, one, a), b.where(far, a, one)))
    return b.copysign(b.where(far, _from(b, HALF_PI[x.dtype], found), found), x)


def atan2(b, y: Vector, x: Vector) -> Vector:
    height, width = b.abs(y), b.abs(x)
    steep = b.gt(height, width)
    large, small = b.where(steep, height, width), b.where(steep, width, height)
    zero = b.constant(0, x)
    slope = b.where(b.eq(height, width), b.constant(1, x), b.div(small, large))
    slope = b.where(b.eq(b.add(height, width), zero), zero, slope)
    high, low = HALF_PI[x.dtype]
    found = _arc_tangent(b, slope)
    found = b.where(steep, _from(b, (high, low), found), found)
    bits = b.bitcast(x, ins.LAYOUT[x.dtype].whole)
    left = b.lt(bits, b.constant(0, bits))
    return b.copysign(b.where(left, _from(b, (2 * high, 2 * low), found), found), y)


def _arc_tangent(b, a: Vector) -> Vector:
    square = b.mul(a, a)
    return b.fma(b.mul(a, square), ins.polynomial(b, square, ARC_TANGENT[a.dtype]), a)


def _from(b, angle: tuple[float, float], x: Vector) -> Vector:
    """angle - x."""
    high, low = angle
    return b.sub(b.constant(high, x), b.sub(x, b.constant(low, x)))
