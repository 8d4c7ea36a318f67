"""Padding layers: put elements at both ends of the last one, two or three axes.

`padding` is one number for all sides, or (left, right, top, bottom, front, back) as far as there
are axes; negative numbers cut off.
"""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn.common import repeated
from lampion.nn.module import Module
from lampion.tensor import Tensor


class _Pad(Module):
    """What all padding layers share.

    Args:
        padding: elements to put, see the top of this file.
    """

    axes: int
    mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = repeated(padding, 2 * self.axes)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class ReflectionPad1d(_Pad):
    """Mirror the input at its ends, along one axis."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Mirror the input at its ends, along two axes.

    Example:
        >>> import lampion as torch
        >>> torch.nn.ReflectionPad2d(1)(torch.arange(4.).reshape(1, 2, 2)).shape
        torch.Size([1, 4, 4])
    """

    axes, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Mirror the input at its ends, along three axes."""

    axes, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Repeat the elements at the ends, along one axis."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Repeat the elements at the ends, along two axes."""

    axes, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Repeat the elements at the ends, along three axes."""

    axes, mode = 3, "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        allowed = (self.axes + 1, self.axes + 2)
        if input.dim() not in allowed:
            raise errors.ArgumentError(
                f"expected {allowed[0]}D or {allowed[1]}D input (got {input.dim()}D input)",
                fix="an input with a channel axis, and at most one batch axis before it")
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Continue at one end with the elements of the other, along one axis."""

    axes = 1


class CircularPad2d(_CircularPad):
    """Continue at one end with the elements of the other, along two axes."""

    axes = 2


class CircularPad3d(_CircularPad):
    """Continue at one end with the elements of the other, along three axes."""

    axes = 3


class _ConstantPad(_Pad):
    """Put a constant.

    Args:
        padding: elements to put, see the top of this file.
        value: the constant.
    """

    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Put a constant, along one axis."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Put a constant, along two axes."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Put a constant, along three axes."""

    axes = 3


class ZeroPad1d(ConstantPad1d):
    """Put zeros, along one axis."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad2d(ConstantPad2d):
    """Put zeros, along two axes.

    Example:
        >>> import lampion as torch
        >>> torch.nn.ZeroPad2d((1, 0, 0, 0))(torch.ones(1, 2, 2))
        tensor([[[0., 1., 1.],
                 [0., 1., 1.]]])
    """

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class ZeroPad3d(ConstantPad3d):
    """Put zeros, along three axes."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)
