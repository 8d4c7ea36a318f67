"""L D L^T of symmetric matrices that need not be positive: Bunch and Kaufman's pivoting.

Results are packed as LAPACK's sytrf packs them, for the lower triangle: L below the diagonal, D on
it (and beside it, where D has a block of two), the exchanges of rows as numbers from 1. All
functions here read their tensors.

Source: Golub and Van Loan, Matrix Computations, 4th edition, section 4.4.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import base, dtypes, ir
from ..base import TensorBase
from ..errors import DTypeError, LinAlgError, ShapeError, StateError, shape_text
from . import reduction
from .decomposition import check_matrix

FactorResult = reduction._pair("linalg_ldl_factor", "LD", "pivots")
FactorExResult = reduction._pair("linalg_ldl_factor_ex", "LD", "pivots", "info")
# Bounds the growth of elements, whichever kind of pivot is taken.
ALPHA = (1 + math.sqrt(17)) / 8


def _pivot(a: np.ndarray, k: int) -> tuple[int, int]:
    """The row to bring to the front at step k, and the size of the block, 1 or 2."""
    n, own = len(a), abs(a[k, k])
    if k == n - 1:
        return k, 1
    most = k + 1 + int(np.argmax(np.abs(a[k + 1:, k])))
    column = abs(a[most, k])
    if max(own, column) == 0 or own >= ALPHA * column:
        return k, 1
    row = max(np.abs(a[most, k:most]).max(), np.abs(a[most + 1:, most]).max(initial=0))
    if own >= ALPHA * column * (column / row):
        return k, 1
    return most, 1 if abs(a[most, most]) >= ALPHA * row else 2


def _exchange(a: np.ndarray, k: int, first: int, second: int) -> None:
    """Exchange two rows and columns of a symmetric matrix of which the lower triangle is kept."""
    below = slice(second + 1, None)
    a[below, [first, second]] = a[below, [second, first]]
    kept = a[first + 1:second, first].copy()
    a[first + 1:second, first] = a[second, first + 1:second]
    a[second, first + 1:second] = kept
    a[first, first], a[second, second] = a[second, second], a[first, first]
    if first > k:
        a[first, k], a[second, k] = a[second, k], a[first, k]


def _factor(a: np.ndarray) -> tuple[np.ndarray, int]:
    """Factor one matrix in place; return the exchanges, and where D is singular (from 1)."""
    n, k, info = len(a), 0, 0
    exchanges = np.zeros(n, np.int32)
    while k < n:
        row, size = _pivot(a, k)
        end = k + size - 1
        if row != end:
            _exchange(a, k, end, row)
        exchanges[k:k + size] = row + 1 if size == 1 else -(row + 1)
        block = np.tril(a[k:k + size, k:k + size])
        block = block + np.tril(block, -1).T
        below = a[k + size:, k:k + size].copy()
        if size == 1 and block[0, 0] == 0:
            info = info or k + 1
        else:
            factors = np.linalg.solve(block, below.T).T
            rest = a[k + size:, k + size:]
            rest -= np.tril(factors @ below.T)
            a[k + size:, k:k + size] = factors
        k += size
    return exchanges, info


def _factored(name: str, A: TensorBase) -> tuple[Any, Any, Any]:
    check_matrix(name, A, True)
    lead, n = tuple(A._shape[:-2]), A._shape[-1]
    matrices = np.tril(A._read()).reshape(math.prod(lead), n, n).copy()
    found = [_factor(matrix) for matrix in matrices]
    exchanges = np.array([x for x, _ in found], np.int32).reshape((*lead, n))
    info = np.array([x for _, x in found], np.int32).reshape(lead)
    return (base.wrap(ir.leaf(matrices.reshape((*lead, n, n)), A._dtype)),
            base.wrap(ir.leaf(exchanges, dtypes.int32)), base.wrap(ir.leaf(info, dtypes.int32)))


def ldl_factor(A: TensorBase, *, hermitian: bool = False) -> Any:
    """A = L D L^T of a symmetric matrix, packed, and the exchanges of rows.

    Only A's lower triangle is read; there is no gradient.

    Shape: (*, N, N) -> LD (*, N, N), pivots (*, N) of int32.

    Args:
        hermitian: the same for real matrices.

    Raises:
        LinAlgError: D is singular.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.ldl_factor(torch.tensor([[4., 2.], [2., 3.]])).LD
        tensor([[4.0000, 0.0000],
                [0.5000, 2.0000]])
    """
    packed, pivots, info = _factored("torch.linalg.ldl_factor_ex", A)
    _refuse_singular(info)
    return FactorResult(packed, pivots)


def ldl_factor_ex(A: TensorBase, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """Like `ldl_factor`, with a third result: 0, or where D is singular, counted from 1.

    Args:
        check_errors: raise where D is singular.
    """
    found = FactorExResult(*_factored("torch.linalg.ldl_factor_ex", A))
    if check_errors:
        _refuse_singular(found.info)
    return found


def _refuse_singular(info: TensorBase) -> None:
    places = info._read().reshape(-1)
    if places.any():
        raise LinAlgError(f"torch.linalg.ldl_factor_ex: The diagonal element "
                          f"{int(places[places != 0][0])} of D is zero",
                          why="it would be divided by when a system is solved",
                          fix="torch.linalg.ldl_factor_ex, or a matrix that is not singular")


def _solve(a: np.ndarray, pivots: np.ndarray, b: np.ndarray) -> None:
    """Solve one system in place."""
    n, k = len(a), 0
    blocks = []
    while k < n:
        size = 1 if pivots[k] > 0 else 2
        row, end = abs(int(pivots[k])) - 1, k + size - 1
        blocks.append((k, size, row, end))
        b[[row, end]] = b[[end, row]]
        b[k + size:] -= a[k + size:, k:k + size] @ b[k:k + size]
        block = np.tril(a[k:k + size, k:k + size])
        b[k:k + size] = np.linalg.solve(block + np.tril(block, -1).T, b[k:k + size])
        k += size
    for k, size, row, end in reversed(blocks):
        b[k:k + size] -= a[k + size:, k:k + size].T @ b[k + size:]
        b[[row, end]] = b[[end, row]]


def ldl_solve(LD: TensorBase, pivots: TensorBase, B: TensorBase, *,
              hermitian: bool = False) -> Any:
    """The X with A X = B, from what `ldl_factor` returns for A; there is no gradient.

    Shape: (*, N, N), (*, N), (*, N, K) -> (*, N, K), with broadcast axes in front.

    Args:
        hermitian: the same for real matrices.

    Raises:
        ShapeError: the sizes do not fit.
        DTypeError: LD and B differ in type.

    Example:
        >>> import lampion as torch
        >>> a = torch.tensor([[4., 2.], [2., 3.]])
        >>> torch.linalg.ldl_solve(*torch.linalg.ldl_factor(a), torch.tensor([[8.], [8.]]))
        tensor([[1.],
                [2.]])
    """
    check_matrix("torch.linalg.ldl_solve", LD, True)
    if len(B._shape) < 2:
        raise ShapeError("torch.linalg.ldl_solve: Expected B to have at least 2 dimensions, but it "
                         f"has {len(B._shape)} dimensions instead", fix="B.unsqueeze(-1)")
    if B._shape[-2] != LD._shape[-1] or tuple(pivots._shape) != tuple(LD._shape[:-1]):
        raise ShapeError(f"torch.linalg.ldl_solve: LD is {shape_text(LD._shape)}, pivots "
                         f"{shape_text(pivots._shape)}, B {shape_text(B._shape)}: Expected "
                         "LD.shape[-1] to be B.shape[-2], and LD.shape[:-1] to be pivots.shape")
    if pivots._dtype not in (dtypes.int32, dtypes.int64):
        raise StateError("torch.linalg.ldl_solve: Expected pivots to be integers. Got "
                         f"{pivots._dtype.name}")
    if LD._dtype is not B._dtype:
        raise DTypeError(f"torch.linalg.ldl_solve: LD dtype {LD._dtype.name} does not match B "
                         f"dtype {B._dtype.name}", fix="B.to(LD.dtype)")
    lead = np.broadcast_shapes(LD._shape[:-2], B._shape[:-2])
    n, count = B._shape[-2:]
    many = math.prod(lead)
    packed = np.broadcast_to(LD._read(), (*lead, n, n)).reshape(many, n, n)
    order = np.broadcast_to(pivots._read(), (*lead, n)).reshape(many, n)
    result = np.broadcast_to(B._read(), (*lead, n, count)).reshape(many, n, count).copy()
    for k in range(many):
        _solve(packed[k], order[k], result[k])
    return base.wrap(ir.leaf(result.reshape((*lead, n, count)), B._dtype))
