"""Steps from text to tensors as modules, under torchtext's names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from lampion import dtypes
from lampion.errors import ArgumentError
from lampion.nn import Module
from lampion.nn import Sequential as _Sequential
from lampion.nn.functional import pad
from lampion.tensor import Tensor
from lampion.text import functional as F
from lampion.text.implementations import BertWordPieceTokenizer, ByteLevelBPETokenizer
from lampion.text.tokenizer import Tokenizer
from lampion.text.vocab import Vocab, vocab

__all__ = [
    "AddToken", "BERTTokenizer", "GPT2BPETokenizer", "LabelToIndex", "PadTransform", "Sequential",
    "StrToIntTransform", "ToTensor", "Truncate", "VocabTransform",
]


class Sequential(_Sequential):
    """Calls transforms one after the other.

    Example:
        >>> from lampion.text.vocab import Vocab
        >>> steps = Sequential(VocabTransform(Vocab(["<pad>", "a", "b"])), ToTensor(0))
        >>> steps([["a", "b"], ["b"]])
        tensor([[1, 2],
                [2, 0]])
    """

    def forward(self, input: Any) -> Any:
        """Return the result of the last transform."""
        for step in self:
            input = step(input)
        return input


class VocabTransform(Module):
    """Gives each token its number.

    Args:
        vocab: the vocabulary.
    """

    def __init__(self, vocab: Vocab) -> None:
        super().__init__()
        self.vocab = vocab

    def forward(self, input: Any) -> Any:
        """Return the numbers of a list of tokens, or of each list."""
        if isinstance(input, (list, tuple)) and input and not isinstance(input[0], str):
            return [self.vocab.lookup_indices(tokens) for tokens in input]
        return self.vocab.lookup_indices(input)


class ToTensor(Module):
    """Turns lists of numbers into a tensor.

    Args:
        padding_value: what is put behind shorter lists.
        dtype: element type.
    """

    def __init__(self, padding_value: int | None = None, dtype: dtypes.dtype = dtypes.int64,
                 ) -> None:
        super().__init__()
        self.padding_value, self.dtype = padding_value, dtype

    def forward(self, input: Any) -> Tensor:
        """Return the tensor."""
        return F.to_tensor(input, self.padding_value, self.dtype)


class LabelToIndex(Module):
    """Gives each label its number.

    Args:
        label_names: the labels; or
        label_path: a file with one in each line.
        sort_names: number them by alphabet.
    """

    def __init__(self, label_names: Sequence[str] | None = None, label_path: str | None = None,
                 sort_names: bool = False) -> None:
        super().__init__()
        if (label_names is None) == (label_path is None):
            raise ArgumentError("LabelToIndex: label_names and label_path",
                                why="one of them must be given, not both")
        if label_path is not None:
            with open(label_path, encoding="utf-8") as stream:
                label_names = [line.strip() for line in stream if line.strip()]
        names = sorted(label_names or []) if sort_names else list(label_names or [])
        self._label_vocab = vocab(dict.fromkeys(names, 1))

    def forward(self, input: Any) -> Any:
        """Return the number of a label, or of each."""
        if isinstance(input, str):
            return self._label_vocab[input]
        return self._label_vocab.lookup_indices(input)

    @property
    def label_names(self) -> list[str]:
        """The labels, in the order of their numbers."""
        return self._label_vocab.get_itos()


class Truncate(Module):
    """Keeps the first entries of a list, or of each list.

    Args:
        max_seq_len: how many.
    """

    def __init__(self, max_seq_len: int) -> None:
        super().__init__()
        self.max_seq_len = max_seq_len

    def forward(self, input: Any) -> Any:
        """Return the shorter list."""
        return F.truncate(input, self.max_seq_len)


class AddToken(Module):
    """Puts a token before or behind a list, or each list.

    Args:
        token: the token, or its number.
        begin: before; else behind.
    """

    def __init__(self, token: Any, begin: bool = True) -> None:
        super().__init__()
        self.token, self.begin = token, begin

    def forward(self, input: Any) -> Any:
        """Return the longer list."""
        return F.add_token(input, self.token, self.begin)


class PadTransform(Module):
    """Pads the last axis of a tensor up to a length.

    Args:
        max_length: the length.
        pad_value: what is put behind.
    """

    def __init__(self, max_length: int, pad_value: int) -> None:
        super().__init__()
        self.max_length, self.pad_value = max_length, float(pad_value)

    def forward(self, x: Tensor) -> Tensor:
        """Return the padded tensor."""
        missing = self.max_length - x.shape[-1]
        return pad(x, (0, missing), value=self.pad_value) if missing > 0 else x


class StrToIntTransform(Module):
    """Turns texts into the whole numbers that they stand for."""

    def forward(self, input: Any) -> Any:
        """Return the numbers of a list of texts, or of each list."""
        return F.str_to_int(input)


class _Tokenizing(Module):
    """A tokenizer as a module: texts of tokens' numbers, or of tokens."""

    def __init__(self, tokenizer: Tokenizer, return_tokens: bool) -> None:
        super().__init__()
        self.tokenizer, self.return_tokens = tokenizer, return_tokens

    def forward(self, input: Any) -> Any:
        """Return the tokens of a text, or of each text."""
        if not isinstance(input, str):
            return [self.forward(text) for text in input]
        encoding = self.tokenizer.encode(input, add_special_tokens=False)
        return encoding.tokens if self.return_tokens else [str(n) for n in encoding.ids]


class GPT2BPETokenizer(_Tokenizing):
    """Cuts texts with GPT-2's byte pair encoding.

    Args:
        encoder_json_path: the vocabulary, encoder.json or vocab.json.
        vocab_bpe_path: the merges, vocab.bpe or merges.txt.
        return_tokens: return tokens; else their numbers, as texts.
    """

    def __init__(self, encoder_json_path: str | os.PathLike[str],
                 vocab_bpe_path: str | os.PathLike[str], return_tokens: bool = False) -> None:
        super().__init__(ByteLevelBPETokenizer(encoder_json_path, vocab_bpe_path), return_tokens)

    def decode(self, tokens: Sequence[Any]) -> str:
        """Return the text of numbers of tokens."""
        return self.tokenizer.decode([int(token) for token in tokens])


class BERTTokenizer(_Tokenizing):
    """Cuts texts with BERT's WordPiece.

    Args:
        vocab_path: the vocabulary, one token in each line.
        do_lower_case: lower case.
        strip_accents: drop accents; as `do_lower_case` says when None.
        return_tokens: return tokens; else their numbers, as texts.
        never_split: without effect; special tokens are kept whole.
    """

    def __init__(self, vocab_path: str | os.PathLike[str], do_lower_case: bool = True,
                 strip_accents: bool | None = None, return_tokens: bool = False,
                 never_split: Sequence[str] | None = None) -> None:
        super().__init__(BertWordPieceTokenizer(vocab_path, lowercase=do_lower_case,
                                                strip_accents=strip_accents), return_tokens)
