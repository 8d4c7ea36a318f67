"""Element types, their promotion (PyTorch's rules), Size and device.

A type has a category (bool < integer < floating < complex). Two tensors promote along the lattice
below; 0-d tensors and Python numbers only count when their category is higher than that of the
tensors with axes, so `float32_tensor * 2.5` stays float32 and `int64_tensor * 2.5` becomes the
default floating type.

    bool -> uint8 -> int16 -> int32 -> int64 -> float16, bfloat16 -> float32   -> float64
         -> int8  ->                                                 complex64 -> complex128

uint16, uint32 and uint64 promote among themselves and to the next larger signed type; uint64 has
none with signed types. They and the complex types are computed by NumPy: no network trains on them.

bfloat16 has no NumPy type: its arrays are float32 arrays rounded after every operation
(`round_to`), which is exactly bfloat16 storage with float32 arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError

BOOL, INTEGER, FLOATING, COMPLEX = 0, 1, 2, 3


class dtype:  # noqa: N801 - PyTorch's name
    """An element type, e.g. `lampion.float32`.

    Args:
        name: PyTorch's name of the type.
        array: the NumPy type whose arrays hold such elements.
        category: 0 bool, 1 integer, 2 floating, 3 complex.
        itemsize: size of one element, in bytes.

    `is_inexact` says that there are numbers between any two: floating or complex, the types that
    have gradients.
    """

    __slots__ = ("name", "array", "category", "itemsize", "is_floating_point", "is_complex",
                 "is_inexact", "is_signed")

    def __init__(self, name: str, array: type, category: int, itemsize: int):
        self.name = name
        self.array: np.dtype[Any] = np.dtype(array)
        self.category = category
        self.itemsize = itemsize
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_inexact = category >= FLOATING
        self.is_signed = not name.startswith(("bool", "uint"))

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return by_name, (self.name,)

    def to_real(self) -> dtype:
        """Return the type of the real part."""
        return _real.get(self, self)

    def to_complex(self) -> dtype:
        """Return the complex type whose parts hold such numbers."""
        return complex128 if self in (float64, complex128) else complex64


bool_ = dtype("bool", np.bool_, BOOL, 1)
uint8 = dtype("uint8", np.uint8, INTEGER, 1)
int8 = dtype("int8", np.int8, INTEGER, 1)
int16 = dtype("int16", np.int16, INTEGER, 2)
int32 = dtype("int32", np.int32, INTEGER, 4)
int64 = dtype("int64", np.int64, INTEGER, 8)
uint16 = dtype("uint16", np.uint16, INTEGER, 2)
uint32 = dtype("uint32", np.uint32, INTEGER, 4)
uint64 = dtype("uint64", np.uint64, INTEGER, 8)
float16 = dtype("float16", np.float16, FLOATING, 2)
bfloat16 = dtype("bfloat16", np.float32, FLOATING, 2)
float32 = dtype("float32", np.float32, FLOATING, 4)
float64 = dtype("float64", np.float64, FLOATING, 8)
complex64 = dtype("complex64", np.complex64, COMPLEX, 8)
complex128 = dtype("complex128", np.complex128, COMPLEX, 16)

# The types that networks are made of: the native engine computes them.
ALL = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
# The types that only NumPy computes.
RARE = (uint16, uint32, uint64, complex64, complex128)
half, float_, double, short, int_, long = float16, float32, float64, int16, int32, int64
cfloat, cdouble = complex64, complex128

_real = {complex64: float32, complex128: float64}
_names = {d.name: d for d in (*ALL, *RARE)}
_arrays: dict[np.dtype, dtype] = {d.array: d for d in (*ALL, *RARE) if d is not bfloat16}
_arrays[np.dtype(np.float32)] = float32


def by_name(name: str) -> dtype:
    """Return the type of that name.

    Example:
        >>> by_name("float32")
        torch.float32
    """
    return _names[name]


def from_numpy(array: np.dtype) -> dtype:
    """Return the lampion type of a NumPy type; raises ArgumentTypeError where there is none."""
    found = _arrays.get(array.newbyteorder("="))
    if found is None:
        raise ArgumentTypeError(
            f"cannot make a tensor of NumPy type {array}",
            why="tensors hold numbers and truth values of the sizes that PyTorch has",
            fix="array.astype(numpy.float32), or another supported type, first",
        )
    return found


_default = float32
on_default_change: list[Callable[[], None]] = []  # called when another default is set


def get_default_dtype() -> dtype:
    """Return the floating type that Python floats become (float32 unless set otherwise)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the floating type that Python floats become.

    Args:
        d: float16, bfloat16, float32 or float64.
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise ArgumentTypeError(
            f"set_default_dtype: got {d!r}",
            why="only floating-point types are supported as the default type",
            fix="lampion.set_default_dtype(lampion.float32)",
        )
    if d is not _default:
        _default = d
        for listener in on_default_change:
            listener()


