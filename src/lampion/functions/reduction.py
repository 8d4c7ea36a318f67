"""Reductions, running sums, extremes, sorting.

Everywhere `dim` may be negative, several, or None for all axes; `axis` and `keepdims` are
NumPy's spellings of `dim` and `keepdim`.
"""

from __future__ import annotations

import builtins
import math
from collections import namedtuple
from typing import Any

from .. import base, dtypes, ir, ops
from ..base import TensorBase, call
from ..errors import DTypeError, DTypeOperationError, IndexRangeError, StateError
from ..ir import Op, registry
from ..replay.recorded import record_module
from . import elementwise as e
from .complex_numbers import imag, real
from .operands import laid_out, normalize_dim, normalize_dims, result_strides
from .outputs import same_type, takes_out

r = ops.reduction


def _pair(name: str, *fields: str):
    pair = namedtuple(name, fields)  # type: ignore[misc]
    pair.__module__ = __name__

    def show(self):
        inner = ",\n".join(f"{f}={getattr(self, f)!r}" for f in fields)
        return f"torch.return_types.{name}(\n{inner})"

    pair.__repr__ = show  # type: ignore[method-assign]
    return pair


MaxResult, MinResult = _pair("max", "values", "indices"), _pair("min", "values", "indices")
SortResult, TopkResult = _pair("sort", "values", "indices"), _pair("topk", "values", "indices")
MedianResult = _pair("median", "values", "indices")
CummaxResult = _pair("cummax", "values", "indices")
CumminResult = _pair("cummin", "values", "indices")


def _dims(dim, axis, keepdim, keepdims, rank, name):
    dim = axis if dim is None and axis is not None else dim
    if isinstance(dim, (tuple, list)) and not dim:
        dim = None
    keep = keepdim if keepdims is None else keepdims
    return normalize_dims(dim, rank, name), bool(keep)


def _rank(x: TensorBase, name: str) -> int:
    """The number of axes; raises where x is no tensor."""
    return len(base.require_tensor(x, name)._shape)


def _squeezed(shape, dims) -> tuple[int, ...]:
    return tuple(n for k, n in enumerate(shape) if k not in dims)


def _reduce(name: str, op: Op, x: TensorBase, dims: tuple[int, ...], keep: bool,
            dtype: dtypes.dtype | None = None) -> Any:
    value = x._value
    if dtype is not None and dtype is not value.dtype:
        value = registry["cast"](value, dtype=dtype)
    reduced = op(value, axes=dims)
    if reduced.tracked:
        reduced.versions = (x._version_pair(),)
        base._refuse_inference((x,))
        # The kept shape is internal: what the user may overwrite is the result below.
        reduced.versions = (*reduced.versions, None)
    if not keep and dims:
        reduced = registry["reshape"](reduced, shape=_squeezed(value.shape, dims))
    return base.wrap(reduced if keep or dims else registry["copy"](reduced), label=name)


def _sum_type(x: TensorBase, dtype: dtypes.dtype | None) -> dtypes.dtype:
    if dtype is not None:
        return dtype
    return x._dtype if x._dtype.is_inexact else dtypes.int64


def sum(input: TensorBase, dim: Any = None, keepdim: bool = False, *,
        dtype: dtypes.dtype | None = None, axis: Any = None, keepdims: bool | None = None) -> Any:
    """The sum along axes; whole numbers add up as int64.

    Shape: (*) -> (*) without `dim`, or with size 1 there if keepdim.

    Args:
        dim: the axes; None for all.
        keepdim: keep the axes with size 1.
        dtype: element type to add in.

    Example:
        >>> import lampion as torch
        >>> torch.ones(2, 3).sum(dim=1)
        tensor([3., 3.])
    """
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, "sum"), "sum")
    return _reduce("sum", r.sum, input, dims, keep, _sum_type(input, dtype))


def _count(shape, dims) -> int:
    return math.prod(shape[k] for k in dims)


