"""Chance for pictures: single numbers from lampion's generator, so that `manual_seed` rules them.

The calls are those that programs on PyTorch make (`rand(1)`, `randint(..., (1,))`, ...).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from lampion.functions.creation import empty, tensor
from lampion.functions.random import multinomial, rand, randint, randperm


def fraction() -> float:
    """Return a number in [0, 1)."""
    return float(rand(1).item())


def between(low: float, high: float) -> float:
    """Return a number in [low, high)."""
    return float(empty(1).uniform_(float(low), float(high)).item())


def whole(low: int, high: int) -> int:
    """Return a whole number from low to high - 1."""
    return int(randint(low, high, (1,)).item())


def order(count: int) -> list[int]:
    """Return 0 to count - 1 in random order."""
    return randperm(count).tolist()


def chosen(weights: Sequence[float]) -> int:
    """Return a position, drawn with the given weights."""
    return int(multinomial(tensor([float(weight) for weight in weights]), 1).item())


def beta(a: float, b: float) -> float:
    """Return a number in [0, 1] of the beta distribution."""
    return float(numpy.random.default_rng(whole(0, 2**62)).beta(a, b))


def dirichlet(alphas: Sequence[float]) -> list[float]:
    """Return numbers of the Dirichlet distribution, which add up to 1."""
    return numpy.random.default_rng(whole(0, 2**62)).dirichlet(alphas).tolist()
