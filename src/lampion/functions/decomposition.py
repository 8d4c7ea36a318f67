"""Decompositions of matrices: Cholesky, QR, eigenvalues, singular values, LU.

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
from . import indexing, reduction
from . import shape as s
from .complex_numbers import conj, real
from .creation import tril, triu

d = ops.decomposition
_pair = reduction._pair
CholeskyResult = _pair("linalg_cholesky_ex", "L", "info")
EighResult = _pair("linalg_eigh", "eigenvalues", "eigenvectors")
QRResult = _pair("linalg_qr", "Q", "R")
SVDResult = _pair("linalg_svd", "U", "S", "Vh")
EigResult = _pair("linalg_eig", "eigenvalues", "eigenvectors")
OldSVDResult = _pair("svd", "U", "S", "V")
LUResult = _pair("linalg_lu", "P", "L", "U")
LUFactorResult = _pair("linalg_lu_factor", "LU", "pivots")
LUFactorExResult = _pair("linalg_lu_factor_ex", "LU", "pivots", "info")


def check_matrix(name: str, x: Any, square: bool = False, argument: str = "A") -> TensorBase:
    """Return x if it is a floating tensor of matrices; raises what PyTorch raises otherwise."""
    base.require_tensor(x, name)
    if len(x._shape) < 2:
        raise ShapeError(f"{name}: The input tensor {argument} must have at least 2 dimensions: it "
                         f"is {shape_text(x._shape)}", fix="x.unsqueeze(0)")
    if square and x._shape[-1] != x._shape[-2]:
        raise ShapeError(f"{name}: {argument} must be batches of square matrices, but they are "
                         f"{x._shape[-2]} by {x._shape[-1]} matrices")
    if not x._dtype.is_inexact:
        raise DTypeError(f"{name}: Expected a floating point or complex tensor as input. Got "
                         f"{x._dtype.name}", fix="x.float()")
    if x._dtype in (dtypes.float16, dtypes.bfloat16):
        raise DTypeError(f"{name}: Low precision dtypes not supported. Got {x._dtype.name}",
                         fix="x.float()")
    return x


def _parts(packed: TensorBase, *shapes: tuple[int, ...]) -> list[Any]:
    found, start = [], 0
    for shape in shapes:
        size = math.prod(shape)
        piece = s.narrow(packed, -1, start, size)
        found.append(base.own(s.reshape(piece, packed._shape[:-1] + shape)))
        start += size
    return found


def _info(x: TensorBase) -> Any:
    return base.wrap(ir.full(tuple(x._shape[:-2]), 0, dtypes.int32))


def cholesky(A: TensorBase, *, upper: bool = False, out: Any = None) -> Any:
    """The Cholesky factor of a symmetric positive-definite matrix.

    A = L L^T with L a lower triangle; only A's lower triangle is read.

    Shape: (*, N, N) -> (*, N, N).

    Args:
        upper: return L^T, an upper triangle, instead.

    Raises:
        StateError: the matrix is not positive-definite.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.cholesky(torch.tensor([[4., 2.], [2., 5.]]))
        tensor([[2., 0.],
                [1., 2.]])

    Source: Golub and Van Loan, Matrix Computations, 4th edition, section 4.2.
    """
    check_matrix("linalg.cholesky", A, True)
    found = base.call(d.cholesky, (s.matrix_t(A) if upper else A,), {}, label="linalg_cholesky")
    found = s.matrix_t(found) if upper else found
    return found if out is None else out.copy_(found)


def cholesky_old(input: TensorBase, upper: bool = False, *, out: Any = None) -> Any:
    """The Cholesky factor (`torch.cholesky`); see `linalg.cholesky`."""
    check_matrix("cholesky", input, True)
    # The old function reads the triangle that it returns.
    return cholesky(input, upper=upper, out=out)


def cholesky_ex(A: TensorBase, *, upper: bool = False, check_errors: bool = False) -> Any:
    """The Cholesky factor, and 0 for each matrix that has one.

    Returns:
        (L, info). A matrix that is not positive-definite raises when it is computed.
    """
    check_matrix("linalg.cholesky_ex", A, True)
    return CholeskyResult(cholesky(A, upper=upper), _info(A))


def qr(A: TensorBase, mode: str = "reduced") -> Any:
    """A matrix with orthonormal columns Q, and an upper triangle R, whose product is A.

    Shape: (*, M, N) -> Q (*, M, K), R (*, K, N), K = min(M, N), or M if complete.

    Args:
        mode: "reduced", "complete", or "r" for R alone (Q is then empty).

    Example:
        >>> import lampion as torch
        >>> a = torch.tensor([[3., 0.], [4., 5.]])
        >>> q, r = torch.linalg.qr(a)
        >>> torch.allclose(q @ r, a)
        True

    Source: Golub and Van Loan, Matrix Computations, 4th edition, section 5.2.
    """
    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise StateError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' "
                         "(default), 'r', or 'complete'")
    complete = mode == "complete"
    packed = base.call(d.qr, (A,), {"complete": complete}, label="linalg_qr")
    q, r = _parts(packed, *d.qr_shapes(A._value, complete))
    if mode == "r":
        r = r.detach()  # without Q there is no gradient
        q = base.wrap(ir.full((0,), 0, A._dtype))
    return QRResult(q, r)


def qr_old(input: TensorBase, some: bool = True) -> Any:
    """Q and R (`torch.qr`); see `linalg.qr`. `some` means reduced."""
    return qr(input, "reduced" if some else "complete")


def _triangle_name(name: str, UPLO: str) -> bool:
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise StateError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


def eigh(A: TensorBase, UPLO: str = "L") -> Any:
    """Eigenvalues, rising, and orthonormal eigenvectors of a symmetric matrix.

    A = V diag(w) V^T.

    Shape: (*, N, N) -> w (*, N), V (*, N, N).

    Args:
        UPLO: which triangle is read, "L" or "U".

    Example:
        >>> import lampion as torch
        >>> torch.linalg.eigh(torch.tensor([[2., 1.], [1., 2.]])).eigenvalues
        tensor([1., 3.])
    """
    upper = _triangle_name("linalg.eigh", UPLO)
    check_matrix("linalg.eigh", A, True)
    packed = base.call(d.eigh, (A,), {"upper": upper}, label="linalg_eigh")
    n = A._shape[-1]
    values, vectors = _parts(packed, (n,), (n, n))
    return EighResult(real(values), vectors)


def eigvalsh(A: TensorBase, UPLO: str = "L") -> Any:
    """The eigenvalues of a symmetric matrix, rising."""
    upper = _triangle_name("linalg.eigvalsh", UPLO)
    check_matrix("linalg.eigvalsh", A, True)
    packed = base.call(d.eigh, (A,), {"upper": upper}, label="linalg_eigh")
    return real(_parts(packed, (A._shape[-1],))[0])


def eig(A: TensorBase) -> Any:
    """The eigenvalues and eigenvectors of a square matrix, in no order.

    A = V diag(w) V^-1.

    Shape: (*, N, N) -> w (*, N), V (*, N, N), both complex.

    Raises:
        StateError: the matrix has infinite or NaN elements.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.eig(torch.tensor([[0., -1.], [1., 0.]])).eigenvalues
        tensor([0.+1.j, 0.-1.j])
    """
    check_matrix("linalg.eig", A, True)
    packed = base.call(ops.eigenvalues.eig, (A,), {}, label="linalg_eig")
    n = A._shape[-1]
    return EigResult(*_parts(packed, (n,), (n, n)))


def eigvals(A: TensorBase) -> Any:
    """The eigenvalues of a square matrix, complex, in no order.

    Shape: (*, N, N) -> (*, N).
    """
    return eig(A).eigenvalues


def svd(A: TensorBase, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """The singular value decomposition: A = U diag(S) V^T.

    Shape: (*, M, N) -> U (*, M, M), S (*, K), V^T (*, N, N) with K = min(M, N); without
        full_matrices U is (*, M, K) and V^T (*, K, N).

    Args:
        full_matrices: fill U and V up to square matrices.
        driver: for cuSOLVER only; must be None.

    Example:
        >>> import lampion as torch
        >>> torch.linalg.svd(torch.tensor([[0., 2.], [1., 0.]])).S
        tensor([2., 1.])
    """
    check_matrix("linalg.svd", A)
    _no_driver("linalg.svd", driver)
    packed = base.call(d.svd, (A,), {"complete": bool(full_matrices)}, label="linalg_svd")
    u, values, v = _parts(packed, *d.svd_shapes(A._value, bool(full_matrices)))
    return SVDResult(u, real(values), v)


def _no_driver(name: str, driver: Any) -> None:
    if driver is not None:
        raise StateError(f"{name}: keyword argument `driver=` is only supported on CUDA inputs "
                         "with cuSOLVER backend.", fix="no driver")


def svd_old(input: TensorBase, some: bool = True, compute_uv: bool = True) -> Any:
    """U, S and V (`torch.svd`): V is not transposed, and reduced by default."""
    check_matrix("svd", input)
    if not compute_uv:
        m, n = input._shape[-2:]
        lead = tuple(input._shape[:-2])
        return OldSVDResult(base.wrap(ir.full((*lead, m, m), 0, input._dtype)), svdvals(input),
                            base.wrap(ir.full((*lead, n, n), 0, input._dtype)))
    u, values, v = svd(input, not some)
    return OldSVDResult(u, values, conj(s.matrix_t(v)))


def svdvals(A: TensorBase, *, driver: str | None = None) -> Any:
    """The singular values, falling.

    Shape: (*, M, N) -> (*, min(M, N)).
    """
    check_matrix("linalg.svdvals", A)
    _no_driver("linalg.svdvals", driver)
    return real(base.call(d.singular_values, (A,), {}, label="linalg_svd"))


# --- LU ------------------------------------------------------------------------------------------


def _lu_parts(A: TensorBase) -> list[Any]:
    packed = base.call(d.lu, (A,), {}, label="linalg_lu")
    order, lower, upper = _parts(packed, *d.lu_shapes(A._value))
    return [order.detach(), lower, upper]


def _check_pivot(name: str, pivot: bool) -> None:
    if not pivot:
        raise StateError(f"{name}: LU without pivoting is not implemented on the CPU",
                         fix="pivot=True")


def lu(A: TensorBase, *, pivot: bool = True) -> Any:
    """A permutation, a lower and an upper triangle whose product is A.

    A = P L U, L with ones on its diagonal.

    Shape: (*, M, N) -> P (*, M, M), L (*, M, K), U (*, K, N), K = min(M, N).

    Example:
        >>> import lampion as torch
        >>> p, l, u = torch.linalg.lu(torch.tensor([[0., 2.], [4., 1.]]))
        >>> u
        tensor([[4., 1.],
                [0., 2.]])
    """
    check_matrix("linalg.lu", A)
    _check_pivot("linalg.lu", pivot)
    order, lower, upper = _lu_parts(A)
    return LUResult(base.wrap(d.permutation_of(order._value)), lower, upper)


def lu_factor(A: TensorBase, *, pivot: bool = True) -> Any:
    """L and U in one matrix, and the exchanges of rows as LAPACK counts them.

    Shape: (*, M, N) -> LU (*, M, N), pivots (*, min(M, N)) of int32, counted from 1.
    """
    return LUFactorResult(*lu_factor_ex(A, pivot=pivot)[:2])


def lu_factor_ex(A: TensorBase, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """Like `lu_factor`, with a third result of zeros: 0 says that the factorization succeeded."""
    check_matrix("torch.linalg.lu_factor_ex", A)
    _check_pivot("linalg.lu_factor", pivot)
    order, lower, upper = _lu_parts(A)
    m, n = A._shape[-2:]
    k = min(m, n)
    below = tril(lower, -1)
    if n > k:
        below = s.cat([below, lower.new_zeros(*lower._shape[:-1], n - k)], -1)
    if m > k:
        upper = s.cat([upper, upper.new_zeros(*upper._shape[:-2], m - k, n)], -2)
    pivots = base.call(ops.matrix.pivots, (order,), {"count": k})
    return LUFactorExResult(e.add(below, upper), pivots, _info(A))


def lu_old(A: TensorBase, pivot: bool = True, get_infos: bool = False) -> tuple:
    """L and U in one matrix, and the exchanges of rows (`torch.lu`); see `linalg.lu_factor`.

    Args:
        get_infos: return zeros for each matrix as well.
    """
    found = tuple(lu_factor_ex(A, pivot=pivot))
    return found if get_infos else found[:2]


def lu_unpack(LU_data: TensorBase, LU_pivots: TensorBase, unpack_data: bool = True,
              unpack_pivots: bool = True) -> Any:
    """P, L and U from what `lu_factor` returns."""
    if LU_pivots._dtype is not dtypes.int32:
        raise StateError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of "
                         "torch.int32 dtype.", fix="pivots.int()")
    m, n = LU_data._shape[-2:]
    k = min(m, n)
    nothing = base.wrap(ir.full((0,), 0, LU_data._dtype))
    parts = [nothing, nothing, nothing]
    if unpack_pivots:
        order = base.call(ops.matrix.pivot_order, (LU_pivots,), {"rows": m}).to(LU_data._dtype)
        parts[0] = base.wrap(d.permutation_of(order._value))
    if unpack_data:
        ones = base.wrap(ops.matrix.diagonal_matrix(
            ir.full((*LU_data._shape[:-2], k), 1, LU_data._dtype)))
        if m > k:
            ones = s.cat([ones, ones.new_zeros(*ones._shape[:-2], m - k, k)], -2)
        parts[1] = e.add(tril(s.narrow(LU_data, -1, 0, k), -1), ones)
        parts[2] = triu(s.narrow(LU_data, -2, 0, k))
    return _pair("lu_unpack", "P", "L", "U")(*parts)


def permuted_rows(x: TensorBase, pivots: TensorBase) -> Any:
    """The rows of x after the exchanges that `lu_factor` made."""
    order = base.call(ops.matrix.pivot_order, (pivots,), {"rows": x._shape[-2]})
    index = s.expand(s.unsqueeze(order, -1), tuple(x._shape))
    return indexing.gather(x, len(x._shape) - 2, index)


record_module(globals(), but=("check_matrix",))