def nansum(input: TensorBase, dim: Any = None, keepdim: bool = False, *,
           dtype: dtypes.dtype | None = None) -> Any:
    """The sum of the elements that are not NaN."""
    return sum(e.where(e.isnan(input), 0, input), dim, keepdim, dtype=dtype)


def mean(input: TensorBase, dim: Any = None, keepdim: bool = False, *,
         dtype: dtypes.dtype | None = None, axis: Any = None,
         keepdims: bool | None = None) -> Any:
    """The average along axes: the sum divided by the count.

    Shape: (*) -> (*) without `dim`, or with size 1 there if keepdim.

    Raises:
        DTypeError: the tensor is not floating and no dtype is given.

    Example:
        >>> import lampion as torch
        >>> torch.mean(torch.tensor([[1., 2.], [3., 6.]]), dim=1)
        tensor([1.5000, 4.5000])
    """
    base.require_tensor(input, "mean")
    target = dtypes.chosen(dtype) or input._dtype
    if not target.is_inexact:
        raise DTypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {target.name}", why="an average is rarely a whole number",
            fix="x.float().mean()")
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, "mean"), "mean")
    total = _reduce("sum", r.sum, input, dims, keep, target)
    count = _count(input._shape, dims)
    # Dividing by a count, not multiplying by its rounded inverse. Nothing is saved but the number.
    divisor = ir.full(total._shape, count, target)
    divisor.label = "constant"
    value = registry["div"](total._value, divisor)
    return base.wrap(value, label="mean")


def prod(input: TensorBase, dim: Any = None, keepdim: bool = False, *,
         dtype: dtypes.dtype | None = None, axis: Any = None,
         keepdims: bool | None = None) -> Any:
    """The product along an axis, or of all elements.

    Example:
        >>> import lampion as torch
        >>> torch.prod(torch.tensor([2, 3, 4]))
        tensor(24)
    """
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, "prod"), "prod")
    return _reduce("prod", r.prod, input, dims, keep, _sum_type(input, dtype))


def _nonempty(name: str, x: TensorBase, dims: tuple[int, ...], given: bool = False) -> None:
    if builtins.any(x._shape[k] == 0 for k in dims):
        if len(dims) == len(x._shape) and not given:
            kind = IndexRangeError if name.startswith("arg") else StateError
            raise kind(f"{name}(): Expected reduction dim to be specified for input.numel() "
                       "== 0. Specify the reduction dim with the 'dim' argument.",
                       why="no elements have no extreme", fix=f"if x.numel(): x.{name}()")
        raise IndexRangeError(f"{name}(): Expected reduction dim to have non-zero size.",
                              why="no elements have no extreme")


@same_type
@takes_out
def amax(input: TensorBase, dim: Any = (), keepdim: bool = False, *, axis: Any = None,
         keepdims: bool | None = None) -> Any:
    """The largest along axes; equal extremes share the gradient evenly."""
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, "amax"), "amax")
    _nonempty("amax", input, dims, dim not in ((), None))
    return _reduce("amax", r.max, input, dims, keep)


@same_type
@takes_out
def amin(input: TensorBase, dim: Any = (), keepdim: bool = False, *, axis: Any = None,
         keepdims: bool | None = None) -> Any:
    """The smallest along axes; equal extremes share the gradient evenly."""
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, "amin"), "amin")
    _nonempty("amin", input, dims, dim not in ((), None))
    return _reduce("amin", r.min, input, dims, keep)


AminmaxResult = _pair("aminmax", "min", "max")


