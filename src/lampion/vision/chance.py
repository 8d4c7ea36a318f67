"""Chance for pictures: single numbers from lampion's generator, so that `manual_seed` rules them.

They are the numbers that `rand(1)`, `randint(..., (1,))` and `randperm(n)` would give, found
without the machinery of tensors: a picture needs several of them, one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy

from lampion import ir
from lampion.functions.creation import tensor
from lampion.functions.random import current_generator, multinomial, randint
from lampion.ops.random import MULTIPLY, ROUNDS, WEYL

LOW = 0xFFFFFFFF
_float32 = struct.Struct("f")


def words(count: int) -> list[int]:
    """Return whole numbers of 32 bits: Philox4x32-10, as `random_bits` has them."""
    if ir.mode.noting is not None:
        ir.mode.noting.refuse("it decides by chance what to do")
    seed, begin = current_generator().take(-(-count // 4))
    found: list[int] = []
    for block in range(begin, begin - (-count // 4)):
        c0, c1, c2, c3 = block & LOW, block >> 32, 0, 0
        k0, k1 = seed & LOW, seed >> 32
        for _ in range(ROUNDS):
            first, second = c0 * MULTIPLY[0], c2 * MULTIPLY[1]
            c0, c1, c2, c3 = ((second >> 32) ^ c1 ^ k0, second & LOW,
                              (first >> 32) ^ c3 ^ k1, first & LOW)
            k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
        found += (c0, c1, c2, c3)
    return found[:count]


def fraction() -> float:
    """Return a number in [0, 1)."""
    return (words(1)[0] >> 8) * 2.0**-24


def between(low: float, high: float) -> float:
    """Return a number in [low, high), with the digits of a float32."""
    return _float32.unpack(_float32.pack(fraction() * (high - low) + low))[0]


def whole(low: int, high: int) -> int:
    """Return a whole number from low to high - 1."""
    if high - low > 1 << 16:
        return int(randint(low, high, (1,)).item())
    return words(1)[0] % (high - low) + low


def order(count: int) -> list[int]:
    """Return 0 to count - 1 in random order."""
    upper, lower = words(count), words(count)
    keys = [(a >> 1) << 32 | b for a, b in zip(upper, lower)]
    return sorted(range(count), key=keys.__getitem__)


def chosen(weights: Sequence[float]) -> int:
    """Return a position, drawn with the given weights."""
    return int(multinomial(tensor([float(weight) for weight in weights]), 1).item())


def beta(a: float, b: float) -> float:
    """Return a number in [0, 1] of the beta distribution."""
    return float(numpy.random.default_rng(whole(0, 2**62)).beta(a, b))


def dirichlet(alphas: Sequence[float]) -> list[float]:
    """Return numbers of the Dirichlet distribution, which add up to 1."""
    return numpy.random.default_rng(whole(0, 2**62)).dirichlet(alphas).tolist()
