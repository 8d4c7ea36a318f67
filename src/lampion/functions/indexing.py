"""Indexing: `x[...]`, `x[...] = y`, gather, scatter and their relatives.

Integers, slices, None and Ellipsis make views. Integer tensors, lists and boolean masks copy.
The number of True in a mask decides a shape, so a mask is read at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import base, dtypes, ir, ops
from ..base import TensorBase, call, is_number
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    DTypeOperationError,
    IndexRangeError,
    ShapeError,
    StateError,
    shape_text,
    user_location,
)
from ..ir import Value, registry
from ..replay.recorded import record_module
from . import elementwise as e
from . import shape as s
from .creation import as_tensor
from .operands import as_index, broadcast_shape, normalize_dim, number_value
from .outputs import same_type, takes_out

i = ops.indexing
INDEX_TYPES = (dtypes.int64, dtypes.int32, dtypes.int16, dtypes.int8, dtypes.uint8)


# --- understanding an index ------------------------------------------------------------------


def _is_sequence_index(index: Any) -> bool:
    """Whether a list is meant as a tensor of positions rather than as several indices."""
    return isinstance(index, (list, range, np.ndarray))


def _as_items(index: Any) -> list:
    items = list(index) if isinstance(index, tuple) else [index]
    return [as_tensor(list(x) if isinstance(x, range) else x) if _is_sequence_index(x) else x
            for x in items]


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, TensorBase) and item._dtype in (dtypes.bool_, dtypes.uint8):
        return len(item._shape)
    return 1


def _is_mask_number(item: Any) -> bool:
    """Whether a tensor without axes is a mask, which keeps or drops everything."""
    return isinstance(item, TensorBase) and not item._shape and item._dtype in (
        dtypes.bool_, dtypes.uint8)


def _basic(x: TensorBase, items: list) -> tuple[Any, list[tuple[int, Any]]]:
    """Apply the parts that make views; return the view and the tensors index for each axis."""
    used = sum(map(_axes_used, items))
    if used > len(x._shape):
        raise IndexRangeError(f"too many indices for tensor of dimension {len(x._shape)}",
                              why=f"{used} axes are indexed", fix="fewer indices")
    if sum(1 for item in items if item is Ellipsis) > 1:
        raise IndexRangeError("an index can only have a single ellipsis ('...')")
    axis, places = 0, []
    for item in items:
        if item is Ellipsis:
            axis = len(x._shape) - _axes_after_ellipsis(items)
        elif item is None:
            x, axis = s.unsqueeze(x, axis), axis + 1
        elif isinstance(item, bool) or _is_mask_number(item):
            x = s.unsqueeze(x, axis)
            places.append((axis, as_tensor([bool(item)])))
            axis += 1
        elif isinstance(item, slice):
            x, axis = _slice(x, axis, item), axis + 1
        elif isinstance(item, TensorBase):
            if (not item._shape and item._dtype in INDEX_TYPES
                    and item._dtype is not dtypes.uint8 and not base.is_unknown(item)):
                x = s.select(x, axis, item)
                continue
            places.append((axis, item))
            axis += 1 if item._dtype not in (dtypes.bool_, dtypes.uint8) else len(item._shape)
        elif hasattr(item, "__index__"):
            x = s.select(x, axis, item.__index__())
        else:
            raise IndexRangeError(
                f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                f"are valid indices (got {type(item).__name__})",
                fix=f"x[{int(item)}]" if isinstance(item, float) and item == item // 1 else None)
    return x, places


def _axes_after_ellipsis(items: list) -> int:
    """How many axes the items behind the Ellipsis stand for."""
    behind = next(k for k, item in enumerate(items) if item is Ellipsis) + 1
    return sum(map(_axes_used, items[behind:]))


def _slice(x: TensorBase, axis: int, item: slice) -> Any:
    step = 1 if item.step is None else as_index(item.step, "slice")
    if step <= 0:
        raise ArgumentError("step must be greater than zero",
                            why="a view cannot run backwards", fix="x.flip(dim)")
    ends = [None if b is None else as_index(b, "slice") for b in (item.start, item.stop)]
    start, stop, _ = slice(ends[0], ends[1], step).indices(x._shape[axis])
    return s.slice_axis(x, axis, start, max(start, stop), step)


def _advanced(x: TensorBase, places: list) -> dict[int, Any]:
    """Turn masks into positions and check the types: axis -> integer tensor."""
    found: dict[int, Any] = {}
    for axis, index in places:
        if index._dtype in (dtypes.bool_, dtypes.uint8):
            shape = x._shape[axis:axis + len(index._shape)]
            if tuple(index._shape) != tuple(shape):
                at = next(k for k, (a, b) in enumerate(zip(index._shape, shape, strict=True))
                          if a != b)
                raise IndexRangeError(
                    f"The shape of the mask {list(index._shape)} at index {at} does not match the "
                    f"shape of the indexed tensor {list(x._shape)} at index {axis + at}")
            for k, positions in enumerate(np.nonzero(np.atleast_1d(index._read()))):
                found[axis + k] = base.wrap(ir.leaf(positions.astype(np.int64), dtypes.int64))
        elif index._dtype not in (dtypes.int64, dtypes.int32):
            raise IndexRangeError(
                "tensors used as indices must be long, int, byte or bool tensors, not "
                f"{index._dtype.name}", why="a position is a whole number", fix="x[index.long()]")
        else:
            found[axis] = index
    return found


class _Plan:
    """How an advanced index becomes `take`/`put` on rows: axes to the front, one position a row.

    Attributes:
        order: the permutation that brings the indexed axes to the front.
        rows: one position a row, of the shape of the broadcast index.
        rest: sizes of the axes not indexed.
        back: the permutation that brings the result's axes to their places.
    """

    def __init__(self, x: TensorBase, found: dict[int, Any]):
        axes = sorted(found)
        others = [k for k in range(len(x._shape)) if k not in found]
        self.order = tuple(axes + others)
        self.count = math.prod(x._shape[k] for k in axes)
        self.rest = tuple(x._shape[k] for k in others)
        try:
            shape = broadcast_shape("index", [found[k]._shape for k in axes])
        except ShapeError:
            texts = ", ".join(str(list(found[k]._shape)) for k in axes)
            raise IndexRangeError("shape mismatch: indexing tensors could not be broadcast "
                                  f"together with shapes {texts}") from None
        self.index_shape = shape
        self.rows = self._rows(x, found, axes, shape)
        if self.count == 0 and math.prod(shape) != 0:
            raise IndexRangeError("index is out of bounds for dimension with size 0")
        lead = len(shape)
        adjacent = axes == list(range(axes[0], axes[0] + len(axes)))
        before = axes[0] if adjacent else 0
        order = list(range(lead, lead + before)) + list(range(lead)) + list(
            range(lead + before, lead + len(others)))
        self.back = tuple(order)

    @staticmethod
    def _rows(x, found, axes, shape) -> Value:
        rows: Value | None = None
        for k in axes:
            value = found[k]._value
            if value.dtype is not dtypes.int64:
                value = registry["cast"](value, dtype=dtypes.int64)
            size = x._shape[k]
            location = None if value.data is not None else user_location()
            _check_positions(value, size, "index", True)
            value = i.checked_index(value, size=size, location=location)
            value = ir.expand(value, shape)
            rows = value if rows is None else rows * size + value
        assert rows is not None
        return rows

    def fold(self, value: Value) -> Value:
        """Bring the indexed axes to the front, as one."""
        moved = registry["permute"](value, order=self.order)
        return registry["reshape"](moved, shape=(self.count, *self.rest))

    def unfold(self, value: Value, shape: tuple[int, ...]) -> Value:
        """Undo `fold`."""
        wide = registry["reshape"](value, shape=tuple(shape[k] for k in self.order))
        return registry["permute"](wide, order=ops.movement.inverse(self.order))

    @property
    def result_shape(self) -> tuple[int, ...]:
        own = self.index_shape + self.rest
        return tuple(own[k] for k in self.back)

    def result_strides(self, x: TensorBase, found: dict[int, Any]) -> tuple[int, ...]:
        """Return the strides PyTorch gives the result: those of a loop over x and positions.

        Along the axes of the positions x counts as repeated; along the others the positions do.
        """
        lead, shape = len(self.index_shape), self.result_shape
        kept = self.order[len(found):]
        wide = (0,) * lead + tuple(x._strides[k] for k in kept)
        operands = [(shape, tuple(wide[k] for k in self.back))]
        ones = (1,) * len(kept)
        own_shape = self.index_shape + ones
        target = tuple(own_shape[k] for k in self.back)
        for axis in sorted(found):
            index = found[axis]
            gap = lead - len(index._shape)
            steps = (0,) * gap + tuple(
                0 if n == 1 and full != 1 else step for n, step, full in
                zip(index._shape, index._strides, self.index_shape[gap:], strict=True))
            seen = base.strides.view(self.index_shape, steps, target)
            operands.append((target, seen or base.strides.contiguous(target)))
        return base.strides.looped(shape, operands)


def getitem(x: TensorBase, index: Any) -> Any:
    """`x[index]`."""
    run = ir.mode.run
    if run is None:
        return pick(x, index)
    key = _basic_key(index)
    if key is None or not _is_computed(x):
        return pick(x, index)
    # A piece of computed memory needs no operation: another piece makes no other program.
    ir.mode.run = None
    try:
        return _piece(x, index, (key, x._shape, x._strides))
    finally:
        ir.mode.run = run


def _piece(x: TensorBase, index: Any, key: tuple) -> Any:
    """Return a view of computed memory, and pick its elements out beforehand."""
    storage = x._storage
    known = _pieces.get(key) if not x._steps else None
    if known is None:
        view = pick(x, index)
        if not view._steps or view._cached is not None:
            return view
        if not x._steps and view._storage is storage:
            if len(_pieces) >= MOST_PIECES:
                _pieces.clear()
            _pieces[key] = (view._steps, view._shape, view._strides, view._offset - x._offset)
    else:
        steps, shape, strides, offset = known
        view = object.__new__(base.TensorType)
        view._set_up(storage, steps, shape, strides, x._offset + offset, True)
        view._one_of_many = x._one_of_many
    value = storage.value
    if known is not None:
        piece = value.data[index]
    else:
        piece = value.data
        for step in view._steps:
            piece = base.numpy_step(piece, step)
    view._cached = (value, ir.leaf(np.asarray(piece, order="C"), value.dtype))
    return view


# Of an index and the layout of what is indexed: steps, shape, strides and offset of the view.
_pieces: dict[tuple, tuple] = {}
MOST_PIECES = 4096


def _basic_key(index: Any) -> Any:
    """Return what an index of numbers and slices alone is compared by, None for another one."""
    kind = type(index)
    if kind is int:
        return index
    if kind is slice:
        ends = (index.start, index.stop, index.step)
        return ends if all(end is None or type(end) is int for end in ends) else None
    if kind is tuple:
        keys = tuple(map(_basic_key, index))
        return None if None in keys else (tuple, *keys)
    if index is None or index is Ellipsis:
        return kind
    return None


def _is_computed(x: TensorBase) -> bool:
    """Whether a tensor's numbers are there, are its own, and no gradient flows through it."""
    promise = x._promise
    if promise is not None and (promise.run is not None or promise.tracked):
        return False
    storage = x._storage
    if storage.deferred is not None or storage.shared is not None:
        return False
    return storage.value.data is not None and not storage.value.tracked