@same_type
@takes_out
def aminmax(input: TensorBase, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, of everything or along one axis.

    Returns:
        (min, max).

    Example:
        >>> import lampion as torch
        >>> torch.aminmax(torch.tensor([3., 1., 2.]))
        torch.return_types.aminmax(
        min=tensor(1.),
        max=tensor(3.))
    """
    return AminmaxResult(amin(input, () if dim is None else dim, keepdim),
                amax(input, () if dim is None else dim, keepdim))


def _flat(x: TensorBase) -> Any:
    return x.reshape(-1)


def _position(name: str, op: Op, input: TensorBase, dim: int, keep: bool):
    """Positions of extremes along one axis, kept and squeezed."""
    if not input._shape:
        zero = base.wrap(ir.full((), 0, dtypes.int64))
        return zero, zero
    axis = normalize_dim(dim, _rank(input, name), name)
    _nonempty(name, input, (axis,))
    kept = call(op, (input,), {"axis": axis})
    return kept, (kept if keep else base.own(kept.squeeze(axis)))


def _arg(name: str, op: Op, input: TensorBase, dim: int | None, keepdim: bool) -> Any:
    base.require_tensor(input, name)
    if input._dtype is dtypes.bool_:
        raise DTypeError(f"{name}(): does not support bool input", fix=f"x.int().{name}()")
    if dim is not None:
        return _position(name, op, input, dim, keepdim)[1]
    _nonempty(name, input, tuple(range(len(input._shape))))
    found = _position(name, op, _flat(input), 0, False)[1]
    return found.reshape((1,) * len(input._shape)) if keepdim else found


def argmax(input: TensorBase, dim: int | None = None, keepdim: bool = False, *,
           axis: int | None = None) -> Any:
    """The position of the largest element along an axis, or in the flattened tensor.

    Shape: (*) -> (*) without `dim`, int64.

    Example:
        >>> import lampion as torch
        >>> torch.argmax(torch.tensor([[1, 5], [7, 2]]), dim=1)
        tensor([1, 0])
    """
    return _arg("argmax", r.argmax, input, axis if dim is None else dim, keepdim)


def argmin(input: TensorBase, dim: int | None = None, keepdim: bool = False, *,
           axis: int | None = None) -> Any:
    """The position of the smallest element along an axis, or in the flattened tensor."""
    return _arg("argmin", r.argmin, input, axis if dim is None else dim, keepdim)


def _extreme(name: str, op: Op, whole: Op, pairwise, Result, input, dim, keepdim):
    base.require_tensor(input, name)
    if isinstance(dim, TensorBase):
        return pairwise(input, dim)
    if dim is None:
        dims = tuple(range(len(input._shape)))
        _nonempty(name, input, dims)
        return _reduce(name, whole, input, dims, False)
    axis = normalize_dim(dim, _rank(input, name), name)
    if input._shape and input._shape[axis] == 0:
        raise IndexRangeError(f"{name}(): Expected reduction dim {dim} to have non-zero size.",
                              why="no elements have no extreme")
    kept, indices = _position(name, op, input, dim, keepdim)
    if not input._shape:
        return Result(e.clone(input), indices)
    axis = normalize_dim(dim, _rank(input, name), name)
    values = call(ops.indexing.gather, (input, kept._value), {"axis": axis}, label=name)
    return Result(values if keepdim else base.own(values.squeeze(axis)), indices)


def max(input: TensorBase, dim: Any = None, keepdim: bool = False, *, other: Any = None,
        axis: Any = None) -> Any:
    """The largest element; with `dim` also its position; with a second tensor, elementwise.

    Returns:
        A tensor, or (values, indices) when dim is given.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1., 5.], [7., 2.]]).max(dim=1).indices
        tensor([1, 0])
    """
    chosen = other if other is not None else (axis if dim is None else dim)
    return _extreme("max", r.argmax, r.max, e.maximum, MaxResult, input, chosen, keepdim)


def min(input: TensorBase, dim: Any = None, keepdim: bool = False, *, other: Any = None,
        axis: Any = None) -> Any:
    """The smallest element; with `dim` also its position; with a second tensor, elementwise.

    Example:
        >>> import lampion as torch
        >>> torch.min(torch.tensor([3, 1, 2]))
        tensor(1)
    """
    chosen = other if other is not None else (axis if dim is None else dim)
    return _extreme("min", r.argmin, r.min, e.minimum, MinResult, input, chosen, keepdim)


def _truths(x: TensorBase) -> Any:
    return x if x._dtype is dtypes.bool_ else e.ne(x, 0)


def _quantifier(name: str, op: Op, empty: bool, input, dim, keepdim, axis, keepdims) -> Any:
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, name), name)
    target = dtypes.uint8 if input._dtype is dtypes.uint8 else dtypes.bool_
    if builtins.any(input._shape[k] == 0 for k in dims):
        shape = tuple(1 if k in dims else n for k, n in enumerate(input._shape))
        shape = shape if keep else _squeezed(input._shape, dims)
        return base.wrap(ir.full(shape, empty, target))
    found = _reduce(name, op, _truths(input), dims, keep)
    return found if target is dtypes.bool_ else found.to(target)


def any(input: TensorBase, dim: Any = None, keepdim: bool = False, *, axis: Any = None,
        keepdims: bool | None = None) -> Any:
    """Whether some element is not zero, along axes."""
    return _quantifier("any", r.max, False, input, dim, keepdim, axis, keepdims)


def all(input: TensorBase, dim: Any = None, keepdim: bool = False, *, axis: Any = None,
        keepdims: bool | None = None) -> Any:
    """Whether every element is not zero, along axes.

    Example:
        >>> import lampion as torch
        >>> torch.all(torch.tensor([[True, False], [True, True]]), dim=1)
        tensor([False,  True])
    """
    return _quantifier("all", r.min, True, input, dim, keepdim, axis, keepdims)


def count_nonzero(input: TensorBase, dim: Any = None) -> Any:
    """How many elements are not zero."""
    return sum(_truths(input), dim)


# --- spread --------------------------------------------------------------------------------


def var(input: TensorBase, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None, axis: Any = None, keepdims: bool | None = None) -> Any:
    """The variance: sum of (x - mean)^2 divided by (count - correction).

    Args:
        unbiased: correction of 1 (True) or 0 (False).
        correction: what is taken off the count; overrides unbiased.
    """
    if isinstance(dim, bool):  # var(unbiased)
        dim, unbiased = None, dim
    if not base.require_tensor(input, "var")._dtype.is_inexact:
        raise DTypeError("var and std only support floating point and complex dtypes",
                         fix="x.float().var()")
    dims, keep = _dims(dim, axis, keepdim, keepdims, _rank(input, "var"), "var")
    off = correction if correction is not None else (1 if unbiased else 0)
    centered = e.sub(input, mean(input, dims, True)) if dims else e.sub(input, input.detach())
    squares = sum(_squared(centered), dims, keep)
    count = _count(input._shape, dims) if dims else 1
    # No degree of freedom: 0 / 0 is nan, and anything else inf.
    return _labelled(e.div(squares, builtins.max(count - off, 0)), "var")


def _squared(x: Any) -> Any:
    """|x|^2, without the root of a complex number's distance."""
    if not x._dtype.is_complex:
        return e.mul(x, x)
    return e.add(e.mul(real(x), real(x)), e.mul(imag(x), imag(x)))


