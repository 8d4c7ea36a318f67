"""Reducing elements into places: scatter_reduce, index_reduce, put."""

from __future__ import annotations

import math
from typing import Any

from .. import base, dtypes, ops
from ..base import TensorBase
from ..errors import DTypeError, ShapeError, StateError, shape_text, user_location
from ..ir import registry
from ..replay.recorded import record_module
from . import elementwise as e
from . import indexing
from . import shape as s
from .operands import normalize_dim

_REDUCES = ("sum", "prod", "mean", "amax", "amin")


def _neutral(how: str, dtype: dtypes.dtype) -> Any:
    """What changes no result of a reduction."""
    if how in ("sum", "mean"):
        return 0
    if how == "prod":
        return 1
    if dtype is dtypes.bool_:
        return how == "amin"
    if dtype.is_floating_point:
        return -math.inf if how == "amax" else math.inf
    limits = dtypes.iinfo(dtype)
    return limits.min if how == "amax" else limits.max


def scatter_reduce(input: TensorBase, dim: int, index: TensorBase, src: TensorBase, reduce: str,
                   *, include_self: bool = True) -> Any:
    """A copy of input with elements of src reduced into places along an axis.

    y[i, index[i, j]] = reduce of input's element there and all src[i, j] that go there, for dim 1.

    Shape: (*), index (+), src at least (+) -> (*).

    Args:
        dim: the axis.
        index: positions on it, int64.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether input's own element takes part where something goes.

    Example:
        >>> import lampion as torch
        >>> torch.zeros(2).scatter_reduce(0, torch.tensor([1, 1]), torch.tensor([3., 5.]), "amax")
        tensor([0., 5.])
    """
    if reduce not in _REDUCES:
        raise StateError(f"reduce argument must be either sum, prod, mean, amax or amin, got "
                         f"{reduce}.")
    start = input
    if not include_self and index.numel():
        start = indexing.scatter(input, dim, index, _neutral(reduce, input._dtype))
    # The positions are checked, and what does not fit is refused, as for scatter_add.
    summed = indexing.scatter_add(start, dim, index, src)
    if reduce == "sum":
        return summed
    if reduce == "mean":
        return _mean(summed, input, dim, index, include_self)
    axis = normalize_dim(dim, len(input._shape), "scatter_reduce")
    update: Any = src
    x, positions = start, index
    if not input._shape:
        x, positions, update = (s.reshape(t, 1) for t in (x, positions, update))
    elif not index._shape:
        positions, update = s.reshape(positions, 1), s.reshape(update, 1)
    region = tuple(slice(n) for n in positions._shape)
    update = update if tuple(update._shape) == tuple(positions._shape) else update[region]
    made = base.call(ops.scattering.scatter_reduce, (x, positions.to(dtypes.int64), update),
                     {"axis": axis, "how": reduce, "location": user_location()},
                     label="scatter_reduce")
    return made if input._shape else base.own(s.reshape(made, ()))


def _mean(summed: Any, input: TensorBase, dim: int, index: TensorBase, include_self: bool) -> Any:
    ones = base.wrap(e.number_value(1, input._dtype))
    source = s.expand(ones, tuple(index._shape))
    own = s.expand(base.wrap(e.number_value(int(include_self), input._dtype)),
                   tuple(input._shape))
    counts = indexing.scatter_add(own, dim, index, source)
    counts = e.where(e.eq(counts, 0), 1, counts)
    if not input._dtype.is_floating_point:
        return e.div(summed, counts, rounding_mode="floor")
    return e.div(summed, counts)


def scatter_reduce_(input: TensorBase, dim: int, index: TensorBase, src: TensorBase, reduce: str,
                    *, include_self: bool = True) -> Any:
    """`scatter_reduce`, in place."""
    before = base.wrap(registry["copy"](input._value))
    input._check_writable("scatter_reduce_")
    return e.copy_(input, scatter_reduce(before, dim, index, src, reduce,
                                         include_self=include_self))


def index_reduce(input: TensorBase, dim: int, index: TensorBase, source: TensorBase, reduce: str,
                 *, include_self: bool = True) -> Any:
    """A copy of input with slices of source reduced into the slices that index names.

    Args:
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether input's own slice takes part.

    Example:
        >>> import lampion as torch
        >>> torch.ones(2).index_reduce(0, torch.tensor([1, 1]), torch.tensor([3., 5.]), "prod")
        tensor([ 1., 15.])
    """
    if reduce not in _REDUCES[1:]:
        raise StateError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin "
                         f"but got {reduce}.")
    base.require_tensor(index, "index_reduce", "index")
    if input._dtype is not source._dtype:
        raise DTypeError("index_reduce(): self and source expected to have the same dtype, but got "
                         f"{input._dtype.name} and {source._dtype.name}")
    if len(index._shape) > 1:
        raise ShapeError("index_reduce(): Index is supposed to be a vector, but got dim "
                         f"{len(index._shape)}")
    x = input if input._shape else s.reshape(input, 1)
    src = source if source._shape else s.reshape(source, 1)
    vector = index if index._shape else s.reshape(index, 1)
    axis = normalize_dim(dim, len(x._shape), "index_reduce")
    if src._shape[axis] != vector._shape[0]:
        raise ShapeError(f"index_reduce(): Number of indices ({vector._shape[0]}) should be equal "
                         f"to source.size(dim): ({src._shape[axis]})")
    shape = [-1 if k == axis else 1 for k in range(len(x._shape))]
    wide = s.expand(s.reshape(vector.to(dtypes.int64), shape), tuple(src._shape))
    made = scatter_reduce(x, axis, wide, src, reduce, include_self=include_self)
    return made if input._shape else base.own(s.reshape(made, ()))


def index_reduce_(input: TensorBase, dim: int, index: TensorBase, source: TensorBase, reduce: str,
                  *, include_self: bool = True) -> Any:
    """`index_reduce`, in place."""
    input._check_writable("index_reduce_")
    before = base.wrap(registry["copy"](input._value))
    return e.copy_(input, index_reduce(before, dim, index, source, reduce,
                                       include_self=include_self))


def put(input: TensorBase, index: TensorBase, source: TensorBase, accumulate: bool = False) -> Any:
    """A copy of input with elements at flat positions replaced, or added to.

    Example:
        >>> import lampion as torch
        >>> torch.zeros(2, 2).put(torch.tensor([3]), torch.tensor([5.]))
        tensor([[0., 0.],
                [0., 5.]])
    """
    if index._dtype is not dtypes.int64:
        raise DTypeError(f"put_(): Expected a long tensor for index, but got {index._dtype.name}",
                         fix="index.long()")
    if input._dtype is not source._dtype:
        raise DTypeError("put_(): self and source expected to have the same dtype, but got self = "
                         f"{input._dtype.name} and source = {source._dtype.name}")
    if index.numel() != source.numel():
        raise ShapeError("put_(): Expected source and index to have the same number of elements, "
                         f"but got {shape_text(source._shape)} and {shape_text(index._shape)}")
    flat = s.reshape(input, -1)
    made = indexing.index_put(flat, (s.reshape(index, -1),), s.reshape(source, -1), accumulate)
    return base.own(s.reshape(made, tuple(input._shape)))


def put_(input: TensorBase, index: TensorBase, source: TensorBase, accumulate: bool = False) -> Any:
    """`put`, in place."""
    input._check_writable("put_")
    before = base.wrap(registry["copy"](input._value))
    return e.copy_(input, put(before, index, source, accumulate))


record_module(globals())
