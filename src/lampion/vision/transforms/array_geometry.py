"""Moving pixels about, on NumPy arrays (..., height, width): the tensors' side of `functional`.

Pictures on their way to a network are data: their numbers are needed at once and no gradient goes
through them, so nothing is recorded here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lampion.functions.resampling import axis_tables

PAD_MODES = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}
Numbers = Sequence[float]


def back_to(kind: np.dtype, pixels: np.ndarray) -> np.ndarray:
    """Return computed pixels in the type that they came in, rounded where that is whole."""
    if kind.kind in "iub":
        pixels = np.rint(pixels)
    return pixels.astype(kind, copy=False)


def in_floats(pixels: np.ndarray) -> np.ndarray:
    """Return pixels in a type to compute in."""
    return pixels if pixels.dtype in (np.float32, np.float64) else pixels.astype(np.float32)


def resize(pixels: np.ndarray, height: int, width: int, mode: str, antialias: bool) -> np.ndarray:
    """Resample both axes: a new pixel is a weighted sum of a few old ones."""
    values = in_floats(pixels)
    tables = axis_tables(mode, False, antialias, values.dtype == np.float64)
    for axis, new in ((-1, width), (-2, height)):
        places, weights = tables(values.shape[axis], new, None)
        if weights is None:
            values = np.take(values, places[:, 0], axis)
            continue
        shape = (-1,) if axis == -1 else (-1, 1)
        total = np.zeros((), values.dtype)
        for place, weight in zip(places.T, weights.T):
            total = total + np.take(values, place, axis) * weight.reshape(shape)
        values = total
    if mode == "bicubic" and pixels.dtype == np.uint8:
        values = values.clip(0, 255)  # the kernel overshoots
    return back_to(pixels.dtype, values)


def pad(pixels: np.ndarray, edges: Sequence[int], fill: float, mode: str) -> np.ndarray:
    """Add pixels (or take them away) at the left, top, right and bottom edge."""
    left, top, right, bottom = edges
    height, width = pixels.shape[-2:]
    pixels = pixels[..., max(-top, 0):height - max(-bottom, 0),
                    max(-left, 0):width - max(-right, 0)]
    around = [(0, 0)] * (pixels.ndim - 2)
    around += [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    if mode == "constant":
        return np.pad(pixels, around, constant_values=pixels.dtype.type(fill))
    return np.pad(pixels, around, mode=PAD_MODES[mode])  # type: ignore[call-overload]


def crop(pixels: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Cut out a rectangle; what lies outside of the picture is 0."""
    old_height, old_width = pixels.shape[-2:]
    right, bottom = left + width, top + height
    if left >= 0 and top >= 0 and right <= old_width and bottom <= old_height:
        return pixels[..., top:bottom, left:right]
    result = np.zeros((*pixels.shape[:-2], height, width), pixels.dtype)
    y0, y1 = max(top, 0), min(bottom, old_height)
    x0, x1 = max(left, 0), min(right, old_width)
    if y0 < y1 and x0 < x1:
        result[..., y0 - top:y1 - top, x0 - left:x1 - left] = pixels[..., y0:y1, x0:x1]
    return result


# Sampling at places of one's own ---------------------------------------------------------------


def affine_grid(
    matrix: Numbers, old: tuple[int, int], new: tuple[int, int], number: type = np.float32
) -> np.ndarray:
    """Return where each new pixel (height, width, 2) comes from, in -1 to 1 across the old picture.

    Args:
        matrix: a, b, c, d, e, f: from new to old places, both from the picture's middle.
        old, new: height and width.
    """
    theta: np.ndarray = np.array(matrix, number).reshape(2, 3)
    half: np.ndarray = np.array([0.5 * old[1], 0.5 * old[0]], number)
    x = _steps(new[1], number)[None, :]
    y = _steps(new[0], number)[:, None]
    scaled = theta / half[:, None]
    return np.stack([row[0] * x + row[1] * y + row[2] for row in scaled], -1).astype(number)


