"""Tensors and other values as plain data that can be compared across libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Facts:
    """What is known of a tensor without computing its values."""

    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    is_leaf: bool
    has_grad_fn: bool
    stride: tuple[int, ...]
    is_contiguous: bool
    is_view: bool


@dataclass(frozen=True)
class Seen:
    """A tensor with its values and its gradient."""

    facts: Facts
    values: Any
    grad: Any


@dataclass(frozen=True)
class Raised:
    """An exception: the builtin classes it derives from, most derived first, and its text."""

    classes: tuple[str, ...]
    name: str
    text: str


def raised(error: BaseException) -> Raised:
    """Describe an exception."""
    kinds = [kind for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    return Raised(tuple(kind.__name__ for kind in kinds), type(error).__name__, str(error)[:300])


def attempt(call: Any, *arguments: Any) -> Any:
    """Return the call's result, or the exception it raised as data."""
    try:
        return call(*arguments)
    except Exception as error:
        return raised(error)


def facts(tensor: Any) -> Facts:
    """Describe a tensor without reading its values."""
    return Facts(
        tuple(tensor.shape), str(tensor.dtype).rsplit(".", 1)[-1], tensor.requires_grad,
        tensor.is_leaf, tensor.grad_fn is not None, tuple(tensor.stride()),
        tensor.is_contiguous(), tensor._base is not None,
    )


def version(tensor: Any) -> int | None:
    """Return how many in-place writes the tensor has seen; inference tensors do not count."""
    return None if tensor.is_inference() else tensor._version


def describe(value: Any, module: Any) -> Any:
    """Return facts of a tensor, or of each item of a sequence; None for anything else."""
    if isinstance(value, module.Tensor):
        return attempt(facts, value)
    if isinstance(value, (tuple, list)):
        return [describe(item, module) for item in value]
    return None


def observe(value: Any, module: Any, deep: bool = True) -> Any:
    """Return a value as plain data: tensors as Seen, sequences as lists, numbers as they are.

    Args:
        value: a variable of a program.
        module: the library it comes from.
        deep: also look at the gradient.
    """
    if isinstance(value, module.Tensor):
        grad = attempt(lambda: value.grad) if deep else None
        return Seen(
            attempt(facts, value), attempt(value.tolist),
            grad if isinstance(grad, Raised) else observe(grad, module, deep=False),
        )
    if isinstance(value, (tuple, list)):
        return [observe(item, module, deep) for item in value]
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, module.dtype):
        return "dtype " + str(value).rsplit(".", 1)[-1]
    return type(value).__name__


def tensors_in(value: Any, module: Any) -> list[Any]:
    """Return the tensors of a variable: itself, or those of a sequence."""
    if isinstance(value, module.Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in tensors_in(item, module)]
    return []
