"""The array object: a tensor under the standard's rules of types and indices.

It differs from `lampion.Tensor` where PyTorch differs from the standard: a 0-d array promotes like
any other, kinds of types do not mix, `size` is a number, and a slice may go backwards.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import device as Device
from ..dtypes import dtype as DType
from ..errors import ArgumentError, ArgumentTypeError, IndexRangeError
from ..tensor import Tensor
from . import promotion

VERSION = "2025.12"
VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


class Array:
    """An array of the Python array API standard over a lampion tensor.

    Args:
        tensor: the tensor whose memory it shares.

    Example:
        >>> import lampion.array_api as xp
        >>> x = xp.asarray([1, 2, 3])
        >>> x[::-1] + 1
        Array([4, 3, 2])
        >>> x.tensor
        tensor([1, 2, 3])
    """

    __slots__ = ("tensor",)
    __array_priority__ = 1001
    __hash__ = None  # type: ignore[assignment]  # equality is elementwise

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    # --- what it is ----------------------------------------------------------------------

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.tensor.dtype

    @property
    def device(self) -> Device:
        """Where it lives: the CPU."""
        return self.tensor.device

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return tuple(self.tensor.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.tensor.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.tensor.shape)

    @property
    def T(self) -> Array:
        """The matrix with its axes exchanged."""
        if self.ndim != 2:
            raise ArgumentError(f"x.T: the array has {self.ndim} axes",
                                why="T is defined for matrices", fix="x.mT, or xp.permute_dims")
        return Array(self.tensor.mT)

    @property
    def mT(self) -> Array:
        """The last two axes exchanged."""
        if self.ndim < 2:
            raise ArgumentError(f"x.mT: the array has {self.ndim} axes",
                                why="a matrix has two", fix="xp.expand_dims(x)")
        return Array(self.tensor.mT)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Array:
        """The same array: there is only the CPU."""
        dtypes.check_device(device)
        if stream is not None:
            raise ArgumentError("to_device: the CPU has no streams", fix="stream=None")
        return self

    # --- how it is seen from outside ---------------------------------------------------------

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return namespace(api_version)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.tensor.detach().__array__(dtype, copy)

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None,
                   copy: bool | None = None) -> Any:
        options = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self.tensor.__dlpack__(
            stream=stream, **{name: x for name, x in options.items() if x is not None})

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.tensor.__dlpack_device__()

    def __repr__(self) -> str:
        return self.tensor.__repr__().replace("tensor(", "Array(", 1).replace("\n ", "\n")

    def __len__(self) -> int:
        if not self.ndim:
            raise ArgumentTypeError("len() of a 0-d array", fix="x.size")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.ndim:
            raise ArgumentTypeError("iteration over a 0-d array", fix="x.size")
        return (self[k] for k in range(self.shape[0]))

    def _number(self, kind: str) -> Any:
        if self.size != 1:
            raise ArgumentTypeError(
                f"only one element arrays can be converted to Python scalars: this one has shape "
                f"{self.shape} ({kind})", fix=f"{kind}(x[k])")
        return self.tensor.item()

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __int__(self) -> int:
        if self.dtype.is_complex:
            raise ArgumentTypeError("int() of a complex array", fix="int(xp.real(x))")
        return int(self._number("int"))

    def __float__(self) -> float:
        if self.dtype.is_complex:
            raise ArgumentTypeError("float() of a complex array", fix="float(xp.real(x))")
        return float(self._number("float"))

    def __complex__(self) -> complex:
        return complex(self._number("complex"))

    def __index__(self) -> int:
        if self.dtype.category != dtypes.INTEGER:
            raise ArgumentTypeError(f"an array of {self.dtype.name} is no index", fix="int(x)")
        return int(self._number("operator.index"))

    # --- elements ------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Array:
        positive, backwards = _forward(key, self.shape)
        found = self.tensor[positive]
        return Array(found.flip(backwards) if backwards else found)

    def __setitem__(self, key: Any, value: Any) -> None:
        positive, backwards = _forward(key, self.shape)
        if isinstance(value, Array):
            if promotion.common_type(self.dtype, value.dtype) is not self.dtype:
                raise ArgumentTypeError(
                    f"cannot put {value.dtype.name} into an array of {self.dtype.name}",
                    why="the array keeps its type", fix="xp.astype(value, x.dtype)")
            value = value.tensor
        else:
            value = promotion.scalar(value, self.dtype)
        if backwards:
            value = value.broadcast_to(self.tensor[positive].shape).flip(backwards)
        self.tensor[positive] = value

    # --- arithmetic: the operators are filled in by elementwise.py -----------------------------


def _forward(key: Any, shape: tuple[int, ...]) -> tuple[Any, list[int]]:
    """Return the key without backward slices, and the axes of its result that are to be flipped."""
    parts = list(key) if isinstance(key, tuple) else [key]
    parts = [part.tensor if isinstance(part, Array) else part for part in parts]
    used = sum(_axes_of(part) for part in parts)
    if used > len(shape):
        raise IndexRangeError(f"too many indices: {used} for an array of {len(shape)} axes")
    made: list[Any] = []
    backwards: list[int] = []
    axis = place = 0
    for part in parts:
        if part is Ellipsis:
            skipped = len(shape) - used
            axis, place = axis + skipped, place + skipped
        elif part is None:
            place += 1
        elif isinstance(part, slice):
            if part.step is not None and part.step < 0:
                places = range(*part.indices(shape[axis]))
                part = slice(places[-1], places[0] + 1, -places.step) if places else slice(0, 0)
                backwards.append(place)
            axis, place = axis + 1, place + 1
        else:
            if isinstance(part, Tensor) and part.dtype is dtypes.bool_ and 0 in part.shape:
                part = _of_no_element(part, shape[axis:axis + part.ndim])
            axis += _axes_of(part)
            place += 1 if isinstance(part, Tensor) and part.ndim else 0
        made.append(part)
    return (tuple(made) if isinstance(key, tuple) else made[0]), backwards


def _of_no_element(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a mask that picks nothing; an axis of size 0 fits an axis of any size."""
    fits = all(m in (n, 0) for m, n in zip(mask.shape, shape, strict=True))
    return mask.new_zeros(shape) if fits else mask


def _axes_of(part: Any) -> int:
    """How many axes a part of a key takes away."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    if isinstance(part, Tensor) and part.dtype is dtypes.bool_:
        return part.ndim
    return 1


def namespace(api_version: str | None = None) -> Any:
    """Return `lampion.array_api`; raises for a version of the standard that is not known."""
    if api_version is not None and api_version not in VERSIONS:
        raise ArgumentError(f"unknown version of the array API standard: {api_version!r}",
                            why=f"known are {', '.join(VERSIONS)}", fix=f'"{VERSION}"')
    return importlib.import_module(__package__)


def tensor_of(x: Any, function: str) -> Tensor:
    """Return the tensor of an array; raises for anything else."""
    if isinstance(x, Array):
        return x.tensor
    if isinstance(x, Tensor):
        return x
    raise ArgumentTypeError(f"{function}: expected an array, got {type(x).__name__}",
                            fix=f"xp.{function}(xp.asarray(x))")
