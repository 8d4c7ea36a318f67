"""Matrices as wholes: triangles, diagonals, inverses, determinants, systems of equations.

The last two axes are a matrix, all others count matrices.
"""

from __future__ import annotations

from ..dtypes import int32, int64
from ..errors import LinAlgError
from ..ir import Type, Value, expand, full, zero
from .contraction import matmul, transpose
from .define import opaque
from .movement import concat, reshape, slice_
from .reduction import sum

triangle = opaque(
    "triangle", "The upper or lower triangle, from the diagonal number `offset` on; else 0.",
    meaning=lambda xp, x, offset, upper: (xp.triu if upper else xp.tril)(x, offset),
    result=lambda x, offset, upper: x.type, kernel="triangle",
    grad=lambda g, y, x, offset, upper: (triangle(g, offset=offset, upper=upper),),
    samples=((((3, 4),), {"offset": 0, "upper": True}),
             (((2, 3, 3),), {"offset": -1, "upper": False})))

diagonal_vector = opaque(
    "diagonal_vector", "The main diagonal.",
    meaning=lambda xp, x: xp.array(xp.diagonal(x, 0, -2, -1)),
    result=lambda x: Type(x.shape[:-2] + (min(x.shape[-2:]),), x.dtype),
    grad=lambda g, y, x: (diagonal_matrix(g),), kernel="diagonal_vector",
    samples=((((3, 3),), {}), (((2, 2, 2),), {})))


def _diagonal_matrix(xp, x):
    out = xp.zeros(x.shape + x.shape[-1:], x.dtype)
    place = xp.arange(x.shape[-1])
    out[..., place, place] = x
    return out


diagonal_matrix = opaque(
    "diagonal_matrix", "A square matrix with that diagonal and zeros beside it.",
    meaning=_diagonal_matrix, result=lambda x: Type(x.shape + x.shape[-1:], x.dtype),
    grad=lambda g, y, x: (diagonal_vector(g),), kernel="diagonal_matrix",
    samples=((((3,),), {}), (((2, 2),), {})))


def _singular(name: str) -> LinAlgError:
    return LinAlgError(
        f"{name}: The solver failed because the input matrix is singular.",
        why="a matrix that maps some vector to zero has no inverse",
        fix="torch.linalg.pinv or torch.linalg.lstsq, which have a best answer")


# --- inverses ------------------------------------------------------------------------------------


def _inverse_meaning(xp, x):
    try:
        return xp.linalg.inv(x)
    except xp.linalg.LinAlgError:
        raise _singular("linalg.inv") from None


inverse = opaque(
    "inverse", "The matrix whose product with x is the identity.",
    meaning=_inverse_meaning, result=lambda x: x.type,
    grad=lambda g, y, x: (-matmul(transpose(y), matmul(g, transpose(y))),),
    kernel="inverse", floating=True, samples=((((3, 3),), {}), (((2, 2, 2),), {})))


def _solve_meaning(xp, a, b):
    try:
        return xp.linalg.solve(a, b)
    except xp.linalg.LinAlgError:
        raise _singular("torch.linalg.solve") from None


def _solve_grad(g, y, a, b):
    gb = solve(transpose(a), g)
    return -matmul(gb, transpose(y)), gb


solve = opaque(
    "solve", "The matrix X with a X = b.",
    meaning=_solve_meaning, result=lambda a, b: b.type, grad=_solve_grad, kernel="solve",
    floating=True, samples=((((3, 3), (3, 2)), {}), (((2, 2, 2), (2, 2, 1)), {})))


def _triangular_solve_meaning(xp, a, b, upper, unit):
    x = xp.zeros(b.shape, b.dtype)
    n = a.shape[-1]
    for row in range(n - 1, -1, -1) if upper else range(n):
        known = slice(row + 1, n) if upper else slice(0, row)
        rest = b[..., row, :] - xp.matmul(a[..., row:row + 1, known], x[..., known, :])[..., 0, :]
        x[..., row, :] = rest if unit else rest / a[..., row, row, None]
    return x


def _triangular_solve_grad(g, y, a, b, upper, unit):
    gb = triangular_solve(transpose(a), g, upper=not upper, unit=unit)
    offset = (1 if upper else -1) if unit else 0
    return triangle(-matmul(gb, transpose(y)), offset=offset, upper=upper), gb


