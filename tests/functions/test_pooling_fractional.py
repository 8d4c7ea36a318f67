"""Fractional max pooling against PyTorch."""

import numpy as np
import pytest
from against_torch import F, Fixed, check, check_error, numbers

import lampion

PLACES = Fixed(numbers(2, 3, 2, seed=1, low=0, high=1))


@pytest.mark.parametrize("size", [{"output_size": (3, 4)}, {"output_size": 1}, {"output_size": 6},
                                  {"output_ratio": (0.5, 0.7)}], ids=str)
@pytest.mark.parametrize("return_indices", [True, False])
def test_images(size, return_indices):
    check("fractional_max_pool2d", numbers(2, 3, 8, 9), (2, 3), _random_samples=PLACES,
          return_indices=return_indices, order=1, **size)


def test_volumes():
    places = Fixed(numbers(2, 3, 3, seed=1, low=0, high=1))
    check("fractional_max_pool3d", numbers(2, 3, 6, 7, 8), (2, 3, 1), output_size=(4, 3, 5),
          _random_samples=places, return_indices=True, order=1)
    check("fractional_max_pool3d_with_indices", numbers(2, 3, 6, 7, 8), 2,
          output_ratio=(0.5, 0.5, 0.5), _random_samples=places, order=1)


def test_windows_are_drawn():
    lampion.manual_seed(0)
    x = lampion.arange(50.0).reshape(1, 1, 1, 50).expand(1, 200, 1, 50)
    found = np.array(F.fractional_max_pool2d(x, (1, 2), (1, 30)).tolist())
    assert len(np.unique(found, axis=1)[0]) > 5
    assert found.max() == 49 and (np.diff(found) > 0).all()


def test_errors():
    x = numbers(2, 3, 8, 9)
    check_error("fractional_max_pool2d", x, 2, expected=ValueError)
    check_error("fractional_max_pool2d", x, 2, output_size=(8, 8), expected=RuntimeError)