def pick(x: TensorBase, index: Any) -> Any:
    """`x[index]`, as an operation."""
    view, places = _basic(x, _as_items(index))
    if not places:
        return view if view is not x else s._same(x)
    found = _advanced(view, places)
    plan = _Plan(view, found)
    value = i.take(plan.fold(view._value), plan.rows)
    if value.tracked:
        value.versions = (None, _first_version(found), None)
        base._refuse_inference((x,))
    picked = registry["permute"](value, order=plan.back)
    return base.wrap(picked, plan.result_strides(view, found), label="index")


def _first_version(found: dict[int, Any]):
    """The version of the index tensor, where there is one that can be overwritten."""
    return next(iter(found.values()))._version_pair()


def setitem(x: TensorBase, index: Any, update: Any) -> None:
    """`x[index] = update`."""
    items = _as_items(index)
    if not isinstance(update, TensorBase):
        if update is None or isinstance(update, str):
            raise ArgumentTypeError(
                f"can't assign a {type(update).__name__} to a {x._dtype.name} tensor",
                fix="x[index] = 1.0, or another number")
        if not is_number(update):
            update = as_tensor(update, dtype=x._dtype)
        else:
            number_value(base.python_number(update), x._dtype)  # raises where it is none
    view, places = _basic(x, items)
    if not places:
        _set_view(view, update)
        return
    if 0 in view._shape and isinstance(update, TensorBase) and update._shape[:1] == (1,):
        update = s._same(update)  # PyTorch drops its leading axes, which makes another tensor
    if view._sees_the_same_as(x) and all(
            i is not None and (type(i) is not slice or i.start in (None, 0)) for i in items):
        view = x  # whole slices beside positions: what is written is x itself
    masks = [p for _, p in places]
    if len(masks) == 1 and masks[0]._dtype is dtypes.bool_ and (
            is_number(update) or math.prod(update._shape) == 1) and len(masks[0]._shape):
        given, update = update, update if is_number(update) else s.reshape(update, ())
        axis = places[0][0]
        view._check_writable("index_put_", same_everywhere=True)
        if x._shape and any(i is True or i is False for i in items):
            view._check_apart([given], "index_put_", whole=True)
        _check_mask(view, masks[0], axis)
        after = len(view._shape) - axis - len(masks[0]._shape)
        wide = s.reshape(masks[0], masks[0]._shape + (1,) * after) if after else masks[0]
        update = update if is_number(update) else update.to(x._dtype)
        if is_number(update) and dtypes.of_number(update).category > x._dtype.category:
            update = as_tensor(update, dtype=x._dtype)
        e.masked_fill_(view, wide, update)
        return
    index_put_places(view, places, update, accumulate=False)


