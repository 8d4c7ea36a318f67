"""Adam: steps scaled by running averages of the gradient and of its square."""

from __future__ import annotations

from typing import Any

from lampion.errors import ArgumentError
from lampion.functions import creation
from lampion.functions.elementwise import maximum
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_betas, check_setting, scalar
from lampion.tensor import Tensor


class Adam(Optimizer):
    r"""Adam: adaptive moment estimation.

    m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p = p - lr * m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps)

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: learning rate, 0 or more.
        betas: decay rates (b1, b2) of the two running averages, each in [0, 1).
        eps: added to the denominator, 0 or more.
        weight_decay: factor of the L2 penalty, 0 or more.
        amsgrad: divide by the largest second average seen so far (Reddi et al. 2018).
        maximize: climb instead of descend.
        differentiable: let gradients flow through the step.
        decoupled_weight_decay: shrink the parameter itself, as AdamW does.
        foreach, capturable, fused: accepted and without effect, the engine fuses the step.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.Adam([weight], lr=0.5)
        >>> weight.pow(2).sum().backward()
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.5

    Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), Algorithm 1.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("epsilon value", eps)
        check_betas(betas)
        check_setting("weight_decay value", weight_decay)
        kinds = {float if isinstance(beta, float) else type(beta) for beta in betas}
        if kinds != {float} and not all(isinstance(beta, Tensor) for beta in betas):
            raise ArgumentError(
                f"betas = {betas}", why="betas must be either both floats or both Tensors",
            )
        if foreach and not capturable:
            for name, given in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
                if isinstance(given, Tensor):
                    raise ArgumentError(
                        f"{name} as a Tensor is not supported for capturable=False and "
                        "foreach=True", why="PyTorch has no such combination",
                        fix="leave foreach out: the engine fuses the step anyway",
                    )
        defaults: dict[str, Any] = {
            "lr": lr, "betas": tuple(scalar(beta) for beta in betas), "eps": eps,
            "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        state: State = {
            "step": 0.0,
            "exp_avg": creation.zeros_like(parameter),
            "exp_avg_sq": creation.zeros_like(parameter),
        }
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = creation.zeros_like(parameter)
        return state

    def numbers(self, state: State, group: Group) -> dict[str, Any]:
        lr, (beta1, beta2) = scalar(group["lr"]), group["betas"]
        step = state["step"] + 1
        numbers = {
            "beta1": beta1, "rest1": 1 - beta1, "beta2": beta2, "rest2": 1 - beta2,
            # The bias corrections of Algorithm 1 (m-hat, v-hat), applied to numbers instead of
            # tensors.
            "size": lr / (1 - beta1**step), "root": (1 - beta2**step) ** 0.5, "eps": group["eps"],
        }
        decay = group["weight_decay"]
        if decay != 0:
            numbers["decay"] = 1 - lr * decay if group["decoupled_weight_decay"] else decay
        return numbers

    def settings(self, group: Group) -> tuple[int, ...] | None:
        return (int(group["weight_decay"] != 0), int(bool(group["decoupled_weight_decay"])),
                int(bool(group["amsgrad"])))

    def kept(self, group: Group) -> tuple[str, ...]:
        if group["amsgrad"]:
            return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return ("exp_avg", "exp_avg_sq")

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        numbers = self.numbers_now(state, group)
        if "decay" in numbers:
            if group["decoupled_weight_decay"]:
                parameter = parameter * numbers["decay"]
            else:
                gradient = gradient + numbers["decay"] * parameter
        mean = numbers["beta1"] * state["exp_avg"] + numbers["rest1"] * gradient
        square = numbers["beta2"] * state["exp_avg_sq"] + numbers["rest2"] * (gradient * gradient)
        new_state = {"step": state["step"] + 1, "exp_avg": mean, "exp_avg_sq": square}
        if group["amsgrad"]:
            square = maximum(state["max_exp_avg_sq"], square)
            new_state["max_exp_avg_sq"] = square
        divisor = square.sqrt() / numbers["root"] + numbers["eps"]
        return parameter - numbers["size"] * (mean / divisor), new_state
