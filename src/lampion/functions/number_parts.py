"""Elementwise functions of how numbers are made: signs, exponents, divisors, degrees."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

from .. import base, dtypes, ir, ops
from ..base import TensorBase
from ..errors import ArgumentTypeError, DTypeError, DTypeOperationError, StateError
from ..replay.recorded import record_module
from . import elementwise as e
from .operands import apply, as_operand, laid_out, result_type, write_out

p = ops.number_parts
FrexpResult = namedtuple("frexp", ("mantissa", "exponent"))  # type: ignore[name-match]


def signbit(input: TensorBase) -> Any:
    """Whether the sign bit is set: for negative numbers and -0.

    Example:
        >>> import lampion as torch
        >>> torch.signbit(torch.tensor([-0., 1.]))
        tensor([ True, False])
    """
    base.require_tensor(input, "signbit")
    if input._dtype is dtypes.bool_:
        return laid_out(base.wrap(ir.full(tuple(input._shape), False, dtypes.bool_)), input)
    return laid_out(base.call(p.signbit, (input,), {}), input)


def copysign(input: TensorBase, other: Any) -> Any:
    """The size of input with the sign of other.

    Shape: (*), (*) -> the broadcast shape.

    Example:
        >>> import lampion as torch
        >>> torch.copysign(torch.tensor([1., -2.]), torch.tensor([-0., 3.]))
        tensor([-1.,  2.])
    """
    dtype = result_type(input, as_operand("copysign", other))
    dtype = dtype if dtype.is_floating_point else dtypes.get_default_dtype()
    x = base.require_tensor(input, "copysign").to(dtype)
    y = other.to(dtype) if isinstance(other, TensorBase) else base.wrap(ir.number(other, dtype))
    size = e.abs(x)
    # The slope is the result over x; at 0, where abs has none, it is 0.
    return e.where(signbit(y), e.neg(size), size)


def deg2rad(input: TensorBase) -> Any:
    """Degrees as radians: x pi / 180."""
    return e.mul(base.require_tensor(input, "deg2rad"), math.pi / 180)


def rad2deg(input: TensorBase) -> Any:
    """Radians as degrees: x 180 / pi."""
    return e.mul(base.require_tensor(input, "rad2deg"), 180 / math.pi)


def frexp(input: TensorBase) -> Any:
    """The mantissa, 0.5 <= |m| < 1, and the exponent (int32) of x = m 2^e.

    Example:
        >>> import lampion as torch
        >>> torch.frexp(torch.tensor([6.]))
        frexp(mantissa=tensor([0.7500]), exponent=tensor([3], dtype=torch.int32))
    """
    base.require_tensor(input, "frexp")
    if not input._dtype.is_floating_point:
        raise DTypeError("torch.frexp() only supports floating-point dtypes", fix="x.float()")
    return FrexpResult(base.call(p.mantissa, (input,), {}, label="frexp"),
                       base.call(p.exponent, (input,), {}))


def ldexp(input: TensorBase, other: TensorBase) -> Any:
    """x 2^other."""
    base.require_tensor(input, "ldexp"), base.require_tensor(other, "ldexp", "other")
    return e.mul(input, e.pow(2.0, other))


def float_power(input: Any, exponent: Any, *, out: TensorBase | None = None) -> Any:
    """input to the power exponent, in float64."""
    wide = [x.to(dtypes.float64) if isinstance(x, TensorBase) else float(x)
            for x in (input, exponent)]
    if not any(isinstance(x, TensorBase) for x in wide):
        raise ArgumentTypeError("float_power(): one of the arguments must be a Tensor")
    return e.pow(*wide, out=out)


def heaviside(input: TensorBase, values: TensorBase) -> Any:
    """0 below 0, 1 above, and values at 0.

    Shape: (*), (*) -> the broadcast shape.
    """
    base.require_tensor(input, "heaviside"), base.require_tensor(values, "heaviside", "values")
    if input._dtype is not values._dtype:
        raise DTypeError("heaviside is not yet implemented for tensors with different dtypes.",
                         fix="values.to(input.dtype)")
    zero, one = (ir.full((), v, input._dtype) for v in (0, 1))
    step = e.where(e.gt(input, 0), base.wrap(one), base.wrap(zero))
    return e.where(e.logical_or(e.eq(input, 0), e.isnan(input)), values, step).detach()


def _whole(name: str, *operands: TensorBase) -> None:
    for x in operands:
        base.require_tensor(x, name)
        if x._dtype.is_floating_point or x._dtype is dtypes.bool_:
            raise DTypeOperationError(f"{name}: not implemented for {x._dtype.name}",
                                      fix="x.long()")


def gcd(input: TensorBase, other: TensorBase, *, out: TensorBase | None = None) -> Any:
    """The greatest common divisor of whole numbers.

    Example:
        >>> import lampion as torch
        >>> torch.gcd(torch.tensor([12, 5]), torch.tensor([18, 10]))
        tensor([6, 5])
    """
    _whole("gcd", input, other)
    return apply("gcd", p.gcd, (input, other), out=out)


def lcm(input: TensorBase, other: TensorBase, *, out: TensorBase | None = None) -> Any:
    """The least common multiple of whole numbers."""
    _whole("lcm", input, other)
    divisor = gcd(input, other)
    safe = e.where(e.eq(divisor, 0), 1, divisor)
    made = e.abs(e.mul(e.div(input, safe, rounding_mode="trunc"), other))
    return made if out is None else write_out(out, made)


def nextafter(input: TensorBase, other: TensorBase) -> Any:
    """The number next to input in the direction of other."""
    base.require_tensor(input, "nextafter"), base.require_tensor(other, "nextafter", "other")
    for x in (input, other):
        if not x._dtype.is_floating_point:
            raise DTypeOperationError(f"nextafter: not implemented for {x._dtype.name}",
                                      fix="x.float()")
    made = apply("nextafter", p.nextafter, (input.detach(), other.detach()))
    if not input._tracked and not other._tracked:
        return made
    # A step so small has the slope of input itself, where there is a step.
    moved = e.where(e.ne(input, other), input, e.add(e.mul(input, 0), e.mul(other, 0)))
    return e.add(e.sub(moved, moved.detach()), made)


def logaddexp2(input: TensorBase, other: TensorBase) -> Any:
    """log2(2^input + 2^other), without overflow."""
    for x, name in ((input, "input"), (other, "other")):
        base.require_tensor(x, "logaddexp2", name)
        if not x._dtype.is_floating_point:
            raise DTypeOperationError(f"logaddexp2: not implemented for {x._dtype.name}",
                                      fix="x.float()")
    scale = math.log(2)
    return e.div(e.logaddexp(e.mul(input, scale), e.mul(other, scale)), scale)


def fill(input: TensorBase, value: Any) -> Any:
    """A tensor of the same shape and type, filled with one number."""
    if isinstance(value, TensorBase) and value._shape:
        raise StateError("fill only supports 0-dimension value tensor but got tensor with "
                         f"{len(value._shape)} dimensions.", fix="value.item()")
    made = value.to(input._dtype)._value if isinstance(value, TensorBase) else e.number_value(
        value, input._dtype)
    wide = ir.expand(made, tuple(input._shape))
    return base.call(ops.elementwise.overwrite, (input, wide), {}, label="fill")


record_module(globals())
