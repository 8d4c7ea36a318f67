"""How tokens become text again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lampion.text.normalizers import not_known
from lampion.text.pre_tokenizers import character_bytes

Decode = Callable[[Sequence[str]], str]
# What BERT's tokens leave too many spaces around.
TIDY = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
        (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"))


def with_spaces(tokens: Sequence[str]) -> str:
    """Return tokens with spaces between them."""
    return " ".join(tokens)


def joined(tokens: Sequence[str]) -> str:
    """Return tokens without anything between them."""
    return "".join(tokens)


def byte_level(tokens: Sequence[str]) -> str:
    """Return the text whose bytes the tokens' characters stand for.

    Example:
        >>> byte_level(["ĠcafÃ", "©"])
        ' café'
    """
    table, content = character_bytes(), bytearray()
    for token in tokens:
        try:
            content += bytes(table[character] for character in token)
        except KeyError:  # an added token, which is no bytes
            content += token.encode("utf-8", "replace")
    return content.decode("utf-8", errors="replace")


def word_piece(prefix: str = "##", cleanup: bool = True) -> Decode:
    """Return a function that puts words together again, and tidies their spaces."""
    def tidied(text: str) -> str:
        for wrong, right in TIDY:
            text = text.replace(wrong, right)
        return text

    def decode(tokens: Sequence[str]) -> str:
        parts = []
        for place, token in enumerate(tokens):
            if place:
                token = token[len(prefix):] if token.startswith(prefix) else " " + token
            parts.append(tidied(token) if cleanup else token)
        return "".join(parts)

    return decode


def from_settings(settings: dict[str, Any] | None) -> Decode:
    """Return the function that an entry "decoder" of tokenizer.json means.

    Raises:
        UnsupportedError: a kind that is not known here.
    """
    if settings is None:
        return with_spaces
    if settings["type"] == "ByteLevel":
        return byte_level
    if settings["type"] == "WordPiece":
        return word_piece(settings.get("prefix", "##"), settings.get("cleanup", True))
    if settings["type"] == "Fuse":
        return joined
    raise not_known("decoder", settings["type"])
