"""`vmap`: a function for one element becomes a function for all elements of an axis."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..base import TensorBase, wrap
from ..batching import batch
from ..errors import ArgumentError, ShapeArgumentError, StateError
from ..functions import elementwise, shape
from ..ir import Unknown, Value, expand, leaf, mode
from .levels import unfollowed
from .trees import leaves, rebuild, spread


def vmap(func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
         chunk_size: int | None = None) -> Callable:
    """Return a function that applies `func` to every element along an axis of its arguments.

    `func` runs once, on tensors without that axis; the graph of what it did then gets the axis
    (lampion/batching). So there is no loop, and `func` cannot look at numbers.

    Shape: where func takes (*I) and gives (*O): (B, *I) -> (B, *O), with B at the place that
    in_dims and out_dims say.

    Args:
        func: a function of tensors (nested in tuples, lists, dictionaries).
        in_dims: which axis of each argument lists the elements; None for an argument that is the
            same for all. One number for all arguments, or a tuple like the arguments.
        out_dims: where the axis stands in each result.
        randomness: "error" to refuse random functions, "same" or "different" numbers for the
            elements.
        chunk_size: how many elements are computed at once (default: all), to save memory.

    Raises:
        ArgumentError: in_dims or out_dims that do not fit, no mapped argument, axes of different
            lengths, or a result that is no tensor.
        StateError: func reads numbers, or draws random ones with randomness "error".

    Example:
        >>> import lampion as torch
        >>> torch.vmap(torch.dot)(torch.ones(2, 3), torch.arange(6.0).reshape(2, 3))
        tensor([ 3., 12.])
    """
    if randomness not in ("error", "different", "same"):
        raise StateError("Only allowed values for randomness are 'error', 'different', or 'same'. "
                         f"Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentError(
            f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        name = getattr(func, "__name__", repr(func))
        flat, dims, size = _arguments(name, in_dims, args)
        with unfollowed():
            pieces = [
                _run(func, name, args, kwargs, piece, dims, out_dims, randomness)
                for piece in _chunks(flat, dims, size, chunk_size)]
            return _joined(pieces, out_dims)

    return mapped


# --- arguments -----------------------------------------------------------------------------------


def _arguments(name: str, in_dims: Any, args: tuple) -> tuple[list, list, int]:
    """Return the flat arguments, the axis of each, and how many elements there are."""
    if type(in_dims) is not int and not isinstance(in_dims, tuple):
        raise ArgumentError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a "
            f"(potentially nested) tuple matching the structure of inputs, got: {type(in_dims)}.")
    if not args:
        raise ArgumentError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to vmap over a function with no inputs. The latter is unsupported.")
    flat, dims = leaves(args), spread(in_dims, args)
    if dims is None:
        raise ArgumentError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the "
            f"structure of `inputs`: {len(args)} arguments",
            fix="one number or None for each argument")
    found = []
    for x, dim in zip(flat, dims, strict=True):
        found.append(_axis(name, in_dims, x, dim))
    sizes = [x._shape[dim] for x, dim in zip(flat, found, strict=True) if dim is not None]
    if not sizes:
        raise ArgumentError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): at least one argument must be "
            "mapped", fix="in_dims with a number for the argument that has the elements")
    if len(set(sizes)) > 1:
        raise ShapeArgumentError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension")
    return flat, found, sizes[0]


def _axis(name: str, in_dims: Any, x: Any, dim: Any) -> int | None:
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if dim is None:
        return None
    if type(dim) is not int:
        raise ArgumentError(f"{where}: Got in_dim={dim} for an input but in_dim must be either an "
                            "integer dimension or None.")
    if not isinstance(x, TensorBase):
        raise ArgumentError(
            f"{where}: Got in_dim={dim} for an input but the input is of type {type(x)}. We "
            "cannot vmap over non-Tensor arguments, please use None as the respective in_dim")
    rank = len(x._shape)
    if not -rank <= dim < rank:
        raise ArgumentError(
            f"{where}: Got in_dim={dim} for some input, but that input is a Tensor of "
            f"dimensionality {rank} so expected in_dim to satisfy -{rank} <= in_dim < {rank}.")
    return dim % rank


def _chunks(flat: list, dims: list, size: int, chunk_size: int | None) -> list[list]:
    if chunk_size is None or chunk_size >= size:
        return [flat]
    pieces = []
    for first in range(0, size, chunk_size):
        count = min(chunk_size, size - first)
        pieces.append([x if dim is None else shape.narrow(x, dim, first, count)
                       for x, dim in zip(flat, dims, strict=True)])
    return pieces


# --- one run -------------------------------------------------------------------------------------


class _Randomness:
    """How random numbers are drawn inside the function.

    Args:
        kind: "error", "same" or "different".
        size: how many elements there are.
    """

    def __init__(self, kind: str, size: int):
        self.kind, self.size = kind, size
        self.outer = mode.mapping
        self.lane: Value | None = None

    def draw(self, blocks: int, generator: Any) -> Value:
        """Return where each element's random blocks begin."""
        if self.kind == "error":
            raise StateError(
                "vmap: called random operation while in randomness error mode. Please either use "
                "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                "operation out of vmap", fix='vmap(f, randomness="different")')
        count = blocks * self.size if self.kind == "different" else blocks
        if self.outer is not None:
            first = self.outer.draw(count, generator)
        else:
            start = generator.advance(count)
            first = leaf(np.array(start, np.uint64).view(np.int64), dtypes.int64)
        if self.kind == "same":
            return first
        steps = leaf(np.array([0, blocks], np.int64), dtypes.int64)
        return first + steps * expand(self.lane, (2,))  # type: ignore[arg-type]


def _run(func: Callable, name: str, args: tuple, kwargs: dict, flat: list, dims: list,
         out_dims: Any, randomness: str) -> tuple[Any, list, list]:
    """Trace the function on one element, map the graph; return results with axis 0 mapped."""
    size = next(x._shape[dim] for x, dim in zip(flat, dims, strict=True) if dim is not None)
    drawing = _Randomness(randomness, size)
    lane = _placeholder(dtypes.int64, (), False, None)
    drawing.lane = lane
    unknown = lane.volatile
    elements = {lane.order: leaf(np.arange(size), dtypes.int64)}
    given, places = [], []
    for x, dim in zip(flat, dims, strict=True):
        if dim is None:
            given.append(x)
            continue
        whole = x._value if dim == 0 else shape.movedim(x, dim, 0)._value
        stand = _placeholder(whole.dtype, whole.shape[1:], whole.tracked, unknown)
        elements[stand.order] = whole
        tensor = wrap(stand)
        places.append((tensor, stand, x, dim))
        given.append(tensor)
    before, mode.mapping = mode.mapping, drawing
    try:
        result = func(*rebuild(args, given), **kwargs)
    finally:
        mode.mapping = before
    found = leaves(result)
    out = _out_dims(name, out_dims, result, found)
    values = [_result(name, x, dim) for x, dim in zip(found, out, strict=True)]
    written = [(tensor, x, dim) for tensor, stand, x, dim in places
               if tensor._storage.value is not stand]
    grown = batch([v for v in values if v is not None]
                  + [tensor._value for tensor, _, _ in written], elements, size)
    for (_, x, dim), (value, _) in zip(written, grown[len(grown) - len(written):], strict=True):
        elementwise.copy_(shape.movedim(x, dim, 0), wrap(value))  # written in place inside
    rows = iter(grown)
    results = []
    for x, single in zip(found, values, strict=True):
        if single is None:
            results.append(x)
            continue
        row, has = next(rows)
        results.append(wrap(row if has else expand(row, (size, *row.shape))))
    return result, results, out


def _placeholder(dtype: Any, shape_: tuple[int, ...], tracked: bool, unknown: Unknown | None
                 ) -> Value:
    stand = Value(None, (), {}, shape_, dtype, tracked=tracked)
    stand.volatile = unknown or Unknown("vmap", stand.order)  # type: ignore[assignment]
    return stand


def _result(name: str, x: Any, dim: Any) -> Value | None:
    if dim is None and not isinstance(x, TensorBase):
        return None
    if not isinstance(x, TensorBase):
        raise ArgumentError(
            f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you "
            "mean to set out_dims= to None for output?")
    if dim is None and x._value.data is None and isinstance(x._value.volatile, Unknown):
        raise ArgumentError(
            f"vmap({name}, ..., out_dims=None): a result that differs between elements needs an "
            "axis for them", fix="out_dims=0")
    return None if dim is None else x._value


def _out_dims(name: str, out_dims: Any, result: Any, found: list) -> list:
    out = spread(out_dims, result)
    if out is None and isinstance(out_dims, tuple) and len(out_dims) == 1:
        out = spread(out_dims[0], result)
    if out is None:
        raise ArgumentError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with "
            f"the structure of `outputs`: {len(found)} results")
    return out


# --- results -------------------------------------------------------------------------------------


def _joined(pieces: list[tuple[Any, list, list]], out_dims: Any) -> Any:
    result, rows, out = pieces[0]
    if len(pieces) > 1:
        rows = [x if dim is None else shape.cat([piece[1][k] for piece in pieces], 0)
                for k, (x, dim) in enumerate(zip(rows, out, strict=True))]
    placed = [x if dim is None or dim == 0 else shape.movedim(x, 0, dim)
              for x, dim in zip(rows, out, strict=True)]
    return rebuild(result, placed)


