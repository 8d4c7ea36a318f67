"""Tensors on which a transformation differentiates, and results that forget them again.

The gradient of a function is that of what it does to a tensor of its own, which has the numbers
and, where it has one, the gradient path of the argument. So nested transformations cannot take one
derivative for another: each follows the paths to its own tensors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..base import TensorBase, stop, unrecorded, wrap
from ..errors import DTypeError
from ..ir import Value, mode, origin, registry
from .trees import convert


@contextlib.contextmanager
def unfollowed(grad: bool | None = None) -> Iterator[None]:
    """Inside, calls are not recorded for replay, and gradients are on or off.

    Args:
        grad: None to leave them as they are.
    """
    if mode.run is not None:
        unrecorded()
    run, before = mode.run, mode.grad
    mode.run = None
    if grad is not None:
        mode.grad = grad
    try:
        yield
    finally:
        mode.run, mode.grad = run, before


def has_gradients(tensor: Any) -> bool:
    """Whether the type of a tensor has gradients."""
    return tensor._dtype.is_floating_point or tensor._dtype.is_complex


def fresh(tensor: Any) -> Any:
    """Return a tensor with the same numbers and gradient path, to differentiate by.

    Raises:
        DTypeError: a type that has no gradients.
    """
    if not has_gradients(tensor):
        raise DTypeError(
            f"only Tensors of floating point dtype can require gradients: got "
            f"{tensor._dtype.name}", fix="x.float()")
    value = registry["copy"](tensor._value)
    value.tracked = True
    return wrap(value)


def leads_outside(values: list[Value], own: set[int]) -> bool:
    """Whether a gradient path leads from values to anything but a transformation's own tensors.

    Args:
        own: the orders of the own tensors' values.
    """
    seen: set[int] = set()
    stack = [origin(v) for v in values if v.tracked]
    while stack:
        value = stack.pop()
        if value.order in seen:
            continue
        seen.add(value.order)
        sources = [origin(v) for v in value.inputs if v.tracked]
        if not sources and value.order not in own:
            return True
        stack.extend(sources)
    return False


def lower(tree: Any, own: set[int]) -> Any:
    """Return results as they are outside: tracked only where something outside is."""

    def lowered(x: Any) -> Any:
        if not isinstance(x, TensorBase) or not x._tracked:
            return x
        value = x._value
        if mode.grad and leads_outside([value], own):
            return x
        return wrap(stop(value))

    return convert(lowered, tree)
