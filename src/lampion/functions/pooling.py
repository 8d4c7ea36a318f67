"""Pooling: the largest, the mean or the p-norm of each window."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import dtypes, errors
from lampion.functions import creation, primitive
from lampion.functions.checks import require_floating, require_tensor, sizes
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

Sizes = int | Sequence[int]
# A window sum along one axis adds shifted slices up to this many, and takes windows beyond.
MOST_SLICES = 16


def _batched(function: str, axes: int, input: Tensor) -> tuple[Tensor, bool]:
    require_tensor(function, "input", input)
    if input.dim() not in (axes + 1, axes + 2):
        # PyTorch's adaptive pools refuse an input of too few axes with a ValueError.
        few = function.startswith("adaptive") and input.dim() < axes + 1
        raise (errors.ShapeArgumentError if few else errors.ShapeError)(
            f"{function}: input is {errors.shape_text(input.shape)}",
            why=f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input: samples, "
            f"channels, then {axes} spatial {'axis' if axes == 1 else 'axes'}",
        )
    batched = input.dim() == axes + 2
    return (input if batched else input.unsqueeze(0)), batched


def _window(
    function: str, axes: int, x: Tensor, kernel: Sizes, stride: Sizes | None, padding: Sizes,
    dilation: Sizes, ceil_mode: bool,
) -> tuple[tuple[int, ...], ...]:
    """Return kernel, stride, padding, dilation and the result's sizes, checked."""
    kernel = sizes(function, "kernel_size", kernel, axes)
    if stride is None or stride == [] or stride == ():
        stride = kernel
    stride = sizes(function, "stride", stride, axes)
    padding = sizes(function, "padding", padding, axes)
    dilation = sizes(function, "dilation", dilation, axes)
    for name, values in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(values) < 1:
            raise errors.ArgumentRangeError(
                f"{function}: {name}={values}", why=f"{name} must be 1 or more"
            )
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    for p, r in zip(padding, reach, strict=True):
        if p < 0 or p > r // 2:
            raise errors.ArgumentRangeError(
                f"{function}: padding={padding}, kernel_size={kernel}, dilation={dilation}",
                why="pad must be non-negative and at most half of the kernel: a window must meet "
                "the input",
                fix=f"padding={tuple(n // 2 for n in reach)}",
            )
    size = tuple(
        _pooled_length(*numbers, ceil_mode)
        for numbers in zip(x.shape[2:], reach, stride, padding, strict=True)
    )
    if min(size) < 1 or 0 in x.shape[1:]:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(x.shape)}, kernel_size={kernel}, "
            f"stride={stride}, padding={padding}: the result would be {errors.shape_text(size)}",
            why="Output size is too small: no window fits into the input",
            fix="a smaller kernel, or less pooling before this layer",
        )
    return kernel, stride, padding, dilation, size


def _pooled_length(
    length: int, reach: int, stride: int, padding: int, ceil_mode: bool
) -> int:
    room = length + 2 * padding - reach
    count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    # With ceil_mode the last window must still start inside the input or its left padding.
    if ceil_mode and (count - 1) * stride >= length + padding:
        count -= 1
    return count


# Maximum ---------------------------------------------------------------------------------------


