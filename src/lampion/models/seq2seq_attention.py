"""Attention between two recurrent networks: a weighted mean of what was read.

Bahdanau, Cho, Bengio: Neural machine translation by jointly learning to align and translate, 2015;
Luong, Pham, Manning: Effective approaches to attention-based neural machine translation, 2015.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError


def weighted_mean(
    scores: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sum_j a_j h_j and the weights a = softmax(scores), 0 where the mask is False.

    Shape:
        scores (N, S), memory (N, S, H), mask (N, S) -> (N, H), (N, S)

    Source: Bahdanau et al. 2015, equations 5 and 6.
    """
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=1)
    return (weights.unsqueeze(1) @ memory).squeeze(1), weights


class AdditiveAttention(nn.Module):
    """Bahdanau's score: v^T tanh(W_a s + U_a h_j).

    Shape:
        query (N, query_size), memory (N, S, key_size), mask (N, S) -> context (N, key_size),
        weights (N, S)

    Args:
        query_size, key_size: features of the decoder's and the encoder's states.
        hidden_size: features inside the tanh.

    Source: Bahdanau et al. 2015, appendix A.1.2.

    Example:
        >>> import lampion as torch
        >>> look = AdditiveAttention(6, 4, 8)
        >>> context, weights = look(
        ...     torch.zeros(2, 6), torch.zeros(2, 5, 4), torch.ones(2, 5, dtype=torch.bool))
        >>> context.shape, weights.shape
        (torch.Size([2, 4]), torch.Size([2, 5]))
    """

    def __init__(self, query_size: int, key_size: int, hidden_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.key = nn.Linear(key_size, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def forward(
        self, query: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        inside = torch.tanh(self.query(query).unsqueeze(1) + self.key(memory))
        return weighted_mean(self.score(inside).squeeze(2), memory, mask)


class LuongAttention(nn.Module):
    """Luong's scores: dot h^T h_j, general h^T W h_j, concat v^T tanh(W [h; h_j]).

    Shape:
        query (N, hidden_size), memory (N, S, hidden_size), mask (N, S) -> context (N,
        hidden_size), weights (N, S)

    Args:
        hidden_size: features of both networks' states.
        score: dot, general or concat.

    Raises:
        ArgumentError: another score.

    Source: Luong et al. 2015, equation 8.

    Example:
        >>> import lampion as torch
        >>> states = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> mask = torch.ones(1, 2, dtype=torch.bool)
        >>> context, weights = LuongAttention(2, "dot")(torch.tensor([[9.0, 0.0]]), states, mask)
        >>> [round(x, 3) for x in weights[0].tolist()]
        [1.0, 0.0]
    """

    def __init__(self, hidden_size: int, score: str = "general") -> None:
        super().__init__()
        self.kind = score
        if score == "general":
            self.weight = nn.Linear(hidden_size, hidden_size, bias=False)
        elif score == "concat":
            self.weight = nn.Linear(2 * hidden_size, hidden_size, bias=False)
            self.v = nn.Linear(hidden_size, 1, bias=False)
        elif score != "dot":
            raise ArgumentError(f"LuongAttention: score is {score!r}",
                                why="the paper has dot, general and concat", fix='score="dot"')

    def forward(
        self, query: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.kind == "concat":
            both = torch.cat([query.unsqueeze(1).expand(memory.shape), memory], dim=2)
            scores = self.v(torch.tanh(self.weight(both))).squeeze(2)
        else:
            keys = memory if self.kind == "dot" else self.weight(memory)
            scores = (keys @ query.unsqueeze(2)).squeeze(2)
        return weighted_mean(scores, memory, mask)