# Python's own types stand for the widest of their category, as in `x.to(float)`.
_python = {bool: bool_, int: int64, float: float64, complex: complex128}


def chosen(asked: dtype | type | None) -> dtype | None:
    """Return the type that a `dtype=` argument asks for; None where it asks for none.

    Example:
        >>> chosen(float), chosen(None) or int64
        (torch.float64, torch.int64)
    """
    if asked is None or isinstance(asked, dtype):
        return asked
    found = _python.get(asked) if isinstance(asked, type) else None
    if found is None:
        name = str(asked).removeprefix("torch.")
        raise ArgumentTypeError(
            f"argument 'dtype' must be torch.dtype, not {type(asked).__name__}: {asked!r}",
            fix=f"dtype=torch.{name}" if name in _names else "dtype=torch.float32",
        )
    return found


def of_number(number: bool | int | float | complex) -> dtype:
    """Return the type a Python number has by itself."""
    if isinstance(number, bool):
        return bool_
    if isinstance(number, complex):
        return _default.to_complex()
    return int64 if isinstance(number, int) else _default


_rank = {d: i for i, d in enumerate((bool_, uint8, int8, int16, int32, int64))}
_float_rank = {float16: 0, bfloat16: 0, float32: 1, float64: 2}
_signed = {2: int16, 4: int32, 8: int64}  # by size in bytes


def promote_types(a: dtype, b: dtype) -> dtype:
    """Return the smallest type that both types convert to.

    Example:
        >>> promote_types(uint8, int8), promote_types(float16, bfloat16)
        (torch.int16, torch.float32)
    """
    if a is b:
        return a
    if a.is_complex or b.is_complex:
        wide = (a if a.is_floating_point else a.to_real()), (b if b.is_floating_point
                                                             else b.to_real())
        return complex128 if float64 in wide else complex64
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.category == FLOATING:
        if _float_rank[a] == _float_rank[b]:  # float16 with bfloat16
            return float32
        return a if _float_rank[a] > _float_rank[b] else b
    if {a, b} == {uint8, int8}:
        return int16
    if a in _rank and b in _rank:
        return a if _rank[a] > _rank[b] else b
    return _promote_unsigned(a, b)


def _promote_unsigned(a: dtype, b: dtype) -> dtype:
    """Promote integers of which one is uint16, uint32 or uint64."""
    if BOOL in (a.category, b.category):
        return a if b.category == BOOL else b
    if a.is_signed == b.is_signed:
        return a if a.itemsize > b.itemsize else b
    signed, unsigned = (a, b) if a.is_signed else (b, a)
    size = max(signed.itemsize, 2 * unsigned.itemsize)
    if size > 8:
        raise DTypeError(
            f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{a.name} and {b.name}", why="no type holds the numbers of both",
            fix="x.to(torch.int64) or x.double() first")
    return _signed[size]


def combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    """Combine the type of a group with priority with that of a group without (PyTorch's rule)."""
    if higher is None:
        return lower
    if lower is None or higher.category >= lower.category:
        return higher
    if lower.is_complex and higher.is_floating_point:
        return higher.to_complex()  # the group without priority does not decide the precision
    return promote_types(higher, lower)


def can_cast(source: dtype, target: dtype) -> bool:
    """Whether an in-place operation may write `source` results into a `target` tensor."""
    return source.category <= target.category


def check_cast(source: dtype, target: dtype, what: str) -> None:
    """Raise the error of an in-place write that would lose the category of its result."""
    if not can_cast(source, target):
        raise DTypeError(
            f"{what}: result type {source.name} can't be cast to the desired output type "
            f"{target.name}",
            why="an in-place operation keeps the tensor's type",
            fix=f"x = x.{'float' if source.is_floating_point else 'long'}() first, "
            "or the operation without the trailing underscore",
        )


