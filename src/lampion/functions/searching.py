"""Searching: places in sorted vectors, members of collections."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import base, dtypes, ir
from ..base import TensorBase
from ..errors import DTypeError, ShapeError, StateError, shape_text
from .creation import as_tensor


def _side(name: str, side: Any, right: bool) -> str:
    if side not in (None, "left", "right"):
        raise StateError(f"{name}(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise StateError(f"{name}(): side and right can't be set to opposites, got side of left "
                         "while right was True")
    return "right" if right or side == "right" else "left"


def _check_shapes(name: str, edges: TensorBase, values: TensorBase) -> None:
    if not edges._shape:
        raise ShapeError(f"{name}(): boundaries tensor should have positive dimension, but got 0 "
                         "dimension")
    if len(edges._shape) == 1:
        return
    if not values._shape:
        raise ShapeError(f"{name}(): input value can be a scalar only when boundaries tensor "
                         f"dimension is 1, but we got boundaries tensor dim({len(edges._shape)})")
    if edges._shape[:-1] != values._shape[:-1]:
        raise ShapeError(
            f"{name}(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            f"boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{shape_text(edges._shape)} and input value tensor {shape_text(values._shape)}")


def _sorted(edges: TensorBase, sorter: TensorBase | None, name: str) -> np.ndarray:
    table = edges._read()
    if sorter is None:
        return table
    base.require_tensor(sorter, name, "sorter")
    if sorter._shape != edges._shape:
        raise ShapeError(f"{name}(): boundary and sorter must have the same size, but got boundary "
                         f"tensor {shape_text(edges._shape)} and got sorter tensor "
                         f"{shape_text(sorter._shape)}")
    if sorter._dtype is not dtypes.int64:
        raise DTypeError(f"{name}(): sorter must be a tensor of long dtype but got dtype "
                         f"{sorter._dtype.name}", fix="sorter.long()")
    order = sorter._read()
    if order.size and not (0 <= order.min() and order.max() < edges._shape[-1]):
        raise StateError(f"{name}(): sorter index out of range")
    return np.take_along_axis(table, order, -1)


def searchsorted(sorted_sequence: TensorBase, input: Any, *, out_int32: bool = False,
                 right: bool = False, side: str | None = None,
                 sorter: TensorBase | None = None) -> Any:
    """Where elements would be inserted into a sorted vector to keep it sorted (reads both).

    Shape: (N), (*) -> (*); or (*, N), (*, M) -> (*, M), row by row.

    Args:
        sorted_sequence: rising along its last axis.
        input: a tensor, or a number.
        out_int32: places of int32, not int64.
        right: behind equal elements, not before them; side="right" says the same.
        sorter: the order that sorts sorted_sequence, where it is not sorted itself.

    Raises:
        ShapeError: the axes before the last do not match.
        DTypeError: sorter is not int64.

    Example:
        >>> import lampion as torch
        >>> torch.searchsorted(torch.tensor([1., 3., 5.]), torch.tensor([3., 4.]))
        tensor([1, 2])
    """
    return _found("torch.searchsorted", sorted_sequence, input, out_int32,
                  _side("torch.searchsorted", side, right), sorter)


def _found(name: str, edges: TensorBase, input: Any, out_int32: bool, side: Any,
           sorter: TensorBase | None) -> Any:
    base.require_tensor(edges, name)
    values = input if isinstance(input, TensorBase) else as_tensor(input)
    _check_shapes(name, edges, values)
    table, wanted = _sorted(edges, sorter, name), values._read()
    if table.ndim == 1:
        found = np.asarray(np.searchsorted(table, wanted, side))
    else:
        rows = table.reshape(-1, table.shape[-1]) if table.size else np.zeros((0, 1), table.dtype)
        found = np.zeros(wanted.shape, np.int64)
        flat = found.reshape(-1, wanted.shape[-1]) if wanted.size else np.zeros((0, 1))
        for k, row in enumerate(rows):
            flat[k] = np.searchsorted(row, wanted.reshape(flat.shape)[k], side)
    kind = dtypes.int32 if out_int32 else dtypes.int64
    return base.wrap(ir.leaf(found.astype(kind.array), kind))


def bucketize(input: Any, boundaries: TensorBase, *, out_int32: bool = False,
              right: bool = False) -> Any:
    """The bucket between boundaries that each element falls into (reads both).

    Shape: (*), (N) -> (*), numbers from 0 to N.

    Args:
        input: a tensor, or a number.
        boundaries: a vector, rising.
        out_int32: int32, not int64.
        right: whether an element on a boundary belongs to the bucket behind it.

    Example:
        >>> import lampion as torch
        >>> torch.bucketize(torch.tensor([0.5, 2.5]), torch.tensor([1., 2.]))
        tensor([0, 2])
    """
    base.require_tensor(boundaries, "bucketize", "boundaries")
    if len(boundaries._shape) != 1:
        raise ShapeError("bucketize: boundaries tensor must be 1 dimension, but got dim("
                         f"{len(boundaries._shape)})")
    values = input
    if isinstance(input, TensorBase) and input._dtype is not boundaries._dtype:
        kind = dtypes.promote_types(input._dtype, boundaries._dtype)
        values, boundaries = input.to(kind), boundaries.to(kind)
    return _found("bucketize", boundaries, values, out_int32, "right" if right else "left", None)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False,
         invert: bool = False) -> Any:
    """Whether each element occurs in a collection (reads both).

    Shape: (*), any -> (*), booleans.

    Args:
        elements, test_elements: tensors, or a number for one of them.
        assume_unique: both hold no element twice, which may be faster.
        invert: whether it does not occur.

    Example:
        >>> import lampion as torch
        >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2, 5]))
        tensor([False,  True, False])
    """
    found = np.isin(as_tensor(elements)._read(), as_tensor(test_elements)._read(),
                    invert=invert)
    return base.wrap(ir.leaf(np.asarray(found), dtypes.bool_))
