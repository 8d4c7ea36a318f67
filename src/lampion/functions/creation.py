"""New tensors: from data, filled, ranges, and shared with NumPy."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np

from .. import base, dtypes, ir
from ..base import Shared, Storage, TensorBase, is_number
from ..dtypes import dtype as DType
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    DTypeOperationError,
    ShapeArgumentError,
    StateError,
    shape_text,
)
from ..replay.recorded import record_module
from .operands import as_index, check_sizes, laid_out, number_value, shape_argument


def finish(value: ir.Value, requires_grad: bool = False, device: Any = None) -> Any:
    """Wrap a new value and set whether its gradient is wanted."""
    dtypes.check_device(device)
    made = base.wrap(value)
    return made.requires_grad_(True) if requires_grad else made


NUMBERS, LISTS = {bool, int, float, complex}, {list, tuple}
MOST_AXES = 64  # of an array of NumPy


# --- from data -------------------------------------------------------------------------------


def _plain(data: Any) -> dict[type, Any] | None:
    """One number of each type in lists of Python numbers; None where there is anything else.

    Numbers of one type are alike to what follows, and this looks at all of them quickly.
    """
    level: tuple = (data,)
    for _ in range(MOST_AXES + 1):
        types = set(map(type, level))
        if not types <= LISTS:
            return dict(zip(map(type, level), level)) if types <= NUMBERS else None
        level = tuple(itertools.chain.from_iterable(level))
    return None  # empty, or so deep that NumPy refuses it


def _nested(data: Any) -> Any:
    """Replace the tensors inside nested lists by arrays."""
    if isinstance(data, TensorBase):
        return data._read()
    if isinstance(data, (list, tuple)):
        return [_nested(x) for x in data]
    return data


def _check_regular(data: Any, shape: tuple[int, ...] | None = None, depth: int = 0) -> None:
    if isinstance(data, (list, tuple)):
        shapes = {tuple(x._shape) for x in data if isinstance(x, TensorBase)}
        if len(shapes) > 1:
            raise ShapeArgumentError(
                "tensor: the tensors in the list have different shapes: "
                + ", ".join(shape_text(shape) for shape in sorted(shapes)),
                why="the rows of a tensor have equal lengths",
                fix="torch.nn.utils.rnn.pad_sequence([...]) for rows of different lengths")
        lengths = {len(x) if isinstance(x, (list, tuple)) else -1 for x in data}
        if len(lengths) > 1:
            if -1 in lengths:
                raise ArgumentTypeError("tensor: not a sequence: lists and numbers are mixed at "
                                        f"depth {depth + 1}", fix="lists of equal length")
            raise ArgumentError(
                f"expected sequence of length {len(data[0])} at dim {depth + 1} (got "
                f"{next(len(x) for x in data if len(x) != len(data[0]))})",
                why="the rows of a tensor have equal lengths",
                fix="torch.nn.utils.rnn.pad_sequence([...]) for rows of different lengths")
        for x in data:
            _check_regular(x, shape, depth + 1)


def _leaf_kind(data: Any) -> dtypes.dtype | None:
    """The type that Python numbers in nested lists have together; None where there are none."""
    if isinstance(data, (list, tuple)):
        found: dtypes.dtype | None = None
        for x in data:
            kind = _leaf_kind(x)
            if kind is not None:
                found = kind if found is None else dtypes.promote_types(found, kind)
        return found
    if isinstance(data, TensorBase):
        return data._dtype
    if isinstance(data, np.generic):
        return dtypes.from_numpy(data.dtype)
    if isinstance(data, np.ndarray):
        return dtypes.from_numpy(data.dtype)
    if is_number(data):
        return dtypes.of_number(data)
    if isinstance(data, str):
        raise ArgumentTypeError(f"new(): invalid data type 'str': {data!r}",
                                fix="numbers; text needs a tokenizer first")
    if hasattr(data, "__float__"):
        return dtypes.get_default_dtype()
    raise DTypeError(f"tensor: could not infer dtype of {type(data).__name__}",
                     fix="numbers, lists of numbers, or NumPy arrays")


def to_array(data: Any, dtype: DType | None) -> tuple[np.ndarray, DType]:
    """Return a new array with the data, and its type."""
    if isinstance(data, TensorBase):
        kind = dtypes.chosen(dtype) or data._dtype
        return np.array(data._read()).astype(kind.array), kind
    if isinstance(data, (np.ndarray, np.generic)):
        kind = dtypes.chosen(dtype) or dtypes.from_numpy(data.dtype)
        return np.array(data, order="C").astype(kind.array), kind
    if hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        return to_array(np.asarray(data), dtype)
    if isinstance(data, range) or (hasattr(data, "__len__") and hasattr(
            data, "__getitem__") and not isinstance(data, (list, tuple, str, dict))):
        data = list(data)
    plain = _plain(data)
    kind = dtypes.chosen(dtype) or _leaf_kind(
        data if plain is None else list(plain.values())) or dtypes.get_default_dtype()
    try:
        # Of large whole numbers NumPy would make floating ones.
        array = np.array(data if plain is not None else _nested(data),
                         np.uint64 if kind is dtypes.uint64 else None)
    except OverflowError:
        raise StateError("value cannot be converted to type uint64 without overflow",
                         why="uint64 holds 0 to 18446744073709551615") from None
    except ValueError:
        _check_regular(data)
        raise
    if array.dtype == object:
        _check_regular(data)
        _leaf_kind(data)  # refuses what is no number, such as None
        try:
            array = array.astype(
                np.float64 if kind.is_floating_point else
                np.uint64 if kind is dtypes.uint64 else np.int64)
        except OverflowError:
            raise StateError("Overflow when unpacking long long: a number is outside int64",
                             fix="dtype=torch.float64") from None
        except (TypeError, ValueError):
            _leaf_kind(data)
            raise ArgumentTypeError("tensor: not all elements are numbers") from None
    _check_integer_range(array, kind)
    with np.errstate(all="ignore"):
        return dtypes.round_to(kind, np.ascontiguousarray(array.astype(kind.array)).reshape(
            array.shape)), kind


def _check_integer_range(array: np.ndarray, kind: DType) -> None:
    if array.dtype.kind == "c" and not kind.is_complex and (array.imag != 0).any():
        raise StateError(f"value cannot be converted to type {kind.name} without overflow: "
                         f"{array[array.imag != 0].flat[0]}", fix="dtype=torch.complex64")
    if kind.category != dtypes.INTEGER or array.dtype.kind not in "iuf" or not array.size:
        return
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise StateError(f"value cannot be converted to type {kind.name} without overflow: nan or "
                         "infinity", fix="dtype=torch.float32")
    limits = dtypes.iinfo(kind)
    if array.dtype.kind == "f" and kind is dtypes.uint8 and array.min() < 0:
        raise StateError(f"value cannot be converted to type {kind.name} without overflow: "
                         f"{array.min()}", why="uint8 holds 0 to 255")
    low, high = int(array.min()), int(array.max())
    if low < limits.min or high > limits.max:
        bad = high if high > limits.max else low
        if kind is dtypes.uint8 and -limits.max <= bad < 0 and array.dtype.kind != "f":
            return
        raise StateError(f"value cannot be converted to type {kind.name} without overflow: {bad}",
                         why=f"{kind.name} holds {limits.min} to {limits.max}")


def tensor(data: Any, *, dtype: DType | None = None, device: Any = None,
           requires_grad: bool = False, pin_memory: bool = False) -> Any:
    """A new tensor with a copy of data: numbers, nested lists, NumPy arrays.

    Args:
        dtype: element type; None takes it from the data (floats become the default type).
        requires_grad: collect gradients for it.

    Raises:
        ArgumentError: nested lists of unequal lengths.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    if isinstance(data, TensorBase):
        warnings.warn("To copy construct from a tensor, it is recommended to use "
                      "sourceTensor.detach().clone() or "
                      "sourceTensor.detach().clone().requires_grad_(True), rather than "
                      "torch.tensor(sourceTensor).", UserWarning, stacklevel=2)
    array, kind = to_array(data, dtype)
    made = finish(ir.leaf(array, kind), requires_grad, device)
    return laid_out(made, data) if isinstance(data, TensorBase) else made