def _labelled(x: Any, label: str) -> Any:
    x._storage.value.label = label
    return x


def std(input: TensorBase, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None, axis: Any = None, keepdims: bool | None = None) -> Any:
    """The standard deviation: the square root of `var`.

    Example:
        >>> import lampion as torch
        >>> torch.std(torch.tensor([1., 2., 3.]))
        tensor(1.)
    """
    spread = var(input, dim, unbiased, keepdim, correction=correction, axis=axis,
                 keepdims=keepdims)
    # The root has no slope at 0; its gradient is taken as 0 there.
    flat = e.eq(spread, 0)
    return _labelled(e.where(flat, 0, e.sqrt(e.where(flat, 1, spread))), "std")


def var_mean(input: TensorBase, dim: Any = None, unbiased: bool = True, keepdim: bool = False,
             *, correction: float | None = None) -> tuple:
    """The variance and the mean, as `var` and `mean` give them.

    Example:
        >>> import lampion as torch
        >>> torch.var_mean(torch.tensor([1., 2., 3.]))
        (tensor(1.), tensor(2.))
    """
    if isinstance(dim, bool):  # var_mean(unbiased)
        dim, unbiased = None, dim
    return (var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim))


def std_mean(input: TensorBase, dim: Any = None, unbiased: bool = True, keepdim: bool = False,
             *, correction: float | None = None) -> tuple:
    """The standard deviation and the mean, as `std` and `mean` give them.

    Example:
        >>> import lampion as torch
        >>> torch.std_mean(torch.tensor([1., 2., 3.]))
        (tensor(1.), tensor(2.))
    """
    if isinstance(dim, bool):  # std_mean(unbiased)
        dim, unbiased = None, dim
    return (std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim))


