"""`out=`: results put into tensors that the caller gives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..base import TensorBase, refuse_overlap
from ..errors import DTypeError
from .operands import write_out


def takes_out(function: Callable) -> Callable:
    """Give a function the keyword `out`: a tensor, or as many as it has results.

    What is written to must not be read by the function, and it is resized to the result's shape.
    """
    name = function.__name__

    @functools.wraps(function)
    def with_out(*args: Any, out: Any = None, **keywords: Any) -> Any:
        if out is None:
            return function(*args, **keywords)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        operands = [x for x in args if isinstance(x, TensorBase)]
        for target in outs:
            target._check_writable(name)
            target._check_apart(operands, name, whole=True)
        made = function(*args, **keywords)
        results = made if isinstance(made, tuple) else (made,)
        for target, x in zip(outs, results, strict=True):
            if target._shape != x._shape and any(y._storage is target._storage for y in operands):
                refuse_overlap(name)  # what is read would lie in what the target grows into
        written = [write_out(target, x) for target, x in zip(outs, results, strict=True)]
        return type(made)(*written) if isinstance(made, tuple) else written[0]

    return with_out


def same_type(function: Callable) -> Callable:
    """Refuse an `out` of another type than the input's, as some functions of PyTorch's do."""
    name = function.__name__

    @functools.wraps(function)
    def checked(input: TensorBase, *args: Any, out: Any = None, **keywords: Any) -> Any:
        for target in out if isinstance(out, (tuple, list)) else (out,):
            if target is not None and target._dtype is not input._dtype:
                raise DTypeError(
                    f"{name}: Expected the dtype for input and out to match, but got "
                    f"{input._dtype.name} for input's dtype and {target._dtype.name} for out's "
                    "dtype.", fix="out=torch.empty(0, dtype=x.dtype)")
        return function(input, *args, out=out, **keywords)

    return checked


def long_out(function: Callable) -> Callable:
    """Refuse an `out` that does not hold int64, for functions that give positions."""
    name = function.__name__

    @functools.wraps(function)
    def checked(*args: Any, out: Any = None, **keywords: Any) -> Any:
        if out is not None and out._dtype is not dtypes.int64:
            raise DTypeError(f"{name} expects Long tensor out, got: {out._dtype.name}",
                             fix="out=torch.empty(0, dtype=torch.int64)")
        return function(*args, out=out, **keywords)

    return checked
