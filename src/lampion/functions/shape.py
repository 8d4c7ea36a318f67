"""Shapes: views that look at the same memory, and joins and copies that do not.

A view shares memory with its base: a write through either is seen by both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import base, dtypes, ir, ops, strides
from ..base import POSITIONS, TensorBase, call, make_view
from ..errors import (
    ArgumentRangeError,
    ArgumentTypeError,
    DTypeError,
    IndexRangeError,
    ShapeError,
    StateError,
    shape_text,
)
from ..ir import registry
from ..replay.recorded import record_module
from .operands import (
    as_index,
    broadcast_shape,
    check_sizes,
    normalize_dim,
    normalize_dims,
    result_strides,
    row_major,
    shape_argument,
    write_out,
)

m = ops.movement


def _same(x: TensorBase) -> Any:
    """A view of the whole tensor (PyTorch's alias)."""
    return make_view(x, (), x._shape, x._strides, x._offset)


def _planned(x: TensorBase, plan: tuple, label: str) -> Any:
    steps, shape, stride, offset = plan
    return make_view(x, steps, shape, stride, offset, label)


# --- reshaping -------------------------------------------------------------------------------


def infer_shape(
    shape: tuple[int, ...], size: int, name: str, source: tuple[int, ...] = (),
) -> tuple[int, ...]:
    """Replace the one -1 in a shape by what fits; raises where nothing does."""
    if sum(1 for n in shape if n == -1) > 1:
        raise StateError(f"{name}: only one dimension can be inferred", fix="one -1 at most")
    for n in shape:
        if n < -1:
            raise StateError(f"{name}: invalid shape dimension {n}", fix="sizes of 0 or more")
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape:
        if known == 0:
            raise StateError(f"{name}: cannot reshape tensor of {size} elements into shape "
                             f"{list(shape)} because the unspecified dimension size -1 can be any "
                             "value and is ambiguous", fix="write the size instead of -1")
        if size % known == 0:
            return tuple(size // known if n == -1 else n for n in shape)
    elif known == size:
        return shape
    given = f" ({shape_text(source)})" if source else ""
    raise ShapeError(
        f"{name}: shape '{list(shape)}' is invalid for input of size {size}{given}",
        why=f"{shape_text(shape)} would be {'a multiple of ' if -1 in shape else ''}"
        f"{known} elements",
        fix=_possible_shape(shape, size))


def _possible_shape(shape: tuple[int, ...], size: int) -> str:
    """Advise to let one size follow from the others, where the others allow it."""
    for axis in range(len(shape)):
        others = math.prod(n for k, n in enumerate(shape) if k != axis)
        if -1 not in shape and others > 0 and size % others == 0:
            return str(tuple(-1 if k == axis else n for k, n in enumerate(shape)))
    return "sizes whose product is the number of elements; one of them may be -1"


def view(input: TensorBase, *shape: Any) -> Any:
    """The same memory under another shape.

    Shape: (*) -> shape, with as many elements; one size may be -1.

    Raises:
        StateError: the elements do not lie in memory so that the shape is possible.
    """
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        return _view_dtype(input, shape[0])
    target = infer_shape(
        shape_argument(shape, "view"), math.prod(input._shape), "view", input._shape)
    found = strides.view(input._shape, input._strides, target)
    if found is None:
        raise StateError(
            f"view size is not compatible with input tensor's size and stride: "
            f"{shape_text(input._shape)} with strides {tuple(input._strides)} as "
            f"{shape_text(target)}",
            why="at least one dimension spans across two contiguous subspaces, so the elements "
            "would have to be copied", fix="x.reshape(...) or x.contiguous().view(...)")
    step = () if target == input._shape else ((m.reshape, {"shape": target}),)
    return make_view(input, step, target, found, input._offset)


def _view_dtype(input: TensorBase, dtype: dtypes.dtype) -> Any:
    if dtype is input._dtype:
        return _same(input)
    if dtypes.bfloat16 in (dtype, input._dtype):
        raise DTypeError("view: bfloat16 memory cannot be reinterpreted", fix="x.to(dtype)")
    array = np.ascontiguousarray(input._read()).view(dtype.array)
    return base.wrap(ir.leaf(array.copy(), dtype))


def reshape(input: TensorBase, *sizes: Any, shape: Any = ()) -> Any:
    """The same elements under another shape: a view where possible, else a copy.

    Shape: (*) -> shape, with as many elements.

    Args:
        shape: numbers, or one sequence of them; one may be -1 and follows from the others.

    Raises:
        ShapeError: the shape holds another number of elements.

    Example:
        >>> import lampion as torch
        >>> torch.arange(6).reshape(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    sizes = sizes or (shape,)
    base.require_tensor(input, "reshape")
    target = infer_shape(
        shape_argument(sizes, "reshape"), math.prod(input._shape), "reshape", input._shape)
    found = strides.view(input._shape, input._strides, target)
    if found is None:
        return call(m.reshape, (input,), {"shape": target}, label="unsafe_view")
    step = () if target == input._shape else ((m.reshape, {"shape": target}),)
    return make_view(input, step, target, found, input._offset)


def view_as(input: TensorBase, other: TensorBase) -> Any:
    """A view with the other's shape."""
    return view(input, other._shape)


def reshape_as(input: TensorBase, other: TensorBase) -> Any:
    """A reshape to the other's shape."""
    return reshape(input, other._shape)


def flatten(input: TensorBase, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Axes start_dim to end_dim joined into one.

    Example:
        >>> import lampion as torch
        >>> torch.zeros(2, 3, 4).flatten(1).shape
        torch.Size([2, 12])
    """
    rank = len(input._shape)
    if rank == 0:
        return reshape(input, 1)
    start = normalize_dim(start_dim, rank, "flatten")
    end = normalize_dim(end_dim, rank, "flatten")
    if start > end:
        raise StateError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    shape = input._shape
    return reshape(input, shape[:start] + (math.prod(shape[start:end + 1]),) + shape[end + 1:])


def unflatten(input: TensorBase, dim: int, sizes: Any) -> Any:
    """One axis split into several; one size may be -1."""
    axis = normalize_dim(dim, len(input._shape), "unflatten")
    if not input._shape:
        raise StateError("unflatten: a tensor without axes has none to split",
                         fix="x.reshape(...)")
    sizes = infer_shape(tuple(sizes), input._shape[axis], "unflatten")
    return view(input, input._shape[:axis] + sizes + input._shape[axis + 1:])


def ravel(input: TensorBase) -> Any:
    """All elements along one axis: a view if they lie in row-major order, else a copy."""
    return reshape(contiguous(input), -1)


def _squeeze_step(input: TensorBase, keep: Sequence[bool]):
    shape = tuple(n for n, k in zip(input._shape, keep, strict=True) if k)
    stride = tuple(s for s, k in zip(input._strides, keep, strict=True) if k)
    step = () if shape == input._shape else ((m.reshape, {"shape": shape}),)
    return step, shape, stride, input._offset


def _squeeze_plan(input: TensorBase, dim: Any):
    dims = normalize_dims(dim, len(input._shape), "squeeze")
    return _squeeze_step(input, [not (k in dims and n == 1) for k, n in enumerate(input._shape)])


def squeeze(input: TensorBase, dim: Any = None) -> Any:
    """A view without axes of size 1: all of them, or those in dim.

    Example:
        >>> import lampion as torch
        >>> torch.squeeze(torch.ones(1, 3, 1)).shape
        torch.Size([3])
    """
    return _planned(input, _squeeze_plan(input, dim), "squeeze")


def _unsqueeze_plan(input: TensorBase, dim: int):
    rank = len(input._shape)
    axis = normalize_dim(dim, rank + 1, "unsqueeze")
    shape = input._shape[:axis] + (1,) + input._shape[axis:]
    next_stride = input._shape[axis] * input._strides[axis] if axis < rank else 1
    stride = input._strides[:axis] + (next_stride,) + input._strides[axis:]
    return ((m.reshape, {"shape": shape}),), shape, stride, input._offset


def unsqueeze(input: TensorBase, dim: int) -> Any:
    """A view with a new axis of size 1 at place dim.

    Example:
        >>> import lampion as torch
        >>> torch.unsqueeze(torch.ones(3), 0).shape
        torch.Size([1, 3])
    """
    return _planned(input, _unsqueeze_plan(input, dim), "unsqueeze")


# --- reordering axes ---------------------------------------------------------------------------


def _permute_plan(input: TensorBase, order: tuple[int, ...]):
    shape = tuple(input._shape[k] for k in order)
    stride = tuple(input._strides[k] for k in order)
    step = () if order == tuple(range(len(order))) else ((m.permute, {"order": order}),)
    return step, shape, stride, input._offset


def permute(input: TensorBase, *order: Any, dims: Any = ()) -> Any:
    """A view with the axes in another order: result axis k is input axis dims[k].

    Shape: (n_0, n_1, ...) -> (n_dims[0], n_dims[1], ...).

    Args:
        dims: every axis once, as numbers or as one sequence.

    Example:
        >>> import lampion as torch
        >>> torch.zeros(2, 3, 4).permute(2, 0, 1).shape
        torch.Size([4, 2, 3])
    """
    order = shape_argument(order or (dims,), "permute")
    rank = len(input._shape)
    if len(order) != rank:
        raise ShapeError(
            f"permute: the tensor is {shape_text(input._shape)}, dims is {order}",
            why="number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions: {rank} axes, {len(order)} dims",
            fix=f"each axis from 0 to {rank - 1} once")
    return make_view(input, *_permute_plan(input, normalize_dims(order, rank, "permute")))


def _transpose_plan(input: TensorBase, dim0: int, dim1: int):
    rank = len(input._shape)
    a, b = normalize_dim(dim0, rank, "transpose"), normalize_dim(dim1, rank, "transpose")
    order = list(range(rank))
    if rank:
        order[a], order[b] = b, a
    return _permute_plan(input, tuple(order))


def transpose(input: TensorBase, dim0: int, dim1: int) -> Any:
    """A view with two axes exchanged.

    Example:
        >>> import lampion as torch
        >>> torch.transpose(torch.ones(2, 3), 0, 1).shape
        torch.Size([3, 2])
    """
    return _planned(input, _transpose_plan(input, dim0, dim1), "transpose")


swapaxes = swapdims = transpose


def _t_plan(input: TensorBase):
    if len(input._shape) > 2:
        raise StateError(f"t() expects a tensor with <= 2 dimensions, but self is "
                         f"{len(input._shape)}D", fix="x.transpose(-2, -1) or x.mT")
    return _permute_plan(input, tuple(reversed(range(len(input._shape)))))


def t(input: TensorBase) -> Any:
    """A matrix with rows and columns exchanged."""
    return _planned(input, _t_plan(input), "t")


def numpy_t(input: TensorBase) -> Any:
    """All axes in reverse order (`x.T`)."""
    return make_view(input, *_permute_plan(input, tuple(reversed(range(len(input._shape))))))


def matrix_t(input: TensorBase) -> Any:
    """The last two axes exchanged (`x.mT`)."""
    if not input._shape:
        return input
    if len(input._shape) < 2:
        raise StateError("tensor.mT is only supported on matrices or batches of matrices. Got "
                         f"{len(input._shape)}-D tensor.")
    return transpose(input, -2, -1)


def movedim(input: TensorBase, source: Any, destination: Any) -> Any:
    """Axes moved to new places, the others keep their order."""
    rank = len(input._shape)
    sources = normalize_dims(source, rank, "movedim")
    places = normalize_dims(destination, rank, "movedim")
    if len(sources) != len(places):
        raise StateError("movedim: Invalid source or destination dims: source has "
                         f"{len(sources)} dims, destination has {len(places)}")
    order = [k for k in range(rank) if k not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return make_view(input, *_permute_plan(input, tuple(order)))


moveaxis = movedim

# --- repeating without memory --------------------------------------------------------------------


def expand(input: TensorBase, *sizes: Any, size: Any = (), implicit: bool = False) -> Any:
    """A view that repeats axes of size 1, without memory of its own for the repeats.

    Shape: (*) -> size.

    Args:
        size: the sizes, as numbers or as one sequence; -1 keeps a size, new axes come first.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1], [2]]).expand(2, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    shape = shape_argument(sizes or (size,), "expand")
    lead = len(shape) - len(input._shape)
    if lead < 0:
        raise ShapeError(
            f"expand({shape_text(input._shape)}, size={list(shape)}): the number of sizes provided "
            f"({len(shape)}) must be greater or equal to the number of dimensions in the tensor "
            f"({len(input._shape)})")
    target, stride = [], []
    for axis, n in enumerate(shape):
        have = input._shape[axis - lead] if axis >= lead else 1
        size = have if n == -1 and axis >= lead else n
        if size < 0:
            raise ShapeError(f"expand: The expanded size of the tensor ({n}) isn't allowed in a "
                             f"leading, non-existing dimension {axis}")
        if have != size and have != 1:
            raise ShapeError(
                f"expand: The expanded size of the tensor ({size}) must match the existing size "
                f"({have}) at non-singleton dimension {axis}. Target sizes: {shape_text(shape)}. "
                f"Tensor sizes: {shape_text(input._shape)}",
                why="only axes of size 1 can be repeated",
                fix="x.repeat(...) to repeat longer axes, or x.unsqueeze(...) for an axis of "
                "size 1 in the right place")
        target.append(size)
        own = input._strides[axis - lead] if axis >= lead else 0
        stride.append(own if have == size and axis >= lead else 0)
        if axis < lead:
            stride[-1] = 0 if size != 1 else _lead_stride(input)
    if not input._shape:
        stride = [0] * len(shape)
    steps: list = []
    if lead:
        steps.append((m.reshape, {"shape": (1,) * lead + input._shape}))
    if math.prod(target) == math.prod(input._shape):
        # Nothing is repeated, so the view can be written to.
        steps = [] if tuple(target) == input._shape else [(m.reshape, {"shape": tuple(target)})]
    elif (1,) * lead + input._shape != tuple(target):
        steps.append((m.expand, {"shape": tuple(target)}))
    return make_view(input, tuple(steps), tuple(target), tuple(stride), input._offset)


def _lead_stride(input: TensorBase) -> int:
    return input._shape[0] * input._strides[0] if input._shape else 1


def expand_as(input: TensorBase, other: TensorBase) -> Any:
    """Expanded to the other's shape."""
    return expand(input, other._shape)


def broadcast_to(input: TensorBase, shape: Any) -> Any:
    """Expanded to a shape."""
    base.require_tensor(input, "broadcast_to")
    return expand(input, shape)


def broadcast_tensors(*tensors: TensorBase) -> tuple:
    """All tensors expanded to their common shape."""
    shape = broadcast_shape("broadcast_tensors", [x._shape for x in tensors])
    return tuple(x if x._shape == shape else expand(x, shape) for x in tensors)


def broadcast_shapes(*shapes: Any) -> dtypes.Size:
    """The shape that all of these broadcast to."""
    given = [tuple(s) if isinstance(s, (tuple, list)) else (s,) for s in shapes]
    return dtypes.Size(broadcast_shape("broadcast_shapes", given) if given else ())


# --- cutting -------------------------------------------------------------------------------------


def slice_axis(input: TensorBase, axis: int, start: int, stop: int, step: int = 1) -> Any:
    """A view of every step-th element of one axis (places already within bounds)."""
    length = max(0, -((start - stop) // step))
    shape = input._shape[:axis] + (length,) + input._shape[axis + 1:]
    stride = list(input._strides)
    offset = input._offset + start * stride[axis]
    stride[axis] *= step
    if (start, step) == (0, 1) and length == input._shape[axis]:
        return make_view(input, (), shape, tuple(stride), offset)
    rank = len(shape)
    settings = {
        "start": tuple(start if k == axis else 0 for k in range(rank)),
        "stop": tuple(start + length * step - (step - 1) * (length > 0) if k == axis else n
                      for k, n in enumerate(input._shape)),
        "step": tuple(step if k == axis else 1 for k in range(rank)),
    }
    return make_view(input, ((m.slice_, settings),), shape, tuple(stride), offset)


def select(input: TensorBase, dim: int, index: Any) -> Any:
    """A view of one place of an axis, without that axis."""
    if not input._shape:
        raise IndexRangeError("select() cannot be applied to a 0-dim tensor.")
    axis = normalize_dim(dim, len(input._shape), "select")
    place, size = as_index(index, "select"), input._shape[axis]
    if not -size <= place < size:
        raise IndexRangeError(
            f"index {place} is out of bounds for dimension {axis} with size {size}: the tensor is "
            f"{shape_text(input._shape)}", why=f"places run from {-size} to {size - 1}",
            fix="an index inside the axis")
    place += size if place < 0 else 0
    one = slice_axis(input, axis, place, place + 1)
    shape = one._shape[:axis] + one._shape[axis + 1:]
    stride = one._strides[:axis] + one._strides[axis + 1:]
    step = (m.reshape, {"shape": shape})
    return make_view(one, (step,), shape, stride, one._offset, "select")


def narrow(input: TensorBase, dim: int, start: Any, length: int) -> Any:
    """A view of `length` elements of an axis from `start` on."""
    if not input._shape:
        raise StateError("narrow() cannot be applied to a 0-dim tensor.")
    axis = normalize_dim(dim, len(input._shape), "narrow")
    if isinstance(start, TensorBase) and (
            start._shape or start._dtype.is_floating_point or start._dtype is dtypes.bool_):
        raise StateError("narrow(): start must be an 0-dim integral Tensor.")
    begin, size = as_index(start, "narrow"), input._shape[axis]
    if length < 0:
        raise StateError("narrow(): length must be non-negative.")
    if not -size <= begin <= size:
        raise IndexRangeError(f"start out of range (expected to be in range of [{-size}, {size}], "
                              f"but got {begin})")
    begin += size if begin < 0 else 0
    if begin + length > size:
        raise StateError(f"start ({begin}) + length ({length}) exceeds dimension size ({size}).")
    return slice_axis(input, axis, begin, begin + length)


def split(input: TensorBase, split_size_or_sections: Any, dim: int = 0) -> tuple:
    """Views of consecutive pieces of an axis: of one size, or of the sizes given.

    Example:
        >>> import lampion as torch
        >>> torch.split(torch.arange(5), 2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if not input._shape:
        raise StateError("split expects at least a 1-dimensional tensor")
    axis = normalize_dim(dim, len(input._shape), "split")
    length = input._shape[axis]
    if isinstance(split_size_or_sections, (list, tuple)):
        sizes = [as_index(n, "split") for n in split_size_or_sections]
        if sum(sizes) != length or any(n < 0 for n in sizes):
            raise StateError(f"split_with_sizes expects split_sizes to sum exactly to {length} "
                             f"(input tensor's size at dimension {dim}), but got split_sizes="
                             f"{sizes}", fix=f"sizes that add up to {length}")
    else:
        size = as_index(split_size_or_sections, "split")
        if size < 0:
            raise StateError(f"split expects split_size be non-negative, but got split_size={size}")
        if size == 0 and length:
            raise StateError("split_size can only be 0 if dimension size is 0, but got dimension "
                             f"size of {length}")
        count = max(1, -(-length // size)) if size else 1
        sizes = [min(size, length - k * size) for k in range(count)]
    return _many(_pieces(input, axis, sizes), "split")


def _pieces(input: TensorBase, axis: int, sizes: Sequence[int]) -> tuple:
    ends = list(itertools.accumulate(sizes, initial=0))
    return tuple(slice_axis(input, axis, a, b) for a, b in itertools.pairwise(ends))


def _many(views: tuple, label: str) -> tuple:
    """Mark views that one function returned together: none can be written where tracked."""
    for x in views:
        x._one_of_many = True
        if x._cached is not None:
            x._cached[1].label = label
    return views


def chunk(input: TensorBase, chunks: int, dim: int = 0) -> tuple:
    """At most `chunks` views of equal pieces of an axis (the last may be smaller).

    Example:
        >>> import lampion as torch
        >>> torch.chunk(torch.arange(4), 2)
        (tensor([0, 1]), tensor([2, 3]))
    """
    if chunks <= 0:
        raise StateError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not input._shape:
        raise StateError("chunk expects at least a 1-dimensional tensor")
    axis = normalize_dim(dim, len(input._shape), "chunk")
    length = input._shape[axis]
    size = -(-length // chunks)
    return split(input, size, axis) if size else split(input, [0] * chunks, axis)


def tensor_split(input: TensorBase, indices_or_sections: Any, dim: int = 0) -> tuple:
    """Views of pieces as equal as possible, or cut at the places given.

    Args:
        indices_or_sections: how many pieces, or the places to cut at; a tensor is read at once.

    Example:
        >>> import lampion as torch
        >>> [len(x) for x in torch.tensor_split(torch.arange(8), 3)]
        [3, 3, 2]
        >>> [len(x) for x in torch.tensor_split(torch.arange(8), [1, 6])]
        [1, 5, 2]
    """
    if not input._shape:
        raise StateError("tensor_split expected at least a 1-dimensional tensor, but got a tensor "
                         "with 0 dims")
    axis = normalize_dim(dim, len(input._shape), "tensor_split")
    length = input._shape[axis]
    if isinstance(indices_or_sections, TensorBase):
        if len(indices_or_sections._shape) > 1 or indices_or_sections._dtype is not dtypes.int64:
            raise StateError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor of int64, but got {indices_or_sections._dtype.name} of "
                f"{shape_text(indices_or_sections._shape)}", fix="indices.long()")
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise StateError("number of sections must be larger than 0, got "
                             f"{indices_or_sections}")
        quot, rest = divmod(length, indices_or_sections)
        sizes = [quot + (k < rest) for k in range(indices_or_sections)]
        return _pieces(input, axis, sizes)
    places = [min(max(p + length if p < 0 else p, 0), length) for p in indices_or_sections]
    bounds = zip([0, *places], [*places, length], strict=True)
    return tuple(slice_axis(input, axis, a, max(a, b)) for a, b in bounds)


def unbind(input: TensorBase, dim: int = 0) -> tuple:
    """Views of every place of an axis.

    Example:
        >>> import lampion as torch
        >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
        (tensor([1, 2]), tensor([3, 4]))
    """
    if not input._shape:
        raise IndexRangeError("Dimension specified as 0 but tensor has no dimensions")
    axis = normalize_dim(dim, len(input._shape), "unbind")
    return _many(tuple(select(input, axis, k) for k in range(input._shape[axis])), "unbind")


# --- views by positions ------------------------------------------------------------------------


def _position_view(input: TensorBase, table: np.ndarray, shape, stride, offset,
                   label: str) -> Any:
    index = ir.leaf(np.asarray(table, np.int64, order="C"), dtypes.int64)
    index.label = "constant"
    step = (POSITIONS, {"index": index})
    return make_view(input, (step,), shape, stride, offset, label)


def diagonal(input: TensorBase, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A view of a diagonal of two axes, as the last axis.

    Args:
        offset: above (positive) or below (negative) the main diagonal.
    """
    rank = len(input._shape)
    a, b = normalize_dim(dim1, rank, "diagonal"), normalize_dim(dim2, rank, "diagonal")
    if a == b:
        raise StateError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rows, columns = input._shape[a], input._shape[b]
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    table = np.arange(math.prod(input._shape)).reshape(input._shape).diagonal(offset, a, b)
    rest = [k for k in range(rank) if k not in (a, b)]
    stride = tuple(input._strides[k] for k in rest) + (input._strides[a] + input._strides[b],)
    start = input._offset + (max(offset, 0) * input._strides[b] + max(-offset, 0)
                             * input._strides[a] if length else 0)
    shape = tuple(input._shape[k] for k in rest) + (length,)
    return _position_view(input, table, shape, stride, start, "diagonal")


def unfold(input: TensorBase, dimension: int, size: int, step: int) -> Any:
    """A view of all windows of `size` elements, every `step`, as a new last axis."""
    axis = normalize_dim(dimension, len(input._shape), "unfold")
    length = input._shape[axis] if input._shape else 1
    if size < 0 or size > length:
        raise StateError(f"maximum size for tensor at dimension {axis} is {length} but size is "
                         f"{size}", fix=f"a size of at most {length}")
    if step <= 0:
        raise StateError(f"step is {step} but must be > 0")
    if not input._shape:
        return reshape(input, size)
    count = (length - size) // step + 1
    shape = input._shape[:axis] + (count,) + input._shape[axis + 1:] + (size,)
    stride = list(input._strides)
    stride[axis] *= step
    table = np.lib.stride_tricks.sliding_window_view(
        np.arange(math.prod(input._shape)).reshape(input._shape), size, axis) if size else (
        np.zeros(input._shape[:axis] + (length + 1,) + input._shape[axis + 1:] + (0,), np.int64))
    table = table[(slice(None),) * axis + (slice(None, None, step),)]
    return _position_view(
        input, table, shape, (*stride, input._strides[axis]), input._offset, "unfold")


def as_strided(input: TensorBase, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A view of the storage by sizes, strides and offset, in elements."""
    size, stride = tuple(size), tuple(stride)
    offset = input._offset if storage_offset is None else storage_offset
    root = storage_tensor(input)
    total = math.prod(root._shape)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True) if n)
    if math.prod(size) and (last >= total or offset < 0):
        raise StateError(f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
                         f"{offset} are out of bounds for storage of {total} elements")
    table = np.full(size, offset)
    for axis, (n, s) in enumerate(zip(size, stride, strict=True)):
        place = [1] * len(size)
        place[axis] = n
        table = table + (np.arange(n) * s).reshape(place)
    # The storage's memory order may be a permutation of its value's.
    order = sorted(range(len(root._shape)), key=lambda k: -root._strides[k])
    memory = np.arange(total).reshape(root._shape).transpose(order).reshape(-1)
    return _position_view(
        root, memory[table] if total else table, size, stride, offset, "as_strided")


def leading(input: TensorBase, shape: tuple[int, ...]) -> Any:
    """A view of the first elements of a tensor in row-major order, under another shape."""
    flat = reshape(input, (math.prod(input._shape),))
    return reshape(slice_axis(flat, 0, 0, math.prod(shape)), shape)


def storage_tensor(input: TensorBase) -> Any:
    """The tensor that shows a storage's whole value."""
    if not input._steps:
        return input
    value = input._storage.value
    whole = object.__new__(base.TensorType)
    whole._set_up(input._storage, (), value.shape, strides.contiguous(value.shape), 0)
    return whole


# --- changing a tensor's own shape ------------------------------------------------------------


def _become(input: TensorBase, plan) -> Any:
    """Let a tensor object look at its memory in another way."""
    steps, shape, stride, offset = plan
    base.unrecorded()
    held, marker = input._gradient, input._leaf_marker()
    # A node of its own even where nothing moves: what is retained stays with the one before.
    steps = steps or ((m.reshape, {"shape": tuple(shape)}),)
    input._set_up(input._storage, input._steps + steps, shape, stride, offset, input._is_view)
    input._gradient = held
    input._storage.mark = None
    input._storage.version.count += 1
    if marker is not None and marker.leaf is not None and marker.leaf() is input:
        input._begin_again(marker)  # its gradient has the new shape
    return input


def _check_leaf(input: TensorBase, name: str) -> None:
    input._check_writable(name, same_everywhere=True)


def squeeze_(input: TensorBase, dim: Any = None) -> Any:
    """Drop axes of size 1 from the tensor itself."""
    _check_leaf(input, "squeeze_")
    return _become(input, _squeeze_plan(input, dim))


def unsqueeze_(input: TensorBase, dim: int) -> Any:
    """Give the tensor itself a new axis of size 1."""
    _check_leaf(input, "unsqueeze_")
    return _become(input, _unsqueeze_plan(input, dim))


def transpose_(input: TensorBase, dim0: int, dim1: int) -> Any:
    """Exchange two axes of the tensor itself."""
    _check_leaf(input, "transpose_")
    return _become(input, _transpose_plan(input, dim0, dim1))


swapaxes_ = swapdims_ = transpose_


def t_(input: TensorBase) -> Any:
    """Exchange rows and columns of the tensor itself."""
    _check_leaf(input, "t_")
    return _become(input, _t_plan(input))


# --- joining ---------------------------------------------------------------------------------


def cat(tensors: Sequence[TensorBase], dim: int = 0, *, axis: int | None = None,
        out: TensorBase | None = None) -> Any:
    """Tensors joined along an axis they already have.

    Shape: the same but for `dim` -> `dim` added up.

    Example:
        >>> import lampion as torch
        >>> torch.cat([torch.zeros(2, 1), torch.ones(2, 2)], dim=1)
        tensor([[0., 1., 1.],
                [0., 1., 1.]])
    """
    if isinstance(tensors, TensorBase):
        raise ArgumentTypeError("cat(): argument 'tensors' (position 1) must be tuple of Tensors, "
                                "not Tensor", fix="torch.cat([a, b])")
    tensors = [base.require_tensor(x, "cat", "tensors") for x in tensors]
    if not tensors:
        raise ArgumentRangeError("torch.cat(): expected a non-empty list of Tensors",
                                 fix="if tensors: torch.cat(tensors)")
    dim = dim if axis is None else axis
    dtype = tensors[0]._dtype
    for x in tensors[1:]:
        dtype = dtypes.promote_types(dtype, x._dtype)
    # An empty 1-d tensor joins with anything, for old programs' sake.
    kept = [x for x in tensors if tuple(x._shape) != (0,)]
    if all(len(x._shape) == 1 for x in kept):
        kept = tensors
    first = kept[0]
    for x in kept:
        if not x._shape:
            raise StateError("cat: zero-dimensional tensor (at position 0) cannot be concatenated",
                             fix="torch.stack([...])")
    place = normalize_dim(dim, len(first._shape), "cat")
    for number, x in enumerate(kept):
        if len(x._shape) != len(first._shape) or any(
                a != b for k, (a, b) in enumerate(zip(first._shape, x._shape, strict=False))
                if k != place):
            raise ShapeError(
                f"cat: Sizes of tensors must match except in dimension {place}. Expected "
                f"{shape_text(first._shape)} but got {shape_text(x._shape)} for tensor number "
                f"{number} in the list.", fix="torch.stack([...]) to join along a new axis")
    if len(kept) < len(tensors):
        # They bring nothing but their gradient path.
        nothing = first._shape[:place] + (0,) + first._shape[place + 1:]
        kept = [reshape(x, nothing) if tuple(x._shape) == (0,) else x
                for x in tensors if tuple(x._shape) != (0,) or x._tracked]
    values = tuple(x._value if x._dtype is dtype else registry["cast"](x._value, dtype=dtype)
                   for x in kept)
    result = call(m.concat, tuple(kept), {"axis": place}, values=values, label="cat")
    if len(first._shape) in (4, 5) and all(
            strides.is_channels_last(x._shape, x._strides) for x in kept):
        result._strides = strides.channels_last(result._shape)
    if out is None:
        return result
    out._check_apart(tensors, "cat", whole=True)
    return write_out(out, result)


concat = concatenate = cat


def stack(tensors: Sequence[TensorBase], dim: int = 0, *, axis: int | None = None,
          out: TensorBase | None = None) -> Any:
    """Tensors of one shape joined along a new axis.

    Example:
        >>> import lampion as torch
        >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], dim=1)
        tensor([[1, 3],
                [2, 4]])
    """
    tensors = list(tensors)
    if not tensors:
        raise StateError("stack expects a non-empty TensorList",
                         fix="if tensors: torch.stack(tensors)")
    dim = dim if axis is None else axis
    first = base.require_tensor(tensors[0], "stack", "tensors")
    for number, x in enumerate(tensors):
        base.require_tensor(x, "stack", "tensors")
        if tuple(x._shape) != tuple(first._shape):
            raise ShapeError(
                "stack expects each tensor to be equal size, but got "
                f"{shape_text(first._shape)} at entry 0 and {shape_text(x._shape)} at entry "
                f"{number}",
                fix="torch.cat([...]) to join along an existing axis")
    place = normalize_dim(dim, len(first._shape) + 1, "stack")
    result = cat([unsqueeze(x, place) for x in tensors], place, out=out)
    result._storage.value.label = "stack"
    return result


def atleast_1d(*tensors: Any) -> Any:
    """A 0-d tensor becomes 1-d."""
    return _each(tensors, lambda x: reshape(x, 1) if not x._shape else x)


def atleast_2d(*tensors: Any) -> Any:
    """Fewer than 2 axes become 2."""
    return _each(tensors, lambda x: reshape(x, 1, 1) if not x._shape else (
        unsqueeze(x, 0) if len(x._shape) == 1 else x))


def _each(tensors, function):
    if len(tensors) == 1 and not isinstance(tensors[0], TensorBase):
        return tuple(map(function, tensors[0]))
    return function(tensors[0]) if len(tensors) == 1 else tuple(map(function, tensors))


def hstack(tensors: Sequence[TensorBase]) -> Any:
    """Tensors joined along columns, vectors along their only axis.

    Example:
        >>> import lampion as torch
        >>> torch.hstack([torch.tensor([1, 2]), torch.tensor([3])])
        tensor([1, 2, 3])
    """
    tensors = atleast_1d(list(tensors))
    if not tensors:
        raise StateError("hstack expects a non-empty TensorList")
    return cat(tensors, 0 if len(tensors[0]._shape) == 1 else 1)


def vstack(tensors: Sequence[TensorBase]) -> Any:
    """Tensors joined along rows; vectors become rows.

    Example:
        >>> import lampion as torch
        >>> torch.vstack([torch.tensor([1, 2]), torch.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    tensors = atleast_2d(list(tensors))
    if not tensors:
        raise StateError("vstack expects a non-empty TensorList")
    return cat(tensors, 0)


row_stack = vstack


def column_stack(tensors: Sequence[TensorBase]) -> Any:
    """1-d tensors as columns, joined."""
    return hstack([x if len(x._shape) > 1 else reshape(x, -1, 1) for x in tensors])


# --- copies in another arrangement ---------------------------------------------------------------


def flip(input: TensorBase, *axes: Any, dims: Any = ()) -> Any:
    """The order along axes reversed (a copy, where NumPy gives a view).

    Shape: (*) -> (*).

    Args:
        dims: the axes, as numbers or as one sequence.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1, 2], [3, 4]]).flip(1)
        tensor([[2, 1],
                [4, 3]])
    """
    base.require_tensor(input, "flip")
    axes = normalize_dims(shape_argument(axes or (dims,), "flip"), len(input._shape), "flip")
    return call(m.flip, (input,), {"axes": axes}, result_strides(input._shape, (input,)))


def fliplr(input: TensorBase) -> Any:
    """The columns in reverse order.

    Raises:
        StateError: the tensor has fewer than two axes.
    """
    if len(base.require_tensor(input, "fliplr")._shape) < 2:
        raise StateError("fliplr: Input must be >= 2-d.", fix="x.flip(0)")
    return flip(input, 1)


def flipud(input: TensorBase) -> Any:
    """The rows in reverse order.

    Raises:
        StateError: the tensor has no axis.
    """
    if not base.require_tensor(input, "flipud")._shape:
        raise StateError("flipud: Input must be >= 1-d.")
    return flip(input, 0)


def diff(input: TensorBase, n: int = 1, dim: int = -1, prepend: Any = None,
         append: Any = None) -> Any:
    """Each element less the one before it along an axis, n times over.

    Args:
        prepend, append: tensors joined on before the differences are taken.
    """
    if not input._shape:
        raise StateError("diff expects input to be at least one-dimensional")
    axis = normalize_dim(dim, len(input._shape), "diff")
    if n < 0:
        raise StateError(f"order must be non-negative but got {n}")
    if n == 0:
        return call(registry["copy"], (input,), {}, label="diff")
    parts = [x for x in (prepend, input, append) if x is not None]
    result = cat(parts, axis) if len(parts) > 1 else input
    for _ in range(min(n, result._shape[axis])):  # nothing has no differences
        length = result._shape[axis]
        after = slice_axis(result, axis, 1, length)
        before = slice_axis(result, axis, 0, length - 1)
        # Truth values differ where they are not equal.
        result = (after ^ before) if input._dtype is dtypes.bool_ else after - before
    return result


def roll(input: TensorBase, shifts: Any, dims: Any = None) -> Any:
    """Elements moved on along axes; what leaves at one end comes in at the other."""
    if dims is None or dims == ():
        return base.own(reshape(roll(reshape(input, -1), shifts, 0), input._shape))
    if 0 in input._shape:
        return input.clone()
    shifts = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    axes = [normalize_dim(d, len(input._shape), "roll") for d in (
        dims if isinstance(dims, (tuple, list)) else (dims,))]
    if len(shifts) != len(axes):
        raise StateError(f"shifts and dimensions must align. shifts: {len(shifts)}, "
                         f"dims:{len(axes)}")
    result = input
    for shift, axis in zip(shifts, axes, strict=True):
        length = result._shape[axis]
        cut = (-shift) % length if length else 0
        result = cat([slice_axis(result, axis, cut, length), slice_axis(result, axis, 0, cut)],
                     axis)
    return result


def rot90(input: TensorBase, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """Turned by k quarter turns in the plane of two axes.

    Args:
        k: how many quarter turns from the first axis of dims toward the second.
        dims: two different axes.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1, 2], [3, 4]]).rot90()
        tensor([[2, 4],
                [1, 3]])
    """
    if len(dims) != 2:
        raise StateError(f"rot90: expected total rotation dims == 2, but got dims = {len(dims)}")
    rank = len(base.require_tensor(input, "rot90")._shape)
    if rank < 2:
        raise StateError(f"rot90: expected total dims >= 2, but got total dims = {rank}")
    first, second = (normalize_dim(d, rank, "rot90") for d in dims)
    if first == second:
        raise StateError(f"rot90: expected rotation dims to be different, but got {tuple(dims)}")
    k %= 4
    if k == 0:
        return input.clone()
    if k == 2:
        return flip(input, *dims)
    return base.own(transpose(flip(input, dims[1 if k == 1 else 0]), *dims))


def repeat(input: TensorBase, *times: Any, repeats: Any = ()) -> Any:
    """The tensor repeated along each axis (a copy; `expand` repeats without memory).

    Shape: (n_0, n_1, ...) -> (repeats[0] n_0, repeats[1] n_1, ...).

    Args:
        repeats: how often along each axis, as numbers or as one sequence; more numbers than axes
            add leading axes.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    times = shape_argument(times or (repeats,), "repeat")
    check_sizes(times, "repeat")
    if len(times) < len(input._shape):
        raise StateError("Number of dimensions of repeat dims can not be smaller than number of "
                         "dimensions of tensor",
                         why=f"{len(times)} numbers for {len(input._shape)} axes")
    wide = (1,) * (len(times) - len(input._shape)) + input._shape
    pairs = [n for k, size in zip(times, wide, strict=True) for n in (1, size)]
    target = [n for k, size in zip(times, wide, strict=True) for n in (k, size)]
    result = expand(reshape(input, pairs), target).clone()
    return row_major(base.own(reshape(result, [k * n for k, n in zip(times, wide, strict=True)])))