def _check_mask(view: TensorBase, mask: TensorBase, axis: int) -> None:
    shape = view._shape[axis:axis + len(mask._shape)]
    if tuple(mask._shape) != tuple(shape):
        raise IndexRangeError(
            f"The shape of the mask {list(mask._shape)} at index 0 does not match the shape of the "
            f"indexed tensor {list(view._shape)} at index {axis}")


def _set_view(view: TensorBase, update: Any) -> None:
    if is_number(update):
        number = as_tensor(update)
        e.fill_(view, number if number._dtype.category <= view._dtype.category
                else number.to(view._dtype))
        return
    if not update._shape:
        e.fill_(view, update)
        return
    # Leading axes of size 1 are dropped, as PyTorch does.
    while update._shape != view._shape and update._shape and update._shape[0] == 1:
        update = s.reshape(update, update._shape[1:])
    _check_fits_place(update._shape, view._shape)
    e.copy_(view, update if update._shape == view._shape else s.expand(update, view._shape))


def _check_fits_place(value: tuple[int, ...], place: tuple[int, ...]) -> None:
    """Raise where a value cannot be repeated to the shape of the place it is written to."""
    if len(value) <= len(place) and all(
            n in (1, wanted) for n, wanted in zip(reversed(value), reversed(place), strict=False)):
        return
    raise ShapeError(
        f"x[index] = value: the value is {shape_text(value)} but x[index] is {shape_text(place)}: "
        f"shape mismatch: value tensor of shape {list(value)} cannot be broadcast to indexing "
        f"result of shape {list(place)}",
        why="sizes are compared from the last axis on; each of the value's must be equal, or 1",
        fix=f"a value of shape {shape_text(place)}, or one number")


