"""Helpers that the distributions share: broadcasting, probabilities and logits, lazy parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import lampion as torch

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits",
           "tril_matrix_to_vec", "vec_to_tril_matrix"]

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple:
    """Return numbers and tensors as tensors of their common shape.

    Args:
        values: tensors and numbers; numbers take the type of the first tensor, or the default.

    Raises:
        ArgumentError: something else, or shapes that do not fit.

    Example:
        >>> broadcast_all(torch.zeros(2), 1.0)
        (tensor([0., 0.]), tensor([1., 1.]))
    """
    for value in values:
        if not isinstance(value, (torch.Tensor, int, float)):
            raise torch.errors.ArgumentError(
                "Input arguments must all be instances of Number, torch.Tensor or objects "
                f"implementing __torch_function__, got {type(value).__name__}",
                fix="torch.as_tensor(value)")
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    kind = tensors[0].dtype if tensors else torch.get_default_dtype()
    made = [value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=kind)
            for value in values]
    return tuple(torch.broadcast_tensors(*made))


def _standard_normal(shape: Any, dtype: Any, device: Any = None) -> Any:
    return torch.randn(shape, dtype=dtype)


def rand(shape: Any, like: Any) -> Any:
    """Uniform numbers in (0, 1) of the type of another tensor; neither end is drawn."""
    limits = torch.finfo(like.dtype)
    return torch.rand(shape, dtype=like.dtype).clamp(min=limits.tiny)


def clamp_probs(probs: Any) -> Any:
    """Keep probabilities away from 0 and 1, so that their logarithms are finite."""
    eps = torch.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """Return log odds of a probability each, or logarithms of shares along the last axis."""
    held = clamp_probs(probs)
    return torch.log(held) - torch.log1p(-held) if is_binary else torch.log(held)


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    """Return probabilities for log odds, or shares along the last axis for log shares."""
    return torch.sigmoid(logits) if is_binary else torch.softmax(logits, -1)


def sum_rightmost(value: Any, dim: int) -> Any:
    """Add up the last `dim` axes."""
    if dim == 0:
        return value
    return value.reshape(value.shape[:-dim] + (-1,)).sum(-1)


class lazy_property:  # noqa: N801 - PyTorch's name
    """A property that is computed when first asked for, and kept."""

    def __init__(self, wrapped: Callable[[Any], Any]):
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return property(self.wrapped)
        with torch.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def tril_matrix_to_vec(mat: Any, diag: int = 0) -> Any:
    """Return the lower triangle, row by row, as a vector.

    Shape: (..., n, n) -> (..., count).
    """
    n = mat.shape[-1]
    rows, columns = torch.tril_indices(n, n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec: Any, diag: int = 0) -> Any:
    """Return the matrix whose lower triangle a vector lists row by row; zeros stand above.

    Shape: (..., count) -> (..., n, n).
    """
    n = int((-(1 + 2 * diag) + ((1 + 2 * diag) ** 2 + 8 * vec.shape[-1]
                                + 4 * abs(diag) * (diag + 1)) ** 0.5) / 2 + 0.5)
    rows, columns = torch.tril_indices(n, n, diag)
    flat = torch.zeros(vec.shape[:-1] + (n * n,), dtype=vec.dtype)
    places = (rows * n + columns).expand(vec.shape)
    return flat.scatter(-1, places, vec).reshape(vec.shape[:-1] + (n, n))
