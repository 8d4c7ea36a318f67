"""The standard's functions that give arrays another shape, or join them."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..errors import ArgumentError, ArgumentTypeError, IndexRangeError
from ..functions import elementwise as e
from ..functions import shape as s
from .array import Array, tensor_of
from .promotion import common_type, converted

Axes = int | tuple[int, ...]


def axes_of(axis: Axes | None, rank: int, name: str) -> tuple[int, ...]:
    """Return distinct axes counted from 0; None stands for all."""
    if axis is None:
        return tuple(range(rank))
    found = []
    for k in (axis,) if isinstance(axis, int) else tuple(axis):
        if not -rank <= k < rank:
            raise IndexRangeError(f"{name}: axis {k} of an array of {rank} axes",
                                  fix=f"an axis from {-rank} to {rank - 1}")
        found.append(k % rank)
    if len(set(found)) != len(found):
        raise ArgumentError(f"{name}: an axis is named twice: {axis}", fix="each axis once")
    return tuple(found)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes are broadcast to.

    Raises:
        ArgumentError: they do not fit.

    Example:
        >>> broadcast_shapes((3, 1), (4,))
        (3, 4)
    """
    width = max(map(len, shapes), default=0)
    made = [1] * width
    for shape in shapes:
        for k, n in enumerate(shape, width - len(shape)):
            if n != 1 and made[k] not in (1, n):
                raise ArgumentError(f"shapes {', '.join(map(str, shapes))} do not fit",
                                    why="sizes are compared from the last axis on; each pair must "
                                    "be equal, or one of them 1", fix="xp.reshape(x, ...)")
            made[k] = n if made[k] == 1 else made[k]
    return tuple(made)


def broadcast_to(x: Array, /, shape: tuple[int, ...]) -> Array:
    """The array repeated along axes of size 1 and new leading ones."""
    tensor = tensor_of(x, "broadcast_to")
    if broadcast_shapes(tuple(tensor.shape), tuple(shape)) != tuple(shape):
        raise ArgumentError(f"broadcast_to: an array of shape {tuple(tensor.shape)} does not fit "
                            f"into {tuple(shape)}")
    return Array(tensor.broadcast_to(tuple(shape)))


def broadcast_arrays(*arrays: Array) -> tuple[Array, ...]:
    """All arrays broadcast to one shape."""
    shape = broadcast_shapes(*(tuple(x.shape) for x in arrays))
    return tuple(broadcast_to(x, shape) for x in arrays)


def _of_one_type(arrays: Any, name: str) -> list[Any]:
    tensors = [tensor_of(x, name) for x in arrays]
    if not tensors:
        raise ArgumentError(f"{name}: no arrays", fix=f"xp.{name}([x])")
    dtype = tensors[0].dtype
    for tensor in tensors[1:]:
        dtype = common_type(dtype, tensor.dtype)
    return [converted(tensor, dtype) for tensor in tensors]


def concat(arrays: Any, /, *, axis: int | None = 0) -> Array:
    """Arrays joined along an axis; with axis None, flattened first."""
    tensors = _of_one_type(arrays, "concat")
    if axis is None:
        tensors, axis = [tensor.reshape(-1) for tensor in tensors], 0
    (axis,) = axes_of(axis, tensors[0].ndim, "concat")
    first = tensors[0]
    for tensor in tensors[1:]:
        if tensor.ndim != first.ndim or any(
                a != b for k, (a, b) in enumerate(zip(tensor.shape, first.shape, strict=True))
                if k != axis):
            raise ArgumentError(f"concat: shapes {tuple(first.shape)} and {tuple(tensor.shape)} "
                                f"differ beside axis {axis}")
    return Array(s.cat(tensors, axis))