def round_to(d: dtype, array: np.ndarray) -> np.ndarray:
    """Round a float32 array to the nearest bfloat16, ties to even (other types: unchanged)."""
    if d is not bfloat16:
        return array
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(
        0xFFFF0000
    )
    rounded = kept.view(np.float32)
    return np.where(np.isnan(array), np.float32(np.nan), rounded).reshape(np.shape(array))


class finfo:  # noqa: N801 - PyTorch's name
    """Numerical limits of a floating type: bits, eps, max, min, tiny, smallest_normal, resolution.

    Example:
        >>> finfo(float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, d: dtype | None = None):
        d = (d or _default).to_real()
        if not d.is_floating_point:
            raise ArgumentTypeError(
                f"finfo: got {d!r}", why="it is not a floating type", fix=f"torch.iinfo({d!r})"
            )
        self.dtype, self.bits = d.name, d.itemsize * 8
        if d is bfloat16:
            self.eps, self.max, self.tiny = 2.0**-7, 2.0**127 * (2 - 2.0**-7), 2.0**-126
            self.resolution = 0.01
        else:
            info = np.finfo(d.array)
            self.eps, self.max = float(info.eps), float(info.max)
            self.tiny, self.resolution = float(info.tiny), float(info.resolution)
        self.min, self.smallest_normal = -self.max, self.tiny

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution}, min={self.min}, max={self.max}, "
            f"eps={self.eps}, smallest_normal={self.tiny}, tiny={self.tiny}, dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - PyTorch's name
    """Numerical limits of an integer type: bits, max, min.

    Example:
        >>> iinfo(int8).max
        127
    """

    def __init__(self, d: dtype):
        if d.category != INTEGER:
            raise ArgumentTypeError(f"iinfo: {d!r} is not an integer type", fix=f"finfo({d!r})")
        info = np.iinfo(d.array)
        self.dtype, self.bits = d.name, d.itemsize * 8
        self.max, self.min = int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


class Size(tuple):
    """The lengths of a tensor's axes: a tuple that prints as PyTorch's.

    Example:
        >>> Size((2, 3)).numel()
        6
    """

    __slots__ = ()

    def numel(self) -> int:
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index):
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other):
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times):
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self):
        return Size, (tuple(self),)


class device:  # noqa: N801 - PyTorch's name
    """Where a tensor lives: lampion computes on the CPU.

    Args:
        type: "cpu" or "cpu:0" ("meta" and accelerators are named but hold no tensors).
        index: position among devices of that type, or None.

    Example:
        >>> device("cpu")
        device(type='cpu')
    """

    __slots__ = ("type", "index")
    type: str
    index: int | None
    KNOWN = ("cpu", "cuda", "mps", "xpu", "xla", "meta", "mtia", "hpu")

    def __init__(self, type: str | device | int = "cpu", index: int | None = None):
        if isinstance(type, device):
            index = type.index
            type = type.type
        if isinstance(type, int):
            index = type
            type = "cuda"
        if ":" in type:
            type, _, number = type.partition(":")
            if not number.isdigit():
                raise ArgumentError(f"device: invalid device string '{type}:{number}'",
                                    fix='device("cpu")')
            index = int(number)
        if type not in self.KNOWN:
            raise DTypeError(
                f"device: expected one of {', '.join(self.KNOWN)} device type at start of device "
                f"string: {type}", fix='device("cpu")',
            )
        self.type, self.index = type, index

    def __repr__(self) -> str:
        tail = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{tail})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other) -> bool:
        return (
            isinstance(other, device) and (self.type, self.index) == (other.type, other.index)
        )

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self):
        return device, (self.type, self.index)

    def __enter__(self):
        check_device(self)
        return self

    def __exit__(self, *unused):
        return False


CPU = device("cpu")


def check_device(where: device | str | int | None) -> device:
    """Return the CPU device, or raise an error that says what to write instead."""
    if where is None:
        return CPU
    wanted = where if isinstance(where, device) else device(where)
    if wanted.type != "cpu":
        raise DeviceError(
            f"device '{wanted}' is not available: lampion computes on the CPU",
            fix="device = 'cuda' if torch.cuda.is_available() else 'cpu'",
        )
    return CPU