def _steps(count: int, number: type) -> np.ndarray:
    return np.linspace(-count * 0.5 + 0.5, count * 0.5 - 0.5, count, dtype=number)


def perspective_grid(
    coefficients: Numbers, size: tuple[int, int], number: type = np.float32
) -> np.ndarray:
    """Return where each pixel comes from: x' = (ax + by + c) / (gx + hy + 1), y' likewise."""
    a, b, c, d, e, f, g, h = (number(value) for value in coefficients)
    height, width = size
    x = (np.arange(width, dtype=number) + number(0.5))[None, :]
    y = (np.arange(height, dtype=number) + number(0.5))[:, None]
    below = g * x + h * y + number(1)
    half_width, half_height = number(0.5 * width), number(0.5 * height)
    return np.stack([
        (a / half_width * x + b / half_width * y + c / half_width) / below - number(1),
        (d / half_height * x + e / half_height * y + f / half_height) / below - number(1),
    ], -1).astype(number)


def identity_grid(size: tuple[int, int]) -> np.ndarray:
    """Return the grid that leaves every pixel where it is."""
    y, x = (np.linspace((1 - n) / n, (n - 1) / n, n, dtype=np.float32) for n in size)
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), -1)


def sample(pixels: np.ndarray, grid: np.ndarray, mode: str, fill: Numbers | None) -> np.ndarray:
    """Return the picture (..., C, height, width) seen through a grid (height, width, 2).

    Where the grid leaves the picture, `fill` (one number for each channel) shows; black without.
    """
    values = in_floats(pixels)
    number = values.dtype.type
    height, width = values.shape[-2:]
    grid = grid.astype(number)
    x = ((grid[..., 0] + number(1)) * number(width) - number(1)) / number(2)
    y = ((grid[..., 1] + number(1)) * number(height) - number(1)) / number(2)
    planes = np.zeros((*values.shape[:-2], height + 2, width + 2), number)  # black all around
    planes[..., 1:-1, 1:-1] = values
    planes = planes.reshape(*values.shape[:-2], -1)
    if mode == "nearest":
        row, column = _place(np.rint(y), height), _place(np.rint(x), width)
        total = np.take(planes, row * (width + 2) + column, -1)
    else:
        left, up = np.floor(x), np.floor(y)
        right, down = x - left, y - up
        row, column = _place(up, height) * (width + 2), _place(left, width)
        below, beside = _place(up + 1, height) * (width + 2), _place(left + 1, width)
        total = np.take(planes, row + column, -1) * ((1 - right) * (1 - down))
        total += np.take(planes, row + beside, -1) * (right * (1 - down))
        total += np.take(planes, below + column, -1) * ((1 - right) * down)
        total += np.take(planes, below + beside, -1) * (right * down)
    if fill is not None:
        inside = _inside(x, width, mode) * _inside(y, height, mode)
        colour = np.array(fill, number).reshape(-1, 1, 1)
        if mode == "nearest":
            total = np.where(inside < 0.5, colour, total)
        else:
            total = total * inside + (number(1) - inside) * colour
    return back_to(pixels.dtype, total)


def _place(places: np.ndarray, length: int) -> np.ndarray:
    """Return whole places in a line with one more at either end, where all outside goes."""
    return np.clip(places + 1, 0, length + 1).astype(np.intp)


def _inside(places: np.ndarray, length: int, mode: str) -> np.ndarray:
    """Return how much of what a place is drawn from lies within a line, 0 to 1."""
    if mode == "nearest":
        whole = np.rint(places)
        return ((whole >= 0) & (whole < length)).astype(places.dtype)
    return np.clip(np.minimum(places + 1, length - places), 0, 1)