def index_put_places(view: TensorBase, places: list, update: Any, accumulate: bool) -> None:
    """Write rows given by integer tensors and masks."""
    view._check_writable("index_put_")
    found = _advanced(view, places)
    plan = _Plan(view, found)
    value = (number_value(update, view._dtype) if is_number(update) else update._value)
    if value.dtype is not view._dtype:
        if not is_number(update) and update._shape and update._dtype is not view._dtype:
            raise DTypeError(
                f"Index put requires the source and destination dtypes match, got "
                f"{view._dtype.name} for the destination and {update._dtype.name} for the source.",
                fix="x[index] = y.to(x.dtype)")
        value = registry["cast"](value, dtype=view._dtype)
    target = plan.result_shape
    lead = len(value.shape) - len(target)
    if lead > 0 and all(n == 1 for n in value.shape[:lead]):
        value = registry["reshape"](value, shape=value.shape[lead:])
    _check_fits_place(value.shape, target)
    view._check_apart([update, *(index for _, index in places)], "index_put_", whole=True)
    value = ir.expand(value, target)
    rows = registry["permute"](value, order=ops.movement.inverse(plan.back))
    op = i.put_add if accumulate else i.put
    put = op(plan.fold(view._value), plan.rows, rows)
    made = plan.unfold(put, tuple(view._shape))
    if put.tracked:
        put.versions = (None, _first_version(found), None, None)
    made.label = "index_put"
    view._write(made)


def index_put_(input: TensorBase, indices: Sequence[Any], values: Any,
               accumulate: bool = False) -> Any:
    """Write values at the positions given by a tuple of index tensors, in place.

    Args:
        accumulate: add rather than replace, so that repeated positions add up.
    """
    places, axis = [], 0
    for index in indices:
        if index is not None:
            places.append((axis, index))
            axis += len(index._shape) if index._dtype is dtypes.bool_ else 1
        else:
            axis += 1
    index_put_places(input, places, values, accumulate)
    return input


def index_put(input: TensorBase, indices: Sequence[Any], values: Any,
              accumulate: bool = False) -> Any:
    """A copy with values written at positions."""
    return index_put_(e.clone(input), indices, values, accumulate)


# --- along one axis --------------------------------------------------------------------------


def _index_value(name: str, index: Any, size: int, types=(dtypes.int64,)) -> Value:
    """Return an index tensor's value; raises at once where its positions are known and wrong."""
    base.require_tensor(index, name, "index")
    if index._dtype not in types:
        wanted = " or ".join(d.name for d in types)
        raise DTypeError(f"{name}(): Expected dtype {wanted} for index, but got "
                         f"{index._dtype.name}", fix="index.long()")
    value = index._value
    if value.dtype is not dtypes.int64:
        value = registry["cast"](value, dtype=dtypes.int64)
    _check_positions(value, size, name, False)
    return value


def _check_positions(value: Value, size: int, name: str, wrap: bool) -> None:
    """Raise at once where positions are known and wrong."""
    base.check_known_value(
        value, lambda positions: i.check_positions(np, positions, size, name, wrap))


def _rank(x: TensorBase) -> Any:
    return x if x._shape else s.reshape(x, 1)


def _check_index_shape(name: str, x: TensorBase, index: TensorBase, axis: int,
                       source: TensorBase | None = None) -> None:
    if math.prod(index._shape) == 0:
        return
    ranks = {len(_rank(t)._shape) for t in (x, index) + ((source,) if source is not None else ())}
    if len(ranks) > 1:
        raise StateError(
            f"{name}(): Index tensor must have the same number of dimensions as input tensor",
            why=f"index has {len(index._shape)} axes, the tensor {len(x._shape)}",
            fix="index.unsqueeze(...)")
    own = _rank(index)._shape
    for k, n in enumerate(own):
        if (k != axis and n > _rank(x)._shape[k]) or (
                source is not None and n > _rank(source)._shape[k]):
            raise ShapeError(
                f"{name}(): Size does not match at dimension {k} expected index "
                f"{list(index._shape)} to be no larger than self {list(x._shape)} apart from "
                f"dimension {axis}" + ("" if source is None else
                                       f" and to be no larger size than src {list(source._shape)}"))


