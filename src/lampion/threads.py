"""How many threads the engine may use."""

from __future__ import annotations

import os

from .errors import StateError

_threads = {"intra": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
    os.cpu_count() or 1), "inter": 1}


def get_num_threads() -> int:
    """Return how many threads one operation may use: the processors this process may run on."""
    return _threads["intra"]


def set_num_threads(count: int) -> None:
    """Set how many threads one operation may use. The results are the same bits for any number.

    Args:
        count: 1 or more.
    """
    if not isinstance(count, int) or count < 1:
        raise StateError(f"set_num_threads expects a positive integer, got {count!r}")
    _threads["intra"] = count


def get_num_interop_threads() -> int:
    """Return how many operations may run side by side."""
    return _threads["inter"]


def set_num_interop_threads(count: int) -> None:
    """Set how many operations may run side by side (lampion runs one program at a time)."""
    _threads["inter"] = count
