"""Elementwise functions: arithmetic, mathematics, comparisons, choosing, clamping.

Each applies element by element with broadcasting and PyTorch's type promotion. A name with a
trailing underscore writes the result into its first operand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import base, dtypes, ops, strides
from ..base import TensorBase, call, is_number
from ..errors import ArgumentTypeError, DTypeError, DTypeOperationError, StateError
from ..ir import Op, registry
from ..replay.recorded import record_module
from .operands import (
    apply,
    apply_,
    as_operand,
    broadcast_shape,
    check_fits,
    convert,
    laid_out,
    number_value,
    result_strides,
    result_type,
    row_major,
    write,
    write_out,
)

e = ops.elementwise


# What is written, and what is printed.
_EXAMPLES: dict[str, tuple[str, str]] = {
    "exp": ("torch.exp(torch.tensor([0., 1.]))",
        "tensor([1.0000, 2.7183])"),
    "log": ("torch.log(torch.tensor([1., 0., -1.]))",
        "tensor([0., -inf, nan])"),
    "tanh": ("torch.tanh(torch.tensor([0., 1.]))",
        "tensor([0.0000, 0.7616])"),
    "sqrt": ("torch.sqrt(torch.tensor([4., 2.]))",
        "tensor([2.0000, 1.4142])"),
    "sigmoid": ("torch.sigmoid(torch.tensor([0., 2.]))",
        "tensor([0.5000, 0.8808])"),
    "relu": ("torch.relu(torch.tensor([-1., 2.]))",
        "tensor([0., 2.])"),
    "sin": ("torch.sin(torch.tensor([0., 1.]))",
        "tensor([0.0000, 0.8415])"),
    "cos": ("torch.cos(torch.tensor([0., 1.]))",
        "tensor([1.0000, 0.5403])"),
    "rsqrt": ("torch.rsqrt(torch.tensor([4., 0.25]))",
        "tensor([0.5000, 2.0000])"),
    "floor": ("torch.floor(torch.tensor([1.7, -1.2]))",
        "tensor([ 1., -2.])"),
    "neg": ("torch.neg(torch.tensor([1., -2.]))",
        "tensor([-1.,  2.])"),
    "mul": ("torch.mul(torch.tensor([1., 2.]), 3)",
        "tensor([3., 6.])"),
    "maximum": ("torch.maximum(torch.tensor([1, 5]), torch.tensor([3, 2]))",
        "tensor([3, 5])"),
}


def _document(function: Callable, name: str, sentence: str, shapes: str) -> None:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{sentence}\n\nShape: {shapes}\n"
    if name in _EXAMPLES:
        written, printed = _EXAMPLES[name]
        function.__doc__ += (
            f"\nExample:\n    >>> import lampion as torch\n    >>> {written}\n    {printed}\n")


def _unary(name: str, op: Op, floating: bool = False, refuse_bool: bool = False):
    def function(input: TensorBase, *, out: TensorBase | None = None) -> Any:
        base.require_tensor(input, name)
        if refuse_bool:
            _refuse_bool(name, input)
        return apply(name, op, (input,), floating=floating, out=out)

    _document(function, name, op.doc, "(*) -> (*), any shape.")
    return function


def _unary_(name: str, op: Op, floating: bool = False, refuse_bool: bool = False):
    def function(input: TensorBase) -> Any:
        if refuse_bool:
            _refuse_bool(name, input)
        return apply_(name, op, input, floating=floating)

    _document(function, name, f"{op.doc} In place.", "(*) -> (*), any shape.")
    return function


def _refuse_first(name: str, input: Any, other: Any) -> None:
    base.require_tensor(input, name)


def _refuse_numbers(name: str, input: Any, other: Any) -> None:
    base.require_tensor(input, name)
    base.require_tensor(other, name, "other")


def _refuse_two_numbers(name: str, input: Any, other: Any) -> None:
    if not isinstance(other, TensorBase):
        base.require_tensor(input, name)


_REFUSALS = {"first": _refuse_first, "both": _refuse_numbers, "one": _refuse_two_numbers}


def _refuse_bool(name: str, *operands: Any) -> None:
    for x in operands:
        if isinstance(x, bool) or (isinstance(x, TensorBase) and x._dtype is dtypes.bool_):
            raise DTypeError(
                f"{name}: not supported for bool tensors",
                why="truth values have no difference and no sign",
                fix="~x or torch.logical_not(x) to invert, x ^ y to compare, x.int() to count")


def _refuse_truth(name: str, *operands: Any) -> None:
    if result_type(*operands) is dtypes.bool_:
        raise DTypeOperationError(f"{name}: not implemented for bool", fix="x.int() first")


def _binary(name: str, op: Op, floating: bool = False, bits: bool = False,
            refuse_bool: bool = False, tensors: str | None = None):
    """A function of two operands.

    Args:
        tensors: which of the operands a number cannot stand for: "first", "both", or "one",
            whichever.
    """
    refuse = None if tensors is None else _REFUSALS[tensors]

    def function(input: Any, other: Any, *, out: TensorBase | None = None) -> Any:
        if refuse is not None:
            refuse(name, input, other)
        if bits:
            _refuse_floating(name, input, other)
        if refuse_bool:
            _refuse_truth(name, input, other)
        return apply(name, op, (input, other), floating=floating, out=out)

    _document(function, name, op.doc, "(*), (*) -> the broadcast shape.")
    return function


def _binary_(name: str, op: Op, floating: bool = False, bits: bool = False,
             refuse_bool: bool = False):
    def function(input: TensorBase, other: Any) -> Any:
        if bits:
            _refuse_floating(name, input, other)
        if refuse_bool:
            _refuse_truth(name, input, other)
        return apply_(name, op, input, (other,), floating=floating)

    _document(function, name, f"{op.doc} In place.", "(*), (*) -> the shape of the first.")
    return function


def _refuse_whole(name: str, *operands: Any) -> None:
    dtype = result_type(*operands)
    if not dtype.is_floating_point:
        raise DTypeOperationError(f"{name}: not implemented for {dtype.name}",
                         why="the result is not a whole number", fix="x.float()")


def _refuse_floating(name: str, *operands: Any) -> None:
    dtype = result_type(*(as_operand(name, x) for x in operands))
    if dtype.is_floating_point:
        raise DTypeOperationError(f"{name}: not implemented for {dtype.name}",
                         why="bits of floating numbers have no arithmetic meaning",
                         fix="x.long() or x.bool() first")


# --- functions of one variable -------------------------------------------------------------

exp, exp_ = _unary("exp", e.exp, True), _unary_("exp_", e.exp, True)
exp2, exp2_ = _unary("exp2", e.exp2, True), _unary_("exp2_", e.exp2, True)
expm1, expm1_ = _unary("expm1", e.expm1, True), _unary_("expm1_", e.expm1, True)
log, log_ = _unary("log", e.log, True), _unary_("log_", e.log, True)
log2, log2_ = _unary("log2", e.log2, True), _unary_("log2_", e.log2, True)
log10, log10_ = _unary("log10", e.log10, True), _unary_("log10_", e.log10, True)
log1p, log1p_ = _unary("log1p", e.log1p, True), _unary_("log1p_", e.log1p, True)
sqrt, sqrt_ = _unary("sqrt", e.sqrt, True), _unary_("sqrt_", e.sqrt, True)
rsqrt, rsqrt_ = _unary("rsqrt", e.rsqrt, True), _unary_("rsqrt_", e.rsqrt, True)
sin, sin_ = _unary("sin", e.sin, True), _unary_("sin_", e.sin, True)
cos, cos_ = _unary("cos", e.cos, True), _unary_("cos_", e.cos, True)
tan, tan_ = _unary("tan", e.tan, True), _unary_("tan_", e.tan, True)
asin, asin_ = _unary("asin", e.asin, True), _unary_("asin_", e.asin, True)
acos, acos_ = _unary("acos", e.acos, True), _unary_("acos_", e.acos, True)
atan, atan_ = _unary("atan", e.atan, True), _unary_("atan_", e.atan, True)
sinh, sinh_ = _unary("sinh", e.sinh, True), _unary_("sinh_", e.sinh, True)
cosh, cosh_ = _unary("cosh", e.cosh, True), _unary_("cosh_", e.cosh, True)
tanh, tanh_ = _unary("tanh", e.tanh, True), _unary_("tanh_", e.tanh, True)
asinh, asinh_ = _unary("asinh", e.asinh, True), _unary_("asinh_", e.asinh, True)
acosh, acosh_ = _unary("acosh", e.acosh, True), _unary_("acosh_", e.acosh, True)
atanh, atanh_ = _unary("atanh", e.atanh, True), _unary_("atanh_", e.atanh, True)
sigmoid, sigmoid_ = _unary("sigmoid", e.sigmoid, True), _unary_("sigmoid_", e.sigmoid, True)
erf, erf_ = _unary("erf", e.erf, True), _unary_("erf_", e.erf, True)
erfinv, erfinv_ = _unary("erfinv", e.erfinv, True), _unary_("erfinv_", e.erfinv, True)
_abs, abs_ = _unary("abs", e.abs, False, True), _unary_("abs_", e.abs, False, True)
neg, neg_ = _unary("neg", e.neg, False, True), _unary_("neg_", e.neg, False, True)
sign, sign_ = _unary("sign", e.sign), _unary_("sign_", e.sign)
relu, relu_ = _unary("relu", e.relu, False, True), _unary_("relu_", e.relu, False, True)
floor, floor_ = _unary("floor", e.floor, False, True), _unary_("floor_", e.floor, False, True)
ceil, ceil_ = _unary("ceil", e.ceil, False, True), _unary_("ceil_", e.ceil, False, True)
trunc, trunc_ = _unary("trunc", e.trunc, False, True), _unary_("trunc_", e.trunc, False, True)
negative, fix = neg, trunc
sgn_ = sign_
arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh


def abs(input: TensorBase, *, out: TensorBase | None = None) -> Any:
    """The distance from zero; of complex numbers a real one.

    Shape: (*) -> (*), any shape.

    Example:
        >>> import lampion as torch
        >>> torch.abs(torch.tensor([-1., 2.]))
        tensor([1., 2.])
    """
    if not base.require_tensor(input, "abs")._dtype.is_complex:
        return _abs(input, out=out)
    size = call(ops.complex_numbers.magnitude, (input,), {}, label="abs")
    return size if out is None else write_out(out, size)


absolute = abs


def reciprocal(input: TensorBase, *, out: TensorBase | None = None) -> Any:
    """1 / x.

    Shape: (*) -> (*).
    """
    base.require_tensor(input, "reciprocal")
    return apply("reciprocal", e.reciprocal, (input,), floating=True, out=out)


def reciprocal_(input: TensorBase) -> Any:
    """1 / x, in place."""
    return apply_("reciprocal_", e.reciprocal, input, floating=True)


def round(input: TensorBase, *, decimals: int = 0, out: TensorBase | None = None) -> Any:
    """The nearest whole number, halves to the even one.

    Args:
        decimals: digits kept after the point; negative: zeros before it.

    Example:
        >>> import lampion as torch
        >>> torch.round(torch.tensor([0.5, 1.5, 2.4]))
        tensor([0., 2., 2.])
    """
    base.require_tensor(input, "round")
    _refuse_truth("round", input)
    if decimals == 0:
        return apply("round", e.round, (input,), out=out)
    scale = 10.0 ** math.fabs(decimals)
    if decimals > 0:
        result = div(apply("round", e.round, (mul(input, scale),)), scale)
    else:
        result = mul(apply("round", e.round, (div(input, scale),)), scale)
    return result if out is None else write_out(out, result)


def round_(input: TensorBase, *, decimals: int = 0) -> Any:
    """The nearest whole number, in place."""
    if decimals == 0:
        return apply_("round_", e.round, input)
    return copy_(input, round(input, decimals=decimals))


def square(input: TensorBase) -> Any:
    """x * x.

    Shape: (*) -> (*).

    Example:
        >>> import lampion as torch
        >>> torch.square(torch.tensor([3., -2.]))
        tensor([9., 4.])
    """
    return pow(input, 2)


def square_(input: TensorBase) -> Any:
    """x * x, in place."""
    return pow_(input, 2)


def frac(input: TensorBase) -> Any:
    """x without its whole part: x - trunc(x)."""
    _refuse_whole("frac", input)
    return sub(input, trunc(input))


def logit(input: TensorBase, eps: float | None = None) -> Any:
    """log(x / (1 - x)), the inverse of sigmoid.

    Args:
        eps: x is first clamped to [eps, 1 - eps].
    """
    if not base.require_tensor(input, "logit")._dtype.is_floating_point:
        input = div(input, 1)
    x = input if eps is None else clamp(input, eps, 1 - eps)
    return log(div(x, rsub(x, 1)))


def positive(input: TensorBase) -> Any:
    """+x: x itself."""
    _refuse_bool("positive", input)
    return input


# --- arithmetic ----------------------------------------------------------------------------


def _scaled(name: str, input: Any, other: Any, alpha: Any) -> Any:
    if alpha == 1 and isinstance(alpha, int) and not isinstance(alpha, bool):
        return other
    dtype = result_type(as_operand(name, input), as_operand(name, other))
    if dtype.category < dtypes.FLOATING and isinstance(alpha, float):
        raise DTypeError(f"{name}: For integral input tensors, argument alpha must not be a "
                         "floating point number.", fix="a whole alpha, or x.float()")
    if isinstance(alpha, bool) and dtype is not dtypes.bool_:
        raise DTypeError(f"{name}: Boolean alpha only supported for Boolean results.")
    if dtype is dtypes.bool_:
        alpha = bool(alpha)
    if not isinstance(other, TensorBase):
        return other * alpha
    return times("mul", other, alpha, dtype)


def add(input: Any, other: Any, *, alpha: Any = 1, out: TensorBase | None = None) -> Any:
    """input + alpha * other.

    Shape: (*), (*) -> the broadcast shape.

    Args:
        alpha: a number that other is multiplied by first.

    Example:
        >>> import lampion as torch
        >>> torch.add(torch.tensor([1, 2]), 10)
        tensor([11, 12])
    """
    return apply("add", e.add, (input, _scaled("add", input, other, alpha)), out=out)


def add_(input: TensorBase, other: Any, *, alpha: Any = 1) -> Any:
    """input + alpha * other, in place."""
    input._check_apart((other,), "add_")
    return apply_("add_", e.add, input, (_scaled("add_", input, other, alpha),))


def sub(input: Any, other: Any, *, alpha: Any = 1, out: TensorBase | None = None) -> Any:
    """input - alpha * other.

    Shape: (*), (*) -> the broadcast shape.
    """
    _refuse_bool("sub", input, other)
    return apply("sub", e.sub, (input, _scaled("sub", input, other, alpha)), out=out)


def sub_(input: TensorBase, other: Any, *, alpha: Any = 1) -> Any:
    """input - alpha * other, in place."""
    input._check_apart((other,), "sub_")
    _refuse_bool("sub_", input, other)
    return apply_("sub_", e.sub, input, (_scaled("sub_", input, other, alpha),))


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha * input."""
    base.require_tensor(input, "rsub")
    _refuse_bool("rsub", input, other)
    return apply("rsub", e.sub, (other, _scaled("rsub", other, input, alpha)))


