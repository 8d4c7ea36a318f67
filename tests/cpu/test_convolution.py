"""Native convolutions against their NumPy meaning in float64."""

import native_runs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lampion import dtypes, ir, ops
from lampion.cpu.kernels import PROVIDERS
from lampion.cpu.target import host, named

TINY = {np.float32: 2e-6, np.float64: 4e-15}


@st.composite
def cases(draw):
    """Sizes and settings of a convolution with at least one output."""
    rank = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 3, 7, 16, 17, 33, 40]))
    if draw(st.integers(0, 2)) == 0:  # one channel a group
        groups, inputs, outputs = draw(st.sampled_from([2, 8, 11])), 1, draw(st.integers(1, 2))
    most = {1: 40, 2: 14, 3: 6}[rank]
    axes = []
    for _ in range(rank):
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        padding = draw(st.integers(0, 3))
        reach = dilation * (kernel - 1) + 1
        size = draw(st.integers(max(1, reach - 2 * padding), max(most, reach)))
        axes.append((size, kernel, draw(st.integers(1, 4)), padding, dilation))
    size, kernel, stride, padding, dilation = (tuple(v) for v in zip(*axes, strict=True))
    images = draw(st.sampled_from([1, 1, 2, 3, 9]))
    return (images, groups * inputs, groups * outputs, size, kernel,
            {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})


