"""Adagrad: steps that shrink with the sum of all squared gradients so far."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class Adagrad(Optimizer):
    r"""Adagrad.

    s = s + g^2;  p = p - lr / (1 + (t-1) lr_decay) * g / (sqrt(s) + eps)

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        lr_decay: how fast the learning rate falls with the step count, 0 or more.
        weight_decay: factor of the L2 penalty, 0 or more.
        initial_accumulator_value: what the sum starts from, 0 or more.
        eps: added to the denominator, 0 or more.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        foreach, fused: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.Adagrad([weight], lr=0.5)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> weight.item()
        0.5

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization" (2011), Figure 1 with the diagonal matrix.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("lr_decay value", lr_decay)
        check_setting("weight_decay value", weight_decay)
        check_setting("initial_accumulator_value value", initial_accumulator_value)
        check_setting("epsilon value", eps)
        defaults: dict[str, Any] = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused,
        }
        super().__init__(params, defaults)
        # As in PyTorch the state exists from the beginning, also of parameters never stepped.
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = self.init(parameter, group)

    def init(self, parameter: Tensor, group: Group) -> State:
        start = group["initial_accumulator_value"]
        return {"step": 0.0, "sum": creation.full_like(parameter, start)}

    def share_memory(self) -> None:
        """Do nothing: all threads see the same memory anyway."""

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        step = state["step"] + 1
        lr = scalar(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        if group["weight_decay"] != 0:
            gradient = gradient + group["weight_decay"] * parameter
        total = state["sum"] + gradient * gradient
        quotient = gradient / (total.sqrt() + group["eps"])
        return parameter - lr * quotient, {"step": step, "sum": total}
