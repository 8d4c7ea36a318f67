"""The standard's `linalg`: products, norms, decompositions, systems of equations."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import dtypes, linalg
from ..dtypes import dtype as DType
from ..errors import ArgumentError
from ..functions import complex_numbers as c
from ..functions import elementwise as e
from ..functions import linalg as products
from ..functions import reduction as r
from ..functions import shape as s
from . import reducing
from .array import Array, tensor_of
from .elementwise import install_operator
from .manipulation import Axes, axes_of, broadcast_shapes
from .promotion import check_kind, pair


class EigResult(NamedTuple):
    """What `eig` gives."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """What `qr` gives."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` gives."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """What `svd` gives."""

    U: Array
    S: Array
    Vh: Array


def _matrices(x: Any, name: str, kind: str = "floating") -> Any:
    tensor = tensor_of(x, name)
    check_kind(name, tensor.dtype, kind)
    if tensor.ndim < 2:
        raise ArgumentError(f"{name}: the array has {tensor.ndim} axes", why="a matrix has two",
                            fix="xp.expand_dims(x)")
    return tensor


def matmul(x1: Array, x2: Array, /) -> Array:
    """The matrix product; vectors are rows on the left and columns on the right."""
    a, b = pair("matmul", x1, x2, "numeric")
    if not a.ndim or not b.ndim:  # type: ignore[attr-defined]
        raise ArgumentError("matmul: a number is no matrix", fix="x1 * x2")
    inner = a._shape[-1], b._shape[-2] if len(b._shape) > 1 else b._shape[0]
    if inner[0] != inner[1]:
        raise ArgumentError(f"matmul: shapes {tuple(a._shape)} and {tuple(b._shape)} do not fit",
                            why="rows of the first and columns of the second are of equal length")
    return Array(products.matmul(a, b))


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """The sum over pairs of axes of the products.

    Args:
        axes: how many last axes of x1 meet first ones of x2, or two lists of axes.
    """
    a, b = pair("tensordot", x1, x2, "numeric")
    first: Any
    second: Any
    if isinstance(axes, int):
        first, second = range(len(a._shape) - axes, len(a._shape)), range(axes)
    else:
        first, second = axes
    first = axes_of(tuple(first), len(a._shape), "tensordot")
    second = axes_of(tuple(second), len(b._shape), "tensordot")
    if [a._shape[k] for k in first] != [b._shape[k] for k in second]:
        raise ArgumentError(f"tensordot: axes {first} and {second} of shapes {tuple(a._shape)} and "
                            f"{tuple(b._shape)} are not of equal length")
    kept = [k for k in range(len(a._shape)) if k not in first]
    left = [k for k in range(len(b._shape)) if k not in second]
    count = 1
    for k in first:
        count *= a._shape[k]
    shape = tuple(a._shape[k] for k in kept) + tuple(b._shape[k] for k in left)
    rows = s.permute(a, (*kept, *first)).reshape(-1 if a.numel() else _size(  # type: ignore[attr-defined]
        a, kept), count)
    columns = s.permute(b, (*second, *left)).reshape(count, _size(b, left))
    return Array(products.matmul(rows, columns).reshape(shape))


def _size(x: Any, axes: Any) -> int:
    size = 1
    for k in axes:
        size *= x.shape[k]
    return size


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The sum over an axis of conj(x1) x2."""
    a, b = pair("vecdot", x1, x2, "numeric")
    rank = min(len(a._shape), len(b._shape))
    if not -rank <= axis < 0 or a._shape[axis] != b._shape[axis]:
        raise ArgumentError(f"vecdot: axis {axis} of shapes {tuple(a._shape)} and "
                            f"{tuple(b._shape)}", why="it is of equal length in both, and counted "
                            "from the end", fix="axis=-1")
    broadcast_shapes(tuple(a._shape), tuple(b._shape))
    return Array(r.sum(e.mul(c.conj(a), b), axis, dtype=a._dtype))


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The cross product of vectors of three elements along an axis."""
    a, b = pair("cross", x1, x2, "numeric")
    shape = broadcast_shapes(tuple(a._shape), tuple(b._shape))
    if not -min(len(a._shape), len(b._shape)) <= axis < len(shape) or shape[axis] != 3:
        raise ArgumentError(f"cross: axis {axis} of shape {shape}", why="it has three elements")
    return Array(products.cross(s.broadcast_to(a, shape), s.broadcast_to(b, shape), dim=axis))


def outer(x1: Array, x2: Array, /) -> Array:
    """Every product of an element of x1 with one of x2."""
    a, b = pair("outer", x1, x2, "numeric")
    if len(a._shape) != 1 or len(b._shape) != 1:
        raise ArgumentError("outer: both arrays have one axis")
    return Array(e.mul(s.unsqueeze(a, 1), b))


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """Diagonal number `offset` of each matrix."""
    return Array(_matrices(x, "diagonal", "any").diagonal(offset, -2, -1))


def trace(x: Array, /, *, offset: int = 0, dtype: DType | None = None) -> Array:
    """The sum of diagonal number `offset` of each matrix."""
    return reducing.sum(diagonal(Array(_matrices(x, "trace", "numeric")), offset=offset), axis=-1,
                        dtype=dtype)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """A norm of each matrix: "fro", "nuc", 1, 2, inf, and their negatives."""
    tensor = _matrices(x, "matrix_norm")
    return Array(c.real(linalg.matrix_norm(tensor, ord, keepdim=keepdims)))


