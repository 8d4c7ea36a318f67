"""Where lampion differs from PyTorch on purpose.

Each entry says why. A statement that shows such a difference is dropped from the program, which is
then run again without it; a field in IGNORED is never compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .compare import Difference


@dataclass(frozen=True)
class Accepted:
    """One difference that is meant to be.

    Args:
        name: for the statistics.
        reason: why lampion differs.
        matches: whether a difference is this one.
    """

    name: str
    reason: str
    matches: Callable[[Difference], bool]


ACCEPTED: tuple[Accepted, ...] = ()
IGNORED: frozenset[str] = frozenset()


def accepted(difference: Difference) -> Accepted | None:
    """Return the entry that a difference falls under, if any."""
    return next((entry for entry in ACCEPTED if entry.matches(difference)), None)
