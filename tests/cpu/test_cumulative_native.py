"""Running sums, products and maxima in native code against their meanings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import FLOATS, INTEGERS, leaf, meaning, run

from lampion import dtypes
from lampion.cpu.kernels.numbers import supported
from lampion.cpu.target import host
from lampion.ir import registry

ALL = tuple(d for d in (dtypes.bool_, *INTEGERS, *FLOATS) if supported(d, host()))
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]


def elements(random, shape, dtype, kind):
    if dtype is dtypes.bool_:
        return leaf(random.integers(0, 2, shape), dtype)
    if not dtype.is_floating_point:
        low, high = dtypes.iinfo(dtype).min, dtypes.iinfo(dtype).max
        if kind == "small":
            low, high = max(low, -1), 2
        return leaf(random.integers(low, high, shape, endpoint=True, dtype=np.int64), dtype)
    if kind == "special":
        return leaf(random.choice(SPECIAL, shape, p=[0.2, 0.1, 0.3, 0.3, 0.03, 0.03, 0.04]), dtype)
    return leaf(random.integers(-2, 3, shape) if kind == "small" else random.normal(size=shape),
                dtype)


shapes = st.tuples(st.integers(0, 3), st.integers(0, 40), st.sampled_from([1, 1, 2, 9, 70]))
kinds = st.sampled_from(["small", "any", "special"])


@settings(max_examples=120, deadline=None)
@given(shapes, st.sampled_from(ALL), kinds, st.sampled_from(["plain", "turned", "flipped"]),
       st.integers(1, 3), st.booleans(), st.booleans(), st.sampled_from(["cumsum", "cumprod"]))
def test_running_sums_and_products(shape, dtype, kind, layout, parts, exclusive, reverse, name):
    x = elements(np.random.default_rng(sum(shape)), shape, dtype, kind)
    for axis in range(3):
        options = {"axis": axis, "exclusive": exclusive, "reverse": reverse}
        found, _ = run(registry[name], (x,), options, (layout,), parts)
        if found is None:
            assert layout != "plain" or axis == 1
            continue
        expected = meaning(registry[name], (x,), options)
        if not dtype.is_floating_point:
            np.testing.assert_array_equal(found, expected)
            continue
        # Another order of the sum: exact to a rounding of the largest sum on the way.
        last = {"float64": 2.0**-49, "float32": 2.0**-23}.get(dtype.name, dtypes.finfo(dtype).eps)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        finite = np.abs(expected[np.isfinite(expected)])
        np.testing.assert_allclose(found, expected, rtol=float(last),
                                   atol=float(last) * (finite.max() if finite.size else 1))


@settings(max_examples=120, deadline=None)
@given(shapes, st.sampled_from((dtypes.float16, *ALL)), kinds,
       st.sampled_from(["plain", "turned", "flipped"]), st.integers(1, 3))
def test_the_largest_so_far(shape, dtype, kind, layout, parts):
    x = elements(np.random.default_rng(sum(shape)), shape, dtype, kind)
    for axis in range(3):
        found, _ = run(registry["cummax_index"], (x,), {"axis": axis}, (layout,), parts)
        if found is None:
            assert layout != "plain" or axis == 1
        elif shape[axis]:
            np.testing.assert_array_equal(
                found, meaning(registry["cummax_index"], (x,), {"axis": axis}))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_long_axis_loses_nothing(axis):
    array = np.full((20000, 3), 0.1, np.float32)
    x = leaf(array if axis == 0 else array.T, dtypes.float32)
    options = {"axis": axis, "exclusive": False, "reverse": False}
    found, _ = run(registry["cumsum"], (x,), options, parts=2)
    expected = np.cumsum(x.data.astype(np.float64), axis)
    np.testing.assert_allclose(found, expected, rtol=2.0**-23)


def test_a_product_that_leaves_the_range_comes_back_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x = leaf([1e30, 1e30, 1e-30, 0.5], dtypes.float32)
    options = {"axis": 0, "exclusive": False, "reverse": False}
    found, _ = run(registry["cumprod"], (x,), options)
    expected = torch.cumprod(torch.from_numpy(x.data), 0).numpy()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(meaning(registry["cumprod"], (x,), options), expected)
