"""Steps from tokens to tensors as functions, under torchtext's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.functions.creation import adopt, tensor
from lampion.tensor import Tensor

__all__ = ["add_token", "str_to_int", "to_tensor", "truncate"]


def _is_batch(input: Any, kind: type) -> bool:
    """Tell a list of lists from a list; refuse anything else."""
    if isinstance(input, (list, tuple)):
        if all(isinstance(entry, kind) for entry in input):
            return False
        if all(isinstance(entry, (list, tuple)) for entry in input):
            return True
    raise ArgumentTypeError(f"got {type(input).__name__}: {str(input)[:40]}",
                            why="Input type not supported: a list, or a list of lists")


def to_tensor(input: Any, padding_value: int | None = None, dtype: dtypes.dtype = dtypes.int64,
              ) -> Tensor:
    """Return numbers as a tensor; lists of different lengths are padded.

    Args:
        input: a list of numbers, or a list of lists.
        padding_value: what is put behind shorter lists; without it all must be as long.
        dtype: element type.

    Raises:
        ArgumentError: lists of different lengths and no padding_value.

    Example:
        >>> to_tensor([[1, 2], [3]], padding_value=0)
        tensor([[1, 2],
                [3, 0]])
    """
    if not _is_batch(input, (int, float)):  # type: ignore[arg-type]
        return tensor(list(input), dtype=dtype)
    longest = max(map(len, input), default=0)
    if padding_value is None:
        lengths = sorted({len(row) for row in input})
        if len(lengths) > 1:
            raise ArgumentError(f"to_tensor: lists of {lengths} numbers",
                                why="a tensor has rows of one length",
                                fix="to_tensor(input, padding_value=0)")
        return tensor([list(row) for row in input], dtype=dtype)
    padded = np.full((len(input), longest), padding_value, dtype.array)
    for row, numbers in zip(padded, input):
        row[:len(numbers)] = numbers
    return adopt(padded, dtype)


def truncate(input: Any, max_seq_len: int) -> Any:
    """Return the first entries of a list, or of each list.

    Example:
        >>> truncate([[1, 2, 3], [4]], 2)
        [[1, 2], [4]]
    """
    if _is_batch(input, (str, int, float)):  # type: ignore[arg-type]
        return [list(row[:max_seq_len]) for row in input]
    return list(input[:max_seq_len])


def add_token(input: Any, token_id: Any, begin: bool = True) -> Any:
    """Return a list, or each list, with a token before or behind.

    Example:
        >>> add_token([1, 2], 9), add_token([[1], [2]], 9, begin=False)
        ([9, 1, 2], [[1, 9], [2, 9]])
    """
    if _is_batch(input, (str, int, float)):  # type: ignore[arg-type]
        return [add_token(row, token_id, begin) for row in input]
    return [token_id, *input] if begin else [*input, token_id]


def str_to_int(input: Any) -> Any:
    """Return the whole numbers that texts stand for.

    Example:
        >>> str_to_int(["1", "23"])
        [1, 23]
    """
    if _is_batch(input, str):
        return [str_to_int(row) for row in input]
    return [int(text) for text in input]