def rotated_size(matrix: Numbers, width: int, height: int) -> tuple[int, int]:
    """Return height and width of the smallest picture that holds all of a turned one."""
    corners = np.array([[x * 0.5 * width, y * 0.5 * height, 1] for x in (-1, 1) for y in (-1, 1)],
                       np.float32)
    moved = corners @ np.array(matrix, np.float32).reshape(2, 3).T
    half = np.array([width * 0.5, height * 0.5], np.float32)
    lowest, highest = moved.min(0) + half, moved.max(0) + half
    # 4.00001 is 4: a hair more must not become another row of pixels.
    tolerance = np.float32(1e-4)
    size = (np.ceil(np.trunc(highest / tolerance) * tolerance)
            - np.floor(np.trunc(lowest / tolerance) * tolerance))
    return int(size[1]), int(size[0])


def inverse_affine_matrix(
    center: Numbers, angle: float, translate: Numbers, scale: float, shear: Numbers,
    inverted: bool = True,
) -> list[float]:
    """Return the matrix from places in the result to places in the picture.

    M = T C R(angle) Shear(x, y) Scale C^-1; C moves to `center`, T by `translate`.

    Args:
        center, translate: x and y, in pixels.
        angle: in degrees, clockwise as the picture is seen.
        shear: along x and y, in degrees.
        inverted: the inverse of M, which pictures are drawn with; else M itself.
    """
    turn, shear_x, shear_y = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - shear_y) / math.cos(shear_y)
    b = -math.cos(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) - math.sin(turn)
    c = math.sin(turn - shear_y) / math.cos(shear_y)
    d = -math.sin(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) + math.cos(turn)
    x, y = center
    move_x, move_y = translate
    if not inverted:
        a, b, c, d = (value * scale for value in (a, b, c, d))
        return [a, b, x + move_x - a * x - b * y, c, d, y + move_y - c * x - d * y]
    # The determinant of turn and shear is 1.
    a, b, c, d = d / scale, -b / scale, -c / scale, a / scale
    return [a, b, x - a * (x + move_x) - b * (y + move_y),
            c, d, y - c * (x + move_x) - d * (y + move_y)]


# Sums of neighbours ----------------------------------------------------------------------------


def gaussian_kernel(size: int, sigma: float, number: type) -> np.ndarray:
    """Return exp(-x^2 / 2 sigma^2) at whole steps from the middle, its sum made 1."""
    x: np.ndarray = np.linspace(-(size - 1) * 0.5, (size - 1) * 0.5, size, dtype=number)
    kernel = np.exp(number(-0.5) * (x / number(sigma)) ** 2)
    return kernel / kernel.sum()


def gaussian_blur(pixels: np.ndarray, size: Sequence[int], sigma: Numbers) -> np.ndarray:
    """Blur along both axes, the picture mirrored at its edges."""
    values = in_floats(pixels)
    for axis, count, width in ((-1, size[0], sigma[0]), (-2, size[1], sigma[1])):
        kernel = gaussian_kernel(count, width, values.dtype.type)
        around = [(0, 0)] * values.ndim
        around[axis] = (count // 2, count // 2)
        length, wide = values.shape[axis], np.pad(values, around, mode="reflect")
        total = np.zeros((), values.dtype)
        for offset, weight in enumerate(kernel):
            part = (..., slice(offset, offset + length))
            total = total + wide[part if axis == -1 else (*part, slice(None))] * weight
        values = total
    return back_to(pixels.dtype, values)


def smoothed(pixels: np.ndarray) -> np.ndarray:
    """Return the picture after a 3x3 mean in which the middle counts five times; edges stay."""
    values = in_floats(pixels)
    height, width = values.shape[-2:]
    total = np.zeros((), values.dtype)
    for y in range(3):
        for x in range(3):
            weight = values.dtype.type(5 if x == y == 1 else 1) / values.dtype.type(13)
            total = total + values[..., y:height - 2 + y, x:width - 2 + x] * weight
    result = pixels.copy()
    result[..., 1:-1, 1:-1] = back_to(pixels.dtype, total)
    return result
