"""Sorted positions in native code against their meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import FLOATS, INTEGERS, leaf, meaning, run

from lampion import dtypes
from lampion.ir import registry

ALL = (*INTEGERS, *FLOATS)
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, -np.nan, 1e-7, -1e-7]


def elements(random, shape, dtype, kind):
    if not dtype.is_floating_point:
        low, high = dtypes.iinfo(dtype).min, dtypes.iinfo(dtype).max
        if kind == "few":
            low, high = max(low, -2), 3
        return leaf(random.integers(low, high, shape, endpoint=True, dtype=np.int64), dtype)
    if kind == "special":
        return leaf(random.choice(SPECIAL, shape), dtype)
    numbers = random.normal(size=shape) * 10.0 ** random.integers(-3, 4, shape)
    return leaf(np.round(numbers) if kind == "few" else numbers, dtype)


lengths = st.one_of(st.integers(0, 20), st.integers(60, 70), st.sampled_from([100, 300]))
kinds = st.sampled_from(["few", "many", "special"])
layouts = st.sampled_from(["plain", "turned", "spread", "flipped"])


@settings(max_examples=150, deadline=None)
@given(st.tuples(st.integers(0, 3), lengths, st.sampled_from([1, 1, 2, 5])), st.sampled_from(ALL),
       kinds, layouts, st.integers(1, 3), st.booleans())
def test_positions_in_order(shape, dtype, kind, layout, parts, descending):
    x = elements(np.random.default_rng(sum(shape)), shape, dtype, kind)
    for axis in range(3):
        options = {"axis": axis, "descending": descending}
        found, _ = run(registry["argsort"], (x,), options, (layout,), parts)
        if found is None:
            assert layout != "plain" or axis == 1
            continue
        np.testing.assert_array_equal(found, meaning(registry["argsort"], (x,), options))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ALL)
def test_long_axes(dtype, descending):
    x = elements(np.random.default_rng(3), (2, 3000), dtype, "many")
    options = {"axis": 1, "descending": descending}
    found, _ = run(registry["argsort"], (x,), options, parts=2)
    np.testing.assert_array_equal(found, meaning(registry["argsort"], (x,), options))


def test_bool_is_sorted_too():
    x = leaf(np.arange(200) % 3 == 0, dtypes.bool_)
    options = {"axis": 0, "descending": True}
    found, _ = run(registry["argsort"], (x,), options)
    np.testing.assert_array_equal(found, meaning(registry["argsort"], (x,), options))


@pytest.mark.parametrize("descending", [False, True])
def test_the_order_is_pytorchs(descending):
    torch = pytest.importorskip("torch")
    x = elements(np.random.default_rng(4), (5, 90), dtypes.float32, "special")
    found, _ = run(registry["argsort"], (x,), {"axis": 1, "descending": descending})
    expected = torch.sort(torch.from_numpy(x.data), dim=1, descending=descending,
                          stable=True).indices
    np.testing.assert_array_equal(found, expected.numpy())


@settings(max_examples=100, deadline=None)
@given(st.tuples(st.integers(0, 3), st.sampled_from([3, 64, 65, 100, 300]),
                 st.sampled_from([1, 1, 3])), st.sampled_from(ALL), kinds,
       st.sampled_from([0, 1, 2, 5, 32, 33]), layouts,
       st.integers(1, 3), st.booleans())
def test_the_first_positions_in_order(shape, dtype, kind, k, layout, parts, largest):
    x = elements(np.random.default_rng(sum(shape)), shape, dtype, kind)
    for axis in range(3):
        options = {"axis": axis, "k": min(k, shape[axis]), "largest": largest}
        found, _ = run(registry["topk_index"], (x,), options, (layout,), parts)
        if found is None:
            assert layout != "plain" or axis == 1
            continue
        np.testing.assert_array_equal(found, meaning(registry["topk_index"], (x,), options))


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_lines_that_are_in_order_already(largest, order):
    x = leaf(np.arange(2000).reshape(2, 1000)[:, ::order], dtypes.float32)
    options = {"axis": 1, "k": 32, "largest": largest}
    found, _ = run(registry["topk_index"], (x,), options)
    np.testing.assert_array_equal(found, meaning(registry["topk_index"], (x,), options))
