"""Collating: a list of samples becomes one batch, a tensor wherever that is possible."""

from __future__ import annotations

import copy
from collections import abc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentTypeError, ShapeError, StateError, shape_text
from lampion.functions.creation import adopt, as_tensor, tensor
from lampion.functions.shape import stack
from lampion.tensor import Tensor

CollateMap = dict[Any, Callable[..., Any]]


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays in one sample into tensors, the containers as they are.

    Example:
        >>> import lampion as torch, numpy
        >>> torch.utils.data.default_convert({"x": numpy.array([0, 1]), "name": "a"})
        {'x': tensor([0, 1]), 'name': 'a'}
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, abc.Mapping):
        return _rebuilt_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(entry) for entry in data))
    if isinstance(data, tuple):
        return [default_convert(entry) for entry in data]
    if isinstance(data, abc.Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt_sequence(data, [default_convert(entry) for entry in data])
    return data


def default_collate(batch: Sequence[Any]) -> Any:
    """Put the samples of a batch together, with a new first axis for the batch.

    Tensors, arrays and numbers become a tensor; strings stay a list; dicts, named tuples and
    sequences are collated entry by entry, where a tuple becomes a list.

    Raises:
        ArgumentTypeError: a sample holds something that cannot become a tensor.
        ShapeError: tensors or arrays of different shapes.

    Example:
        >>> import lampion as torch
        >>> torch.utils.data.default_collate([(0, "a"), (1, "b")])
        [tensor([0, 1]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Collate with a table from element types to functions `f(batch, collate_fn_map=...)`."""
    first = batch[0]
    function = _function_for(first, collate_fn_map or {})
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)

    def column(entries: Sequence[Any]) -> Any:
        return collate(entries, collate_fn_map=collate_fn_map)

    if isinstance(first, abc.Mapping):
        return _rebuilt_mapping(first, {key: column([s[key] for s in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(column(entries) for entries in zip(*batch, strict=False)))
    if isinstance(first, abc.Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise StateError(
                f"samples with {sorted({len(sample) for sample in batch})} entries in one batch",
                why="each element in list of batch should be of equal size",
                fix="a collate_fn of your own, or pad the samples",
            )
        columns = [column(entries) for entries in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _rebuilt_sequence(first, columns)
    raise _not_collatable(type(first))


def _function_for(sample: Any, functions: CollateMap) -> Callable[..., Any] | None:
    if type(sample) in functions:
        return functions[type(sample)]
    for kind, function in functions.items():
        if isinstance(sample, kind):
            return function
    return None


def _rebuilt_mapping(like: Any, entries: dict[Any, Any]) -> Any:
    """Return `entries` in a mapping of the same kind as `like`, with its other attributes."""
    try:
        if isinstance(like, abc.MutableMapping):
            clone = copy.copy(like)
            clone.update(entries)
            return clone
        return type(like)(entries)
    except TypeError:
        return entries


def _rebuilt_sequence(like: Any, entries: list[Any]) -> Any:
    """Return `entries` in a sequence of the same kind as `like`, with its other attributes."""
    try:
        if isinstance(like, abc.MutableSequence):
            clone = copy.copy(like)
            for index, entry in enumerate(entries):
                clone[index] = entry
            return clone
        return type(like)(entries)
    except TypeError:
        return entries


def _not_collatable(kind: Any) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"default_collate: found {kind}",
        why="a batch must contain tensors, numpy arrays, numbers, dicts or lists",
        fix="DataLoader(..., collate_fn=your_function)",
    )


def _stacked(arrays: Sequence[np.ndarray], dtype: dtypes.dtype | None = None) -> Tensor:
    """Copy arrays of one shape and type into one tensor; one copy per sample, no more."""
    first = arrays[0].shape
    for index, array in enumerate(arrays):
        if array.shape != first:
            raise ShapeError(
                f"sample 0 is {shape_text(first)}, sample {index} is {shape_text(array.shape)}",
                why="stack expects each tensor to be equal size",
                fix="a collate_fn of your own, for example with pad_sequence",
            )
    return adopt(np.stack(arrays), dtype)


def collate_tensor_fn(
    batch: Sequence[Tensor], *, collate_fn_map: CollateMap | None = None
) -> Tensor:
    """Stack tensors; without gradients that is a plain copy and nothing is recorded."""
    dtype = batch[0].dtype
    if any(entry.requires_grad or entry.dtype != dtype for entry in batch):
        return stack(list(batch))
    return _stacked([entry._read() for entry in batch], dtype)


def collate_numpy_array_fn(
    batch: Sequence[np.ndarray], *, collate_fn_map: CollateMap | None = None
) -> Any:
    """Stack arrays."""
    kinds = {entry.dtype for entry in batch}
    if batch[0].dtype.kind in "SUO":
        raise _not_collatable(batch[0].dtype)
    if len(kinds) == 1 and _is_plain(collate_fn_map):
        return _stacked(batch)
    return collate([as_tensor(entry) for entry in batch], collate_fn_map=collate_fn_map)


def _is_plain(collate_fn_map: CollateMap | None) -> bool:
    """Whether tensors are collated in the default way, so that arrays need no detour."""
    return (collate_fn_map or {}).get(Tensor) is collate_tensor_fn


def collate_numpy_scalar_fn(
    batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None
) -> Tensor:
    """Make a tensor of NumPy numbers."""
    return as_tensor(batch)


def collate_float_fn(
    batch: Sequence[float], *, collate_fn_map: CollateMap | None = None
) -> Tensor:
    """Make a float64 tensor, as PyTorch does."""
    return tensor(batch, dtype=dtypes.float64)


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Make an int64 tensor, or a bool one."""
    return tensor(batch)


def collate_str_fn(batch: Sequence[Any], *, collate_fn_map: CollateMap | None = None) -> Any:
    """Leave strings alone."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}
