"""Inverses, determinants, systems of linear equations, functions of matrices.

The last two axes of a tensor are a matrix, all others count matrices.
"""

from __future__ import annotations

import math
from typing import Any

from .. import base, dtypes, ir, ops
from ..base import TensorBase
from ..errors import DTypeError, ShapeError, StateError, shape_text
from ..replay.recorded import record_module
from . import elementwise as e
from . import linalg, reduction
from . import shape as s
from .complex_numbers import real
from .decomposition import check_matrix, permuted_rows
from .operands import broadcast_shape

m = ops.matrix
_pair = reduction._pair
SlogdetResult = _pair("linalg_slogdet", "sign", "logabsdet")
InverseResult = _pair("linalg_inv_ex", "inverse", "info")
SolveResult = _pair("linalg_solve_ex", "result", "info")


def _info(shape: tuple[int, ...]) -> Any:
    return base.wrap(ir.full(tuple(shape), 0, dtypes.int32))


def inv(A: TensorBase, *, out: Any = None) -> Any:
    """The inverse of a square matrix: A inv(A) = 1.

    Shape: (*, N, N) -> (*, N, N).

    Raises:
        StateError: a matrix is singular (when it is computed).

    Example:
        >>> import lampion as torch
        >>> torch.linalg.inv(torch.tensor([[2., 0.], [0., 4.]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    check_matrix("linalg.inv", A, True)
    found = base.call(m.inverse, (A,), {}, label="linalg_inv_ex")
    return found if out is None else out.copy_(found)


def inv_ex(A: TensorBase, *, check_errors: bool = False) -> Any:
    """The inverse, and 0 for each matrix that has one."""
    return InverseResult(inv(A), _info(A._shape[:-2]))


def det(A: TensorBase) -> Any:
    """The determinant.

    Shape: (*, N, N) -> (*).

    Example:
        >>> import lampion as torch
        >>> torch.linalg.det(torch.tensor([[2., 0.], [0., 4.]]))
        tensor(8.)
    """
    check_matrix("linalg.det", A, True)
    return base.call(m.determinant, (A,), {}, label="linalg_det")


def slogdet(A: TensorBase) -> Any:
    """The sign of the determinant, and the logarithm of its absolute value.

    Shape: (*, N, N) -> sign (*), logabsdet (*).
    """
    check_matrix("linalg.slogdet", A, True)
    return SlogdetResult(base.call(m.determinant_sign, (A,), {}, label="linalg_slogdet"),
                         real(base.call(m.log_determinant, (A,), {}, label="linalg_slogdet")))


def logdet(input: TensorBase) -> Any:
    """The logarithm of the determinant; NaN where that is negative."""
    check_matrix("logdet", input, True)
    sign, value = slogdet(input)
    return e.where(e.eq(sign, -1), math.nan, value)


# --- equations -----------------------------------------------------------------------------------


def _equal_types(name: str, A: TensorBase, B: TensorBase) -> None:
    base.require_tensor(B, name, "B")
    if A._dtype is not B._dtype:
        raise DTypeError(f"{name}: Expected A and B to have the same dtype, but found A of type "
                         f"{A._dtype.name} and B of type {B._dtype.name} instead",
                         fix="B.to(A.dtype)")


def _is_vector(A: TensorBase, B: TensorBase) -> bool:
    return len(B._shape) == 1 or (
        len(B._shape) == len(A._shape) - 1 and tuple(B._shape) == tuple(A._shape[:-1]))


def solve(A: TensorBase, B: TensorBase, *, left: bool = True, out: Any = None) -> Any:
    """The solution X of A X = B.

    Shape: (*, N, N), (*, N, K) or (*, N) -> the shape of B with broadcast batches.

    Args:
        left: False solves X A = B.

    Raises:
        StateError: a matrix is singular (when it is computed).

    Example:
        >>> import lampion as torch
        >>> torch.linalg.solve(torch.tensor([[2., 0.], [0., 4.]]), torch.tensor([2., 2.]))
        tensor([1.0000, 0.5000])
    """
    check_matrix("linalg.solve", A, True)
    _equal_types("linalg.solve", A, B)
    vector = _is_vector(A, B)
    if not vector and len(B._shape) < 2:
        raise ShapeError("linalg.solve: B must be a vector or a batch of matrices")
    if vector and not left:
        raise StateError("linalg.solve: Vector broadcasting of the left hand side is not supported "
                         "for left=False. In this case linalg.solve is equivalent to "
                         "B / A.squeeze(-1)")
    right = s.unsqueeze(B, -1) if vector else B
    found = _solve(A, right, left, "linalg.solve", m.solve, {})
    found = base.own(s.squeeze(found, -1)) if vector else found
    return found if out is None else out.copy_(found)


def _solve(A: TensorBase, B: TensorBase, left: bool, name: str, op: Any, settings: dict) -> Any:
    if B._shape[-2 if left else -1] != A._shape[-1]:
        raise ShapeError(f"{name}: Incompatible shapes of A and B for the equation "
                         f"{'AX = B' if left else 'XA = B'} ({shape_text(A._shape)} and "
                         f"{shape_text(B._shape)})")
    batch = broadcast_shape(name, [A._shape[:-2], B._shape[:-2]])
    a = s.expand(A, batch + tuple(A._shape[-2:]))
    b = s.expand(B, batch + tuple(B._shape[-2:]))
    if left:
        return base.call(op, (a, b), settings, label=name.replace(".", "_"))
    settings = {**settings, "upper": not settings["upper"]} if settings else {}
    found = base.call(op, (s.matrix_t(a), s.matrix_t(b)), settings, label=name.replace(".", "_"))
    return base.own(s.matrix_t(found))


def solve_ex(A: TensorBase, B: TensorBase, *, left: bool = True,
             check_errors: bool = False) -> Any:
    """Like `solve`, with a second result of zeros: 0 says that there is a solution."""
    return SolveResult(solve(A, B, left=left), _info(A._shape[:-2]))


def solve_triangular(A: TensorBase, B: TensorBase, *, upper: bool, left: bool = True,
                     unitriangular: bool = False, out: Any = None) -> Any:
    """The solution X of A X = B, where A is a triangle.

    Shape: (*, N, N), (*, N, K) -> (*, N, K).

    Args:
        upper: which triangle of A is read.
        left: False solves X A = B.
        unitriangular: take the diagonal of A as ones.
    """
    check_matrix("linalg.solve_triangular", A, True)
    _equal_types("linalg.solve_triangular", A, B)
    check_matrix("linalg.solve_triangular", B, argument="B")
    settings = {"upper": bool(upper), "unit": bool(unitriangular)}
    found = _solve(A, B, left, "linalg.solve_triangular", m.triangular_solve, settings)
    return found if out is None else out.copy_(found)


def triangular_solve(b: TensorBase, A: TensorBase, upper: bool = True, transpose: bool = False,
                     unitriangular: bool = False) -> Any:
    """The solution of A X = b with a triangle A, and A (`torch.triangular_solve`)."""
    for x in (b, A):
        if len(base.require_tensor(x, "triangular_solve")._shape) < 2:
            raise ShapeError("torch.triangular_solve: Expected tensors to have at least 2 "
                             f"dimensions, but one has {len(x._shape)}")
    a = s.matrix_t(A) if transpose else A
    found = solve_triangular(a, b, upper=upper != transpose, unitriangular=unitriangular)
    batch = tuple(found._shape[:-2])
    return _pair("triangular_solve", "solution", "cloned_coefficient")(
        found, e.clone(s.expand(A, batch + tuple(A._shape[-2:]))))


def cholesky_solve(B: TensorBase, L: TensorBase, upper: bool = False) -> Any:
    """The solution of A X = B from A's Cholesky factor L."""
    for x, name in ((B, "B"), (L, "A")):
        if len(base.require_tensor(x, "cholesky_solve")._shape) < 2:
            raise ShapeError(f"{name} should have at least 2 dimensions, but has "
                             f"{len(x._shape)} dimensions instead")
    # The other triangle is not read; like PyTorch's, the gradient says nothing about that.
    lower = s.matrix_t(L) if upper else L
    read = base.call(m.triangle, (lower,), {"offset": 0, "upper": False})
    lower = e.add(lower, e.sub(read, lower).detach())
    return solve(linalg.matmul(lower, s.matrix_t(lower)), B)


