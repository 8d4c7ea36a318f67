"""BERT: an encoder that reads in both directions, trained on words that were hidden.

Devlin, Chang, Lee, Toutanova: BERT: pre-training of deep bidirectional transformers for language
understanding, 2019 (section 3; figure 2: the embeddings; appendix A.1: masking). Layers and
arguments are named as those of BertModel in Hugging Face's transformers.
"""

from __future__ import annotations

import lampion as torch
from lampion import nn
from lampion.errors import HeadsError, ShapeError, shape_text
from lampion.nn import functional as F


class BertEmbeddings(nn.Module):
    """The sum of word, position and segment embeddings, normalised.

    Shape:
        input_ids (N, T), token_type_ids (N, T) -> (N, T, hidden_size)

    Source: Devlin et al. 2019, figure 2.
    """

    def __init__(
        self, vocab_size: int, hidden_size: int, max_position_embeddings: int,
        type_vocab_size: int, layer_norm_eps: float, dropout: float, pad_token_id: int,
    ) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, hidden_size, padding_idx=pad_token_id)
        self.position_embeddings = nn.Embedding(max_position_embeddings, hidden_size)
        self.token_type_embeddings = nn.Embedding(type_vocab_size, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        length, longest = input_ids.shape[1], self.position_embeddings.weight.shape[0]
        if length > longest:
            raise ShapeError(f"BertModel: input_ids are {shape_text(input_ids.shape)}",
                             why=f"a sequence has at most {longest} tokens",
                             fix=f"input_ids[:, :{longest}]")
        x = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        x = x + self.position_embeddings(torch.arange(length))
        return self.dropout(self.LayerNorm(x))


class BertSelfAttention(nn.Module):
    """Attention in several heads, without the last product.

    Shape:
        (N, T, hidden_size), mask (N, 1, 1, T) -> (N, T, hidden_size)
    """

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        if hidden_size % heads:
            raise HeadsError(f"BertModel: hidden_size is {hidden_size}, heads are {heads}",
                             why="every head has hidden_size / num_attention_heads features")
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for part in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0)
        return y.transpose(1, 2).flatten(2)


class BertOutput(nn.Module):
    """LayerNorm(x + dropout(W h)): the end of each sublayer.

    Shape:
        hidden (N, T, in_features), x (N, T, hidden_size) -> (N, T, hidden_size)
    """

    def __init__(
        self, in_features: int, hidden_size: int, layer_norm_eps: float, dropout: float
    ) -> None:
        super().__init__()
        self.dense = nn.Linear(in_features, hidden_size)
        self.LayerNorm = nn.LayerNorm(hidden_size, eps=layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(x + self.dropout(self.dense(hidden)))


class BertLayer(nn.Module):
    """Self-attention and a feed-forward layer with GELU.

    Shape:
        (N, T, hidden_size), mask (N, 1, 1, T) -> (N, T, hidden_size)
    """

    def __init__(
        self, hidden_size: int, heads: int, intermediate_size: int, layer_norm_eps: float,
        hidden_dropout: float, attention_dropout: float,
    ) -> None:
        super().__init__()
        ending = (hidden_size, layer_norm_eps, hidden_dropout)
        self.attention = nn.ModuleDict({
            "self": BertSelfAttention(hidden_size, heads, attention_dropout),
            "output": BertOutput(hidden_size, *ending),
        })
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(hidden_size, intermediate_size)})
        self.output = BertOutput(intermediate_size, *ending)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.attention["output"](self.attention["self"](x, mask), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class BertModel(nn.Module):
    """The encoder, and a summary of each sequence from its first token, [CLS].

    Shape:
        input_ids (N, T) -> states (N, T, hidden_size), summary (N, hidden_size)

    Args:
        vocab_size: number of tokens.
        hidden_size: features.
        num_hidden_layers: layers.
        num_attention_heads: heads; divides hidden_size.
        intermediate_size: features inside the feed-forward layers.
        hidden_dropout_prob, attention_probs_dropout_prob: probabilities of zeroing, in [0, 1].
        max_position_embeddings: the longest sequence.
        type_vocab_size: number of segments.
        layer_norm_eps: added to variances.
        pad_token_id: the token that fills short sequences up.

    Raises:
        ShapeError: a sequence that is too long.
        HeadsError: the heads do not divide the features.

    109,482,240 parameters with the default sizes (section 3: BERT-base, 110M).

    Source: Devlin et al. 2019, section 3.

    Example:
        >>> import lampion as torch
        >>> model = BertModel(100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        ...                   intermediate_size=32)
        >>> states, summary = model(torch.ones(3, 7, dtype=torch.long))
        >>> states.shape, summary.shape
        (torch.Size([3, 7, 16]), torch.Size([3, 16]))
    """

    def __init__(
        self, vocab_size: int = 30522, hidden_size: int = 768, num_hidden_layers: int = 12,
        num_attention_heads: int = 12, intermediate_size: int = 3072,
        hidden_dropout_prob: float = 0.1, attention_probs_dropout_prob: float = 0.1,
        max_position_embeddings: int = 512, type_vocab_size: int = 2,
        layer_norm_eps: float = 1e-12, pad_token_id: int = 0,
    ) -> None:
        super().__init__()
        self.vocab_size, self.hidden_size, self.pad_token_id = vocab_size, hidden_size, pad_token_id
        self.layer_norm_eps = layer_norm_eps
        self.embeddings = BertEmbeddings(
            vocab_size, hidden_size, max_position_embeddings, type_vocab_size, layer_norm_eps,
            hidden_dropout_prob, pad_token_id)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(
            BertLayer(hidden_size, num_attention_heads, intermediate_size, layer_norm_eps,
                      hidden_dropout_prob, attention_probs_dropout_prob)
            for _ in range(num_hidden_layers))})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(hidden_size, hidden_size)})
        self.apply(initialise)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the tokens.

        Args:
            attention_mask: (N, T), 1 where there is a token; by default all that is not padding.
            token_type_ids: (N, T), the segment of each token; by default 0.
        """
        if attention_mask is None:
            attention_mask = input_ids != self.pad_token_id
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        mask = attention_mask.bool()[:, None, None]
        x = self.embeddings(input_ids, token_type_ids)
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler["dense"](x[:, 0]))


def initialise(module: nn.Module) -> None:
    """Give a layer its first values: normal with deviation 0.02, biases 0."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


