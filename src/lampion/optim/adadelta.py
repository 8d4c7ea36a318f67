"""Adadelta: steps in the parameter's own units, almost without a learning rate."""

from __future__ import annotations

from typing import Any

from lampion.errors import ArgumentError
from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class Adadelta(Optimizer):
    r"""Adadelta.

    v = rho v + (1-rho) g^2;  d = sqrt(u + eps) / sqrt(v + eps) * g;  u = rho u + (1-rho) d^2

    p = p - lr * d

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: factor of the step, 0 or more.
        rho: decay rate of both running averages, 0 to 1.
        eps: added under both roots, 0 or more; with u = 0 it starts the first step.
        weight_decay: factor of the L2 penalty, 0 or more.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        foreach, capturable: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.Adadelta([weight], rho=0.0, eps=1.0)
        >>> weight.grad = torch.ones(1)
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.2929

    Source: Zeiler, "ADADELTA: an adaptive learning rate method" (2012), Algorithm 1.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("rho value", rho)
        if rho > 1:
            raise ArgumentError(f"Invalid rho value: {rho}", why="it must be at most 1")
        check_setting("epsilon value", eps)
        check_setting("weight_decay value", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "capturable": capturable, "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        return {
            "step": 0.0,
            "square_avg": creation.zeros_like(parameter),
            "acc_delta": creation.zeros_like(parameter),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"] != 0:
            gradient = gradient + group["weight_decay"] * parameter
        square = rho * state["square_avg"] + (1 - rho) * (gradient * gradient)  # step 4
        delta = (state["acc_delta"] + eps).sqrt() / (square + eps).sqrt() * gradient  # step 5
        accumulated = rho * state["acc_delta"] + (1 - rho) * (delta * delta)  # step 6
        new_state = {"step": state["step"] + 1, "square_avg": square, "acc_delta": accumulated}
        return parameter - scalar(group["lr"]) * delta, new_state  # step 7
