"""RAdam: Adam that waits until its estimate of the variance can be trusted."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_betas, check_setting, scalar
from lampion.tensor import Tensor


class RAdam(Optimizer):
    r"""Rectified Adam.

    rho_inf = 2/(1-b2) - 1;  rho_t = rho_inf - 2 t b2^t / (1-b2^t)

    While rho_t is 5 or less the step is lr * m-hat; afterwards it is Adam's step times
    sqrt((rho_t-4)(rho_t-2) rho_inf / ((rho_inf-4)(rho_inf-2) rho_t)).

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        betas: decay rates (b1, b2), each in [0, 1).
        eps: added to the denominator, 0 or more.
        weight_decay: factor of the L2 penalty, 0 or more.
        decoupled_weight_decay: shrink the parameter itself, as AdamW does.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        foreach, capturable: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.RAdam([weight], lr=0.25)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.5

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond" (2020),
    Algorithm 2.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("epsilon value", eps)
        check_betas(betas)
        check_setting("weight_decay value", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        return {
            "step": 0.0,
            "exp_avg": creation.zeros_like(parameter),
            "exp_avg_sq": creation.zeros_like(parameter),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        lr, (beta1, beta2) = scalar(group["lr"]), group["betas"]
        step = state["step"] + 1
        if group["weight_decay"] != 0:
            if group["decoupled_weight_decay"]:
                parameter = parameter * (1 - lr * group["weight_decay"])
            else:
                gradient = gradient + group["weight_decay"] * parameter
        mean = beta1 * state["exp_avg"] + (1 - beta1) * gradient
        square = beta2 * state["exp_avg_sq"] + (1 - beta2) * (gradient * gradient)
        new_state = {"step": step, "exp_avg": mean, "exp_avg_sq": square}
        correction = 1 - beta2**step
        direction = mean / (1 - beta1**step)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        if length > 5:
            rectification = (
                (length - 4) * (length - 2) * longest
                / ((longest - 4) * (longest - 2) * length)
            ) ** 0.5
            adaptive = correction**0.5 * rectification
            direction = adaptive * direction / (square.sqrt() + group["eps"])
        return parameter - lr * direction, new_state
