"""Entries that make no sense for real, dense tensors on a CPU, each with the reason."""

from __future__ import annotations

import inspect
import re
from typing import Any

import torch

COMPLEX = "complex tensors do not exist in lampion"
SPARSE = "sparse tensors do not exist in lampion"
NESTED = "nested and jagged tensors do not exist in lampion"
PRIVATE = "not a public name of PyTorch"
CUDA = "for CUDA only"

_PATTERNS = (
    (r"^(fft\.(?!fftshift|ifftshift)|stft|istft|view_as_|complex$|polar$|imag$|cdouble|cfloat|chalf)",
     COMPLEX),
    (r"^linalg\.eig(vals)?$", COMPLEX),
    (r"^(sparse\.|to_sparse)", SPARSE),
    (r"^jiterator", CUDA),
    (r"^(_|torch\.ops\.|torch\._|.*\._scaled)", PRIVATE),
)


def _source(function: Any) -> str:
    """The text of a function of PyTorch's test suite, nothing for others."""
    try:
        return inspect.getsource(function) if inspect.isfunction(function) else ""
    except OSError:
        return ""


def reason(entry: Any, name: str) -> str:
    """Why an entry of op_db is left out, or nothing."""
    for pattern, why in _PATTERNS:
        if re.search(pattern, name) and not name.startswith("__"):
            return why
    if type(entry.op).__name__ in ("OpOverloadPacket", "OpOverload") or (
            "torch.ops." in _source(entry.op)):
        return PRIVATE
    held = set(entry.supported_dtypes("cpu"))
    if not held:
        return CUDA
    if all(d.is_complex for d in held):
        return COMPLEX
    if not held & {torch.float32, torch.float64, torch.int64, torch.bool}:
        return "for types that lampion does not have"
    return ""
