"""Products with the Jacobian: from the left `vjp`, from the right `jvp` and `linearize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import autograd
from ..base import TensorBase
from ..errors import ArgumentTypeError, ShapeError, StateError, shape_text
from .gradients import differentiated, own, with_aux
from .levels import fresh, has_gradients, lower, unfollowed
from .trees import leaves, rebuild


def _outputs(name: str, output: Any) -> list:
    found = leaves(output)
    for x in found:
        if not isinstance(x, TensorBase):
            raise StateError(
                f"{name}: Expected f(*args) to return only tensors (or nested containers of "
                f"tensors), got unsupported type {type(x)}")
    return found


def _slopes(outputs: list, inputs: list, directions: list) -> list:
    """The gradients of outputs in directions; zeros where an input has no part in them."""
    pairs = [(out, g) for out, g in zip(outputs, directions, strict=True) if out._tracked]
    if not pairs:
        return [x.new_zeros(x.shape) for x in inputs]
    tracked = [x for x in inputs if x._tracked]
    found = iter(autograd.grad(
        [out for out, _ in pairs], tracked, [g for _, g in pairs], create_graph=True,
        allow_unused=True, materialize_grads=True) if tracked else ())
    return [next(found) if x._tracked else x.new_zeros(x.shape) for x in inputs]


def _check_alike(name: str, given: list, wanted: list, what: str) -> None:
    if len(given) != len(wanted):
        raise StateError(f"{name}: Expected {what} to have the same structure: "
                         f"{len(wanted)} tensors, got {len(given)}")
    for x, like in zip(given, wanted, strict=True):
        if not isinstance(x, TensorBase):
            raise ArgumentTypeError(f"{name}: {what} must be Tensors, got {type(x)}")
        if tuple(x._shape) != tuple(like._shape):
            raise ShapeError(f"{name}: {what}: got shape {shape_text(x._shape)} where "
                             f"{shape_text(like._shape)} is expected")


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """Return `func(*primals)`, and a function that takes vectors to vector-Jacobian products.

    Formula: vjp_fn(v) = v^T J

    Args:
        func: a function of tensors.
        primals: where it is differentiated.
        has_aux: whether func returns (output, aux); aux is handed on.

    Returns:
        (output, vjp_fn), or (output, vjp_fn, aux). vjp_fn takes vectors like the output, and
        returns a tuple like primals (without the tuple for one primal).

    Example:
        >>> import lampion as torch
        >>> out, back = torch.func.vjp(torch.sin, torch.zeros(2))
        >>> back(torch.ones(2))
        (tensor([1., 1.]),)
    """
    name = "vjp(f, *primals)"
    with unfollowed():
        with unfollowed(grad=True):
            wanted, tensors = differentiated(primals, name)
            mine = own(tensors)
            output, aux = with_aux(name, func(*wanted), has_aux)
            outputs = _outputs(name, output)
        result = lower(output, mine)

    def back(*cotangents: Any) -> Any:
        given = leaves(cotangents)
        _check_alike("vjp_fn(*cotangents)", given, outputs, "cotangents")
        with unfollowed():
            with unfollowed(grad=True):
                slopes = _slopes(outputs, tensors, given)
            return lower(rebuild(wanted, slopes), mine)

    return (result, back, lower(aux, mine)) if has_aux else (result, back)


def _forward(name: str, func: Callable, primals: tuple, has_aux: bool) -> tuple:
    """Run a function so that its Jacobian can be applied from the right.

    The product v^T J is linear in v, and its own derivative by v in direction t is J t: reverse
    mode, twice. What the first pass computes of v is never needed, so nothing of it is computed.
    """
    wanted, tensors = differentiated(primals, name)
    output, aux = with_aux(name, func(*wanted), has_aux)
    outputs = _outputs(name, output)
    dummies = [fresh(x.new_zeros(x.shape)) if has_gradients(x) else x for x in outputs]
    backs = _slopes(outputs, tensors, dummies)
    return output, aux, tensors, dummies, backs


def _pushed(outputs: list, dummies: list, backs: list, tangents: list) -> list:
    floating = [d for d in dummies if d._tracked]
    found = iter(_slopes(backs, floating, tangents))
    return [next(found) if d._tracked else x.new_zeros(x.shape)
            for d, x in zip(dummies, outputs, strict=True)]


def jvp(func: Callable, primals: Any, tangents: Any, *, strict: bool = False,
        has_aux: bool = False) -> tuple:
    """Return `func(*primals)` and the Jacobian-vector product J t.

    Args:
        func: a function of tensors.
        primals: a tuple of tensors, where it is differentiated.
        tangents: the direction, like primals.
        strict: accepted; a result that does not depend on the primals has the product 0.
        has_aux: whether func returns (output, aux); aux is handed on.

    Returns:
        (output, product), or (output, product, aux).

    Raises:
        StateError, ShapeError: tangents that are not like the primals.

    Example:
        >>> import lampion as torch
        >>> torch.func.jvp(torch.sin, (torch.zeros(2),), (torch.ones(2),))
        (tensor([0., 0.]), tensor([1., 1.]))
    """
    name = "jvp(f, primals, tangents)"
    for what, x in (("primals", primals), ("tangents", tangents)):
        if not isinstance(x, tuple):
            raise StateError(f"{name}: Expected {what} to be a tuple. E.g. it should be valid to "
                             f"call f(*primals). Got {type(x)}", fix=f"({what},)")
    given = leaves(tangents)
    _check_alike(name, given, leaves(primals), "tangents")
    with unfollowed():
        with unfollowed(grad=True):
            output, aux, tensors, dummies, backs = _forward(name, func, primals, has_aux)
            product = _pushed(leaves(output), dummies, backs, given)
        mine = own(tensors) | own(dummies)
        results = (lower(output, mine), lower(rebuild(output, product), mine))
        return (*results, lower(aux, mine)) if has_aux else results


def linearize(func: Callable, *primals: Any) -> tuple:
    """Return `func(*primals)`, and a function that takes tangents to Jacobian-vector products.

    As `jvp`, for several directions at one place: func runs once.

    Example:
        >>> import lampion as torch
        >>> out, push = torch.func.linearize(torch.sin, torch.zeros(2))
        >>> push(torch.ones(2))
        tensor([1., 1.])
    """
    return linearized("linearize(f, *primals)", func, primals, False)[:2]


def linearized(name: str, func: Callable, primals: tuple, has_aux: bool) -> tuple:
    """Do what `linearize` does; return aux as a third result."""
    with unfollowed():
        with unfollowed(grad=True):
            output, aux, tensors, dummies, backs = _forward(name, func, primals, has_aux)
        mine = own(tensors) | own(dummies)
        result, aux = lower(output, mine), lower(aux, mine)

    def push(*tangents: Any) -> Any:
        given = leaves(tangents)
        _check_alike("jvp_fn(*tangents)", given, tensors, "tangents")
        with unfollowed():
            with unfollowed(grad=True):
                product = _pushed(leaves(output), dummies, backs, given)
            return lower(rebuild(output, product), mine)

    return result, push, aux
