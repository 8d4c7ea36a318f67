"""Contraction: sums of products."""

from __future__ import annotations

from ..ir import Type, Value
from .define import opaque
from .movement import permute


def transpose(x: Value) -> Value:
    """Swap the last two axes."""
    order = tuple(range(x.ndim - 2)) + (x.ndim - 1, x.ndim - 2)
    return permute(x, order=order)


matmul = opaque(
    "matmul", "Rows of a times columns of b; leading axes are batches and must be equal.",
    meaning=lambda xp, a, b: xp.matmul(a, b),
    result=lambda a, b: Type(a.shape[:-1] + b.shape[-1:], a.dtype),
    grad=lambda g, y, a, b: (matmul(g, transpose(b)), matmul(transpose(a), g)),
    kernel="matmul",
    samples=((((2, 3), (3, 4)), {}), (((2, 2, 3), (2, 3, 1)), {}), (((1, 0), (0, 2)), {})))
