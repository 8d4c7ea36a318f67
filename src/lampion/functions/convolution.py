"""Convolutions over one, two and three axes, their transposes, and patches (unfold, fold)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation, primitive
from lampion.functions.checks import named, require_same_dtype, require_tensor, sizes
from lampion.functions.padding import pad
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

Sizes = int | Sequence[int]


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1,
) -> Tensor:
    """Convolve signals with `weight`; see `conv2d`.

    Shape: (N, C, L), (O, C / groups, k) -> (N, O, L'), or without N.
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1,
) -> Tensor:
    """Slide `weight` over images: each output is the sum over a window of input times weight.

    Args:
        input: images.
        weight: one kernel for each output channel.
        bias: one number for each output channel.
        stride: steps between windows, one number or one for each spatial axis; 1 or more.
        padding: zeros added on both sides; 'valid' for none, 'same' to keep the size.
        dilation: distance between the kernel's elements; 1 or more.
        groups: independent parts into which the channels are cut.

    Shape: (N, C, H, W), (O, C / groups, kh, kw) -> (N, O, H', W'), or without N;
    H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Raises:
        ShapeError: when axes or channels do not fit, or the kernel is larger than the padded input.
        DTypeError: when the operands differ in dtype.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2)).tolist()
        [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1,
) -> Tensor:
    """Convolve volumes with `weight`; see `conv2d`.

    Shape: (N, C, D, H, W), (O, C / groups, kd, kh, kw) -> (N, O, D', H', W'), or without N.
    """
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _conv(
    function: str, axes: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sizes,
    padding: Sizes | str, dilation: Sizes, groups: int,
) -> Tensor:
    stride, dilation = _settings(function, axes, stride, dilation, groups)
    _check_operands(function, axes, input, weight, bias)
    kernel = tuple(weight.shape[2:])
    batched = input.dim() == axes + 2
    x = input if batched else input.unsqueeze(0)
    if isinstance(padding, str):
        x, padding = _named_padding(function, x, padding, kernel, stride, dilation)
    else:
        padding = sizes(function, "padding", padding, axes)
    _check_channels(function, x, weight, bias, groups)
    _check_extent(function, x, kernel, padding, dilation)
    result = primitive.convolution(x, weight, stride, padding, dilation, groups)
    if bias is not None:
        result = named("convolution", result + bias.reshape((-1,) + (1,) * axes))
    return result if batched else result.squeeze(0)


def _named_padding(
    function: str, x: Tensor, padding: str, kernel: tuple[int, ...], stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Tensor, tuple[int, ...]]:
    if padding == "valid":
        return x, (0,) * len(kernel)
    if padding != "same":
        raise errors.ArgumentRangeError(
            f"{function}: padding={padding!r}",
            why="padding is whole numbers, 'valid' (none) or 'same' (the output's size is the "
            "input's)",
        )
    if any(s != 1 for s in stride):
        raise errors.ArgumentRangeError(
            f"{function}: padding='same' with stride={stride}",
            why="padding='same' is not supported for strided convolutions",
            fix=f"padding={tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))}",
        )
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    # An odd total puts the extra zero behind.
    extra = [amount % 2 for amount in total]
    if any(extra):
        x = pad(x, [side for more in reversed(extra) for side in (0, more)])
    return x, tuple(amount // 2 for amount in total)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Tensor:
    """Transposed convolution of signals; see `conv_transpose2d`.

    Shape: (N, C, L), (C, O / groups, k) -> (N, O, L'), or without N.
    """
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
        dilation,
    )


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Tensor:
    """Spread each input pixel over a window, weighted: the gradient of `conv2d` for its input.

    Args:
        input: images.
        weight: kernels; its axis 0 is the input's channels.
        bias: one number for each output channel.
        stride: steps between the windows of neighbouring pixels.
        padding: rows and columns cut off on both sides of the result.
        output_padding: rows and columns added behind; smaller than stride or dilation.
        groups: independent parts into which the channels are cut.
        dilation: distance between the kernel's elements.

    Shape: (N, C, H, W), (C, O / groups, kh, kw) -> (N, O, H', W'), or without N;
    H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1.

    Raises:
        ShapeError: when axes or channels do not fit.
        DTypeError: when the operands differ in dtype.
    """
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
        dilation,
    )


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1,
) -> Tensor:
    """Transposed convolution of volumes; see `conv_transpose2d`.

    Shape: (N, C, D, H, W), (C, O / groups, kd, kh, kw) -> (N, O, D', H', W'), or without N.
    """
    return _conv_transpose(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups,
        dilation,
    )


def _conv_transpose(
    function: str, axes: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sizes,
    padding: Sizes, output_padding: Sizes, groups: int, dilation: Sizes,
) -> Tensor:
    stride, dilation = _settings(function, axes, stride, dilation, groups)
    padding = sizes(function, "padding", padding, axes)
    extra = sizes(function, "output_padding", output_padding, axes)
    _check_operands(function, axes, input, weight, bias)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise errors.ArgumentRangeError(
            f"{function}: output_padding={extra}, stride={stride}, dilation={dilation}",
            why="output padding must be smaller than either stride or dilation",
        )
    batched = input.dim() == axes + 2
    x = input if batched else input.unsqueeze(0)
    if x.shape[1] != weight.shape[0] or x.shape[1] % groups:
        raise errors.ShapeError(
            f"{function}: input has {x.shape[1]} channels, weight is "
            f"{errors.shape_text(weight.shape)}, groups={groups}",
            why="axis 0 of a transposed convolution's weight is the input's channels, a multiple "
            "of groups",
        )
    outputs = weight.shape[1] * groups
    _check_bias(function, bias, outputs)
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(
            x.shape[2:], stride, padding, dilation, weight.shape[2:], extra, strict=True)
    )
    if min(size) < 1:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(input.shape)}, the result would be "
            f"{errors.shape_text(size)}",
            why="padding cuts off everything", fix="a smaller padding",
        )
    result = primitive.convolution_transpose(x, weight, size, stride, padding, dilation, groups)
    if bias is not None:
        result = named("convolution", result + bias.reshape((-1,) + (1,) * axes))
    return result if batched else result.squeeze(0)


# Checks ----------------------------------------------------------------------------------------


def _settings(
    function: str, axes: int, stride: Sizes, dilation: Sizes, groups: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    stride = sizes(function, "stride", stride, axes)
    dilation = sizes(function, "dilation", dilation, axes)
    for name, values in (("stride", stride), ("dilation", dilation), ("groups", (groups,))):
        if min(values) < 1:
            raise errors.ArgumentRangeError(
                f"{function}: {name}={values if name != 'groups' else groups}",
                why=f"{name} must be 1 or more",
            )
    return stride, dilation


def _check_operands(
    function: str, axes: int, input: Tensor, weight: Tensor, bias: Tensor | None
) -> None:
    require_tensor(function, "input", input)
    require_tensor(function, "weight", weight)
    text = errors.shape_text
    if weight.dim() != axes + 2:
        raise errors.ShapeError(
            f"{function}: weight is {text(weight.shape)}",
            why=f"the weight of {function} has {axes + 2} axes: channels twice, then the kernel",
        )
    if input.dim() not in (axes + 1, axes + 2):
        fix = None
        if input.dim() == axes:
            fix = "input.unsqueeze(0) adds the channel axis, input[None, None] batch and channel"
        raise errors.ShapeError(
            f"{function}: input is {text(input.shape)}",
            why=f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input: samples, "
            f"channels, then {axes} spatial {'axis' if axes == 1 else 'axes'}",
            fix=fix,
        )
    require_same_dtype(function, input=input, weight=weight, bias=bias)


def _check_channels(
    function: str, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int
) -> None:
    text = errors.shape_text
    channels, outputs = x.shape[1], weight.shape[0]
    if channels != weight.shape[1] * groups:
        last = x.shape[-1] == weight.shape[1] * groups
        order = ", ".join(map(str, (0, x.dim() - 1, *range(1, x.dim() - 1))))
        fix = f"input.permute({order}), if channels are last" if last else (
            f"nn.Conv{x.dim() - 2}d({channels}, {outputs}, ...)" if groups == 1 else None)
        raise errors.ShapeError(
            f"{function}: input is {text(x.shape)} (axis 1: {channels} channels), weight is "
            f"{text(weight.shape)}, groups={groups}",
            why=f"Given groups={groups}, this weight takes {weight.shape[1] * groups} channels "
            f"but got {channels} channels",
            fix=fix,
        )
    if outputs % groups:
        raise errors.ShapeError(
            f"{function}: weight is {text(weight.shape)}, groups={groups}",
            why=f"groups must divide the {outputs} output channels",
        )
    _check_bias(function, bias, outputs)


def _check_bias(function: str, bias: Tensor | None, outputs: int) -> None:
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise errors.ShapeError(
            f"{function}: bias is {errors.shape_text(bias.shape)}",
            why=f"bias holds one number for each of the {outputs} output channels",
        )


def _check_extent(
    function: str, x: Tensor, kernel: tuple[int, ...], padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> None:
    if min(padding) < 0:
        raise errors.ArgumentRangeError(
            f"{function}: padding={padding}", why="negative padding is not supported",
            fix="input[..., 1:-1], to cut the input",
        )
    padded = tuple(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    if any(r > n for r, n in zip(reach, padded, strict=True)):
        raise errors.ShapeError(
            f"{function}: the padded input is {errors.shape_text(padded)}, the kernel is "
            f"{errors.shape_text(reach)}" + (" with its dilation" if reach != kernel else ""),
            why="Kernel size can't be greater than actual input size",
            fix=f"padding={max((r - n + 1) // 2 for r, n in zip(reach, x.shape[2:], strict=True))}"
            ", a smaller kernel, or less pooling before this layer",
        )


# Patches ---------------------------------------------------------------------------------------


def unfold(
    input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """Return every window of images as one column.

    Shape: (N, C, H, W) -> (N, C kh kw, L), or without N, with L windows row by row.

    Raises:
        ShapeError: when the input is not (N, C, H, W) or (C, H, W), or holds no window.
    """
    function = "unfold"
    require_tensor(function, "input", input)
    kernel = sizes(function, "kernel_size", kernel_size, 2)
    padding = sizes(function, "padding", padding, 2)
    stride, dilation = _settings(function, 2, stride, dilation, 1)
    if input.dim() not in (3, 4):
        raise errors.ShapeError(
            f"unfold: input is {errors.shape_text(input.shape)}",
            why="Expected 3D (unbatched) or 4D (batched) input: samples, channels, height, width",
        )
    x = input if input.dim() == 4 else input.unsqueeze(0)
    _check_extent(function, x, kernel, padding, dilation)
    if any(padding):
        x = pad(x, (padding[1], padding[1], padding[0], padding[0]))
    for k, d, s, dim in zip(kernel, dilation, stride, (2, 3), strict=True):
        x = x.unfold(dim, d * (k - 1) + 1, s)
        if d > 1:
            x = x[..., ::d]
    n, channels, rows, columns = x.shape[:4]
    windows = x.permute(0, 1, 4, 5, 2, 3).reshape(
        (n, channels * math.prod(kernel), rows * columns))
    return windows if input.dim() == 4 else windows.squeeze(0)


def fold(
    input: Tensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1,
    padding: Sizes = 0, stride: Sizes = 1,
) -> Tensor:
    """Add columns back into images where `unfold` would have taken them.

    Shape: (N, C kh kw, L) -> (N, C, H, W), or without N.

    Raises:
        ShapeError: when columns or their number do not fit `output_size`.
    """
    function = "fold"
    require_tensor(function, "input", input)
    size = sizes(function, "output_size", output_size, 2)
    kernel = sizes(function, "kernel_size", kernel_size, 2)
    padding = sizes(function, "padding", padding, 2)
    stride, dilation = _settings(function, 2, stride, dilation, 1)
    _check_fold(input, size, kernel, dilation, padding, stride)
    x = input if input.dim() == 3 else input.unsqueeze(0)
    area = math.prod(size)
    # Which pixel each element of a column goes to; the padding goes to one pixel past the end.
    pixels = creation.arange(area).reshape((1, 1, *size))
    sides = (padding[1], padding[1], padding[0], padding[0])
    target = unfold(pad(pixels, sides, value=area), kernel, dilation, 0, stride).reshape((-1,))
    channels = x.shape[1] // math.prod(kernel)
    columns = x.reshape((x.shape[0], channels, target.shape[0]))
    image = columns.new_zeros((x.shape[0], channels, area + 1)).index_add(2, target, columns)
    image = image[:, :, :area].reshape((x.shape[0], channels, *size))
    return image if input.dim() == 3 else image.squeeze(0)


def _check_fold(
    input: Tensor, size: tuple[int, ...], kernel: tuple[int, ...], dilation: tuple[int, ...],
    padding: tuple[int, ...], stride: tuple[int, ...],
) -> None:
    text = errors.shape_text
    if input.dim() not in (2, 3) or input.shape[-2] % math.prod(kernel):
        raise errors.ShapeError(
            f"fold: input is {text(input.shape)}, kernel_size={kernel}",
            why="Expected (samples, channels * kernel height * kernel width, windows)",
        )
    counts = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)
    )
    if min(counts) < 1 or math.prod(counts) != input.shape[-1]:
        raise errors.ShapeError(
            f"fold: input is {text(input.shape)}, output_size={size}, kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, stride={stride}",
            why=f"these settings give {text(counts)} windows but the input has "
            f"{input.shape[-1]} columns",
        )


record_module(globals())
