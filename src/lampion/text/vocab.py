"""Vocabularies: tokens and their numbers, under torchtext's names; and word vectors from files."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentError, FileFormatError, StateError
from lampion.functions.creation import adopt, zeros
from lampion.functions.shape import stack
from lampion.nn import Module
from lampion.tensor import Tensor


class Vocab(Module):
    """Tokens and their numbers.

    Args:
        tokens: each once; their numbers are their places. Or another Vocab.

    Example:
        >>> words = Vocab(["<unk>", "a", "b"])
        >>> words.set_default_index(0)
        >>> words(["b", "c"]), words["a"], words.lookup_token(2)
        ([2, 0], 1, 'b')
    """

    def __init__(self, tokens: Any) -> None:
        super().__init__()
        self._tokens: list[str] = list(
            tokens.get_itos() if isinstance(tokens, Vocab) else tokens)
        self._numbers = {token: number for number, token in enumerate(self._tokens)}
        self._default: int | None = None
        if len(self._numbers) != len(self._tokens):
            twice = next(token for token, count in Counter(self._tokens).items() if count > 1)
            raise StateError(f"Vocab: Duplicate token found in tokens list: {twice}",
                             why="each token has one number")

    def forward(self, tokens: Sequence[str]) -> list[int]:
        """Return the number of each token."""
        return self.lookup_indices(tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._numbers

    def __getitem__(self, token: str) -> int:
        number = self._numbers.get(token, self._default)
        if number is None:
            raise StateError(
                f"Token {token} not found and default index is not set",
                why="without a default index an unknown token has no number",
                fix="vocab.set_default_index(vocab['<unk>'])")
        return number

    def set_default_index(self, index: int | None) -> None:
        """Choose the number of tokens that are not there; None refuses them."""
        self._default = index

    def get_default_index(self) -> int | None:
        """Return the number of tokens that are not there."""
        return self._default

    def insert_token(self, token: str, index: int) -> None:
        """Give a new token a number; those from it on move up by one."""
        if not 0 <= index <= len(self):
            raise StateError(f"Specified index {index} is out of bounds for vocab of size "
                             f"{len(self)}", why="numbers have no gaps")
        if token in self:
            raise StateError(f"Token {token} already exists in the Vocab with index: "
                             f"{self[token]}", why="each token has one number")
        self._tokens.insert(index, token)
        self._numbers = {name: number for number, name in enumerate(self._tokens)}

    def append_token(self, token: str) -> None:
        """Give a new token the next number."""
        self.insert_token(token, len(self))

    def lookup_token(self, index: int) -> str:
        """Return the token of a number."""
        if not 0 <= index < len(self):
            raise StateError(f"Specified index {index} is out of bounds for vocab of size "
                             f"{len(self)}")
        return self._tokens[index]

    def lookup_tokens(self, indices: Iterable[int]) -> list[str]:
        """Return the token of each number."""
        return [self.lookup_token(int(index)) for index in indices]

    def lookup_indices(self, tokens: Iterable[str]) -> list[int]:
        """Return the number of each token."""
        return [self[token] for token in tokens]

    def get_stoi(self) -> dict[str, int]:
        """Return the number of every token, in a dict."""
        return dict(self._numbers)

    def get_itos(self) -> list[str]:
        """Return all tokens, in the order of their numbers."""
        return list(self._tokens)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} tokens)"


def vocab(
    ordered_dict: Mapping[str, int], min_freq: int = 1, specials: Sequence[str] | None = None,
    special_first: bool = True,
) -> Vocab:
    """Return the vocabulary of tokens and how often they occur, in the order given.

    Args:
        ordered_dict: how often each token occurs.
        min_freq: how often it must.
        specials: tokens of their own.
        special_first: those get the first numbers; else the last.

    Example:
        >>> vocab({"a": 3, "b": 1}, min_freq=2, specials=["<unk>"]).get_itos()
        ['<unk>', 'a']
    """
    special = list(specials or [])
    tokens = [token for token, count in ordered_dict.items()
              if count >= min_freq and token not in special]
    return Vocab(special + tokens if special_first else tokens + special)


def build_vocab_from_iterator(
    iterator: Iterable[Iterable[str]], min_freq: int = 1, specials: Sequence[str] | None = None,
    special_first: bool = True, max_tokens: int | None = None,
) -> Vocab:
    """Return the vocabulary of texts, the most frequent tokens first, those alike by alphabet.

    Args:
        iterator: lists of tokens.
        min_freq: how often a token must occur.
        specials: tokens of their own.
        special_first: those get the first numbers; else the last.
        max_tokens: how many tokens at most, specials included.

    Example:
        >>> words = build_vocab_from_iterator([["b", "a"], ["b"]], specials=["<unk>"])
        >>> words.get_itos()
        ['<unk>', 'b', 'a']
    """
    counts: Counter[str] = Counter()
    for tokens in iterator:
        counts.update(tokens)
    special = list(specials or [])
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if max_tokens is not None:
        if len(special) >= max_tokens:
            raise ArgumentError(f"build_vocab_from_iterator: max_tokens={max_tokens}",
                                why=f"the {len(special)} specials alone are as many")
        ordered = ordered[:max_tokens - len(special)]
    return vocab(OrderedDict(ordered), min_freq, special, special_first)


class Vectors:
    """Word vectors from a text file: a word and its numbers in each line, as GloVe's.

    Args:
        name: path of the file; a first line with two whole numbers is passed over (fastText).
        cache: folder of the file.
        unk_init: called with zeros, returns the vector of a word that is not there.
        max_vectors: how many lines to read.

    Attributes:
        itos, stoi: words by number, numbers by word.
        vectors: (words, dim).
        dim: numbers in a vector.

    Raises:
        FileFormatError: there is no such file, or lines of different lengths.

    Example:
        >>> with open("tiny.txt", "w") as stream:
        ...     _ = stream.write("cat 1.0 2.0")
        >>> Vectors("tiny.txt")["cat"]
        tensor([1., 2.])
    """

    def __init__(self, name: str | os.PathLike[str], cache: str | os.PathLike[str] | None = None,
                 url: str | None = None, unk_init: Callable[[Tensor], Tensor] | None = None,
                 max_vectors: int | None = None) -> None:
        path = os.path.join(cache or "", name)
        if not os.path.isfile(path):
            raise FileFormatError(
                f"no vectors found at {path}", why="lampion fetches nothing by itself",
                fix=f"put the file there{f', from {url}' if url else ''}")
        self.itos: list[str] = []
        rows: list[np.ndarray] = []
        with open(path, encoding="utf-8", errors="replace", newline="\n") as stream:
            for line, text in enumerate(stream, 1):
                if max_vectors is not None and len(rows) >= max_vectors:
                    break
                word, *numbers = text.rstrip().split(" ")
                if line == 1 and len(numbers) == 1:
                    continue
                try:
                    row = np.array(numbers, np.float32)
                except ValueError:
                    row = np.zeros(0, np.float32)
                if rows and len(row) != len(rows[0]) or not len(row):
                    raise FileFormatError(
                        f"{path}, line {line}: {len(row)} numbers",
                        why=f"the lines before have {len(rows[0]) if rows else 'some'}")
                self.itos.append(word)
                rows.append(row)
        if not rows:
            raise FileFormatError(f"{path}: no vectors", why="the file is empty")
        self.stoi = {word: number for number, word in enumerate(self.itos)}
        self.vectors = adopt(np.stack(rows))
        self.dim = len(rows[0])
        self.unk_init = unk_init or (lambda vector: vector)

    def __getitem__(self, token: str) -> Tensor:
        number = self.stoi.get(token)
        if number is None:
            return self.unk_init(zeros(self.dim, dtype=dtypes.float32))
        return self.vectors[number]

    def __contains__(self, token: str) -> bool:
        return token in self.stoi

    def __len__(self) -> int:
        return len(self.itos)

    def get_vecs_by_tokens(self, tokens: Any, lower_case_backup: bool = False) -> Tensor:
        """Return the vector of a token, or of each of a list; in lower case if it lacks one."""
        if isinstance(tokens, str):
            return self.get_vecs_by_tokens([tokens], lower_case_backup)[0]
        return stack([self[token] if not lower_case_backup or token in self else
                      self[token.lower()] for token in tokens])
