"""RMSprop: the gradient divided by a running root mean square of itself."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class RMSprop(Optimizer):
    r"""RMSprop, optionally centered and with momentum.

    v = alpha v + (1-alpha) g^2;  p = p - lr * g / (sqrt(v) + eps)

    Centered: sqrt(v - a^2) with the running average a of the gradient, an estimate of its
    variance. With momentum the quotient is added up in a buffer, and the step is along that.

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        alpha: decay rate of the running averages, 0 or more.
        eps: added to the denominator, 0 or more.
        weight_decay: factor of the L2 penalty, 0 or more.
        momentum: share of the last step that is kept, 0 or more.
        centered: normalise by the variance.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        capturable, foreach: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.RMSprop([weight], lr=0.1, alpha=0.0)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.9

    Source: Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5 (2012);
    centered: Graves, "Generating sequences with recurrent neural networks" (2013), (38)-(45).
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("epsilon value", eps)
        check_setting("momentum value", momentum)
        check_setting("weight_decay value", weight_decay)
        check_setting("alpha value", alpha)
        defaults: dict[str, Any] = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        state: State = {"step": 0.0, "square_avg": creation.zeros_like(parameter)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = creation.zeros_like(parameter)
        if group["centered"]:
            state["grad_avg"] = creation.zeros_like(parameter)
        return state

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        lr, alpha = scalar(group["lr"]), group["alpha"]
        new_state: State = {"step": state["step"] + 1}
        if group["weight_decay"] != 0:
            gradient = gradient + group["weight_decay"] * parameter
        square = alpha * state["square_avg"] + (1 - alpha) * (gradient * gradient)  # (38)
        new_state["square_avg"] = variance = square
        if group["centered"]:
            mean = alpha * state["grad_avg"] + (1 - alpha) * gradient  # (39)
            new_state["grad_avg"] = mean
            variance = square - mean * mean
        quotient = gradient / (variance.sqrt() + group["eps"])  # (40)
        if group["momentum"] > 0:
            quotient = group["momentum"] * state["momentum_buffer"] + quotient
            new_state["momentum_buffer"] = quotient
        return parameter - lr * quotient, new_state  # (41)