triangular_solve = opaque(
    "triangular_solve", "The matrix X with a X = b, where only one triangle of a is read.",
    meaning=_triangular_solve_meaning, result=lambda a, b, upper, unit: b.type,
    grad=_triangular_solve_grad, kernel="triangular_solve", floating=True,
    domain=((0.5, 2.0), (-3.0, 3.0)),
    samples=((((3, 3), (3, 2)), {"upper": True, "unit": False}),
             (((2, 2, 2), (2, 2, 1)), {"upper": False, "unit": True})))

# --- determinants --------------------------------------------------------------------------------


def _scalars(g: Value, like: Value) -> Value:
    return expand(reshape(g, shape=g.shape + (1, 1)), like.shape)


def _cofactor_meaning(xp, x):
    # x = U S V^T: the cofactors are det(U V^T) U diag(the products of the other s) V^T.
    if not x.size:
        return x
    u, s, v = xp.linalg.svd(x)
    n = s.shape[-1]
    others = xp.where(xp.eye(n, dtype=bool), 1, s[..., None, :])
    sign = xp.linalg.det(xp.matmul(u, v))[..., None, None]
    sign = sign if x.dtype.kind == "c" else xp.round(sign)
    u, v = xp.conj(u), xp.conj(v)
    return (sign * xp.matmul(u * xp.prod(others, -1)[..., None, :], v)).astype(x.dtype)


def _cofactor_grad(g, y, x):
    total = sum(g * y, axes=(x.ndim - 2, x.ndim - 1))
    spread = expand(total, x.shape) * y - matmul(matmul(y, transpose(g)), y)
    return (spread / _scalars(determinant(x), x),)


cofactor = opaque(
    "cofactor", "The slopes of the determinant: det(x) times the transposed inverse.",
    meaning=_cofactor_meaning, result=lambda x: x.type, grad=_cofactor_grad, kernel="cofactor",
    floating=True, samples=((((3, 3),), {}), (((2, 2, 2),), {})))

determinant = opaque(
    "determinant", "The volume that the rows span, with a sign.",
    meaning=lambda xp, x: xp.asarray(xp.linalg.det(x)).astype(x.dtype),
    result=lambda x: Type(x.shape[:-2], x.dtype),
    grad=lambda g, y, x: (_scalars(g, x) * cofactor(x),), kernel="determinant",
    floating=True, samples=((((3, 3),), {}), (((2, 2, 2),), {})))

determinant_sign = opaque(
    "determinant_sign", "The sign of the determinant.",
    meaning=lambda xp, x: xp.asarray(xp.linalg.slogdet(x)[0]).astype(x.dtype),
    result=lambda x: Type(x.shape[:-2], x.dtype), grad=zero, kernel="determinant_sign",
    floating=True, samples=((((3, 3),), {}),))

log_determinant = opaque(
    "log_determinant", "The logarithm of the determinant's absolute value.",
    meaning=lambda xp, x: xp.asarray(xp.linalg.slogdet(x)[1]).astype(x.dtype),
    result=lambda x: Type(x.shape[:-2], x.dtype),
    grad=lambda g, y, x: (_scalars(g, x) * transpose(inverse(x)),), kernel="log_determinant",
    floating=True, samples=((((3, 3),), {}), (((2, 2, 2),), {})))

# --- exchanges of rows ---------------------------------------------------------------------------


def _pivots_meaning(xp, order, count):
    batch = 1
    for n in order.shape[:-1]:
        batch *= n
    rows = order.reshape(batch, order.shape[-1])
    found = xp.zeros((rows.shape[0], count), "int32")
    for each in range(rows.shape[0]):
        left = list(range(rows.shape[1]))
        for k in range(count):
            place = left.index(int(rows[each, k]))
            left[k], left[place] = left[place], left[k]
            found[each, k] = place + 1
    return found.reshape(order.shape[:-1] + (count,))


pivots = opaque(
    "pivots", "The exchanges, counted from 1, that bring rows into an order (as LAPACK writes it).",
    meaning=_pivots_meaning, grad=zero, kernel="pivots", floating=True,
    result=lambda order, count: Type(order.shape[:-1] + (count,), int32), domain=((0.0, 0.4),),
    samples=((((1,),), {"count": 1}),))


