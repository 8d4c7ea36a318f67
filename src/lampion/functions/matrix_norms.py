"""Pseudoinverses, ranks, norms and condition numbers of matrices.

The last two axes of a tensor are a matrix, all others count matrices.
"""

from __future__ import annotations

import math
from typing import Any

from .. import base, dtypes, ir, ops
from ..base import TensorBase
from ..casting import cast_module
from ..errors import IndexRangeError, ShapeError, StateError
from ..replay.recorded import record_module
from . import elementwise as e
from . import linalg, reduction
from . import shape as s
from .decomposition import check_matrix, eigvalsh, svdvals
from .matrix_functions import _equal_types, _is_vector, inv

m = ops.matrix
_pair = reduction._pair
LstsqResult = _pair("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


def _number(x: Any) -> float | None:
    return float(x) if x is not None and not (isinstance(x, TensorBase) and x._shape) else None


def pinv(A: TensorBase, *, atol: Any = None, rtol: Any = None, rcond: Any = None,
         hermitian: bool = False) -> Any:
    """The pseudoinverse of Moore and Penrose.

    Shape: (*, M, N) -> (*, N, M).

    Args:
        atol, rtol: singular values up to max(atol, rtol * the largest) count as zero. By default
            rtol is max(M, N) times the type's eps.
        rcond: an older name of rtol.
        hermitian: the matrix is symmetric; only its lower triangle is read.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.pinv(torch.tensor([[2., 0.], [0., 0.]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.0000]])
    """
    check_matrix("linalg.pinv", A, hermitian)
    rtol = rcond if rtol is None else rtol
    for limit in (atol, rtol):
        if isinstance(limit, TensorBase) and limit._shape:
            return _pinv_each(A, atol, rtol)
    x = _symmetric(A) if hermitian else A
    settings = {"absolute": _number(atol), "relative": _number(rtol)}
    return base.call(m.pseudoinverse, (x,), settings, label="linalg_pinv")


def _pinv_each(A: TensorBase, atol: Any, rtol: Any) -> Any:
    """Limits that differ between matrices: one matrix after another."""
    lead = tuple(A._shape[:-2])
    limits = [None if x is None else s.reshape(s.expand(linalg_tensor(x), lead), -1).tolist()
              for x in (atol, rtol)]
    flat = s.reshape(A, -1, *A._shape[-2:])
    found = [pinv(flat[k], atol=limits[0] and limits[0][k], rtol=limits[1] and limits[1][k])
             for k in range(math.prod(lead))]
    return s.reshape(s.stack(found), *lead, A._shape[-1], A._shape[-2])


def linalg_tensor(x: Any) -> Any:
    """A number as a tensor."""
    return x if isinstance(x, TensorBase) else base.wrap(ir.number(float(x), dtypes.float64))


def _symmetric(A: TensorBase) -> Any:
    """The symmetric matrix of A's lower triangle; the gradient spreads over both triangles."""
    lower = base.call(m.triangle, (A.detach(),), {"offset": 0, "upper": False})
    below = base.call(m.triangle, (A.detach(),), {"offset": -1, "upper": False})
    even = e.div(e.add(A, s.matrix_t(A)), 2)
    return e.add(even, e.sub(e.add(lower, s.matrix_t(below)), even.detach()))


def pinverse(input: TensorBase, rcond: float = 1e-15) -> Any:
    """The pseudoinverse (`torch.pinverse`); see `linalg.pinv`."""
    return pinv(input, rtol=rcond)


def matrix_rank(A: TensorBase, tol: Any = None, *, atol: Any = None, rtol: Any = None,
                hermitian: bool = False) -> Any:
    """How many singular values exceed max(atol, rtol * the largest).

    Shape: (*, M, N) -> (*), int64.
    """
    check_matrix("linalg.matrix_rank", A, hermitian)
    if tol is not None:
        atol, rtol = tol, 0.0
    values = e.abs(eigvalsh(A)) if hermitian else svdvals(A)
    if not values._shape[-1]:
        return base.wrap(ir.full(tuple(A._shape[:-2]), 0, dtypes.int64))
    if rtol is None:
        rtol = 0.0 if atol is not None else max(A._shape[-2:]) * dtypes.finfo(A._dtype).eps
    relative = e.mul(reduction.amax(values, -1), rtol)
    limit = relative if atol is None else e.maximum(
        relative, e.add(e.mul(relative, 0), atol))
    return reduction.sum(e.gt(values, s.unsqueeze(limit, -1)), -1)


def _two_axes(name: str, A: TensorBase, dim: Any) -> tuple[int, int]:
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise StateError(f"{name}: dim must be a 2-tuple. Got {dim}")
    rank = len(A._shape)
    for axis in dim:
        if not -rank <= axis < rank:
            raise IndexRangeError(f"{name}: Dimension out of range (expected to be in range of "
                                  f"[{-rank}, {rank - 1}], but got {axis})")
    first, second = (axis % rank for axis in dim)
    if first == second:
        raise StateError(f"{name}: dims must be different. Got ({dim[0]}, {dim[1]})")
    return first, second


def matrix_norm(A: TensorBase, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
                dtype: dtypes.dtype | None = None) -> Any:
    """The norm of matrices.

    Args:
        ord: "fro" (the root of the sum of squares), "nuc" (the sum of singular values), 2 or -2
            (the largest or smallest singular value), 1 or -1 (the largest or smallest sum of a
            column's absolute values), inf or -inf (of a row's).
        dim: the two axes of the matrices.
        keepdim: keep them with size 1.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.matrix_norm(torch.tensor([[3., 0.], [4., 0.]]), "nuc")
        tensor(5.)
    """
    check_matrix("linalg.matrix_norm", A)
    axes = _two_axes("linalg.matrix_norm", A, dim)
    x = A if dtype is None else A.to(dtype)
    if isinstance(ord, str) and ord not in ("fro", "nuc"):
        raise StateError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "fro":
        return reduction.norm(x, 2, axes, keepdim)
    if ord in ("nuc", 2, -2):
        values = svdvals(s.movedim(x, axes, (-2, -1)))
        found = _of_values(ord, values)
        for axis in sorted(axes) if keepdim else ():
            found = s.unsqueeze(found, axis)
        return found
    if ord not in (1, -1, math.inf, -math.inf):
        raise StateError(f"linalg.matrix_norm: Order {ord} not supported.")
    along, over = axes if abs(ord) == 1 else axes[::-1]
    sums = reduction.sum(e.abs(x), along, True)
    extreme = reduction.amax if ord > 0 else reduction.amin
    found = extreme(sums, over, True)
    return found if keepdim else base.own(s.squeeze(found, axes))


def _of_values(ord: Any, values: TensorBase) -> Any:
    if ord == "nuc":
        return reduction.sum(values, -1)
    return (reduction.amax if ord > 0 else reduction.amin)(values, -1)


def norm(A: TensorBase, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
         dtype: dtypes.dtype | None = None, out: Any = None) -> Any:
    """The norm of vectors or matrices (`torch.linalg.norm`).

    Args:
        ord: the norm; None for the root of the sum of squares.
        dim: one axis for vectors, two for matrices; None for all, which is a vector norm unless
            ord is given for a matrix.
    """
    base.require_tensor(A, "linalg.norm", "A")
    if isinstance(dim, int):
        dim = (dim,)
    if ord is not None and dim is None and len(A._shape) > 2:
        raise StateError(f"linalg.norm: If dim is not specified but ord is, the input must be 1D "
                         f"or 2D. Got {len(A._shape)}D.")
    if ord is not None and dim is not None and len(dim) not in (1, 2):
        raise StateError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. "
                         f"Got {list(dim)}")
    if ord is not None and ((dim is not None and len(dim) == 2)
                            or (dim is None and len(A._shape) == 2)):
        found = matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    else:
        found = linalg.vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    return found if out is None else out.copy_(found)


