"""A weight as length times direction: w = g v / |v|."""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.tensor import Tensor


def norm_except(v: Tensor, dim: int) -> Tensor:
    """Return the 2-norm over all axes but one (over all with -1), keeping the axes."""
    if dim == -1:
        return v.norm()
    axes = [axis for axis in range(v.dim()) if axis != dim]
    return v.norm(2, axes, keepdim=True)


class WeightNorm:
    """Forward pre-hook that computes the weight from its length and direction.

    Args:
        name: of the weight.
        dim: axis along which every slice has its own length; None for one length.
    """

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """Return g v / |v|."""
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / norm_except(v, self.dim))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Replace a parameter by its length `name_g` and direction `name_v`.

    Args:
        module: what has the parameter.
        name: of the parameter.
        dim: axis along which every slice has its own length; None for one length.

    Raises:
        StateError: the parameter is split already.

    Source: Salimans, Kingma, "Weight normalization" (2016), equation 2.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.utils.weight_norm(torch.nn.Linear(20, 40))
        >>> layer.weight_g.shape, layer.weight_v.shape
        (torch.Size([40, 1]), torch.Size([40, 20]))
    """
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            raise errors.StateError(
                f"Cannot register two weight_norm hooks on the same parameter {name}")
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except(weight, hook.dim).data))
    module.register_parameter(name + "_v", Parameter(weight.data))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Put the product back as one parameter.

    Raises:
        ArgumentError: the parameter is not split.
    """
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            weight = hook.compute_weight(module)
            delattr(module, name)
            del module._parameters[name + "_g"]
            del module._parameters[name + "_v"]
            setattr(module, name, Parameter(weight.data))
            del module._forward_pre_hooks[number]
            return module
    raise errors.ArgumentError(
        f"weight_norm of '{name}' not found in {module}",
        fix="weight_norm(module, name) before this")