def _pivot_order_meaning(xp, pivots, rows):
    batch = 1
    for n in pivots.shape[:-1]:
        batch *= n
    given = pivots.reshape(batch, pivots.shape[-1])
    found = xp.tile(xp.arange(rows), (given.shape[0], 1))
    for each in range(given.shape[0]):
        for k in range(given.shape[1]):
            place = int(given[each, k]) - 1
            kept = found[each, k]
            found[each, k] = found[each, place]
            found[each, place] = kept
    return found.reshape(pivots.shape[:-1] + (rows,)).astype("int64")


pivot_order = opaque(
    "pivot_order", "The order of rows that exchanges, counted from 1, lead to.",
    meaning=_pivot_order_meaning, grad=zero, kernel="pivot_order",
    result=lambda pivots, rows: Type(pivots.shape[:-1] + (rows,), int64), domain=((1.0, 1.0),),
    samples=((((2,),), {"rows": 3}),))

# --- pseudoinverse -------------------------------------------------------------------------------


def _pseudoinverse_meaning(xp, x, absolute, relative):
    if not x.size:
        return xp.zeros(x.shape[:-2] + (x.shape[-1], x.shape[-2]), x.dtype)
    u, s, v = xp.linalg.svd(x, full_matrices=False)
    if relative is None:
        relative = 0.0 if absolute else max(x.shape[-2:]) * xp.finfo(x.dtype).eps
    limit = xp.maximum(absolute or 0.0, relative * s[..., :1])
    inverted = xp.where(s > limit, 1 / xp.where(s > limit, s, 1), 0)
    return xp.matmul(xp.conj(xp.swapaxes(v, -1, -2)) * inverted[..., None, :],
                     xp.conj(xp.swapaxes(u, -1, -2))).astype(x.dtype)


def _pseudoinverse_grad(g, y, x, absolute, relative):
    back, turned = transpose(g), transpose(y)
    k = matmul(back, y)
    k_turned = matmul(k, turned)
    return (-transpose(matmul(y, k)) + k_turned - matmul(matmul(x, y), k_turned)
            + matmul(matmul(turned, y), back - matmul(k, x)),)


pseudoinverse = opaque(
    "pseudoinverse", "The inverse on what x reaches, 0 elsewhere (Moore and Penrose).",
    meaning=_pseudoinverse_meaning, kernel="pseudoinverse", floating=True,
    result=lambda x, absolute, relative: Type(
        x.shape[:-2] + (x.shape[-1], x.shape[-2]), x.dtype),
    grad=_pseudoinverse_grad,
    samples=((((3, 2),), {"absolute": None, "relative": None}),
             (((2, 2, 3),), {"absolute": None, "relative": 1e-6})))

# --- exponential ---------------------------------------------------------------------------------


def _exponential_meaning(xp, x):
    # Scaling and squaring of a Taylor polynomial: after halving often enough 18 terms are exact.
    if not x.size:
        return x
    wide = x.astype(xp.result_type(x.dtype, xp.float64))
    largest = float(xp.max(xp.sum(xp.abs(wide), axis=-1)))
    halvings = max(0, int(xp.ceil(xp.log2(largest))) + 1) if 0 < largest < xp.inf else 0
    scaled = wide / 2.0 ** halvings
    total = term = xp.broadcast_to(xp.eye(x.shape[-1]), x.shape)
    for k in range(1, 19):
        term = xp.matmul(term, scaled) / k
        total = total + term
    for _ in range(halvings):
        total = xp.matmul(total, total)
    return total.astype(x.dtype)


def _exponential_grad(g, y, x):
    # The upper right block of exp([[x^T, g], [0, x^T]]) is the gradient.
    turned, n, rank = transpose(x), x.shape[-1], x.ndim
    top = concat(turned, g, axis=rank - 1)
    bottom = concat(full(x.shape, 0, x.dtype), turned, axis=rank - 1)
    whole = matrix_exponential(concat(top, bottom, axis=rank - 2))
    lead = x.shape[:-2]
    return (slice_(whole, start=(0,) * len(lead) + (0, n), stop=lead + (n, 2 * n),
                   step=(1,) * rank),)


matrix_exponential = opaque(
    "matrix_exponential", "The sum of x^k / k! over all k.",
    meaning=_exponential_meaning, result=lambda x: x.type, grad=_exponential_grad,
    kernel="matrix_exponential", floating=True, domain=((-1.0, 1.0),),
    samples=((((3, 3),), {}), (((2, 2, 2),), {})))
