"""Normalisation of each sample for itself."""

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


class _Affine(Module):
    """A normalisation with an optional scale and shift."""

    def _register_affine(
        self, shape: int | tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any
    ) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            self.register_parameter(
                name, empty_parameter(shape, device, dtype) if wanted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the scale to 1 and the shift to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Affine):
    """Normalise over the last axes: (x - mean) / sqrt(variance + eps) * weight + bias.

    Shape:
        (*, *normalized_shape) -> the same

    Args:
        normalized_shape: sizes of the last axes, or the size of the last one.
        eps: added to the variance.
        elementwise_affine: learn a scale and a shift of that shape.
        bias: False learns a scale only.
        device, dtype: of the parameters.

    Source: Ba, Kiros, Hinton, "Layer normalization" (2016).

    Example:
        >>> import lampion as torch
        >>> torch.nn.LayerNorm(2)(torch.tensor([[0.0, 2.0]])).detach()
        tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5,
        elementwise_affine: bool = True, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = repeated(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._register_affine(
            self.normalized_shape, elementwise_affine, elementwise_affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}")


class GroupNorm(_Affine):
    """Normalise over groups of channels and all axes after them, then scale and shift channels.

    Shape:
        (N, num_channels, *) -> the same

    Args:
        num_groups: number of groups; must divide the number of channels.
        num_channels: number of channels.
        eps: added to the variance.
        affine: learn a scale and a shift per channel.
        device, dtype: of the parameters.
        bias: False learns a scale only.

    Example:
        >>> import lampion as torch
        >>> torch.nn.GroupNorm(2, 4)(torch.ones(1, 4, 3)).shape
        torch.Size([1, 4, 3])

    Source: Wu, He, "Group normalization" (2018).
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
        device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise errors.ArgumentError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})",
                why="every group has the same number of channels",
                fix=f"num_groups={math.gcd(num_channels, num_groups)}")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._register_affine(num_channels, affine, affine and bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(Module):
    """Divide by the root mean square over the last axes: x / sqrt(mean(x^2) + eps) * weight.

    Shape:
        (*, *normalized_shape) -> the same

    Args:
        normalized_shape: sizes of the last axes, or the size of the last one.
        eps: added to the mean square; the element type's epsilon when not given.
        elementwise_affine: learn a scale of that shape.
        device, dtype: of the parameters.

    Source: Zhang, Sennrich, "Root mean square layer normalization" (2019), equation 4.
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None,
        elementwise_affine: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = repeated(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter(
            "weight",
            empty_parameter(self.normalized_shape, device, dtype) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the scale to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, "
                f"elementwise_affine={self.elementwise_affine}")


class LocalResponseNorm(Module):
    """Divide by (k + alpha / size * sum of squares over `size` neighbouring channels)^beta.

    Shape:
        (N, C, *) -> the same

    Args:
        size: number of channels in the sum.
        alpha, beta, k: see the formula.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification" (2012), section 3.3.
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
