"""Decompositions of matrices: the last two axes are a matrix, all others count matrices.

A decomposition with several parts is one op whose result holds the parts one after another along
the last axis, flat (`unpack` cuts them out again), so that its rule sees the gradients of all parts
together.
"""

from __future__ import annotations

from ..errors import LinAlgError
from ..ir import Type, Value, expand, full
from .contraction import matmul, transpose
from .define import opaque
from .elementwise import eq, where
from .matrix import diagonal_matrix, diagonal_vector, triangle, triangular_solve
from .movement import concat, reshape, slice_

Shape = tuple[int, ...]


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def part(packed: Value, start: int, shape: Shape) -> Value:
    """Cut one part out of a packed result."""
    length = _size(shape)
    lead = packed.shape[:-1]
    cut = slice_(packed, start=(0,) * len(lead) + (start,), stop=lead + (start + length,),
                 step=(1,) * packed.ndim)
    return reshape(cut, shape=lead + shape)


def unpack(packed: Value, *shapes: Shape) -> list[Value]:
    """Cut all parts out of a packed result."""
    found, start = [], 0
    for shape in shapes:
        found.append(part(packed, start, shape))
        start += _size(shape)
    return found


def packed(xp, *arrays):
    """Put parts, each given with its leading axes, one after another along the last axis."""
    return xp.concatenate(
        [array.reshape(lead + (_size(array.shape[len(lead):]),)) for array, lead in arrays], -1)


def _refuse(what: str, why: str) -> LinAlgError:
    return LinAlgError(what, why=why, fix="a + 1e-6 * torch.eye(n), for instance")


# --- Cholesky ------------------------------------------------------------------------------------


def _cholesky_meaning(xp, x):
    lower = xp.tril(x)
    symmetric = lower + xp.conj(xp.swapaxes(xp.tril(x, -1), -1, -2))
    try:
        return xp.linalg.cholesky(symmetric) if x.size else x
    except xp.linalg.LinAlgError:
        raise _refuse("linalg.cholesky: The factorization could not be completed because the input "
                      "is not positive-definite", "some x gives x^T A x <= 0") from None


def _cholesky_grad(g, y, x):
    # L^-T Phi(L^T g) L^-1, made symmetric; Phi takes the lower triangle and half its diagonal.
    phi = triangle(matmul(transpose(y), g), offset=0, upper=False)
    symmetric = (phi + transpose(triangle(phi, offset=-1, upper=False))) * 0.5
    left = triangular_solve(transpose(y), symmetric, upper=True, unit=False)
    return (transpose(triangular_solve(transpose(y), transpose(left), upper=True, unit=False)),)


cholesky = opaque(
    "cholesky", "The lower triangle L with L L^T = x; of x the lower triangle is read.",
    meaning=_cholesky_meaning, result=lambda x: x.type, grad=_cholesky_grad, kernel="cholesky",
    floating=True, samples=((((3, 3),), {}), (((2, 2, 2),), {})))

# --- QR ------------------------------------------------------------------------------------------


def qr_shapes(x: Value, complete: bool) -> tuple[Shape, Shape]:
    """The shapes of Q and R."""
    m, n = x.shape[-2:]
    k = m if complete else min(m, n)
    return (m, k), (k, n)


def _qr_meaning(xp, x, complete):
    m, n = x.shape[-2:]
    lead = x.shape[:-2]
    if min(m, n) == 0:
        q = xp.broadcast_to(xp.eye(m, m if complete else 0, dtype=x.dtype),
                            lead + (m, m if complete else 0))
        r = xp.zeros(lead + (m if complete else 0, n), x.dtype)
    elif not x.size:
        q = xp.zeros(lead + (m, m if complete else min(m, n)), x.dtype)
        r = xp.zeros(lead + (m if complete else min(m, n), n), x.dtype)
    else:
        q, r = xp.linalg.qr(x, "complete" if complete else "reduced")
    return packed(xp, (q, lead), (r, lead))


