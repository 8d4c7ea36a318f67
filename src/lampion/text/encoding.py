"""What a tokenizer makes of a text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from lampion.errors import ArgumentError


@dataclass
class Encoding:
    """The tokens of a text, or of two.

    Attributes:
        ids: the number of each token.
        tokens: its text.
        offsets: which part (start, end) of the original text it stands for; (0, 0) if none.
        type_ids: 0 in the first text, 1 in the second, as BERT wants them.
        attention_mask: 0 for padding, else 1.
        special_tokens_mask: 1 for tokens that the tokenizer added, else 0.
        word_ids: the number of the word that it is a part of, None for added ones.
    """

    ids: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    offsets: list[tuple[int, int]] = field(default_factory=list)
    type_ids: list[int] = field(default_factory=list)
    attention_mask: list[int] = field(default_factory=list)
    special_tokens_mask: list[int] = field(default_factory=list)
    word_ids: list[int | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (f"Encoding(num_tokens={len(self)}, attributes=[ids, type_ids, tokens, offsets, "
                "attention_mask, special_tokens_mask, word_ids])")

    def add(self, number: int, token: str, span: tuple[int, int], type_id: int = 0,
            special: bool = False, word: int | None = None, mask: int = 1) -> None:
        """Append a token."""
        self.ids.append(number)
        self.tokens.append(token)
        self.offsets.append(span)
        self.type_ids.append(type_id)
        self.attention_mask.append(mask)
        self.special_tokens_mask.append(int(special))
        self.word_ids.append(word)

    def extend(self, other: Encoding) -> None:
        """Append the tokens of another."""
        for name in NAMES:
            getattr(self, name).extend(getattr(other, name))

    def with_type(self, type_id: int) -> Encoding:
        """Return the same with another type."""
        return replace(self, type_ids=[type_id] * len(self))

    def truncated(self, length: int, direction: str = "right") -> Encoding:
        """Return the first tokens (direction "left": the last)."""
        if length >= len(self):
            return self
        kept = slice(len(self) - length, None) if direction == "left" else slice(0, length)
        return Encoding(*(getattr(self, name)[kept] for name in NAMES))

    def padded(self, length: int, direction: str = "right", pad_id: int = 0, pad_type_id: int = 0,
               pad_token: str = "[PAD]") -> Encoding:
        """Return the same with padding up to a length."""
        missing = length - len(self)
        if missing <= 0:
            return self
        padding = Encoding()
        for _ in range(missing):
            padding.add(pad_id, pad_token, (0, 0), pad_type_id, True, None, 0)
        first, second = (padding, self) if direction == "left" else (self, padding)
        whole = Encoding()
        whole.extend(first)
        whole.extend(second)
        return whole


NAMES = ("ids", "tokens", "offsets", "type_ids", "attention_mask", "special_tokens_mask",
         "word_ids")


@dataclass(frozen=True)
class Truncation:
    """How encodings are cut to a length.

    Args:
        max_length: tokens in all, added ones included.
        strategy: of two texts cut "longest_first", "only_first" or "only_second".
        direction: what is cut off, "right" or "left".
    """

    max_length: int
    strategy: str = "longest_first"
    direction: str = "right"

    def apply(self, first: Encoding, second: Encoding | None, added: int,
              ) -> tuple[Encoding, Encoding | None]:
        """Return the encodings cut so that with `added` tokens more they are not too long."""
        room = self.max_length - added
        if room < 0:
            raise ArgumentError(f"max_length={self.max_length}",
                                why=f"the tokenizer adds {added} tokens of its own")
        if second is None:
            return first.truncated(room, self.direction), None
        one, two = len(first), len(second)
        if one + two <= room:
            return first, second
        if self.strategy == "longest_first":
            one, two = _shared(one, two, room)
        else:
            other = two if self.strategy == "only_first" else one
            if other > room:
                raise ArgumentError(f"max_length={self.max_length}, {self.strategy}",
                                    why=f"the other text alone has {other} tokens")
            one, two = (room - two, two) if self.strategy == "only_first" else (one, room - one)
        return first.truncated(one, self.direction), second.truncated(two, self.direction)


def _shared(one: int, two: int, room: int) -> tuple[int, int]:
    """Return how many tokens two texts keep: the longer one gives way first."""
    short, long = min(one, two), max(one, two)
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short = room // 2
        long = short + room % 2
    return (short, long) if one <= two else (long, short)


@dataclass(frozen=True)
class Padding:
    """How encodings are made equally long.

    Args:
        direction: where padding goes, "right" or "left".
        pad_id, pad_type_id, pad_token: what it is.
        length: up to this many tokens; up to the longest of a batch when None.
        pad_to_multiple_of: up to a multiple of this.
    """

    direction: str = "right"
    pad_id: int = 0
    pad_type_id: int = 0
    pad_token: str = "[PAD]"
    length: int | None = None
    pad_to_multiple_of: int | None = None

    def apply(self, encodings: list[Encoding]) -> list[Encoding]:
        """Return the encodings of one length."""
        longest = self.length or max(map(len, encodings), default=0)
        if self.pad_to_multiple_of:
            longest = -(-longest // self.pad_to_multiple_of) * self.pad_to_multiple_of
        return [encoding.padded(longest, self.direction, self.pad_id, self.pad_type_id,
                                self.pad_token) for encoding in encodings]


def checked_choice(name: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """Return a setting that is one of several.

    Raises:
        ArgumentError: another one.
    """
    if value not in allowed:
        raise ArgumentError(f"{name}={value!r}", why=f"it is one of {', '.join(allowed)}")
    return value
