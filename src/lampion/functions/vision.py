"""Rearranging pixels and channels, and sampling images at any place."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation
from lampion.functions.checks import require_same_dtype, require_tensor
from lampion.functions.resampling import CUBIC, cubic_weights
from lampion.functions.shape import stack
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

# A place along one axis: positions (as floating point) and the weight of what is there.
Tap = tuple["Tensor", "Tensor | None"]


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turn each group of r^2 channels into r x r pixels.

    Shape: (..., C r^2, H, W) -> (..., C, H r, W r).

    Raises:
        ShapeError: when the channels are no multiple of r^2.
    Source: Shi et al. 2016, https://arxiv.org/abs/1609.05158
    """
    require_tensor("pixel_shuffle", "input", input)
    r = upscale_factor
    if r < 1 or input.dim() < 3 or input.shape[-3] % (r * r):
        raise errors.ShapeError(
            f"pixel_shuffle: input is {errors.shape_text(input.shape)}, upscale_factor={r}",
            why="it needs (..., channels, height, width) with a number of channels divisible by "
            "the square of a positive upscale_factor",
        )
    *leading, channels, height, width = input.shape
    n = len(leading)
    parts = input.reshape((*leading, channels // (r * r), r, r, height, width))
    parts = parts.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return parts.reshape((*leading, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Turn r x r pixels into r^2 channels: the inverse of `pixel_shuffle`.

    Shape: (..., C, H r, W r) -> (..., C r^2, H, W).

    Raises:
        ShapeError: when height or width are no multiple of r.
    """
    require_tensor("pixel_unshuffle", "input", input)
    r = downscale_factor
    if r < 1 or input.dim() < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise errors.ShapeError(
            f"pixel_unshuffle: input is {errors.shape_text(input.shape)}, downscale_factor={r}",
            why="it needs (..., channels, height, width) with height and width divisible by a "
            "positive downscale_factor",
        )
    *leading, channels, height, width = input.shape
    n = len(leading)
    parts = input.reshape((*leading, channels, height // r, r, width // r, r))
    parts = parts.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return parts.reshape((*leading, channels * r * r, height // r, width // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Mix groups of channels: channel j of group i goes to place j * groups + i.

    Shape: (N, C, ...) -> same.

    Raises:
        ShapeError: when groups do not divide the channels.
    """
    require_tensor("channel_shuffle", "input", input)
    if groups < 1 or input.dim() < 3 or input.shape[1] % groups:
        raise errors.ShapeError(
            f"channel_shuffle: input is {errors.shape_text(input.shape)}, groups={groups}",
            why="it needs (samples, channels, ...) with a number of channels divisible by groups",
        )
    samples, channels, *rest = input.shape
    parts = input.reshape((samples, groups, channels // groups, *rest)).transpose(1, 2)
    return parts.reshape(input.shape)


native_channel_shuffle = channel_shuffle


# Grids -----------------------------------------------------------------------------------------


def affine_grid(
    theta: Tensor, size: Sequence[int], align_corners: bool | None = None
) -> Tensor:
    """Return where in the input each output pixel lies under affine maps.

    Args:
        theta: one matrix for each sample; coordinates go from -1 to 1.
        size: the output's shape, (N, C, H, W) or (N, C, D, H, W).
        align_corners: -1 and 1 are the centers of the corner pixels, instead of the outer edges.

    Shape: (N, 2, 3) -> (N, H, W, 2), or (N, 3, 4) -> (N, D, H, W, 3); coordinates x, y(, z).

    Raises:
        ShapeArgumentError: when theta and size do not fit.
    """
    require_tensor("affine_grid", "theta", theta)
    if not theta.is_floating_point():
        raise errors.ArgumentError(
            f"affine_grid: theta is {theta.dtype}",
            why="Expected theta to have floating point type", fix="theta.float()",
        )
    lengths = tuple(size)[2:]
    axes = len(lengths)
    if axes not in (2, 3) or tuple(theta.shape) != (size[0], axes, axes + 1):
        raise errors.ShapeArgumentError(
            f"affine_grid: theta is {errors.shape_text(theta.shape)}, size={tuple(size)}",
            why="Expected a batch of 2D affine matrices of shape Nx2x3 for size (N, C, H, W), or "
            "of 3D ones of shape Nx3x4 for (N, C, D, H, W)",
        )
    if min(size) < 1:
        raise errors.ArgumentError(
            f"affine_grid: size={tuple(size)}", why="Expected non-zero, positive output size"
        )
    places = []
    for i, length in enumerate(lengths):
        line = creation.linspace(-1, 1, length, dtype=theta.dtype) if length > 1 else (
            creation.zeros((1,), dtype=theta.dtype))
        if not align_corners:
            line = line * ((length - 1) / length)
        places.append(line.reshape((-1,) + (1,) * (axes - 1 - i)).expand(lengths))
    ones = creation.ones(lengths, dtype=theta.dtype)
    # Coordinates are written x, y, z: the last axis first.
    points = stack([*reversed(places), ones], -1).reshape((1, math.prod(lengths), axes + 1))
    points = points.expand((size[0], math.prod(lengths), axes + 1))
    return points.matmul(theta.transpose(1, 2)).reshape((size[0], *lengths, axes))


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Sample images at the places of a grid.

    Args:
        input: images or volumes.
        grid: coordinates x, y(, z) from -1 to 1 along the last axis.
        mode: 'bilinear' (trilinear for volumes), 'nearest', or 'bicubic' (images only).
        padding_mode: what lies outside: 'zeros', 'border' (the nearest edge) or 'reflection'.
        align_corners: -1 and 1 are the centers of the corner pixels, instead of the outer edges.

    Shape: (N, C, H, W), (N, H', W', 2) -> (N, C, H', W'); likewise with D and 3.

    Raises:
        ShapeError: when input and grid do not fit.
        ArgumentError: for an unknown mode or padding_mode.
    """
    _check_grid(input, grid, mode, padding_mode)
    align = bool(align_corners)
    lengths = tuple(input.shape[2:])
    axes = len(lengths)
    taps = [
        _taps(grid[..., axes - 1 - i], length, mode, padding_mode, align)
        for i, length in enumerate(lengths)
    ]
    flat = input.flatten(2)
    samples, channels = input.shape[:2]
    out = tuple(grid.shape[1:-1])
    parts = []
    for corner in itertools.product(*taps):
        index, weight = _corner(corner, lengths)
        index = index.reshape((samples, 1, math.prod(out))).expand(
            (samples, channels, math.prod(out)))
        value = flat.gather(2, index).reshape((samples, channels, *out))
        parts.append(value * weight.unsqueeze(1))
    return functools.reduce(operator.add, parts)


def _corner(corner: Sequence[Tap], lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return flat positions and the product of the weights, 0 outside of the image."""
    places, shares = [], []
    for (place, share), length in zip(corner, lengths, strict=True):
        inside = (place >= 0) & (place <= length - 1)
        places.append(place.masked_fill(~inside, 0).long())
        shares.append(
            inside.to(place.dtype) if share is None else share.masked_fill(~inside, 0))
    index = places[0]
    for place, length in zip(places[1:], lengths[1:], strict=True):
        index = index * length + place
    return index, functools.reduce(operator.mul, shares)


def _taps(
    coordinate: Tensor, length: int, mode: str, padding_mode: str, align: bool
) -> list[Tap]:
    if align:
        place = (coordinate + 1) / 2 * (length - 1)
    else:
        place = ((coordinate + 1) * length - 1) / 2
    if mode == "bicubic":
        second = place.detach().floor()
        weights = cubic_weights(place - second, CUBIC, list)
        return [
            (_bounded(second + k - 1, length, padding_mode, align), weight)
            for k, weight in enumerate(weights)
        ]
    place = _bounded(place, length, padding_mode, align)
    if mode == "nearest":
        return [(place.detach().round(), None)]
    left = place.detach().floor()
    share = place - left
    return [(left, 1 - share), (left + 1, share)]


def _bounded(place: Tensor, length: int, padding_mode: str, align: bool) -> Tensor:
    if padding_mode == "zeros":
        return place
    if padding_mode == "reflection":
        place = _reflected(place, length, align)
    # Fills, not clamp: at the border itself there is no gradient, as in PyTorch.
    return place.masked_fill(place <= 0, 0).masked_fill(place >= length - 1, length - 1)


def _reflected(place: Tensor, length: int, align: bool) -> Tensor:
    low, span = (0.0, length - 1) if align else (-0.5, length)
    if span == 0:
        return place * 0
    distance = place - low
    distance = distance.where(distance >= 0, -distance)
    turns = (distance.detach() / span).floor()
    rest = distance - turns * span
    return rest.where(turns % 2 == 0, span - rest) + low


def _check_grid(input: Tensor, grid: Tensor, mode: str, padding_mode: str) -> None:
    function, text = "grid_sample", errors.shape_text
    require_tensor(function, "input", input)
    require_tensor(function, "grid", grid)
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise errors.ArgumentError(
            f"{function}: mode={mode!r}",
            why="expected mode to be 'bilinear', 'nearest' or 'bicubic'",
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise errors.ArgumentError(
            f"{function}: padding_mode={padding_mode!r}",
            why="expected padding_mode to be 'zeros', 'border', or 'reflection'",
        )
    require_same_dtype(function, input=input, grid=grid)
    axes = input.dim() - 2
    if axes not in (2, 3) or grid.dim() != input.dim() or grid.shape[-1] != axes or (
        grid.shape[0] != input.shape[0] or 0 in input.shape[2:]
    ):
        raise errors.ShapeError(
            f"{function}: input is {text(input.shape)}, grid is {text(grid.shape)}",
            why="they must be (N, C, H, W) and (N, H', W', 2), or (N, C, D, H, W) and "
            "(N, D', H', W', 3)",
        )
    if mode == "bicubic" and axes != 2:
        raise errors.ShapeError(
            f"{function}: mode='bicubic', input is {text(input.shape)}",
            why="bicubic interpolation only supports 4D input", fix="mode='bilinear'",
        )


record_module(globals())
