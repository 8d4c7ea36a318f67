"""What is done to a text before it is cut: cleaning, lower case, accents, Unicode forms."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from lampion.errors import UnsupportedError
from lampion.text.aligned import Aligned

Normalize = Callable[[Aligned], Aligned]

# Blocks of Chinese characters, as in the original BERT.
CHINESE = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
           (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
# Unicode's White_Space; `str.isspace` counts some control characters as well.
SPACES = frozenset([*map(chr, range(9, 14)), " ", "\x85", "\xa0", "\u1680",
                    *map(chr, range(0x2000, 0x200B)), "\u2028", "\u2029", "\u202f", "\u205f",
                    "\u3000"])


def is_chinese(character: str) -> bool:
    """Tell whether a character is Chinese, which is written without spaces."""
    code = ord(character)
    return code >= 0x3400 and any(low <= code <= high for low, high in CHINESE)


def is_control(character: str) -> bool:
    """Tell whether a character is a control character, tab and line ends excepted."""
    return character not in "\t\n\r" and unicodedata.category(character)[0] == "C"


def lowercase(text: Aligned) -> Aligned:
    """Return the text in lower case."""
    if text.text.isascii():
        return Aligned(text.text.lower(), text.spans)
    return text.each(str.lower)


def strip_accents(text: Aligned) -> Aligned:
    """Return the text without marks such as accents; it must be decomposed (NFD) before."""
    if text.text.isascii():
        return text
    return text.kept(lambda c: unicodedata.category(c) != "Mn")


def unicode_form(form: str) -> Normalize:
    """Return a function that brings a text to a Unicode form: NFC, NFD, NFKC, NFKD."""
    def change(text: Aligned) -> Aligned:
        if text.text.isascii() or unicodedata.is_normalized(form, text.text):  # type: ignore
            return text
        if form in ("NFD", "NFKD"):
            return _ordered(text.each(
                lambda c: unicodedata.normalize(form, c)))  # type: ignore[arg-type]
        parts = []
        for start, end in _clusters(text.text):
            new = unicodedata.normalize(form, text.text[start:end])  # type: ignore[arg-type]
            same = len(new) == end - start
            parts.append(Aligned(new, text.spans[start:end] if same
                                 else [text.span(start, end)] * len(new)))
        return Aligned.joined(parts)

    return change


def _ordered(text: Aligned) -> Aligned:
    """Return the text with the marks of each letter in their order: those below, those above."""
    order = list(range(len(text.text)))
    start = 0
    for place in range(len(order) + 1):
        if place == len(order) or not unicodedata.combining(text.text[place]):
            order[start:place] = sorted(order[start:place],
                                        key=lambda k: unicodedata.combining(text.text[k]))
            start = place + 1
    return Aligned("".join(text.text[k] for k in order), [text.spans[k] for k in order])


def _clusters(text: str) -> list[tuple[int, int]]:
    """Return the parts that normalising changes each for itself: a letter with its marks."""
    starts = [k for k, c in enumerate(text)
              if k == 0 or (unicodedata.combining(c) == 0 and not _joins(c))]
    return list(zip(starts, [*starts[1:], len(text)]))


def _joins(character: str) -> bool:
    """Tell whether a character may become one with the letter before it: Hangul, some vowels."""
    return "\u1160" <= character <= "\u11ff" or unicodedata.category(character) in ("Mc", "Mn")


class BertNormalizer:
    """What BERT does to a text: cleaning, spaces around Chinese characters, accents, lower case.

    Args:
        clean_text: drop control characters, make every space a plain one.
        handle_chinese_chars: put spaces around Chinese characters.
        strip_accents: drop accents; as `lowercase` says when None.
        lowercase: lower case.
    """

    def __init__(self, clean_text: bool = True, handle_chinese_chars: bool = True,
                 strip_accents: bool | None = None, lowercase: bool = True) -> None:
        self.clean_text, self.handle_chinese_chars = clean_text, handle_chinese_chars
        self.strip_accents, self.lowercase = strip_accents, lowercase

    def __call__(self, text: Aligned) -> Aligned:
        if self.clean_text:
            text = text.kept(lambda c: c not in "\0\ufffd" and not is_control(c)).each(
                lambda c: " " if c in SPACES else c)
        if self.handle_chinese_chars and not text.text.isascii():
            text = text.each(lambda c: f" {c} " if is_chinese(c) else c)
        if self.lowercase if self.strip_accents is None else self.strip_accents:
            text = strip_accents(unicode_form("NFD")(text))
        return lowercase(text) if self.lowercase else text


def from_settings(settings: dict[str, Any] | None) -> Normalize | None:
    """Return the function that an entry "normalizer" of tokenizer.json means.

    Raises:
        UnsupportedError: a kind that is not known here.
    """
    if settings is None:
        return None
    kind = settings["type"]
    if kind == "Sequence":
        steps = [from_settings(entry) for entry in settings["normalizers"]]
        return in_a_row([step for step in steps if step is not None])
    if kind == "BertNormalizer":
        return BertNormalizer(**{key: value for key, value in settings.items() if key != "type"})
    if kind == "Lowercase":
        return lowercase
    if kind == "StripAccents":
        return strip_accents
    if kind in ("NFC", "NFD", "NFKC", "NFKD"):
        return unicode_form(kind)
    raise not_known("normalizer", kind)


def in_a_row(steps: Sequence[Normalize]) -> Normalize:
    """Return a function that does several things in a row."""
    def change(text: Aligned) -> Aligned:
        for step in steps:
            text = step(text)
        return text

    return change


def not_known(part: str, kind: str) -> UnsupportedError:
    """Return the error for a part of tokenizer.json that is not read here."""
    return UnsupportedError(
        f"tokenizer.json: the {part} {kind}",
        why="lampion reads byte-level BPE, WordPiece and word-level tokenizers",
        fix="pip install tokenizers, and tokenizers.Tokenizer.from_file(path)")
