"""The Transformer as it was published: attention written out, so that it can be read.

Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin: Attention is all you need,
2017 (figure 1). `torch.nn.Transformer` holds the same layers, ready made.
"""

from __future__ import annotations

import math

import lampion as torch
from lampion import nn
from lampion.errors import HeadsError, ShapeError, shape_text


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None,
    dropout: nn.Module | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return softmax(Q K^T / sqrt(d_k)) V and the weights.

    Shape:
        query (*, L, d_k), key (*, S, d_k), value (*, S, d_v) -> (*, L, d_v), weights (*, L, S)

    Args:
        mask: broadcasts to (*, L, S); True where a query may look.
        dropout: applied to the weights.

    Source: Vaswani et al. 2017, equation 1.

    Example:
        >>> import lampion as torch
        >>> x = torch.eye(3)
        >>> attention(x, x, x, torch.ones(3, 3, dtype=torch.bool).tril())[1][0].tolist()
        [1.0, 0.0, 0.0]
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    if dropout is not None:
        weights = dropout(weights)
    return weights @ value, weights


def sinusoidal_positions(length: int, d_model: int) -> torch.Tensor:
    """Return PE(pos, 2i) = sin(pos / 10000^(2i / d_model)), PE(pos, 2i + 1) = cos of the same.

    Shape:
        (length, d_model)

    Source: Vaswani et al. 2017, section 3.5.

    Example:
        >>> sinusoidal_positions(2, 4)[0].tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    position = torch.arange(length).float().unsqueeze(1)
    rate = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
    table = torch.zeros(length, d_model)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate)[:, : d_model // 2]
    return table


class MultiHeadAttention(nn.Module):
    """Attention in `nhead` subspaces: Concat(head_1 .. head_h) W^O.

    Shape:
        query (N, L, d_model), key and value (N, S, d_model), mask (N, 1, L or 1, S) ->
        (N, L, d_model)

    Args:
        d_model: features.
        nhead: heads; divides d_model.
        dropout: probability of leaving a weight out, in [0, 1].

    Raises:
        HeadsError: nhead does not divide d_model.

    Source: Vaswani et al. 2017, section 3.2.2 and figure 2.
    """

    def __init__(self, d_model: int, nhead: int, dropout: float = 0.0) -> None:
        super().__init__()
        if d_model % nhead:
            raise HeadsError(f"MultiHeadAttention: d_model is {d_model}, nhead {nhead}",
                             why="every head has d_model / nhead features")
        self.nhead = nhead
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """N x L x d_model -> N x heads x L x d_k."""
        return x.unflatten(2, (self.nhead, -1)).transpose(1, 2)

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        heads, _ = attention(
            self._heads(self.q_proj(query)), self._heads(self.k_proj(key)),
            self._heads(self.v_proj(value)), mask, self.dropout)
        return self.out_proj(heads.transpose(1, 2).flatten(2))


def feed_forward(d_model: int, dim_feedforward: int, dropout: float) -> nn.Sequential:
    """Return max(0, x W_1 + b_1) W_2 + b_2 (Vaswani et al. 2017, equation 2)."""
    return nn.Sequential(
        nn.Linear(d_model, dim_feedforward), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(dim_feedforward, d_model))


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, each as LayerNorm(x + sublayer(x)).

    Shape:
        x (N, S, d_model), mask (N, 1, 1, S) -> (N, S, d_model)

    Source: Vaswani et al. 2017, section 3.1 and figure 1 on the left.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(d_model, nhead, dropout)
        self.feed_forward = feed_forward(d_model, dim_feedforward, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.norm1(x + self.dropout(self.self_attn(x, x, x, mask)))
        return self.norm2(x + self.dropout(self.feed_forward(x)))


class DecoderLayer(nn.Module):
    """Masked self-attention, attention to the source, feed-forward.

    Shape:
        x (N, T, d_model), memory (N, S, d_model), tgt_mask (N, 1, T, T), src_mask (N, 1, 1, S) ->
        (N, T, d_model)

    Source: Vaswani et al. 2017, section 3.1 and figure 1 on the right.
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiHeadAttention(d_model, nhead, dropout)
        self.cross_attn = MultiHeadAttention(d_model, nhead, dropout)
        self.feed_forward = feed_forward(d_model, dim_feedforward, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.norm3 = nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: torch.Tensor, memory: torch.Tensor, tgt_mask: torch.Tensor, src_mask: torch.Tensor
    ) -> torch.Tensor:
        x = self.norm1(x + self.dropout(self.self_attn(x, x, x, tgt_mask)))
        x = self.norm2(x + self.dropout(self.cross_attn(x, memory, memory, src_mask)))
        return self.norm3(x + self.dropout(self.feed_forward(x)))