@same_type
@takes_out
def gather(input: TensorBase, dim: int, index: TensorBase, *, sparse_grad: bool = False) -> Any:
    """Elements picked along an axis: y[i, j] = x[i, index[i, j]] for dim 1.

    Shape: (*), index -> index's shape.

    Example:
        >>> import lampion as torch
        >>> torch.tensor([[1, 2], [3, 4]]).gather(1, torch.tensor([[0], [1]]))
        tensor([[1],
                [4]])
    """
    x = _rank(input)
    axis = normalize_dim(dim, len(x._shape), "gather")
    if isinstance(index, TensorBase) and index.numel():
        _check_index_shape("gather", x, index, axis)
    if isinstance(index, TensorBase) and not math.prod(index._shape):
        nothing = s.slice_axis(s.reshape(x, -1), 0, 0, 0)
        return e.clone(s.reshape(nothing, index._shape))
    value = _index_value("gather", index, x._shape[axis], (dtypes.int64, dtypes.int32))
    if not index._shape:
        value = registry["reshape"](value, shape=(1,))
    settings = {"axis": axis, "location": None if value.data is not None else user_location()}
    result = call(i.gather, (x, index), settings, values=(x._value, value), label="gather")
    return result if index._shape else base.own(s.reshape(result, ()))


def take_along_dim(input: TensorBase, indices: TensorBase, dim: int | None = None) -> Any:
    """Elements picked along an axis, other axes broadcast; negative positions count from the end.

    Args:
        indices: such as argsort and argmax(keepdim=True) give.
        dim: the axis; None picks from the flattened tensor.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([[3, 1, 2]])
        >>> torch.take_along_dim(x, x.argsort(1), 1)
        tensor([[1, 2, 3]])
    """
    base.require_tensor(input, "take_along_dim")
    base.require_tensor(indices, "take_along_dim", "indices")
    if indices._dtype not in (dtypes.int64, dtypes.int32):
        raise DTypeError("torch.take_along_dim(): dtype of indices should be Long but got "
                         f"{indices._dtype.name}", fix="indices.long()")
    if dim is None:
        flat = s.reshape(indices, -1)
        return gather(s.reshape(input, -1), 0, _from_front(flat, math.prod(input._shape)))
    if len(input._shape) != len(indices._shape):
        raise StateError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {len(input._shape)} dimensions for input, and {len(indices._shape)} "
            "dimensions for indices", fix="indices.unsqueeze(...)")
    axis = normalize_dim(dim, len(input._shape), "take_along_dim")
    shape = list(broadcast_shape("take_along_dim", [
        tuple(1 if k == axis else n for k, n in enumerate(input._shape)),
        tuple(1 if k == axis else n for k, n in enumerate(indices._shape))]))
    own, other = list(shape), list(shape)
    own[axis], other[axis] = input._shape[axis], indices._shape[axis]
    return gather(s.expand(input, own), axis, _from_front(s.expand(indices, other), own[axis]))


def _from_front(positions: TensorBase, size: int) -> Any:
    return e.where(e.lt(positions, 0), e.add(positions, size), positions)


def _scattered(name: str, op, input: TensorBase, dim: int, index: TensorBase, source: Any):
    x = _rank(input)
    axis = normalize_dim(dim, len(x._shape), name)
    tensor = source if isinstance(source, TensorBase) else None
    if tensor is not None and tensor._dtype is not input._dtype:
        raise DTypeError(f"{name}(): Expected self.dtype to be equal to src.dtype",
                         why=f"self is {input._dtype.name}, src is {tensor._dtype.name}",
                         fix="src.to(x.dtype)")
    _check_index_shape(name, x, index, axis, tensor)
    value = _index_value(name, index, x._shape[axis], (dtypes.int64, dtypes.int32))
    if not math.prod(index._shape):
        if tensor is None or not tensor._tracked:
            return registry["copy"](input._value), ()
        # Nothing is written, but the result is one of source's all the same.
        tensor = s.slice_axis(s.reshape(tensor, -1), 0, 0, 0)
        tensor = source = s.reshape(tensor, (0,) * len(x._shape))
        value = ir.leaf(np.zeros((0,) * len(x._shape), np.int64), dtypes.int64)
    shape = value.shape or (1,)
    value = value if value.shape else registry["reshape"](value, shape=(1,))
    if tensor is None:
        update = ir.expand(number_value(source, input._dtype), shape)
    else:
        source_view = _rank(tensor)
        for k, n in enumerate(shape):
            source_view = s.slice_axis(source_view, k, 0, n)
        update = source_view._value
    settings = {"axis": axis, "location": None if value.data is not None else user_location()}
    made = op(x._value, value, update, **settings)
    if made.tracked:
        made.versions = (None, index._version_pair(), None, None)
    return (registry["reshape"](made, shape=()) if not input._shape else made), (input, index)


def _new(name: str, value: Value) -> Any:
    return base.wrap(value, label=name)


def _over(name: str, input: TensorBase, value: Value) -> Any:
    value.label = name
    input._write(value)
    return input


def _multiplied(*values: Value, **settings: Any) -> Value:
    return ops.scattering.scatter_reduce(*values, how="prod", **settings)


_REDUCE = {None: i.scatter, "add": i.scatter_add, "multiply": _multiplied}


def scatter(input: TensorBase, dim: int, index: TensorBase, src: Any = None, *,
            value: Any = None, reduce: str | None = None) -> Any:
    """A copy with y[i, index[i, j]] = src[i, j] for dim 1.

    Args:
        src: a tensor at least as large as index, or a number.
        reduce: "add" or "multiply" combine instead of replacing.
    """
    return scatter_(_copied(input), dim, index, src, value=value, reduce=reduce)


