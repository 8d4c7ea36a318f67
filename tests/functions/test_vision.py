"""Pixel and channel shuffles, grids and sampling against PyTorch."""

import numpy as np
import pytest
from against_torch import Fixed, check, check_error, numbers


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_pixel_shuffles(leading):
    check("pixel_shuffle", numbers(*leading, 18, 2, 4), 3)
    check("pixel_unshuffle", numbers(*leading, 2, 6, 9), 3)


@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 6, 3, 4)])
def test_channel_shuffle(shape):
    # PyTorch has no derivative of it.
    check("channel_shuffle", numbers(*shape), 3, order=0)
    check("native_channel_shuffle", numbers(*shape), 2, order=0)


def test_shuffle_errors():
    check_error("pixel_shuffle", numbers(1, 5, 2, 2), 2, expected=RuntimeError)
    check_error("pixel_unshuffle", numbers(1, 5, 3, 2), 2, expected=RuntimeError)
    check_error("channel_shuffle", numbers(1, 5, 3), 2, expected=RuntimeError)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 3, 2, 3, 4)])
def test_affine_grid(align_corners, size):
    axes = len(size) - 2
    check("affine_grid", numbers(2, axes, axes + 1), size, align_corners=align_corners)


def test_affine_grid_errors():
    check_error("affine_grid", numbers(2, 2, 2), (2, 3, 4, 5), expected=ValueError)
    check_error("affine_grid", numbers(2, 2, 3), (2, 3, 0, 5), expected=ValueError)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_grid_sample_of_images(mode, padding_mode, align_corners):
    check("grid_sample", numbers(2, 3, 4, 5), numbers(2, 3, 7, 2, seed=1), mode=mode,
          padding_mode=padding_mode, align_corners=align_corners, order=1)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_grid_sample_of_volumes(mode, padding_mode, align_corners):
    check("grid_sample", numbers(2, 3, 4, 5, 3), numbers(2, 2, 3, 4, 3, seed=1), mode=mode,
          padding_mode=padding_mode, align_corners=align_corners, order=1)


def test_grid_sample_at_the_edges():
    corners = np.array([[[[-1.0, -1.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.25]]]])
    for padding_mode in ("zeros", "border", "reflection"):
        check("grid_sample", numbers(1, 2, 4, 5), Fixed(corners), padding_mode=padding_mode,
              align_corners=True, order=1)


def test_grid_sample_errors():
    image, grid = numbers(1, 2, 4, 5), numbers(1, 3, 3, 2)
    check_error("grid_sample", image, numbers(1, 3, 3, 3), expected=RuntimeError)
    check_error("grid_sample", image, numbers(2, 3, 3, 2), expected=RuntimeError)
    check_error("grid_sample", image, grid, mode="cubic", expected=ValueError)
    check_error("grid_sample", image, grid, padding_mode="wrap", expected=ValueError)
