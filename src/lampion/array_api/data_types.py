"""The standard's functions of element types, and what the namespace says about itself."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..dtypes import device as Device
from ..dtypes import dtype as DType
from ..errors import ArgumentError, ArgumentTypeError
from .array import Array, tensor_of
from .promotion import KINDS, TYPES, common_type

_NUMBERS = (bool, int, float, complex)


class _Limits:
    """What `finfo` and `iinfo` give: named numbers."""

    def __init__(self, **limits: Any):
        self.__dict__.update(limits)

    def __repr__(self) -> str:
        return f"limits({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


def _type(x: Any) -> DType:
    return x.dtype if isinstance(x, Array) else x


def finfo(type: Any, /) -> Any:
    """The limits of a floating type: bits, eps, max, min, smallest_normal, dtype.

    Args:
        type: a floating or complex type, or an array of one.

    Example:
        >>> import lampion.array_api as xp
        >>> xp.finfo(xp.float32).bits
        32
    """
    found = dtypes.finfo(_type(type))
    return _Limits(bits=found.bits, eps=found.eps, max=found.max, min=found.min,
                   smallest_normal=found.smallest_normal, dtype=_type(type).to_real())


def iinfo(type: Any, /) -> Any:
    """The limits of an integer type: bits, max, min, dtype.

    Args:
        type: an integer type, or an array of one.
    """
    found = dtypes.iinfo(_type(type))
    return _Limits(bits=found.bits, max=found.max, min=found.min, dtype=_type(type))


def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Array:
    """The array in another type.

    Args:
        copy: whether to copy where the type is the same already.

    Raises:
        ArgumentTypeError: from complex numbers to real ones.
    """
    dtypes.check_device(device)
    tensor = tensor_of(x, "astype")
    if tensor.dtype.is_complex and not dtype.is_complex:
        raise ArgumentTypeError(f"astype: from {tensor.dtype.name} to {dtype.name}",
                                why="the imaginary part would be lost", fix="xp.real(x)")
    if tensor.dtype is dtype:
        return Array(tensor.clone()) if copy else x
    return Array(tensor.to(dtype))


def can_cast(from_: Any, to: DType, /) -> bool:
    """Whether a type promotes to another."""
    try:
        return common_type(_type(from_), to) is to
    except ArgumentTypeError:
        return False


def isdtype(dtype: DType, kind: Any) -> bool:
    """Whether a type is of a kind.

    Args:
        kind: a type, "bool", "signed integer", "unsigned integer", "integral", "real floating",
            "complex floating", "numeric", or a tuple of such.
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, DType):
        return dtype is kind
    if kind not in ("bool", "signed integer", "unsigned integer", "integral", "real floating",
                    "complex floating", "numeric"):
        raise ArgumentError(f"isdtype: unknown kind {kind!r}", fix='kind="real floating"')
    return dtype in KINDS[kind]


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The type that arithmetic on these arrays, types and numbers has."""
    types = [_type(x) for x in arrays_and_dtypes if not isinstance(x, _NUMBERS)]
    numbers = [x for x in arrays_and_dtypes if isinstance(x, _NUMBERS)]
    if not types:
        raise ArgumentError("result_type: expected at least one array or type",
                            fix="xp.result_type(xp.asarray(x))")
    found = types[0]
    for one in types[1:]:
        found = common_type(found, one)
    for number in numbers:
        kind = dtypes.of_number(number)
        if kind.category > found.category:
            if not (kind.is_inexact and found.is_inexact):
                raise ArgumentTypeError(
                    f"a Python {type(number).__name__} cannot be combined with {found.name}",
                    fix="xp.astype(x, ...) first")
            found = found.to_complex()
        elif kind is dtypes.bool_ and found is not dtypes.bool_:
            raise ArgumentTypeError(f"a Python bool cannot be combined with {found.name}",
                                    fix="int(x)")
    return found


class Information:
    """What `__array_namespace_info__()` gives."""

    def capabilities(self) -> dict[str, Any]:
        """Which optional parts of the standard exist: all."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """The CPU."""
        return Device("cpu")

    def devices(self) -> list[Device]:
        """The CPU alone."""
        return [Device("cpu")]

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The types that Python numbers become."""
        dtypes.check_device(device)
        real = dtypes.get_default_dtype()
        return {"real floating": real, "complex floating": real.to_complex(),
                "integral": dtypes.int64, "indexing": dtypes.int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The types by name, of all kinds or of some."""
        dtypes.check_device(device)
        return {name: d for name, d in TYPES.items() if kind is None or isdtype(d, kind)}


def __array_namespace_info__() -> Information:
    """Return what this namespace can do."""
    return Information()