def _qr_square_grad(gq, gr, q, r):
    made = triangle(matmul(gr, transpose(r)) - matmul(transpose(q), gq), offset=0, upper=True)
    both = made + transpose(made)
    half = both - diagonal_matrix(diagonal_vector(both) * 0.5)
    right = gq + matmul(q, half)
    # right R^-T, as the transpose of R^-1 right^T
    return transpose(triangular_solve(r, transpose(right), upper=True, unit=False))


def _columns(x: Value, start: int, stop: int) -> Value:
    lead = x.shape[:-1]
    return slice_(x, start=(0,) * len(lead) + (start,), stop=lead + (stop,), step=(1,) * x.ndim)


def _qr_grad(g, y, x, complete):
    shapes = qr_shapes(x, complete)
    q, r = unpack(y, *shapes)
    gq, gr = unpack(g, *shapes)
    m, n = x.shape[-2:]
    if m >= n:
        return (_qr_square_grad(gq, gr, q, r),)
    # x = (X | Y), R = (U | V): Y = Q V, so V's gradient reaches Q as well.
    rest, gv = _columns(x, m, n), _columns(gr, m, n)
    first = _qr_square_grad(gq + matmul(rest, transpose(gv)), _columns(gr, 0, m), q,
                            _columns(r, 0, m))
    return (concat(first, matmul(q, gv), axis=x.ndim - 1),)


qr = opaque(
    "qr", "Q with orthonormal columns and the upper triangle R with Q R = x, packed.",
    meaning=_qr_meaning, kernel="qr", grad=_qr_grad, floating=True,
    result=lambda x, complete: Type(
        x.shape[:-2] + (sum(a * b for a, b in qr_shapes(x, complete)),), x.dtype),
    samples=((((3, 2),), {"complete": False}), (((2, 2, 3),), {"complete": False})))

# --- eigenvalues of symmetric matrices -----------------------------------------------------------


def _eigh_meaning(xp, x, upper):
    lead = x.shape[:-2]
    if not x.size:
        return xp.zeros(lead + (x.shape[-1] * (x.shape[-1] + 1),), x.dtype)
    values, vectors = xp.linalg.eigh(x, "U" if upper else "L")
    return packed(xp, (values, lead), (vectors, lead))


def differences(s: Value) -> Value:
    """s_j - s_i in row i and column j, 1 on the diagonal."""
    n = s.shape[-1]
    wide = s.shape + (n,)
    column = expand(reshape(s, shape=s.shape + (1,)), wide)
    row = expand(reshape(s, shape=s.shape[:-1] + (1, n)), wide)
    return row - column + diagonal_matrix(full(s.shape, 1, s.dtype))


def _eigh_grad(g, y, x, upper):
    n = x.shape[-1]
    values, vectors = unpack(y, (n,), (n, n))
    gvalues, gvectors = unpack(g, (n,), (n, n))
    turned = matmul(transpose(vectors), gvectors) / differences(values)
    inner = turned - diagonal_matrix(diagonal_vector(turned)) + diagonal_matrix(gvalues)
    made = matmul(matmul(vectors, inner), transpose(vectors))
    return ((made + transpose(made)) * 0.5,)


eigh = opaque(
    "eigh", "Eigenvalues, rising, and eigenvectors of a symmetric matrix, packed.",
    meaning=_eigh_meaning, kernel="eigh", grad=_eigh_grad, floating=True,
    result=lambda x, upper: Type(
        x.shape[:-2] + (x.shape[-1] * (x.shape[-1] + 1),), x.dtype),
    samples=((((3, 3),), {"upper": False}),))

# --- singular values -----------------------------------------------------------------------------


def svd_shapes(x: Value, complete: bool) -> tuple[Shape, Shape, Shape]:
    """The shapes of U, S and V^T."""
    m, n = x.shape[-2:]
    k = min(m, n)
    return ((m, m), (k,), (n, n)) if complete else ((m, k), (k,), (k, n))