mul, mul_ = _binary("mul", e.mul), _binary_("mul_", e.mul)

_ROUNDING = {None: e.div, "floor": e.floor_divide, "trunc": e.trunc_divide}


def _rounded(rounding_mode: str | None) -> Op:
    if rounding_mode not in _ROUNDING:
        raise StateError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but "
                         f"found '{rounding_mode}'")
    return _ROUNDING[rounding_mode]


def div(
    input: Any, other: Any, *, rounding_mode: str | None = None, out: TensorBase | None = None,
) -> Any:
    """input / other; whole numbers become floating.

    Shape: (*), (*) -> the broadcast shape.

    Args:
        rounding_mode: None, "floor" (as // does) or "trunc" (toward zero).

    Example:
        >>> import lampion as torch
        >>> torch.div(torch.tensor([7, -7]), 2, rounding_mode="floor")
        tensor([ 3, -4])
    """
    op = _rounded(rounding_mode)
    if rounding_mode is not None:
        _refuse_truth("div", input, other)
    return apply("div", op, (input, other), floating=rounding_mode is None, out=out)


def div_(input: TensorBase, other: Any, *, rounding_mode: str | None = None) -> Any:
    """input / other, in place; the tensor must be floating, unless rounding."""
    op = _rounded(rounding_mode)
    if rounding_mode is not None:
        _refuse_truth("div_", input, other)
    return apply_("div_", op, input, (other,), floating=rounding_mode is None)


