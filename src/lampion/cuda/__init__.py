"""`torch.cuda`: honest answers of a library that computes on the CPU.

Questions are answered (`is_available()` is False, `device_count()` is 0), seeds and cache calls do
nothing, and whatever needs a CUDA device raises `DeviceError`.

Example:
    >>> import lampion as torch
    >>> torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device(type='cpu')
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from lampion.cuda import amp
from lampion.errors import DeviceError

__all__ = [
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "get_arch_list",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "synchronize",
    "Event",
    "Stream",
]


def is_available() -> bool:
    """Return False: lampion computes on the CPU."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def is_initialized() -> bool:
    """Return False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False: there is no CUDA device."""
    return False


def get_arch_list() -> list[str]:
    """Return an empty list."""
    return []


def memory_allocated(device: Any = None) -> int:
    """Return 0 bytes."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Return 0 bytes."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return 0 bytes."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """Return 0 bytes."""
    return 0


def manual_seed(seed: int) -> None:
    """Do nothing: there is no CUDA generator (`lampion.manual_seed` seeds the CPU's)."""


def manual_seed_all(seed: int) -> None:
    """Do nothing: there is no CUDA generator (`lampion.manual_seed` seeds the CPU's)."""


def seed() -> None:
    """Do nothing."""


def seed_all() -> None:
    """Do nothing."""


def empty_cache() -> None:
    """Do nothing: there is no CUDA memory."""


def _needs_cuda(name: str) -> Callable[..., NoReturn]:
    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise DeviceError(
            f"torch.cuda.{name}: there is no CUDA device",
            why="lampion computes on the CPU",
            fix=f"if torch.cuda.is_available(): torch.cuda.{name}(...)",
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Raise DeviceError: there is no CUDA device."
    return function


current_device = _needs_cuda("current_device")
get_device_capability = _needs_cuda("get_device_capability")
get_device_name = _needs_cuda("get_device_name")
get_device_properties = _needs_cuda("get_device_properties")
reset_peak_memory_stats = _needs_cuda("reset_peak_memory_stats")
set_device = _needs_cuda("set_device")
synchronize = _needs_cuda("synchronize")
Event = _needs_cuda("Event")
Stream = _needs_cuda("Stream")
