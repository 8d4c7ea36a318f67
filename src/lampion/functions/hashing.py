"""Hashes of tensors: one number that changes with any element."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import base, dtypes, ir
from ..base import TensorBase
from ..errors import StateError
from .operands import normalize_dims


def hash_tensor(input: TensorBase, dim: Any = (), *, keepdim: bool = False, mode: int = 0) -> Any:
    """The exclusive or of the elements' bits, each widened to 64 (reads the tensor).

    Shape: (*) -> (*) without `dim`, or with size 1 there if keepdim; uint64.

    Args:
        dim: the axes; () for all.
        keepdim: keep the axes with size 1.
        mode: 0, exclusive or; there is no other.

    Raises:
        StateError: another mode.

    Example:
        >>> import lampion as torch
        >>> torch.hash_tensor(torch.tensor([1, 2, 4]))
        tensor(7, dtype=torch.uint64)
    """
    base.require_tensor(input, "hash_tensor")
    if mode != 0:
        raise StateError(f"hash_tensor: Unknown mode {mode}", fix="mode=0")
    dims = normalize_dims(None if dim in ((), []) else dim, len(input._shape), "hash_tensor")
    array = input._read()
    wide = array.astype(np.float64 if input._dtype.is_floating_point else np.int64)
    bits = np.ascontiguousarray(wide).reshape(array.shape).view(np.uint64)
    xor: Any = np.bitwise_xor.reduce  # NumPy's annotation knows one axis only
    found = xor(bits, axis=dims, keepdims=keepdim) if dims else bits
    return base.wrap(ir.leaf(np.asarray(found, np.uint64), dtypes.uint64))
