"""Quantiles: the element at a given share of the order, with and without NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import base, dtypes
from ..base import TensorBase
from ..errors import ArgumentTypeError, DTypeError, ShapeError, StateError, shape_text
from ..replay.recorded import record_module
from . import elementwise as e
from . import indexing, reduction
from . import shape as s
from .operands import normalize_dim

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_share(name: str, shares: np.ndarray) -> None:
    if shares.size and not ((shares >= 0) & (shares <= 1)).all():
        raise StateError(f"{name}() q values must be in the range [0, 1], got {shares.tolist()}",
                         why="a quantile is a share of the elements", fix="0.25 for 25 %")


def _checked(name: str, input: TensorBase, q: Any, interpolation: str) -> Any:
    """The shares as a tensor of one axis; raises where an argument is wrong."""
    base.require_tensor(input, name)
    if input._dtype not in (dtypes.float32, dtypes.float64) or not math.prod(input._shape):
        raise StateError(
            f"{name}() input tensor must be non-empty, and either float or double dtype; it is "
            f"{input._dtype.name} of {shape_text(input._shape)}", fix=f"x.float().{name}(q)")
    if interpolation not in _INTERPOLATIONS:
        raise StateError(f"{name}() interpolation must be one of linear, lower, higher, midpoint "
                         f"or nearest, but got {interpolation}")
    if not isinstance(q, TensorBase):
        if not base.is_number(q):
            raise ArgumentTypeError(f"{name}(): argument 'q' must be a number or a tensor, not "
                                    f"{type(q).__name__}", fix="torch.tensor(q)")
        _check_share(name, np.asarray(q))
        return s.reshape(base.wrap(e.number_value(float(q), input._dtype)), 1)
    if len(q._shape) > 1:
        raise ShapeError(f"{name}() q must be a scalar or 1D tensor, it is {shape_text(q._shape)}")
    if q._dtype is not input._dtype:
        raise DTypeError(f"{name}() q tensor must be same dtype as the input tensor: "
                         f"{q._dtype.name} for {input._dtype.name}", fix="q.to(x.dtype)")
    base.check_known(q, lambda shares: _check_share(name, shares))
    return s.reshape(q, 1) if not q._shape else q


def _quantile(name: str, input: TensorBase, q: Any, dim: int | None, keepdim: bool,
              interpolation: str, without_nan: bool) -> Any:
    shares = _checked(name, input, q, interpolation)
    rank = len(input._shape)
    axis = None if dim is None else normalize_dim(dim, rank, name)
    rows = s.reshape(input, -1) if axis is None or not rank else s.movedim(input, axis, -1)
    ordered = reduction.sort(rows, -1).values  # NaN comes last
    broken = e.isnan(ordered)
    if without_nan:
        count = reduction.sum(e.logical_not(broken), -1, True)
        places = e.clamp(e.mul(shares, e.sub(count, 1)), min=0.0)
    else:
        last = rows._shape[-1] - 1
        places = e.where(s.narrow(broken, -1, last, 1), float(last), e.mul(shares, last))
    rounded = {"lower": e.floor, "higher": e.ceil, "nearest": e.round}.get(interpolation)
    places = places if rounded is None else rounded(places)
    below = e.floor(places.detach())
    found = indexing.gather(ordered, -1, below.to(dtypes.int64))
    if rounded is None:
        above = indexing.gather(ordered, -1, e.ceil(places.detach()).to(dtypes.int64))
        weight = e.sub(places, below) if interpolation == "linear" else e.add(
            e.mul(places.detach(), 0), 0.5)
        found = e.lerp(found, above, weight)
    return _arranged(found, isinstance(q, TensorBase) and bool(q._shape), axis, rank, keepdim)


def _arranged(found: Any, many: bool, axis: int | None, rank: int, keepdim: bool) -> Any:
    """Quantiles, which lie along the last axis, where PyTorch has them: along the first one."""
    found = s.movedim(found, -1, 0)
    if keepdim and axis is None:
        found = s.reshape(found, (-1,) + (1,) * rank)
    elif keepdim and rank and axis is not None:
        found = s.unsqueeze(found, axis + 1)
    elif not rank or axis is None:
        found = s.reshape(found, -1)
    found = found if many else s.squeeze(found, 0)
    return e.clone(found)


def quantile(input: TensorBase, q: Any, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear") -> Any:
    """The q-th quantiles: of n elements in order, the one at place q (n - 1), counted from 0.

    Shape: (*) -> (*) without `dim`, or with size 1 there if keepdim; if q has k shares, a first
    axis of size k.

    Args:
        q: a share, or a vector of shares, in [0, 1].
        dim: the axis; None for all elements.
        keepdim: keep the axis with size 1.
        interpolation: what lies between two elements: "linear", "lower", "higher", "midpoint" or
            "nearest".

    Raises:
        StateError: a share outside [0, 1], an empty tensor, or one that is neither float32 nor
            float64.

    Example:
        >>> import lampion as torch
        >>> torch.quantile(torch.tensor([0., 1., 2., 3.]), torch.tensor([0.25, 0.5]))
        tensor([0.7500, 1.5000])
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


def nanquantile(input: TensorBase, q: Any, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear") -> Any:
    """The q-th quantiles of the elements that are not NaN; NaN where all are.

    Shape: as `quantile`.

    Args:
        q, dim, keepdim, interpolation: as those of `quantile`.

    Example:
        >>> import lampion as torch
        >>> torch.nanquantile(torch.tensor([1., float("nan"), 2.]), 0.5)
        tensor(1.5000)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


record_module(globals())
