"""Padding against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import check, check_error, numbers


@pytest.mark.parametrize("pad", [(1, 2), (0, 0), (2, 0, 0, 3), (1, 1, 2, 2, 0, 1), (-1, 2),
                                 (-1, -2), (1, 1, -2, 0), ()])
@pytest.mark.parametrize("value", [None, 0.0, 1.5, -math.inf])
def test_constant(pad, value):
    check("pad", numbers(2, 3, 4), pad, value=value)


def test_constant_for_other_dtypes():
    check("pad", np.array([1, 2]), (1, 1), value=7)
    check("pad", np.array([True, False]), (1, 1))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize(("shape", "pad"), [
    ((2, 3, 4), (1, 2)), ((3, 4), (3, 0)), ((2, 3, 4, 5), (1, 2, 3, 0)), ((3, 4, 5), (0, 2, 1, 1)),
    ((1, 2, 3, 4, 5), (1, 1, 2, 0, 0, 2)), ((2, 3, 4, 5), (0, 0, 0, 0)),
])
def test_other_modes(mode, shape, pad):
    check("pad", numbers(*shape), pad, mode=mode)


def test_replicate_and_circular_reach_further_than_reflect():
    check("pad", numbers(2, 3, 2), (5, 4), mode="replicate")
    check("pad", numbers(2, 3, 2), (2, 2), mode="circular")
    check_error("pad", numbers(2, 3, 2), (2, 0), mode="reflect", expected=RuntimeError,
                mention="should be less than")
    check_error("pad", numbers(2, 3, 2), (3, 0), mode="circular", expected=RuntimeError)


@pytest.mark.parametrize(("pad", "settings", "expected"), [
    ((1,), {}, RuntimeError), ((1, 1) * 4, {}, RuntimeError), ((-3, -2), {}, RuntimeError),
    ((1, 1), {"mode": "mirror"}, NotImplementedError),
    ((1, 1) * 3, {"mode": "reflect"}, NotImplementedError),
])
def test_errors(pad, settings, expected):
    check_error("pad", numbers(2, 3, 4), pad, expected=expected, **settings)