def _svd_meaning(xp, x, complete):
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    if not x.size:
        k = min(m, n)
        sizes = (m, n) if complete else (k, k)
        u = xp.broadcast_to(xp.eye(m, sizes[0], dtype=x.dtype), lead + (m, sizes[0]))
        v = xp.broadcast_to(xp.eye(sizes[1], n, dtype=x.dtype), lead + (sizes[1], n))
        return packed(xp, (u, lead), (xp.zeros(lead + (k,), x.dtype), lead), (v, lead))
    u, s, v = xp.linalg.svd(x, full_matrices=complete)
    return packed(xp, (u, lead), (s, lead), (v, lead))


def _skew(x: Value) -> Value:
    return x - transpose(x)


def _scale_columns(x: Value, s: Value) -> Value:
    return x * expand(reshape(s, shape=s.shape[:-1] + (1, s.shape[-1])), x.shape)


def _scale_rows(x: Value, s: Value) -> Value:
    return x * expand(reshape(s, shape=s.shape + (1,)), x.shape)


def _rows(x: Value, stop: int) -> Value:
    lead, columns = x.shape[:-2], x.shape[-1]
    return slice_(x, start=(0,) * x.ndim, stop=lead + (stop, columns), step=(1,) * x.ndim)


def _svd_grad(g, y, x, complete):
    u, s, v = unpack(y, *svd_shapes(x, complete))
    gu, gs, gv = unpack(g, *svd_shapes(x, complete))
    k, (m, n) = s.shape[-1], x.shape[-2:]
    u, gu, v, gv = _columns(u, 0, k), _columns(gu, 0, k), _rows(v, k), _rows(gv, k)
    gaps = differences(s * s)
    left = _skew(matmul(transpose(u), gu)) / gaps
    right = _skew(matmul(v, transpose(gv))) / gaps
    inner = _scale_columns(left, s) + _scale_rows(right, s) + diagonal_matrix(gs)
    total = matmul(matmul(u, inner), v)
    if m > k:  # what of gu points out of the columns of u
        scaled = _scale_columns(gu, 1 / s)
        outside = scaled - matmul(u, matmul(transpose(u), scaled))
        total = total + matmul(outside, v)
    if n > k:
        scaled = _scale_rows(gv, 1 / s)
        outside = scaled - matmul(matmul(scaled, transpose(v)), v)
        total = total + matmul(u, outside)
    return (total,)


svd = opaque(
    "svd", "U, the singular values S, falling, and V^T with U diag(S) V^T = x, packed.",
    meaning=_svd_meaning, kernel="svd", grad=_svd_grad, floating=True,
    result=lambda x, complete: Type(x.shape[:-2] + (sum(
        a[0] * (a[1] if len(a) > 1 else 1) for a in svd_shapes(x, complete)),), x.dtype),
    samples=((((3, 2),), {"complete": False}), (((2, 3),), {"complete": False})))


def _singular_values_grad(g, y, x):
    u, _, v = unpack(svd(x, complete=False), *svd_shapes(x, False))
    return (matmul(_scale_columns(u, g), v),)


singular_values = opaque(
    "singular_values", "The singular values, falling.",
    meaning=lambda xp, x: xp.linalg.svd(x, compute_uv=False).astype(x.dtype) if x.size else (
        xp.zeros(x.shape[:-2] + (min(x.shape[-2:]),), x.dtype)),
    result=lambda x: Type(x.shape[:-2] + (min(x.shape[-2:]),), x.dtype),
    grad=_singular_values_grad, kernel="singular_values", floating=True,
    samples=((((3, 2),), {}), (((2, 2, 3),), {})))

# --- LU ------------------------------------------------------------------------------------------


def lu_shapes(x: Value) -> tuple[Shape, Shape, Shape]:
    """The shapes of the row order, L and U."""
    m, n = x.shape[-2:]
    k = min(m, n)
    return (m,), (m, k), (k, n)