floor_divide = _binary("floor_divide", e.floor_divide, refuse_bool=True)
floor_divide_ = _binary_("floor_divide_", e.floor_divide, refuse_bool=True)
remainder = _binary("remainder", e.remainder, refuse_bool=True, tensors="one")
remainder_ = _binary_("remainder_", e.remainder, refuse_bool=True)
fmod = _binary("fmod", e.fmod, refuse_bool=True, tensors="first")
fmod_ = _binary_("fmod_", e.fmod, refuse_bool=True)
atan2, atan2_ = _binary("atan2", e.atan2, True, tensors="both"), _binary_("atan2_", e.atan2, True)
maximum = _binary("maximum", e.maximum, tensors="both")
minimum = _binary("minimum", e.minimum, tensors="both")
subtract, multiply, divide, true_divide, arctan2 = sub, mul, div, div, atan2


def pow(input: Any, exponent: Any, *, out: TensorBase | None = None) -> Any:
    """input to the power exponent.

    Shape: (*), (*) -> the broadcast shape.

    Raises:
        StateError: an integer tensor and a negative whole exponent.

    Example:
        >>> import lampion as torch
        >>> torch.pow(torch.tensor([1., 2., 3.]), 2)
        tensor([1., 4., 9.])
    """
    if isinstance(exponent, bool) and isinstance(input, TensorBase) and (
            input._dtype is dtypes.bool_):
        return clone(input) if exponent else ge(input, False)
    _refuse_two_numbers("pow", input, exponent)
    _refuse_negative_power("pow", input, exponent)
    result = apply("pow", e.pow, (input, exponent), out=out)
    return result if isinstance(input, TensorBase) else row_major(result)


