"""ViT: a picture is a sentence of patches.

Dosovitskiy et al.: An image is worth 16x16 words: transformers for image recognition at scale, 2021
(figure 1, equations 1 to 4, table 1). Layers and arguments are named as in torchvision, so its
published weights fit.
"""

from __future__ import annotations

from collections import OrderedDict

import lampion as torch
from lampion import nn
from lampion.errors import ShapeError, shape_text


class EncoderBlock(nn.Module):
    """z' = MSA(LN(z)) + z, then z = MLP(LN(z')) + z'.

    Shape:
        (N, T, hidden_dim) -> (N, T, hidden_dim)

    Source: Dosovitskiy et al. 2021, equations 2 and 3.
    """

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_dim, mlp_dim), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(mlp_dim, hidden_dim), nn.Dropout(dropout))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Positions are added, then come the blocks and a last normalisation.

    Shape:
        (N, seq_length, hidden_dim) -> (N, seq_length, hidden_dim)
    """

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
        dropout: float, attention_dropout: float,
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(OrderedDict(
            (f"encoder_layer_{number}",
             EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout))
            for number in range(num_layers)))
        self.ln = nn.LayerNorm(hidden_dim, eps=1e-6)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """Patches become tokens; a token of its own gathers what the scores are made of.

    Shape:
        (N, 3, image_size, image_size) -> (N, num_classes)

    Args:
        image_size: height and width, in pixels.
        patch_size: height and width of a patch; divides image_size.
        num_layers: blocks.
        num_heads: heads; divides hidden_dim.
        hidden_dim: features of a token.
        mlp_dim: features inside the feed-forward layers.
        dropout, attention_dropout: probabilities of zeroing, in [0, 1].
        num_classes: number of scores.

    Raises:
        ShapeError: patch_size does not divide image_size, or a picture of another size.

    86,567,656 parameters for `vit_b_16` with 1,000 classes (table 1: 86M).

    Source: Dosovitskiy et al. 2021, equations 1 to 4.

    Example:
        >>> import lampion as torch
        >>> model = VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32)
        >>> model(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 1000])
    """

    def __init__(
        self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int,
        mlp_dim: int, dropout: float = 0.0, attention_dropout: float = 0.0,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ShapeError(
                f"VisionTransformer: image_size is {image_size}, patch_size {patch_size}",
                why="a picture is cut into whole patches")
        self.image_size, self.patch_size = image_size, patch_size
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(hidden_dim, num_classes)))
        nn.init.normal_(self.conv_proj.weight, std=(3 * patch_size**2) ** -0.5)
        nn.init.zeros_(self.conv_proj.bias)
        nn.init.zeros_(self.heads[0].weight)
        nn.init.zeros_(self.heads[0].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-2:] != (self.image_size, self.image_size):
            raise ShapeError(
                f"VisionTransformer: the pictures are {shape_text(x.shape)}",
                why=f"its positions are for {self.image_size}x{self.image_size} pixels")
        tokens = self.conv_proj(x).flatten(2).transpose(1, 2)
        first = self.class_token.expand(x.shape[0], -1, -1)
        return self.heads(self.encoder(torch.cat([first, tokens], dim=1))[:, 0])


def vit_b_16(num_classes: int = 1000, image_size: int = 224) -> VisionTransformer:
    """Return ViT-B/16: 12 blocks of 768 features, patches of 16x16 (table 1, Base)."""
    return VisionTransformer(image_size, 16, 12, 12, 768, 3072, num_classes=num_classes)