def norm(input: TensorBase, p: Any = "fro", dim: Any = None, keepdim: bool = False,
         dtype: dtypes.dtype | None = None) -> Any:
    """The p-norm: (sum of |x|^p)^(1/p); the gradient at 0 is 0.

    Args:
        p: a number, inf, -inf, or "fro" for 2.
        dim: the axes; None for all.
    """
    x = input if dtype is None else input.to(dtype)
    if x._dtype.is_complex:
        x = e.abs(x)
    if not x._dtype.is_floating_point:
        raise DTypeError("linalg.vector_norm: Expected a floating point or complex tensor as "
                         f"input. Got {x._dtype.name}", fix="x.float().norm()")
    if p in ("fro", None):
        if isinstance(dim, (tuple, list)) and len(dim) > 2:
            raise StateError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}",
                             fix="x.norm(2, dim=dim), the norm of all their elements")
        p = 2
    dims, keep = _dims(dim, None, keepdim, None, len(x._shape), "norm")
    if p in (math.inf, -math.inf) and _count(x._shape, dims) == 0:
        raise StateError(f"linalg.vector_norm cannot compute the {p} norm on an empty tensor, or "
                         "on an empty dimension: the operation does not have an identity")
    if p == math.inf or p == -math.inf:
        found = (amax if p > 0 else amin)(e.abs(x), dims, keep)
    elif p == 0:
        # sign() carries the gradient, which is zero.
        found = sum(e.where(e.ne(x, 0), 1, e.sign(x)), dims, keep)
    elif p == 1:
        found = sum(e.abs(x), dims, keep)
    elif p == 2:
        found = call(r.norm2, (x,), {"axes": dims})
        found = found if keep else base.own(found.reshape(_squeezed(x._shape, dims)))
    elif p < 0:
        # A zero makes the norm 0, where no gradient is asked for.
        none = amin(e.abs(x), dims, True) if dims else e.abs(x)
        some = e.where(e.eq(none, 0), 1, e.abs(x))
        found = e.pow(sum(e.pow(some, p), dims, keep), 1 / p)
        still = e.eq(none, 0)
        still = still if keep or not dims else still.reshape(_squeezed(x._shape, dims))
        found = e.where(still, 0, found)
    else:
        # Powers below 2 have no slope at 0; the gradient is taken as 0 there.
        still = e.eq(x, 0)
        total = sum(e.where(still, 0, e.pow(e.where(still, 1, e.abs(x)), p)), dims, keep)
        flat = e.eq(total, 0)
        found = e.where(flat, 0, e.pow(e.where(flat, 1, total), 1 / p))
    return _labelled(found, "linalg_vector_norm")


def dist(input: TensorBase, other: TensorBase, p: float = 2) -> Any:
    """The p-norm of the difference.

    Example:
        >>> import lampion as torch
        >>> torch.dist(torch.tensor([0., 0.]), torch.tensor([3., 4.]))
        tensor(5.)
    """
    return norm(e.sub(input, other), p)