def _max_pool(
    function: str, axes: int, input: Tensor, kernel: Sizes, stride: Sizes | None, padding: Sizes,
    dilation: Sizes, ceil_mode: bool, return_indices: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    x, batched = _batched(function, axes, input)
    window = _window(function, axes, x, kernel, stride, padding, dilation, ceil_mode)
    result = primitive.max_pool(x, *window)
    result = result if batched else result.squeeze(0)
    if not return_indices:
        return result
    index = primitive.pool_argmax(x, *window)
    return result, index if batched else index.squeeze(0)


def max_pool1d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    dilation: Sizes = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest element of each window of signals; see `max_pool2d`.

    Shape: (N, C, L) -> (N, C, L'), or without N.
    """
    return _max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool2d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    dilation: Sizes = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest element of each window of images; of equals the first gets the gradient.

    Args:
        input: images.
        kernel_size: the window's height and width.
        stride: steps between windows; the kernel's size when None.
        padding: places added on both sides, never the largest; at most half of the kernel.
        dilation: distance between the window's elements.
        ceil_mode: keep a last window that reaches past the end.
        return_indices: also return where in the flattened plane the largest were.

    Shape: (N, C, H, W) -> (N, C, H', W'), or without N;
    H' = (H + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises:
        ShapeError: when the axes do not fit or no window fits into the input.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.max_pool2d(torch.tensor([[[1.0, 2.0], [4.0, 3.0]]]), 2).tolist()
        [[[4.0]]]
    """
    return _max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool3d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    dilation: Sizes = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest element of each window of volumes; see `max_pool2d`.

    Shape: (N, C, D, H, W) -> (N, C, D', H', W'), or without N.
    """
    return _max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def _with_indices(function):
    """Return the function that gives indices, too: PyTorch has it under a name of its own."""
    @functools.wraps(function)
    def pool(*args, **kwargs) -> tuple[Tensor, Tensor]:
        return function(*args, **{**kwargs, "return_indices": True})

    pool.__name__ = pool.__qualname__ = f"{function.__name__}_with_indices"
    pool.__doc__ = f"`{function.__name__}` with `return_indices=True`."
    return pool


max_pool1d_with_indices = _with_indices(max_pool1d)
max_pool2d_with_indices = _with_indices(max_pool2d)
max_pool3d_with_indices = _with_indices(max_pool3d)


def _max_unpool(
    function: str, axes: int, input: Tensor, indices: Tensor, kernel: Sizes,
    stride: Sizes | None, padding: Sizes, output_size: Sequence[int] | None,
) -> Tensor:
    x, batched = _batched(function, axes, input)
    if indices.shape != input.shape:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(input.shape)}, indices are "
            f"{errors.shape_text(indices.shape)}",
            why="each element has its own index, as max_pool returned it",
        )
    kernel = sizes(function, "kernel_size", kernel, axes)
    stride = kernel if stride is None else sizes(function, "stride", stride, axes)
    padding = sizes(function, "padding", padding, axes)
    size = tuple(
        (n - 1) * s - 2 * p + k
        for n, s, p, k in zip(x.shape[2:], stride, padding, kernel, strict=True)
    )
    if output_size is not None:
        wanted = tuple(output_size)[-axes:]
        near = zip(wanted, size, stride, strict=False)
        if len(output_size) not in (axes, axes + 1, axes + 2) or not all(
            n - s < w < n + s for w, n, s in near
        ):
            raise errors.ArgumentError(
                f"{function}: output_size={tuple(output_size)}",
                why=f"these windows give {size}, or up to stride - 1 more or less",
            )
        size = wanted
    shape = tuple(x.shape[:2])
    flat = x.new_zeros((*shape, math.prod(size)))
    flat = flat.scatter(2, indices.reshape(x.shape).flatten(2), x.flatten(2))
    result = flat.reshape((*shape, *size))
    return result if batched else result.squeeze(0)


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None = None,
    padding: Sizes = 0, output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put maxima of signals back to their places, with zeros between; see `max_unpool2d`.

    Shape: (N, C, L) twice -> (N, C, L'), or without N.
    """
    return _max_unpool(
        "max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size
    )


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None = None,
    padding: Sizes = 0, output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put maxima back to their places, with zeros between: what remains of the pooled image.

    Args:
        input: maxima.
        indices: their places in the flattened plane, from `max_pool2d(return_indices=True)`.
        kernel_size, stride, padding: those of the pooling.
        output_size: the image's size, where several sizes pool to the same.

    Shape: (N, C, H, W) twice -> (N, C, H', W'), or without N;
    H' = (H - 1) stride - 2 padding + kernel.
    """
    return _max_unpool(
        "max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size
    )


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None = None,
    padding: Sizes = 0, output_size: Sequence[int] | None = None,
) -> Tensor:
    """Put maxima of volumes back to their places, with zeros between; see `max_unpool2d`.

    Shape: (N, C, D, H, W) twice -> (N, C, D', H', W'), or without N.
    """
    return _max_unpool(
        "max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size
    )


# Mean and norm ---------------------------------------------------------------------------------


def window_sum(x: Tensor, dim: int, kernel: int, stride: int, count: int) -> Tensor:
    """Return the sums of `count` windows along an axis; a product of axes is a window of all."""
    covered = (count - 1) * stride + kernel
    if count == 1:
        return x.narrow(dim, 0, kernel).sum(dim, keepdim=True)
    if kernel == stride:
        return x.narrow(dim, 0, covered).unflatten(dim, (count, kernel)).sum(dim + 1)
    if kernel > MOST_SLICES:
        return x.narrow(dim, 0, covered).unfold(dim, kernel, stride).sum(-1)
    before = (slice(None),) * dim
    total = x[(*before, slice(0, covered - kernel + 1, stride))]
    for offset in range(1, kernel):
        total = total + x[(*before, slice(offset, covered - kernel + 1 + offset, stride))]
    return total


def _window_counts(
    length: int, kernel: int, stride: int, padding: int, count: int, include_pad: bool
) -> list[int]:
    """Return how many elements each window along an axis averages over."""
    numbers = []
    for i in range(count):
        start = i * stride - padding
        stop = min(start + kernel, length + padding)
        numbers.append(stop - start if include_pad else min(stop, length) - max(start, 0))
    return numbers


def _avg_pool(
    function: str, axes: int, input: Tensor, kernel: Sizes, stride: Sizes | None, padding: Sizes,
    ceil_mode: bool, count_include_pad: bool, divisor: int | None,
) -> Tensor:
    x, batched = _batched(function, axes, input)
    whole = x.dtype == dtypes.int64
    if not whole:
        require_floating(function, "input", x)
    kernel, stride, padding, _, size = _window(
        function, axes, x, kernel, stride, padding, 1, ceil_mode
    )
    if divisor == 0:
        raise errors.ArgumentRangeError(
            f"{function}: divisor_override=0", why="divisor must be not zero",
            fix="divisor_override=1, for the sum",
        )
    lengths = tuple(x.shape[2:])
    x = primitive.pool_sum(x, kernel, stride, padding, size)
    counts = [
        _window_counts(length, k, s, p, n, count_include_pad)
        for length, k, s, p, n in zip(lengths, kernel, stride, padding, size, strict=True)
    ]
    if whole:
        result = _divide_whole(x, counts, divisor)
    else:
        result = x / divisor if divisor is not None else _divide(x, counts)
    return result if batched else result.squeeze(0)


def _divide_whole(x: Tensor, counts: list[list[int]], divisor: int | None) -> Tensor:
    """Means of whole numbers, without their fractions."""
    table = creation.tensor(1 if divisor is None else divisor)
    for numbers in counts if divisor is None else []:
        table = table.unsqueeze(-1) * creation.tensor(numbers)
    return x.div(table, rounding_mode="trunc")


def _divide(x: Tensor, counts: list[list[int]]) -> Tensor:
    """Divide by the windows' counts, which are one factor for each axis."""
    even = 1
    for i, numbers in enumerate(counts):
        if min(numbers) == max(numbers):
            even *= numbers[0]
            continue
        behind = len(counts) - 1 - i
        x = x / creation.tensor(numbers, dtype=x.dtype).reshape((-1,) + (1,) * behind)
    return x / even


def avg_pool1d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window of signals; see `avg_pool2d`.

    Shape: (N, C, L) -> (N, C, L'), or without N.
    """
    return _avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


def avg_pool2d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of images.

    Args:
        input: images.
        kernel_size: the window's height and width.
        stride: steps between windows; the kernel's size when None.
        padding: zeros added on both sides; at most half of the kernel.
        ceil_mode: keep a last window that reaches past the end.
        count_include_pad: count the padding's zeros as elements.
        divisor_override: divide by this instead of the number of elements.

    Shape: (N, C, H, W) -> (N, C, H', W'), or without N.
    H' = (H + 2 padding - kernel) // stride + 1.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.avg_pool2d(torch.arange(4.).reshape(1, 1, 2, 2), 2)
        tensor([[[[1.5000]]]])
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )


def avg_pool3d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of volumes; see `avg_pool2d`.

    Shape: (N, C, D, H, W) -> (N, C, D', H', W'), or without N.
    """
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )


def _lp_pool(
    function: str, axes: int, input: Tensor, norm_type: float, kernel: Sizes,
    stride: Sizes | None, ceil_mode: bool,
) -> Tensor:
    kernel = sizes(function, "kernel_size", kernel, axes)
    require_tensor(function, "input", input)
    mean = _avg_pool(
        function, axes, input.pow(norm_type), kernel, stride, 0, ceil_mode, True, None
    )
    return (mean.sign() * mean.abs().relu() * math.prod(kernel)).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the p-norm of each window of signals, (sum x^p)^(1/p).

    Shape: (N, C, L) -> (N, C, L'), or without N.
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the p-norm of each window of images, (sum x^p)^(1/p).

    Shape: (N, C, H, W) -> (N, C, H', W'), or without N.
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the p-norm of each window of volumes, (sum x^p)^(1/p).

    Shape: (N, C, D, H, W) -> (N, C, D', H', W'), or without N.
    """
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


record_module(globals())
