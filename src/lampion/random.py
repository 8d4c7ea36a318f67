"""`torch.random`: the state of the generator that everything draws from by default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from lampion.functions.random import (
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
           "set_rng_state"]


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cpu") -> Iterator[None]:
    """Draw inside a `with` block without any effect on what is drawn after it.

    Args:
        devices, device_type: PyTorch's: there is only the CPU.
        enabled: False makes the block an ordinary one.

    Example:
        >>> import lampion as torch
        >>> before = torch.get_rng_state()
        >>> with torch.random.fork_rng():
        ...     _ = torch.rand(3)
        >>> bool((torch.get_rng_state() == before).all())
        True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