class MaskedLanguageModel(nn.Module):
    """A `BertModel` that guesses the tokens that were hidden from it.

    Shape:
        input_ids (N, T) -> scores (N, T, vocab_size)

    Args:
        bert: the encoder; its word embedding serves as output too.

    Source: Devlin et al. 2019, section 3.1, task 1.

    Example:
        >>> import lampion as torch
        >>> model = MaskedLanguageModel(BertModel(50, 16, 1, 2, 32))
        >>> model(torch.ones(2, 5, dtype=torch.long)).shape
        torch.Size([2, 5, 50])
    """

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert
        self.dense = nn.Linear(bert.hidden_size, bert.hidden_size)
        self.norm = nn.LayerNorm(bert.hidden_size, eps=bert.layer_norm_eps)
        self.decoder = nn.Linear(bert.hidden_size, bert.vocab_size)
        for layer in (self.dense, self.decoder):
            initialise(layer)
        self.decoder.weight = bert.embeddings.word_embeddings.weight

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        states, _ = self.bert(input_ids, attention_mask)
        return self.decoder(self.norm(F.gelu(self.dense(states))))


def mask_tokens(
    input_ids: torch.Tensor, mask_token_id: int, vocab_size: int, special: tuple[int, ...] = (),
    probability: float = 0.15,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hide tokens: of those chosen 80 % become the mask, 10 % another token, 10 % stay.

    Shape:
        (N, T) -> inputs (N, T), labels (N, T): the token where one was chosen, -100 elsewhere,
        which `cross_entropy` leaves out.

    Args:
        mask_token_id: the number of [MASK].
        vocab_size: number of tokens.
        special: tokens that are never chosen, such as [CLS] and padding.
        probability: of choosing a token, in [0, 1].

    Source: Devlin et al. 2019, section 3.1 and appendix A.1.

    Example:
        >>> import lampion as torch
        >>> inputs, labels = mask_tokens(torch.tensor([[1, 7, 8]]), 4, 50, special=(1,))
        >>> labels[0, 0].item()
        -100
    """
    chosen = torch.rand(input_ids.shape) < probability
    for token in special:
        chosen = chosen & (input_ids != token)
    fate = torch.rand(input_ids.shape)
    labels = input_ids.masked_fill(~chosen, -100)
    inputs = torch.where(chosen & (fate < 0.8), torch.full_like(input_ids, mask_token_id),
                         input_ids)
    other = torch.randint(vocab_size, input_ids.shape)
    return torch.where(chosen & (fate >= 0.9), other, inputs), labels
