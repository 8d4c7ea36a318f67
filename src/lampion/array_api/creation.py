"""The standard's functions that make arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import dtype as DType
from ..errors import ArgumentError, ArgumentTypeError
from ..functions import creation as make
from ..tensor import Tensor
from .array import Array, tensor_of
from .promotion import TYPES, common_type

Shape = int | tuple[int, ...]


def _check(dtype: DType | None, device: Any) -> None:
    dtypes.check_device(device)
    if dtype is not None and dtype not in TYPES.values():
        raise ArgumentTypeError(f"dtype: expected a type of the standard, got {dtype!r}",
                                fix="dtype=xp.float32")


def asarray(obj: Any, /, *, dtype: DType | None = None, device: Any = None,
            copy: bool | None = None) -> Array:
    """An array of a number, nested sequences of numbers, another array, or a buffer.

    Args:
        obj: the data.
        dtype: element type; None takes it from the data.
        copy: True copies always, False never (raises where it must), None where it must.

    Raises:
        ArgumentError: a copy is needed and forbidden.

    Example:
        >>> import lampion.array_api as xp
        >>> xp.asarray([[1, 2], [3, 4]], dtype=xp.float32)
        Array([[1., 2.],
               [3., 4.]])
    """
    _check(dtype, device)
    if isinstance(obj, Array):
        obj = obj.tensor
    if not isinstance(obj, (Tensor, np.ndarray, list, tuple, bool, int, float, complex)):
        if hasattr(obj, "__dlpack__"):
            obj = make.from_dlpack(obj)
        else:
            obj = np.asarray(obj)
    if isinstance(obj, Tensor):
        return _converted(obj, dtype, copy)
    if isinstance(obj, np.ndarray) and copy is not True and (
            dtype is None or dtype.array == obj.dtype) and obj.flags.writeable:
        return Array(make.from_numpy(obj))
    if copy is False:
        raise ArgumentError("asarray: copy=False, but the data must be copied",
                            why="Python numbers and other types have other memory",
                            fix="copy=None")
    if isinstance(obj, int) and not isinstance(obj, bool) and dtype is None:
        limits = dtypes.iinfo(dtypes.int64)
        if not limits.min <= obj <= limits.max:
            raise OverflowError(f"the number {obj} is outside int64")
    return Array(make.tensor(_plain(obj), dtype=dtype))


def _plain(data: Any) -> Any:
    """Nested sequences with arrays in them, as tensors."""
    if isinstance(data, Array):
        return data.tensor
    if isinstance(data, (list, tuple)):
        return [_plain(x) for x in data]
    return data


def _converted(tensor: Tensor, dtype: DType | None, copy: bool | None) -> Array:
    if dtype is None or tensor.dtype is dtype:
        return Array(tensor.clone() if copy else tensor)
    if copy is False:
        raise ArgumentError(f"asarray: copy=False, but {tensor.dtype.name} is not {dtype.name}",
                            fix="copy=None")
    return Array(tensor.to(dtype))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array from any that speaks DLPack; memory is shared unless copy is True."""
    dtypes.check_device(device)
    if isinstance(x, Array):
        return Array(x.tensor.clone() if copy else x.tensor)
    found = make.from_dlpack(x)
    return Array(found.clone() if copy else found)


