"""Native pools against their NumPy meaning."""

import native_runs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lampion import ops
from lampion.cpu.target import named

POOL = ops.pooling


@st.composite
def cases(draw):
    """Image shape and settings of a pool."""
    rank = draw(st.integers(1, 3))
    most = {1: 70, 2: 40, 3: 7}[rank]
    axes = []
    for _ in range(rank):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        reach = dilation * (kernel - 1) + 1
        padding = draw(st.integers(0, reach // 2))
        size = draw(st.integers(max(1, reach - 2 * padding), max(most, reach)))
        stride = draw(st.integers(1, 4))
        out = (size + 2 * padding - reach + draw(st.sampled_from([0, stride - 1]))) // stride + 1
        # The last window begins inside the image or before it.
        out -= (out - 1) * stride >= size + padding
        axes.append((size, kernel, stride, padding, dilation, out))
    size, *numbers = (tuple(v) for v in zip(*axes, strict=True))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *size)
    return shape, dict(zip(("kernel", "stride", "padding", "dilation", "out"), numbers,
                           strict=True))


def image(shape, dtype, seed=0):
    """Few different numbers, so that windows have several maxima; some are not finite."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, shape).astype(dtype)
    x[rng.random(shape) < 0.02] = np.nan
    x[rng.random(shape) < 0.3] = -np.inf
    return x


def check(case, dtype, target=None, at_end=True):
    shape, settings = case
    x = image(shape, dtype)
    for op in (POOL.pool_argmax, POOL.max_pool):
        expected = op.meaning(np, x, **settings)
        found = native_runs.run(op, (x,), settings, target, at_end)
        np.testing.assert_array_equal(found, expected, op.name)
    g = np.random.default_rng(1).integers(-9, 10, expected.shape).astype(dtype)
    found = native_runs.run(POOL.max_pool_input, (g, x), settings, target, at_end)
    np.testing.assert_array_equal(found, POOL.max_pool_input.meaning(np, g, x, **settings))


def check_sums(case, dtype, target=None, at_end=True):
    shape, settings = case
    settings = {k: v for k, v in settings.items() if k != "dilation"}
    numbers = np.random.default_rng(2).integers(-9, 10, shape).astype(dtype)
    size, kernel, stride, padding = (
        shape[2:], settings["kernel"], settings["stride"], settings["padding"])
    out = settings["out"] = tuple(
        (n + 2 * p - k) // s + 1
        for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    found = native_runs.run(POOL.pool_sum, (numbers,), settings, target, at_end)
    np.testing.assert_array_equal(found, POOL.pool_sum.meaning(np, numbers, **settings))
    g = np.random.default_rng(3).integers(-9, 10, (*shape[:2], *out)).astype(dtype)
    back = {"size": size, **{k: v for k, v in settings.items() if k != "out"}}
    found = native_runs.run(POOL.pool_spread, (g,), back, target, at_end)
    np.testing.assert_array_equal(found, POOL.pool_spread.meaning(np, g, **back))


@profile(max_examples=80, deadline=None)
@given(cases(), st.booleans(), st.booleans())
def test_all_sizes_and_settings(case, double, at_end):
    dtype = np.float64 if double else np.float32
    check(case, dtype, at_end=at_end)
    check_sums(case, dtype, at_end=at_end)


USUAL = [
    ((2, 3, 28, 28), (2, 2), (2, 2), (0, 0)), ((2, 3, 7, 75), (2, 2), (2, 2), (0, 0)),
    ((2, 3, 4, 4), (2, 2), (2, 2), (0, 0)), ((1, 2, 5, 3), (2, 2), (2, 2), (0, 0)),
    ((2, 3, 32, 32), (3, 3), (2, 2), (1, 1)),
    ((1, 2, 17, 33), (3, 3), (1, 1), (1, 1)), ((1, 2, 9, 9), (3, 3), (3, 3), (0, 0)),
    ((1, 2, 7, 7), (7, 7), (1, 1), (0, 0)),
    ((5, 8, 8, 8), (8, 8), (8, 8), (0, 0)), ((2, 3, 1, 5), (1, 5), (1, 1), (0, 0))]


@pytest.mark.parametrize("name", ["host", "avx2", "generic"])
@pytest.mark.parametrize("usual", USUAL)
def test_usual_pools_on_all_instruction_sets(usual, name):
    try:
        target = named(name)
    except ValueError:
        pytest.skip("this machine lacks it")
    shape, kernel, stride, padding = usual
    out = tuple((n + 2 * p - k) // s + 1
                for n, k, s, p in zip(shape[2:], kernel, stride, padding, strict=True))
    case = shape, {"kernel": kernel, "stride": stride, "padding": padding, "dilation": (1, 1),
                   "out": out}
    check(case, np.float32, target)
    check_sums(case, np.float32, target)


def test_the_order_of_jobs_changes_no_bit():
    settings = {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1),
                "out": (4, 5)}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 7, 9)).astype(np.float32)
    g = rng.standard_normal((3, 4, 4, 5)).astype(np.float32)
    once = native_runs.run(POOL.max_pool_input, (g, x), settings)
    again = native_runs.run(POOL.max_pool_input, (g, x), settings, shuffle=1)
    assert once.tobytes() == again.tobytes()


def test_taps_that_all_lie_outside():
    settings = {"kernel": (2,), "stride": (1,), "padding": (1,), "dilation": (2,), "out": (1,)}
    x, g = np.ones((1, 1, 1), np.float32), np.ones((1, 1, 1), np.float32)
    assert native_runs.run(POOL.max_pool, (x,), settings) == -np.inf
    assert native_runs.run(POOL.max_pool_input, (g, x), settings) == 0
    assert POOL.max_pool.meaning(np, x, **settings) == -np.inf
    assert POOL.max_pool_input.meaning(np, g, x, **settings) == 0


@pytest.mark.parametrize("area", [1, 3, 15, 16, 17, 49, 64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_window_over_the_whole_image(area, dtype):
    """The first of equal maxima gets the gradient, the last NaN before all of them."""
    settings = {"kernel": (area,), "stride": (1,), "padding": (0,), "dilation": (1,), "out": (1,)}
    planes = np.full((7, area), -np.inf)
    planes[1] = 0
    planes[2, -1] = 1
    planes[3, [0, -1]] = np.nan
    planes[4, area // 2:] = np.inf
    planes[5] = np.arange(area)
    planes[6, 0], planes[6, -1] = np.nan, np.inf
    x = planes[None].astype(dtype)
    g = np.arange(1, 8, dtype=dtype).reshape(1, 7, 1)
    where = native_runs.run(POOL.pool_argmax, (x,), settings)
    first = [0, 0, area - 1, area - 1, area // 2, area - 1, 0]
    np.testing.assert_array_equal(where.ravel(), first)
    np.testing.assert_array_equal(native_runs.run(POOL.max_pool, (x,), settings).ravel(),
                                  planes[range(7), first])
    expected = np.zeros((1, 7, area), dtype)
    expected[0, range(7), first] = g.ravel()
    np.testing.assert_array_equal(
        native_runs.run(POOL.max_pool_input, (g, x), settings), expected)
