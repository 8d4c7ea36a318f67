"""`Variable`, the name that tensors with gradients had before PyTorch 0.4."""

from __future__ import annotations

import warnings
from typing import Any

from lampion.errors import ArgumentTypeError
from lampion.functions.creation import tensor
from lampion.tensor import Tensor


class _EveryTensor(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class Variable(metaclass=_EveryTensor):
    """Return the same elements as a leaf of the graph: every tensor is a Variable now.

    Args:
        data: a tensor; nothing for an empty one.
        requires_grad: whether gradients are wanted for it.
        volatile: has had no effect since PyTorch 0.4 (`no_grad()` took its place).

    Raises:
        ArgumentTypeError: `data` is not a tensor.

    Example:
        >>> import lampion as torch
        >>> x = torch.autograd.Variable(torch.ones(2), requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad, isinstance(torch.zeros(1), torch.autograd.Variable)
        (tensor([2., 2.]), True)
    """

    def __new__(  # type: ignore[misc]  # what it makes is a plain tensor, as in PyTorch
        cls, data: Tensor | None = None, requires_grad: bool = False, volatile: bool | None = None
    ) -> Tensor:
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        if data is None:
            data = tensor([])
        if not isinstance(data, Tensor):
            raise ArgumentTypeError(
                f"Variable data has to be a tensor, but got {type(data).__name__}",
                fix="torch.tensor(data)",
            )
        leaf = data.detach()
        return leaf.requires_grad_() if requires_grad else leaf
