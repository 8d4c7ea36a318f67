"""Eigenvalues of matrices that need not be symmetric: complex numbers."""

from __future__ import annotations

from ..dtypes import dtype as DType
from ..errors import LinAlgError
from ..ir import Type, Value, full, registry
from .complex_numbers import conj
from .contraction import matmul, transpose
from .decomposition import differences, packed, unpack
from .define import opaque
from .matrix import diagonal_matrix, diagonal_vector, solve


def _meaning(xp, x):
    lead, n = x.shape[:-2], x.shape[-1]
    kind = xp.result_type(x.dtype, xp.complex64)
    if not x.size:
        return xp.zeros(lead + (n * (n + 1),), kind)
    try:
        values, vectors = xp.linalg.eig(x)
    except xp.linalg.LinAlgError:
        raise LinAlgError("linalg.eig: The algorithm failed to converge",
                         why="the matrix has infinite or NaN elements") from None
    return packed(xp, (values.astype(kind), lead), (vectors.astype(kind), lead))


def _grad(g, y, x):
    # V^-H (diag(gL) + (V^H gV - V^H V diag(Re V^H gV)) / conj(E)) V^H, with E_ij = L_j - L_i.
    n = x.shape[-1]
    values, vectors = unpack(y, (n,), (n, n))
    gvalues, gvectors = unpack(g, (n,), (n, n))
    turned = conj(transpose(vectors))
    inner = matmul(turned, gvectors)
    length = diagonal_vector(inner)
    only_real = registry["complex"](registry["real"](length), full(length.shape, 0, _real(length)))
    inner = inner - matmul(matmul(turned, vectors), diagonal_matrix(only_real))
    inner = inner / conj(differences(values))
    inner = inner - diagonal_matrix(diagonal_vector(inner)) + diagonal_matrix(gvalues)
    return (solve(turned, matmul(inner, turned)),)


def _real(value: Value) -> DType:
    return value.dtype.to_real()


eig = opaque(
    "eig", "Eigenvalues and eigenvectors of a square matrix, packed; complex.",
    meaning=_meaning, kernel="eig", grad=_grad, floating=True,
    result=lambda x: Type(x.shape[:-2] + (x.shape[-1] * (x.shape[-1] + 1),),
                          x.dtype.to_complex()),
    samples=((((3, 3),), {}), (((0, 2, 2),), {})))
eig.complex = "own"
