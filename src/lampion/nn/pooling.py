"""Pooling layers: one number for every window of the input.

Size of the output, per axis: (n + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded
down, or up with `ceil_mode`. A size may be one number or one per axis.
"""

from __future__ import annotations

from typing import Any

from lampion.nn import functional as F
from lampion.nn.common import repeated
from lampion.nn.module import Module
from lampion.tensor import Tensor


class _MaxPool(Module):
    """The largest element of every window.

    Args:
        kernel_size: size of the window.
        stride: its step; `kernel_size` when not given.
        padding: minus infinity put at both ends, at most half of `kernel_size`.
        dilation: distance between the window's elements.
        return_indices: return (output, places of the largest elements).
        ceil_mode: round the output size up.
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")

    def _settings(self) -> dict[str, Any]:
        return {"kernel_size": self.kernel_size, "stride": self.stride, "padding": self.padding,
                "dilation": self.dilation, "ceil_mode": self.ceil_mode,
                "return_indices": self.return_indices}


class MaxPool1d(_MaxPool):
    __doc__ = _MaxPool.__doc__

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(input, **self._settings())


class MaxPool2d(_MaxPool):
    __doc__ = _MaxPool.__doc__

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(input, **self._settings())


class MaxPool3d(_MaxPool):
    __doc__ = _MaxPool.__doc__

    def forward(self, input: Tensor) -> Any:
        return F.max_pool3d(input, **self._settings())


class _MaxUnpool(Module):
    """Put the results of a max pooling back to their places, zeros elsewhere.

    Args:
        kernel_size, stride, padding: those of the pooling.
    """

    axes: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self.axes)
        self.stride = repeated(stride if stride is not None else kernel_size, self.axes)
        self.padding = repeated(padding, self.axes)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    __doc__ = _MaxUnpool.__doc__
    axes = 1

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool1d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpool):
    __doc__ = _MaxUnpool.__doc__
    axes = 2

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool2d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpool):
    __doc__ = _MaxUnpool.__doc__
    axes = 3

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool3d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _AvgPool(Module):
    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of every window.

    Shape:
        (N, C, L) -> (N, C, L_out)

    Args:
        kernel_size: size of the window.
        stride: its step; `kernel_size` when not given.
        padding: zeros put at both ends, at most half of `kernel_size`.
        ceil_mode: round the output size up.
        count_include_pad: padding counts as elements of the mean.

    Example:
        >>> import lampion as torch
        >>> torch.nn.AvgPool1d(2)(torch.tensor([[[1., 3.]]]))
        tensor([[[2.]]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, 1)
        self.stride = repeated(stride if stride is not None else kernel_size, 1)
        self.padding = repeated(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad)


class _AvgPoolWithDivisor(_AvgPool):
    """The mean of every window.

    Args:
        kernel_size: size of the window.
        stride: its step; `kernel_size` when not given.
        padding: zeros put at both ends, at most half of `kernel_size`.
        ceil_mode: round the output size up.
        count_include_pad: padding counts as elements of the mean.
        divisor_override: divide the sum by this instead of the number of elements.
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override


class AvgPool2d(_AvgPoolWithDivisor):
    __doc__ = _AvgPoolWithDivisor.__doc__

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad, self.divisor_override)


class AvgPool3d(_AvgPoolWithDivisor):
    __doc__ = _AvgPoolWithDivisor.__doc__

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad, self.divisor_override)


class _LPPool(Module):
    """The p-norm of every window: (sum x^p)^(1/p).

    Args:
        norm_type: p; 1 is the sum, infinity the largest element.
        kernel_size: size of the window.
        stride: its step; `kernel_size` when not given.
        ceil_mode: round the output size up.
    """

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, ceil_mode={self.ceil_mode}")


class LPPool1d(_LPPool):
    __doc__ = _LPPool.__doc__

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPool):
    __doc__ = _LPPool.__doc__

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool3d(_LPPool):
    __doc__ = _LPPool.__doc__

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class _AdaptivePool(Module):
    """Windows chosen so that the output has a given size.

    Args:
        output_size: one number or one per axis; None keeps the size of that axis.
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(_AdaptivePool):
    """The largest element of windows chosen so that the output has a given size.

    Args:
        output_size: one number or one per axis; None keeps the size of that axis.
        return_indices: return (output, places of the largest elements).
    """

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    __doc__ = _AdaptiveMaxPool.__doc__

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    __doc__ = _AdaptiveMaxPool.__doc__

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    __doc__ = _AdaptiveMaxPool.__doc__

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The mean of windows along one axis, chosen so that the output has a given size.

    Shape:
        (N, C, L) -> (N, C, output_size)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptivePool):
    """The mean of windows along two axes, chosen so that the output has a given size.

    Shape:
        (N, C, H, W) -> (N, C, *output_size)

    Example:
        >>> import lampion as torch
        >>> torch.nn.AdaptiveAvgPool2d(1)(torch.ones(2, 3, 7, 5)).shape
        torch.Size([2, 3, 1, 1])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptivePool):
    """The mean of windows along three axes, chosen so that the output has a given size.

    Shape:
        (N, C, D, H, W) -> (N, C, *output_size)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)
