"""Modules as functions: many of one kind stacked, and what stands in the way of mapping them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import errors
from ..functions import shape
from ..nn.batchnorm import _BatchNorm
from ..nn.module import Module
from ..tensor import Tensor


def stack_module_state(models: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack the parameters and buffers of modules of one kind along a new axis 0.

    With `vmap` and `functional_call` an ensemble then runs as one.

    Args:
        models: modules of one class, all in training or all in evaluation mode.

    Returns:
        (parameters, buffers) by name; parameters require gradients.

    Raises:
        StateError: no models, or models of different classes or modes.

    Example:
        >>> import lampion as torch
        >>> from lampion.func import functional_call, stack_module_state, vmap
        >>> models = [torch.nn.Linear(3, 2) for _ in range(4)]
        >>> parameters, buffers = stack_module_state(models)
        >>> run = lambda p, b, x: functional_call(models[0], (p, b), (x,))
        >>> vmap(run, in_dims=(0, 0, None))(parameters, buffers, torch.ones(5, 3)).shape
        torch.Size([4, 5, 2])
    """
    models = list(models)
    if not models:
        raise errors.StateError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise errors.StateError(
            "stack_module_state: Expected all models to have the same training/eval mode.",
            fix="model.train() for all of them")
    if len({type(model) for model in models}) > 1:
        raise errors.StateError("stack_module_state: Expected all models to be of the same class.")
    parameters = {}
    for name, first in models[0].named_parameters():
        together = [dict(model.named_parameters())[name].detach() for model in models]
        parameters[name] = shape.stack(together).requires_grad_(first.requires_grad)
    buffers = {}
    for name, _ in models[0].named_buffers():
        together = [dict(model.named_buffers())[name] for model in models]
        buffers[name] = shape.stack(together).detach()
    return parameters, buffers


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Let all batch normalisations of a module work without running statistics, in place.

    Mapped, each element would write statistics of its own into one buffer.

    Example:
        >>> import lampion as torch
        >>> net = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
        >>> torch.func.replace_all_batch_norm_modules_(net)[0].running_mean is None
        True
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = None
            module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def functionalize(func: Callable, *, remove: str = "mutations") -> Callable:
    """Return the function: in lampion graphs have no in-place operations to be removed.

    Args:
        remove: "mutations" or "mutations_and_views".
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise errors.StateError(
            "functionalize(f, remove='...'): received invalid argument for remove=. Valid options "
            f"are 'mutations' and 'mutations_and_views', got {remove!r}")
    return func
