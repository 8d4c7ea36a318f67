"""Questions about a tensor, and tensor methods that PyTorch also spells as functions."""

from __future__ import annotations

from typing import Any

from ..base import TensorBase, require_tensor


def numel(input: TensorBase) -> int:
    """The number of elements."""
    return require_tensor(input, "numel").numel()


def is_floating_point(input: TensorBase) -> bool:
    """Whether the elements are floating-point numbers."""
    return input._dtype.is_floating_point


def is_complex(input: TensorBase) -> bool:
    """Whether the elements are complex numbers."""
    return input._dtype.is_complex


def is_nonzero(input: TensorBase) -> bool:
    """Whether a tensor of one element is not zero (reads it)."""
    return bool(input)


def is_same_size(input: TensorBase, other: TensorBase) -> bool:
    """Whether two tensors have the same shape."""
    return tuple(input._shape) == tuple(other._shape)


def typename(x: Any) -> str:
    """The name of a tensor's type, such as torch.FloatTensor, or of an object's class."""
    if isinstance(x, TensorBase):
        return x.type()
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def detach(input: TensorBase) -> Any:
    """The same memory without the gradient path."""
    return input.detach()
