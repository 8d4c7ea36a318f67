"""Powers and products of matrices: exponential, powers, chains, Vandermonde, Householder.

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
from .decomposition import check_matrix
from .matrix_functions import inv, solve

m = ops.matrix


def matrix_exp(A: TensorBase) -> Any:
    """The exponential of a matrix: the sum of A^k / k!.

    Shape: (*, N, N) -> (*, N, N).

    Example:
        >>> import lampion as torch
        >>> torch.linalg.matrix_exp(torch.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])

    Source: Moler and Van Loan, Nineteen Dubious Ways to Compute the Exponential of a Matrix,
    method 3 (scaling and squaring).
    """
    check_matrix("linalg.matrix_exp", A, True)
    return base.call(m.matrix_exponential, (A,), {}, label="linalg_matrix_exp")


def matrix_power(A: TensorBase, n: int) -> Any:
    """A square matrix multiplied by itself n times; a negative n inverts it first.

    Shape: (*, N, N) -> (*, N, N).
    """
    base.require_tensor(A, "linalg.matrix_power")
    if len(A._shape) < 2 or A._shape[-1] != A._shape[-2]:
        raise ShapeError(f"linalg.matrix_power: A must be batches of square matrices, but they are "
                         f"{shape_text(A._shape)}")
    if n == 0:
        one = m.diagonal_matrix(ir.full(tuple(A._shape[:-1]), 1, A._dtype))
        return base.call(ops.elementwise.overwrite, (A, one), {}, label="linalg_matrix_power")
    square, count, result = (inv(A) if n < 0 else A), abs(n), None
    while count:
        if count & 1:
            result = square if result is None else linalg.matmul(result, square)
        count >>= 1
        if count:
            square = linalg.matmul(square, square)
    return e.clone(result) if result is A else result


def multi_dot(tensors: Any) -> Any:
    """The product of several matrices, in the order that costs least; the ends may be vectors.

    Source: Cormen et al., Introduction to Algorithms, section 15.2.
    """
    if len(tensors) < 2:
        raise StateError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    for k, x in enumerate(tensors):
        allowed = (1, 2) if k in (0, len(tensors) - 1) else (2,)
        if len(x._shape) not in allowed:
            raise ShapeError(f"multi_dot(): tensor {k} must be {' or '.join(map(str, allowed))}D "
                             f"but got {len(x._shape)}D")
    chain = list(tensors)
    first, last = len(chain[0]._shape) == 1, len(chain[-1]._shape) == 1
    if first:
        chain[0] = s.unsqueeze(chain[0], 0)
    if last:
        chain[-1] = s.unsqueeze(chain[-1], -1)
    for a, b in zip(chain, chain[1:]):
        if a._shape[1] != b._shape[0]:
            raise ShapeError(f"multi_dot(): tensors {shape_text(a._shape)} and "
                             f"{shape_text(b._shape)} cannot be multiplied")
    while len(chain) > 1:
        sizes = [x._shape[1] for x in chain[:-1]]
        k = max(range(len(sizes)), key=sizes.__getitem__)  # the largest inner size goes first
        chain[k:k + 2] = [linalg.mm(chain[k], chain[k + 1])]
    result = chain[0]
    result = s.squeeze(result, 0) if first else result
    return base.own(s.squeeze(result, -1) if last else result)


def vecdot(x: TensorBase, y: TensorBase, *, dim: int = -1) -> Any:
    """The products of vectors along an axis."""
    if x._dtype is not y._dtype:
        raise DTypeError(f"linalg.vecdot: Expected x and y to have the same dtype, but found x of "
                         f"type {x._dtype.name} and y of type {y._dtype.name} instead")
    return reduction.sum(e.mul(x, y), dim, dtype=x._dtype)


def inner(input: TensorBase, other: TensorBase) -> Any:
    """The sums of products along the last axes of both.

    Shape: (*, N), (+, N) -> (*, +).
    """
    if not input._shape or not other._shape:
        return e.mul(input, other)
    if input._shape[-1] != other._shape[-1]:
        raise ShapeError(f"inner() the last dimension must match on both input tensors but got "
                         f"shapes {shape_text(input._shape)} and {shape_text(other._shape)}")
    return linalg.tensordot(input, other, ([-1], [-1]))


def vander(x: TensorBase, *, N: int | None = None) -> Any:
    """Powers 0 ... N - 1 of each element, along a new last axis (`torch.linalg.vander`).

    Shape: (*, n) -> (*, n, N).
    """
    if N is not None and N <= 1:
        raise StateError(f"N must be greater than 1. Got {N}")
    if not x._shape:
        x = s.reshape(x, 1)
    count = x._shape[-1] if N is None else N
    target = x._dtype if x._dtype is not dtypes.bool_ else dtypes.int64
    wide = x.to(target) if target.is_floating_point else x.to(dtypes.int64)
    ones = base.wrap(ir.full((*x._shape, 1), 1, wide._dtype))
    if count == 1:
        return ones
    factors = s.expand(s.unsqueeze(wide, -1), (*x._shape, count - 1))
    return s.cat([ones, reduction.cumprod(factors, -1)], -1)


def vander_old(x: TensorBase, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of the elements of a vector, falling unless increasing (`torch.vander`)."""
    if len(x._shape) != 1:
        raise StateError(f"x must be a one-dimensional tensor, it has {len(x._shape)} dimensions")
    count = x._shape[0] if N is None else N
    if count < 0:
        raise StateError(f"N must be non-negative: {count}")
    if count < 2:
        target = x._dtype if x._dtype.is_floating_point else dtypes.int64
        return base.wrap(ir.full((x._shape[0], count), 1, target))
    powers = vander(x, N=count)
    return powers if increasing else s.flip(powers, (1,))