def adopt(array: np.ndarray, dtype: DType | None = None) -> Any:
    """A tensor that takes over an array which nobody else writes to, without copying it.

    Unlike `from_numpy` it shares nothing, so operations on it wait like on any other tensor.

    Args:
        dtype: element type where the array does not tell it (bfloat16).
    """
    return base.wrap(ir.leaf(np.ascontiguousarray(array).reshape(array.shape),
                             dtype or dtypes.from_numpy(array.dtype)))


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Any:
    """Data as a tensor: tensors pass through, NumPy arrays share memory, the rest is copied.

    Example:
        >>> import lampion as torch
        >>> torch.as_tensor([1.5, 2.5])
        tensor([1.5000, 2.5000])
    """
    dtypes.check_device(device)
    if isinstance(data, TensorBase):
        return data if dtype is None or dtype is data._dtype else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or dtypes.from_numpy(data.dtype) is dtype):
        return from_numpy(data)
    array, kind = to_array(data, dtype)
    return base.wrap(ir.leaf(array, kind))


asarray = as_tensor


def from_numpy(array: np.ndarray) -> Any:
    """A tensor that shares memory with a NumPy array: a write to either is seen by both.

    Operations on shared memory run at once, since NumPy may change it at any time.

    Example:
        >>> import numpy, lampion as torch
        >>> a = numpy.zeros(2)
        >>> t = torch.from_numpy(a); a[0] = 5; t
        tensor([5., 0.], dtype=torch.float64)
    """
    if not isinstance(array, np.ndarray):
        raise ArgumentTypeError(f"expected np.ndarray (got {type(array).__name__})",
                                fix="torch.as_tensor(data)")
    kind = dtypes.from_numpy(array.dtype)
    if any(stride < 0 for stride in array.strides):
        raise ArgumentError("At least one stride in the given numpy array is negative, and tensors "
                            "with negative strides are not currently supported.",
                            fix="torch.from_numpy(array.copy())")
    if not array.dtype.isnative or not array.flags.aligned:
        raise ArgumentError("given numpy array has byte order different from the native byte "
                            "order, or is not aligned.",
                            fix="array.astype(array.dtype.newbyteorder('='))")
    value = ir.leaf(array, kind)
    value.volatile = True
    made = object.__new__(base.TensorType)
    storage = Storage(value)
    storage.shared = Shared(array, None)
    item = array.itemsize
    strides = tuple(s // item for s in array.strides)
    made._set_up(storage, (), tuple(array.shape), strides, 0)
    return made


class _Capsule:
    """A DLPack capsule as an object that hands it out once."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def from_dlpack(source: Any) -> Any:
    """A tensor from any array that speaks DLPack, or its capsule; memory is shared if possible."""
    array = np.from_dlpack(source if hasattr(source, "__dlpack__") else _Capsule(source))
    return from_numpy(array) if array.flags.writeable else tensor(array)


def frombuffer(buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0,
               requires_grad: bool = False) -> Any:
    """A tensor over the bytes of a buffer."""
    array = np.frombuffer(buffer, dtype.array, count, offset)
    made = from_numpy(array) if array.flags.writeable else tensor(array)
    return made.requires_grad_(requires_grad)


# --- filled ----------------------------------------------------------------------------------


def _sizes(name: str, size: tuple, names: Any = None) -> tuple[int, ...]:
    shape = shape_argument(size, name)
    check_sizes(shape, name)
    return shape


def _settle_out(made: Any, out: Any) -> Any:
    return made if out is None else out.resize_(made._shape).copy_(made)


def zeros(*size: Any, dtype: DType | None = None, device: Any = None,
          requires_grad: bool = False, out: Any = None, layout: Any = None,
          pin_memory: bool = False) -> Any:
    """A tensor of zeros.

    Example:
        >>> import lampion as torch
        >>> torch.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    value = ir.full(_sizes("zeros", size), 0, kind)
    return _settle_out(finish(value, requires_grad, device), out)


def ones(*size: Any, dtype: DType | None = None, device: Any = None,
         requires_grad: bool = False, out: Any = None, layout: Any = None,
         pin_memory: bool = False) -> Any:
    """A tensor of ones.

    Example:
        >>> import lampion as torch
        >>> torch.ones(2)
        tensor([1., 1.])
    """
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    value = ir.full(_sizes("ones", size), 1, kind)
    return _settle_out(finish(value, requires_grad, device), out)


def full(size: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None,
         requires_grad: bool = False, out: Any = None, layout: Any = None,
         pin_memory: bool = False) -> Any:
    """A tensor filled with one number; its type follows from the number.

    Example:
        >>> import lampion as torch
        >>> torch.full((2,), 7)
        tensor([7, 7])
    """
    number = fill_value.item() if isinstance(fill_value, TensorBase) else fill_value
    if not is_number(number):
        raise ArgumentTypeError("full(): argument 'fill_value' must be Number, not "
                                f"{type(number).__name__}")
    kind = dtypes.chosen(dtype) or dtypes.of_number(base.python_number(number))
    size = (size,) if isinstance(size, int) else size
    value = ir.expand(number_value(base.python_number(number), kind), _sizes("full", tuple(size)))
    return _settle_out(finish(value, requires_grad, device), out)


def scalar_tensor(s: bool | int | float, *, dtype: DType | None = None, device: Any = None,
                  requires_grad: bool = False, layout: Any = None,
                  pin_memory: bool = False) -> Any:
    """A tensor without axes; of the default floating type unless told otherwise."""
    return full((), s, dtype=dtype or dtypes.get_default_dtype(), device=device,
                requires_grad=requires_grad)


def empty(*size: Any, dtype: DType | None = None, device: Any = None,
          requires_grad: bool = False, out: Any = None, layout: Any = None,
          pin_memory: bool = False, memory_format: Any = None) -> Any:
    """A tensor whose elements are not meant to be read yet (they are zeros).

    Example:
        >>> import lampion as torch
        >>> torch.empty(2, 3).shape
        torch.Size([2, 3])
    """
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_strided(size: Any, stride: Any, *, dtype: DType | None = None, layout: Any = None,
                  device: Any = None, requires_grad: bool = False,
                  pin_memory: bool = False) -> Any:
    """A tensor of that size and memory order (zeros)."""
    made = zeros(size, dtype=dtype, device=device, requires_grad=requires_grad)
    made._strides = tuple(stride)
    return made


def _like(name: str, input: TensorBase, number: Any, dtype, device, requires_grad) -> Any:
    base.require_tensor(input, name)
    kind = dtypes.chosen(dtype) or input._dtype
    value = ir.expand(number_value(number, kind), tuple(input._shape))
    made = finish(value, requires_grad, device)
    if not input._contiguous():
        from_input = base.strides.elementwise(input._shape, [(input._shape, input._strides)])
        made._strides = from_input
    return made


def zeros_like(input: TensorBase, *, dtype: DType | None = None, device: Any = None,
               requires_grad: bool = False, layout: Any = None, memory_format: Any = None) -> Any:
    """Zeros of the shape and type of another tensor.

    Example:
        >>> import lampion as torch
        >>> torch.zeros_like(torch.tensor([1, 2]))
        tensor([0, 0])
    """
    return _like("zeros_like", input, 0, dtype, device, requires_grad)


def ones_like(input: TensorBase, *, dtype: DType | None = None, device: Any = None,
              requires_grad: bool = False, layout: Any = None, memory_format: Any = None) -> Any:
    """Ones of the shape and type of another tensor.

    Example:
        >>> import lampion as torch
        >>> torch.ones_like(torch.tensor([1., 2.]))
        tensor([1., 1.])
    """
    return _like("ones_like", input, 1, dtype, device, requires_grad)


def full_like(input: TensorBase, fill_value: Any, *, dtype: DType | None = None,
              device: Any = None, requires_grad: bool = False, layout: Any = None,
              memory_format: Any = None) -> Any:
    """One number, of the shape and type of another tensor."""
    number = fill_value.item() if isinstance(fill_value, TensorBase) else fill_value
    return _like("full_like", input, number, dtype, device, requires_grad)


def empty_like(input: TensorBase, *, dtype: DType | None = None, device: Any = None,
               requires_grad: bool = False, layout: Any = None, memory_format: Any = None) -> Any:
    """A tensor of the shape and type of another, not meant to be read yet (zeros).

    Example:
        >>> import lampion as torch
        >>> torch.empty_like(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return _like("empty_like", input, 0, dtype, device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: DType | None = None, device: Any = None,
        requires_grad: bool = False) -> Any:
    """Ones on the main diagonal, zeros elsewhere: n rows, m columns.

    Example:
        >>> import lampion as torch
        >>> torch.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    if n < 0 or (m is not None and m < 0):
        raise StateError(f"n and m must be greater or equal to 0, got {n}, {m}")
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    return finish(ir.leaf(np.eye(n, m, dtype=kind.array), kind), requires_grad, device)


# --- ranges ----------------------------------------------------------------------------------


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, TensorBase) else base.python_number(x)


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: DType | None = None,
           device: Any = None, requires_grad: bool = False, out: Any = None,
           layout: Any = None, pin_memory: bool = False) -> Any:
    """Numbers from start (included) to end (excluded), step apart.

    Example:
        >>> import lampion as torch
        >>> torch.arange(3), torch.arange(1, 2, 0.5)
        (tensor([0, 1, 2]), tensor([1.0000, 1.5000]))
    """
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    if step == 0 or step != step:
        raise StateError("step must be nonzero", fix="a step other than 0")
    if any(isinstance(x, float) and not math.isfinite(x) for x in (start, end)):
        raise StateError(f"unsupported range: {start} -> {end}")
    if (step > 0 and end < start) or (step < 0 and end > start):
        raise StateError("upper bound and lower bound inconsistent with step sign",
                         why=f"from {start} to {end} by {step} never arrives", fix=f"step={-step}")
    kind = dtype or (dtypes.get_default_dtype() if any(
        isinstance(x, float) for x in (start, end, step)) else dtypes.int64)
    if kind is dtypes.bool_:
        raise DTypeOperationError("arange: not implemented for bool",
                                  fix="torch.arange(...).bool()")
    if kind.is_floating_point:
        count = math.ceil((end - start) / step)
        array = (start + np.arange(count) * step).astype(kind.array)
    else:
        start, end, step = int(start), int(end), int(step) if int(step) else step
        count = math.ceil((end - start) / step)
        array = (start + np.arange(count) * step).astype(kind.array)
    value = ir.leaf(dtypes.round_to(kind, array), kind)
    return _settle_out(finish(value, requires_grad, device), out)