def pow_(input: TensorBase, exponent: Any) -> Any:
    """input to the power exponent, in place."""
    _refuse_negative_power("pow_", input, exponent)
    return apply_("pow_", e.pow, input, (exponent,))


def _refuse_negative_power(name: str, x: Any, exponent: Any) -> None:
    if isinstance(exponent, int) and exponent < 0 and isinstance(
            x, TensorBase) and not x._dtype.is_floating_point:
        raise StateError(f"{name}: Integers to negative integer powers are not allowed.",
                         fix="x.float() ** -1")
    if result_type(x, exponent) is dtypes.bool_:
        raise DTypeOperationError(f"{name}: not implemented for bool", fix="x.int() first")


def times(name: str, x: TensorBase, number: bool | int | float, dtype: dtypes.dtype) -> Any:
    """x times a number that belongs to the operation: no gradient rule reads it later."""
    factor = convert(number, dtype, x._shape)
    factor.label = "constant"
    return call(e.mul, (x, factor), {}, result_strides(x._shape, (x,)),
                (convert(x, dtype, x._shape), factor), name)


def _addc(name: str, input: Any, tensor1: Any, tensor2: Any, value: Any) -> Any:
    """What addcmul and addcdiv add to their input."""
    dtype = result_type(input, tensor1, tensor2)
    if dtype is dtypes.bool_:
        raise DTypeOperationError(f"{name}: not implemented for bool", fix="x.int() first")
    if isinstance(value, float) and not dtype.is_floating_point and value != int(value):
        raise DTypeError(f"{name}: value={value} for tensors of {dtype.name}",
                         why="the factor would be rounded to a whole number", fix="x.float()")
    if name.startswith("addcmul"):
        part = mul(tensor1, tensor2)
    elif result_type(tensor1, tensor2).is_floating_point:
        part = div(tensor1, tensor2)
    else:
        raise DTypeError(f"{name}: Integer division with addcdiv is no longer supported",
                         why="a quotient is rarely a whole number",
                         fix="x + value * torch.div(a, b, rounding_mode='trunc')")
    if value == 1:
        return part
    return times("mul", part, value if dtype.is_floating_point else int(value), dtype)


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 * tensor2."""
    return add(input, _addc("addcmul", input, tensor1, tensor2, value))


def addcmul_(input: TensorBase, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 * tensor2, in place."""
    input._check_apart((tensor1, tensor2), "addcmul_")
    return add_(input, _addc("addcmul_", input, tensor1, tensor2, value))


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 / tensor2."""
    return add(input, _addc("addcdiv", input, tensor1, tensor2, value))


def addcdiv_(input: TensorBase, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value * tensor1 / tensor2, in place."""
    input._check_apart((tensor1, tensor2), "addcdiv_")
    return add_(input, _addc("addcdiv_", input, tensor1, tensor2, value))