def logsumexp(input: TensorBase, dim: Any, keepdim: bool = False, *, axis: Any = None) -> Any:
    """log(sum(exp(x))) along axes, without overflow."""
    x = input if input._dtype.is_floating_point else input.to(dtypes.get_default_dtype())
    dims, keep = _dims(dim, axis, keepdim, None, len(x._shape), "logsumexp")
    if _count(x._shape, dims) == 0:
        return e.log(sum(e.exp(x), dims, keep))
    top = amax(x.detach(), dims, True) if dims else x.detach()
    top = e.where(e.isinf(top), 0.0, top)
    total = sum(e.exp(e.sub(x, top)), dims, True) if dims else e.exp(e.sub(x, top))
    result = e.add(e.log(total), top)
    if not keep and dims:
        result = base.own(result.reshape(_squeezed(x._shape, dims)))
    return _labelled(result, "logsumexp")


# --- running ---------------------------------------------------------------------------------


def _running(name: str, op: Op, input: TensorBase, dim: int, dtype) -> Any:
    axis = normalize_dim(dim, _rank(input, name), name)
    target = _sum_type(input, dtype)
    if target is dtypes.bool_ and input._shape and 0 not in input._shape:
        raise DTypeOperationError(f"{name}: not implemented for bool", fix="x.int() first")
    value = input._value if target is input._dtype else registry["cast"](
        input._value, dtype=target)
    if not input._shape:
        return call(registry["copy"], (input,), {}, values=(value,), label=name)
    return call(op, (input,), {"axis": axis, "exclusive": False, "reverse": False},
                values=(value,), label=name)


def cumsum(input: TensorBase, dim: int, *, dtype: dtypes.dtype | None = None,
           axis: int | None = None) -> Any:
    """The running sum along an axis.

    Example:
        >>> import lampion as torch
        >>> torch.cumsum(torch.tensor([1, 2, 3]), dim=0)
        tensor([1, 3, 6])
    """
    return _running("cumsum", r.cumsum, input, dim if axis is None else axis, dtype)


def cumprod(input: TensorBase, dim: int, *, dtype: dtypes.dtype | None = None,
            axis: int | None = None) -> Any:
    """The running product along an axis.

    Example:
        >>> import lampion as torch
        >>> torch.cumprod(torch.tensor([1, 2, 3]), dim=0)
        tensor([1, 2, 6])
    """
    return _running("cumprod", r.cumprod, input, dim if axis is None else axis, dtype)


def _running_extreme(name: str, Result, input: TensorBase, dim: int, key: TensorBase) -> Any:
    axis = normalize_dim(dim, _rank(input, name), name)
    if not input._shape:
        return Result(e.clone(input), base.wrap(ir.full((), 0, dtypes.int64)))
    indices = call(r.cummax_index, (key,), {"axis": axis})
    values = call(ops.indexing.gather, (input, indices._value), {"axis": axis}, label=name)
    return Result(values, indices)


def cummax(input: TensorBase, dim: int) -> Any:
    """The largest so far along an axis, and its position."""
    return _running_extreme("cummax", CummaxResult, input, dim, input)


def cummin(input: TensorBase, dim: int) -> Any:
    """The smallest so far along an axis, and its position."""
    key = e.bitwise_not(input) if not input._dtype.is_floating_point else e.neg(input)
    return _running_extreme("cummin", CumminResult, input, dim, key)


# --- order -----------------------------------------------------------------------------------


def argsort(input: TensorBase, dim: int = -1, descending: bool = False,
            stable: bool = False) -> Any:
    """The positions that sort an axis."""
    axis = normalize_dim(dim, _rank(input, "argsort"), "argsort")
    if not input._shape:
        return base.wrap(ir.full((), 0, dtypes.int64))
    return laid_out(
        call(r.argsort, (input,), {"axis": axis, "descending": bool(descending)}), input)


