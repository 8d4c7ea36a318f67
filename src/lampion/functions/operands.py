"""Operands of elementwise functions: promotion, broadcasting, and writing in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import base, dtypes, ir, strides
from ..base import TensorBase, is_number, python_number
from ..errors import ArgumentTypeError, IndexRangeError, ShapeError, StateError, shape_text
from ..ir import Op, Value, registry

Operand = Any  # TensorBase or a number


def result_type(*operands: Operand) -> dtypes.dtype:
    """Return the type that arithmetic on these tensors and numbers has.

    Example:
        >>> import lampion as torch
        >>> torch.result_type(torch.ones(2, dtype=torch.int32), 2.5)
        torch.float32
    """
    groups: list[dtypes.dtype | None] = [None, None, None]
    for operand in operands:
        if isinstance(operand, TensorBase):
            place, own = (0 if operand._shape else 1), operand._dtype
        else:
            place, own = 2, dtypes.of_number(operand)
        held = groups[place]
        groups[place] = own if held is None else dtypes.promote_types(held, own)
    with_axes, without, numbers = groups
    found = dtypes.combine(with_axes, dtypes.combine(without, numbers))
    return found or dtypes.get_default_dtype()


def broadcast_shape(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the common shape; raises ShapeError with the axis that does not fit."""
    first = shapes[0]
    if all(s == first for s in shapes):
        return first
    width = max(map(len, shapes))
    result = [1] * width
    for shape in shapes:
        lead = width - len(shape)
        for axis, n in enumerate(shape):
            have = result[lead + axis]
            if n == 1 or n == have:
                continue
            if have != 1:
                _refuse_broadcast(name, shapes, lead + axis, have, n)
            result[lead + axis] = n
    return tuple(result)


def _refuse_broadcast(name, shapes, axis, a, b):
    texts = " and ".join(shape_text(s) for s in shapes)
    raise ShapeError(
        f"{name}: shapes {texts} do not fit: The size of tensor a ({a}) must match the size of "
        f"tensor b ({b}) at non-singleton dimension {axis}",
        why="sizes are compared from the last axis on; each pair must be equal, or one of them 1",
        fix="x.unsqueeze(dim) or x.view(...) to line the axes up, or x.T to swap them")


def as_operand(name: str, x: Any) -> Operand:
    """Return a tensor or a Python number; raises for anything else."""
    if isinstance(x, TensorBase):
        return x
    if is_number(x):
        return python_number(x)
    raise ArgumentTypeError(
        f"{name}(): expected a tensor or a number, got {type(x).__name__}",
        fix="torch.as_tensor(x) for lists and NumPy arrays")


def convert(operand: Operand, dtype: dtypes.dtype, shape: tuple[int, ...]) -> Value:
    """Return the value of an operand in a type and shape."""
    if isinstance(operand, TensorBase):
        value = operand._value
        if value.dtype is not dtype:
            value = registry["cast"](value, dtype=dtype)
    else:
        # Arithmetic wraps around: int8 + 300 is int8 + 44.
        wide = dtypes.int64 if dtype.category == dtypes.INTEGER and (
            dtype is not dtypes.uint64) else dtype
        value = ir.operand(_held(operand, wide), dtype)
    return ir.expand(value, shape)


def _held(number: bool | int | float | complex,
          dtype: dtypes.dtype) -> bool | int | float | complex:
    """Return the number if the type can hold it; raise otherwise."""
    if isinstance(number, complex):
        if dtype.is_complex:
            return number
        if number.imag:
            raise StateError(
                f"value cannot be converted to type {dtype.name} without overflow: {number}",
                why=f"{dtype.name} has no imaginary part", fix="x.to(torch.complex64) first")
        number = number.real
    if dtype.category != dtypes.INTEGER or isinstance(number, bool):
        return number
    limits = dtypes.iinfo(dtype)
    # Whole negative numbers count from the end of unsigned types: -1 is 255.
    lowest = -limits.max if limits.min == 0 and isinstance(number, int) else limits.min
    if lowest <= number <= limits.max:
        return number
    raise StateError(
        f"value cannot be converted to type {dtype.name} without overflow: {number}",
        why=f"{dtype.name} holds {limits.min} to {limits.max}", fix="x.long() or x.float() first")


def number_value(number: bool | int | float | complex, dtype: dtypes.dtype) -> Value:
    """Return a Python number as a value; raises where the type cannot hold it."""
    return ir.number(_held(number, dtype), dtype)


