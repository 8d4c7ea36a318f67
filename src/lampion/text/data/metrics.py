"""How good a translation is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from lampion.errors import ArgumentError


def _ngrams(tokens: Sequence[str], longest: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[start:start + count]) for count in range(1, longest + 1)
                   for start in range(len(tokens) - count + 1))


def bleu_score(
    candidate_corpus: Sequence[Sequence[str]], references_corpus: Sequence[Sequence[Sequence[str]]],
    max_n: int = 4, weights: Sequence[float] = (0.25,) * 4,
) -> float:
    """Return the BLEU score of translations: which of their n-grams are in a reference.

    min(1, e^(1 - r/c)) prod_n p_n^w_n; c is the length of the candidates, r that of the nearest
    references, p_n the part of the n-grams that a reference has too.

    Args:
        candidate_corpus: translations, each a list of tokens.
        references_corpus: for each a list of references, each a list of tokens.
        max_n: longest n-gram.
        weights: of each length.

    Returns:
        0 (nothing in common) to 1.

    Raises:
        ArgumentError: not as many weights as lengths, or references as candidates.

    Source: Papineni et al. 2002, BLEU: a method for automatic evaluation of machine translation,
    section 2.3.

    Example:
        >>> candidate = [["My", "full", "pytorch", "test"]]
        >>> round(bleu_score(candidate, [[["My", "full", "pytorch", "test", "now"]]]), 4)
        0.7788
    """
    if len(weights) != max_n:
        raise ArgumentError(f"bleu_score: max_n={max_n}, {len(weights)} weights",
                            why="each length of n-grams has one weight")
    if len(candidate_corpus) != len(references_corpus):
        raise ArgumentError(f"bleu_score: {len(candidate_corpus)} candidates, "
                            f"{len(references_corpus)} lists of references",
                            why="The length of candidate and reference corpus should be the same")
    right, total = [0.0] * max_n, [0.0] * max_n
    length = wanted = 0
    for candidate, references in zip(candidate_corpus, references_corpus):
        length += len(candidate)
        wanted += min((len(reference) for reference in references),
                      key=lambda size: abs(len(candidate) - size))
        known: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            known |= _ngrams(reference, max_n)
        for ngram, count in (_ngrams(candidate, max_n) & known).items():
            right[len(ngram) - 1] += count
        for n in range(max_n):
            total[n] += max(len(candidate) - n, 0)
    if min(right) == 0:
        return 0.0
    logarithm = sum(weight * math.log(hits / tries)
                    for weight, hits, tries in zip(weights, right, total))
    return math.exp(min(1 - wanted / length, 0)) * math.exp(logarithm)