def lerp(input: TensorBase, end: TensorBase, weight: Any) -> Any:
    """input + weight * (end - input): weight 0 gives input, 1 gives end exactly."""
    for name, x in (("end", end), ("weight", weight)):
        if isinstance(x, TensorBase) and x._dtype is not input._dtype:
            raise DTypeError(f"lerp: expected dtype {input._dtype.name} for `{name}` but got dtype "
                             f"{x._dtype.name}", fix=f"{name}.to(x.dtype)")
    if not input._dtype.is_floating_point:
        raise DTypeOperationError(f"lerp: not implemented for {input._dtype.name}",
                         why="points between whole numbers are no whole numbers", fix="x.float()")
    gap = sub(end, input)
    # Counted from the nearer end.
    if isinstance(weight, TensorBase):
        near = lt(abs(weight), 0.5)
        return where(near, add(input, mul(gap, weight)), sub(end, mul(gap, rsub(weight, 1))))
    if math.fabs(weight) < 0.5:
        return add(input, times("lerp", gap, weight, gap._dtype))
    return sub(end, times("lerp", gap, 1 - weight, gap._dtype))


def lerp_(input: TensorBase, end: TensorBase, weight: Any) -> Any:
    """input + weight * (end - input), in place."""
    input._check_writable("lerp_")
    input._check_apart((end, weight), "lerp_")
    result = lerp(base.wrap(registry["copy"](input._value)), end, weight)
    check_fits("lerp_", input, tuple(result._shape))
    return copy_(input, result)


def fmax(input: TensorBase, other: TensorBase) -> Any:
    """The larger of both; a number if one of them is NaN."""
    _refuse_numbers("fmax", input, other)
    return where(logical_or(ge(input, other), isnan(other)), input, other)


def fmin(input: TensorBase, other: TensorBase) -> Any:
    """The smaller of both; a number if one of them is NaN."""
    _refuse_numbers("fmin", input, other)
    return where(logical_or(le(input, other), isnan(other)), input, other)


def hypot(input: Any, other: Any) -> Any:
    """sqrt(input^2 + other^2), also where a square is too large or too small for the type.

    Shape: (*), (*) -> the broadcast shape. Infinite where one of both is, whatever the other.

    Example:
        >>> import lampion as torch
        >>> torch.hypot(torch.tensor([3., 3e30]), torch.tensor([4., 4e30]))
        tensor([5.0000e+00, 5.0000e+30])
    """
    _refuse_numbers("hypot", input, other)
    _refuse_whole("hypot", input, other)
    size = maximum(abs(input.detach()), abs(other.detach()))
    infinite = logical_or(isinf(input), isinf(other))
    scale = where(logical_or(eq(size, 0), infinite), 1, size)
    a, b = div(input, scale), div(other, scale)
    root = mul(scale, sqrt(add(mul(a, a), mul(b, b))))
    return laid_out(where(infinite, math.inf, root), input, other)


def logaddexp(input: Any, other: Any) -> Any:
    """log(exp(input) + exp(other)) without overflow."""
    _refuse_numbers("logaddexp", input, other)
    _refuse_whole("logaddexp", input, other)
    top = maximum(input, other).detach()
    top = where(isinf(top), zeros_like_number(top), top)
    return add(log(add(exp(sub(input, top)), exp(sub(other, top)))), top)


def zeros_like_number(x: TensorBase) -> Any:
    """A 0 of the tensor's type, for `where`."""
    return 0.0 if x._dtype.is_floating_point else 0


# --- comparing -----------------------------------------------------------------------------