def result_strides(shape: tuple[int, ...], operands: Sequence[Operand]) -> tuple[int, ...] | None:
    """Return PyTorch's strides for an elementwise result; None for row-major."""
    tensors = [t for t in operands if isinstance(t, TensorBase)]
    if all(t._contiguous() for t in tensors) and any(t._shape == shape for t in tensors) and (
            1 not in shape or all(t._shape == shape for t in tensors)):
        return None
    if not tensors:
        return None
    return strides.elementwise(shape, [(t._shape, t._strides) for t in tensors])


def laid_out(result: TensorBase, *operands: Operand) -> Any:
    """Give a new result PyTorch's strides for an elementwise function of the operands."""
    result._strides = result_strides(result._shape, operands) or strides.contiguous(result._shape)
    return result


def row_major(result: TensorBase) -> Any:
    """Give a new result the strides of row-major order, whatever it was computed from."""
    result._strides = strides.contiguous(result._shape)
    return result


def apply(
    name: str, op: Op, operands: Sequence[Any], *, floating: bool = False,
    dtype: dtypes.dtype | None = None, conditions: int = 0, out: Any = None,
) -> Any:
    """Apply an elementwise op to tensors and numbers: promote, broadcast, record.

    Args:
        name: the public name, for errors and `grad_fn`.
        floating: integers become the default floating type.
        dtype: compute in this type rather than the promoted one.
        conditions: how many leading operands are boolean and do not promote.
        out: a tensor that takes the result.
    """
    operands = [as_operand(name, x) for x in operands]
    if dtype is None:
        dtype = result_type(*operands[conditions:])
        if floating and not dtype.is_inexact:
            dtype = dtypes.get_default_dtype()
    shape = broadcast_shape(
        name, [x._shape if isinstance(x, TensorBase) else () for x in operands])
    values = tuple(
        convert(x, dtypes.bool_ if k < conditions else dtype, shape)
        for k, x in enumerate(operands))
    result = base.call(op, tuple(operands), {}, result_strides(shape, operands), values, name)
    return result if out is None else write_out(out, result)


def apply_(
    name: str, op: Op, target: TensorBase, operands: Sequence[Any] = (), *,
    floating: bool = False, dtype: dtypes.dtype | None = None,
) -> Any:
    """Apply an op and write the result into `target`, its first operand."""
    operands = [target, *(as_operand(name, x) for x in operands)]
    target._check_writable(name)
    target._check_apart(operands[1:], name)
    if dtype is None:
        dtype = result_type(*operands)
        if floating and not dtype.is_inexact:
            dtype = dtypes.get_default_dtype()
    shape = broadcast_shape(
        name, [x._shape if isinstance(x, TensorBase) else () for x in operands])
    check_fits(name, target, shape)
    value = op(*(convert(x, dtype, shape) for x in operands))
    dtypes.check_cast(value.dtype, target._dtype, name)
    write(name, target, value, operands)
    return target


def check_fits(name: str, target: TensorBase, shape: tuple[int, ...]) -> None:
    """Raise where an in-place result of `shape` does not fit its target."""
    if tuple(target._shape) != tuple(shape):
        raise ShapeError(
            f"{name}: output with shape {list(target._shape)} doesn't match the broadcast shape "
            f"{list(shape)}", why="an in-place operation keeps the tensor's shape",
            fix=f"x = x.{name.rstrip('_')}(...), which makes a new tensor")


def write(name: str, target: TensorBase, value: Value, operands: Sequence[Operand]) -> None:
    """Write a value into a tensor; `operands` are watched for the gradient's sake."""
    value.label = name.rstrip("_")
    if value.tracked:
        counter, count = target._version_pair()
        pairs = [t._version_pair() if isinstance(t, TensorBase) else None for t in operands]
        if operands and operands[0] is target:
            pairs[0] = None  # the graph keeps the value from before the write
        value.versions = (*pairs, (counter, count + 1))
        base._refuse_inference(operands, value)
    if value.dtype is not target._dtype:
        value = registry["cast"](value, dtype=target._dtype)
    target._write(value)


