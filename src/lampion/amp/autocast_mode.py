"""`autocast`: chosen functions compute in a narrow type."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from ..casting import cast
from ..dtypes import bfloat16, chosen, device, float16, float32
from ..dtypes import dtype as DType
from ..errors import ArgumentError, StateError
from ..ir import mode
from ..replay.recorded import set_autocast

Function = TypeVar("Function", bound=Callable[..., Any])
SUPPORTED = (bfloat16, float16)


class _Settings:
    """What applies where `autocast` is not told: the type for the CPU, and the cache."""

    dtype: DType = bfloat16
    cache = True


def is_autocast_available(device_type: str) -> bool:
    """Return whether a device has mixed precision: "cpu" has.

    Example:
        >>> is_autocast_available("cpu"), is_autocast_available("cuda")
        (True, False)
    """
    device(device_type)  # an unknown device is an error
    return device_type == "cpu"


class autocast:  # noqa: N801 - PyTorch's name
    """Context manager and decorator in which chosen functions compute in a narrow type.

    Products of matrices, linear layers, convolutions and attention take bfloat16 operands and give
    bfloat16 results; losses, inverses and a few others are computed in float32; all else sees what
    it is given (lampion/casting.py has the lists). Parameters stay float32, and so do their
    gradients. Blocks nest; backward belongs outside of them.

    Args:
        device_type: "cpu"; for a device that is not there, a warning is given and nothing changes.
        dtype: bfloat16 (default) or float16.
        enabled: False to switch it off inside.
        cache_enabled: accepted, not used: a compiled program computes equal casts once.

    Raises:
        StateError: an unknown device.

    Example:
        >>> import lampion as torch
        >>> layer, x = torch.nn.Linear(3, 2), torch.ones(1, 3)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     y = layer(x)
        ...     loss = torch.nn.functional.mse_loss(y, torch.zeros(1, 2))
        >>> y.dtype, loss.dtype, layer.weight.dtype
        (torch.bfloat16, torch.float32, torch.float32)
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True,
                 cache_enabled: bool | None = None):
        if not isinstance(device_type, str):
            raise ArgumentError(
                f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        device(device_type)
        self.device = device_type
        kind = chosen(dtype)
        self.fast_dtype = kind if kind is not None else get_autocast_dtype(device_type)
        self._enabled = bool(enabled)
        self._before: list[DType | None] = []
        if self._enabled and device_type != "cpu":
            warnings.warn(
                f"User provided device_type of '{device_type}', but {device_type.upper()} is not "
                "available. Disabling", UserWarning, stacklevel=2)
            self._enabled = False
        elif self._enabled and self.fast_dtype not in SUPPORTED:
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtype of torch.bfloat16, torch.float16 currently.",
                UserWarning, stacklevel=2)
            self._enabled = False

    def __enter__(self) -> autocast:
        self._before.append(mode.autocast)
        if self.device == "cpu":
            _switch(self.fast_dtype if self._enabled else None)
        return self

    def __exit__(self, *unused: object) -> None:
        before = self._before.pop()
        if self.device == "cpu":
            _switch(before)

    def __call__(self, function: Function) -> Function:
        """Return `function`, which runs inside of such a block."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


def _switch(kind: DType | None) -> None:
    if mode.autocast is not kind:
        set_autocast(kind)


# --- queries and switches of PyTorch -------------------------------------------------------------


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether mixed precision is on for a device (as in PyTorch, "cuda" unless told)."""
    device(device_type)
    return device_type == "cpu" and mode.autocast is not None


def is_autocast_cpu_enabled() -> bool:
    """Return whether mixed precision is on for the CPU."""
    return mode.autocast is not None


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Switch mixed precision on or off for a device, until it is switched back."""
    if device_type == "cpu":
        _switch(_Settings.dtype if enabled else None)


def get_autocast_dtype(device_type: str) -> DType:
    """Return the type in which mixed precision computes on a device.

    Example:
        >>> get_autocast_dtype("cpu")
        torch.bfloat16
    """
    device(device_type)
    if device_type != "cpu":
        return float16
    return mode.autocast if mode.autocast is not None else _Settings.dtype


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Choose the type in which mixed precision computes on a device."""
    kind = chosen(dtype)
    if kind not in SUPPORTED:
        raise StateError(f"autocast computes in bfloat16 or float16, got {dtype}")
    if device_type == "cpu":
        _Settings.dtype = kind
        if mode.autocast is not None:
            _switch(kind)


def is_autocast_cache_enabled() -> bool:
    """Return what `set_autocast_cache_enabled` was told."""
    return _Settings.cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Remember whether casts are to be kept; a compiled program computes equal ones once."""
    _Settings.cache = bool(enabled)


def clear_autocast_cache() -> None:
    """Do nothing: no casts are kept."""


# --- functions with gradients of their own -------------------------------------------------------


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Let the forward of an `autograd.Function` know about mixed precision (a decorator).

    Args:
        device_type: "cpu".
        cast_inputs: the type of its floating tensors; mixed precision is then off inside. None to
            leave it as it is around the call.
    """
    device(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        kind = mode.autocast if device_type == "cpu" else None
        args[0]._autocast = kind if cast_inputs is None else None
        if cast_inputs is None or kind is None:
            return fwd(*args, **kwargs)
        given = [cast(x, cast_inputs) for x in args]
        named = {name: cast(x, cast_inputs) for name, x in kwargs.items()}
        with autocast("cpu", enabled=False):
            return fwd(*given, **named)

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Let the backward of an `autograd.Function` run as its forward did (a decorator).

    Args:
        device_type: "cpu".
    """
    device(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        kind = args[0]._autocast
        with autocast("cpu", dtype=kind or float32, enabled=kind is not None):
            return bwd(*args, **kwargs)

    return backward
