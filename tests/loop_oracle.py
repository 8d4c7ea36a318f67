"""What a `kernel.Loop` means, on NumPy arrays, slowly: the witness of the passes and of engines."""

from __future__ import annotations

import numpy as np

from lampion import dtypes
from lampion.kernel import Compute, Load, Loop, Reduce, Store


def window(array: np.ndarray, loop: Loop, statement: Load | Store, inside: bool) -> np.ndarray:
    """What a statement reads or writes; what is the same along a row has inner axes of length 1."""
    own = statement.strides
    whole = inside and (isinstance(statement, Store) or any(own[len(loop.outer):]))
    shape = loop.outer + (loop.inner if whole else (1,) * len(loop.inner))
    flat = array.reshape(-1)
    if 0 in shape:
        return np.zeros(shape, array.dtype)
    return np.lib.stride_tricks.as_strided(
        flat[statement.offset:], shape, [s * array.itemsize for s in own])


def rounded(array: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """Results of the half types are rounded after every operation."""
    array = np.asarray(array)
    if dtype is dtypes.float16:
        return array.astype(np.float16)
    return dtypes.round_to(dtype, array) if dtype is dtypes.bfloat16 else array


def single(array: np.ndarray) -> np.ndarray:
    """float16 is a storage type: arithmetic happens in float32."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def run_loop(loop: Loop, buffers: list[np.ndarray]) -> None:
    """Run a loop on arrays, one statement at a time."""
    results: list[np.ndarray] = []
    inner_axes = tuple(range(len(loop.outer), len(loop.outer) + len(loop.inner)))
    with np.errstate(all="ignore"):
        for _, inside, statement in loop.statements():
            if isinstance(statement, Load):
                results.append(window(buffers[statement.buffer], loop, statement, inside))
            elif isinstance(statement, Compute):
                operands = np.broadcast_arrays(*(single(results[k]) for k in statement.operands))
                made = statement.op.meaning(np, *operands, **dict(statement.settings))
                results.append(rounded(made, statement.dtype))
            elif isinstance(statement, Reduce):
                operand = np.broadcast_to(single(results[statement.operand]),
                                          loop.outer + loop.inner)
                made = statement.op.meaning(np, operand, axes=inner_axes) if operand.size or (
                    statement.op.name not in ("max", "min")) else _extreme_of_nothing(
                        statement, loop)
                results.append(rounded(made, statement.dtype))
            else:
                target = window(buffers[statement.buffer], loop, statement, inside)
                target[...] = results[statement.operand]


def _extreme_of_nothing(statement: Reduce, loop: Loop) -> np.ndarray:
    """The lowest number where nothing is larger, the highest where nothing is smaller."""
    dtype = statement.dtype
    low, high = (-np.inf, np.inf) if dtype.is_floating_point else (
        (False, True) if dtype is dtypes.bool_ else (
            np.iinfo(dtype.array).min, np.iinfo(dtype.array).max))
    found = low if statement.op.name == "max" else high
    return np.full(loop.outer + (1,) * len(loop.inner), found, dtype.array)
