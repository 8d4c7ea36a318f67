"""`torch.backends.cudnn`: the switches may be set, nothing reads them."""

from __future__ import annotations

benchmark = False
deterministic = False
enabled = True
allow_tf32 = True
benchmark_limit: int | None = 10


def is_available() -> bool:
    """Return False: there is no cuDNN."""
    return False


def version() -> int | None:
    """Return None: there is no cuDNN."""
    return None