def sort(input: TensorBase, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements in order along an axis, and their positions; always stable.

    Returns:
        (values, indices).

    Example:
        >>> import lampion as torch
        >>> torch.sort(torch.tensor([3, 1, 2])).values
        tensor([1, 2, 3])
    """
    indices = argsort(input, dim, descending)
    if not input._shape:
        return SortResult(e.clone(input), indices)
    axis = normalize_dim(dim, _rank(input, "sort"), "sort")
    values = call(ops.indexing.gather, (input, indices._value), {"axis": axis}, label="sort")
    values._strides = indices._strides = result_strides(input._shape, (input,)) or values._strides
    return SortResult(values, indices)


def topk(input: TensorBase, k: int, dim: int = -1, largest: bool = True,
         sorted: bool = True) -> Any:
    """The k largest (or smallest) elements along an axis, and their positions.

    Returns:
        (values, indices), in order.

    Example:
        >>> import lampion as torch
        >>> torch.topk(torch.tensor([3, 1, 2]), 2).indices
        tensor([0, 2])
    """
    axis = normalize_dim(dim, _rank(input, "topk"), "topk")
    if input._dtype is dtypes.bool_:
        raise DTypeOperationError("topk: not implemented for bool", fix="x.int().topk(k)")
    length = input._shape[axis] if input._shape else 1
    if not 0 <= k <= length:
        raise StateError("selected index k out of range",
                         why=f"dim {dim} has {length} elements, k is {k}", fix="a smaller k")
    if not input._shape:
        return TopkResult(e.clone(input), base.wrap(ir.full((), 0, dtypes.int64)))
    indices = call(r.topk_index, (input,), {"axis": axis, "k": int(k), "largest": bool(largest)})
    values = call(ops.indexing.gather, (input, indices._value), {"axis": axis}, label="topk")
    return TopkResult(values, indices)


KthvalueResult = _pair("kthvalue", "values", "indices")


@takes_out
def kthvalue(input: TensorBase, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along an axis, and its position.

    Shape: (*) -> (*) without `dim`, or with size 1 there if keepdim.

    Args:
        k: from 1 to the size of the axis.

    Returns:
        (values, indices).

    Raises:
        StateError: the axis has no k-th element.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([30., 10., 20.]).kthvalue(2)
        torch.return_types.kthvalue(
        values=tensor(20.),
        indices=tensor(2))
    """
    axis = normalize_dim(dim, _rank(input, "kthvalue"), "kthvalue")
    size = input._shape[axis] if input._shape else 1
    if not 1 <= k <= size:
        raise StateError("kthvalue(): selected number k out of range for dimension "
                         f"{dim}", fix=f"1 <= k <= {size}")
    values, indices = sort(input, axis)
    if not input._shape:
        return KthvalueResult(values, indices)
    picked = [x.narrow(axis, k - 1, 1).clone() for x in (values, indices)]
    return KthvalueResult(*(x if keepdim else x.squeeze(axis) for x in picked))


def median(input: TensorBase, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element (the lower one of two); NaN if any element is."""
    x = input if dim is not None else _flat(input)
    axis = 0 if dim is None else normalize_dim(dim, len(x._shape), "median")
    if dim is not None and x._shape and not x._shape[axis]:
        raise IndexRangeError("median(): Expected reduction dim to have non-zero size.")
    if x._dtype is dtypes.bool_:
        raise DTypeOperationError("median: not implemented for bool", fix="x.int().median()")
    if not x._shape:
        return MedianResult(e.clone(x), base.wrap(ir.full((), 0, dtypes.int64)))
    length = x._shape[axis]
    if length == 0 and dim is None:
        if x._dtype.is_floating_point:
            return sum(x) / 0  # nan
        return base.wrap(ir.full((), dtypes.iinfo(x._dtype).min, x._dtype))
    values, indices = sort(x, axis)
    middle = [t.narrow(axis, (length - 1) // 2, 1) for t in (values, indices)]
    if x._dtype.is_floating_point:
        last = [t.narrow(axis, length - 1, 1) for t in (values, indices)]
        broken = e.isnan(last[0])
        # A NaN sorts last; PyTorch points at the first of them.
        first_nan = argmax(e.isnan(x).to(dtypes.int32), axis, True)
        middle = [e.where(broken, last[0], middle[0]), e.where(broken, first_nan, middle[1])]
    picked = [t if keepdim and dim is not None else t.squeeze(axis) for t in middle]
    return e.clone(picked[0]) if dim is None else MedianResult(*map(e.clone, picked))


record_module(globals())