class Transformer(nn.Module):
    """Translate: an encoder reads word numbers, a decoder scores the next word at every place.

    Shape:
        src (N, S), tgt (N, T) of word numbers -> scores (N, T, tgt_vocab_size)

    Args:
        src_vocab_size, tgt_vocab_size: words in the two vocabularies.
        d_model: features, 512 in the paper.
        nhead: heads.
        num_encoder_layers, num_decoder_layers: how many.
        dim_feedforward: features inside the feed-forward layers.
        dropout: probability of zeroing a feature, in [0, 1].
        max_len: the longest sequence.
        pad_token: the number that fills short sentences up; never looked at.
        share_embeddings: one matrix for both embeddings and the output (section 3.4); the
            vocabularies must be one. Otherwise target embedding and output share theirs.

    Raises:
        ShapeError: a sequence longer than max_len, or vocabularies that cannot share.

    Source: Vaswani et al. 2017, figure 1 and table 3 (base).

    Example:
        >>> import lampion as torch
        >>> model = Transformer(20, 30, d_model=16, nhead=2, dim_feedforward=32)
        >>> model(torch.ones(2, 7, dtype=torch.long), torch.ones(2, 5, dtype=torch.long)).shape
        torch.Size([2, 5, 30])
    """

    def __init__(
        self, src_vocab_size: int, tgt_vocab_size: int, d_model: int = 512, nhead: int = 8,
        num_encoder_layers: int = 6, num_decoder_layers: int = 6, dim_feedforward: int = 2048,
        dropout: float = 0.1, max_len: int = 512, pad_token: int = 0,
        share_embeddings: bool = False,
    ) -> None:
        super().__init__()
        if share_embeddings and src_vocab_size != tgt_vocab_size:
            raise ShapeError(
                f"Transformer: vocabularies of {src_vocab_size} and {tgt_vocab_size} words",
                why="share_embeddings takes one vocabulary for both languages")
        self.d_model, self.pad_token = d_model, pad_token
        settings = (d_model, nhead, dim_feedforward, dropout)
        self.tgt_embedding = nn.Embedding(tgt_vocab_size, d_model)
        self.src_embedding = (
            self.tgt_embedding if share_embeddings else nn.Embedding(src_vocab_size, d_model))
        self.encoder = nn.ModuleList(EncoderLayer(*settings) for _ in range(num_encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(*settings) for _ in range(num_decoder_layers))
        self.output = nn.Linear(d_model, tgt_vocab_size, bias=False)
        self.dropout = nn.Dropout(dropout)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for embedding in (self.src_embedding, self.tgt_embedding):
            nn.init.normal_(embedding.weight, std=d_model**-0.5)
        self.output.weight = self.tgt_embedding.weight
        self.register_buffer(
            "positions", sinusoidal_positions(max_len, d_model), persistent=False)

    def _embed(self, embedding: nn.Module, words: torch.Tensor) -> torch.Tensor:
        length, longest = words.shape[1], len(self.positions)
        if length > longest:
            raise ShapeError(f"Transformer: words are {shape_text(words.shape)}",
                             why=f"a sequence has at most max_len = {longest} words",
                             fix=f"Transformer(..., max_len={length})")
        x = embedding(words) * math.sqrt(self.d_model) + self.positions[:length]
        return self.dropout(x)

    def source_mask(self, src: torch.Tensor) -> torch.Tensor:
        """Return True where there is a word: N x 1 x 1 x S."""
        return (src != self.pad_token)[:, None, None]

    def target_mask(self, tgt: torch.Tensor) -> torch.Tensor:
        """Return True where a place may look, at words up to its own: N x 1 x T x T."""
        length = tgt.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        # The first place may always look at itself, so that no row is empty.
        words = (tgt != self.pad_token)[:, None, None] | torch.eye(length, dtype=torch.bool)
        return causal & words

    def encode(self, src: torch.Tensor) -> torch.Tensor:
        """Read the source: (N, S) -> (N, S, d_model)."""
        x, mask = self._embed(self.src_embedding, src), self.source_mask(src)
        for layer in self.encoder:
            x = layer(x, mask)
        return x

    def decode(
        self, tgt: torch.Tensor, memory: torch.Tensor, src_mask: torch.Tensor
    ) -> torch.Tensor:
        """Score the next word at every place: (N, T) -> (N, T, tgt_vocab_size)."""
        x, mask = self._embed(self.tgt_embedding, tgt), self.target_mask(tgt)
        for layer in self.decoder:
            x = layer(x, memory, mask, src_mask)
        return self.output(x)

    def forward(self, src: torch.Tensor, tgt: torch.Tensor) -> torch.Tensor:
        return self.decode(tgt, self.encode(src), self.source_mask(src))

    @torch.no_grad()
    def greedy_decode(
        self, src: torch.Tensor, start: int, end: int, max_len: int = 50
    ) -> torch.Tensor:
        """Write the most probable word again and again, until all sentences have ended.

        Shape:
            src (N, S) -> (N, T), beginning with `start`, filled up with padding after `end`
        """
        memory, mask = self.encode(src), self.source_mask(src)
        tgt = torch.full((src.shape[0], 1), start)
        ended = torch.zeros(src.shape[0], dtype=torch.bool)
        for _ in range(max_len):
            word = self.decode(tgt, memory, mask)[:, -1].argmax(1)
            word = word.masked_fill(ended, self.pad_token)
            tgt = torch.cat([tgt, word[:, None]], dim=1)
            ended = ended | (word == end)
            if ended.all():
                break
        return tgt
