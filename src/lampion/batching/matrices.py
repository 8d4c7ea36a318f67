"""Rules for products, and for ops whose last two axes are matrices."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Value, registry
from .lanes import Lanes, fold, unfold
from .rules import pointwise


def _matmul(lanes: Lanes) -> Value:
    a, b = lanes.inputs
    left, right = lanes.mapped
    if left and not right and b.ndim == 2:
        # One matrix for all elements: their rows are the rows of one product.
        rows = registry["reshape"](a, shape=(_rows(a), a.shape[-1]))
        found = registry["matmul"](rows, b)
        return registry["reshape"](found, shape=(*a.shape[:-1], b.shape[-1]))
    if right and not left and a.ndim == 2:
        # Their columns are the columns of one product.
        found = registry["matmul"](a, fold(b, 1))
        return unfold(found, lanes.size, 1)
    return registry["matmul"](*lanes.all())


def _rows(a: Value) -> int:
    rows = 1
    for n in a.shape[:-1]:
        rows *= n
    return rows


# Their leading axes count matrices already.
MATRICES = (
    "triangle", "diagonal_vector", "diagonal_matrix", "inverse", "solve", "triangular_solve",
    "cofactor", "determinant", "determinant_sign", "log_determinant", "pivots", "pivot_order",
    "pseudoinverse", "matrix_exponential", "cholesky", "qr", "eigh", "svd", "singular_values",
    "lu", "eig",
)
RULES: dict[str, Callable[..., Value]] = {"matmul": _matmul, **dict.fromkeys(MATRICES, pointwise)}