def tile(input: TensorBase, *times: Any, dims: Any = ()) -> Any:
    """The tensor repeated along its last axes; like `repeat`, with fewer numbers allowed.

    Args:
        dims: how often along each axis, as numbers or as one sequence.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1, 2], [3, 4]]).tile(2)
        tensor([[1, 2, 1, 2],
                [3, 4, 3, 4]])
    """
    base.require_tensor(input, "tile")
    times = shape_argument(times or (dims,), "tile")
    return repeat(input, (1,) * (len(input._shape) - len(times)) + times)


def repeat_interleave(input: TensorBase, repeats: Any, dim: int | None = None, *,
                      output_size: int | None = None) -> Any:
    """Each element repeated in place.

    Args:
        repeats: a number, or a tensor with a number for each element (read at once).

    Example:
        >>> import lampion as torch
        >>> torch.repeat_interleave(torch.tensor([1, 2]), 2)
        tensor([1, 1, 2, 2])
    """
    x = reshape(input, -1) if dim is None else input
    axis = 0 if dim is None else normalize_dim(dim, len(x._shape), "repeat_interleave")
    length = x._shape[axis]
    if isinstance(repeats, TensorBase):
        counts = np.broadcast_to(repeats._read(), (length,))
    else:
        counts = np.full(length, as_index(repeats, "repeat_interleave"))
    if (counts < 0).any():
        raise StateError("repeats can not be negative")
    places = np.repeat(np.arange(length), counts)
    return x.index_select(axis, base.wrap(ir.leaf(places, dtypes.int64)))


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple:
    """Grids of coordinates from 1-d tensors.

    Shape: (n_0), (n_1), ... -> for each of them (n_0, n_1, ...); with "xy" (n_1, n_0, ...).

    Args:
        tensors: one for each axis, or a list of them.
        indexing: "ij" (matrix order, the default) or "xy" (Cartesian: the first tensor along
            the columns, the second along the rows).

    Example:
        >>> import lampion as torch
        >>> rows, columns = torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
        >>> columns
        tensor([[0, 1, 2],
                [0, 1, 2]])
    """
    if len(tensors) == 1 and not isinstance(tensors[0], TensorBase):
        tensors = tuple(tensors[0])
    if len({x._dtype for x in tensors}) > 1:
        raise DTypeError("meshgrid expects all tensors to have the same dtype",
                         fix="x.to(y.dtype)")
    for x in tensors:
        if len(x._shape) > 1:
            raise StateError("torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                             f"{shape_text(x._shape)}", fix="x.flatten()")
    if indexing not in (None, "ij", "xy"):
        raise StateError('torch.meshgrid: indexing must be one of "xy" or "ij", but received: '
                         f"{indexing}")
    swap = indexing == "xy" and len(tensors) > 1
    if swap:
        tensors = (tensors[1], tensors[0], *tensors[2:])
    shape = tuple(math.prod(x._shape) for x in tensors)
    grids = [expand(reshape(x, [-1 if k == j else 1 for j in range(len(shape))]), shape)
             for k, x in enumerate(tensors)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def contiguous(input: TensorBase, memory_format: Any = None) -> Any:
    """The tensor itself if it lies in row-major order, else a copy that does."""
    if input._contiguous():
        return input
    return call(registry["copy"], (input,), {}, label="clone")


record_module(
    globals(), but=("infer_shape", "storage_tensor", "squeeze_", "unsqueeze_", "t_",
    "transpose_", "swapaxes_", "swapdims_", "broadcast_shapes"))
