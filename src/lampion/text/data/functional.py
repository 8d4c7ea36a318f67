"""Pieces of a pipeline over an iterable of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from lampion.data import Dataset


class _Listed(Dataset):
    def __init__(self, samples: Iterable[Any]) -> None:
        self._samples = list(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: Any) -> Any:
        return self._samples[index]


def to_map_style_dataset(iter_data: Iterable[Any]) -> Dataset:
    """Return a data set with a length and an index of everything that an iterable gives.

    Example:
        >>> data = to_map_style_dataset(iter("abc"))
        >>> len(data), data[1]
        (3, 'b')
    """
    return _Listed(iter_data)


def simple_space_split(iterator: Iterable[str]) -> Iterator[list[str]]:
    """Yield the words of each text, cut at spaces."""
    for text in iterator:
        yield text.split()


def custom_replace(replace_pattern: Sequence[tuple[str, str]],
                   ) -> Callable[[Iterable[str]], Iterator[str]]:
    r"""Return a function that replaces patterns in each text, in order.

    Example:
        >>> list(custom_replace([(r"S", "s"), (r"\s+", " ")])(["Sentencepiece  is"]))
        ['sentencepiece is']
    """
    patterns = [(re.compile(pattern), new) for pattern, new in replace_pattern]

    def replaced(texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            for pattern, new in patterns:
                text = pattern.sub(new, text)
            yield text

    return replaced


def numericalize_tokens_from_iterator(
    vocab: Any, iterator: Iterable[Iterable[str]], removed_tokens: Sequence[str] | None = None,
) -> Iterator[Iterator[int]]:
    """Yield the numbers of each text's tokens.

    Args:
        vocab: numbers by token: a `Vocab` or a dict.
        iterator: lists of tokens.
        removed_tokens: tokens to leave out.

    Example:
        >>> [list(ids) for ids in numericalize_tokens_from_iterator({"a": 0, "b": 1}, [["b", "a"]])]
        [[1, 0]]
    """
    removed = set(removed_tokens or ())
    for tokens in iterator:
        yield iter([vocab[token] for token in tokens if token not in removed])
