"""What the elements of a value are like, in a few numbers: what probes take."""

from __future__ import annotations

from ..dtypes import float64
from ..ir import NoGradient, Type, Value
from .define import opaque

NUMBERS = ("non_finite", "zeros", "saturated", "sum", "squares", "minimum", "maximum")


def _meaning(xp, x, low, high):
    x = x.astype(xp.float64)
    finite = xp.isfinite(x)
    kept = xp.where(finite, x, 0)
    outside = xp.zeros(x.shape, bool)
    if low is not None:
        outside = outside | (x <= low)
    if high is not None:
        outside = outside | (x >= high)
    return xp.stack([xp.asarray(number, dtype=xp.float64) for number in (
        xp.sum(~finite), xp.sum(x == 0), xp.sum(finite & outside), xp.sum(kept),
        xp.sum(kept * kept), xp.min(xp.where(finite, x, xp.inf), initial=xp.inf),
        xp.max(xp.where(finite, x, -xp.inf), initial=-xp.inf))])


def _result(x: Value, low: float | None, high: float | None) -> Type:
    return Type((len(NUMBERS),), float64)


statistics = opaque(
    "statistics", "Counts, sums and extremes of the finite elements; see `NUMBERS`.",
    meaning=_meaning, result=_result,
    grad=NoGradient("statistics look at a value and are no part of what is trained"),
    kernel="statistics",
    samples=((((3, 4),), {"low": None, "high": None}), (((70,),), {"low": -1.0, "high": 0.5}),
             (((0, 2),), {"low": None, "high": 1.0}), (((),), {"low": 0.0, "high": None})))