def cond(A: TensorBase, p: Any = None) -> Any:
    """How much a matrix magnifies relative errors: norm(A, p) * norm(inv(A), p).

    Args:
        p: as in `matrix_norm`; None and 2 are the largest by the smallest singular value.
    """
    check_matrix("linalg.cond", A, p not in (None, 2, -2))
    if p in (None, 2, -2):
        values = svdvals(A)
        if not values.numel():
            return base.wrap(ir.full(tuple(A._shape[:-2]), 0, A._dtype))
        first, last = s.select(values, -1, 0), s.select(values, -1, -1)
        return e.div(last, first) if p == -2 else e.div(first, last)
    if not A.numel():
        return base.wrap(ir.full(tuple(A._shape[:-2]), 0, A._dtype))
    return e.mul(matrix_norm(A, p), matrix_norm(inv(A), p))


def lstsq(A: TensorBase, B: TensorBase, rcond: Any = None, *, driver: str | None = None) -> Any:
    """The X that makes the squares of A X - B least.

    Shape: (*, M, N), (*, M, K) or (*, M) -> (*, N, K) or (*, N).

    Returns:
        (solution, residuals, rank, singular_values); the latter three are empty where LAPACK's
        driver does not compute them.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.lstsq(torch.ones(3, 1), torch.tensor([[1.], [2.], [6.]])).solution
        tensor([[3.]])
    """
    check_matrix("torch.linalg.lstsq", A, argument="input")
    _equal_types("torch.linalg.lstsq", A, B)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise StateError(f"torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, "
                         f"gelsd, gelss), got {driver}")
    vector = _is_vector(A, B)
    right = s.unsqueeze(B, -1) if vector else B
    rows, columns = A._shape[-2:]
    if right._shape[-2] != rows:
        raise ShapeError(f"torch.linalg.lstsq: input.size(-2) should match other.size(-2): "
                         f"{rows} and {right._shape[-2]}")
    solution = linalg.matmul(pinv(A, rtol=rcond), right)
    full_rank = driver == "gels" or rows > columns
    values = base.wrap(ir.full((0,), 0, A._dtype))
    residuals = base.own(s.narrow(s.reshape(solution, -1), 0, 0, 0))
    if rows > columns and full_rank and driver != "gelsy":
        off = e.sub(linalg.matmul(A, solution), right)
        residuals = reduction.sum(e.mul(off, off), -2)
    driver = driver or "gelsy"
    rank = base.wrap(ir.full((0,), 0, dtypes.int64))
    if driver != "gels":
        rank = matrix_rank(A, rtol=rcond)
    if driver in ("gelsd", "gelss"):
        values = svdvals(A).detach()
    return LstsqResult(base.own(s.squeeze(solution, -1)) if vector else solution,
                       residuals, rank, values)


def norm_old(input: TensorBase, p: Any = "fro", dim: Any = None, keepdim: bool = False,
             out: Any = None, dtype: dtypes.dtype | None = None) -> Any:
    """The p-norm along axes (`torch.norm`): (sum of |x|^p)^(1/p).

    Args:
        p: a number, inf, -inf, "fro" for 2, or "nuc" for the sum of singular values.
        dim: the axes; None for all.
        keepdim: keep them with size 1.

    Example:
        >>> import lampion as torch
        >>> torch.norm(torch.tensor([3., 4.]))
        tensor(5.)
    """
    if p == "nuc":
        axes = (-2, -1) if dim is None else dim
        if dim is None and len(input._shape) != 2:
            raise StateError("linalg.matrix_norm: dim must be a 2-tuple for the nuclear norm of "
                             f"{len(input._shape)} axes")
        found = matrix_norm(input, "nuc", axes, keepdim, dtype=dtype)
    else:
        found = reduction.norm(input, p, dim, keepdim, dtype)
    return found if out is None else out.copy_(found)


# They read numbers: only what they call is recorded.
READING = ("pinv", "pinverse", "matrix_rank", "cond", "lstsq")
cast_module(globals(), READING)
record_module(globals(), but=("linalg_tensor", *READING))
