"""Singular values of large matrices of low rank, from random projections.

Source: Halko, Martinsson and Tropp 2009, https://arxiv.org/abs/0909.4061, algorithms 4.4 and 5.1.
"""

from __future__ import annotations

from typing import Any

from .. import base
from ..base import TensorBase
from ..errors import ArgumentError
from . import elementwise as e
from . import random, reduction
from . import shape as s
from .decomposition import check_matrix, qr, svd
from .linalg import matmul


def _basis(A: TensorBase, q: int, niter: int) -> Any:
    """q orthonormal columns that nearly span A's."""
    projection = random.randn(A._shape[-1], q, dtype=A._dtype)
    found = qr(matmul(A, projection)).Q
    for _ in range(niter):
        found = qr(matmul(s.matrix_t(A), found)).Q
        found = qr(matmul(A, found)).Q
    return found


def svd_lowrank(A: TensorBase, q: int | None = 6, niter: int | None = 2,
                M: TensorBase | None = None) -> tuple:
    """The largest singular values, and their vectors, of a matrix of low rank: nearly A.

    A = U diag(S) V^T, from a projection onto q random directions.

    Shape: (*, M, N) -> U (*, M, q), S (*, q), V (*, N, q).

    Args:
        q: how many singular values; slightly more than the rank.
        niter: rounds that sharpen the directions, 0 or more.
        M: subtracted from A first; it broadcasts.

    Example:
        >>> import lampion as torch
        >>> u, s, v = torch.svd_lowrank(torch.ones(20, 30), q=2)
        >>> bool((s[0] - 600 ** 0.5).abs() < 1e-3)
        True
    """
    check_matrix("svd_lowrank", A)
    x = A if M is None else e.sub(A, s.broadcast_to(base.require_tensor(M, "svd_lowrank", "M"),
                                                    A._shape))
    wide = x._shape[-2] < x._shape[-1]
    x = s.matrix_t(x) if wide else x
    found = _basis(x, 6 if q is None else q, 2 if niter is None else niter)
    u, values, vh = svd(matmul(s.matrix_t(found), x), False)
    u, v = matmul(found, u), s.matrix_t(vh)
    return (v, values, u) if wide else (u, values, v)


def pca_lowrank(A: TensorBase, q: int | None = None, center: bool = True, niter: int = 2) -> tuple:
    """The principal components of rows of features, from random projections.

    The columns of V are the directions, S^2 / (M - 1) the variances along them.

    Shape: (*, M, N) -> U (*, M, q), S (*, q), V (*, N, q).

    Args:
        q: how many components; None for min(6, M, N).
        center: subtract the mean row first.
        niter: rounds that sharpen the directions, 0 or more.

    Raises:
        ArgumentError: q is not between 0 and min(M, N), or niter is negative.

    Example:
        >>> import lampion as torch
        >>> rows = torch.arange(6.).reshape(6, 1) * torch.tensor([[3., 4.]])
        >>> _, _, v = torch.pca_lowrank(rows, q=1)
        >>> v.abs()
        tensor([[0.6000],
                [0.8000]])
    """
    check_matrix("pca_lowrank", A)
    most = min(A._shape[-2:])
    q = min(6, most) if q is None else q
    if not 0 <= q <= most:
        raise ArgumentError(f"q(={q}) must be non-negative integer and not greater than "
                            f"min(m, n)={most}")
    if niter < 0:
        raise ArgumentError(f"niter(={niter}) must be non-negative integer")
    x = e.sub(A, reduction.mean(A, -2, True)) if center else A
    return svd_lowrank(x, q, niter)