def scatter_(input: TensorBase, dim: int, index: TensorBase, src: Any = None, *,
             value: Any = None, reduce: str | None = None) -> Any:
    """y[i, index[i, j]] = src[i, j] for dim 1, in place."""
    source = value if src is None else src
    if reduce not in _REDUCE:
        raise ArgumentError(f"scatter: reduce argument must be either add or multiply, got "
                            f"{reduce!r}")
    input._check_writable("scatter_")
    normalize_dim(dim, len(input._shape), "scatter_")
    input._check_apart((index, source), "scatter_", whole=True)
    made, _ = _scattered("scatter", _REDUCE[reduce], input, dim, index, source)
    return _over("scatter", input, made)


def scatter_add(input: TensorBase, dim: int, index: TensorBase, src: TensorBase) -> Any:
    """A copy with y[i, index[i, j]] += src[i, j] for dim 1."""
    made, _ = _scattered("scatter_add", i.scatter_add, input, dim, index, src)
    return _new("scatter_add", made)


def scatter_add_(input: TensorBase, dim: int, index: TensorBase, src: TensorBase) -> Any:
    """y[i, index[i, j]] += src[i, j] for dim 1, in place."""
    input._check_writable("scatter_add_")
    normalize_dim(dim, len(input._shape), "scatter_add_")
    input._check_apart((index, src), "scatter_add_", whole=True)
    made, _ = _scattered("scatter_add", i.scatter_add, input, dim, index, src)
    return _over("scatter_add", input, made)


def _vector(name: str, index: Any) -> Any:
    base.require_tensor(index, name, "index")
    if len(index._shape) > 1:
        raise IndexRangeError(f"{name}(): Index is supposed to be a vector, but got "
                              f"{len(index._shape)} axes")
    return _rank(index)


def _rows_first(x: TensorBase, axis: int) -> Any:
    return s.movedim(x, axis, 0)


@takes_out
def index_select(input: TensorBase, dim: int, index: TensorBase) -> Any:
    """The slices of an axis at the positions of a vector (a copy)."""
    x = _rank(input)
    axis = normalize_dim(dim, len(x._shape), "index_select")
    value = _index_value("index_select", _vector("index_select", index), x._shape[axis],
                         (dtypes.int64, dtypes.int32))
    if value.data is None:
        value = i.checked_index(value, size=x._shape[axis], wrap=False, location=user_location())
    order = (axis, *(k for k in range(len(x._shape)) if k != axis))
    rows = i.take(registry["permute"](x._value, order=order), value)
    if rows.tracked:
        rows.versions = (None, index._version_pair(), None)
    back = registry["permute"](rows, order=ops.movement.inverse(order))
    result = base.wrap(back, label="index_select")
    return result if input._shape else base.own(s.reshape(result, ()))


def _index_write(name: str, op, input: TensorBase, dim: int, index: TensorBase, source: Any,
                 ) -> Value:
    x = _rank(input)
    axis = normalize_dim(dim, len(x._shape), name)
    vector = _vector(name, index)
    value = _index_value(name, vector, x._shape[axis], (dtypes.int64, dtypes.int32))
    order = (axis, *(k for k in range(len(x._shape)) if k != axis))
    moved = registry["permute"](x._value, order=order)
    shape = value.shape + moved.shape[1:]
    if isinstance(source, TensorBase):
        wide = _rank(source)
        if wide._dtype is not x._dtype:
            raise DTypeError(f"{name}(): self and source expected to have the same dtype, but got "
                             f"(self) {x._dtype.name} and (source) {wide._dtype.name}",
                             fix="source.to(x.dtype)")
        if name == "index_add" and not source._shape and vector.numel() != 1:
            raise IndexRangeError(
                f"{name}(): Dimension specified as {dim} but tensor has no dimensions",
                why="the source is a single number", fix="source.expand(len(index))")
        if name == "index_copy" and source._shape and input._shape and (
                len(source._shape) != len(input._shape)):
            raise IndexRangeError(
                f"{name}(): When source and destination are not scalars, their dimensionality must "
                f"match. Source dimensionality ({len(source._shape)}), destination dimensionality "
                f"({len(input._shape)})", fix="source.expand(...) or source.unsqueeze(...)")
        scalar = name == "index_add" and len(source._shape) != len(input._shape)
        if scalar or len(wide._shape) != len(x._shape) or tuple(
                _rows_first(wide, axis)._shape) != shape:
            raise ShapeError(f"{name}(): Number of indices and source {list(source._shape)} do not "
                             f"fit self {list(input._shape)} at dimension {dim}")
        update = registry["permute"](wide._value, order=order)
    else:
        update = ir.expand(number_value(source, x._dtype), shape)
    made = op(moved, value, update)
    if made.tracked:
        made.versions = (None, index._version_pair(), None, None)
    back = registry["permute"](made, order=ops.movement.inverse(order))
    return back if input._shape else registry["reshape"](back, shape=())


def _copied(input: TensorBase) -> Any:
    """A copy in row-major order."""
    return base.wrap(registry["copy"](input._value))


