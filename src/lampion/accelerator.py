"""`torch.accelerator`: there is none, lampion computes on the CPU.

Example:
    >>> import lampion as torch
    >>> torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
    'cpu'
"""

from __future__ import annotations

from lampion.dtypes import device

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """Return False: lampion computes on the CPU."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """Return None."""
    return None
