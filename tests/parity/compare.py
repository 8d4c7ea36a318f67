"""The first difference between PyTorch's result and lampion's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

import lampion

from .outcome import shortened

# Relative to an element, and relative to the largest element of the tensor (sums of many terms).
TOLERANCE = {
    torch.float64: (1e-7, 1e-8), torch.float32: (5e-5, 1e-5),
    torch.float16: (5e-3, 2e-3), torch.bfloat16: (3e-2, 2e-2),
}


def repeats(first: Any, second: Any) -> bool:
    """Whether PyTorch gave the same twice: else it drew random numbers."""
    for a, b in zip(flat(first), flat(second), strict=True):
        if isinstance(a, torch.Tensor):
            if a.shape != b.shape or close(array(a), array(b), (0.0, 1e-9)):
                return False
        elif a != b and a == a:
            return False
    return True


def flat(result: Any) -> list[Any]:
    """The parts of a result in order."""
    if isinstance(result, (list, tuple)) and not isinstance(result, (torch.Size, lampion.Size)):
        return [part for item in result for part in flat(item)]
    if isinstance(result, dict):
        return [part for item in result.values() for part in flat(item)]
    return [result]


def array(tensor: Any) -> np.ndarray:
    """The numbers of a tensor of either library."""
    plain = tensor.detach()
    if isinstance(plain, torch.Tensor):
        # Adding 0 would lose the sign of -0; the copy makes numbers of symbolic zeros.
        plain = plain.clone() if not plain._is_zerotensor() else torch.zeros_like(plain)
    if plain.dtype in (torch.bfloat16, lampion.bfloat16):
        plain = plain.float()
    return plain.resolve_neg().numpy() if isinstance(plain, torch.Tensor) else plain.numpy()


def results(expected: Any, got: Any, *, numbers: bool = True) -> str:
    """The first difference between two results, or nothing.

    Args:
        numbers: whether the numbers must agree, not only types and shapes.
    """
    left, right = flat(expected), flat(got)
    if len(left) != len(right):
        return f"{len(right)} results instead of {len(left)}"
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        difference = _part(a, b, numbers)
        if difference:
            return difference if len(left) == 1 else f"result {place}: {difference}"
    return ""


def _part(a: Any, b: Any, numbers: bool) -> str:
    if isinstance(a, torch.Tensor):
        return _tensors(a, b, numbers)
    if isinstance(a, (torch.dtype, torch.device, torch.Size)):
        same = tuple(a) == tuple(b) if isinstance(a, torch.Size) else str(a) == str(b)
        return "" if same else f"{b!r} instead of {a!r}"
    if isinstance(a, float) and isinstance(b, float):
        same = math.isclose(a, b, rel_tol=1e-5) or a == b or (a != a and b != b)
        return "" if same or not numbers else f"{b!r} instead of {a!r}"
    return "" if a == b or not numbers else f"{shortened(b)} instead of {shortened(a)}"


def _tensors(a: torch.Tensor, b: Any, numbers: bool) -> str:
    if not isinstance(b, lampion.Tensor):
        return f"{type(b).__name__} instead of a tensor"
    if tuple(a.shape) != tuple(b.shape):
        return f"shape {tuple(b.shape)} instead of {tuple(a.shape)}"
    if str(a.dtype) != str(b.dtype):
        return f"dtype {b.dtype} instead of {a.dtype}"
    return close(array(a), array(b), TOLERANCE.get(a.dtype)) if numbers else ""


def close(a: np.ndarray, b: np.ndarray, tolerance: tuple[float, float] | None) -> str:
    """The largest difference beyond the tolerance, or nothing."""
    if tolerance is None or not a.size or a.dtype.kind not in "f":
        same = a == b
    else:
        with np.errstate(all="ignore"):
            finite = np.abs(a[np.isfinite(a)])
            largest = max(1.0, float(finite.max())) if finite.size else 1.0
            limit = tolerance[0] * np.abs(a) + tolerance[1] * largest
            same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit)
    if np.all(same):
        return ""
    place = tuple(int(k) for k in np.argwhere(~np.asarray(same))[0]) if a.ndim else ()
    return (f"{int(np.sum(~np.asarray(same)))} of {a.size} elements differ, first "
            f"{b[place]!r} instead of {a[place]!r}")


def _seeds(outputs: list[Any], make: Any) -> list[Any]:
    return [make(np.cos(np.arange(o.numel()) + 1.0).reshape(tuple(o.shape)), o) for o in outputs]


def their_gradients(result: Any, leaves: list[Any]) -> list[Any]:
    """PyTorch's gradients of a result, zeros where there are none."""
    outputs = [x for x in flat(result) if isinstance(x, torch.Tensor) and x.requires_grad]
    found = torch.autograd.grad(
        outputs, leaves, _seeds(outputs, lambda x, o: torch.as_tensor(x).to(o.dtype)),
        allow_unused=True, retain_graph=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, leaves, strict=True)]


def our_gradients(result: Any, leaves: list[Any]) -> list[Any]:
    """lampion's gradients of a result, zeros where there are none."""
    outputs = [x for x in flat(result) if isinstance(x, lampion.Tensor) and x.requires_grad]
    found = lampion.autograd.grad(
        outputs, leaves, _seeds(outputs, lambda x, o: lampion.from_numpy(x).to(o.dtype)),
        allow_unused=True, retain_graph=True)
    return [lampion.zeros_like(x) if g is None else g for g, x in zip(found, leaves, strict=True)]


def gradients(expected: Any, got: Any, theirs: list[Any], ours: list[Any]) -> str:
    """The first difference between the gradients of two results, or nothing."""
    pairs = [(a, b) for a, b in zip(flat(expected), flat(got), strict=True)
             if isinstance(a, torch.Tensor) and (a.requires_grad or b.requires_grad)]
    for a, b in pairs:
        if a.requires_grad != b.requires_grad:
            return f"requires_grad is {b.requires_grad} instead of {a.requires_grad}"
    if not pairs or not theirs:
        return ""
    left, right = their_gradients(expected, theirs), our_gradients(got, ours)
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        difference = _tensors(a, b, True)
        if difference:
            return f"gradient {place}: {difference}"
    return ""


def nearer(exact: list[Any], theirs: list[Any], ours: list[Any]) -> bool:
    """Whether lampion is, part by part, at least as near to PyTorch's float64 as its float32 is."""
    for a, b, c in zip(exact, theirs, ours, strict=True):
        if not isinstance(a, torch.Tensor) or not a.dtype.is_floating_point:
            continue
        wide, left, right = (array(x).astype(np.float64) for x in (a, b, c))
        if right.shape != wide.shape or not np.isfinite(wide).all():
            return False
        if wide.size and not np.abs(right - wide).max() <= np.abs(left - wide).max():
            return False
    return True
