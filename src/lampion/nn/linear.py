"""Layers that multiply by a matrix of weights."""

from __future__ import annotations

import math
from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.common import empty_parameter
from lampion.nn.module import Module
from lampion.tensor import Tensor


class Identity(Module):
    """Hand the input on.

    Args:
        args, kwargs: taken and not used, so that it can stand for any layer.

    Shape:
        (*) -> (*)

    Example:
        >>> import lampion as torch
        >>> torch.nn.Identity()(torch.tensor([1., 2.]))
        tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """Apply y = x A^T + b.

    Shape:
        (*, in_features) -> (*, out_features)

    Args:
        in_features: size of the last axis of the input.
        out_features: size of the last axis of the output.
        bias: False leaves b out.
        device, dtype: of the parameters.

    Weight and bias start evenly distributed in [-k, k] with k = 1 / sqrt(in_features).

    Example:
        >>> import lampion as torch
        >>> torch.nn.Linear(20, 30)(torch.zeros(128, 20)).shape
        torch.Size([128, 30])
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = empty_parameter((out_features, in_features), device, dtype)
        self.register_parameter(
            "bias", empty_parameter(out_features, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new first values."""
        # With a = sqrt(5) the bound of the weight is 1 / sqrt(in_features) too.
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in_features={self.in_features}, out_features={self.out_features}, "
                f"bias={self.bias is not None}")


class NonDynamicallyQuantizableLinear(Linear):
    """PyTorch's name for the `Linear` that ends attention."""


class Bilinear(Module):
    """Apply y = x1^T A x2 + b.

    Shape:
        (*, in1_features), (*, in2_features) -> (*, out_features)

    Args:
        in1_features, in2_features: sizes of the last axes of the two inputs.
        out_features: size of the last axis of the output.
        bias: False leaves b out.
        device, dtype: of the parameters.
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise errors.ArgumentError(
                f"in1_features must be > 0, but got {in1_features}",
                why="the first values are drawn from [-k, k] with k = 1 / sqrt(in1_features)",
                fix="in1_features=1 or more")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = empty_parameter((out_features, in1_features, in2_features), device, dtype)
        self.register_parameter(
            "bias", empty_parameter(out_features, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new first values."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")
