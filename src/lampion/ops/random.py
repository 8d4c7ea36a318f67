"""Random bits from a counter: the same key and position give the same bits anywhere.

Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), section 4.
The key and offset are inputs of the program, so a new seed never means a new program.
"""

from __future__ import annotations

import math

from ..dtypes import bool_, float32, int64
from ..ir import NoGradient, Type
from .define import opaque

MULTIPLY = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


def words(xp, key, blocks):
    """Return the four words of 32 bits of each block; key holds (seed, offset in blocks)."""
    low32, shift = xp.uint64(0xFFFFFFFF), xp.uint64(32)
    seed, offset = (xp.asarray(key).astype(xp.uint64)[k] for k in (0, 1))
    counter = blocks + offset
    c0, c1 = counter & low32, counter >> shift
    c2, c3 = xp.zeros_like(c0), xp.zeros_like(c0)
    k0, k1 = seed & low32, seed >> shift
    for _ in range(ROUNDS):
        first, second = c0 * xp.uint64(MULTIPLY[0]), c2 * xp.uint64(MULTIPLY[1])
        c0, c1, c2, c3 = (
            (second >> shift) ^ c1 ^ k0, second & low32,
            (first >> shift) ^ c3 ^ k1, first & low32,
        )
        k0, k1 = (k0 + xp.uint64(WEYL[0])) & low32, (k1 + xp.uint64(WEYL[1])) & low32
    return c0, c1, c2, c3


def _philox(xp, key, shape):
    """Fill `shape` with 32 random bits each."""
    count = math.prod(shape)
    blocks = xp.arange(-(-count // 4), dtype=xp.uint64)
    bits = xp.stack(words(xp, key, blocks), axis=1).reshape(-1)[:count]
    return bits.astype(xp.int64).reshape(shape)


random_bits = opaque(
    "random_bits", "Whole numbers from 0 to 2^32 - 1, by Philox4x32-10 from (seed, offset).",
    meaning=_philox, result=lambda key, shape: Type(shape, int64),
    grad=NoGradient("random bits do not depend on anything continuous"), kernel="random_bits",
    samples=((((2,),), {"shape": (3, 3)}),))



def _fractions(xp, key, shape, digits):
    upper = _philox(xp, key, shape) >> (32 - digits)
    return upper.astype(xp.float32) * xp.float32(2.0**-digits)


random_uniform = opaque(
    "random_uniform", "Numbers in [0, 1): the upper `digits` (at most 24) of `random_bits`.",
    meaning=_fractions,
    result=lambda key, shape, digits: Type(shape, float32),
    grad=NoGradient("random numbers do not depend on anything continuous"),
    kernel="random_uniform", samples=((((2,),), {"shape": (3, 3), "digits": 24}),))

random_below = opaque(
    "random_below", "True with probability `chance` (float32, 0-d): `random_uniform` below it.",
    meaning=lambda xp, key, chance, shape: _fractions(xp, key, shape, 24) < chance,
    result=lambda key, chance, shape: Type(shape, bool_),
    grad=NoGradient("random choices do not depend on anything continuous"),
    kernel="random_below", samples=((((2,), ()), {"shape": (3, 3)}),))