def cholesky_inverse(L: TensorBase, upper: bool = False) -> Any:
    """The inverse of a matrix from its Cholesky factor."""
    check_matrix("cholesky_inverse", L, True)
    ones = base.wrap(m.diagonal_matrix(ir.full(tuple(L._shape[:-1]), 1, L._dtype)))
    return cholesky_solve(ones, L, upper)


def lu_solve(LU: TensorBase, pivots: TensorBase, B: TensorBase, *, left: bool = True,
             adjoint: bool = False) -> Any:
    """The solution of A X = B from what `lu_factor` returns (`torch.linalg.lu_solve`).

    Args:
        left: False solves X A = B.
        adjoint: solve with the transpose of A.
    """
    check_matrix("linalg.lu_solve", LU, True)
    if pivots._dtype is not dtypes.int32:
        raise StateError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32. "
                         f"Got {pivots._dtype.name}", fix="pivots.int()")
    if not left:
        return base.own(s.matrix_t(lu_solve(LU, pivots, s.matrix_t(B), adjoint=not adjoint)))
    batch = broadcast_shape("linalg.lu_solve", [LU._shape[:-2], B._shape[:-2]])
    factor = s.expand(LU, batch + tuple(LU._shape[-2:]))
    b = s.expand(B, batch + tuple(B._shape[-2:]))
    order = s.expand(pivots, batch + tuple(pivots._shape[-1:]))
    if not adjoint:
        half = solve_triangular(factor, permuted_rows(b, order), upper=False, unitriangular=True)
        return solve_triangular(factor, half, upper=True)
    turned = s.matrix_t(factor)
    half = solve_triangular(turned, b, upper=False)
    half = solve_triangular(turned, half, upper=True, unitriangular=True)
    ones = base.wrap(m.diagonal_matrix(ir.full((*batch, LU._shape[-1]), 1, LU._dtype)))
    return linalg.matmul(s.matrix_t(permuted_rows(ones, order)), half)


def lu_solve_old(b: TensorBase, LU_data: TensorBase, LU_pivots: TensorBase) -> Any:
    """The solution of A X = b from what `lu_factor` returns (`torch.lu_solve`)."""
    return lu_solve(LU_data, LU_pivots, b)


record_module(globals())
