"""Statistics in native code against their meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import leaf, meaning, run

from lampion import dtypes
from lampion.ir import registry

STATISTICS = registry["statistics"]
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 3e38, 1e-30]
LIMITS = [(None, None), (-0.97, 0.97), (None, 0.1), (0.0, None)]


def numbers(size, kind, random):
    if kind == "special":
        return random.choice(SPECIAL, size)
    x = random.normal(size=size)
    if kind == "rectified":
        return np.maximum(x, 0)
    if kind == "broken" and size:
        x[random.integers(0, size, 3)] = random.choice([np.nan, np.inf, -np.inf], 3)
    return np.full(size, np.nan) if kind == "only NaN" else x


def check(x, limits, layout="plain", parts=1):
    low, high = limits
    found, _ = run(STATISTICS, (x,), {"low": low, "high": high}, (layout,), parts)
    wanted = meaning(STATISTICS, (x,), {"low": low, "high": high})
    np.testing.assert_array_equal(found[:3], wanted[:3])
    np.testing.assert_array_equal(found[5:], wanted[5:])
    size = np.abs(np.where(np.isfinite(x.data), x.data, 0).astype(np.float64))
    np.testing.assert_allclose(found[3], wanted[3], rtol=0, atol=2e-6 * size.sum())
    np.testing.assert_allclose(found[4], wanted[4], rtol=2e-6)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.integers(0, 300), st.sampled_from([8191, 8192, 8256, 32768, 32769, 70000])),
       st.sampled_from(["normal", "rectified", "broken", "special", "only NaN"]),
       st.sampled_from([dtypes.float32, dtypes.float64]), st.sampled_from(LIMITS),
       st.integers(1, 3))
def test_statistics_of_elements(size, kind, dtype, limits, parts):
    check(leaf(numbers(size, kind, np.random.default_rng(size)), dtype), limits, parts=parts)


@pytest.mark.parametrize("shape", [(), (3, 5, 7), (4, 0, 2), (1, 70)])
def test_order_in_memory_does_not_matter(shape):
    random = np.random.default_rng(0)
    x = leaf(random.normal(size=shape), dtypes.float32)
    for layout in ("plain", "turned"):
        check(x, (None, None), layout)


def test_gaps_are_left_to_the_program():
    x = leaf(np.ones((4, 4)), dtypes.float32)
    assert run(STATISTICS, (x,), {"low": None, "high": None}, ("spread",))[0] is None


@pytest.mark.parametrize("limit", [0.1, 0.7, -0.3, 0.0, 1e-46])
def test_a_limit_between_two_floats_divides_them_as_it_is(limit):
    near = np.float32(limit)
    x = np.array([np.nextafter(near, np.float32(-9)), near, np.nextafter(near, np.float32(9))] * 32,
                 np.float32)
    check(leaf(x, dtypes.float32), (None, limit))
    check(leaf(x, dtypes.float32), (limit, None))


@pytest.mark.parametrize("size", [1e-25, 1e-19, 1e19, 1e38])
def test_squares_outside_the_range_of_float32(size):
    x = np.random.default_rng(0).uniform(-3, 3, 9000) * size
    check(leaf(x, dtypes.float32), (None, None))
    check(leaf(np.concatenate([np.zeros(9000), x[:64]]), dtypes.float32), (None, None))


def test_the_sum_of_a_long_value_is_exact():
    x = np.full(1 << 20, 0.1, np.float32)
    found, _ = run(STATISTICS, (leaf(x, dtypes.float32),), {"low": None, "high": None})
    np.testing.assert_allclose(found[3], x.astype(np.float64).sum(), rtol=1e-6)
    assert found[5] == found[6] == x[0]
