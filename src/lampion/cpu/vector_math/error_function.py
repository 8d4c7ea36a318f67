"""erf and its inverse.

erf is x times a polynomial up to 1, and 1 - e^P(x) above, where P is log(1 - erf x). Where a
permutation can look up coefficients, float32 is done by a table of polynomials instead: 0.5 to 0.7
of the instructions.

erfinv is x times a polynomial of w = -log(1 - x^2), or of sqrt(w) where w is large (the way of
M. Giles, Approximating the erfinv function, 2011).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins
from .exponential import part_of_exp
from .logarithm import log

# From here on erf is 1.
ONE = {float32: 3.93, float64: 5.95}
# erf(x) / x - 1 up to 1, in x^2.
NEAR = {
    float32: (7.889119157e-5, -0.0008020845698, 0.005189536462, -0.02685444558, 0.1128360021,
              -0.3761262714, 0.1283791659),
    float64: (-7.8011888740977516e-10, 1.3722976265924503e-8, -1.6209175911748696e-7,
              1.6447517677871874e-6, -1.4924744663335490e-5, 0.00012055295320494294,
              -0.00085483259896967580, 0.0052239776074234678, -0.026866170643276218,
              0.11283791670945253, -0.37612638903183547, 0.12837916709551257)}
# log(1 - erf(1 + t)).
FAR = {
    float32: (0.0001855218337, -0.001825988587, 0.009890689380, -0.04150059028, -0.8431183573,
              -2.638966814, -1.849605516),
    float64: (9.1438280193233386e-13, -2.6232600379795493e-11, 3.4484923591641898e-10,
              -2.7428151314848208e-9, 1.4519883902200288e-8, -5.1247154382689909e-8,
              9.6677285752250086e-8, 1.4288636535525975e-7, -2.0581177966380768e-6,
              9.6059599717592226e-6, -2.7156245730453512e-5, 2.6276085908686625e-5,
              0.00023732321586476832, -0.0019779027630303464, 0.010033825406468578,
              -0.041561098044814493, -0.84310725635853694, -2.6389675142347907,
              -1.8496055099332482)}


class Piece(NamedTuple):
    """A polynomial for w, or sqrt(w), up to `end`, in what lies above `middle`."""

    end: float
    middle: float
    series: tuple[float, ...]
    of_root: bool


PIECES = {
    float32: (
        Piece(5.0, 2.5, (
            -8.790413813e-9, 2.323273921e-8, 4.661617717e-7, -3.462703159e-6, -4.963307682e-6,
            0.0002183444174, -0.001252741942, -0.004177386722, 0.2466402862, 1.501409359), False),
        Piece(math.inf, 3.0, (
            0.0001213299467, -0.0003140123114, -6.511939686e-5, 0.001490431418, -0.003593004942,
            0.005685030673, -0.007638205442, 0.009445498570, 1.001675021, 2.832976798), True)),
    float64: (
        Piece(6.25, 3.125, (
            -4.3326920592211888e-21, -1.6926278508292018e-19, 1.3227397929213437e-18,
            1.1197074831416014e-17, -1.3417035401407982e-16, 2.0102824470055670e-17,
            6.6487781264282704e-15, -4.0534857089590270e-14, -8.1609561483937881e-14,
            2.6334270240095420e-12, -1.2974664481143004e-11, -5.4153724792854043e-11,
            1.0512107114081945e-9, -4.1126351734687036e-9, -2.9070366719189121e-8,
            4.2347878044205334e-7, -1.3654692039929717e-6, -1.3882523364940831e-5,
            0.00018673420803647208, -0.00074070253416528626, -0.0060336708714307315,
            0.24015818242558949, 1.6536545626831029), False),
        Piece(16.0, 3.25, (
            3.2203269204923753e-9, 9.0873721471715074e-8, -2.7772929559708662e-7,
            1.7954431961036634e-8, 1.5054429209972831e-6, -4.0135815160037975e-6,
            2.9219036719191180e-6, 1.2475152160472481e-5, -4.7317716814728023e-5,
            6.8284897722459493e-5, 2.4031010428981923e-5, -0.00035503752835006940,
            0.00095328939068799782, -0.0016882755552900476, 0.0024914420955078996,
            -0.0037512085075995876, 0.0053709145536026674, 1.0052589676941596,
            3.0838856104922205), True),
        Piece(math.inf, 5.0, (
            3.5999017428186129e-11, -2.6195348278894335e-11, -4.0918506856186055e-10,
            1.5040556536184844e-9, -3.5192269526941361e-9, 7.6215521194172955e-9,
            -1.5212597263607684e-8, 2.9142910954646367e-8, -6.7577357288065133e-8,
            2.2900728191622899e-7, -9.9302351385794411e-7, 4.5260619303712551e-6,
            -1.9681771541454192e-5, 7.5995277120969371e-5, -0.00021503011977581020,
            -0.00013871931834107862, 1.0103004648645445, 4.8499064014085841), True))}


def erf(b, x: Vector) -> Vector:
    size = ins.table_size(b, x)
    if size:
        degree = 6 if size == 16 else 8
        return ins.saturating(b, x, ins.table_of(math.erf, size, ONE[x.dtype], degree))
    one = b.constant(1, x)
    a = b.minimum(b.abs(x), b.constant(ONE[x.dtype], x))
    near = b.fma(a, ins.polynomial(b, b.mul(a, a), NEAR[x.dtype]), a)
    rest = part_of_exp(b, ins.polynomial(b, b.sub(a, one), FAR[x.dtype]), 0)
    far = b.sub(one, rest)
    return b.copysign(b.where(b.lt(a, one), near, far), x)


def erfinv(b, x: Vector) -> Vector:
    a, one = b.abs(x), b.constant(1, x)
    w = b.neg(log(b, b.mul(b.sub(one, a), b.add(one, a))))
    root = b.sqrt(w)
    found = None
    for piece in reversed(PIECES[x.dtype]):
        place = b.sub(root if piece.of_root else w, b.constant(piece.middle, x))
        value = ins.polynomial(b, place, piece.series)
        if found is not None:
            value = b.where(b.lt(w, b.constant(piece.end, x)), value, found)
        found = value
    found = b.where(b.eq(a, one), b.constant(math.inf, x), found)
    return b.mul(found, x)
