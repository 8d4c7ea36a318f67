"""`torch.amp`: mixed precision. lampion computes in float32, so both classes change nothing.

A program written for mixed precision runs, in higher precision, and is told so once by a warning.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from lampion.dtypes import device

__all__ = ["GradScaler", "autocast", "is_autocast_available"]

Function = TypeVar("Function", bound=Callable[..., Any])


def _warn(name: str, device_type: str) -> None:
    reason = (
        "lampion computes in float32"
        if device_type == "cpu"
        else f"device '{device_type}' is not available"
    )
    warnings.warn(f"{name} changes nothing: {reason}", UserWarning, stacklevel=3)


def is_autocast_available(device_type: str) -> bool:
    """Return False: no device has mixed precision here."""
    device(device_type)  # an unknown device is an error
    return False


class autocast:  # noqa: N801 - PyTorch's name
    """Context manager and decorator that changes nothing: everything stays in float32.

    Args:
        device_type: "cuda", "cpu", ...
        dtype, cache_enabled: accepted, not used.
        enabled: False also silences the warning.

    Example:
        >>> with autocast("cpu", enabled=False):
        ...     pass
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        device(device_type)
        if enabled:
            _warn("autocast", device_type)

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *unused: object) -> None:
        return None

    def __call__(self, function: Function) -> Function:
        """Return `function`, which runs as it is."""
        return function


class GradScaler:
    """A disabled gradient scaler: losses and gradients stay as they are, `step` steps.

    Gradients are scaled to keep float16 from underflowing; in float32 there is nothing to do, and
    PyTorch disables the scaler likewise where CUDA is missing.

    Args:
        device: "cuda" or "cpu".
        init_scale, growth_factor, backoff_factor, growth_interval: accepted, not used.
        enabled: False also silences the warning.

    Example:
        >>> scaler = GradScaler("cuda", enabled=False)
        >>> scaler.scale(2.5), scaler.get_scale(), scaler.is_enabled()
        (2.5, 1.0, False)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        if enabled:
            _warn("GradScaler", device)

    def scale(self, outputs: Any) -> Any:
        """Return `outputs`, unscaled."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Do nothing: the gradients are not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Return `optimizer.step(*args, **kwargs)`."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Do nothing: there is no scale."""

    def get_scale(self) -> float:
        """Return 1.0."""
        return 1.0

    def is_enabled(self) -> bool:
        """Return False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return an empty dict, as a disabled scaler does."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing, as a disabled scaler does."""


def without_device(base: type) -> Callable[..., Any]:
    """Return `base` as it is called in `torch.cuda.amp`: without its first argument."""

    @functools.wraps(base, updated=())
    def construct(*args: Any, **kwargs: Any) -> Any:
        return base("cuda", *args, **kwargs)

    return construct
