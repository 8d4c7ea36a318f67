"""`jacrev`, `jacfwd`, `hessian`: whole Jacobians, row by row or column by column, all at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import ir
from ..base import wrap
from ..errors import ArgumentError
from ..functions import shape
from .gradients import Argnums, chosen, replaced
from .products import linearized, vjp
from .trees import leaves, rebuild
from .vmap import vmap


def _basis(tensors: list) -> list:
    """One-hot directions for a list of tensors: each (N, *shape), N elements over all tensors."""
    sizes = [math.prod(x._shape) for x in tensors]
    found, first = [], 0
    for x, size in zip(tensors, sizes, strict=True):
        before, after = first, sum(sizes) - first - size
        one = ir.registry["diagonal_matrix"](ir.full((size,), 1, x._dtype))
        padded = ir.registry["pad"](one, low=(before, 0), high=(after, 0))
        found.append(wrap(ir.registry["reshape"](padded, shape=(sum(sizes), *x._shape))))
        first += size
    return found


def _pieces(rows: Any, tensors: list) -> list:
    """Cut axis 0 of directions into the elements of each tensor, under its shape."""
    sizes = [math.prod(x._shape) for x in tensors]
    found = []
    for part, x in zip(shape.split(rows, sizes, 0), tensors, strict=True):
        found.append(shape.reshape(part, (*x._shape, *rows._shape[1:])))
    return found


def jacrev(func: Callable, argnums: Argnums = 0, *, has_aux: bool = False,
           chunk_size: int | None = None, _preallocate_and_copy: bool = False) -> Callable:
    """Return a function that gives the Jacobian of `func`, by reverse mode: a row per output.

    Shape: func from (*I) to (*O) -> (*O, *I); nested as outputs (outside) and arguments are.

    Args:
        func: a function of tensors; the better for this mode, the fewer its outputs.
        argnums: which argument is differentiated by (default: the first); a tuple for several.
        has_aux: whether func returns (output, aux); the result is then (jacobian, aux).
        chunk_size: how many rows are computed at once (default: all).

    Example:
        >>> import lampion as torch
        >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def differentiate(*args: Any, **kwargs: Any) -> Any:
        wanted = chosen(args, argnums)

        def of_wanted(new: Any) -> Any:
            return func(*replaced(args, argnums, new), **kwargs)

        output, back, *aux = vjp(of_wanted, wanted, has_aux=has_aux)
        outputs = leaves(output)
        rows = vmap(lambda *g: back(rebuild(output, g))[0], chunk_size=chunk_size)(
            *_basis(outputs))
        # For each argument its rows, cut into the outputs; then turned: outputs outside.
        cut = [_pieces(x, outputs) for x in leaves(rows)]
        blocks = [rebuild(wanted, [pieces[k] for pieces in cut]) for k in range(len(outputs))]
        jacobian = rebuild(output, blocks)
        return (jacobian, *aux) if has_aux else jacobian

    return differentiate


def jacfwd(func: Callable, argnums: Argnums = 0, has_aux: bool = False, *,
           randomness: str = "error") -> Callable:
    """Return a function that gives the Jacobian of `func`, by forward mode: a column per input.

    Shape: func from (*I) to (*O) -> (*O, *I); nested as outputs (outside) and arguments are.

    Args:
        func: a function of tensors; the better for this mode, the fewer its inputs.
        argnums, has_aux: as in `jacrev`.
        randomness: accepted; func runs once.

    Example:
        >>> import lampion as torch
        >>> torch.func.jacfwd(torch.sin)(torch.zeros(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    @functools.wraps(func)
    def differentiate(*args: Any, **kwargs: Any) -> Any:
        wanted = chosen(args, argnums)

        def of_wanted(new: Any) -> Any:
            return func(*replaced(args, argnums, new), **kwargs)

        output, push, aux = linearized("jacfwd", of_wanted, (wanted,), has_aux)
        inputs, outputs = leaves(wanted), leaves(output)
        columns = vmap(lambda *t: push(rebuild(wanted, t)), out_dims=-1)(*_basis(inputs))
        blocks = []
        for x, out in zip(leaves(columns), outputs, strict=True):
            sizes = [math.prod(i._shape) for i in inputs]
            parts = [shape.reshape(part, (*out._shape, *i._shape)) for part, i in zip(
                shape.split(x, sizes, -1), inputs, strict=True)]
            blocks.append(rebuild(wanted, parts))
        jacobian = rebuild(output, blocks)
        return (jacobian, aux) if has_aux else jacobian

    return differentiate


def hessian(func: Callable, argnums: Argnums = 0) -> Callable:
    """Return a function that gives the second derivatives of `func`: forward over reverse mode.

    Shape: func from (*I) to one number -> (*I, *I).

    Example:
        >>> import lampion as torch
        >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
