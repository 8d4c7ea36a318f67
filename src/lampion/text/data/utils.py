"""Tokenizers by name, and n-grams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lampion.errors import ArgumentError, UnsupportedError

# What basic_english does, in order.
STEPS = tuple((re.compile(pattern), new) for pattern, new in (
    (r"'", " '  "), (r'"', ""), (r"\.", " . "), (r"<br \/>", " "), (r",", " , "), (r"\(", " ( "),
    (r"\)", " ) "), (r"!", " ! "), (r"\?", " ? "), (r";", " "), (r":", " "), (r"\s+", " ")))
OTHERS = ("spacy", "moses", "toktok", "revtok", "subword")


def split_tokenizer(text: str) -> list[str]:
    """Return the words of a text, cut at spaces."""
    return text.split()


def basic_english(text: str) -> list[str]:
    """Return the words and signs of an English text in lower case.

    Example:
        >>> basic_english("You're welcome, world!")
        ['you', "'", 're', 'welcome', ',', 'world', '!']
    """
    text = text.lower()
    for pattern, new in STEPS:
        text = pattern.sub(new, text)
    return text.split()


def get_tokenizer(tokenizer: Any, language: str = "en") -> Callable[[str], list[str]]:
    """Return a function that cuts a text into words.

    Args:
        tokenizer: None (at spaces), "basic_english", or a function, which is returned.
        language: "en".

    Raises:
        ArgumentError: another name, or another language.
        UnsupportedError: the name of a library that lampion does not call.

    Example:
        >>> get_tokenizer("basic_english")("Cut here: please.")
        ['cut', 'here', 'please', '.']
    """
    if tokenizer is None:
        return split_tokenizer
    if tokenizer == "basic_english":
        if language != "en":
            raise ArgumentError(f"get_tokenizer('basic_english', language={language!r})",
                                why="Basic normalization is only available for English (en)")
        return basic_english
    if callable(tokenizer):
        return tokenizer
    if tokenizer in OTHERS:
        raise UnsupportedError(
            f"get_tokenizer({tokenizer!r})",
            why="it is another library's tokenizer, which lampion does not call",
            fix="get_tokenizer(a_function), such as [token.text for token in spacy_model(text)]")
    raise ArgumentError(f"get_tokenizer({tokenizer!r})",
                        why="it is None, 'basic_english' or a function from text to words")


def ngrams_iterator(token_list: Sequence[str], ngrams: int) -> Iterator[str]:
    """Yield the tokens, then each two neighbours, and so on up to `ngrams` of them.

    Example:
        >>> list(ngrams_iterator(["here", "we", "are"], 2))
        ['here', 'we', 'are', 'here we', 'we are']
    """
    tokens = list(token_list)
    yield from tokens
    for count in range(2, ngrams + 1):
        for start in range(len(tokens) - count + 1):
            yield " ".join(tokens[start:start + count])


def interleave_keys(a: int, b: int) -> int:
    """Return a number that sorts pairs by both: the bits of the two, in turns.

    Raises:
        ArgumentError: a number outside of 0 to 65535.
    """
    if not (0 <= a < 65536 and 0 <= b < 65536):
        raise ArgumentError(f"interleave_keys({a}, {b})", why="both have 16 bits")
    return int("".join(x + y for x, y in zip(f"{a:016b}", f"{b:016b}")), 2)
