"""Why a call was not the recorded one: kept as it happens, put in words when asked."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..errors import user_location

MOST = 100


class Reasons:
    """The last reasons, oldest first."""

    def __init__(self) -> None:
        self._kept: deque = deque(maxlen=MOST)

    def diverged(self, node: Any, key: tuple, place: int) -> None:
        """Note that a call was made that never followed here."""
        if node.next is not None:
            self._kept.append((user_location(), node.next.key, key))

    def lost(self, reason: str) -> None:
        """Note that what happened could not be recorded."""
        self._kept.append((user_location(), reason, None))

    def words(self) -> list[tuple[str, str]]:
        """Return (line, reason) of each."""
        return [(line or "", _words(first, second)) for line, first, second in self._kept]


def _words(first: Any, second: Any) -> str:
    if second is None:
        return f"not recorded: {first}"
    if first[0] is not second[0]:
        return f"a different function: {first[0].name} -> {second[0].name}"
    for place, (old, new) in enumerate(zip(first[2:], second[2:], strict=False)):
        if old != new:
            return f"{first[0].name}: input {place}: {_operand(old)} -> {_operand(new)}"
    if first[1] != second[1]:
        return f"{first[0].name}: gradients are {'' if second[1] else 'not '}recorded"
    return f"{first[0].name}: another number of arguments"


def _operand(part: Any) -> str:
    if isinstance(part, tuple) and part and part[0] == "leaf":
        shape, dtype = part[1][1], part[1][3]
        return f"{dtype.name}[{'x'.join(map(str, shape))}]"
    if isinstance(part, tuple) and part and part[0] == "slot":
        return f"tensor {part[1]} of the record"
    if isinstance(part, tuple) and len(part) == 2:
        return f"{part[0]}={_operand(part[1])}" if isinstance(part[0], str) else repr(part[1])
    return repr(part)
