"""Householder reflections as LAPACK packs them: R above the diagonal, vectors below it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import base, ir
from ..base import TensorBase
from ..errors import ShapeError, shape_text
from . import elementwise as e
from . import linalg, reduction
from . import shape as s
from .creation import tril
from .decomposition import check_matrix

GeqrfResult = reduction._pair("geqrf", "a", "tau")


def geqrf(input: TensorBase) -> Any:
    """R of a QR decomposition, and the reflections whose product is Q (reads the tensor).

    Shape: (*, M, N) -> a (*, M, N), tau (*, min(M, N)).

    Returns:
        (a, tau): R on and above a's diagonal, the vectors v of Q = (1 - tau v v^T) ... below it.

    Example:
        >>> import lampion as torch
        >>> a, tau = torch.geqrf(torch.tensor([[3.], [4.]]))
        >>> a[0]
        tensor([-5.])

    Source: Golub and Van Loan, Matrix Computations, 4th edition, section 5.2.
    """
    check_matrix("geqrf", input)
    array = input._read()
    rows, columns = array.shape[-2:]
    flat = array.reshape(-1, rows, columns) if array.size else array.reshape((0, rows, columns))
    packed, factors = np.array(flat), np.zeros((len(flat), min(rows, columns)), array.dtype)
    for k, matrix in enumerate(flat):
        reflections, factors[k] = np.linalg.qr(matrix, mode="raw")
        packed[k] = reflections.T
    lead = tuple(input._shape[:-2])
    return GeqrfResult(
        base.wrap(ir.leaf(packed.reshape(input._shape), input._dtype)),
        base.wrap(ir.leaf(np.ascontiguousarray(factors.reshape((*lead, factors.shape[-1]))),
                          input._dtype)))


def ormqr(input: TensorBase, tau: TensorBase, other: TensorBase, left: bool = True,
          transpose: bool = False) -> Any:
    """A matrix times the square Q of packed reflections, without making Q.

    Shape: (*, M, K), (*, K), (*, M, N) -> (*, M, N); from the right (*, N, M) -> (*, N, M).

    Args:
        input, tau: the reflections, as `geqrf` gives them.
        other: the matrix.
        left: Q other; else other Q.
        transpose: Q^T in the place of Q.

    Raises:
        ShapeError: the sizes do not fit.

    Example:
        >>> import lampion as torch
        >>> a = torch.tensor([[3.], [4.]])
        >>> torch.ormqr(*torch.geqrf(a), a, transpose=True).round(decimals=4)
        tensor([[-5.],
                [-0.]])
    """
    for name, x in (("input", input), ("other", other)):
        check_matrix("ormqr", x, argument=name)
    size, count = input._shape[-2], tau._shape[-1]
    if other._shape[-2 if left else -1] != size or count > input._shape[-1] or (
            input._shape[-1] > size):
        side = "-2" if left else "-1"
        raise ShapeError(
            f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2], and tau.shape[-1] "
            f"at most input.shape[-1]: {shape_text(input._shape)}, {shape_text(tau._shape)}, "
            f"{shape_text(other._shape)}")
    lead = tuple(input._shape[:-2])
    if tuple(tau._shape[:-1]) != lead or tuple(other._shape[:-2]) != lead:
        raise ShapeError(f"torch.ormqr: the batch axes differ: {shape_text(input._shape)}, "
                         f"{shape_text(tau._shape)}, {shape_text(other._shape)}")
    below, result = tril(input, -1), other
    # The last reflection of Q meets a matrix on the right first; transposing turns the order.
    order = range(count) if left == transpose else reversed(range(count))
    for k in order:
        unit = np.zeros((size, 1), input._dtype.array)
        unit[k] = 1
        v = e.add(s.narrow(below, -1, k, 1), base.wrap(ir.leaf(unit, input._dtype)))
        factor = s.unsqueeze(s.narrow(tau, -1, k, 1), -1)
        if left:
            part = linalg.matmul(v, linalg.matmul(s.matrix_t(v), result))
        else:
            part = linalg.matmul(linalg.matmul(result, v), s.matrix_t(v))
        result = e.sub(result, e.mul(factor, part))
    return result if result is not other else e.clone(other)
