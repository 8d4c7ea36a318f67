"""Changing the size of images: interpolate and its older names.

Every mode is the same thing along each axis: an output place is a weighted sum of a few input
places. The tables of places and weights depend on sizes only; they are made with NumPy.
"""

from __future__ import annotations

import functools
import math
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lampion import errors
from lampion.functions import creation
from lampion.functions.checks import dtype_name, require_floating, require_tensor
from lampion.functions.pooling_adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

AXES_OF_MODE = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}
PLAIN_MODES = ("nearest", "nearest-exact", "area")
# Steepness of the cubic kernel: PyTorch's choice without and with antialiasing.
CUBIC, CUBIC_ANTIALIASED = -0.75, -0.5
Table = tuple[np.ndarray, np.ndarray | None]


def interpolate(
    input: Tensor, size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resample signals, images or volumes to another size.

    Args:
        input: (N, C, spatial axes).
        size: the new size, one number or one for each spatial axis; or
        scale_factor: the new size divided by the old one.
        mode: 'nearest', 'nearest-exact', 'area' for 1 to 3 axes, 'linear' for 1, 'bilinear',
            'bicubic', 'lanczos' (with antialias) for 2, 'trilinear' for 3.
        align_corners: the centers of the corner pixels meet, instead of their outer edges.
        recompute_scale_factor: use the ratio of the (whole) sizes, not `scale_factor` itself.
        antialias: widen the kernel when shrinking.

    Shape: (N, C, *old) -> (N, C, *new).

    Raises:
        ArgumentError: when neither or both of size and scale_factor are given, or settings do not
            go together.
        UnsupportedError: when the mode is not for this number of axes.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.interpolate(torch.tensor([[[1.0, 2.0]]]), size=4).tolist()
        [[[1.0, 1.0, 2.0, 2.0]]]
    """
    require_tensor("interpolate", "input", input)
    _check_mode(input, mode, align_corners, antialias)
    new, scales = _new_size(input, size, scale_factor, mode, recompute_scale_factor)
    if min(new) < 1 or 0 in input.shape[1:]:
        raise errors.ShapeError(
            f"interpolate: input is {errors.shape_text(input.shape)}, the result would be "
            f"{errors.shape_text(new)}",
            why="Input and output sizes should be greater than 0",
        )
    if mode == "area":
        pools = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
        return pools[len(new) - 1](input, new)
    if not mode.startswith("nearest"):
        require_floating("interpolate", "input", input)
    double = dtype_name(input) == "float64"
    axis_table = axis_tables(mode, bool(align_corners), antialias, double)
    for i, (count, scale) in enumerate(zip(new, scales, strict=True)):
        input = _resample(input, 2 + i, axis_table(input.shape[2 + i], count, scale))
    return input


def _check_mode(
    input: Tensor, mode: str, align_corners: bool | None, antialias: bool
) -> None:
    axes = input.dim() - 2
    if mode in PLAIN_MODES:
        if align_corners is not None:
            raise errors.ArgumentError(
                f"interpolate: mode={mode!r}, align_corners={align_corners}",
                why="align_corners option can only be set with the interpolating modes: linear | "
                "bilinear | bicubic | trilinear",
            )
    elif mode not in AXES_OF_MODE:
        raise errors.UnsupportedError(
            f"interpolate: mode={mode!r}",
            why=f"the modes are {', '.join((*PLAIN_MODES, *AXES_OF_MODE))}",
        )
    if not 1 <= axes <= 3 or AXES_OF_MODE.get(mode, axes) != axes:
        needed = f"{AXES_OF_MODE[mode] + 2}D" if mode in AXES_OF_MODE else "3D, 4D or 5D"
        raise errors.UnsupportedError(
            f"interpolate: input is {errors.shape_text(input.shape)}",
            why=f"Got {input.dim()}D input, but {mode} mode needs {needed} input: samples, "
            "channels, spatial axes",
            fix="input.unsqueeze(0)" if f"{input.dim() + 1}D" in needed else None,
        )
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and axes == 2):
        raise errors.ArgumentError(
            f"interpolate: antialias=True, mode={mode!r}",
            why="Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and "
            "requires a 4-D tensor as input",
        )
    if mode == "lanczos" and (align_corners or not antialias):
        raise errors.ArgumentError(
            f"interpolate: mode='lanczos', align_corners={align_corners}, antialias={antialias}",
            why="Lanczos mode requires antialias=True and does not support align_corners=True",
        )


def _new_size(
    input: Tensor, size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None, mode: str, recompute: bool | None,
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """Return the new sizes, and the scales where they shall be used as given."""
    lengths = tuple(input.shape[2:])
    if (size is None) == (scale_factor is None):
        raise errors.ArgumentError(
            f"interpolate: size={size}, scale_factor={scale_factor}",
            why="either size or scale_factor should be defined"
            if size is None else "only one of size or scale_factor should be defined",
        )
    given: Any = size if size is not None else scale_factor
    name = "size" if size is not None else "scale_factor"
    numbers = tuple(given) if isinstance(given, (list, tuple)) else (given,) * len(lengths)
    if len(numbers) != len(lengths):
        raise errors.ShapeArgumentError(
            f"interpolate: input is {errors.shape_text(input.shape)}, {name}={given}",
            why=f"Input and {name} must have the same number of spatial dimensions: "
            f"{len(lengths)}",
        )
    if size is not None:
        if recompute:
            raise errors.ArgumentError(
                "interpolate: recompute_scale_factor=True with size",
                why="recompute_scale_factor is not meaningful with an explicit size.",
            )
        if not all(hasattr(n, "__index__") for n in numbers):
            raise errors.ArgumentTypeError(
                f"interpolate: size={size!r}", why="sizes are whole numbers",
                fix="int(...), or scale_factor=...",
            )
        return tuple(int(n) for n in numbers), (None,) * len(lengths)
    new = tuple(math.floor(n * factor) for n, factor in zip(lengths, numbers, strict=True))
    kept = not recompute and mode != "area"
    return new, tuple(float(factor) if kept else None for factor in numbers)


# Tables ----------------------------------------------------------------------------------------


def axis_tables(
    mode: str, align_corners: bool, antialias: bool, double: bool
) -> Callable[[int, int, float | None], Table]:
    """Return the function (old length, new length, scale) -> places and weights."""
    number = np.float64 if double else np.float32
    if mode.startswith("nearest"):
        offset = 0.5 if mode == "nearest-exact" else 0.0
        return lambda old, new, scale: _nearest(old, new, scale, offset)
    if antialias:
        return lambda old, new, scale: _antialiased(mode, old, new, scale, align_corners, number)
    make = _cubic if mode == "bicubic" else _linear
    return lambda old, new, scale: make(old, new, _ratio(old, new, scale, align_corners, number),
                                        align_corners, number)


def _ratio(old: int, new: int, scale: float | None, align_corners: bool, number: type):
    """Return how far one step in the result goes in the input."""
    if align_corners:
        return number(old - 1) / number(new - 1) if new > 1 else number(0)
    if scale is not None and scale > 0:
        return number(1.0 / scale)
    return number(old) / number(new)


def _nearest(old: int, new: int, scale: float | None, offset: float) -> Table:
    # PyTorch computes these places in float32 whatever the input is.
    ratio = _ratio(old, new, scale, False, np.float32)
    place = np.arange(new, dtype=np.float32) + np.float32(offset)
    return np.minimum(np.floor(place * ratio).astype(np.int64), old - 1)[:, None], None


def _source(new: int, ratio, align_corners: bool, number: type) -> np.ndarray:
    place: np.ndarray = np.arange(new, dtype=number)
    half = number(0.5)
    return place * ratio if align_corners else (place + half) * ratio - half


def _linear(old: int, new: int, ratio, align_corners: bool, number: type) -> Table:
    source = np.maximum(_source(new, ratio, align_corners, number), 0)
    left = np.minimum(source.astype(np.int64), old - 1)
    right = np.minimum(left + 1, old - 1)
    share = np.clip(source - left.astype(number), 0, 1)
    return np.stack([left, right], 1), np.stack([1 - share, share], 1)


def cubic_weights(t, steepness: float, stack: Callable):
    """Weights of the four places around a point that lies t behind the second."""
    def inner(x):
        return ((steepness + 2) * x - (steepness + 3)) * x * x + 1

    def outer(x):
        return ((steepness * x - 5 * steepness) * x + 8 * steepness) * x - 4 * steepness

    return stack([outer(t + 1), inner(t), inner(1 - t), outer(2 - t)])


def _cubic(old: int, new: int, ratio, align_corners: bool, number: type) -> Table:
    source = _source(new, ratio, align_corners, number)
    second = np.floor(source)
    weights = cubic_weights(source - second, number(CUBIC), lambda parts: np.stack(parts, 1))
    places = second.astype(np.int64)[:, None] + np.arange(-1, 3)
    return np.clip(places, 0, old - 1), weights


def _antialiased(
    mode: str, old: int, new: int, scale: float | None, align_corners: bool, number: type
) -> Table:
    kernel, width = ANTIALIAS_KERNELS[mode]
    ratio = _ratio(old, new, scale, align_corners, number)
    support = number(width) * max(ratio, number(1))
    center = ratio * (np.arange(new, dtype=number) + number(0.5))
    half = number(0.5)
    first = np.maximum((center - support + half).astype(np.int64), 0)
    count = np.minimum((center + support + half).astype(np.int64), old) - first
    offsets = np.arange(max(int(count.max()), 1))
    places = first[:, None] + offsets
    shrink = number(1) / ratio if ratio >= 1 else number(1)
    distance = (places.astype(number) - center[:, None] + half) * shrink
    weights: np.ndarray = np.where(offsets < count[:, None], kernel(distance), 0).astype(number)
    total = weights.sum(1, keepdims=True)
    weights = weights / np.where(total == 0, number(1), total)
    return np.clip(places, 0, old - 1), weights


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic_kernel(x: np.ndarray) -> np.ndarray:
    a, x = CUBIC_ANTIALIASED, np.abs(x)
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, inner, np.where(x < 2, outer, 0))


def _lanczos_kernel(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


# Kernel and half its width.
ANTIALIAS_KERNELS = {
    "bilinear": (_triangle, 1), "bicubic": (_cubic_kernel, 2), "lanczos": (_lanczos_kernel, 3),
}


def _resample(x: Tensor, dim: int, table: Table) -> Tensor:
    """Replace an axis by weighted sums of a few of its places."""
    places, weights = table
    if weights is None:
        if places.shape[0] == x.shape[dim] and (places[:, 0] == np.arange(x.shape[dim])).all():
            return x
        return x.index_select(dim, creation.tensor(places[:, 0].tolist()))
    shape = (-1,) + (1,) * (x.dim() - 1 - dim)
    parts = [
        x.index_select(dim, creation.tensor(place))
        * creation.tensor(weight, dtype=x.dtype).reshape(shape)
        for place, weight in zip(places.T.tolist(), weights.T.tolist(), strict=True)
    ]
    return functools.reduce(operator.add, parts)


# Older names -----------------------------------------------------------------------------------


def upsample(
    input: Tensor, size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate`, under its old name."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """`interpolate(mode='nearest')`, under its old name."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """`interpolate(mode='bilinear', align_corners=True)`, under its old name."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. "
        "Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


record_module(globals())
