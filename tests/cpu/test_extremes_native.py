"""Positions of extremes in native code against their meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import FLOATS, INTEGERS, leaf, meaning, run

from lampion import dtypes
from lampion.ir import registry

ALL = (dtypes.bool_, *INTEGERS, *FLOATS)
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, -np.nan, 1e-7, -1e-7]


def elements(random, shape, dtype, kind):
    """Elements of a kind: "few" values (many equal), "many", "special" or "last" of all alike."""
    if dtype is dtypes.bool_:
        return leaf(random.integers(0, 2, shape), dtype)
    if not dtype.is_floating_point:
        info = dtypes.iinfo(dtype)
        if kind == "last":
            return leaf(np.full(shape, info.min), dtype)
        low, high = (info.min, info.max) if kind == "many" else (max(info.min, -2), 3)
        return leaf(random.integers(low, high, shape, endpoint=True, dtype=np.int64), dtype)
    if kind == "special":
        return leaf(random.choice(SPECIAL, shape), dtype)
    if kind == "last":
        return leaf(np.full(shape, -np.inf), dtype)
    numbers = random.normal(size=shape)
    return leaf(np.round(numbers) if kind == "few" else numbers, dtype)


kinds = st.sampled_from(["few", "many", "special", "last"])
lengths = st.one_of(st.integers(1, 70), st.sampled_from([64, 65, 128, 300]))


@settings(max_examples=100, deadline=None)
@given(st.tuples(st.integers(0, 4), lengths, st.sampled_from([1, 1, 2, 17, 70, 130])),
       st.sampled_from(ALL), kinds, st.sampled_from(["plain", "turned", "flipped"]),
       st.integers(1, 3), st.sampled_from(["argmax", "argmin"]))
def test_the_first_extreme_of_each_line(shape, dtype, kind, layout, parts, name):
    random = np.random.default_rng(sum(shape))
    x = elements(random, shape, dtype, kind)
    for axis in range(3):
        if not shape[axis]:
            continue
        found, _ = run(registry[name], (x,), {"axis": axis}, (layout,), parts)
        if found is not None:
            np.testing.assert_array_equal(found, meaning(registry[name], (x,), {"axis": axis}))
        else:
            assert layout != "plain" or axis == 1


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.uint8])
@pytest.mark.parametrize("where", [0, 4095, 4096, 9000, 9999])
def test_the_best_of_a_long_line_is_in_any_block(dtype, where, axis):
    array = np.zeros((3, 10000))
    array[1, where] = 1
    array[1, 9999] = 1
    array[2, where] = np.nan if dtype.is_floating_point else 1
    array[2, 9990:] = np.nan if dtype.is_floating_point else 1
    x = leaf(array if axis else array.T, dtype)
    found, _ = run(registry["argmax"], (x,), {"axis": axis}, parts=2)
    assert found.reshape(-1).tolist() == [0, where, min(where, 9990)]


def test_an_axis_of_nothing_is_left_to_the_meaning():
    found, _ = run(registry["argmax"], (leaf(np.zeros((0, 0)), dtypes.float32),), {"axis": 0})
    assert found is None
