"""Text that knows where each of its characters came from.

Normalising changes a text (lower case, no accents, bytes in place of characters); the offsets of a
token are still those in the text that the user gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass
class Aligned:
    """Characters, and for each the (start, end) in the original text that it stands for.

    Example:
        >>> text = Aligned.of("Ab")
        >>> text.text, text.spans
        ('Ab', [(0, 1), (1, 2)])
    """

    text: str
    spans: list[Span]

    @classmethod
    def of(cls, text: str, start: int = 0) -> Aligned:
        """Return a text as it is; it begins at `start` of the original."""
        return cls(text, [(k, k + 1) for k in range(start, start + len(text))])

    def part(self, start: int, end: int) -> Aligned:
        """Return the characters from start to end."""
        return Aligned(self.text[start:end], self.spans[start:end])

    def span(self, start: int, end: int) -> Span:
        """Return which part of the original the characters from start to end stand for."""
        if start >= end:
            place = self.spans[start][0] if start < len(self.spans) else (
                self.spans[-1][1] if self.spans else 0)
            return place, place
        last = self.spans[start][1]
        if end - start > 1:  # Unicode's order of marks can differ from the original's
            last = max([span[1] for span in self.spans[start:end]])
        return self.spans[start][0], last

    def each(self, change: Callable[[str], str]) -> Aligned:
        """Return the text with every character replaced by none, one or several."""
        changed = [change(character) for character in self.text]
        if all(len(new) == 1 for new in changed):
            return Aligned("".join(changed), self.spans)
        spans = [span for new, span in zip(changed, self.spans) for _ in new]
        return Aligned("".join(changed), spans)

    def kept(self, wanted: Callable[[str], bool]) -> Aligned:
        """Return the text without the characters that are not wanted."""
        pairs = [(c, span) for c, span in zip(self.text, self.spans) if wanted(c)]
        return Aligned("".join(c for c, _ in pairs), [span for _, span in pairs])

    def prefixed(self, prefix: str) -> Aligned:
        """Return the text with characters before it; they stand for what its first one does."""
        first = self.spans[0] if self.spans else (0, 0)
        return Aligned(prefix + self.text, [first] * len(prefix) + self.spans)

    @classmethod
    def joined(cls, parts: Iterable[Aligned]) -> Aligned:
        """Return parts as one text."""
        parts = list(parts)
        return cls("".join(part.text for part in parts),
                   [span for part in parts for span in part.spans])