def vector_norm(x: Array, /, *, axis: Axes | None = None, keepdims: bool = False,
                ord: float = 2) -> Array:
    """The norm (sum of |x|^ord)^(1/ord) along axes (all, unless told otherwise)."""
    tensor = tensor_of(x, "vector_norm")
    check_kind("vector_norm", tensor.dtype, "floating")
    axes = axes_of(axis, tensor.ndim, "vector_norm")
    size = e.abs(tensor)
    if not axes:
        return Array(size if ord else e.ne(size, 0).to(size.dtype))
    return Array(linalg.vector_norm(size, ord, axes, keepdims))


def matrix_power(x: Array, n: int, /) -> Array:
    """A square matrix multiplied n times by itself; negative n: its inverse."""
    return Array(linalg.matrix_power(_matrices(x, "matrix_power"), n))


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    """How many singular values are larger than rtol times the largest."""
    tensor = _matrices(x, "matrix_rank")
    values = linalg.svdvals(tensor)
    limit = values.amax(-1, True) * _tolerance(tensor, rtol)
    return Array(r.sum(e.gt(values, limit), -1))


def _tolerance(tensor: Any, rtol: Any) -> Any:
    if rtol is None:
        return max(tensor.shape[-2:]) * dtypes.finfo(tensor.dtype).eps
    return rtol.tensor.unsqueeze(-1) if isinstance(rtol, Array) else rtol


def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    """The pseudo-inverse of Moore and Penrose; singular values below rtol count as 0."""
    tensor = _matrices(x, "pinv")
    tolerance = rtol.tensor if isinstance(rtol, Array) else rtol
    if tolerance is None:
        tolerance = _tolerance(tensor, None)
    return Array(linalg.pinv(tensor, rtol=tolerance))


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The lower (or upper) triangle whose product with its conjugate transpose is x."""
    return Array(linalg.cholesky(_matrices(x, "cholesky"), upper=upper))


def det(x: Array, /) -> Array:
    """The determinant of each matrix."""
    return Array(linalg.det(_matrices(x, "det")))


def slogdet(x: Array, /) -> SlogdetResult:
    """The sign of the determinant, and the logarithm of its absolute value."""
    sign, size = linalg.slogdet(_matrices(x, "slogdet"))
    return SlogdetResult(Array(sign), Array(size))


def inv(x: Array, /) -> Array:
    """The inverse of each matrix."""
    return Array(linalg.inv(_matrices(x, "inv")))


def solve(x1: Array, x2: Array, /) -> Array:
    """The x of x1 x = x2; x2 is a vector if it has one axis, else matrices."""
    a, b = pair("solve", x1, x2, "floating")
    if len(b._shape) == 1:
        return Array(linalg.solve(a, s.unsqueeze(b, -1)).squeeze(-1))
    lead = broadcast_shapes(tuple(a._shape[:-2]), tuple(b._shape[:-2]))
    wide = s.broadcast_to(a, lead + tuple(a._shape[-2:]))
    return Array(linalg.solve(wide, s.broadcast_to(b, lead + tuple(b._shape[-2:]))))


def qr(x: Array, /, *, mode: str = "reduced") -> QRResult:
    """Q with orthonormal columns and the upper triangle R with Q R = x.

    Args:
        mode: "reduced" or "complete".
    """
    if mode not in ("reduced", "complete"):
        raise ArgumentError(f"qr: mode is {mode!r}", fix='mode="reduced" or "complete"')
    q, triangle = linalg.qr(_matrices(x, "qr"), mode)
    return QRResult(Array(q), Array(triangle))


def eig(x: Array, /) -> EigResult:
    """The eigenvalues and eigenvectors of square matrices, complex."""
    values, vectors = linalg.eig(_matrices(x, "eig"))
    return EigResult(Array(values), Array(vectors))


def eigvals(x: Array, /) -> Array:
    """The eigenvalues of square matrices, complex."""
    return Array(linalg.eigvals(_matrices(x, "eigvals")))


def eigh(x: Array, /) -> EighResult:
    """The eigenvalues, rising, and eigenvectors of symmetric (Hermitian) matrices."""
    values, vectors = linalg.eigh(_matrices(x, "eigh"))
    return EighResult(Array(values), Array(vectors))


def eigvalsh(x: Array, /) -> Array:
    """The eigenvalues of symmetric (Hermitian) matrices, rising."""
    return Array(linalg.eigvalsh(_matrices(x, "eigvalsh")))


def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    """U, the singular values S, falling, and Vh with U diag(S) Vh = x."""
    u, values, v = linalg.svd(_matrices(x, "svd"), full_matrices)
    return SVDResult(Array(u), Array(values), Array(v))


def svdvals(x: Array, /) -> Array:
    """The singular values, falling."""
    return Array(linalg.svdvals(_matrices(x, "svdvals")))


def matrix_transpose(x: Array, /) -> Array:
    """The last two axes exchanged."""
    return Array(_matrices(x, "matrix_transpose", "any").mT)


install_operator("matmul", matmul)
