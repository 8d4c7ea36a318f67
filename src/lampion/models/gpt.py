"""GPT: a stack of masked self-attention that guesses the next token.

Radford, Wu, Child, Luan, Amodei, Sutskever: Language models are unsupervised multitask learners,
2019 (GPT-2: section 2.3 and table 2). Layers and arguments are named as in Karpathy's nanoGPT;
`load_gpt2_state_dict` takes the published weights of GPT-2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError, HeadsError, ShapeError, StateDictError, shape_text
from lampion.nn import functional as F

# GPT-2's published weights hold these four transposed: its layer `Conv1D` computes x W, not x W^T.
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
MASKS = (".attn.bias", ".attn.masked_bias")  # causal masks, which are not weights


@dataclass
class GPTConfig:
    """The sizes of a `GPT`; the defaults are the smallest GPT-2 (table 2: 117M, in truth 124M).

    Args:
        block_size: the longest sequence.
        vocab_size: number of tokens.
        n_layer: blocks.
        n_head: heads; divides n_embd.
        n_embd: features.
        dropout: probability of zeroing a feature, in [0, 1].
        bias: let linear layers and LayerNorms have biases, as GPT-2 does.

    Example:
        >>> GPTConfig(n_layer=2).n_embd
        768
    """

    block_size: int = 1024
    vocab_size: int = 50257
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.0
    bias: bool = True


class CausalSelfAttention(nn.Module):
    """Each place looks at itself and at what came before.

    Shape:
        (N, T, n_embd) -> (N, T, n_embd)

    Raises:
        HeadsError: n_head does not divide n_embd.

    Source: Vaswani et al. 2017, equation 1, with a mask.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        if config.n_embd % config.n_head:
            raise HeadsError(f"GPT: n_embd is {config.n_embd}, n_head {config.n_head}",
                             why="every head has n_embd / n_head features")
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head, self.dropout = config.n_head, config.dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.unflatten(2, (self.n_head, -1)).transpose(1, 2)
                   for part in self.c_attn(x).split(x.shape[2], dim=2))
        y = F.scaled_dot_product_attention(
            q, k, v, is_causal=True, dropout_p=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(y.transpose(1, 2).flatten(2)))


class MLP(nn.Module):
    """Four times as wide, GELU, and back.

    Shape:
        (*, n_embd) -> (*, n_embd)

    Source: Hendrycks and Gimpel 2016, Gaussian error linear units, the approximation by tanh.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)).

    Shape:
        (N, T, n_embd) -> (N, T, n_embd)

    Source: Radford et al. 2019, section 2.3: the normalisation stands before each sublayer.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Token and position embeddings, blocks, a score for every token as the next.

    Shape:
        idx (N, T) of token numbers, targets (N, T) -> scores (N, T, vocab_size) and the mean
        loss; without targets the scores of the last place alone, (N, 1, vocab_size), and None.

    Args:
        config: the sizes. The output shares the weights of the token embedding.

    Raises:
        ShapeError: a sequence longer than block_size.

    124,439,808 parameters with the default sizes.

    Source: Radford et al. 2019, section 2.3.

    Example:
        >>> import lampion as torch
        >>> model = GPT(GPTConfig(block_size=8, vocab_size=65, n_layer=2, n_head=2, n_embd=16))
        >>> idx = torch.zeros(3, 8, dtype=torch.long)
        >>> scores, loss = model(idx, targets=idx)
        >>> scores.shape, loss.shape
        (torch.Size([3, 8, 65]), torch.Size([]))
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(config.vocab_size, config.n_embd),
            "wpe": nn.Embedding(config.block_size, config.n_embd),
            "drop": nn.Dropout(config.dropout),
            "h": nn.ModuleList(Block(config) for _ in range(config.n_layer)),
            "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
        })
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer["wte"].weight = self.lm_head.weight
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        # What is added to the residual path starts smaller the more layers add to it.
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer))

    def forward(
        self, idx: torch.Tensor, targets: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        length, longest = idx.shape[1], self.config.block_size
        if length > longest:
            raise ShapeError(f"GPT: the tokens are {shape_text(idx.shape)}",
                             why=f"a sequence has at most block_size = {longest} tokens",
                             fix=f"idx[:, -{longest}:]")
        x = self.transformer["wte"](idx) + self.transformer["wpe"](torch.arange(length))
        x = self.transformer["drop"](x)
        for block in self.transformer["h"]:
            x = block(x)
        x = self.transformer["ln_f"](x)
        if targets is None:
            return self.lm_head(x[:, -1:]), None
        scores = self.lm_head(x)
        loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=-1)
        return scores, loss

    @torch.no_grad()
    def generate(
        self, idx: torch.Tensor, max_new_tokens: int, temperature: float = 1.0,
        top_k: int | None = None,
    ) -> torch.Tensor:
        """Draw tokens one after the other, each from softmax(scores / temperature).

        Shape:
            (N, T) -> (N, T + max_new_tokens)

        Args:
            temperature: below 1 prefers the probable, above 1 the improbable; > 0.
            top_k: draw from the k most probable tokens only; 1 is greedy. None for all.

        Raises:
            ArgumentError: a temperature that is not positive.

        Source: top_k: Fan, Lewis, Dauphin 2018, Hierarchical neural story generation.
        """
        if not temperature > 0:
            raise ArgumentError(f"GPT.generate: temperature is {temperature}",
                                why="scores are divided by it",
                                fix="top_k=1 for the most probable token")
        for _ in range(max_new_tokens):
            scores = self(idx[:, -self.config.block_size:])[0][:, -1] / temperature
            if top_k is not None:
                least = scores.topk(min(top_k, scores.shape[1])).values[:, -1:]
                scores = scores.masked_fill(scores < least, float("-inf"))
            token = torch.multinomial(torch.softmax(scores, dim=1), num_samples=1)
            idx = torch.cat([idx, token], dim=1)
        return idx


def load_gpt2_state_dict(model: GPT, state_dict: Mapping[str, torch.Tensor]) -> None:
    """Copy the published weights of GPT-2 into a model of the same sizes.

    Names are taken with and without the prefix `transformer.`; the masks among them are left out,
    and the four matrices of every block that GPT-2's `Conv1D` holds as (in, out) are transposed.

    Args:
        model: a `GPT` with bias.
        state_dict: what `lampion.load` reads from `model.safetensors` or `pytorch_model.bin`.

    Raises:
        StateDictError: a weight is missing, unknown, or of another shape.
    """
    own = model.state_dict()
    given: dict[str, torch.Tensor] = {}
    for name, weight in state_dict.items():
        if name.endswith(MASKS):
            continue
        if name != "lm_head.weight" and not name.startswith("transformer."):
            name = "transformer." + name
        given[name] = weight.t() if name.endswith(TRANSPOSED) else weight
    given.setdefault("lm_head.weight", given.get("transformer.wte.weight", torch.zeros(0)))
    missing, unknown = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    wrong = [f"{name} is {shape_text(given[name].shape)}, not {shape_text(own[name].shape)}"
             for name in own if name in given and own[name].shape != given[name].shape]
    if missing or unknown or wrong:
        raise StateDictError(
            f"load_gpt2_state_dict: missing {missing}, unknown {unknown}, {'; '.join(wrong)}",
            why="the weights belong to a model of other sizes", fix="GPT(GPTConfig(n_layer=...))")
    model.load_state_dict(given)
