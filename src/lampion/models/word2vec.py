"""Word vectors from the company that words keep.

Mikolov, Chen, Corrado, Dean: Efficient estimation of word representations in vector space, 2013
(figure 1: CBOW and skip-gram); Mikolov, Sutskever, Chen, Corrado, Dean: Distributed representations
of words and phrases and their compositionality, 2013 (negative sampling, subsampling).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import lampion as torch
from lampion import nn
from lampion.nn import functional as F


def negative_sampling_loss(
    hidden: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor
) -> torch.Tensor:
    """Return the mean of -log s(u_o h) - sum_k log s(-u_k h), s the logistic function.

    Shape:
        hidden (N, E), positive (N, E), negative (N, K, E) -> scalar

    Source: Mikolov et al. 2013, Distributed representations, equation 4.
    """
    right = (hidden * positive).sum(1)
    wrong = (negative @ hidden.unsqueeze(2)).squeeze(2)
    return -(F.logsigmoid(right) + F.logsigmoid(-wrong).sum(1)).mean()


class Word2Vec(nn.Module):
    """What skip-gram and CBOW share: vectors of words as centre and as context.

    Args:
        vocab_size: number of words.
        embedding_dim: features of a word.
    """

    def __init__(self, vocab_size: int, embedding_dim: int) -> None:
        super().__init__()
        self.input = nn.Embedding(vocab_size, embedding_dim)
        self.output = nn.Embedding(vocab_size, embedding_dim)
        # As in the authors' program.
        nn.init.uniform_(self.input.weight, -0.5 / embedding_dim, 0.5 / embedding_dim)
        nn.init.zeros_(self.output.weight)

    @torch.no_grad()
    def most_similar(self, word: int, count: int = 5) -> list[tuple[int, float]]:
        """Return the words whose vectors have the smallest angle to a word's, with the cosine."""
        vectors = F.normalize(self.input.weight, dim=1)
        cosine = vectors @ vectors[word]
        best = cosine.topk(min(count + 1, len(cosine)))
        pairs = list(zip(best.indices.tolist(), best.values.tolist()))
        return [pair for pair in pairs if pair[0] != word][:count]


class SkipGram(Word2Vec):
    """From a word, guess the words around it.

    Shape:
        center (N,), context (N,), negative (N, K) of word numbers -> the loss, a scalar

    Source: Mikolov et al. 2013, Efficient estimation, figure 1 on the right.

    Example:
        >>> import lampion as torch
        >>> model = SkipGram(50, 8)
        >>> loss = model(torch.tensor([3]), torch.tensor([4]), torch.tensor([[7, 9]]))
        >>> round(loss.item(), 4)    # three guesses between two: 3 ln 2
        2.0794
    """

    def forward(
        self, center: torch.Tensor, context: torch.Tensor, negative: torch.Tensor
    ) -> torch.Tensor:
        return negative_sampling_loss(
            self.input(center), self.output(context), self.output(negative))


class CBOW(Word2Vec):
    """From the mean of the words around it, guess a word.

    Shape:
        context (N, C), center (N,), negative (N, K) of word numbers -> the loss, a scalar;
        -1 in the context is no word.

    Source: Mikolov et al. 2013, Efficient estimation, figure 1 on the left.

    Example:
        >>> import lampion as torch
        >>> model = CBOW(50, 8)
        >>> loss = model(torch.tensor([[3, 5, -1]]), torch.tensor([4]), torch.tensor([[7, 9]]))
        >>> round(loss.item(), 4)
        2.0794
    """

    def forward(
        self, context: torch.Tensor, center: torch.Tensor, negative: torch.Tensor
    ) -> torch.Tensor:
        there = (context >= 0).float().unsqueeze(2)
        vectors = self.input(context.clamp(min=0)) * there
        hidden = vectors.sum(1) / there.sum(1).clamp(min=1)
        return negative_sampling_loss(hidden, self.output(center), self.output(negative))


class NegativeSampler:
    """Draw words with probability proportional to count^0.75.

    Args:
        counts: (vocab_size,), how often each word occurs.
        power: the exponent.

    Source: Mikolov et al. 2013, Distributed representations, section 2.2.

    Example:
        >>> import lampion as torch
        >>> NegativeSampler(torch.tensor([16.0, 0.0, 1.0])).weights.tolist()
        [8.0, 0.0, 1.0]
    """

    def __init__(self, counts: torch.Tensor, power: float = 0.75) -> None:
        self.weights = counts.float() ** power

    def __call__(self, batch: int, count: int) -> torch.Tensor:
        """Return word numbers of shape (batch, count)."""
        drawn = torch.multinomial(self.weights, batch * count, replacement=True)
        return drawn.reshape(batch, count)


def keep_probability(counts: torch.Tensor, threshold: float = 1e-5) -> torch.Tensor:
    """Return with what probability an occurrence of each word is kept: sqrt(t / f), at most 1.

    Frequent words say little, so most of their occurrences are left out.

    Shape:
        counts (vocab_size,) -> (vocab_size,)

    Source: Mikolov et al. 2013, Distributed representations, equation 5.

    Example:
        >>> import lampion as torch
        >>> [round(p, 3) for p in keep_probability(torch.tensor([99.0, 1.0]), 0.01).tolist()]
        [0.101, 1.0]
    """
    frequency = counts.float() / counts.sum()
    return torch.sqrt(threshold / frequency.clamp(min=1e-30)).clamp(max=1.0)


def skip_gram_pairs(words: Sequence[int], window: int) -> Iterator[tuple[int, int]]:
    """Give every pair of a word and one at most `window` places away.

    Example:
        >>> list(skip_gram_pairs([5, 6, 7], window=1))
        [(5, 6), (6, 5), (6, 7), (7, 6)]
    """
    for place, center in enumerate(words):
        for other in range(max(0, place - window), min(len(words), place + window + 1)):
            if other != place:
                yield center, words[other]