def _shape(shape: Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def full(shape: Shape, fill_value: Any, *, dtype: DType | None = None,
         device: Any = None) -> Array:
    """An array filled with one number."""
    _check(dtype, device)
    if isinstance(fill_value, Array):
        fill_value = fill_value.tensor.item()
    return Array(make.full(_shape(shape), fill_value, dtype=dtype))


def zeros(shape: Shape, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of zeros."""
    return full(shape, 0, dtype=dtype or dtypes.get_default_dtype(), device=device)


def ones(shape: Shape, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of ones."""
    return full(shape, 1, dtype=dtype or dtypes.get_default_dtype(), device=device)


def empty(shape: Shape, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array that is not meant to be read yet (zeros)."""
    return zeros(shape, dtype=dtype, device=device)


def full_like(x: Array, /, fill_value: Any, *, dtype: DType | None = None,
              device: Any = None) -> Array:
    """One number, of the shape and type of another array."""
    tensor = tensor_of(x, "full_like")
    return full(tuple(tensor.shape), fill_value, dtype=dtype or tensor.dtype, device=device)


def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    """Zeros of the shape and type of another array."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    """Ones of the shape and type of another array."""
    return full_like(x, 1, dtype=dtype, device=device)


def empty_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of the shape and type of another, not meant to be read yet (zeros)."""
    return full_like(x, 0, dtype=dtype, device=device)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None,
        device: Any = None) -> Array:
    """Ones on diagonal number k, zeros elsewhere."""
    _check(dtype, device)
    kind = dtype or dtypes.get_default_dtype()
    array = np.eye(n_rows, n_cols, k, dtype=kind.array)
    return Array(make.tensor(array, dtype=kind))


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: DType | None = None,
           device: Any = None) -> Array:
    """Numbers from start (included) to stop (excluded), step apart; none where that never arrives.

    Args:
        start: the first number; with no stop, 0 is first and this is the stop.
    """
    _check(dtype, device)
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ArgumentError("arange: step is 0", why="it would never arrive", fix="step=1")
    whole = all(isinstance(x, int) for x in (start, stop, step))
    kind = dtype or (dtypes.int64 if whole else dtypes.get_default_dtype())
    if whole:
        numbers = range(start, stop, step)
        array: Any = np.array(numbers, dtype=kind.array) if len(numbers) else np.zeros(
            0, kind.array)
    else:
        count = max(0, math.ceil((stop - start) / step))
        array = (start + np.arange(count) * step).astype(kind.array)
    return Array(make.tensor(array, dtype=kind))


def linspace(start: Any, stop: Any, /, num: int, *, dtype: DType | None = None,
             device: Any = None, endpoint: bool = True) -> Array:
    """num numbers from start to stop, evenly spaced; without endpoint, stop is left out."""
    _check(dtype, device)
    default = dtypes.get_default_dtype()
    kind = dtype or (default.to_complex() if isinstance(start + stop, complex) else default)
    with np.errstate(all="ignore"):
        array = np.linspace(start, stop, num, endpoint=endpoint).astype(kind.array)
    return Array(make.tensor(array, dtype=kind))


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """Every combination of the elements of one-dimensional arrays, an array for each of them.

    Args:
        indexing: "xy" exchanges the first two axes, "ij" does not.
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing is {indexing!r}", fix='indexing="xy" or "ij"')
    tensors = [tensor_of(x, "meshgrid") for x in arrays]
    for tensor in tensors[1:]:
        common_type(tensors[0].dtype, tensor.dtype)
    lengths = tuple(tensor.numel() for tensor in tensors)
    swap = indexing == "xy" and len(tensors) > 1
    made = []
    for k, tensor in enumerate(tensors):
        line = tensor.reshape(tuple(n if j == k else 1 for j, n in enumerate(lengths)))
        wide = line.broadcast_to(lengths).clone()
        made.append(Array(wide.transpose(0, 1) if swap else wide))
    return tuple(made)


def _triangle(x: Array, k: int, name: str, function: Any) -> Array:
    tensor = tensor_of(x, name)
    if tensor.ndim < 2:
        raise ArgumentError(f"{name}: the array has {tensor.ndim} axes",
                            why="a matrix has two", fix="xp.expand_dims(x)")
    return Array(function(tensor, k))


def tril(x: Array, /, *, k: int = 0) -> Array:
    """The lower triangle, up to diagonal number k; zeros above."""
    return _triangle(x, k, "tril", make.tril)


def triu(x: Array, /, *, k: int = 0) -> Array:
    """The upper triangle, from diagonal number k on; zeros below."""
    return _triangle(x, k, "triu", make.triu)


