"""ASGD: gradient descent that also keeps the average of the parameters."""

from __future__ import annotations

from typing import Any

from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent.

    p = (1 - lambd eta) p - eta g;  eta = lr / (1 + lambd lr t)^alpha

    The average of the parameters since step t0 is `optimizer.state[parameter]["ax"]`.

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        lambd: decay of the parameters.
        alpha: power by which the learning rate falls.
        t0: step at which averaging begins.
        weight_decay: factor of the L2 penalty, 0 or more.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        foreach, capturable: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.ASGD([weight], lr=0.5, lambd=0.0)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> weight.item(), optimizer.state[weight]["ax"].item()
        (0.0, 0.0)

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992);
    the schedule of eta: Bottou, "Stochastic gradient descent tricks" (2012), section 5.3.
    """

    counters = ("step", "eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("weight_decay value", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        return {"step": 0.0, "eta": float(group["lr"]), "mu": 1.0,
                "ax": creation.zeros_like(parameter)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        lr, lambd, eta, mu = scalar(group["lr"]), group["lambd"], state["eta"], state["mu"]
        step = state["step"] + 1
        if group["weight_decay"] != 0:
            gradient = gradient + group["weight_decay"] * parameter
        parameter = parameter * (1 - lambd * eta) - eta * gradient
        average = parameter if mu == 1 else state["ax"] + (parameter - state["ax"]) * mu
        return parameter, {
            "step": step,
            "eta": lr / (1 + lambd * lr * step) ** group["alpha"],
            "mu": 1 / max(1, step - group["t0"]),
            "ax": average,
        }
