"""Linear algebra under the names of `torch.linalg`."""

from __future__ import annotations

from .errors import LinAlgError
from .functions.decomposition import (
    cholesky,
    cholesky_ex,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    lu,
    lu_factor,
    lu_factor_ex,
    qr,
    svd,
    svdvals,
)
from .functions.linalg import linalg_cross as cross
from .functions.linalg import matmul, vector_norm
from .functions.matrix_functions import (
    det,
    inv,
    inv_ex,
    lu_solve,
    slogdet,
    solve,
    solve_ex,
    solve_triangular,
)
from .functions.matrix_norms import cond, lstsq, matrix_norm, matrix_rank, norm, pinv
from .functions.matrix_powers import (
    householder_product,
    matrix_exp,
    matrix_power,
    multi_dot,
    tensorinv,
    tensorsolve,
    vander,
    vecdot,
)
from .functions.shape import diagonal as _diagonal
from .functions.symmetric_factors import ldl_factor, ldl_factor_ex, ldl_solve


def diagonal(A, *, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """The diagonals of the last two axes, as a view."""
    return _diagonal(A, offset, dim1, dim2)


__all__ = [
    "LinAlgError", "eig", "eigvals",
    "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh",
    "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve",
    "lstsq", "lu", "lu_factor", "lu_factor_ex",
    "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals",
    "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]
