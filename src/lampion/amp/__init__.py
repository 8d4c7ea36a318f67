"""`torch.amp`: mixed precision.

    autocast       products and convolutions in bfloat16, losses in float32, by themselves
    GradScaler     keeps small gradients of float16 from vanishing

Narrow types are not faster here: a product of 256x512 by 512x512 took 1.5 to 2 times as long in
bfloat16 as in float32. What they give is a program's numbers as it has them elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def without_device(base: type) -> Callable[..., Any]:
    """Return `base` as it is called in `torch.cuda.amp`: without its first argument."""

    @functools.wraps(base, updated=())
    def construct(*args: Any, **kwargs: Any) -> Any:
        return base("cuda", *args, **kwargs)

    return construct