eq, ne = _binary("eq", e.eq, tensors="first"), _binary("ne", e.ne, tensors="first")
lt, le = _binary("lt", e.lt, tensors="first"), _binary("le", e.le, tensors="first")
gt, ge = _binary("gt", e.gt, tensors="first"), _binary("ge", e.ge, tensors="first")
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


def equal(input: TensorBase, other: TensorBase) -> bool:
    """Whether both have the same shape and the same elements (reads both).

    Example:
        >>> import lampion as torch
        >>> torch.equal(torch.tensor([1, 2]), torch.tensor([1, 2]))
        True
    """
    if tuple(input._shape) != tuple(other._shape):
        return False
    return bool(eq(input, other)._read().all())


def isnan(input: TensorBase) -> Any:
    """True where x is NaN.

    Example:
        >>> import lampion as torch
        >>> torch.isnan(torch.tensor([1., float("nan")]))
        tensor([False,  True])
    """
    return ne(input, input)


def isinf(input: TensorBase) -> Any:
    """True where x is plus or minus infinity."""
    return eq(abs(input), math.inf) if input._dtype.is_floating_point else ne(input, input)


def isfinite(input: TensorBase) -> Any:
    """True where x is neither NaN nor infinite."""
    return lt(abs(input), math.inf) if input._dtype.is_floating_point else eq(input, input)


def isposinf(input: TensorBase) -> Any:
    """True where x is plus infinity."""
    return eq(input, math.inf)


def isneginf(input: TensorBase) -> Any:
    """True where x is minus infinity."""
    return eq(input, -math.inf)


def isclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8,
            equal_nan: bool = False) -> Any:
    """True where |input - other| <= atol + rtol * |other|."""
    _refuse_numbers("isclose", input, other)
    if input._dtype is not other._dtype:
        raise DTypeError(f"isclose: {input._dtype} did not match {other._dtype}",
                         fix="other.to(input.dtype)")
    for name, limit in (("rtol", rtol), ("atol", atol)):
        if limit < 0:
            raise StateError(f"isclose: {name} must be greater than or equal to zero, but got "
                             f"{limit}")
    close = eq(input, other)
    if equal_nan and input._dtype.is_floating_point:
        close = bitwise_or(close, bitwise_and(isnan(input), isnan(other)))
    if input._dtype.is_floating_point or rtol or atol:
        x, y = input, other
        if not x._dtype.is_floating_point:
            x, y = x.double(), y.double()
        allowed = add(mul(abs(y), rtol), atol)
        near = le(abs(sub(x, y)), allowed)
        close = bitwise_or(close, bitwise_and(near, isfinite(y)))
    return laid_out(close, input, other)


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> bool:
    """Whether `isclose` holds for every element (reads both).

    Example:
        >>> import lampion as torch
        >>> torch.allclose(torch.tensor([1.0]), torch.tensor([1.0 + 1e-9]))
        True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._read().all())


# --- bits and truth ------------------------------------------------------------------------

bitwise_and = _binary("bitwise_and", e.bit_and, bits=True, tensors="one")
bitwise_and_ = _binary_("bitwise_and_", e.bit_and, bits=True)
bitwise_or = _binary("bitwise_or", e.bit_or, bits=True, tensors="one")
bitwise_or_ = _binary_("bitwise_or_", e.bit_or, bits=True)
bitwise_xor = _binary("bitwise_xor", e.bit_xor, bits=True, tensors="one")
bitwise_xor_ = _binary_("bitwise_xor_", e.bit_xor, bits=True)


def _shift(name: str, op: Op):
    def function(input: Any, other: Any) -> Any:
        _refuse_two_numbers(name, input, other)
        _refuse_floating(name, input, other)
        _refuse_truth(name, input, other)
        return apply(name, op, (input, other))

    _document(function, name, op.doc, "(*), (*) -> the broadcast shape.")
    return function


bitwise_left_shift = _shift("bitwise_left_shift", e.shift_left)
bitwise_right_shift = _shift("bitwise_right_shift", e.shift_right)


def _refuse_floating_not(input: TensorBase) -> None:
    if input._dtype.is_floating_point:
        raise ArgumentTypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors, got "
            f"{input._dtype.name}", why="bits of floating numbers have no arithmetic meaning",
            fix="x.long() or x.bool() first")


def bitwise_not(input: TensorBase) -> Any:
    """Every bit turned; for booleans, not."""
    _refuse_floating_not(input)
    return apply("bitwise_not", e.bit_not, (input,))


def bitwise_not_(input: TensorBase) -> Any:
    """Every bit turned, in place."""
    _refuse_floating("bitwise_not_", input)
    return apply_("bitwise_not_", e.bit_not, input)


def _truth(x: Any) -> Any:
    if isinstance(x, TensorBase):
        return x if x._dtype is dtypes.bool_ else ne(x, 0)
    return bool(x)


def logical_and(input: Any, other: Any) -> Any:
    """True where both are not zero."""
    _refuse_numbers("logical_and", input, other)
    return apply("logical_and", e.bit_and, (_truth(input), _truth(other)))


def logical_or(input: Any, other: Any) -> Any:
    """True where one of both is not zero."""
    _refuse_numbers("logical_or", input, other)
    return apply("logical_or", e.bit_or, (_truth(input), _truth(other)))


def logical_xor(input: Any, other: Any) -> Any:
    """True where exactly one is not zero."""
    _refuse_numbers("logical_xor", input, other)
    return apply("logical_xor", e.bit_xor, (_truth(input), _truth(other)))


def logical_not(input: TensorBase) -> Any:
    """True where x is zero."""
    return apply("logical_not", e.bit_not, (_truth(input),))


# --- choosing ------------------------------------------------------------------------------


def where(condition: TensorBase, input: Any = None, other: Any = None) -> Any:
    """input where the condition holds, else other.

    Shape: (*), (*), (*) -> the broadcast shape.

    Example:
        >>> import lampion as torch
        >>> torch.where(torch.tensor([True, False]), torch.tensor([1, 2]), 0)
        tensor([1, 0])
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    base.require_tensor(condition, "where", "condition")
    if condition._dtype not in (dtypes.bool_, dtypes.uint8):
        raise DTypeError(f"where expected condition to be a boolean tensor, but got a tensor with "
                         f"dtype {condition._dtype.name}", fix="torch.where(condition != 0, a, b)")
    _check_held(result_type(input, other), input, other)
    return apply("where", e.where, (condition, input, other), conditions=1)