def linspace(start: Any, end: Any, steps: int, *, dtype: DType | None = None,
             device: Any = None, requires_grad: bool = False) -> Any:
    """`steps` numbers from start to end, both included.

    Example:
        >>> import lampion as torch
        >>> torch.linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    steps = as_index(steps, "linspace")
    if steps < 0:
        raise StateError("number of steps must be non-negative")
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    start, end = _number(start), _number(end)
    if not kind.is_floating_point:
        start, end = int(start), int(end)
    wide: Any = np.float64 if kind is not dtypes.float32 else np.float32
    step = wide((end - start) / (steps - 1)) if steps > 1 else wide(0)
    places = np.arange(steps)
    # Both halves count from their own end, so the ends are exact.
    array: Any = np.where(places < steps // 2, wide(start) + step * places.astype(wide),
                     wide(end) - step * (steps - 1 - places).astype(wide))
    if steps == 1:
        array = np.array([start])
    return finish(ir.leaf(dtypes.round_to(kind, array.astype(kind.array)), kind),
                  requires_grad, device)


def logspace(start: float, end: float, steps: int, base: float = 10.0, *,
             dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False) -> Any:
    """base to the power of `steps` numbers from start to end."""
    steps = as_index(steps, "logspace")
    if steps < 0:
        raise StateError("number of steps must be non-negative")
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    start, end = _number(start), _number(end)
    if not kind.is_floating_point:
        start, end = int(start), int(end)
    array = np.power(float(base), np.linspace(_number(start), _number(end), steps))
    return finish(ir.leaf(dtypes.round_to(kind, array.astype(kind.array)), kind),
                  requires_grad, device)


# --- from other tensors ----------------------------------------------------------------------


def tril(input: TensorBase, diagonal: int = 0) -> Any:
    """The lower triangle; zeros above the diagonal-th diagonal.

    Example:
        >>> import lampion as torch
        >>> torch.tril(torch.ones(2, 2))
        tensor([[1., 0.],
                [1., 1.]])
    """
    mask = np.tri(*input._shape[-2:], diagonal, dtype=bool)  # type: ignore[call-overload]
    return _triangle("tril", input, mask)


def triu(input: TensorBase, diagonal: int = 0) -> Any:
    """The upper triangle; zeros below the diagonal-th diagonal.

    Example:
        >>> import lampion as torch
        >>> torch.triu(torch.ones(2, 2), diagonal=1)
        tensor([[0., 1.],
                [0., 0.]])
    """
    mask = ~np.tri(*input._shape[-2:], diagonal - 1, dtype=bool)  # type: ignore[call-overload]
    return _triangle("triu", input, mask)


def _triangle(name: str, input: TensorBase, mask: np.ndarray) -> Any:
    if len(input._shape) < 2:
        raise StateError(f"{name}: input tensor must have at least 2 dimensions")
    condition = ir.expand(ir.leaf(mask, dtypes.bool_), tuple(input._shape))
    condition.label = "constant"
    value = input._value
    made = ir.registry["where"](condition, value, ir.full(value.shape, 0, value.dtype))
    return base.wrap(made, label=name)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DType | None = None,
                 device: Any = None) -> Any:
    """Rows and columns of the lower triangle."""
    return tensor(np.stack(np.tril_indices(row, offset, col)), dtype=dtype or dtypes.int64)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DType | None = None,
                 device: Any = None) -> Any:
    """Rows and columns of the upper triangle."""
    return tensor(np.stack(np.triu_indices(row, offset, col)), dtype=dtype or dtypes.int64)


def diag(input: TensorBase, diagonal: int = 0) -> Any:
    """The diagonal of a matrix, or a matrix with the vector on its diagonal.

    Example:
        >>> import lampion as torch
        >>> torch.diag(torch.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    if len(input._shape) == 2:
        return input.diagonal(diagonal).clone()
    if len(input._shape) != 1:
        raise StateError(f"diag(): Supports 1D or 2D tensors. Got {len(input._shape)}D")
    return diag_embed(input, diagonal)


def diag_embed(input: TensorBase, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices with the last axis on their diagonals."""
    size = input._shape[-1] + abs(offset)
    made = zeros(input._shape[:-1] + (size, size), dtype=input._dtype)
    made.diagonal(offset, -2, -1).copy_(input)
    return made.movedim((-2, -1), (dim1, dim2)) if (dim1, dim2) != (-2, -1) else made


record_module(
    globals(), but=("finish", "to_array", "tensor", "adopt", "as_tensor", "from_numpy",
    "from_dlpack", "frombuffer"))
