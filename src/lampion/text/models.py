"""How a word is cut into tokens: byte pair encoding, WordPiece, whole words."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Protocol

from lampion.errors import ArgumentError, FileFormatError, UnsupportedError
from lampion.text.normalizers import not_known

Piece = tuple[int, int, int]  # number of the token, where it starts and ends in the word
CACHED_WORDS, LONGEST_CACHED = 10_000, 256


class Model(Protocol):
    """What a tokenizer needs of a model."""

    vocab: dict[str, int]

    def pieces(self, word: str) -> list[Piece]:
        """Return the tokens of a word."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return the entry "model" of tokenizer.json."""
        ...


class BPE:
    """Byte pair encoding: characters are merged, pair by pair, in the order that was learned.

    Args:
        vocab: number of each token.
        merges: pairs of tokens, those learned first before others.
        unk_token: token for characters that have none; without it they are left out.
        fuse_unk: one such token for several of them in a row.
        ignore_merges: take a word that is a token as it is.
        continuing_subword_prefix, end_of_word_suffix: of older vocabularies.

    Source: Sennrich, Haddow, Birch 2016, Neural machine translation of rare words with subword
    units, algorithm 1.

    Example:
        >>> model = BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")])
        >>> model.pieces("aab")
        [(0, 0, 1), (2, 1, 3)]
    """

    def __init__(self, vocab: dict[str, int], merges: Iterable[tuple[str, str]],
                 unk_token: str | None = None, fuse_unk: bool = False,
                 ignore_merges: bool = False, continuing_subword_prefix: str | None = None,
                 end_of_word_suffix: str | None = None) -> None:
        self.vocab, self.merges = dict(vocab), [(one, two) for one, two in merges]
        self.unk_token, self.fuse_unk, self.ignore_merges = unk_token, fuse_unk, ignore_merges
        self.prefix, self.suffix = continuing_subword_prefix or "", end_of_word_suffix or ""
        self._ranks: dict[tuple[int, int], tuple[int, int]] = {}
        for rank, (one, two) in enumerate(self.merges):
            joined = one + two[len(self.prefix):]
            for token in (one, two, joined):
                if token not in self.vocab:
                    raise FileFormatError(
                        f"BPE: merge {rank} makes {joined!r} of {one!r} and {two!r}",
                        why=f"the vocabulary has no token {token!r}",
                        fix="vocabulary and merges of the same training")
            self._ranks[self.vocab[one], self.vocab[two]] = (rank, self.vocab[joined])
        self._cache: dict[str, list[Piece]] = {}

    def pieces(self, word: str) -> list[Piece]:
        """Return the tokens of a word."""
        known = self._cache.get(word)
        if known is not None:
            return known
        if self.ignore_merges and word in self.vocab:
            found = [(self.vocab[word], 0, len(word))]
        else:
            found = self._merged(self._first(word))
        if len(self._cache) < CACHED_WORDS and len(word) < LONGEST_CACHED:
            self._cache[word] = found
        return found

    def _first(self, word: str) -> list[Piece]:
        """Return a token for each character."""
        found: list[Piece] = []
        unknown = None if self.unk_token is None else self.vocab.get(self.unk_token)
        fused = False
        for place, character in enumerate(word):
            name = (self.prefix if place else "") + character
            name += self.suffix if place == len(word) - 1 else ""
            number = self.vocab.get(name)
            if number is not None:
                found.append((number, place, place + 1))
            elif unknown is not None and fused and self.fuse_unk:
                found[-1] = (unknown, found[-1][1], place + 1)
            elif unknown is not None:
                found.append((unknown, place, place + 1))
            fused = number is None and unknown is not None
        return found

    def _merged(self, pieces: list[Piece]) -> list[Piece]:
        """Merge the pair that was learned first, the leftmost of several, until none is left."""
        count = len(pieces)
        numbers = [piece[0] for piece in pieces]
        after = [*range(1, count), -1]
        before = list(range(-1, count - 1))
        end = [piece[2] for piece in pieces]
        alive = [True] * count
        waiting: list[tuple[int, int, int]] = []

        def wait(place: int) -> None:
            following = after[place] if place >= 0 else -1
            if following < 0:
                return
            known = self._ranks.get((numbers[place], numbers[following]))
            if known is not None:
                heapq.heappush(waiting, (known[0], place, known[1]))

        for place in range(count):
            wait(place)
        while waiting:
            _, place, new = heapq.heappop(waiting)
            following = after[place]
            if not alive[place] or following < 0:
                continue
            known = self._ranks.get((numbers[place], numbers[following]))
            if known is None or known[1] != new:
                continue  # one of the two has gone into another token meanwhile
            numbers[place] = new
            end[place] = end[following]
            alive[following] = False
            after[place] = after[following]
            if after[place] >= 0:
                before[after[place]] = place
            wait(before[place])
            wait(place)
        return [(numbers[k], pieces[k][1], end[k]) for k in range(count) if alive[k]]

    def settings(self) -> dict[str, Any]:
        """Return the entry "model" of tokenizer.json."""
        return {
            "type": "BPE", "dropout": None, "unk_token": self.unk_token,
            "continuing_subword_prefix": self.prefix or None,
            "end_of_word_suffix": self.suffix or None, "fuse_unk": self.fuse_unk,
            "byte_fallback": False, "ignore_merges": self.ignore_merges, "vocab": self.vocab,
            "merges": [list(pair) for pair in self.merges],
        }