def _check_held(dtype: dtypes.dtype, *operands: Any) -> None:
    """Raise where a number among the operands is none of the type's; arithmetic would wrap."""
    for x in operands:
        if is_number(x):
            number_value(base.python_number(x), dtype)


def _check_mask(name: str, mask: Any) -> None:
    base.require_tensor(mask, name, "mask")
    if mask._dtype is not dtypes.bool_:
        raise DTypeError(f"{name} only supports boolean masks, but got dtype {mask._dtype.name}",
                         fix="mask.bool()")


def _fill_number(name: str, input: TensorBase, value: Any) -> Any:
    if isinstance(value, TensorBase):
        if value._shape:
            raise StateError(f"{name} only supports a 0-dimensional value tensor, but got tensor "
                             f"with {len(value._shape)} dimension(s).", fix="value.item()")
        source = value._dtype
    elif is_number(value):
        source = dtypes.of_number(value)
    else:
        raise ArgumentTypeError(f"{name}(): value must be a number, got {type(value).__name__}")
    if input._dtype is dtypes.bool_ and not isinstance(value, TensorBase):
        return bool(value)
    if not isinstance(value, TensorBase) and source.category > input._dtype.category:
        if not math.isfinite(value):
            raise StateError(
                f"value cannot be converted to type {input._dtype.name} without overflow: {value}",
                fix="x.float() first")
        number_value(value, input._dtype)  # raises where the type cannot hold it
        return int(value)
    if source.category > input._dtype.category:
        raise DTypeError(f"value cannot be converted to type {input._dtype.name} without overflow",
                         fix="x.float() first")
    return value


def masked_fill(input: TensorBase, mask: TensorBase, value: Any) -> Any:
    """input with value wherever mask is true.

    Shape: (*), (*) -> the broadcast shape.
    """
    _check_mask("masked_fill", mask)
    value = _fill_number("masked_fill", input, value)
    made = apply("masked_fill", e.where, (mask, value, input), conditions=1, dtype=input._dtype)
    made._strides = strides.contiguous(made._shape)  # a copy in row-major order, in PyTorch too
    return made


def masked_fill_(input: TensorBase, mask: TensorBase, value: Any) -> Any:
    """input with value wherever mask is true, in place."""
    _check_mask("masked_fill_", mask)
    input._check_writable("masked_fill_")
    input._check_apart((mask,), "masked_fill_")
    value = _fill_number("masked_fill_", input, value)
    shape = broadcast_shape("masked_fill_", [input._shape, mask._shape])
    check_fits("masked_fill_", input, shape)
    made = e.where(convert(mask, dtypes.bool_, shape), convert(value, input._dtype, shape),
                   input._value)
    write("masked_fill_", input, made, (mask, value, input))
    return input


def _bounds(name: str, input: TensorBase, min: Any, max: Any):
    if min is None and max is None:
        raise StateError(f"torch.{name}: At least one of 'min' or 'max' must not be None")
    bounds = [x for x in (min, max) if x is not None]
    if result_type(input, *bounds) is dtypes.bool_ and not any(
            isinstance(x, TensorBase) for x in bounds):
        raise DTypeOperationError(f"{name}: not implemented for bool", fix="x.int()")
    return [(e.maximum, min), (e.minimum, max)]


def _clamp_value(name: str, input: TensorBase, min: Any, max: Any):
    """The clamped value, its operands and shape; at a bound the gradient passes."""
    dtype = result_type(input, *(as_operand(name, b) for b in (min, max) if b is not None))
    bounds = [b for b in (min, max) if b is not None]
    _check_held(dtype, *bounds)
    shape = broadcast_shape(name, [x._shape for x in (input, *bounds) if isinstance(
        x, TensorBase)])
    return dtype, shape


