"""How many threads the engine may use."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

from .errors import StateError

# None: as many as this process may use, found out when first asked.
_threads: dict[str, int | None] = {"intra": None, "inter": 1}


def get_num_threads() -> int:
    """Return how many threads one operation may use.

    As long as `set_num_threads` was not called, this is OMP_NUM_THREADS, or else the number of
    processors that the process may run on and that its container's share of time pays for.
    """
    count = _threads["intra"]
    if count is None:
        count = _threads["intra"] = _wished() or available_threads()
    return count


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
    return _threads["inter"] or 1


def set_num_interop_threads(count: int) -> None:
    """Set how many operations may run side by side (lampion runs one program at a time)."""
    _threads["inter"] = count


@functools.cache
def available_threads() -> int:
    """Return how many processors this process has: by affinity, and by its cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = cgroup_quota()
    return count if quota is None else max(1, min(count, int(quota)))


def cgroup_quota(groups: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> float | None:
    """Return how many processors' time the control groups of this process grant; None: no limit.

    Both versions of control groups are understood; every group up to the root may set a limit.

    Args:
        groups: the file that names the groups of a process.
        root: where the groups are mounted.
    """
    limits = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path(groups).read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            mount = Path(root, controllers.split(",")[0] and "cpu")
            # Inside a container the group's path may not exist below its own mount: the mount is
            # then the group itself.
            place = mount / group.lstrip("/")
            for folder in (place, *place.parents):
                limits.append(_limit(folder))
                if folder == mount:
                    break
    found = [limit for limit in limits if limit]
    return min(found) if found else None


def _limit(folder: Path) -> float | None:
    """Return the limit that one group sets, in processors."""
    with contextlib.suppress(OSError, ValueError):  # version 2
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):  # version 1
        microseconds = int((folder / "cpu.cfs_quota_us").read_text())
        each = int((folder / "cpu.cfs_period_us").read_text())
        return microseconds / each if microseconds > 0 else None
    return None


def _wished() -> int | None:
    """Return what OMP_NUM_THREADS asks for, None when that is no positive number."""
    # "4,2" is OpenMP's way of saying 4, and 2 in regions inside regions.
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None
