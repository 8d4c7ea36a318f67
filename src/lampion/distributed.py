"""`torch.distributed`: lampion runs in one process.

Example:
    >>> import lampion as torch
    >>> torch.distributed.is_available()
    False
"""

__all__ = ["is_available", "is_initialized"]


def is_available() -> bool:
    """Return False: one process does all the work."""
    return False


def is_initialized() -> bool:
    """Return False: there is no process group."""
    return False
