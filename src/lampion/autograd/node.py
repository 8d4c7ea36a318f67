"""A place in the recorded graph as `tensor.grad_fn` shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base import wrap
from ..ir import Value, origin
from ..replay.recorded import forget

# Where PyTorch's name is not the label's words with capitals.
SPELLINGS = {
    "log1p": "Log1PBackward0", "reshape": "ViewBackward0",
}


def name_of(value: Value) -> str:
    """Return the name that PyTorch would print for the operation that made a value.

    Example:
        >>> import lampion as torch
        >>> (torch.ones(2, requires_grad=True) * 2).grad_fn.name()
        'MulBackward0'
    """
    if value.leaf is not None:
        return "AccumulateGrad"
    label = value.label or (value.op.name if value.op else "leaf")
    if value.op is not None and value.op.kind == "call":
        return label
    known = SPELLINGS.get(label)
    return known or "".join(part.capitalize() for part in label.split("_")) + "Backward0"


class RemovableHandle:
    """Takes a hook away again."""

    def __init__(self, remove: Callable[[], None]):
        self._remove: Callable[[], None] | None = remove

    def remove(self) -> None:
        """Take the hook away."""
        if self._remove is not None:
            self._remove()
            self._remove = None

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *unused) -> None:
        self.remove()


class Node:
    """The operation that made a tensor: a place in the recorded graph.

    Args:
        value: the value it made.

    Example:
        >>> import lampion as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> y = x.exp() * 2
        >>> y.grad_fn, y.grad_fn.next_functions[0][0]
        (<MulBackward0>, <ExpBackward0>)
    """

    __slots__ = ("_value",)

    def __init__(self, value: Value):
        self._value = value

    def name(self) -> str:
        """The name PyTorch would print, such as MulBackward0."""
        return name_of(self._value)

    @property
    def next_functions(self) -> tuple:
        """The operations that made the inputs, each with the number of its output."""
        return tuple(
            (Node(origin(v)), 0) if v.tracked else (None, 0) for v in self._value.inputs)

    @property
    def variable(self) -> Any:
        """The leaf that collects the gradient, at the end of a path."""
        if self._value.leaf is None:
            raise AttributeError(f"'{self.name()}' object has no attribute 'variable'")
        return self._value.leaf()

    def register_prehook(self, hook: Callable) -> RemovableHandle:
        """Call `hook((grad,))` with the gradient of what the operation made, in every backward.

        What the hook returns, a tuple of one gradient, takes the gradient's place.
        """
        def on_value(g: Value) -> Value:
            answer = hook((wrap(g),))
            return g if answer is None else answer[0]._value

        forget()
        value = self._value
        value.hooks = [*(value.hooks or ()), on_value]

        def remove() -> None:
            value.hooks = [h for h in value.hooks or () if h is not on_value]

        return RemovableHandle(remove)

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and other._value is self._value

    def __hash__(self) -> int:
        return hash(self._value)
