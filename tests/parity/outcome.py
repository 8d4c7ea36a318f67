"""What became of an entry."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

PASSED, FAILED, ABSENT, OUTSIDE = "passed", "failed", "absent", "outside"


@dataclass
class Outcome:
    """The verdict on one entry.

    Attributes:
        status: passed, failed, absent (lampion lacks the name) or outside (see scope.py).
        reason: why it did not pass: the first difference.
        right, tried: how many single comparisons agreed, and how many were made.
    """

    name: str
    status: str
    reason: str = ""
    right: int = 0
    tried: int = 0


class Tally:
    """Counts comparisons of one entry and keeps the first difference."""

    def __init__(self, name: str):
        self.name, self.right, self.tried, self.first = name, 0, 0, ""

    def count(self, difference: str, where: str) -> None:
        """Count one comparison; an empty difference is agreement."""
        self.tried += 1
        if not difference:
            self.right += 1
        elif not self.first:
            self.first = f"{where}: {difference}" if where else difference

    def outcome(self) -> Outcome:
        """The verdict: passed where everything agreed and something was compared."""
        if not self.tried:
            return Outcome(self.name, OUTSIDE, "no sample that lampion's types can hold")
        status = PASSED if self.right == self.tried else FAILED
        return Outcome(self.name, status, self.first, self.right, self.tried)


def one_line(error: BaseException, length: int = 200) -> str:
    """An exception as one line, with the place where it was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "lampion" in f.filename]
    place = f" [{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}]" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:length]}{place}"


def shortened(value: Any, length: int = 150) -> str:
    """A value as text of limited length; of tensors the type and the shape."""
    text = " ".join(_text(value).split())
    return text if len(text) <= length else text[:length] + " ..."


def _text(value: Any) -> str:
    if hasattr(value, "requires_grad") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(map(_text, value)) + ")"
    return repr(value)