def _lu_meaning(xp, x):
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    a = xp.array(x).reshape((-1, m, n)) if x.size else xp.zeros((0, m, n), x.dtype)
    order = xp.tile(xp.arange(m), (a.shape[0], 1))
    each = xp.arange(a.shape[0])
    for k in range(min(m, n)):
        best = k + xp.argmax(xp.abs(a[:, k:, k]), axis=1) if a.size else each
        for table in (a, order):
            kept = xp.array(table[:, k])
            table[:, k] = table[each, best]
            table[each, best] = kept
        pivot = a[:, k:k + 1, k]
        a[:, k + 1:, k] /= xp.where(pivot == 0, 1, pivot)
        a[:, k + 1:, k + 1:] -= a[:, k + 1:, k:k + 1] * a[:, k:k + 1, k + 1:]
    size = min(m, n)
    lower = xp.tril(a[:, :, :size], -1) + xp.eye(m, size, dtype=x.dtype)
    upper = xp.triu(a[:, :size])
    if not x.size:
        lower = xp.broadcast_to(xp.eye(m, size, dtype=x.dtype), lead + (m, size))
        order = xp.broadcast_to(xp.arange(m), lead + (m,))
    parts = ((order.astype(x.dtype), (m,)), (lower, (m, size)), (upper, (size, n)))
    return packed(xp, *((part.reshape(lead + shape), lead) for part, shape in parts))


def _lu_grad(g, y, x):
    order, lower, upper = unpack(y, *lu_shapes(x))
    _, glower, gupper = unpack(g, *lu_shapes(x))
    (m, n), k = x.shape[-2:], lower.shape[-1]
    top, gtop = _rows(lower, k), _rows(glower, k)
    first, gfirst = _columns(upper, 0, k), _columns(gupper, 0, k)

    def times_inverse(value: Value) -> Value:  # value U^-T
        return transpose(triangular_solve(first, transpose(value), upper=True, unit=False))

    pieces = []
    if m > k:  # rows below the square: L2 = A2 U^-1
        below, gbelow = _rows_from(lower, k), _rows_from(glower, k)
        moved = times_inverse(gbelow)
        gfirst = gfirst - triangle(matmul(transpose(below), moved), offset=0, upper=True)
        pieces.append(moved)
    beside = None
    if n > k:  # columns beside the square: U2 = L^-1 A2
        second, gsecond = _columns(upper, k, n), _columns(gupper, k, n)
        beside = triangular_solve(transpose(top), gsecond, upper=True, unit=True)
        gtop = gtop - triangle(matmul(beside, transpose(second)), offset=-1, upper=False)
    inner = triangle(matmul(transpose(top), gtop), offset=-1, upper=False) + triangle(
        matmul(gfirst, transpose(first)), offset=0, upper=True)
    square = times_inverse(triangular_solve(transpose(top), inner, upper=True, unit=True))
    total = concat(square, *pieces, axis=x.ndim - 2) if pieces else square
    if beside is not None:
        total = concat(total, beside, axis=x.ndim - 1)
    return (matmul(permutation_of(order), total),)


def _rows_from(x: Value, start: int) -> Value:
    lead, shape = x.shape[:-2], x.shape[-2:]
    return slice_(x, start=(0,) * len(lead) + (start, 0), stop=lead + shape, step=(1,) * x.ndim)


def permutation_of(order: Value) -> Value:
    """The matrix P with P[order[i], i] = 1, so that P L U = x."""
    m = order.shape[-1]
    shape = order.shape[:-1] + (m, m)
    wanted = expand(reshape(order, shape=order.shape[:-1] + (1, m)), shape)
    numbers = _count_rows(order)
    return where(eq(expand(numbers, shape), wanted), full(shape, 1, order.dtype),
                 full(shape, 0, order.dtype))


def _count_rows(like: Value) -> Value:
    from_zero = triangle(full((like.shape[-1],) * 2, 1, like.dtype), offset=-1, upper=False)
    ones = full((like.shape[-1], 1), 1, like.dtype)
    column = matmul(from_zero, ones)
    return reshape(column, shape=(1,) * (like.ndim - 1) + column.shape)


lu = opaque(
    "lu", "The order of rows, L and U with x[order] = L U, packed.",
    meaning=_lu_meaning, kernel="lu", grad=_lu_grad, floating=True,
    result=lambda x: Type(x.shape[:-2] + (
        x.shape[-2] + min(x.shape[-2:]) * (x.shape[-2] + x.shape[-1]),), x.dtype),
    samples=((((3, 3),), {}), (((2, 2, 3),), {}), (((3, 2),), {})))
