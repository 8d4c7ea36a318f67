"""Putting tensors together and taking them apart: blocks, combinations, splits, shifts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .. import base, dtypes, ir
from ..base import TensorBase
from ..errors import ArgumentError, ArgumentTypeError, ShapeError, StateError, shape_text
from ..replay.recorded import record_module
from . import elementwise as e
from . import indexing, reduction
from . import shape as s
from .creation import diag
from .operands import normalize_dims, shape_argument


def atleast_3d(*tensors: Any) -> Any:
    """The tensors with axes of size 1 added until they have three."""
    def one(x: Any) -> Any:
        x = x if isinstance(x, TensorBase) else base.wrap(ir.number(x, dtypes.of_number(x)))
        if len(x._shape) == 0:
            return s.reshape(x, 1, 1, 1)
        if len(x._shape) == 1:
            return s.unsqueeze(s.unsqueeze(x, 0), -1)
        return s.unsqueeze(x, -1) if len(x._shape) == 2 else x

    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
        return tuple(map(one, tensors))
    return one(tensors[0]) if len(tensors) == 1 else tuple(map(one, tensors))


def dstack(tensors: Any) -> Any:
    """Tensors side by side along the third axis."""
    if not tensors:
        raise StateError("dstack expects a non-empty TensorList")
    return s.cat([atleast_3d(x) for x in tensors], 2)


def _split(name: str, input: TensorBase, sections: Any, dim: int, least: int) -> tuple:
    if len(input._shape) < least:
        raise StateError(f"torch.{name} requires a tensor with at least {least} dimension"
                         f"{'s' if least > 1 else ''}, but got a tensor with "
                         f"{len(input._shape)} dimensions!")
    if isinstance(sections, int) and (sections <= 0 or input._shape[dim] % sections):
        raise StateError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the "
            f"dimension {input._shape[dim]} is not divisible by the split_size {sections}!",
            fix="torch.tensor_split, whose pieces may differ by one")
    return s.tensor_split(input, sections, dim)


def hsplit(input: TensorBase, indices_or_sections: Any) -> tuple:
    """Views of pieces along the second axis, or along the only axis of a vector."""
    dim = 0 if len(base.require_tensor(input, "hsplit")._shape) == 1 else 1
    return _split("hsplit", input, indices_or_sections, dim, 1)


def vsplit(input: TensorBase, indices_or_sections: Any) -> tuple:
    """Views of equal pieces, or between places, along the first axis."""
    return _split("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: TensorBase, indices_or_sections: Any) -> tuple:
    """Views of equal pieces, or between places, along the third axis."""
    return _split("dsplit", input, indices_or_sections, 2, 3)


def block_diag(*tensors: Any) -> Any:
    """The tensors as blocks on the diagonal of a matrix, zeros beside them.

    Shape: matrices, vectors (as rows) and scalars -> (sum of rows, sum of columns).

    Example:
        >>> import lampion as torch
        >>> torch.block_diag(torch.ones(1, 2), torch.tensor(5.))
        tensor([[1., 1., 0.],
                [0., 0., 5.]])
    """
    blocks = []
    for k, x in enumerate(tensors):
        if len(base.require_tensor(x, "block_diag", "tensors")._shape) > 2:
            raise ShapeError("torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                             f"Input {k} has {len(x._shape)} dimensions")
        blocks.append(s.atleast_2d(x))
    if not blocks:
        return base.wrap(ir.full((1, 0), 0, dtypes.get_default_dtype()))
    dtype = blocks[0]._dtype
    for x in blocks[1:]:
        dtype = dtypes.promote_types(dtype, x._dtype)
    width, left, rows = sum(x._shape[1] for x in blocks), 0, []
    for x in blocks:
        height, size = x._shape
        before = base.wrap(ir.full((height, left), 0, dtype))
        after = base.wrap(ir.full((height, width - left - size), 0, dtype))
        rows.append(s.cat([before, x.to(dtype), after], 1))
        left += size
    return s.cat(rows, 0)


def combinations(input: TensorBase, r: int = 2, with_replacement: bool = False) -> Any:
    """All ways to pick r elements of a vector, in order.

    Shape: (n) -> (number of ways, r).

    Example:
        >>> import lampion as torch
        >>> torch.combinations(torch.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    if len(input._shape) != 1:
        raise ShapeError(f"Expect a 1D vector, but got shape {shape_text(input._shape)}")
    if r < 0:
        raise StateError(f"Expect a non-negative number, but got {r}")
    pick = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    ways = list(pick(range(input._shape[0]), r))
    if r == 0:
        return base.wrap(ir.full((0,), 0, input._dtype))
    table = np.array(ways, dtype=np.int64).reshape(len(ways), r)
    index = base.wrap(ir.leaf(table.reshape(-1), dtypes.int64))
    return s.reshape(indexing.index_select(input, 0, index), len(ways), r)


def cartesian_prod(*tensors: TensorBase) -> Any:
    """All combinations of elements of vectors, a row each.

    Shape: (n_0), (n_1), ... -> (n_0 n_1 ..., number of vectors); one vector stays as it is.

    Example:
        >>> import lampion as torch
        >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([5, 6]))
        tensor([[1, 5],
                [1, 6],
                [2, 5],
                [2, 6]])
    """
    for x in tensors:
        if len(base.require_tensor(x, "cartesian_prod", "tensors")._shape) != 1:
            raise ShapeError(f"Expect a 1D vector, but got shape {shape_text(x._shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return s.stack([s.reshape(x, -1) for x in s.meshgrid(*tensors, indexing="ij")], 1)


def diagflat(input: TensorBase, offset: int = 0) -> Any:
    """A matrix with all elements on a diagonal."""
    return diag(s.reshape(base.require_tensor(input, "diagflat"), -1), offset)


def unravel_index(indices: TensorBase, shape: Any) -> tuple:
    """The places, one tensor for each axis, that flat positions have in a shape.

    Example:
        >>> import lampion as torch
        >>> torch.unravel_index(torch.tensor([5]), (2, 3))
        (tensor([1]), tensor([2]))
    """
    base.require_tensor(indices, "unravel_index", "indices")
    if indices._dtype.is_floating_point or indices._dtype is dtypes.bool_:
        raise ArgumentError(f"expected 'indices' to be integer dtype, but got {indices._dtype}")
    if isinstance(shape, (float, str)) or (
            isinstance(shape, TensorBase) and shape._dtype.is_floating_point):
        raise ArgumentTypeError("expected 'shape' to be int or sequence of ints, but got "
                                f"{type(shape).__name__}")
    sizes = shape_argument((shape,) if isinstance(shape, int) else tuple(shape), "unravel_index")
    if any(n < 0 for n in sizes):
        raise ArgumentError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    places, step = [], 1
    for n in reversed(sizes):
        place = e.div(indices, step, rounding_mode="floor") if step > 1 else indices
        places.append(e.remainder(place, n) if n else place)
        step *= max(n, 1)
    return tuple(reversed(places))


def sum_to_size(input: TensorBase, *size: Any) -> Any:
    """The sum over the axes that broadcasting would have repeated.

    Shape: (*) -> size, which must broadcast to (*).
    """
    sizes = shape_argument(size, "sum_to_size")
    lead = len(input._shape) - len(sizes)
    fits = lead >= 0 and all(n in (1, m) for n, m in zip(sizes, input._shape[max(lead, 0):]))
    if not fits:
        raise ShapeError(f"size {{{list(sizes)}}} is not expandable to size "
                         f"{{{list(input._shape)}}}.")
    axes = [k for k in range(lead)] + [
        lead + k for k, n in enumerate(sizes) if n == 1 and input._shape[lead + k] != 1]
    if not axes and input._shape:
        return input
    return s.reshape(reduction.sum(input, axes), sizes)


def _shift(name: str, input: TensorBase, dim: Any, back: bool) -> Any:
    dims = normalize_dims(dim, len(input._shape), name)
    shifts = [-(input._shape[k] // 2) if back else input._shape[k] // 2 for k in dims]
    return s.roll(input, shifts, list(dims)) if dims else e.clone(input)


def fftshift(input: TensorBase, dim: Any = None) -> Any:
    """Frequencies in rising order: the zero goes to the middle of each axis."""
    return _shift("fftshift", input, dim, False)


def ifftshift(input: TensorBase, dim: Any = None) -> Any:
    """Undoes `fftshift`."""
    return _shift("ifftshift", input, dim, True)


def unsafe_chunk(input: TensorBase, chunks: int, dim: int = 0) -> tuple:
    """Like `chunk`, but the pieces may be written to."""
    return tuple(e.clone(x) for x in s.chunk(input, chunks, dim))


def unsafe_split(input: TensorBase, split_size_or_sections: Any, dim: int = 0) -> tuple:
    """Like `split`, but the pieces may be written to."""
    return tuple(e.clone(x) for x in s.split(input, split_size_or_sections, dim))


def nonzero_static(input: TensorBase, *, size: int, fill_value: int = -1) -> Any:
    """The places of elements that are not zero, cut or filled up to `size` rows."""
    if size < 0:
        raise StateError(f"nonzero_static: 'size' must be an non-negative integer, got {size}")
    found = indexing.nonzero(input)
    rows, axes = found._shape
    if rows >= size:
        return e.clone(s.narrow(found, 0, 0, size))
    rest = base.wrap(ir.full((size - rows, axes), fill_value, dtypes.int64))
    return s.cat([found, rest], 0)


def constant_pad_nd(input: TensorBase, pad: Any, value: Any = 0) -> Any:
    """Constants around a tensor, from the last axis on (`nn.functional.pad`)."""
    from_last = [tuple(pad[k:k + 2]) for k in range(0, len(pad), 2)]
    if len(from_last) > len(input._shape) or len(pad) % 2:
        raise StateError(f"Length of pad must be even and at most twice the number of dimensions "
                         f"of the input: {list(pad)}")
    result = input
    for back, (low, high) in enumerate(from_last):
        axis = len(input._shape) - 1 - back
        for amount, front in ((low, True), (high, False)):
            if amount < 0:
                start = -amount if front else 0
                result = s.narrow(result, axis, start, result._shape[axis] + amount)
            elif amount > 0:
                shape = list(result._shape)
                shape[axis] = amount
                extra = base.wrap(ir.full(tuple(shape), value, input._dtype))
                result = s.cat([extra, result] if front else [result, extra], axis)
    return e.clone(result) if result is input else base.own(result)


record_module(globals(), but=("nonzero_static", "combinations"))
