"""How a text is cut into words before a model cuts words into tokens."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from lampion.text.aligned import Aligned
from lampion.text.normalizers import SPACES, not_known

Cut = Callable[[list[Aligned]], list[Aligned]]

# GPT-2's rule: endings of English, then letters, numbers or other signs with one space before
# them, then spaces. For plain ASCII the standard library's expressions are enough.
ASCII_RULE = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[a-zA-Z]+| ?[0-9]+| ?[^ \t\n\r\x0b\x0ca-zA-Z0-9]+"
    r"|[ \t\n\r\x0b\x0c]+(?![^ \t\n\r\x0b\x0c])|[ \t\n\r\x0b\x0c]+")
ENDINGS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


@functools.lru_cache(maxsize=4096)
def kind_of(character: str) -> str:
    """Return "L" for a letter, "N" for a number, "S" for a space, "O" for anything else."""
    if character in SPACES:
        return "S"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "O"


def gpt2_words(text: str) -> list[tuple[int, int]]:
    r"""Return where GPT-2's rule cuts a text; all of it is kept.

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

    Source: Radford et al. 2019, Language models are unsupervised multitask learners, section 2.2.

    Example:
        >>> text = "Don't  stop 42!"
        >>> [text[start:end] for start, end in gpt2_words(text)]
        ['Don', "'t", ' ', ' stop', ' 42', '!']
    """
    if text.isascii():
        return [match.span() for match in ASCII_RULE.finditer(text)]
    words, place = [], 0
    while place < len(text):
        end = _word_end(text, place)
        words.append((place, end))
        place = end
    return words


def _word_end(text: str, start: int) -> int:
    for ending in ENDINGS:
        if text.startswith(ending, start):
            return start + len(ending)
    first = start + 1 if text[start] == " " and start + 1 < len(text) else start
    kind = kind_of(text[first])
    if kind != "S":
        return _run_end(text, first, kind)
    end = _run_end(text, start, "S")
    # The last space belongs to what follows, if anything does.
    return end - 1 if end < len(text) and end - start > 1 else end


def _run_end(text: str, start: int, kind: str) -> int:
    end = start + 1
    while end < len(text) and kind_of(text[end]) == kind:
        end += 1
    return end


@functools.cache
def byte_characters() -> dict[int, str]:
    """Return the printable character that stands for each byte in GPT-2's vocabulary.

    Bytes that are printable in Latin-1 stand for themselves, the other 68 for the characters
    from U+0100.

    Example:
        >>> byte_characters()[32], byte_characters()[65]
        ('Ġ', 'A')
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable}
    return {**table, **{byte: chr(256 + number) for number, byte in enumerate(others)}}


@functools.cache
def character_bytes() -> dict[str, int]:
    """Return the byte that each of those characters stands for."""
    return {character: byte for byte, character in byte_characters().items()}


class ByteLevel:
    """Cuts by GPT-2's rule and writes every word as characters that stand for its bytes.

    Args:
        add_prefix_space: let a text begin with a space, so that its first word is like others.
        use_regex: cut; else only write as bytes.
    """

    def __init__(self, add_prefix_space: bool = True, use_regex: bool = True) -> None:
        self.add_prefix_space, self.use_regex = add_prefix_space, use_regex

    def __call__(self, parts: list[Aligned]) -> list[Aligned]:
        words = []
        for part in parts:
            if self.add_prefix_space and not part.text.startswith(" "):
                part = part.prefixed(" ")
            cuts = gpt2_words(part.text) if self.use_regex else [(0, len(part.text))]
            words += [_as_bytes(part.part(start, end)) for start, end in cuts]
        return words


def _as_bytes(part: Aligned) -> Aligned:
    table = byte_characters()
    if part.text.isascii():
        return Aligned(part.text.translate(table), part.spans)
    # A lone half of a surrogate pair has no bytes in UTF-8; it becomes a question mark.
    return part.each(lambda c: "".join(table[byte] for byte in c.encode("utf-8", "replace")))


def is_punctuation(character: str) -> bool:
    """Tell whether a character is punctuation: Unicode's, and all other signs of ASCII."""
    if character.isascii():
        return 32 < ord(character) < 127 and not character.isalnum()
    return unicodedata.category(character)[0] == "P"


def whitespace_split(parts: list[Aligned]) -> list[Aligned]:
    """Cut at spaces, which are dropped."""
    words = []
    for part in parts:
        start = None
        for place, character in enumerate(part.text):
            if character in SPACES:
                if start is not None:
                    words.append(part.part(start, place))
                start = None
            elif start is None:
                start = place
        if start is not None:
            words.append(part.part(start, len(part.text)))
    return words


def punctuation(parts: list[Aligned]) -> list[Aligned]:
    """Make every punctuation mark a word of its own."""
    words = []
    for part in parts:
        start = 0
        for place, character in enumerate(part.text):
            if is_punctuation(character):
                if start < place:
                    words.append(part.part(start, place))
                words.append(part.part(place, place + 1))
                start = place + 1
        if start < len(part.text):
            words.append(part.part(start, len(part.text)))
    return words


def bert(parts: list[Aligned]) -> list[Aligned]:
    """Cut at spaces, then make every punctuation mark a word of its own."""
    return punctuation(whitespace_split(parts))


def words_and_signs(parts: list[Aligned]) -> list[Aligned]:
    r"""Cut into words and runs of other signs: \w+|[^\w\s]+."""
    return [part.part(*match.span()) for part in parts
            for match in re.finditer(r"\w+|[^\w\s]+", part.text)]


def characters(parts: list[Aligned]) -> list[Aligned]:
    """Cut into characters."""
    return [part.part(k, k + 1) for part in parts for k in range(len(part.text))]


def from_settings(settings: dict[str, Any] | None) -> Cut | None:
    """Return the function that an entry "pre_tokenizer" of tokenizer.json means.

    Raises:
        UnsupportedError: a kind that is not known here.
    """
    if settings is None:
        return None
    kind = settings["type"]
    if kind == "Sequence":
        steps = [from_settings(entry) for entry in settings["pretokenizers"]]
        return _in_a_row([step for step in steps if step is not None])
    if kind == "ByteLevel":
        return ByteLevel(settings.get("add_prefix_space", True), settings.get("use_regex", True))
    if kind == "Punctuation" and settings.get("behavior", "Isolated") == "Isolated":
        return punctuation
    if kind == "Split" and settings.get("pattern") == {"String": ""} and not settings.get(
            "invert"):
        return characters
    known: dict[str, Cut] = {"BertPreTokenizer": bert, "WhitespaceSplit": whitespace_split,
                             "Whitespace": words_and_signs}
    if kind not in known:
        raise not_known("pre_tokenizer", kind)
    return known[kind]


def _in_a_row(steps: list[Cut]) -> Cut:
    def cut(parts: list[Aligned]) -> list[Aligned]:
        for step in steps:
            parts = step(parts)
        return parts

    return cut
