"""In-place forms that are no more than: compute, then write the result back.

Where an in-place form has a rule of its own (`add_`, `mul_`, `clamp_`, ...), it stands with its
function; here are the others, all made alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import base, dtypes
from ..base import TensorBase
from ..errors import ShapeError, shape_text
from ..ir import registry
from ..replay.recorded import record_module
from . import creation, linalg, number_parts, reduction, sample_statistics, special_functions
from . import elementwise as e
from .operands import check_fits


def _in_place(function: Callable, same_type: bool = False) -> Callable:
    """Return the form of a function that writes its result into its first argument.

    Args:
        same_type: compute in the type of the first argument.
    """
    name = f"{function.__name__}_"

    def method(input: TensorBase, *args: Any, **keywords: Any) -> Any:
        input._check_writable(name)
        if same_type:
            keywords.setdefault("dtype", input._dtype)
        # A copy, so that the gradient finds the old elements after the write.
        before = base.wrap(registry["copy"](input._value))
        result = function(before, *args, **keywords)
        dtypes.check_cast(result._dtype, input._dtype, name)
        check_fits(name, input, tuple(result._shape))
        return e.copy_(input, result)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{function.__name__}`, in place."
    return method


cumsum_ = _in_place(reduction.cumsum, same_type=True)
cumprod_ = _in_place(reduction.cumprod, same_type=True)
tril_, triu_ = _in_place(creation.tril), _in_place(creation.triu)
eq_, ne_ = _in_place(e.eq), _in_place(e.ne)
lt_, le_, gt_, ge_ = _in_place(e.lt), _in_place(e.le), _in_place(e.gt), _in_place(e.ge)
logical_and_, logical_or_ = _in_place(e.logical_and), _in_place(e.logical_or)
logical_xor_, logical_not_ = _in_place(e.logical_xor), _in_place(e.logical_not)
bitwise_left_shift_ = _in_place(e.bitwise_left_shift)
bitwise_right_shift_ = _in_place(e.bitwise_right_shift)
nan_to_num_, frac_ = _in_place(e.nan_to_num), _in_place(e.frac)
erfc_ = _in_place(special_functions.erfc)
hypot_, logit_ = _in_place(e.hypot), _in_place(e.logit)
addbmm_, baddbmm_ = _in_place(linalg.addbmm), _in_place(linalg.baddbmm)
addmv_, addr_ = _in_place(linalg.addmv), _in_place(linalg.addr)
copysign_, nextafter_ = _in_place(number_parts.copysign), _in_place(number_parts.nextafter)
deg2rad_, rad2deg_ = _in_place(number_parts.deg2rad), _in_place(number_parts.rad2deg)
gcd_, lcm_ = _in_place(number_parts.gcd), _in_place(number_parts.lcm)
heaviside_, ldexp_ = _in_place(number_parts.heaviside), _in_place(number_parts.ldexp)
float_power_ = _in_place(number_parts.float_power)
lgamma_, digamma_ = _in_place(special_functions.lgamma), _in_place(special_functions.digamma)
igamma_, igammac_ = _in_place(special_functions.igamma), _in_place(special_functions.igammac)
mvlgamma_, polygamma_ = (_in_place(special_functions.mvlgamma),
                         _in_place(special_functions.polygamma))
i0_, sinc_ = _in_place(special_functions.i0), _in_place(special_functions.sinc)
xlogy_, renorm_ = _in_place(special_functions.xlogy), _in_place(sample_statistics.renorm)


def fill_diagonal_(input: TensorBase, fill_value: Any, wrap: bool = False) -> Any:
    """Set the elements whose indices are all alike to one number.

    Args:
        fill_value: the number.
        wrap: in a matrix that is taller than wide, begin again below the end of the diagonal,
            with one row between.

    Raises:
        ShapeError: fewer than two axes, or more than two that differ in length.

    Example:
        >>> import lampion as torch
        >>> torch.zeros(2, 3).fill_diagonal_(5)
        tensor([[5., 0., 0.],
                [0., 5., 0.]])
    """
    shape = tuple(input._shape)
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(
            f"fill_diagonal_: the tensor is {shape_text(shape)}",
            why="dimensions must larger than 1, and all dimensions of input must be of equal "
            "length from three axes on")
    x: Any = input
    while x.dim() > 2:  # the diagonal of two axes goes last, and takes part again
        x = x.diagonal(0, 0, 1)
    step = shape[1] + 1
    starts = range(0, shape[0], step) if wrap and len(shape) == 2 else range(1)
    for start in starts:
        x[start:].diagonal().fill_(fill_value)
    return input


record_module(globals())
