"""Adafactor: Adam's second average kept as one row and one column per matrix."""

from __future__ import annotations

from typing import Any

from lampion import dtypes
from lampion.functions import creation
from lampion.optim.optimizer import Group, Optimizer, ParamsT, State
from lampion.optim.settings import check_setting, scalar
from lampion.tensor import Tensor


class Adafactor(Optimizer):
    r"""Adafactor, for large models: state of n + m instead of n * m numbers for a matrix.

    b = 1 - t^beta2_decay;  R = b R + (1-b) row means of G^2;  C likewise of columns

    V = R C / mean(R);  U = G / sqrt(V);  p = p - alpha U / max(1, RMS(U)/d)

    with alpha = max(eps[1], RMS(p)) * min(lr, 1/sqrt(t)).

    Args:
        params: parameters, pairs (name, parameter), or dicts that describe groups.
        lr: upper limit of the relative step size, 0 or more.
        beta2_decay: power of the decay rate, 0 or less.
        eps: (smallest value under the root, smallest scale of the parameter); None for the
            first means the resolution of the element type.
        d: above which root mean square an update is clipped, 1 or more.
        weight_decay: share of the parameter taken away per step and unit of lr, 0 or more.
        foreach: accepted and without effect, the engine fuses the step.
        maximize: climb instead of descend.

    Raises:
        ArgumentError: a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.ones(2, 3, requires_grad=True)
        >>> optimizer = torch.optim.Adafactor([weight], lr=0.5)
        >>> weight.sum().backward()
        >>> optimizer.step()
        >>> weight[0].tolist()
        [0.5, 0.5, 0.5]

    Source: Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost"
    (2018), Algorithms 4 and 5.
    """

    counters = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_setting("learning rate", lr)
        check_setting("beta2_decay (with its sign changed)", -beta2_decay)
        if eps[0] is not None:
            check_setting("epsilon1", eps[0])
        check_setting("epsilon2", eps[1])
        check_setting("clipping threshold d", d, low=1.0)
        check_setting("weight_decay", weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
            "weight_decay": weight_decay, "foreach": foreach, "maximize": maximize,
        }
        super().__init__(params, defaults)

    def init(self, parameter: Tensor, group: Group) -> State:
        if parameter.dim() < 2:
            return {"step": 0.0, "variance": creation.zeros_like(parameter)}
        *batch, rows, columns = parameter.shape
        kind = parameter.dtype
        return {
            "step": 0.0,
            "row_var": creation.zeros((*batch, rows, 1), dtype=kind),
            "col_var": creation.zeros((*batch, 1, columns), dtype=kind),
        }

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        lr, (epsilon1, epsilon2) = scalar(group["lr"]), group["eps"]
        if epsilon1 is None:
            epsilon1 = dtypes.finfo(parameter.dtype).eps
        step = state["step"] + 1
        share = step ** group["beta2_decay"]  # 1 - b
        alpha = _rms(parameter).clamp(min=epsilon2) * min(lr, 1 / step**0.5)
        if group["weight_decay"] != 0:
            parameter = parameter * (1 - lr * group["weight_decay"])
        square = gradient * gradient
        new_state: State = {"step": step}
        if gradient.dim() > 1:
            row = state["row_var"] + share * (square.mean(-1, keepdim=True) - state["row_var"])
            column = state["col_var"] + share * (square.mean(-2, keepdim=True) - state["col_var"])
            new_state |= {"row_var": row, "col_var": column}
            variance = row * column / row.mean(-2, keepdim=True).clamp(min=epsilon1)
        else:
            variance = state["variance"] + share * (square - state["variance"])
            new_state["variance"] = variance
        update = gradient * variance.clamp(min=epsilon1 * epsilon1).rsqrt()
        clipped = update / (_rms(update) / group["d"]).clamp(min=1.0)
        return parameter - alpha * clipped, new_state


def _rms(values: Tensor) -> Tensor:
    """Return the root mean square of all elements."""
    return (values * values).mean().sqrt()
