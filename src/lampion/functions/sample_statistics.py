"""Statistics: covariance, the most frequent, medians and quantiles without NaN, histograms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import base, dtypes, ir
from ..base import TensorBase
from ..errors import (
    DTypeError,
    DTypeOperationError,
    IndexRangeError,
    ShapeError,
    StateError,
    shape_text,
)
from . import elementwise as e
from . import indexing, linalg, reduction
from . import shape as s
from .operands import normalize_dim

ModeResult = reduction._pair("mode", "values", "indices")
NanmedianResult = reduction._pair("nanmedian", "values", "indices")
HistogramResult = reduction._pair("histogram", "hist", "bin_edges")
HistogramDDResult = reduction._pair("histogramdd", "hist", "bin_edges")


def _check_weights(name: str, w: TensorBase, count: int, whole: bool) -> None:
    if len(w._shape) > 1:
        raise ShapeError(f"cov(): expected {name} to have one or fewer dimensions but got "
                         f"{name} with {len(w._shape)} dimensions")
    if w._dtype.is_floating_point == whole or w._dtype is dtypes.bool_:
        raise StateError(f"cov(): expected {name} to have {'integral' if whole else 'floating'} "
                         f"dtype but got {name} with {w._dtype.name} dtype")
    if w.numel() != count:
        raise ShapeError(f"cov(): expected {name} to have the same numel as there are observations "
                         f"in the input but got {w.numel()} != {count}")
    if bool(e.lt(w, 0).any()):
        raise StateError(f"cov(): {name} cannot be negative")


def cov(input: TensorBase, *, correction: int = 1, fweights: TensorBase | None = None,
        aweights: TensorBase | None = None) -> Any:
    """The covariances of variables (rows) over observations (columns).

    Shape: (V, N) -> (V, V); a vector is one variable -> scalar.

    Args:
        correction: what is taken off the count of observations.
        fweights: how often each observation counts, whole numbers.
        aweights: how much each observation weighs.

    Example:
        >>> import lampion as torch
        >>> torch.cov(torch.tensor([[1., 2., 3.], [3., 2., 1.]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if len(base.require_tensor(input, "cov")._shape) > 2:
        raise ShapeError(f"cov(): expected input to have two or fewer dimensions but got an input "
                         f"with {len(input._shape)} dimensions")
    if input._dtype is dtypes.bool_:
        raise DTypeError("cov(): bool dtype is not supported for input")
    x = s.reshape(input, 1, -1) if len(input._shape) < 2 else input
    count = x._shape[1]
    weights = None
    for name, given, whole in (("fweights", fweights, True), ("aweights", aweights, False)):
        if given is not None:
            _check_weights(name, given, count, whole)
            weights = given if weights is None else e.mul(weights, given)
    if weights is not None and count and float(reduction.sum(weights)) == 0:
        raise StateError("cov(): weights sum to zero, can't be normalized")
    if weights is None:
        total: Any = count
        mean = e.div(reduction.sum(x, 1, True), total)
        factor: Any = max(count - correction, 0)
    else:
        total = reduction.sum(weights)
        mean = e.div(reduction.sum(e.mul(x, weights), 1, True), total)
        factor = e.sub(total, correction)
        if aweights is not None and correction != 0:
            share = e.div(reduction.sum(e.mul(weights, aweights)), total)
            factor = e.sub(total, e.mul(share, correction))
        factor = e.clamp(factor, min=0)
    centered = e.sub(x, mean)
    other = centered if weights is None else e.mul(centered, weights)
    made = e.div(linalg.mm(centered, s.t(other)), factor)
    return base.own(s.squeeze(made)) if made.numel() == 1 else made


def corrcoef(input: TensorBase) -> Any:
    """The correlations of variables (rows) over observations (columns): cov scaled to 1.

    Shape: (V, N) -> (V, V).
    """
    if len(base.require_tensor(input, "corrcoef")._shape) > 2:
        raise ShapeError(f"corrcoef(): expected input to have two or fewer dimensions but got an "
                         f"input with {len(input._shape)} dimensions")
    c = cov(input)
    if not c._shape:
        return e.div(c, c)
    spread = e.sqrt(s.diagonal(c))
    scaled = e.div(e.div(c, s.unsqueeze(spread, 1)), s.unsqueeze(spread, 0))
    return e.clamp(scaled, -1, 1)


def mode(input: TensorBase, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along an axis (the smallest of several), and its last position.

    Example:
        >>> import lampion as torch
        >>> torch.mode(torch.tensor([1, 3, 3])).values
        tensor(3)
    """
    x = base.require_tensor(input, "mode")
    axis = normalize_dim(dim, len(x._shape), "mode")
    if not x._shape:
        return ModeResult(e.clone(x), base.wrap(ir.full((), 0, dtypes.int64)))
    if x._shape[axis] == 0:
        raise IndexRangeError("mode(): Expected reduction dim to have non-zero size.")
    array = np.moveaxis(x._read(), axis, -1)
    ordered = np.sort(array, -1)
    # Runs of equal elements in order: the first of the longest ones is the answer.
    start = np.concatenate([np.ones_like(ordered[..., :1], bool),
                            ordered[..., 1:] != ordered[..., :-1]], -1)
    place = np.arange(ordered.shape[-1])
    run = place - np.maximum.accumulate(np.where(start, place, 0), -1)
    best = np.take_along_axis(ordered, np.argmax(run, -1)[..., None], -1)
    last = ordered.shape[-1] - 1 - np.argmax(np.flip(array == best, -1), -1)
    index = np.expand_dims(last, axis).astype(np.int64)
    indices = base.wrap(ir.leaf(np.ascontiguousarray(index), dtypes.int64))
    values = indexing.gather(x, axis, indices)
    if not keepdim:
        values, indices = (base.own(s.squeeze(t, axis)) for t in (values, indices))
    return ModeResult(values, indices)


def nanmean(input: TensorBase, dim: Any = None, keepdim: bool = False, *,
            dtype: dtypes.dtype | None = None) -> Any:
    """The average of the elements that are not NaN."""
    if not base.require_tensor(input, "nanmean")._dtype.is_floating_point:
        raise DTypeError("nanmean(): expected input to have floating point or complex dtype but "
                         f"got {input._dtype.name}", fix="x.float()")
    dim = None if dim == () or dim == [] else dim
    count = reduction.sum(e.logical_not(e.isnan(input)), dim, keepdim)
    return e.div(reduction.nansum(input, dim, keepdim, dtype=dtype), count)


def nanmedian(input: TensorBase, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element (the lower one of two) of those that are not NaN."""
    x = base.require_tensor(input, "nanmedian")
    if not x._dtype.is_floating_point:
        found = reduction.median(x, dim, keepdim)
        return found if dim is None else NanmedianResult(*found)
    if not x._shape:
        zero = base.wrap(ir.full((), 0, dtypes.int64))
        return e.clone(x) if dim is None else NanmedianResult(e.clone(x), zero)
    flat = s.reshape(x, -1) if dim is None else x
    axis = 0 if dim is None else normalize_dim(dim, len(x._shape), "nanmedian")
    if not flat._shape[axis]:
        found = reduction.median(x, dim, keepdim)
        return found if dim is None else NanmedianResult(*found)
    ordered, order = reduction.sort(flat, axis)
    count = reduction.sum(e.logical_not(e.isnan(flat)), axis, True)
    middle = e.clamp(e.div(e.sub(count, 1), 2, rounding_mode="floor"), min=0)
    values = indexing.gather(ordered, axis, middle)
    places = indexing.gather(order, axis, middle)
    if not keepdim or dim is None:
        values, places = (base.own(s.squeeze(t, axis)) for t in (values, places))
    return values if dim is None else NanmedianResult(values, places)


def msort(input: TensorBase) -> Any:
    """The elements in order along the first axis."""
    return reduction.sort(input, 0).values


def renorm(input: TensorBase, p: float, dim: int, maxnorm: float) -> Any:
    """A copy in which slices along an axis whose p-norm exceeds maxnorm are scaled down to it."""
    x = base.require_tensor(input, "renorm")
    if len(x._shape) < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {len(x._shape)} "
                         "dimensions")
    if p <= 0:
        raise StateError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise StateError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    axis = normalize_dim(dim, len(x._shape), "renorm")
    others = [k for k in range(len(x._shape)) if k != axis]
    norm = reduction.norm(x, p, others, True)
    factor = e.where(e.gt(norm, maxnorm), e.div(maxnorm, e.add(norm, 1e-7)), 1.0)
    return e.mul(x, factor.to(x._dtype))


# --- histograms ----------------------------------------------------------------------------------


def _range(name: str, column: np.ndarray, limits: Any) -> tuple[float, float]:
    if limits is not None:
        low, high = map(float, limits)
    elif column.size:
        low, high = float(column.min()), float(column.max())
    else:
        low, high = 0.0, 1.0
    if not (math.isfinite(low) and math.isfinite(high)):
        raise StateError(f"torch.{name}: range [{low}, {high}] is not finite")
    if low > high:
        raise StateError(f"torch.{name}: min should not exceed max, but got min {low} max {high}")
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _edges(name: str, bins: Any, column: np.ndarray, limits: Any, kind: Any) -> np.ndarray:
    if isinstance(bins, TensorBase):
        return bins._read()
    if bins <= 0:
        raise StateError(f"torch.{name}(): bins must be > 0, but got {bins}")
    low, high = _range(name, column, limits)
    return np.linspace(low, high, bins + 1).astype(kind)


def _check_histogram(name: str, input: TensorBase, weight: TensorBase | None) -> None:
    if not input._dtype.is_floating_point:
        raise DTypeOperationError(f"{name}: not implemented for {input._dtype.name}",
                                  fix="x.float()")
    if weight is not None and weight._dtype is not input._dtype:
        raise DTypeError(f"torch.{name}(): if weight tensor is provided, input tensor and weight "
                         "tensor should have the same dtype")


def histogramdd(input: TensorBase, bins: Any, *, range: Any = None,
                weight: TensorBase | None = None, density: bool = False) -> Any:
    """How many points fall into each box of a grid (reads the tensor).

    Shape: (*, D) -> (bins of each dimension).

    Args:
        bins: how many bins each dimension has, or their edges.
        range: the lowest and highest place of each dimension, one after another.
        weight: how much each point counts.
        density: divide by the total and the boxes' volumes.
    """
    _check_histogram("histogramdd", input, weight)
    points = input._read().reshape(-1, input._shape[-1])
    many = points.shape[1]
    bins = [bins] * many if isinstance(bins, int) else list(bins)
    if len(bins) != many:
        raise StateError(f"torch.histogramdd: expected {many} sequences of bin edges or numbers of "
                         f"bins, got {len(bins)}")
    limits = [None if range is None else range[2 * k:2 * k + 2] for k in np.arange(many)]
    edges = [_edges("histogramdd", bins[k], points[:, k], limits[k], points.dtype)
             for k in np.arange(many)]
    counts, _ = np.histogramdd(
        points, [x.astype(np.float64) for x in edges],
        weights=None if weight is None else weight._read().reshape(-1))
    counts = _density(counts, edges) if density else counts
    kind = input._dtype
    return HistogramDDResult(
        base.wrap(ir.leaf(np.ascontiguousarray(counts.astype(kind.array)), kind)),
        tuple(base.wrap(ir.leaf(np.array(x), kind)) for x in edges))


def _density(counts: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    total = counts.sum()
    for axis, x in enumerate(edges):
        shape = [-1 if k == axis else 1 for k in np.arange(counts.ndim)]
        counts = counts / np.diff(x.astype(np.float64)).reshape(shape)
    with np.errstate(all="ignore"):
        return counts / total


def histogram(input: TensorBase, bins: Any = 100, *, range: Any = None,
              weight: TensorBase | None = None, density: bool = False) -> Any:
    """How many elements fall into each bin, and the bins' edges (reads the tensor).

    Example:
        >>> import lampion as torch
        >>> torch.histogram(torch.tensor([1., 2., 2., 4.]), 3, range=(1., 4.)).hist
        tensor([1., 2., 1.])
    """
    _check_histogram("histogram", input, weight)
    if isinstance(bins, TensorBase) and len(bins._shape) != 1:
        raise ShapeError(f"torch.histogram: bins tensor should have one dimension, but got "
                         f"{shape_text(bins._shape)}")
    column = s.reshape(input, -1, 1)
    flat = None if weight is None else s.reshape(weight, -1)
    found = histogramdd(column, [bins], range=range, weight=flat, density=density)
    return HistogramResult(found.hist, found.bin_edges[0])