def index_add_(input: TensorBase, dim: int, index: TensorBase, source: TensorBase, *,
               alpha: Any = 1) -> Any:
    """Slices of source added to the slices of an axis at positions, in place."""
    input._check_writable("index_add_")
    input._check_apart((index, source), "index_add_", whole=True)
    source = source if alpha == 1 else e.mul(source, alpha)
    return _over("index_add", input, _index_write("index_add", i.put_add, input, dim, index,
                                                  source))


def index_add(input: TensorBase, dim: int, index: TensorBase, source: TensorBase, *,
              alpha: Any = 1) -> Any:
    """A copy with slices of source added at positions of an axis."""
    return index_add_(_copied(input), dim, index, source, alpha=alpha)


def index_copy_(input: TensorBase, dim: int, index: TensorBase, source: TensorBase) -> Any:
    """Slices of source put at positions of an axis, in place."""
    input._check_writable("index_copy_")
    input._check_apart((index, source), "index_copy_", whole=True)
    return _over("index_copy", input, _index_write("index_copy", i.put, input, dim, index, source))


def index_copy(input: TensorBase, dim: int, index: TensorBase, source: TensorBase) -> Any:
    """A copy with slices of source put at positions of an axis."""
    return index_copy_(_copied(input), dim, index, source)


def index_fill_(input: TensorBase, dim: int, index: TensorBase, value: Any) -> Any:
    """A number put at positions of an axis, in place."""
    input._check_writable("index_fill_", same_everywhere=True)
    number = value.item() if isinstance(value, TensorBase) else value
    if not input.numel():
        number_value(number, input._dtype)  # raises where the type cannot hold it
        input._storage.write(input._storage.read())  # a write like any other, to be counted
        return input
    if base.strides.overlaps(input._shape, input._strides):
        axis = normalize_dim(dim, len(input._shape), "index_fill")
        _index_value("index_fill", _vector("index_fill", index), input._shape[axis])
        counter, count = input._version_pair()
        for position in index._read().reshape(-1):
            e.fill_(s.select(input, axis, int(position)), number)
        counter.count = count + 1  # one write, however many positions
        return input
    return _over("index_fill", input, _index_write("index_fill", i.put, input, dim, index, number))


def index_fill(input: TensorBase, dim: int, index: TensorBase, value: Any) -> Any:
    """A copy with a number put at positions of an axis."""
    return index_fill_(e.clone(input), dim, index, value)


@takes_out
def take(input: TensorBase, index: TensorBase) -> Any:
    """Elements of the flattened tensor at positions."""
    base.require_tensor(index, "take", "index")
    if index._dtype is not dtypes.int64:
        raise DTypeError(f"take(): Expected a long tensor for index, but got {index._dtype.name}",
                         fix="index.long()")
    return getitem(s.reshape(input, -1), index)


# --- results whose shape depends on data -------------------------------------------------------


def nonzero(input: TensorBase, *, as_tuple: bool = False) -> Any:
    """The positions of all elements that are not zero, a row each (reads the tensor).

    Example:
        >>> import lampion as torch
        >>> torch.nonzero(torch.tensor([0, 5, 0, 7]))
        tensor([[1],
                [3]])
    """
    found = np.nonzero(np.atleast_1d(input._read()))
    if not input._shape and not as_tuple:
        return base.wrap(ir.leaf(np.zeros((len(found[0]), 0), np.int64), dtypes.int64),
                         (1, len(found[0])))
    if as_tuple:
        return tuple(base.wrap(ir.leaf(p.astype(np.int64), dtypes.int64)) for p in found)
    rows = np.stack(found, 1).astype(np.int64)
    # PyTorch finds the positions axis by axis and hands out the transpose.
    return base.wrap(ir.leaf(rows, dtypes.int64), (1, len(rows)))


argwhere = nonzero


@takes_out
def masked_select(input: TensorBase, mask: TensorBase) -> Any:
    """The elements where a mask is true, along one axis (reads the mask)."""
    if mask._dtype is not dtypes.bool_:
        raise DTypeError("masked_select: expected BoolTensor for mask", fix="mask.bool()")
    shape = broadcast_shape("masked_select", [input._shape, mask._shape])
    return getitem(_rank(s.expand(input, shape)), _rank(s.expand(mask, shape)))


def masked_scatter_(input: TensorBase, mask: TensorBase, source: TensorBase) -> Any:
    """Elements of source put, in order, where a mask is true, in place (reads the mask)."""
    base.require_tensor(mask, "masked_scatter", "mask")
    if mask._dtype is not dtypes.bool_:
        raise StateError("masked_scatter_ only supports boolean masks, but got mask with dtype "
                         f"{mask._dtype.name}", fix="mask.bool()")
    if source._dtype is not input._dtype:
        raise DTypeError("masked_scatter: expected self and source to have same dtypes but got "
                         f"{input._dtype.name} and {source._dtype.name}", fix="source.to(x.dtype)")
    if mask._dtype is not dtypes.bool_:
        raise DTypeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype "
                         f"{mask._dtype.name}", fix="mask.bool()")
    wide = e.clone(s.expand(mask, input._shape))
    count = int(wide._read().sum())
    setitem(input, wide, e.clone(s.reshape(source, -1)[:count]))
    return input


