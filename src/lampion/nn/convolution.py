"""Convolution layers: a small window of weights that slides over the input.

Sizes of the output, per axis:

    Conv           (n + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down
    ConvTranspose  (n - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1

Weight and bias start evenly distributed in [-k, k] with
k = 1 / sqrt(in_channels / groups * kernel elements).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.common import empty_parameter, repeated
from lampion.nn.module import Module
from lampion.tensor import Tensor

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share; `axes` is how many axes the window slides along."""

    axes: int
    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any,
        dilation: Any, output_padding: Any, groups: int, bias: bool, padding_mode: str,
        device: Any, dtype: Any,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = repeated(kernel_size, self.axes)
        self.stride = repeated(stride, self.axes)
        self.padding = padding if isinstance(padding, str) else repeated(padding, self.axes)
        self.dilation = repeated(dilation, self.axes)
        self.output_padding = repeated(output_padding, self.axes)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check()
        self._reversed_padding_repeated_twice = self._explicit_padding()
        self.weight = empty_parameter(self._weight_shape(), device, dtype)
        self.register_parameter(
            "bias", empty_parameter(out_channels, device, dtype) if bias else None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return first, second // self.groups, *self.kernel_size

    def _check(self) -> None:
        if self.groups <= 0:
            raise errors.ArgumentError(
                "groups must be a positive integer",
                fix="groups=1")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups != 0:
                raise errors.ArgumentError(
                    f"{name} must be divisible by groups",
                    why=f"{name} is {getattr(self, name)}, groups is {self.groups}",
                    fix=f"groups={math.gcd(self.in_channels, self.out_channels)}, "
                    "or another number of channels")
        if self.padding_mode not in PADDING_MODES:
            raise errors.ArgumentError(
                f"padding_mode must be one of {PADDING_MODES}, but got "
                f"padding_mode='{self.padding_mode}'",
                fix="padding_mode='zeros'")
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise errors.ArgumentError(
                    f"Invalid padding string {self.padding!r}, should be one of 'same', 'valid'",
                    fix="padding='same', padding='valid' or a number")
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise errors.ArgumentError(
                    "padding='same' is not supported for strided convolutions",
                    why="the output is smaller than the input when the stride is above 1",
                    fix="padding=kernel_size // 2 with this stride")

    def _explicit_padding(self) -> list[int]:
        """Return what `F.pad` takes to pad like this layer: last axis first, both sides."""
        if self.padding == "valid":
            return [0, 0] * len(self.kernel_size)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sides = [(size, size) for size in self.padding]
        return [size for pair in reversed(sides) for size in pair]

    def reset_parameters(self) -> None:
        """Draw new first values."""
        # With a = sqrt(5) the bound of the weight is 1 / sqrt(fan_in) too.
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [str(self.in_channels), str(self.out_channels),
                 f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        if self.padding != (0,) * len(self.padding):
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * len(self.dilation):
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * len(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias,
            padding_mode, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with a given weight; a layer that changes its weight first calls this."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self.axes
        return self._convolve(
            input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def _convolve(self, *arguments: Any) -> Tensor:
        raise errors.UnsupportedError(f"{self._get_name()} does not say along how many axes")


class Conv1d(_Conv):
    """Slide windows of weights along one axis.

    Shape:
        (N, in_channels, L) -> (N, out_channels, L_out); N may be left out

    Args:
        in_channels, out_channels: number of channels before and after.
        kernel_size: length of the window.
        stride: step of the window.
        padding: zeros put at both ends; "valid" for none, "same" to keep the length.
        dilation: distance between the window's elements.
        groups: channels are split into so many groups that do not see each other.
        bias: False leaves it out.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device, dtype: of the parameters.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Conv1d(16, 33, 3, stride=2)(torch.zeros(20, 16, 50)).shape
        torch.Size([20, 33, 24])
    """

    axes = 1

    def _convolve(self, *arguments: Any) -> Tensor:
        return F.conv1d(*arguments)


class Conv2d(_Conv):
    """Slide windows of weights along two axes.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H_out, W_out); N may be left out

    Arguments are those of `Conv1d`; a size may be one number or one per axis.

    Example:
        >>> import lampion as torch
        >>> torch.nn.Conv2d(3, 8, 5, padding="same")(torch.zeros(2, 3, 9, 7)).shape
        torch.Size([2, 8, 9, 7])
    """

    axes = 2

    def _convolve(self, *arguments: Any) -> Tensor:
        return F.conv2d(*arguments)


class Conv3d(_Conv):
    """Slide windows of weights along three axes.

    Shape:
        (N, in_channels, D, H, W) -> (N, out_channels, D_out, H_out, W_out); N may be left out

    Arguments are those of `Conv1d`; a size may be one number or one per axis.
    """

    axes = 3

    def _convolve(self, *arguments: Any) -> Tensor:
        return F.conv3d(*arguments)


class _ConvTranspose(_ConvNd):
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise errors.ArgumentError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}',
                fix="F.pad on the result, or padding_mode='zeros'")
        if isinstance(padding, str):
            raise errors.ArgumentTypeError(
                f"{type(self).__name__} takes padding as numbers, got {padding!r}",
                fix="padding=1")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding,
            groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Convolve; `output_size` chooses among the sizes that the stride makes possible."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(input, list(output_size))
        return self._convolve(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
            self.dilation)

    def _output_padding(self, input: Tensor, output_size: list[int]) -> tuple[int, ...]:
        leading = input.dim() - self.axes
        if len(output_size) == leading + self.axes:
            output_size = output_size[leading:]
        if len(output_size) != self.axes:
            raise errors.ArgumentError(
                f"{self._get_name()}: for {input.dim()}D input, output_size must have {self.axes} "
                f"or {leading + self.axes} elements (got {len(output_size)})")
        smallest = [
            (size - 1) * step - 2 * pad + dilation * (kernel - 1) + 1
            for size, step, pad, dilation, kernel in zip(
                input.shape[leading:], self.stride, self.padding, self.dilation,
                self.kernel_size, strict=True)]
        largest = [low + step - 1 for low, step in zip(smallest, self.stride, strict=True)]
        for low, size, high in zip(smallest, output_size, largest, strict=True):
            if not low <= size <= high:
                raise errors.ArgumentError(
                    f"requested an output size of {output_size}, but valid sizes range from "
                    f"{smallest} to {largest} (for an input of {tuple(input.shape[leading:])})")
        return tuple(size - low for size, low in zip(output_size, smallest, strict=True))

    def _convolve(self, *arguments: Any) -> Tensor:
        raise errors.UnsupportedError(f"{self._get_name()} does not say along how many axes")


class ConvTranspose1d(_ConvTranspose):
    """Do what the gradient of `Conv1d` does: spread every input element over a window.

    Shape:
        (N, in_channels, L) -> (N, out_channels, L_out); N may be left out

    Args:
        in_channels, out_channels: number of channels before and after.
        kernel_size: length of the window.
        stride: step of the window in the output.
        padding: so much is cut off at both ends of the output.
        output_padding: so much is added at one end of the output.
        groups: channels are split into so many groups that do not see each other.
        bias: False leaves it out.
        dilation: distance between the window's elements.
        padding_mode: "zeros".
        device, dtype: of the parameters.

    Example:
        >>> import lampion as torch
        >>> torch.nn.ConvTranspose1d(16, 8, 4, stride=2)(torch.zeros(1, 16, 10)).shape
        torch.Size([1, 8, 22])
    """

    axes = 1

    def _convolve(self, *arguments: Any) -> Tensor:
        return F.conv_transpose1d(*arguments)


class ConvTranspose2d(_ConvTranspose):
    """Do what the gradient of `Conv2d` does: spread every input element over a window.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H_out, W_out); N may be left out

    Arguments are those of `ConvTranspose1d`; a size may be one number or one per axis.

    Example:
        >>> import lampion as torch
        >>> torch.nn.ConvTranspose2d(3, 5, 2, stride=2)(torch.ones(1, 3, 4, 4)).shape
        torch.Size([1, 5, 8, 8])
    """

    axes = 2

    def _convolve(self, *arguments: Any) -> Tensor:
        return F.conv_transpose2d(*arguments)


class ConvTranspose3d(_ConvTranspose):
    """Do what the gradient of `Conv3d` does: spread every input element over a window.

    Shape:
        (N, in_channels, D, H, W) -> (N, out_channels, D_out, H_out, W_out); N may be left out

    Arguments are those of `ConvTranspose1d`; a size may be one number or one per axis.
    """

    axes = 3

    def _convolve(self, *arguments: Any) -> Tensor:
        return F.conv_transpose3d(*arguments)