def write_out(out: TensorBase, result: TensorBase) -> TensorBase:
    """Put a result into a tensor given as `out=`."""
    if out._tracked or result._tracked:
        raise StateError("functions with out=... arguments don't support automatic "
                         "differentiation, but one of the arguments requires grad.",
                         fix="y = f(x) instead of f(x, out=y)")
    out._check_writable("out")
    dtypes.check_cast(result._dtype, out._dtype, "out")
    if tuple(out._shape) != tuple(result._shape):
        made = registry["cast"](result._value, dtype=out._dtype)
        storage, shared = out._storage, out._storage.shared
        if shared is not None and shared.alive():
            raise StateError("Trying to resize storage that is not resizable",
                             why="out shares its memory with NumPy", fix="out=torch.empty(0)")
        if out._is_view:
            # The memory belongs to others too, who keep its old size.
            storage = base.Storage(made)
            base.unrecorded()
        else:
            storage._bind(made)
        out._set_up(storage, (), result._shape, result._strides, 0)
        storage.version.count += 1
        return out
    write("out", out, registry["copy"](result._value), ())
    return out


def normalize_dim(dim: int, rank: int, name: str) -> int:
    """Return a non-negative axis; raises IndexRangeError outside the tensor's axes."""
    limit = max(rank, 1)
    if not isinstance(dim, int) or isinstance(dim, bool):
        dim = as_index(dim, name)
    if not -limit <= dim < limit:
        bounds = f"[{-limit}, {limit - 1}]"
        raise IndexRangeError(
            f"{name}: Dimension out of range (expected to be in range of {bounds}, but got {dim})",
            why="an axis is counted from 0, or from -1 backwards", fix=f"a dim within {bounds}")
    return dim + limit if dim < 0 else dim


def as_index(x: Any, name: str) -> int:
    """Return a whole number given as int, NumPy integer or 0-d integer tensor."""
    if isinstance(x, TensorBase) and not x._shape and not x._dtype.is_floating_point:
        return int(x._read())
    try:
        return x.__index__()
    except AttributeError:
        raise ArgumentTypeError(
            f"{name}(): expected a whole number, got {type(x).__name__}", fix="int(x)") from None


def normalize_dims(dims: Any, rank: int, name: str) -> tuple[int, ...]:
    """Return distinct non-negative axes from an int, a sequence of ints, or None for all."""
    if dims is None:
        return tuple(range(rank))
    if isinstance(dims, (int, TensorBase)) or hasattr(dims, "__index__"):
        dims = (dims,)
    found = tuple(normalize_dim(d, rank, name) for d in dims)
    if len(set(found)) != len(found):
        twice = next(d for d in found if found.count(d) > 1)
        raise StateError(f"{name}: dim {twice} appears multiple times in the list of dims",
                         fix="each dim once")
    return found if rank else ()


def shape_argument(sizes: tuple, name: str) -> tuple[int, ...]:
    """Return a shape given as separate numbers or as one sequence."""
    if len(sizes) == 1 and not hasattr(sizes[0], "__index__") and not isinstance(
            sizes[0], TensorBase):
        if not isinstance(sizes[0], Iterable) or isinstance(sizes[0], str):
            raise ArgumentTypeError(
                f"{name}(): argument 'size' must be tuple of ints, not {type(sizes[0]).__name__}",
                fix=f"{name}(int(n))")
        sizes = tuple(sizes[0])
    elif len(sizes) == 1 and isinstance(sizes[0], TensorBase) and sizes[0]._shape:
        sizes = tuple(int(n) for n in sizes[0]._read())
    return tuple(n if type(n) is int else as_index(n, name) for n in sizes)


def check_sizes(shape: tuple[int, ...], name: str) -> None:
    """Raise where a size is negative."""
    for n in shape:
        if n < 0:
            raise StateError(f"{name}: Trying to create tensor with negative dimension {n}: "
                             f"{list(shape)}", fix="sizes of 0 or more")


def infer_dtype_argument(args: tuple, kwargs: dict) -> tuple[dtypes.dtype | None, bool]:
    """Return (dtype, copy) from the many spellings of `x.to(...)`; checks the device."""
    dtype = dtypes.chosen(kwargs.get("dtype"))
    dtypes.check_device(kwargs.get("device"))
    copy = bool(kwargs.get("copy", False))
    for place, x in enumerate(args):
        if isinstance(x, TensorBase):
            dtype = x._dtype
        elif isinstance(x, (dtypes.dtype, type)):
            dtype = dtypes.chosen(x)
        elif isinstance(x, (str, dtypes.device)) or (
                isinstance(x, int) and not isinstance(x, bool)):
            dtypes.check_device(x)
        elif isinstance(x, bool):
            copy = copy or (place > 0 and x and place == len(args) - 1 and place > 1)
        elif x is not None:
            raise ArgumentTypeError(f"to() received an invalid combination of arguments - got "
                                    f"({type(x).__name__})", fix="x.to(torch.float32)")
    return dtype, copy