def masked_scatter(input: TensorBase, mask: TensorBase, source: TensorBase) -> Any:
    """A copy with elements of source, in order, where a mask is true (reads the mask).

    Shape: (*), (*), any -> the broadcast shape of input and mask.

    Example:
        >>> import lampion as torch
        >>> mask = torch.tensor([True, False, True])
        >>> torch.zeros(3).masked_scatter(mask, torch.tensor([1., 2.]))
        tensor([1., 0., 2.])
    """
    base.require_tensor(mask, "masked_scatter", "mask")
    shape = broadcast_shape("masked_scatter", [input._shape, mask._shape])
    return masked_scatter_(e.clone(s.expand(input, shape)), mask, source)


def unique(input: TensorBase, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: int | None = None) -> Any:
    """The different elements, in order (reads the tensor).

    Returns:
        A tensor, or a tuple with inverse positions and counts where asked for.

    Example:
        >>> import lampion as torch
        >>> torch.unique(torch.tensor([3, 1, 3]))
        tensor([1, 3])
    """
    found = np.unique(input._read(), return_inverse=True, return_counts=True, axis=dim,
                      equal_nan=False)
    values, inverse, counts = found
    shape = input._shape if dim is None else (input._shape[dim],)
    results = [base.wrap(ir.leaf(np.ascontiguousarray(values), input._dtype))]
    if return_inverse:
        results.append(base.wrap(ir.leaf(inverse.reshape(shape).astype(np.int64), dtypes.int64)))
    if return_counts:
        results.append(base.wrap(ir.leaf(counts.astype(np.int64), dtypes.int64)))
    return tuple(results) if len(results) > 1 else results[0]


def unique_consecutive(input: TensorBase, return_inverse: bool = False,
                       return_counts: bool = False, dim: int | None = None) -> Any:
    """Runs of equal elements, one of each (reads the tensor).

    Args:
        return_inverse: also return the number of the run that each element is in.
        return_counts: also return how long the runs are.
        dim: compare whole slices along an axis; None compares elements of the flattened tensor.

    Example:
        >>> import lampion as torch
        >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]), return_counts=True)
        (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    axis = 0 if dim is None else normalize_dim(dim, len(input._shape), "unique_consecutive")
    array = input._read().reshape(-1) if dim is None else input._read()
    rows = np.moveaxis(array, axis, 0) if array.ndim else array.reshape(1)
    flat = rows.reshape(len(rows), -1) if rows.size else np.zeros((len(rows), 1))
    new = np.ones(len(rows), bool)
    new[1:] = (flat[1:] != flat[:-1]).any(1)
    starts = np.flatnonzero(new)
    picked = np.moveaxis(rows[starts], 0, axis) if array.ndim else array
    results = [base.wrap(ir.leaf(np.ascontiguousarray(picked), input._dtype))]
    if return_inverse:
        inverse = (np.cumsum(new) - 1).reshape(input._shape if dim is None else -1)
        results.append(base.wrap(ir.leaf(inverse.astype(np.int64), dtypes.int64)))
    if return_counts:
        counts = np.diff(np.append(starts, len(rows)))
        results.append(base.wrap(ir.leaf(counts.astype(np.int64), dtypes.int64)))
    return tuple(results) if len(results) > 1 else results[0]


def bincount(input: TensorBase, weights: TensorBase | None = None, minlength: int = 0) -> Any:
    """How often each whole number occurs (reads the tensor).

    Example:
        >>> import lampion as torch
        >>> torch.bincount(torch.tensor([0, 2, 2]))
        tensor([1, 0, 2])
    """
    if input._dtype.is_floating_point or input._dtype is dtypes.bool_ or len(input._shape) != 1:
        raise DTypeError("bincount only supports 1-d non-negative integral inputs.")
    array = input._read()
    if array.size and array.min() < 0:
        raise StateError("bincount only supports 1-d non-negative integral inputs.")
    counts = np.bincount(array, None if weights is None else weights._read(), minlength)
    if weights is None:
        return base.wrap(ir.leaf(counts.astype(np.int64), dtypes.int64))
    dtype = weights._dtype if weights._dtype is dtypes.float32 else dtypes.float64
    return base.wrap(ir.leaf(counts.astype(dtype.array), dtype))


def histc(input: TensorBase, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements fall into equal bins from min to max (reads the tensor)."""
    if not input._dtype.is_floating_point:
        raise DTypeOperationError(f"histc: not implemented for {input._dtype.name}",
                                  fix="x.float()")
    array = input._read()
    if min == max and array.size:
        min, max = float(array.min()), float(array.max())
    if not (math.isfinite(min) and math.isfinite(max)):
        raise StateError(f"torch.histc: range of [{min}, {max}] is not finite",
                         fix="min=..., max=...")
    if min == max:
        min, max = min - 1, max + 1
    counts, _ = np.histogram(array[(array >= min) & (array <= max)], bins, (min, max))
    return base.wrap(ir.leaf(counts.astype(input._dtype.array), input._dtype))


record_module(
    globals(), but=("getitem", "nonzero", "masked_select", "masked_scatter", "masked_scatter_",
    "unique", "unique_consecutive", "bincount", "histc",
    "index_put_places"))
