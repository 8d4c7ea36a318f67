"""Muon: momentum whose matrices are made orthogonal before the step."""

from __future__ import annotations

import math
from typing import Any

from lampion import dtypes
from lampion.errors import ArgumentError, StateError
from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor

_ADJUSTMENTS = (None, "original", "match_rms_adamw")


class Muon(Optimizer):
    r"""Muon, for the matrices of hidden layers: every direction of a step gets the same length.

    B = m B + (1-m) g;  u = (1-m) g + m B (nesterov) or B

    p = p - lr * weight_decay * p - lr * r * NS(u)

    NS takes u / |u| toward the nearest matrix with orthonormal rows or columns: ns_steps times
    X = a X + (b G + c G^2) X with G = X X^T, in bfloat16. r is sqrt(max(1, rows / columns)).

    Args:
        params: matrices, pairs (name, matrix), or dicts that describe groups.
        lr: step size, 0 or more.
        weight_decay: share of the parameter taken away per step and unit of lr, 0 or more.
        momentum: m, 0 or more.
        nesterov: look ahead along the momentum.
        ns_coefficients: a, b and c.
        eps: lower limit of |u|.
        ns_steps: rounds of NS, below 100.
        adjust_lr_fn: "original" for the r above, which is the default, or "match_rms_adamw" for
            r = 0.2 sqrt(max(rows, columns)), which makes steps as long as AdamW's.

    Raises:
        ArgumentError: a setting outside its range, or a parameter that is no matrix.

    Example:
        >>> import lampion as torch
        >>> weight = torch.zeros(2, 2, requires_grad=True)
        >>> optimizer = torch.optim.Muon([weight], lr=0.5, adjust_lr_fn="original")
        >>> (weight * torch.tensor([[3., 0.], [0., 3.]])).sum().backward()
        >>> optimizer.step()
        >>> bool(weight[0, 0] == weight[1, 1]), bool(weight[0, 0] < -0.3)
        (True, True)

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024),
    https://kellerjordan.github.io/posts/muon/.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("momentum", momentum)
        check_setting("weight_decay", weight_decay)
        if adjust_lr_fn not in _ADJUSTMENTS:
            raise ArgumentError(
                f"Adjust learning rate function {adjust_lr_fn} is not supported",
                fix='"original" or "match_rms_adamw"')
        if ns_steps >= 100:
            raise ArgumentError(f"ns_steps={ns_steps}", why="Number of steps must be less than 100 "
                                "for computational efficiency", fix="ns_steps=5")
        if len(ns_coefficients) != 3:
            raise ArgumentError(f"ns_coefficients={ns_coefficients}",
                                why="Coefficients must be a tuple of exactly 3 values")
        defaults: dict[str, Any] = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dim() != 2:
                    raise ArgumentError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{tuple(parameter.shape)}", why="only matrices can be made orthogonal",
                        fix="AdamW for biases, norms and embeddings")

    def init(self, parameter: Tensor, group: Group) -> State:
        if parameter.is_complex():
            raise StateError("Muon does not support complex parameters")
        return {"momentum_buffer": creation.zeros_like(parameter)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        lr, momentum = scalar(group["lr"]), group["momentum"]
        average = state["momentum_buffer"].lerp(gradient, 1 - momentum)
        wanted = gradient.lerp(average, momentum) if group["nesterov"] else average
        step = orthogonal(wanted, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = parameter.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        else:
            ratio = math.sqrt(max(1.0, rows / columns))
        parameter = parameter * (1 - lr * group["weight_decay"])
        return parameter - step.to(parameter.dtype) * (lr * ratio), {"momentum_buffer": average}


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float,
) -> Tensor:
    """Return nearly the orthogonal factor of a matrix, by the quintic Newton-Schulz iteration.

    Sums are float32, and what is kept from one product to the next is rounded to bfloat16.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = _rounded(matrix.T if tall else matrix)
    x = _rounded(x / _rounded(x.norm()).clamp(min=eps))
    for _ in range(steps):
        gram = _rounded(x @ x.T)
        step = _rounded(b * gram + c * (gram @ gram))
        x = _rounded(a * x + step @ x)
    return x.T if tall else x


def _rounded(x: Tensor) -> Tensor:
    """Round to bfloat16; the result is float32."""
    return x.to(dtypes.bfloat16).float()
