"""Adaptive pooling: windows chosen so that the result has a given size.

Window i of n along an axis of length L goes from floor(i L / n) to ceil((i + 1) L / n).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation
from lampion.functions.checks import require_floating
from lampion.functions.pooling import _batched, _with_indices
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

Sizes = int | Sequence[int | None] | None


def _target_size(function: str, output_size: Sizes, x: Tensor) -> tuple[int, ...]:
    lengths = tuple(x.shape[2:])
    if isinstance(output_size, (list, tuple)):
        numbers = tuple(output_size)
        if len(numbers) == 1:
            numbers = numbers * len(lengths)
    else:
        numbers = (output_size,) * len(lengths)
    if len(numbers) != len(lengths):
        raise errors.ShapeError(
            f"{function}: output_size={output_size!r}",
            why=f"there are {len(lengths)} spatial axes",
        )
    size = tuple(n if wanted is None else int(wanted)
                 for wanted, n in zip(numbers, lengths, strict=True))
    if min(size) < 0 or 0 in x.shape[1:]:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(x.shape)}, output_size={output_size!r}",
            why="sizes are 0 or more, and the input's channels and spatial axes are not empty",
        )
    return size


def _windows(length: int, count: int) -> list[range]:
    return [range(i * length // count, -((-(i + 1) * length) // count)) for i in range(count)]


def _average_axis(x: Tensor, dim: int, count: int) -> Tensor:
    length = x.shape[dim]
    if count == length:
        return x
    if count == 1:
        return x.mean(dim, keepdim=True)
    if count and length % count == 0:
        return x.unflatten(dim, (count, length // count)).mean(dim + 1)
    windows = _windows(length, count)
    widest = max((len(window) for window in windows), default=0)
    if not widest:
        return x.narrow(dim, 0, 0)
    # A table of positions, with the last one repeated and blanked in the shorter windows.
    table = [[window[min(k, len(window) - 1)] for k in range(widest)] for window in windows]
    unused = [[k >= len(window) for k in range(widest)] for window in windows]
    behind = (1,) * (x.dim() - 1 - dim)
    picked = x.index_select(dim, creation.tensor(table).reshape((-1,)))
    picked = picked.unflatten(dim, (count, widest))
    mask = creation.tensor(unused).reshape((count, widest) + behind)
    sizes = creation.tensor([len(w) for w in windows], dtype=x.dtype).reshape((count,) + behind)
    return picked.masked_fill(mask, 0).sum(dim + 1) / sizes


def _adaptive_avg_pool(function: str, axes: int, input: Tensor, output_size: Sizes) -> Tensor:
    x, batched = _batched(function, axes, input)
    require_floating(function, "input", x)
    size = _target_size(function, output_size, x)
    if all(n == 1 for n in size):
        x = x.mean(tuple(range(2, 2 + axes)), keepdim=True)
    else:
        for i, count in enumerate(size):
            x = _average_axis(x, 2 + i, count)
    return x if batched else x.squeeze(0)


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """Average signals down to `output_size` places; see `adaptive_avg_pool2d`.

    Shape: (N, C, L) -> (N, C, L'), or without N.
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """Average images down to `output_size`, whatever their size is.

    Args:
        input: images.
        output_size: (height, width) or one number for both; None keeps an axis.

    Shape: (N, C, H, W) -> (N, C, H', W'), or without N.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.adaptive_avg_pool2d(torch.ones(1, 3, 7, 5), 1).shape
        torch.Size([1, 3, 1, 1])
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """Average volumes down to `output_size`; see `adaptive_avg_pool2d`.

    Shape: (N, C, D, H, W) -> (N, C, D', H', W'), or without N.
    """
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


def _adaptive_max_pool(
    function: str, axes: int, input: Tensor, output_size: Sizes, return_indices: bool
) -> Tensor | tuple[Tensor, Tensor]:
    x, batched = _batched(function, axes, input)
    size = _target_size(function, output_size, x)
    lengths = tuple(x.shape[2:])
    flat = x.flatten(2)
    if 0 in size:
        index = creation.zeros((*x.shape[:2], 0), dtype=creation.tensor(0).dtype)
    else:
        # The first of equals wins, so repeating a window's last position changes nothing.
        table = creation.tensor(_plane_windows(lengths, size))
        windows = flat.detach().index_select(2, table.reshape((-1,)))
        best = windows.unflatten(2, tuple(table.shape)).argmax(-1)
        index = table.expand((*x.shape[:2], *table.shape)).gather(3, best.unsqueeze(-1)).squeeze(-1)
    result = flat.gather(2, index).reshape((*x.shape[:2], *size))
    index = index.reshape((*x.shape[:2], *size))
    if not batched:
        result, index = result.squeeze(0), index.squeeze(0)
    return (result, index) if return_indices else result


def _plane_windows(lengths: tuple[int, ...], size: tuple[int, ...]) -> list[list[int]]:
    """Return the flat positions of each window of a plane, all rows equally long."""
    strides = [math.prod(lengths[i + 1:]) for i in range(len(lengths))]
    along = [_windows(n, count) for n, count in zip(lengths, size, strict=True)]
    table = []
    for window in itertools.product(*along):
        places = [
            sum(p * s for p, s in zip(place, strides, strict=True))
            for place in itertools.product(*window)
        ]
        table.append(places)
    widest = max(map(len, table))
    return [places + places[-1:] * (widest - len(places)) for places in table]


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of signals at `output_size` places; see `adaptive_max_pool2d`.

    Shape: (N, C, L) -> (N, C, L'), or without N.
    """
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of images in windows that give a result of `output_size`.

    Args:
        input: images.
        output_size: (height, width) or one number for both; None keeps an axis.
        return_indices: also return where in the flattened plane the largest were.

    Shape: (N, C, H, W) -> (N, C, H', W'), or without N.
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of volumes at `output_size` places; see `adaptive_max_pool2d`.

    Shape: (N, C, D, H, W) -> (N, C, D', H', W'), or without N.
    """
    return _adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)


adaptive_max_pool1d_with_indices = _with_indices(adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = _with_indices(adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = _with_indices(adaptive_max_pool3d)


record_module(globals())
