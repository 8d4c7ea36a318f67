"""Line search: how far to go along a direction so that the strong Wolfe conditions hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lampion.tensor import Tensor


@dataclass
class Point:
    """A place on the line.

    Attributes:
        t: how far along the direction.
        value: of the function there.
        gradient: there, all parameters in one row.
        slope: gradient times direction.
    """

    t: float
    value: float
    gradient: Tensor
    slope: float


def cubic_minimum(
    a: Point, b: Point, bounds: tuple[float, float] | None = None
) -> float:
    """Return where the cubic through two points with their slopes is smallest, within bounds.

    Source: Nocedal and Wright, "Numerical optimization" (2006), equation (3.59).
    """
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    if a.t > b.t:
        a, b = b, a
    if a.t == b.t:
        return min(max(a.t, low), high)
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    denominator = b.slope - a.slope + 2 * d2
    if denominator == 0:
        return (low + high) / 2
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / denominator)
    return min(max(t, low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    width: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    most: int = 25,
) -> tuple[Point, int]:
    """Find a point with sufficient decrease (c1) and small slope (c2).

    Args:
        evaluate: gives the point at a distance t.
        start: the point at t = 0.
        t: first distance to try.
        width: largest element of the direction, for the tolerance.
        tolerance_change: smallest movement of a parameter worth making.
        most: how many more evaluations than the first are allowed.

    Returns:
        The point, and how often `evaluate` was called.

    Source: Nocedal and Wright, "Numerical optimization" (2006), Algorithms 3.5 and 3.6.
    """

    def too_high(point: Point) -> bool:
        return point.value > start.value + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    previous, point, tries = start, evaluate(t), 0
    bracket: list[Point] = []
    while tries < most:
        if too_high(point) or (tries > 1 and point.value >= previous.value):
            bracket = [previous, point]
            break
        if flat(point):
            return point, tries + 1
        if point.slope >= 0:
            bracket = [previous, point]
            break
        bounds = point.t + 0.01 * (point.t - previous.t), point.t * 10
        t = cubic_minimum(previous, point, bounds)
        previous, point, tries = point, evaluate(t), tries + 1
    if not bracket:  # the number of tries is used up
        bracket = [start, point]
    return _zoom(evaluate, bracket, tries, too_high, flat, width, tolerance_change, most)


def _zoom(
    evaluate: Callable[[float], Point],
    bracket: list[Point],
    tries: int,
    too_high: Callable[[Point], bool],
    flat: Callable[[Point], bool],
    width: float,
    tolerance_change: float,
    most: int,
) -> tuple[Point, int]:
    """Narrow a bracket that contains a point with the wanted properties."""
    low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
    stuck = False  # the last step made little progress
    while tries < most and abs(bracket[1].t - bracket[0].t) * width >= tolerance_change:
        t = cubic_minimum(bracket[0], bracket[1])
        t, stuck = _away_from_ends(t, bracket, stuck)
        point = evaluate(t)
        tries += 1
        if too_high(point) or point.value >= bracket[low].value:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
            continue
        done = flat(point)
        if not done and point.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
        if done:
            break
    return bracket[low], tries + 1


def _away_from_ends(t: float, bracket: list[Point], stuck: bool) -> tuple[float, bool]:
    """Move a trial away from the ends of the bracket when it does not get ahead there."""
    ends = bracket[0].t, bracket[1].t
    left, right = min(ends), max(ends)
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if not (stuck or t >= right or t <= left):
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False
