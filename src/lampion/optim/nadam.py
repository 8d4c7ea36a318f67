"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_betas, check_setting, scalar
from lampion.tensor import Tensor


class NAdam(Optimizer):
    r"""NAdam: Nesterov-accelerated adaptive moment estimation.

    mu_t = b1 (1 - 0.96^(t momentum_decay) / 2);  P_t = mu_1 mu_2 ... mu_t

    m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2

    p = p - lr * (mu_{t+1} m / (1-P_{t+1}) + (1-mu_t) g / (1-P_t)) / (sqrt(v/(1-b2^t)) + eps)

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        betas: decay rates (b1, b2), each in [0, 1).
        eps: added to the denominator, 0 or more.
        weight_decay: factor of the L2 penalty, 0 or more.
        momentum_decay: how fast mu approaches b1, 0 or more.
        decoupled_weight_decay: shrink the parameter itself, as AdamW does.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        foreach, capturable: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.NAdam([weight], lr=0.1)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> weight.item() < 1
        True

    Source: Dozat, "Incorporating Nesterov momentum into Adam" (2016), Algorithm 2.
    """

    counters = ("step", "mu_product")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_setting("momentum_decay value", momentum_decay)
        defaults: dict[str, Any] = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        return {
            "step": 0.0,
            "mu_product": 1.0,
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
        mu, next_mu = (
            beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1)
        )
        product = state["mu_product"] * mu
        mean = beta1 * state["exp_avg"] + (1 - beta1) * gradient
        square = beta2 * state["exp_avg_sq"] + (1 - beta2) * (gradient * gradient)
        root = (square / (1 - beta2**step)).sqrt() + group["eps"]
        now = lr * (1.0 - mu) / (1.0 - product)
        ahead = lr * next_mu / (1.0 - product * next_mu)
        new_state = {"step": step, "mu_product": product, "exp_avg": mean, "exp_avg_sq": square}
        return parameter - now * (gradient / root) - ahead * (mean / root), new_state