class WordPiece:
    """The longest token that the word begins with, then the longest that the rest does.

    Args:
        vocab: number of each token; those inside a word begin with the prefix.
        unk_token: for words that cannot be put together.
        max_input_chars_per_word: longer words are unknown.
        continuing_subword_prefix: of tokens that do not begin a word.

    Source: Wu et al. 2016, Google's neural machine translation system, section 4.1; the search is
    BERT's.

    Example:
        >>> model = WordPiece({"[UNK]": 0, "un": 1, "##able": 2})
        >>> model.pieces("unable"), model.pieces("able")
        ([(1, 0, 2), (2, 2, 6)], [(0, 0, 4)])
    """

    def __init__(self, vocab: dict[str, int], unk_token: str = "[UNK]",
                 max_input_chars_per_word: int = 100, continuing_subword_prefix: str = "##",
                 ) -> None:
        self.vocab, self.unk_token = dict(vocab), unk_token
        self.max_input_chars_per_word = max_input_chars_per_word
        self.prefix = continuing_subword_prefix
        self._longest = max(map(len, self.vocab), default=0)

    def pieces(self, word: str) -> list[Piece]:
        """Return the tokens of a word."""
        if len(word) > self.max_input_chars_per_word:
            return self._unknown(word)
        found, start = [], 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                number = self.vocab.get((self.prefix if start else "") + word[start:end])
                if number is not None:
                    found.append((number, start, end))
                    start = end
                    break
            else:
                return self._unknown(word)
        return found

    def _unknown(self, word: str) -> list[Piece]:
        if self.unk_token not in self.vocab:
            raise ArgumentError(
                f"WordPiece: no tokens make up the word {word[:40]!r}",
                why=f"and the vocabulary has no {self.unk_token!r} for such words",
                fix="unk_token='...', a token of the vocabulary")
        return [(self.vocab[self.unk_token], 0, len(word))]

    def settings(self) -> dict[str, Any]:
        """Return the entry "model" of tokenizer.json."""
        return {"type": "WordPiece", "unk_token": self.unk_token,
                "continuing_subword_prefix": self.prefix,
                "max_input_chars_per_word": self.max_input_chars_per_word, "vocab": self.vocab}


class WordLevel:
    """A token for each word.

    Args:
        vocab: number of each token.
        unk_token: for words that have none.
    """

    def __init__(self, vocab: dict[str, int], unk_token: str = "<unk>") -> None:
        self.vocab, self.unk_token = dict(vocab), unk_token

    def pieces(self, word: str) -> list[Piece]:
        """Return the token of a word."""
        number = self.vocab.get(word, self.vocab.get(self.unk_token))
        if number is None:
            raise ArgumentError(
                f"WordLevel: no token for the word {word[:40]!r}",
                why=f"and the vocabulary has no {self.unk_token!r} for such words",
                fix="a vocabulary with the unk_token")
        return [(number, 0, len(word))]

    def settings(self) -> dict[str, Any]:
        """Return the entry "model" of tokenizer.json."""
        return {"type": "WordLevel", "vocab": self.vocab, "unk_token": self.unk_token}


def from_settings(settings: dict[str, Any]) -> Model:
    """Return the model that an entry "model" of tokenizer.json means.

    Raises:
        UnsupportedError: a kind that is not known here.
        FileFormatError: vocabulary and merges do not fit.
    """
    kind = settings.get("type", "BPE" if "merges" in settings else "?")
    if kind == "WordPiece":
        return WordPiece(settings["vocab"], settings["unk_token"],
                         settings.get("max_input_chars_per_word", 100),
                         settings.get("continuing_subword_prefix", "##"))
    if kind == "WordLevel":
        return WordLevel(settings["vocab"], settings["unk_token"])
    if kind != "BPE":
        raise not_known("model", kind)
    for name in ("dropout", "byte_fallback"):
        if settings.get(name):
            raise UnsupportedError(f"tokenizer.json: BPE with {name}",
                                   why="such a tokenizer would give other tokens here",
                                   fix="tokenizers.Tokenizer.from_file(path)")
    pairs = [tuple(pair.split(" ", 1)) if isinstance(pair, str) else tuple(pair)
             for pair in settings["merges"]]
    return BPE(settings["vocab"], pairs, settings.get("unk_token"),  # type: ignore[arg-type]
               settings.get("fuse_unk", False), settings.get("ignore_merges", False),
               settings.get("continuing_subword_prefix"), settings.get("end_of_word_suffix"))
