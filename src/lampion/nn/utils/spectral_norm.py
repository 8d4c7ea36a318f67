"""Spectral normalisation as a hook: a weight divided by its largest singular value."""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.autograd import no_grad
from lampion.nn import functional as F
from lampion.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.tensor import Tensor


class SpectralNorm:
    """Forward pre-hook that computes the weight from `name_orig` by the power method.

    Args:
        name: of the weight.
        n_power_iterations: steps at every call in training mode.
        dim: axis of the outputs.
        eps: smallest length to divide by.
    """

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        if n_power_iterations <= 0:
            raise errors.ArgumentError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}",
                fix="n_power_iterations=1")
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def as_matrix(self, weight: Tensor) -> Tensor:
        """Return the weight with the outputs as rows."""
        return weight.movedim(self.dim, 0).flatten(1)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """Return weight / (u^T W v), after steps of the power method if asked for."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.as_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
                # Copies: a second forward may change u and v before the first one's backward.
                u, v = u.clone(), v.clone()
        return weight / u.dot(matrix.mv(v))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a parameter by its largest singular value before every call.

    Args:
        module: what has the parameter.
        name: of the parameter; it becomes `name_orig`, with the buffers `name_u`, `name_v`.
        n_power_iterations: steps of the power method at every call in training mode.
        eps: smallest length to divide by.
        dim: axis of the outputs; 0, or 1 for transposed convolutions, when not given.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks" (2018),
    algorithm 1.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.utils.spectral_norm(torch.nn.Linear(20, 40))
        >>> layer.weight_u.shape
        torch.Size([40])
    """
    if dim is None:
        turned = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
        dim = 1 if isinstance(module, turned) else 0
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            raise errors.StateError(
                f"Cannot register two spectral_norm hooks on the same parameter {name}")
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    weight = module._parameters[name]
    if weight is None:
        raise errors.ArgumentError(
            f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.data)
    with no_grad():
        sizes = hook.as_matrix(weight).shape
        for suffix, size in zip(("_u", "_v"), sizes, strict=True):
            drawn = weight.new_empty(size).normal_(0, 1)
            module.register_buffer(name + suffix, F.normalize(drawn, dim=0, eps=eps))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the divided weight an ordinary parameter again.

    Raises:
        ArgumentError: the parameter has no spectral normalisation.
    """
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            with no_grad():
                weight = hook.compute_weight(module, False)
            for suffix in ("", "_u", "_v", "_orig"):
                delattr(module, name + suffix)
            module.register_parameter(name, Parameter(weight.detach()))
            del module._forward_pre_hooks[number]
            return module
    raise errors.ArgumentError(
        f"spectral_norm of '{name}' not found in {module}",
        fix="spectral_norm(module, name) before this")