def stack(arrays: Any, /, *, axis: int = 0) -> Array:
    """Arrays of one shape joined along a new axis."""
    tensors = _of_one_type(arrays, "stack")
    if len({tuple(tensor.shape) for tensor in tensors}) > 1:
        raise ArgumentError("stack: the arrays have different shapes")
    (axis,) = axes_of(axis, tensors[0].ndim + 1, "stack")
    return Array(s.stack(tensors, axis))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The parts along an axis, without it."""
    tensor = tensor_of(x, "unstack")
    (axis,) = axes_of(axis, tensor.ndim, "unstack")
    return tuple(Array(part) for part in tensor.unbind(axis))


def expand_dims(x: Array, /, axis: Axes = 0) -> Array:
    """New axes of size 1 at these places of the result."""
    tensor = tensor_of(x, "expand_dims")
    count = 1 if isinstance(axis, int) else len(axis)
    for place in sorted(axes_of(axis, tensor.ndim + count, "expand_dims")):
        tensor = tensor.unsqueeze(place)
    return Array(tensor)


def squeeze(x: Array, /, axis: Axes) -> Array:
    """The array without these axes, which must be of size 1."""
    tensor = tensor_of(x, "squeeze")
    axes = axes_of(axis, tensor.ndim, "squeeze")
    for k in axes:
        if tensor.shape[k] != 1:
            raise ArgumentError(f"squeeze: axis {k} has size {tensor.shape[k]}",
                                why="only axes of size 1 can go", fix="x[..., 0]")
    return Array(tensor.reshape(tuple(n for k, n in enumerate(tensor.shape) if k not in axes)))


def flip(x: Array, /, *, axis: Axes | None = None) -> Array:
    """The elements in reverse order along axes (all, unless told otherwise)."""
    tensor = tensor_of(x, "flip")
    axes = axes_of(axis, tensor.ndim, "flip")
    return Array(s.flip(tensor, list(axes)) if axes else e.clone(tensor))


def moveaxis(x: Array, source: Axes, destination: Axes, /) -> Array:
    """The axes at other places, all others in their order."""
    tensor = tensor_of(x, "moveaxis")
    old = axes_of(source, tensor.ndim, "moveaxis")
    new = axes_of(destination, tensor.ndim, "moveaxis")
    if len(old) != len(new):
        raise ArgumentError(f"moveaxis: {len(old)} axes to {len(new)} places")
    order = [k for k in range(tensor.ndim) if k not in old]
    for place, k in sorted(zip(new, old, strict=True)):
        order.insert(place, k)
    return Array(tensor.permute(*order) if order else tensor)


def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    """The axes in another order."""
    tensor = tensor_of(x, "permute_dims")
    order = axes_of(tuple(axes), tensor.ndim, "permute_dims")
    if len(order) != tensor.ndim:
        raise ArgumentError(f"permute_dims: {len(order)} axes for an array of {tensor.ndim}")
    return Array(tensor.permute(*order) if order else tensor)


def matrix_transpose(x: Array, /) -> Array:
    """The last two axes exchanged."""
    tensor = tensor_of(x, "matrix_transpose")
    if tensor.ndim < 2:
        raise ArgumentError("matrix_transpose: the array has fewer than two axes")
    return Array(tensor.mT)


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each element repeated, along an axis or of the flattened array.

    Args:
        repeats: how often: a number, or an array with one for each element of the axis.
    """
    tensor = tensor_of(x, "repeat")
    if axis is None:
        tensor, axis = tensor.reshape(-1), 0
    (axis,) = axes_of(axis, tensor.ndim, "repeat")
    if isinstance(repeats, Array):
        if repeats.dtype.category != dtypes.INTEGER:
            raise ArgumentTypeError(f"repeat: repeats are {repeats.dtype.name}",
                                    fix="whole numbers")
        counts = repeats.tensor.to(dtypes.int64).reshape(-1)
        repeats = counts if counts.numel() != 1 else int(counts.item())
    return Array(tensor.repeat_interleave(repeats, dim=axis))


def reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    """The same elements in row-major order under another shape.

    Args:
        shape: sizes of the axes; one may be -1, which is then computed.
        copy: True copies always, False never (raises where it must), None where it must.
    """
    tensor = tensor_of(x, "reshape")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    known = math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) > 1 or (-1 in sizes and (not known or tensor.numel() % known)) or (
            -1 not in sizes and known != tensor.numel()):
        raise ArgumentError(f"reshape: {tensor.numel()} elements do not fit into shape {sizes}")
    if copy is False:
        try:
            return Array(tensor.view(sizes))
        except RuntimeError:
            raise ArgumentError("reshape: copy=False, but the elements must be moved",
                                fix="copy=None") from None
    made = tensor.reshape(sizes)
    return Array(made.clone() if copy else made)


def roll(x: Array, /, shift: Axes, *, axis: Axes | None = None) -> Array:
    """The elements moved along axes; what leaves at the end comes in at the beginning."""
    tensor = tensor_of(x, "roll")
    if axis is None:
        if not isinstance(shift, int):
            shift = sum(shift)
        return Array(tensor.reshape(-1).roll(shift, 0).reshape(tensor.shape))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    if len(shifts) != len(axes):
        raise ArgumentError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    for k, amount in zip(axes, shifts, strict=True):
        (place,) = axes_of(k, tensor.ndim, "roll")
        tensor = tensor.roll(amount, place)
    return Array(tensor)


def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    """The whole array repeated along each axis."""
    return Array(tensor_of(x, "tile").tile(tuple(repetitions)))
