"""Adamax: Adam with the largest gradient in place of the root mean square."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.functions.elementwise import maximum
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_betas, check_setting, scalar
from lampion.tensor import Tensor


class Adamax(Optimizer):
    r"""Adamax, a variant of Adam based on the infinity norm.

    m = b1 m + (1-b1) g;  u = max(b2 u, |g| + eps);  p = p - lr / (1-b1^t) * m / u

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        betas: decay rates (b1, b2), each in [0, 1).
        eps: keeps the denominator from zero, 0 or more.
        weight_decay: factor of the L2 penalty, 0 or more.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        foreach, capturable: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.Adamax([weight], lr=0.5)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.5

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), Algorithm 2.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("epsilon value", eps)
        check_betas(betas)
        check_setting("weight_decay value", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        return {
            "step": 0.0,
            "exp_avg": creation.zeros_like(parameter),
            "exp_inf": creation.zeros_like(parameter),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        beta1, beta2 = group["betas"]
        step = state["step"] + 1
        if group["weight_decay"] != 0:
            gradient = gradient + group["weight_decay"] * parameter
        mean = beta1 * state["exp_avg"] + (1 - beta1) * gradient
        largest = maximum(beta2 * state["exp_inf"], gradient.abs() + group["eps"])
        size = scalar(group["lr"]) / (1 - beta1**step)
        new_state = {"step": step, "exp_avg": mean, "exp_inf": largest}
        return parameter - size * (mean / largest), new_state
