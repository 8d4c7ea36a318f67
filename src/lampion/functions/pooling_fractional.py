"""Fractional max pooling: windows at random places that give a result of a chosen size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation, random
from lampion.functions.checks import require_tensor, sizes
from lampion.functions.pooling import _batched, _with_indices
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

Sizes = int | Sequence[int]
Ratios = float | Sequence[float] | None


def fractional_max_pool2d(
    input: Tensor, kernel_size: Sizes, output_size: Sizes | None = None,
    output_ratio: Ratios = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of windows whose distances vary at random around a fraction.

    Args:
        input: images.
        kernel_size: the window's height and width.
        output_size: height and width of the result; or
        output_ratio: the same as shares of the input's, each between 0 and 1.
        return_indices: also return where in the flattened plane the largest were.
        _random_samples: (N, C, 2) uniform numbers that place the windows.

    Shape: (N, C, H, W) -> (N, C, H', W'), or without N.

    Raises:
        ArgumentError: when neither or both of output_size and output_ratio are given.
        ShapeError: when the windows do not fit.
    Source: Graham 2014, https://arxiv.org/abs/1412.6071
    """
    # PyTorch places the columns by the first random number and the rows by the second.
    return _fractional("fractional_max_pool2d", 2, (1, 0), input, kernel_size, output_size,
                       output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Tensor, kernel_size: Sizes, output_size: Sizes | None = None,
    output_ratio: Ratios = None, return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Fractional max pooling of volumes; see `fractional_max_pool2d`.

    Shape: (N, C, D, H, W) -> (N, C, D', H', W'), or without N.
    """
    return _fractional("fractional_max_pool3d", 3, (0, 1, 2), input, kernel_size, output_size,
                       output_ratio, return_indices, _random_samples)


fractional_max_pool2d_with_indices = _with_indices(fractional_max_pool2d)
fractional_max_pool3d_with_indices = _with_indices(fractional_max_pool3d)


def _fractional(
    function: str, axes: int, sample_of_axis: Sequence[int], input: Tensor, kernel: Sizes,
    output_size: Sizes | None, output_ratio: Ratios, return_indices: bool, samples: Tensor | None,
) -> Tensor | tuple[Tensor, Tensor]:
    x, batched = _batched(function, axes, input)
    kernel = sizes(function, "kernel_size", kernel, axes)
    size = _size(function, x, output_size, output_ratio)
    _check(function, x, kernel, size)
    planes = tuple(x.shape[:2])
    if samples is None:
        samples = random.rand((*planes, axes), dtype=x.dtype)
    require_tensor(function, "_random_samples", samples)
    samples = samples[:planes[0]]  # as PyTorch, which takes more than it needs
    # Flat positions of all windows: (N, C, *size, *kernel), one axis at a time.
    places = creation.zeros((*planes, *[1] * (2 * axes)), dtype=creation.arange(0).dtype)
    for i, (length, k, count) in enumerate(zip(x.shape[2:], kernel, size, strict=True)):
        starts = _starts(samples[..., sample_of_axis[i]], length, k, count)
        window = starts.unsqueeze(-1) + creation.arange(k)
        shape = [*planes, *[1] * (2 * axes)]
        shape[2 + i], shape[2 + axes + i] = count, k
        places = places * length + window.reshape(shape)
    places = places.flatten(2 + axes).flatten(2, 1 + axes)
    flat = x.flatten(2)
    values = flat.detach().gather(2, places.flatten(2)).reshape(places.shape)
    best = values.argmax(-1, keepdim=True)
    index = places.gather(-1, best).squeeze(-1)
    result, index = flat.gather(2, index).reshape((*planes, *size)), index.reshape((*planes, *size))
    if not batched:
        result, index = result.squeeze(0), index.squeeze(0)
    return (result, index) if return_indices else result


def _starts(samples: Tensor, length: int, kernel: int, count: int) -> Tensor:
    """Return where the windows of an axis begin: (N, C, count)."""
    last = length - kernel
    step = creation.arange(count)
    if count == 1:
        return (samples.unsqueeze(-1) * 0).long() + last
    alpha = last / (count - 1)
    shift = samples.unsqueeze(-1)
    starts = ((shift + step) * alpha).long() - (shift * alpha).long()
    return starts.masked_fill(step == count - 1, last)


def _size(
    function: str, x: Tensor, output_size: Sizes | None, output_ratio: Ratios
) -> tuple[int, ...]:
    lengths = tuple(x.shape[2:])
    if output_size is not None:
        return sizes(function, "output_size", output_size, len(lengths))
    if output_ratio is None:
        raise errors.ArgumentError(
            f"{function}: neither output_size nor output_ratio",
            why=f"{function} requires specifying either an output_size or an output_ratio",
            fix="output_ratio=0.5",
        )
    if isinstance(output_ratio, (int, float)):
        ratios: Sequence[float] = (output_ratio,) * len(lengths)
    else:
        ratios = output_ratio
    if len(ratios) != len(lengths):
        raise errors.ArgumentError(
            f"{function}: output_ratio={output_ratio!r}",
            why=f"there are {len(lengths)} spatial axes: one number for all or one for each",
        )
    return tuple(int(n * ratio) for n, ratio in zip(lengths, ratios, strict=True))


def _check(
    function: str, x: Tensor, kernel: tuple[int, ...], size: tuple[int, ...]
) -> None:
    fits = all(
        count >= 1 and k >= 1 and count + k - 1 <= n
        for n, k, count in zip(x.shape[2:], kernel, size, strict=True)
    )
    if not fits:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(x.shape)}, kernel_size={kernel}, "
            f"output size {size}",
            why="pool too large relative to input: along each axis, output size + kernel size - 1 "
            "is at most the input's length",
        )


record_module(globals())
