"""Tokenizers ready for use: GPT-2's byte-level BPE, BERT's WordPiece, characters."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lampion.errors import ArgumentError, FileFormatError
from lampion.text.models import BPE, WordLevel, WordPiece
from lampion.text.post_processors import around
from lampion.text.pre_tokenizers import byte_characters
from lampion.text.tokenizer import AddedToken, PathLike, Tokenizer
from lampion.text.training import learn_merges


def _lines(files: Any) -> Iterator[str]:
    for path in [files] if isinstance(files, (str, os.PathLike)) else files:
        with open(path, encoding="utf-8", newline="\n") as stream:
            yield from stream


def read_vocab(path: PathLike) -> dict[str, int]:
    """Return the numbers of tokens: of a JSON object, or of a text with one token in each line.

    Raises:
        FileFormatError: JSON of another kind.
    """
    with open(path, encoding="utf-8", newline="\n") as stream:
        content = stream.read()
    if os.fspath(path).endswith(".json"):
        try:
            vocab = json.loads(content)
        except ValueError as error:
            raise FileFormatError(f"{os.fspath(path)}: not JSON ({error})") from None
        if not isinstance(vocab, dict) or not all(isinstance(n, int) for n in vocab.values()):
            raise FileFormatError(f"{os.fspath(path)}: not a vocabulary",
                                  why="it is a JSON object of tokens and their numbers")
        return vocab
    lines = content.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return {line.removesuffix("\r"): number for number, line in enumerate(lines)}


def read_merges(path: PathLike) -> list[tuple[str, str]]:
    """Return the pairs in a file of merges, one in each line; `#version` is passed over.

    Raises:
        FileFormatError: a line that is no pair.
    """
    pairs = []
    with open(path, encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, 1):
            line = line.rstrip("\r\n")
            if not line or line.startswith("#version"):
                continue
            parts = line.split(" ")
            if len(parts) != 2:
                raise FileFormatError(f"{os.fspath(path)}, line {number}: {line[:40]!r}",
                                      why="a merge is two tokens with a space between them")
            pairs.append((parts[0], parts[1]))
    return pairs


class ByteLevelBPETokenizer(Tokenizer):
    """GPT-2's tokenizer: byte pair encoding on bytes, so that no text is unknown.

    Args:
        vocab: the number of each token, or the path of vocab.json; nothing before training.
        merges: pairs, or the path of merges.txt.
        add_prefix_space: let a text begin with a space, so that its first word is like others.
        lowercase: lower case.
        unicode_normalizer: "nfc", "nfd", "nfkc" or "nfkd".
        trim_offsets: leave spaces out of the offsets.

    Source: Radford et al. 2019, Language models are unsupervised multitask learners, section 2.2.

    Example:
        >>> tokenizer = ByteLevelBPETokenizer()
        >>> tokenizer.train_from_iterator(["low lower lowest"] * 9, vocab_size=262)
        >>> encoding = tokenizer.encode("flow lower")
        >>> encoding.tokens, encoding.offsets
        (['f', 'low', 'Ġlower'], [(0, 1), (1, 4), (4, 10)])
        >>> tokenizer.decode(encoding.ids)
        'flow lower'
    """

    def __init__(self, vocab: Any = None, merges: Any = None, add_prefix_space: bool = False,
                 lowercase: bool = False, unicode_normalizer: str | None = None,
                 trim_offsets: bool = False) -> None:
        if (vocab is None) != (merges is None):
            raise ArgumentError("ByteLevelBPETokenizer: vocab without merges, or merges without",
                                why="tokens are made by the merges that they were learned with")
        if isinstance(vocab, (str, os.PathLike)):
            vocab = read_vocab(vocab)
        if isinstance(merges, (str, os.PathLike)):
            merges = read_merges(merges)
        steps = [{"type": unicode_normalizer.upper()}] if unicode_normalizer else []
        steps += [{"type": "Lowercase"}] if lowercase else []
        normalizer = {"type": "Sequence", "normalizers": steps} if len(steps) > 1 else (
            steps[0] if steps else None)
        def level(add_prefix_space: bool = True, trim_offsets: bool = True) -> dict[str, Any]:
            return {"type": "ByteLevel", "add_prefix_space": add_prefix_space,
                    "trim_offsets": trim_offsets, "use_regex": True}

        super().__init__(BPE(vocab or {}, merges or []), normalizer=normalizer,
                         words=level(add_prefix_space),
                         post_processor=level(trim_offsets=trim_offsets), decoder=level())

    def train(self, files: Any, vocab_size: int = 30_000, min_frequency: int = 2,
              special_tokens: Sequence[str | AddedToken] = (), show_progress: bool = False,
              ) -> None:
        """Learn a vocabulary from text files; arguments as for `train_from_iterator`."""
        self.train_from_iterator(_lines(files), vocab_size, min_frequency, special_tokens)

    def train_from_iterator(self, iterator: Iterable[Any], vocab_size: int = 30_000,
                            min_frequency: int = 2,
                            special_tokens: Sequence[str | AddedToken] = (),
                            show_progress: bool = False, length: int | None = None) -> None:
        """Learn a vocabulary from texts.

        Args:
            iterator: texts, or lists of texts.
            vocab_size: number of tokens, special ones and 256 bytes included.
            min_frequency: how often a pair must occur to become a token.
            special_tokens: tokens of their own, which get the first numbers.
            show_progress, length: without effect.
        """
        names = [token.content if isinstance(token, AddedToken) else token
                 for token in special_tokens]
        vocab, merges = learn_merges(self.counted_words(iterator), vocab_size, min_frequency,
                                     names, byte_characters().values())
        self.model = BPE(vocab, merges)
        self.add_special_tokens(special_tokens)

    def save_model(self, directory: PathLike, prefix: str | None = None) -> list[str]:
        """Write vocab.json and merges.txt into a folder; return their paths."""
        paths = [os.path.join(directory, f"{prefix}-{name}" if prefix else name)
                 for name in ("vocab.json", "merges.txt")]
        with open(paths[0], "w", encoding="utf-8") as stream:
            json.dump(self.model.vocab, stream, ensure_ascii=False)
        with open(paths[1], "w", encoding="utf-8") as stream:
            stream.write("#version: 0.2\n")
            stream.writelines(f"{one} {two}\n" for one, two in self.model.merges)  # type: ignore
        return paths


class BertWordPieceTokenizer(Tokenizer):
    """BERT's tokenizer: words of plain text, cut into the longest known parts.

    Args:
        vocab: the number of each token, or the path of vocab.txt; nothing before training.
        unk_token, sep_token, cls_token, pad_token, mask_token: its special tokens.
        clean_text: drop control characters, make every space a plain one.
        handle_chinese_chars: make every Chinese character a word.
        strip_accents: drop accents; as `lowercase` says when None.
        lowercase: lower case.
        wordpieces_prefix: of tokens inside a word.

    Source: Devlin et al. 2019, BERT, section 3.

    Example:
        >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##able", "cafe"]
        >>> tokenizer = BertWordPieceTokenizer({word: k for k, word in enumerate(words)})
        >>> tokenizer.encode("Unable", "Café").tokens
        ['[CLS]', 'un', '##able', '[SEP]', 'cafe', '[SEP]']
    """

    def __init__(self, vocab: Any = None, unk_token: str = "[UNK]", sep_token: str = "[SEP]",
                 cls_token: str = "[CLS]", pad_token: str = "[PAD]", mask_token: str = "[MASK]",
                 clean_text: bool = True, handle_chinese_chars: bool = True,
                 strip_accents: bool | None = None, lowercase: bool = True,
                 wordpieces_prefix: str = "##") -> None:
        if isinstance(vocab, (str, os.PathLike)):
            vocab = read_vocab(vocab)
        self._special = (unk_token, sep_token, cls_token, pad_token, mask_token)
        model = WordPiece(vocab or {}, unk_token, continuing_subword_prefix=wordpieces_prefix)
        super().__init__(
            model,
            normalizer={"type": "BertNormalizer", "clean_text": clean_text,
                        "handle_chinese_chars": handle_chinese_chars,
                        "strip_accents": strip_accents, "lowercase": lowercase},
            words={"type": "BertPreTokenizer"},
            decoder={"type": "WordPiece", "prefix": wordpieces_prefix, "cleanup": True})
        self._ready()

    def _ready(self) -> None:
        """Make the special tokens known, those that the vocabulary has."""
        vocab = self.model.vocab
        self.add_special_tokens([token for token in self._special if token in vocab])
        _, sep, cls, _, _ = self._special
        missing = [token for token in (sep, cls) if token not in vocab]
        if missing and vocab:
            raise ArgumentError(f"BertWordPieceTokenizer: no {' and '.join(missing)}",
                                why="the vocabulary must have the tokens that begin and end a "
                                "text", fix="cls_token='...', sep_token='...'")
        if vocab:
            end = (sep, vocab[sep])
            settings = around((cls, vocab[cls]), [end], end, 1).settings()
            self._set_after(settings)

    def train(self, files: Any, vocab_size: int = 30_000, min_frequency: int = 2,
              limit_alphabet: int | None = 1000, initial_alphabet: Sequence[str] = (),
              special_tokens: Sequence[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
              show_progress: bool = False, wordpieces_prefix: str = "##") -> None:
        """Learn a vocabulary from text files; arguments as for `train_from_iterator`."""
        self.train_from_iterator(_lines(files), vocab_size, min_frequency, limit_alphabet,
                                 initial_alphabet, special_tokens)

    def train_from_iterator(
        self, iterator: Iterable[Any], vocab_size: int = 30_000, min_frequency: int = 2,
        limit_alphabet: int | None = 1000, initial_alphabet: Sequence[str] = (),
        special_tokens: Sequence[str] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        show_progress: bool = False, wordpieces_prefix: str = "##", length: int | None = None,
    ) -> None:
        """Learn a vocabulary from texts.

        Args:
            iterator: texts, or lists of texts.
            vocab_size: number of tokens, special ones included.
            min_frequency: how often a pair must occur to become a token.
            limit_alphabet: number of characters, those that occur most.
            initial_alphabet: characters that are tokens even where they do not occur.
            special_tokens: tokens of their own, which get the first numbers.
            show_progress, length: without effect.
        """
        vocab, _ = learn_merges(self.counted_words(iterator), vocab_size, min_frequency,
                                special_tokens, initial_alphabet, limit_alphabet,
                                wordpieces_prefix)
        unknown = self._special[0]
        self.model = WordPiece(vocab, unknown, continuing_subword_prefix=wordpieces_prefix)
        self._ready()
        self.add_special_tokens(special_tokens)

    def save_model(self, directory: PathLike, prefix: str | None = None) -> list[str]:
        """Write vocab.txt into a folder; return its path in a list."""
        path = os.path.join(directory, f"{prefix}-vocab.txt" if prefix else "vocab.txt")
        with open(path, "w", encoding="utf-8") as stream:
            stream.writelines(f"{token}\n" for token, _ in sorted(
                self.model.vocab.items(), key=lambda item: item[1]))
        return [path]


class CharacterTokenizer(Tokenizer):
    """A token for each character.

    Args:
        text: whose characters become tokens, sorted.
        unk_token: for characters that have none; without it they are refused.
        special_tokens: tokens of their own, which get the first numbers.

    Example:
        >>> tokenizer = CharacterTokenizer("hello")
        >>> tokenizer.encode("hole").ids, tokenizer.decode([1, 0, 2, 2, 3])
        ([1, 3, 2, 0], 'hello')
    """

    def __init__(self, text: str, unk_token: str | None = None,
                 special_tokens: Sequence[str] = ()) -> None:
        special = [*special_tokens]
        if unk_token is not None and unk_token not in special:
            special.insert(0, unk_token)
        names = [*special, *sorted(set(text) - set(special))]
        vocab = {name: number for number, name in enumerate(names)}
        super().__init__(WordLevel(vocab, unk_token or ""),
                         words={"type": "Split", "pattern": {"String": ""},
                                "behavior": "Isolated", "invert": False},
                         decoder={"type": "Fuse"})
        self.add_special_tokens(special)
