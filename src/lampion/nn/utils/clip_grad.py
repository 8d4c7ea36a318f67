"""Keeping gradients small: clipping by norm or by value."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable

from lampion import errors
from lampion.autograd import no_grad
from lampion.functions import creation, shape
from lampion.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the p-norm of all tensors together, as if they were one vector.

    Args:
        tensors: one or several.
        norm_type: p; infinity for the largest absolute value.
        error_if_nonfinite: raise when the norm is not finite (this computes it at once).
        foreach: taken for compatibility.

    Raises:
        StateError: the norm is not finite, when asked for.

    Example:
        >>> import lampion as torch
        >>> torch.nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])])
        tensor(5.)
    """
    tensors = _as_list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return creation.tensor(0.0)
    total = shape.stack([one.norm(norm_type) for one in tensors]).norm(norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise errors.StateError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped",
            fix="error_if_nonfinite=False to scale by it anyway")
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiply all gradients by min(1, max_norm / (total_norm + 1e-6)), in place.

    Args:
        parameters: whose gradients are scaled; those without are passed over.
        max_norm: norm that they have afterwards at most.
        total_norm: their norm now.
        foreach: taken for compatibility.
    """
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for gradient in _gradients(parameters):
        gradient.mul_(factor)


@no_grad()
def clip_grad_norm_(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0,
    error_if_nonfinite: bool = False, foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`; return the norm.

    Args:
        parameters: whose gradients are scaled.
        max_norm: largest norm allowed.
        norm_type: p of the norm.
        error_if_nonfinite: raise when the norm is not finite.
        foreach: taken for compatibility.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks"
    (2013), algorithm 1.

    Example:
        >>> import lampion as torch
        >>> w = torch.nn.Parameter(torch.zeros(2))
        >>> w.grad = torch.tensor([3.0, 4.0])
        >>> torch.nn.utils.clip_grad_norm_([w], 1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    from_generator = isinstance(parameters, types.GeneratorType)
    parameters = _as_list(parameters)
    if from_generator and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(*args, **kwargs) -> Tensor:
    """PyTorch's old name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(*args, **kwargs)


@no_grad()
def clip_grad_value_(
    parameters: Tensors, clip_value: float, foreach: bool | None = None
) -> None:
    """Cut every element of all gradients to [-clip_value, clip_value], in place."""
    clip_value = float(clip_value)
    for gradient in _gradients(parameters):
        gradient.clamp_(min=-clip_value, max=clip_value)


def _as_list(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [one.grad for one in _as_list(parameters) if one.grad is not None]
