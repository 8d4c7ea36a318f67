"""Transformers."""

from __future__ import annotations

from typing import Any

from .case import Program, Setting, case, cycle, learn


@case("transformer", "Encoder: 2 layers of 64 with 4 heads, 32 positions, batch 16, AdamW")
def encoder(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    length, size = setting.size(32, 6), setting.size(16, 3)

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = nn.Embedding(1000, 64), nn.Embedding(length, 64)
            layer = nn.TransformerEncoderLayer(
                64, 4, 128, setting.dropout(0.1), activation="gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.head = nn.Linear(64, 4)

        def forward(self, x):
            x = self.tokens(x) + self.places(torch.arange(x.shape[1]))
            return self.head(self.encoder(x).mean(dim=1))

    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    rows = cycle(torch, lambda r: r.integers(0, 1000, (size, length)),
                 lambda r: r.integers(0, 4, size))

    def step() -> float:
        x, y = next(rows)
        return learn(optimizer, nn.functional.cross_entropy(model(x), y))

    return Program([model], step)


WORDS = 65  # the characters of Shakespeare's works


def gpt_network(torch: Any, setting: Setting) -> Any:
    """nanoGPT's model in the size it has for a processor: 4 layers, 4 heads, width 128."""
    nn, F = torch.nn, torch.nn.functional
    width, heads, block = 128, 4, setting.size(64, 8)

    class SelfAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn = nn.Linear(width, 3 * width, bias=False)
            self.c_proj = nn.Linear(width, width, bias=False)

        def forward(self, x):
            B, T, C = x.size()
            q, k, v = self.c_attn(x).split(width, dim=2)
            q, k, v = (t.view(B, T, heads, C // heads).transpose(1, 2) for t in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
            self.attn = SelfAttention()
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width, bias=False), nn.GELU(),
                nn.Linear(4 * width, width, bias=False))

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(WORDS, width), nn.Embedding(block, width)
            self.h = nn.ModuleList([Block() for _ in range(setting.size(4, 1))])
            self.ln_f = nn.LayerNorm(width, bias=False)
            self.lm_head = nn.Linear(width, WORDS, bias=False)
            self.lm_head.weight = self.wte.weight

        def forward(self, tokens):
            x = self.wte(tokens) + self.wpe(torch.arange(tokens.size(1)))
            for layer in self.h:
                x = layer(x)
            return self.lm_head(self.ln_f(x))

    return GPT()


@case("gpt", "GPT: 4 layers of 128, block 64, batch 12, AdamW with clipping", reference=30.9)
def gpt(torch: Any, setting: Setting) -> Program:
    model = gpt_network(torch, setting)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    size, block = setting.size(12, 2), setting.size(64, 8)
    rows = cycle(torch, lambda r: r.integers(0, WORDS, (size, block + 1)))

    def step() -> float:
        (tokens,) = next(rows)
        logits = model(tokens[:, :-1])
        loss = torch.nn.functional.cross_entropy(
            logits.view(-1, WORDS), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return Program([model], step)
