"""`grad` and `grad_and_value`: the gradient of a function, as a function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import autograd
from ..base import TensorBase
from ..errors import ArgumentTypeError, StateError
from .levels import fresh, lower, unfollowed
from .trees import convert, leaves, rebuild

Argnums = int | tuple[int, ...]


def chosen(args: tuple, argnums: Argnums) -> Any:
    """Return the arguments to differentiate by: one, or a tuple of them.

    Raises:
        StateError: a number without an argument.
    """
    if isinstance(argnums, bool) or not isinstance(argnums, (int, tuple)):
        raise ArgumentTypeError(f"argnum must be int or Tuple[int, ...], got: {type(argnums)}")
    if isinstance(argnums, tuple):
        if not argnums:
            raise StateError("argnums must be non-empty")
        return tuple(chosen(args, k) for k in argnums)
    if not -len(args) <= argnums < len(args):
        raise StateError(f"Got argnum={argnums}, but only {len(args)} positional inputs",
                         fix=f"argnums from 0 to {len(args) - 1}")
    return args[argnums]


def replaced(args: tuple, argnums: Argnums, new: Any) -> tuple:
    """Return the arguments with the chosen ones replaced."""
    given = list(args)
    if isinstance(argnums, tuple):
        for k, x in zip(argnums, new, strict=True):
            given[k] = x
    else:
        given[argnums] = new
    return tuple(given)


def differentiated(tree: Any, name: str) -> tuple[Any, list]:
    """Return a copy of a tree of tensors to differentiate by, and the tensors in it.

    Raises:
        ArgumentTypeError: something else than a tensor.
    """
    def one(x: Any) -> Any:
        if not isinstance(x, TensorBase):
            raise ArgumentTypeError(
                f"{name}: Expected inputs to be differentiated to be Tensors, got {type(x)}",
                fix="torch.tensor(x), or other argnums")
        return fresh(x)

    made = convert(one, tree)
    return made, leaves(made)


def own(tensors: list) -> set[int]:
    """Return the orders of the values of a transformation's own tensors."""
    return {x._storage.value.order for x in tensors}


def with_aux(name: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    """Take what a function gives back apart into (output, aux).

    Raises:
        StateError: has_aux, and the result is no pair.
    """
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise StateError(
            f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return result


def grad_and_value(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """Return a function that gives the gradient of `func` and its value.

    Args:
        func, argnums, has_aux: as in `grad`.

    Returns:
        (gradient, value), or (gradient, (value, aux)).

    Example:
        >>> import lampion as torch
        >>> torch.func.grad_and_value(lambda x: x ** 2)(torch.tensor(3.0))
        (tensor(6.), tensor(9.))
    """
    name = "grad_and_value(f)(*args)"

    @functools.wraps(func)
    def differentiate(*args: Any, **kwargs: Any) -> Any:
        with unfollowed():
            with unfollowed(grad=True):
                wanted, tensors = differentiated(chosen(args, argnums), name)
                mine = own(tensors)
                output, aux = with_aux(
                    name, func(*replaced(args, argnums, wanted), **kwargs), has_aux)
                _check_scalar(name, output)
                if output._tracked:
                    slopes = autograd.grad(output, tensors, create_graph=True, allow_unused=True,
                                           materialize_grads=True)
                else:
                    slopes = tuple(x.new_zeros(x.shape) for x in tensors)
            gradient = lower(rebuild(wanted, slopes), mine)
            value = lower(output, mine)
            return gradient, ((value, lower(aux, mine)) if has_aux else value)

    return differentiate


def _check_scalar(name: str, output: Any) -> None:
    if not isinstance(output, TensorBase):
        raise StateError(f"{name}: Expected f(*args) to return a Tensor, got {type(output)}")
    if output._shape:
        raise StateError(
            f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with "
            f"{len(output._shape)} dims. Maybe you wanted to use the vjp or jacrev APIs instead?",
            fix="f(x).sum(), or torch.func.jacrev(f)")


def grad(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """Return a function that gives the gradient of `func`.

    Args:
        func: a function that returns one number as a tensor, or (number, aux).
        argnums: which argument is differentiated by (default: the first); a tuple for several.
            An argument may be a nested container, such as a dictionary of parameters.
        has_aux: whether func returns something besides, which is handed on.

    Returns:
        The gradient, like the argument; (gradient, aux) with has_aux.

    Raises:
        StateError: func does not return one number.

    Example:
        >>> import lampion as torch
        >>> from lampion.func import grad, vmap
        >>> grad(torch.sin)(torch.tensor(0.0))
        tensor(1.)
        >>> vmap(grad(grad(torch.sin)))(torch.ones(2))
        tensor([-0.8415, -0.8415])
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def differentiate(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return differentiate
