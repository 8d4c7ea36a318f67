"""Normalizations against PyTorch."""

import numpy as np
import pytest
from against_torch import TF, F, Fixed, check, check_error, numbers, torch

import lampion

SHAPES = [(4, 3), (4, 3, 5), (4, 3, 5, 2), (2, 3, 2, 2, 2)]


def per_channel(n=3):
    return numbers(n, seed=1), numbers(n, seed=2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape, affine, training):
    weight, bias = per_channel() if affine else (None, None)
    running = Fixed(numbers(3, seed=3)), Fixed(numbers(3, seed=4, low=0.5))
    check("batch_norm", numbers(*shape), *running, weight, bias, training)
    if training:
        check("batch_norm", numbers(*shape), None, None, weight, bias, True, eps=0.1)


def test_batch_norm_moves_its_running_statistics():
    x = numbers(6, 3, 2)
    outcome = []
    for library, functions in ((lampion, F), (torch, TF)):
        mean, variance = library.zeros(3), library.ones(3)
        for _ in range(3):
            functions.batch_norm(library.tensor(x.tolist()), mean, variance, training=True,
                                 momentum=0.3)
        outcome.append((mean.tolist(), variance.tolist()))
    np.testing.assert_allclose(outcome[0], outcome[1], rtol=1e-5)
    assert outcome[0][0] != [0.0, 0.0, 0.0]


def test_batch_norm_leaves_them_alone_outside_training():
    mean, variance = lampion.zeros(3), lampion.ones(3)
    F.batch_norm(lampion.ones(2, 3), mean, variance)
    assert mean.tolist() == [0.0] * 3 and variance.tolist() == [1.0] * 3


def test_running_statistics_carry_no_gradient():
    x = lampion.ones(4, 3, requires_grad=True)
    mean = lampion.zeros(3)
    F.batch_norm(x, mean, lampion.ones(3), training=True)
    assert not mean.requires_grad


def test_batch_norm_errors():
    zeros, ones = np.zeros(3), np.ones(3)
    check_error("batch_norm", numbers(4, 5), zeros, ones, expected=RuntimeError,
                mention="5 channels")
    check_error("batch_norm", numbers(1, 3), zeros, ones, training=True, expected=ValueError,
                mention="more than 1 value per channel")
    check_error("batch_norm", numbers(4, 3), zeros, ones, np.ones(2), expected=RuntimeError)
    check_error("batch_norm", np.array([[1, 2, 3]]), zeros, ones, expected=RuntimeError,
                mention="float")
    check_error("batch_norm", numbers(4, 3), None, None, expected=RuntimeError, reference=False)


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("affine", [True, False])
def test_instance_norm(shape, affine):
    weight, bias = per_channel() if affine else (None, None)
    check("instance_norm", numbers(*shape), None, None, weight, bias)
    running = Fixed(numbers(3, seed=3)), Fixed(numbers(3, seed=4, low=0.5))
    check("instance_norm", numbers(*shape), *running, weight, bias, order=1)
    check("instance_norm", numbers(*shape), *running, weight, bias, False, order=1)


def test_instance_norm_errors():
    check_error("instance_norm", numbers(4, 3, 1), expected=ValueError)


@pytest.mark.parametrize("normalized_shape", [(4,), (5, 4), (3, 5, 4)])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_and_rms_norm(normalized_shape, affine):
    x = numbers(4, 3, 5, 4)
    weight = numbers(*normalized_shape, seed=1) if affine else None
    bias = numbers(*normalized_shape, seed=2) if affine else None
    check("layer_norm", x, normalized_shape, weight, bias)
    check("rms_norm", x, normalized_shape, weight)
    check("rms_norm", x, normalized_shape, weight, 0.1)


def test_layer_norm_of_one_place_and_of_equal_numbers():
    check("layer_norm", numbers(4, 1), (1,), order=1)
    check("layer_norm", np.ones((2, 3)), (3,), order=1)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_layer_norm_errors(name):
    check_error(name, numbers(4, 3), (4,), expected=RuntimeError,
                mention="expected input with shape [*, 4]")
    check_error(name, numbers(4, 3), (3,), np.ones(2), expected=RuntimeError, mention="weight")
    check_error(name, numbers(4, 3), 3, expected=TypeError, mention="(3,)")


@pytest.mark.parametrize("shape", [(4, 12), (4, 12, 5), (2, 12, 3, 2)])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("affine", [True, False])
def test_group_norm(shape, groups, affine):
    weight, bias = per_channel(12) if affine else (None, None)
    check("group_norm", numbers(*shape), groups, weight, bias)


def test_group_norm_errors():
    check_error("group_norm", numbers(4, 6), 4, expected=RuntimeError, mention="[1, 2, 3, 6]")
    check_error("group_norm", numbers(4, 6), 2, np.ones(2), expected=RuntimeError)


@pytest.mark.parametrize("shape", [(2, 7, 3), (2, 7, 3, 2), (1, 7, 2, 2, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_local_response_norm(shape, size):
    check("local_response_norm", numbers(*shape), size, alpha=0.5, beta=0.75, k=2.0)


def test_local_response_norm_errors():
    check_error("local_response_norm", numbers(4, 3), 2, expected=ValueError)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_normalize(p, dim):
    check("normalize", numbers(4, 3, 2), p=p, dim=dim)


def test_normalize_leaves_zeros():
    check("normalize", np.zeros((2, 3)), order=1, dtypes=("float64",))
