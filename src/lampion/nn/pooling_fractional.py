"""Fractional pooling layers: windows at random places, for a result of any size."""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn.module import Module
from lampion.tensor import Tensor


class _FractionalMaxPool(Module):
    """The largest element of windows at random places.

    Shape:
        (N, C, *) or (C, *) -> the same with the spatial sizes asked for

    Args:
        kernel_size: size of the window, one number or one per axis.
        output_size: the result's size, one number or one per axis.
        output_ratio: the result's size as a share of the input's, between 0 and 1; give this or
            output_size.
        return_indices: return (output, places of the largest elements).

    Raises:
        ArgumentError: neither or both sizes are given, or a ratio outside (0, 1).

    Source: Graham 2014, https://arxiv.org/abs/1412.6071
    """

    axes: int

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise errors.ArgumentError(
                f"{name} requires specifying either an output size, or a pooling ratio",
                why="neither is given" if output_size is None else
                "only one of output_size and output_ratio may be specified",
                fix=f"{name}(kernel_size, output_ratio=0.5)")
        self.kernel_size = self._each(kernel_size)
        self.output_size = None if output_size is None else self._each(output_size)
        self.output_ratio = None if output_ratio is None else self._each(output_ratio)
        for ratio in self.output_ratio or ():
            if not 0 < ratio < 1:
                raise errors.ArgumentError(
                    f"output_ratio must be between 0 and 1 (got {output_ratio})")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def _each(self, given: Any) -> tuple:
        return tuple(given) if isinstance(given, (tuple, list)) else (given,) * self.axes

    def forward(self, input: Tensor) -> Any:
        function = F.fractional_max_pool2d if self.axes == 2 else F.fractional_max_pool3d
        return function(input, self.kernel_size, self.output_size, self.output_ratio,
                        self.return_indices, _random_samples=self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest element of windows of images at random places; see `fractional_max_pool2d`.

    Example:
        >>> import lampion as torch
        >>> torch.nn.FractionalMaxPool2d(2, output_ratio=0.5)(torch.ones(1, 3, 8, 8)).shape
        torch.Size([1, 3, 4, 4])
    """

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest element of windows of volumes at random places; see `fractional_max_pool3d`.

    Example:
        >>> import lampion as torch
        >>> torch.nn.FractionalMaxPool3d(2, output_size=2)(torch.ones(1, 3, 6, 6, 6)).shape
        torch.Size([1, 3, 2, 2, 2])
    """

    axes = 3