def arrays(case, dtype, seed=0):
    """Return input, weight and a gradient of the result."""
    images, inputs, outputs, size, kernel, settings = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((images, inputs, *size)).astype(dtype)
    w = rng.standard_normal((outputs, inputs // settings["groups"], *kernel)).astype(dtype)
    out = ops.convolution.output_size(
        size, kernel, *(settings[k] for k in ("stride", "padding", "dilation")))
    return x, w, rng.standard_normal((images, outputs, *out)).astype(dtype)


def products(case, dtype, seed=0):
    """Yield the three ops with their operands and settings."""
    x, w, g = arrays(case, dtype, seed)
    settings = case[5]
    yield ops.convolution.convolution, (x, w), settings
    yield ops.convolution.convolution_input, (g, w), {"size": case[3], **settings}
    yield ops.convolution.convolution_weight, (x, g), {"kernel": case[4], **settings}


def check(case, dtype, target=None, at_end=True):
    for op, operands, settings in products(case, dtype):
        wide = [a.astype(np.float64) for a in operands]
        expected = op.meaning(np, *wide, **settings)
        # What rounding can do is measured by the sum of all magnitudes.
        bound = op.meaning(np, *map(np.abs, wide), **settings) * TINY[dtype] * 4 + 1e-30
        found = native_runs.run(op, operands, settings, target, at_end)
        assert found.shape == expected.shape
        assert (np.abs(found - expected) <= bound).all(), op.name


@profile(max_examples=60, deadline=None)
@given(cases(), st.booleans(), st.booleans())
def test_all_sizes_and_settings(case, double, at_end):
    check(case, np.float64 if double else np.float32, at_end=at_end)


@st.composite
def planes(draw):
    """Convolutions of single planes, and weights' gradients with few outputs for each input."""
    groups, inputs, outputs = draw(st.sampled_from(
        [(8, 1, 1), (11, 1, 1), (9, 1, 2), (1, 1, 1), (1, 9, 2), (2, 5, 3)]))
    axes = []
    for most in (12, 40):
        kernel, padding = draw(st.sampled_from([1, 2, 3, 3, 4, 5, 7])), draw(st.integers(0, 6))
        size = draw(st.integers(max(1, kernel - 2 * padding), most + kernel))
        axes.append((size, kernel, padding))
    size, kernel, padding = (tuple(v) for v in zip(*axes, strict=True))
    stride = draw(st.sampled_from([(1, 1), (2, 2), (1, 2), (2, 1)]))
    return (draw(st.integers(1, 3)), groups * inputs, groups * outputs, size, kernel,
            {"stride": stride, "padding": padding, "dilation": (1, 1), "groups": groups})


@profile(max_examples=40, deadline=None)
@given(planes(), st.booleans(), st.booleans())
def test_planes(case, double, at_end):
    check(case, np.float64 if double else np.float32, at_end=at_end)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_large_plane_is_cut_into_bands(stride):
    settings = {"stride": (stride,) * 2, "padding": (1, 2), "dilation": (1, 1), "groups": 1}
    check((1, 1, 1, (333, 70), (3, 5), settings), np.float32)


@pytest.mark.parametrize("name", ["avx2", "generic"])
def test_smaller_instruction_sets(name):
    try:
        target = named(name)
    except ValueError:
        pytest.skip("this machine lacks it")
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 1}
    for dtype in (np.float32, np.float64):
        check((2, 3, 19, (9, 8), (3, 2), settings), dtype, target)
        check((2, 3, 5, (9, 18), (3, 2), settings), dtype, target)
        check(DEPTHWISE, dtype, target)
        check(HALVED, dtype, target)


@pytest.mark.parametrize("case", [
    (3, 6, 16, (14, 14), (5, 5), 1, 0), (2, 64, 64, (32, 32), (3, 3), 1, 1),
    (9, 32, 48, (4, 4), (3, 3), 1, 1), (2, 40, 33, (15, 15), (3, 3), 2, 1),
    (2, 8, 3, (16, 16), (4, 4), 2, 1), (1, 3, 8, (300, 200), (3, 3), 1, 1),
    (1, 2, 3, (30000,), (9,), 1, 4), (2, 33, 70, (7, 7), (1, 1), 1, 0),
    (2, 340, 350, (4, 4), (3, 3), 1, 1), (3, 340, 350, (5, 4), (3, 3), 2, 1),
    (2, 5, 6, (30, 31), (3, 3), 1, 1), (3, 6, 1, (20, 9), (3, 3), 2, 1)])
def test_sizes_that_are_cut_into_blocks(case):
    images, inputs, outputs, size, kernel, stride, padding = case
    rank = len(size)
    settings = {"stride": (stride,) * rank, "padding": (padding,) * rank,
                "dilation": (1,) * rank, "groups": 1}
    check((images, inputs, outputs, size, kernel, settings), np.float32)


DEPTHWISE = (2, 9, 9, (7, 18), (3, 3),
             {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 9})
HALVED = (2, 9, 9, (7, 18), (3, 3), {**DEPTHWISE[5], "stride": (2, 2)})
SMALL = (5, 4, 18, (6, 5), (3, 3),
         {"stride": (1, 2), "padding": (1, 1), "dilation": (1, 1), "groups": 2})


def test_the_order_of_jobs_changes_no_bit():
    wide = (9, 33, 20, (8, 8), (3, 3), {**SMALL[5], "stride": (1, 1), "groups": 1})
    few = (3, 12, 2, (9, 20), (1, 1), {**SMALL[5], "stride": (1, 1), "groups": 1})
    for case in (SMALL, DEPTHWISE, HALVED, few, wide):
        for op, operands, settings in products(case, np.float32):
            once = native_runs.run(op, operands, settings)
            for seed in (1, 2):
                again = native_runs.run(op, operands, settings, shuffle=seed)
                assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("case", [SMALL, DEPTHWISE, HALVED])
def test_what_is_not_finite_reaches_exactly_the_outputs_that_see_it(case, special):
    for op, operands, settings in products(case, np.float32):
        image = np.array(operands[0])
        image[1, 2, 3, 1] = special
        with np.errstate(invalid="ignore"):
            expected = op.meaning(np, image, operands[1], **settings)
        found = native_runs.run(op, (image, operands[1]), settings)
        assert (np.isnan(found) == np.isnan(expected)).all()
        assert (np.isposinf(found) == np.isposinf(expected)).all()
        assert (np.isneginf(found) == np.isneginf(expected)).all()


def test_denormal_numbers_are_kept():
    settings = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
    x, one = np.full((1, 1, 4), 1e-40, np.float32), np.ones((1, 1, 1), np.float32)
    found = native_runs.run(ops.convolution.convolution, (x, one), settings)
    assert (found == x).all()


def test_an_empty_batch():
    case = (0, *SMALL[1:])
    for op, operands, settings in products(case, np.float32):
        found = native_runs.run(op, operands, settings)
        assert found.shape == op.meaning(np, *operands, **settings).shape
        assert not found.any()


def test_few_kernels_serve_all_sizes():
    keys = set()
    for inputs in (8, 24, 40):
        for size in (7, 8, 12, 30):
            case = (4, inputs, 64, (size, size), (3, 3),
                    {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1})
            for op, operands, settings in products(case, np.float32):
                made, _ = native_runs.plan(op, operands, settings, host())
                for step in made.steps:
                    kernels = [step.kernel, *(s for s in step.slots if hasattr(s, "make_ir"))]
                    keys.update(kernel.key for kernel in kernels)
    assert len(keys) <= 24


def test_operands_out_of_order_are_refused():
    x, w, _ = arrays(SMALL, np.float32)
    turned = native_runs.operand(np.swapaxes(x, 2, 3))
    kind = ir.Type((5, 18, 6, 3), dtypes.float32)
    assert PROVIDERS["convolution"](
        (turned, native_runs.operand(w)), kind, SMALL[5], host()) is None
