"""Tensors that a module owns: `Parameter` (trained) and `Buffer` (kept, not trained)."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module registers as trained when it is assigned to an attribute.

    It shares the memory of `data`. Results of operations on it are ordinary tensors.

    Args:
        data: the values; an empty tensor when not given.
        requires_grad: whether `backward` computes its gradient (also under `no_grad`).

    Example:
        >>> import lampion as torch
        >>> torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        Parameter containing:
        tensor([1., 2.], requires_grad=True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        data = creation.empty(0) if data is None else data
        return data.detach().as_subclass(cls).requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self, **options: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(**options)

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.detach().as_subclass(Tensor), self.requires_grad)


class Buffer(Tensor):
    """A tensor that a module registers as a buffer when it is assigned to an attribute.

    Args:
        data: the values; an empty tensor when not given.
        persistent: whether it is part of the module's state dictionary.
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        data = creation.empty(0) if data is None else data
        buffer = data.detach().as_subclass(cls).requires_grad_(data.requires_grad)
        buffer.persistent = persistent
        return buffer
