"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from lampion.errors import ArgumentError
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class SGD(Optimizer):
    r"""Stochastic gradient descent, optionally with momentum.

    g = g + weight_decay * p;  b = momentum * b + (1 - dampening) * g;  p = p - lr * b

    With `nesterov` the step is along g + momentum * b. The first b is g itself.

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        momentum: share of the last step that is kept, 0 or more.
        dampening: share of the new gradient that is left out of the momentum.
        weight_decay: factor of the L2 penalty, 0 or more.
        nesterov: look ahead; needs momentum > 0 and dampening 0.
        maximize: climb instead of descend.
        foreach, fused: accepted and without effect, the engine fuses the step.
        differentiable: let gradients flow through the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.SGD([weight], lr=0.25, momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     weight.pow(2).sum().backward()
        ...     optimizer.step()
        >>> weight.item()
        0.0

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning"
    (2013), equations (1)-(4), with the learning rate outside the momentum as in PyTorch.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("momentum value", momentum)
        check_setting("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError(
                f"nesterov=True with momentum={momentum} and dampening={dampening}",
                why="Nesterov momentum requires a momentum and zero dampening",
            )
        defaults: dict[str, Any] = {
            "lr": lr, "momentum": momentum, "dampening": dampening,
            "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize,
            "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }
        super().__init__(params, defaults)

    def numbers(self, state: State, group: Group) -> dict[str, Any]:
        numbers = {"lr": scalar(group["lr"])}
        if group["weight_decay"] != 0:
            numbers["weight_decay"] = group["weight_decay"]
        if group["momentum"] != 0:
            numbers["momentum"] = group["momentum"]
            if state.get("momentum_buffer") is not None:
                numbers["undamped"] = 1 - group["dampening"]
        return numbers

    def settings(self, group: Group) -> tuple[int, ...] | None:
        return (int(group["momentum"] != 0), int(bool(group["nesterov"])),
                int(group["weight_decay"] != 0))

    def kept(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] != 0 else ()

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        numbers = self.numbers_now(state, group)
        lr = numbers["lr"]
        if "weight_decay" in numbers:
            gradient = gradient + numbers["weight_decay"] * parameter
        if "momentum" not in numbers:
            return parameter - lr * gradient, {}
        momentum, buffer = numbers["momentum"], state.get("momentum_buffer")
        if buffer is None:
            buffer = gradient
        else:
            buffer = momentum * buffer + numbers["undamped"] * gradient  # (1)
        direction = gradient + momentum * buffer if group["nesterov"] else buffer  # (3)
        return parameter - lr * direction, {"momentum_buffer": buffer}  # (2)
