"""Pooling against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import F, check, check_error, numbers

import lampion

SPACE = {1: (9,), 2: (7, 8), 3: (5, 6, 4)}


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("settings", [
    {"kernel_size": 2}, {"kernel_size": 3, "stride": 2}, {"kernel_size": 3, "padding": 1},
    {"kernel_size": 2, "dilation": 2}, {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
], ids=str)
@pytest.mark.parametrize("return_indices", [False, True])
def test_max_pool(axes, settings, return_indices):
    check(f"max_pool{axes}d", numbers(2, 3, *SPACE[axes]), return_indices=return_indices,
          **settings)


def test_max_pool_settings_for_each_axis():
    check("max_pool2d", numbers(3, 7, 8), (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    check("max_pool2d_with_indices", numbers(3, 7, 8), 2)


def test_of_equals_the_first_gets_the_gradient():
    check("max_pool2d", np.ones((1, 1, 4, 4)), 2, order=1)
    check("max_pool2d", np.zeros((1, 1, 4, 4)), 3, stride=1, padding=1, order=1)
    check("max_pool1d", np.ones((1, 1, 6)), 3, stride=1, order=1, return_indices=True)


def test_max_pool_of_infinities_and_nan():
    x = np.array([[[-math.inf, -math.inf, math.nan, 1.0, math.inf, 2.0]]])
    check("max_pool1d", x, 2, order=1)
    check("max_pool2d", np.full((1, 1, 2, 2), -math.inf), 2, padding=1, order=1)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("settings", [
    {"kernel_size": 2}, {"kernel_size": 3, "stride": 2}, {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    {"kernel_size": 2, "stride": 1, "divisor_override": 3},
], ids=str)
def test_avg_pool(axes, settings):
    if axes == 1 and "divisor_override" in settings:
        settings = {"kernel_size": 4}
    check(f"avg_pool{axes}d", numbers(2, 3, *SPACE[axes]), **settings)


def test_avg_pool_with_a_wide_window():
    check("avg_pool1d", numbers(2, 3, 40), 20, stride=3)
    check("avg_pool2d", numbers(3, 7, 8), (7, 8))


@pytest.mark.parametrize(("name", "settings", "expected"), [
    ("max_pool2d", {"kernel_size": 9}, RuntimeError),
    ("max_pool2d", {"kernel_size": 2, "padding": 2}, RuntimeError),
    ("max_pool2d", {"kernel_size": 2, "stride": 0}, RuntimeError),
    ("avg_pool2d", {"kernel_size": 9}, RuntimeError),
    ("avg_pool2d", {"kernel_size": 2, "padding": 2}, RuntimeError),
    ("avg_pool2d", {"kernel_size": 2, "divisor_override": 0}, RuntimeError),
    ("adaptive_avg_pool2d", {"output_size": (1, 2, 3)}, RuntimeError),
    ("adaptive_avg_pool2d", {"output_size": -1}, RuntimeError),
])
def test_settings_out_of_range(name, settings, expected):
    check_error(name, numbers(2, 3, 7, 8), expected=expected, **settings)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_wrong_axes(name):
    check_error(name, numbers(7, 8), 2, expected=RuntimeError, mention="3D (unbatched)",
                reference=name == "max_pool2d")  # an IndexError by accident


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("output_size", [1, 2, 3, 4, 11])
@pytest.mark.parametrize("name", ["adaptive_avg_pool", "adaptive_max_pool"])
def test_adaptive_pooling(name, axes, output_size):
    if axes == 3 and output_size == 11:
        output_size = (7, 2, 1)
    check(f"{name}{axes}d", numbers(2, 3, *SPACE[axes]), output_size)


def test_adaptive_pooling_with_indices():
    check("adaptive_max_pool1d", numbers(3, 9), 4, return_indices=True)
    check("adaptive_max_pool2d", numbers(3, 7, 8), (3, 5), return_indices=True)
    check("adaptive_max_pool2d", np.ones((3, 7, 8)), (3, 5), return_indices=True, order=1)
    check("adaptive_max_pool2d_with_indices", numbers(3, 7, 8), 2)


def test_adaptive_pooling_keeps_axes():
    check("adaptive_avg_pool2d", numbers(2, 3, 7, 8), (None, 3))
    check("adaptive_avg_pool2d", numbers(2, 3, 7, 8), (7, 8))


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0])
def test_lp_pool(norm_type):
    for axes in (1, 2, 3):
        check(f"lp_pool{axes}d", numbers(2, 3, *SPACE[axes], low=0.1), norm_type, 2)
    check("lp_pool2d", numbers(3, 7, 8, low=0.1), norm_type, (3, 2), stride=2, ceil_mode=True)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_max_unpool(axes):
    x = lampion.tensor(numbers(2, 3, *SPACE[axes]).tolist())
    index = np.array(getattr(F, f"max_pool{axes}d")(x, 2, return_indices=True)[1].tolist())
    values = numbers(*index.shape, seed=1)
    check(f"max_unpool{axes}d", values, index, 2, output_size=SPACE[axes])
    # Without the odd places at the ends the indices still lie inside.
    even = np.arange(math.prod(index.shape[2:])).reshape(index.shape[2:])
    check(f"max_unpool{axes}d", values, np.broadcast_to(even, index.shape).copy(), 2, order=1)


def test_max_unpool_errors():
    index = np.arange(4).reshape(1, 1, 2, 2)
    check_error("max_unpool2d", numbers(1, 1, 2, 2), index, 2, output_size=(9, 9),
                expected=ValueError)
    check_error("max_unpool2d", numbers(1, 1, 2, 3), index, 2, expected=RuntimeError)