def clamp(
    input: TensorBase, min: Any = None, max: Any = None, *, out: TensorBase | None = None,
) -> Any:
    """x held between min and max: min(max(x, min), max).

    Shape: (*) -> (*), broadcast with tensor bounds.

    Args:
        min, max: numbers or tensors; None leaves that side open.

    Example:
        >>> import lampion as torch
        >>> torch.clamp(torch.tensor([-1., 0.5, 3.]), 0, 1)
        tensor([0.0000, 0.5000, 1.0000])
    """
    base.require_tensor(input, "clamp")
    _bounds("clamp", input, min, max)
    dtype, shape = _clamp_value("clamp", input, min, max)
    result = apply("clamp", CLAMP[min is not None, max is not None],
                   [x for x in (input, min, max) if x is not None], dtype=dtype)
    return result if out is None else write_out(out, result)


def clamp_(input: TensorBase, min: Any = None, max: Any = None) -> Any:
    """x held between min and max, in place."""
    _bounds("clamp_", input, min, max)
    bounds = [b for b in (min, max) if b is not None]
    return apply_("clamp_", CLAMP[min is not None, max is not None], input, bounds)


CLAMP = {(True, True): e.clamp, (True, False): e.clamp_low, (False, True): e.clamp_high}
clip, clip_ = clamp, clamp_


def clamp_min(input: TensorBase, min: Any) -> Any:
    """x, but at least min."""
    return clamp(input, min=min)


def clamp_min_(input: TensorBase, min: Any) -> Any:
    """x, but at least min, in place."""
    return clamp_(input, min=min)


def clamp_max(input: TensorBase, max: Any) -> Any:
    """x, but at most max."""
    return clamp(input, max=max)


def clamp_max_(input: TensorBase, max: Any) -> Any:
    """x, but at most max, in place."""
    return clamp_(input, max=max)


def nan_to_num(input: TensorBase, nan: float = 0.0, posinf: float | None = None,
               neginf: float | None = None) -> Any:
    """x with NaN and the infinities replaced by finite numbers.

    Args:
        nan, posinf, neginf: what to put; None means the type's largest or lowest number.
    """
    if not input._dtype.is_floating_point:
        return clone(input)
    limits = dtypes.finfo(input._dtype)
    x = where(isnan(input), nan, input)
    x = where(isposinf(x), limits.max if posinf is None else posinf, x)
    return where(isneginf(x), limits.min if neginf is None else neginf, x)


# --- filling and copying -------------------------------------------------------------------


def clone(input: TensorBase, *, memory_format: Any = None) -> Any:
    """A copy in memory of its own, through which gradients flow."""
    base.require_tensor(input, "clone")
    return apply("clone", e.copy, (input,))


def fill_(input: TensorBase, value: Any) -> Any:
    """Set every element to a number, in place."""
    input._check_writable("fill_", same_everywhere=True)
    if isinstance(value, TensorBase) and value._shape:
        raise StateError("fill_ only supports 0-dimension value tensor but got tensor with "
                         f"{len(value._shape)} dimensions.", fix="x.copy_(value)")
    value = as_operand("fill_", value)
    if not isinstance(value, TensorBase):
        number_value(value, input._dtype)  # raises where the type cannot hold it
    made = convert(value, input._dtype, input._shape)
    write("fill_", input, e.overwrite(input._value, made), (input, value))
    return input


def zero_(input: TensorBase) -> Any:
    """Set every element to zero, in place."""
    input._check_writable("zero_", same_everywhere=True)
    made = convert(0, input._dtype, input._shape)
    write("zero_", input, e.overwrite(input._value, made), (input, None))
    return input


def copy_(input: TensorBase, other: Any, non_blocking: bool = False) -> Any:
    """Copy other's elements into input, with broadcast and cast, in place."""
    other = as_operand("copy_", other)
    # Elements copied to their own places stay as they are, but a gradient path may come with them.
    same = other is input or (isinstance(other, TensorBase) and not other._tracked
                              and input._sees_the_same_as(other))
    input._check_writable("copy_", same_everywhere=same)
    if same:
        input._storage.write(input._storage.read())  # a write like any other, to be counted
        return input
    input._check_apart((other,), "copy_")
    if isinstance(other, TensorBase):
        shape = broadcast_shape("copy_", [input._shape, other._shape])
        check_fits("copy_", input, shape)
    made = convert(other, input._dtype, input._shape)
    write("copy_", input, e.overwrite(input._value, made), (input, other))
    return input


# Numbers among these arguments only become values, so that they may change from call to call.
LIFTS: dict[str, tuple[int, ...]] = {name: (0, 1) for name in (
    "add", "sub", "rsub", "mul", "div", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge")}
LIFTS |= {name: (1,) for name in ("add_", "sub_", "mul_", "div_", "fill_")}
record_module(globals(), but=("equal", "allclose", "zeros_like_number"), lifts=LIFTS)
