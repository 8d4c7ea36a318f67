"""Linear and bilinear maps against PyTorch."""

import numpy as np
import pytest
from against_torch import check, check_error, numbers


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3), (0, 3), (2, 0, 3), (2, 2, 2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias):
    check("linear", numbers(*shape), numbers(5, 3, seed=1), numbers(5, seed=2) if bias else None)


def test_linear_with_one_row():
    check("linear", numbers(4, 3), numbers(3, seed=1))


def test_linear_without_features():
    check("linear", np.zeros((4, 0)), np.zeros((5, 0)), numbers(5))


def test_linear_errors():
    check_error("linear", numbers(4, 3), numbers(5, 2), expected=RuntimeError,
                mention="mat1 and mat2 shapes cannot be multiplied")
    check_error("linear", numbers(4, 3), numbers(5, 2), expected=RuntimeError,
                mention="nn.Linear(3, 5)")
    check_error("linear", numbers(4, 2, 3), numbers(5, 6), expected=RuntimeError,
                mention="flatten(1)")
    check_error("linear", numbers(4, 3), numbers(5, 3, dtype="float32"), expected=RuntimeError,
                mention="input.float()")
    check_error("linear", np.array([[1, 2, 3]]), numbers(5, 3), expected=RuntimeError,
                mention="int64")
    check_error("linear", numbers(4, 3), numbers(5, 3), numbers(4), expected=RuntimeError,
                mention="5 output features")


@pytest.mark.parametrize("leading", [(4,), (2, 4), ()])
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(leading, bias):
    check("bilinear", numbers(*leading, 3), numbers(*leading, 2, seed=1), numbers(5, 3, 2, seed=2),
          numbers(5, seed=3) if bias else None)


def test_bilinear_errors():
    check_error("bilinear", numbers(4, 3), numbers(4, 3), numbers(5, 3, 2), expected=RuntimeError,
                mention="in2")
