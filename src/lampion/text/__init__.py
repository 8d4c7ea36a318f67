"""Text: tokenizers, vocabularies, transforms and readers of data sets of text.

`data`, `datasets`, `functional`, `transforms` and `vocab` have torchtext's names; the tokenizers
those of Hugging Face's library tokenizers, whose files they read and write.
"""

from lampion.text import (
    data,
    datasets,
    decoders,
    functional,
    models,
    normalizers,
    pre_tokenizers,
    transforms,
    vocab,
)
from lampion.text.encoding import Encoding
from lampion.text.implementations import (
    BertWordPieceTokenizer,
    ByteLevelBPETokenizer,
    CharacterTokenizer,
)
from lampion.text.tokenizer import AddedToken, Tokenizer
from lampion.version import __version__ as __version__

__all__ = [
    "AddedToken", "BertWordPieceTokenizer", "ByteLevelBPETokenizer", "CharacterTokenizer",
    "Encoding", "Tokenizer", "data", "datasets", "decoders", "functional", "models",
    "normalizers", "pre_tokenizers", "transforms", "vocab",
]
