"""Tensors that a module owns: `Parameter` (trained) and `Buffer` (kept, not trained)."""

from __future__ import annotations

from typing import Any

from lampion import errors
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
        if not isinstance(data, Tensor):
            raise errors.MissingAttributeError(
                f"Parameter(): a {type(data).__name__} is not a Tensor",
                why="a parameter shares the memory of a tensor",
                fix="nn.Parameter(torch.tensor(...))")
        return data.detach().as_subclass(cls).requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        text = self.as_subclass(Tensor).__repr__(tensor_contents=tensor_contents)
        return f"Parameter containing:\n{text}"


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

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return self.as_subclass(Tensor).__repr__(tensor_contents=tensor_contents)


class _Uninitialized(Tensor):
    """A tensor of a lazy layer: its element type is known, its shape is not yet."""

    __slots__ = ()  # adds no memory, so that the class of an object can change
    cls_to_become: type

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give it a shape, and memory that is still to be set."""
        dtype = self.data.dtype if dtype is None else dtype
        self.data = creation.empty(tuple(shape), device=device, dtype=dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        raise errors.StateError(
            "Can't access the shape of an uninitialized parameter or buffer.",
            why="a lazy layer knows it after its first input",
            fix="call the layer once with an input before this")

    @property
    def _value(self) -> Any:
        # Every operation asks for the value: this is what refuses them all.
        raise errors.ArgumentError(
            "Attempted to use an uninitialized parameter",
            why="a lazy layer gives its parameters values at its first input",
            fix="call the layer once with an input before this")

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):  # type: ignore[misc]
    """The parameter of a lazy layer before its first input.

    Args:
        requires_grad, device, dtype: of the parameter to be.
    """

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        data = creation.empty(0, device=device, dtype=dtype)
        return data.as_subclass(cls).requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict) -> UninitializedParameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, None, self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedBuffer(_Uninitialized, Buffer):  # type: ignore[misc]
    """The buffer of a lazy layer before its first input.

    Args:
        requires_grad, device, dtype, persistent: of the buffer to be.
    """

    cls_to_become = Buffer

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        data = creation.empty(0, device=device, dtype=dtype)
        buffer = data.as_subclass(cls).requires_grad_(requires_grad)
        buffer.persistent = persistent
        return buffer

    def __deepcopy__(self, memo: dict) -> UninitializedBuffer:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, None, self.dtype, self.persistent)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.requires_grad, None, self.dtype, self.persistent)


def is_lazy(param: Any) -> bool:
    """Say whether this is a parameter or buffer without values."""
    return isinstance(param, _Uninitialized)
