"""AdamW: Adam whose weight decay acts on the parameter, not through the gradient."""

from __future__ import annotations

from typing import Any

from lampion.optim.adam import Adam
from lampion.optim.optimizer import ParamsT
from lampion.tensor import Tensor


class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    p = p * (1 - lr * weight_decay), then the step of Adam.

    Args:
        weight_decay: share of the parameter taken away per step and unit of lr, 0 or more.

    The other arguments are those of `Adam`.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([1.0], requires_grad=True)
        >>> optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
        >>> weight.grad = torch.zeros(1)
        >>> optimizer.step()
        >>> round(weight.item(), 4)
        0.95

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), Algorithm 2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # A state dict of Adam, or of an older AdamW, must not switch it off.
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
