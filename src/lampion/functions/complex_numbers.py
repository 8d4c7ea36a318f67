"""Complex numbers: made of two real ones, and taken apart again.

Real tensors pass through what only matters for complex ones: `conj(x)` is x, `real(x)` is x.
Parts are copies, not views: writing into `z.real` does not change z.
"""

from __future__ import annotations

import math
from typing import Any

from .. import base, dtypes, ir, ops
from ..base import TensorBase, call
from ..errors import DTypeError, DTypeOperationError, ShapeError, StateError
from ..replay.recorded import record_module
from . import elementwise as e
from .operands import broadcast_shape, laid_out
from .shape import select, stack

c = ops.complex_numbers


def complex(real: TensorBase, imag: TensorBase) -> Any:
    """The complex tensor with these parts: real + i imag.

    Shape: (*), (*) -> the broadcast shape.

    Args:
        real, imag: tensors of the same floating type, float32 or float64.

    Raises:
        DTypeError: the types differ, or are not float32 or float64.

    Example:
        >>> import lampion as torch
        >>> torch.complex(torch.tensor([1., 2.]), torch.tensor([3., 0.]))
        tensor([1.+3.j, 2.+0.j])
    """
    for x, name in ((real, "real"), (imag, "imag")):
        base.require_tensor(x, "complex", name)
        if x._dtype not in (dtypes.float32, dtypes.float64):
            raise DTypeError("Expected both inputs to be Half, Float or Double tensors but got "
                             f"{real._dtype.name} and {imag._dtype.name}", fix="x.float()")
    if real._dtype is not imag._dtype:
        raise DTypeError(f"Expected object of scalar type {real._dtype.name} but got scalar type "
                         f"{imag._dtype.name} for second argument",
                         why="both parts have the same precision", fix="imag.to(real.dtype)")
    shape = broadcast_shape("complex", [real._shape, imag._shape])
    values = tuple(ir.expand(x._value, shape) for x in (real, imag))
    return call(c.complex_, (real, imag), {}, None, values, "complex")


def polar(abs: TensorBase, angle: TensorBase) -> Any:
    """The complex tensor with that distance from zero and that angle: abs (cos t + i sin t).

    Shape: (*), (*) -> the broadcast shape.

    Args:
        abs: the distances.
        angle: the angles, in radians.

    Example:
        >>> import lampion as torch
        >>> torch.polar(torch.tensor([2.]), torch.tensor([0.]))
        tensor([2.+0.j])
    """
    return complex(e.mul(abs, e.cos(angle)), e.mul(abs, e.sin(angle)))


def real(input: TensorBase) -> Any:
    """The real part, as a copy; a real tensor itself.

    Shape: (*) -> (*).

    Example:
        >>> import lampion as torch
        >>> torch.real(torch.tensor([1 + 2j]))
        tensor([1.])
    """
    if not base.require_tensor(input, "real")._dtype.is_complex:
        return input
    return call(c.real_, (input,), {}, label="real")


def imag(input: TensorBase) -> Any:
    """The imaginary part, as a copy.

    Shape: (*) -> (*).

    Raises:
        StateError: the tensor is real.

    Example:
        >>> import lampion as torch
        >>> torch.imag(torch.tensor([1 + 2j]))
        tensor([2.])
    """
    if not base.require_tensor(input, "imag")._dtype.is_complex:
        raise StateError("imag is not implemented for tensors with non-complex dtypes.",
                         why="a real tensor has no imaginary part", fix="torch.zeros_like(x)")
    return call(c.imag, (input,), {}, label="imag")


def conj(input: TensorBase) -> Any:
    """The complex conjugate: x - iy for x + iy; a real tensor itself.

    Shape: (*) -> (*).

    Example:
        >>> import lampion as torch
        >>> torch.conj(torch.tensor([1 + 2j]))
        tensor([1.-2.j])
    """
    if not base.require_tensor(input, "conj")._dtype.is_complex:
        return input
    return call(c.conj, (input,), {}, label="conj")


conj_physical = conj


def resolve_conj(input: TensorBase) -> Any:
    """The tensor itself: conjugates are computed, not noted."""
    return base.require_tensor(input, "resolve_conj")


def resolve_neg(input: TensorBase) -> Any:
    """The tensor itself: signs are computed, not noted."""
    return base.require_tensor(input, "resolve_neg")


def is_conj(input: TensorBase) -> bool:
    """Whether a conjugation is noted but not computed yet: never."""
    base.require_tensor(input, "is_conj")
    return False


def angle(input: TensorBase) -> Any:
    """The angle in the complex plane, in radians; for real numbers 0, or pi for negative ones.

    Shape: (*) -> (*), a real type. NaN stays NaN.

    Example:
        >>> import lampion as torch
        >>> torch.angle(torch.tensor([1j, -1.]))
        tensor([1.5708, 3.1416])
    """
    if base.require_tensor(input, "angle")._dtype.is_complex:
        return e.atan2(imag(input), real(input))
    x = input if input._dtype.is_floating_point else input.to(dtypes.get_default_dtype())
    made = e.where(e.lt(x, 0), math.pi, e.where(e.isnan(x), x, e.mul(x.detach(), 0)))
    made = e.where(e.isinf(x), e.where(e.lt(x, 0), math.pi, 0.0).to(x._dtype), made)
    return laid_out(call(ops.elementwise.overwrite, (x, made._value), {}, label="angle"), x)


def sgn(input: TensorBase) -> Any:
    """z / |z|, 0 at 0; for real numbers the sign.

    Shape: (*) -> (*).

    Example:
        >>> import lampion as torch
        >>> torch.sgn(torch.tensor([3 + 4j, 0j]))
        tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    if not base.require_tensor(input, "sgn")._dtype.is_complex:
        return e.sign(input)
    size = e.abs(input)
    return e.where(e.eq(size, 0), 0, e.div(input, e.where(e.eq(size, 0), 1, size)))


def isreal(input: TensorBase) -> Any:
    """Whether the imaginary part is 0.

    Shape: (*) -> (*), bool.
    """
    if base.require_tensor(input, "isreal")._dtype.is_complex:
        return e.eq(imag(input), 0)
    return laid_out(base.wrap(ir.full(tuple(input._shape), True, dtypes.bool_)), input)


def view_as_real(input: TensorBase) -> Any:
    """The parts beside each other along a new last axis, as a copy.

    Shape: (*) complex -> (*, 2).

    Example:
        >>> import lampion as torch
        >>> torch.view_as_real(torch.tensor([1 + 2j]))
        tensor([[1., 2.]])
    """
    if not base.require_tensor(input, "view_as_real")._dtype.is_complex:
        raise DTypeOperationError("view_as_real is only supported for complex tensors",
                                  fix="x.to(torch.complex64)")
    return stack((real(input), imag(input)), -1)


def view_as_complex(input: TensorBase) -> Any:
    """Pairs along the last axis as complex numbers, as a copy.

    Shape: (*, 2) -> (*) complex.

    Example:
        >>> import lampion as torch
        >>> torch.view_as_complex(torch.tensor([[1., 2.]]))
        tensor([1.+2.j])
    """
    if not base.require_tensor(input, "view_as_complex")._shape or input._shape[-1] != 2:
        raise ShapeError("view_as_complex: Tensor must have a last dimension of size 2, not shape "
                         f"{list(input._shape)}", fix="torch.stack((real, imag), -1)")
    return complex(select(input, -1, 0), select(input, -1, 1))


record_module(globals(), but=("is_conj",))
