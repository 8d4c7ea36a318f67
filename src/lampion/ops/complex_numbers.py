"""Complex numbers: their parts, and which ops take them.

The gradient of a real loss at z = x + iy is dL/dx + i dL/dy, as in PyTorch (`grad.complex_rule`).
Complex values are computed by NumPy; the native engine leaves graphs with them alone.
"""

from __future__ import annotations

from ..ir import Type, full, registry
from . import (  # noqa: F401 - fill the registry
    contraction,
    control,
    decomposition,
    indexing,
    matrix,
    movement,
    reduction,
    scattering,
)
from .define import opaque
from .elementwise import eq, where


def _together(xp, real, imaginary):
    made = xp.empty(real.shape, xp.result_type(real.dtype, xp.complex64))
    made.real, made.imag = real, imaginary  # re + 1j * im would make NaN of an infinite part
    return made


complex_ = opaque(
    "complex", "The number with that real and that imaginary part.",
    meaning=_together, kernel="complex", floating=True,
    result=lambda real, imaginary: Type(real.shape, real.dtype.to_complex()),
    grad=lambda g, y, real, imaginary: (real_(g), imag(g)),
    samples=((((2, 3), (2, 3)), {}), (((0,), (0,)), {})))

real_ = opaque(
    "real", "The real part.",
    meaning=lambda xp, z: xp.real(z).copy(), kernel="real",
    result=lambda z: Type(z.shape, z.dtype.to_real()),
    grad=lambda g, y, z: (complex_(g, full(g.shape, 0, g.dtype)),))

imag = opaque(
    "imag", "The imaginary part.",
    meaning=lambda xp, z: xp.imag(z).copy(), kernel="imag",
    result=lambda z: Type(z.shape, z.dtype.to_real()),
    grad=lambda g, y, z: (complex_(full(g.shape, 0, g.dtype), g),))

conj = opaque(
    "conj", "The complex conjugate: the imaginary part with the other sign.",
    meaning=lambda xp, z: xp.conj(z), kernel="conj",
    result=lambda z: z.type,
    grad=lambda g, y, z: (conj(g),))


def _magnitude_grad(g, y, z):
    none = full(y.shape, 0, y.dtype)
    at_zero = eq(y, none)
    scale = where(at_zero, none, g / where(at_zero, full(y.shape, 1, y.dtype), y))
    return (complex_(real_(z) * scale, imag(z) * scale),)


magnitude = opaque(
    "magnitude", "The distance from zero of a complex number; its gradient at 0 is 0.",
    meaning=lambda xp, z: xp.abs(z), kernel="magnitude",
    result=lambda z: Type(z.shape, z.dtype.to_real()),
    grad=_magnitude_grad)


def _transform(xp, z, axis, inverse):
    if z.shape[axis] == 0:
        return z
    # The sums as they are; the functions above divide.
    return (xp.fft.ifft(z, axis=axis, norm="forward") if inverse
            else xp.fft.fft(z, axis=axis)).astype(z.dtype, copy=False)


fourier = opaque(
    "fourier", "Sums of z[n] exp(-2 pi i k n / N) along an axis; +2 pi i if inverse. Not divided.",
    meaning=_transform, result=lambda z, axis, inverse: z.type, kernel="fourier",
    # The matrix of the transform is its own transpose.
    grad=lambda g, y, z, axis, inverse: (fourier(g, axis=axis, inverse=inverse),))

OWN = ("complex", "real", "imag", "conj", "magnitude", "cast")
HOLOMORPHIC = (
    # elementwise
    "copy", "overwrite", "add", "sub", "mul", "div", "neg", "pow", "exp", "exp2", "expm1", "log",
    "log2", "log10", "log1p", "sqrt", "reciprocal", "rsqrt", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "where", "eq", "ne",
    # movement
    "reshape", "permute", "expand", "slice", "flip", "pad", "windows", "section",
    # reductions
    "sum", "prod", "cumsum", "cumprod",
    # assembling and indexing
    "slice_put", "concat", "windows_add", "take", "put", "put_add", "gather", "scatter",
    "scatter_add",
    # matrices
    "matmul", "triangle", "diagonal_vector", "diagonal_matrix", "inverse", "solve",
    "triangular_solve", "determinant", "cofactor", "matrix_exponential", "fourier",
)
# The gradient rules of these are written for real matrices only.
WITHOUT_GRADIENT = ("cholesky", "qr", "eigh", "svd", "singular_values", "pseudoinverse",
                    "determinant_sign", "log_determinant")

for name in OWN:
    registry[name].complex = "own"
for name in HOLOMORPHIC:
    registry[name].complex = "holomorphic"
for name in WITHOUT_GRADIENT:
    registry[name].complex = "values"
