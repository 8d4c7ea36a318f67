"""Rprop: only the sign of the gradient counts; each element has a step size of its own."""

from __future__ import annotations

from typing import Any

from lampion.errors import ArgumentError
from lampion.functions import creation
from lampion.functions.elementwise import where
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class Rprop(Optimizer):
    r"""Resilient backpropagation, for training on the whole data at once.

    Where the gradient keeps its sign the step size grows by etas[1]; where the sign changes it
    shrinks by etas[0] and the element waits one step.

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: step size at the beginning, 0 or more.
        etas: factors (0 < shrink < 1 < grow) of the step size.
        step_sizes: smallest and largest step size.
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        capturable, foreach: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.Rprop([weight], lr=0.25)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> weight.item()
        0.75

    Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation
    learning: the RPROP algorithm" (1993), equations (4)-(7), without the backtracking.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ArgumentError(f"Invalid eta values: {etas[0]}, {etas[1]}",
                                why="0 < etas[0] < 1 < etas[1] must hold")
        defaults: dict[str, Any] = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        return {
            "step": 0.0,
            "prev": creation.zeros_like(parameter),
            "step_size": creation.zeros_like(parameter) + scalar(group["lr"]),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        agreement = (gradient * state["prev"]).sign()
        # NaN stays NaN, so that it is seen.
        factor = where(agreement > 0, grow, where(agreement < 0, shrink, agreement + 1))
        size = (state["step_size"] * factor).clamp(smallest, largest)  # (4)
        gradient = where(agreement < 0, 0.0, gradient)
        new_state = {"step": state["step"] + 1, "prev": gradient, "step_size": size}
        return parameter - gradient.sign() * size, new_state  # (5), (6)