def tensorinv(A: TensorBase, ind: int = 2) -> Any:
    """The inverse of A for `tensordot` with `ind` axes."""
    if ind <= 0:
        raise StateError("Expected a strictly positive integer for 'ind'")
    first, rest = tuple(A._shape[:ind]), tuple(A._shape[ind:])
    if math.prod(first) != math.prod(rest):
        raise ShapeError("Expected self to satisfy the requirement prod(self.shape[ind:]) == "
                         f"prod(self.shape[:ind]), but got {math.prod(rest)} != "
                         f"{math.prod(first)}")
    return s.reshape(inv(s.reshape(A, math.prod(rest), math.prod(first))), rest + first)


def tensorsolve(A: TensorBase, B: TensorBase, dims: Any = None) -> Any:
    """The X with tensordot(A, X, X.ndim) = B.

    Args:
        dims: axes of A that are moved to its end first.
    """
    if dims is not None:
        A = s.movedim(A, tuple(dims), tuple(range(-len(dims), 0)))
    shape = tuple(A._shape[len(B._shape):])
    if math.prod(shape) != math.prod(B._shape):
        raise ShapeError("Expected self to satisfy the requirement prod(self.shape[other.ndim:]) "
                         f"== prod(self.shape[:other.ndim]), but got {math.prod(shape)} != "
                         f"{math.prod(B._shape)}")
    a = s.reshape(A, math.prod(B._shape), math.prod(shape))
    return s.reshape(solve(a, s.reshape(B, -1)), shape)


def householder_product(A: TensorBase, tau: TensorBase) -> Any:
    """The first columns of a product of reflections 1 - tau v v^T, v in A's columns below 1.

    Shape: (*, M, N), (*, K) -> (*, M, N), K <= N <= M.
    """
    check_matrix("torch.linalg.householder_product", A, argument="input")
    rows, columns = A._shape[-2:]
    if rows < columns or columns < tau._shape[-1]:
        raise ShapeError("torch.linalg.householder_product: input.shape[-2] must be greater than "
                         "or equal to input.shape[-1], and that to tau.shape[-1]: "
                         f"{shape_text(A._shape)}, {shape_text(tau._shape)}")
    if tuple(A._shape[:-2]) != tuple(tau._shape[:-1]):
        raise ShapeError("torch.linalg.householder_product: Expected batch dimensions of tau to "
                         f"be equal to input.shape[:-2], but got {list(tau._shape[:-1])}")
    if A._dtype is not tau._dtype:
        raise DTypeError("torch.linalg.householder_product: tau dtype "
                         f"{tau._dtype.name} does not match input dtype {A._dtype.name}")
    lead = tuple(A._shape[:-2])
    q = base.wrap(m.diagonal_matrix(ir.full((*lead, rows), 1, A._dtype)))
    below = base.call(m.triangle, (A,), {"offset": -1, "upper": False})
    ones = s.narrow(q, -1, 0, columns)
    vectors = e.add(below, ones)
    result = ones
    for k in reversed(range(tau._shape[-1])):
        v = s.narrow(vectors, -1, k, 1)
        factor = s.unsqueeze(s.narrow(tau, -1, k, 1), -1)
        result = e.sub(result, e.mul(factor, linalg.matmul(
            v, linalg.matmul(s.matrix_t(v), result))))
    if not tau._shape[-1]:
        # Of nothing it is the unit matrix, and still one of A's results.
        result = base.call(ops.elementwise.overwrite, (A, result._value), {})
    return base.own(result)


record_module(globals())
