"""`torchtext.data`: tokenizers by name, n-grams, scores."""

from lampion.text.data import functional, metrics, utils
from lampion.text.data.functional import (
    custom_replace,
    numericalize_tokens_from_iterator,
    simple_space_split,
    to_map_style_dataset,
)
from lampion.text.data.metrics import bleu_score
from lampion.text.data.utils import get_tokenizer, interleave_keys, ngrams_iterator

__all__ = [
    "bleu_score", "custom_replace", "functional", "get_tokenizer", "interleave_keys", "metrics",
    "ngrams_iterator", "numericalize_tokens_from_iterator", "simple_space_split",
    "to_map_style_dataset", "utils",
]
