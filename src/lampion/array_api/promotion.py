"""The standard's rules of types: promotion within a kind, and Python numbers beside arrays.

    bool    |  uint8 ... uint64, int8 ... int64  |  float32, float64, complex64, complex128

Types of the same kind promote to the smallest type that holds both; across kinds nothing is
promoted. (int64 with uint64 has no such type.) A Python number takes the type of the array beside
it, if it is of its kind or a simpler one.

Source: Python array API standard 2025.12, "Type Promotion Rules".
"""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..base import TensorBase
from ..dtypes import dtype as DType
from ..errors import ArgumentTypeError, DTypeError
from ..functions import creation

TYPES: dict[str, DType] = {d.name: d for d in (
    dtypes.bool_, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64, dtypes.uint8,
    dtypes.uint16, dtypes.uint32, dtypes.uint64, dtypes.float32, dtypes.float64,
    dtypes.complex64, dtypes.complex128)}

KINDS: dict[str, tuple[DType, ...]] = {
    "bool": (dtypes.bool_,),
    "signed integer": (dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64),
    "unsigned integer": (dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64),
    "real floating": (dtypes.float32, dtypes.float64),
    "complex floating": (dtypes.complex64, dtypes.complex128),
}
KINDS["integral"] = KINDS["signed integer"] + KINDS["unsigned integer"]
KINDS["real numeric"] = KINDS["integral"] + KINDS["real floating"]
KINDS["floating"] = KINDS["real floating"] + KINDS["complex floating"]
KINDS["numeric"] = KINDS["integral"] + KINDS["floating"]
KINDS["integral or bool"] = KINDS["bool"] + KINDS["integral"]
KINDS["any"] = KINDS["bool"] + KINDS["numeric"]


def common_type(a: DType, b: DType) -> DType:
    """Return the type that two types promote to.

    Raises:
        ArgumentTypeError: they are of different kinds, or uint64 meets a signed type.

    Example:
        >>> common_type(dtypes.uint8, dtypes.int8)
        torch.int16
    """
    inexact = a.is_inexact and b.is_inexact
    if a.category == b.category or inexact:
        try:
            return dtypes.promote_types(a, b)
        except DTypeError:
            pass
    raise ArgumentTypeError(f"{a.name} and {b.name} cannot be promoted to a common type",
                            why="the array API standard promotes within one kind of types only",
                            fix=f"xp.astype(x, xp.{a.name if a.category > b.category else b.name})")


def scalar(number: Any, dtype: DType) -> Any:
    """Return a Python number as a 0-d tensor of the type of the array beside it."""
    kinds = ((bool, dtypes.BOOL, dtypes.BOOL), (int, dtypes.INTEGER, dtypes.COMPLEX),
             (float, dtypes.FLOATING, dtypes.COMPLEX), (complex, dtypes.COMPLEX, dtypes.COMPLEX))
    for kind, lowest, highest in kinds:
        if isinstance(number, kind):
            if lowest <= dtype.category <= highest:
                if dtype.category == dtypes.INTEGER:
                    limits = dtypes.iinfo(dtype)
                    if not limits.min <= int(number.real) <= limits.max:
                        raise OverflowError(
                            f"the number {number} is outside {dtype.name}: {limits.min} to "
                            f"{limits.max}")
                return creation.full((), number, dtype=dtype)
            raise ArgumentTypeError(
                f"a Python {kind.__name__} cannot be combined with an array of {dtype.name}",
                why="a number must be of the array's kind, or of a simpler one",
                fix="xp.astype(x, ...) first")
    raise ArgumentTypeError(f"expected an array or a Python number, got {type(number).__name__}",
                            fix="xp.asarray(x)")


def check_kind(name: str, dtype: DType, kind: str) -> None:
    """Raise where a function is given a type it is not defined for."""
    if dtype not in KINDS[kind]:
        raise ArgumentTypeError(f"{name}: not defined for {dtype.name}",
                                why=f"it takes arrays of the kind '{kind}'",
                                fix="xp.astype(x, xp.float32)")


def pair(name: str, x1: Any, x2: Any, kind: str) -> tuple[TensorBase, TensorBase]:
    """Return two operands as tensors of one type; one of them may be a Python number."""
    a, b = getattr(x1, "tensor", x1), getattr(x2, "tensor", x2)
    if not isinstance(a, TensorBase):
        if not isinstance(b, TensorBase):
            raise ArgumentTypeError(f"{name}: expected at least one array, got "
                                    f"{type(x1).__name__} and {type(x2).__name__}",
                                    fix="xp.asarray(x)")
        a = scalar(a, b._dtype)
    if not isinstance(b, TensorBase):
        b = scalar(b, a._dtype)
    check_kind(name, a._dtype, kind)
    check_kind(name, b._dtype, kind)
    dtype = common_type(a._dtype, b._dtype)
    return converted(a, dtype), converted(b, dtype)


def converted(x: Any, dtype: DType) -> Any:
    """Return a tensor in a type."""
    return x if x._dtype is dtype else x.to(dtype)
