"""PyTorch made wrong on purpose, one mistake at a time: the comparison must notice each.

A mistake replaces methods while the library under test runs; PyTorch's own run is done by then.
`MISTAKES` maps a name to the methods it replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

Methods = dict[str, Callable[..., Any]]


def wrong_gradient(torch: Any) -> Methods:
    """The gradient that comes to a product is doubled."""
    right = torch.Tensor.__mul__

    def mul(self: Any, other: Any) -> Any:
        result = right(self, other)
        if result.requires_grad:
            result.register_hook(lambda grad: right(grad, 2))
        return result

    return {"mul": mul}


def view_copies(torch: Any) -> Methods:
    """Transposing makes a copy, so writes do not come through."""
    right = torch.Tensor.transpose
    return {"transpose": lambda self, *dims: right(self, *dims).clone()}


def detach_copies(torch: Any) -> Methods:
    right = torch.Tensor.detach
    return {"detach": lambda self: right(self).clone()}


def clone_shares(torch: Any) -> Methods:
    return {"clone": lambda self: self.view(self.shape)}


def no_version_check(torch: Any) -> Methods:
    """In-place methods are not counted, so a stale saved value goes unnoticed."""
    def bypass(name: str) -> Callable[..., Any]:
        right = getattr(torch.Tensor, name)

        def method(self: Any, *arguments: Any) -> Any:
            if self.requires_grad:
                return right(self, *arguments)
            right(self.data, *arguments)
            return self

        return method

    return {name: bypass(name) for name in ("add_", "mul_", "zero_", "fill_")}


def sums_of_integers_stay_narrow(torch: Any) -> Methods:
    right = torch.Tensor.sum

    def sum_(self: Any, *arguments: Any, **settings: Any) -> Any:
        result = right(self, *arguments, **settings)
        narrow = self.dtype in (torch.int32, torch.uint8) and "dtype" not in settings
        return result.to(self.dtype) if narrow else result

    return {"sum": sum_}


def axes_are_forgiven(torch: Any) -> Methods:
    """An axis out of range is taken for the first one instead of refused."""
    def forgiving(name: str) -> Callable[..., Any]:
        right = getattr(torch.Tensor, name)

        def method(self: Any, *dims: Any, **settings: Any) -> Any:
            try:
                return right(self, *dims, **settings)
            except IndexError:
                return right(self, 0, *dims[1:], **settings)

        return method

    return {name: forgiving(name) for name in ("squeeze", "cumsum", "unbind", "sum", "argmax")}


def wrong_exception(torch: Any) -> Methods:
    """An index out of range raises KeyError instead of IndexError."""
    right = torch.Tensor.__getitem__

    def getitem(self: Any, index: Any) -> Any:
        try:
            return right(self, index)
        except IndexError as error:
            raise KeyError(str(error)) from error

    return {"__getitem__": getitem}


def gradients_are_replaced(torch: Any) -> Methods:
    """A second backward call replaces the gradient instead of adding to it."""
    backward = torch.Tensor.backward

    def backward_(self: Any, *arguments: Any, **settings: Any) -> None:
        for node in _leaves(self.grad_fn):
            node.grad = None
        backward(self, *arguments, **settings)

    return {"backward": backward_}


def _leaves(node: Any) -> Iterator[Any]:
    if node is None:
        return
    if hasattr(node, "variable"):
        yield node.variable
    for parent, _ in node.next_functions:
        yield from _leaves(parent)


def writes_through_slices_are_lost(torch: Any) -> Methods:
    right = torch.Tensor.__setitem__

    def setitem(self: Any, index: Any, value: Any) -> None:
        right(self.clone() if isinstance(index, slice) else self, index, value)

    return {"__setitem__": setitem}


def keepdim_is_ignored(torch: Any) -> Methods:
    right = torch.Tensor.amax
    return {"amax": lambda self, *dims, keepdim=False: right(self, *dims)}


def requires_grad_is_lost(torch: Any) -> Methods:
    right = torch.Tensor.reshape
    return {"reshape": lambda self, *shape: right(self, *shape).detach()}


MISTAKES: dict[str, Callable[[Any], Methods]] = {
    mistake.__name__: mistake for mistake in (
        wrong_gradient, view_copies, detach_copies, clone_shares, no_version_check,
        sums_of_integers_stay_narrow, axes_are_forgiven, wrong_exception, gradients_are_replaced,
        writes_through_slices_are_lost, keepdim_is_ignored, requires_grad_is_lost)
}


def mistaken(torch: Any, name: str) -> AbstractContextManager[Any]:
    """Make PyTorch wrong in one way for a while.

    Calls are intercepted: the class itself stays as it is, since Python cannot undo the setting of
    `__getitem__` on a class written in C (PyTorch would take scalars for sequences from then on).
    """
    methods = MISTAKES[name](torch)

    class Mistaken(torch.overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __torch_function__(
            self, function: Any, types: Any, arguments: Any = (), settings: Any = None,
        ) -> Any:
            replaced = methods.get(function.__name__, function)
            return replaced(*arguments, **(settings or {}))

    return Mistaken()
