"""Attention with several heads."""

from __future__ import annotations

from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.attention_backends import SDPBackend, sdpa_kernel
from lampion.nn.common import empty_parameter
from lampion.nn.linear import NonDynamicallyQuantizableLinear
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.tensor import Tensor

__all__ = ["MultiheadAttention", "SDPBackend", "sdpa_kernel"]


class MultiheadAttention(Module):
    """softmax(Q K^T / sqrt(d)) V in each head, of projected queries, keys and values.

    Shape:
        query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim) -> (L, N, embed_dim) and
        weights (N, L, S), or (N, heads, L, S) with average_attn_weights=False; N stands first
        with batch_first, and is absent for one sample.

    Args:
        embed_dim: features of the query and of the output.
        num_heads: divides embed_dim.
        dropout: probability of leaving out an attention weight while training.
        bias: False leaves out the biases of the projections.
        add_bias_kv: one more key and value, learned, that every query sees.
        add_zero_attn: one more key and value of zeros.
        kdim, vdim: features of keys and values; None for embed_dim.
        batch_first: see Shape.
        device, dtype: of the parameters.

    Raises:
        ArgumentError: a size is not positive, or num_heads does not divide embed_dim.

    Source: Vaswani et al. 2017, section 3.2.2, https://arxiv.org/abs/1706.03762

    Example:
        >>> import lampion as torch
        >>> x = torch.zeros(5, 2, 8)
        >>> output, weights = torch.nn.MultiheadAttention(8, 4)(x, x, x)
        >>> output.shape, weights.shape
        (torch.Size([5, 2, 8]), torch.Size([2, 5, 5]))
    """

    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise errors.ArgumentError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead")
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise errors.HeadsError(
                f"embed_dim must be divisible by num_heads, got embed_dim={embed_dim} and "
                f"num_heads={num_heads}", why="each head takes an equal share of the features")
        together = self._qkv_same_embed_dim
        shapes = {
            "q_proj_weight": None if together else (embed_dim, embed_dim),
            "k_proj_weight": None if together else (embed_dim, self.kdim),
            "v_proj_weight": None if together else (embed_dim, self.vdim),
            "in_proj_weight": (3 * embed_dim, embed_dim) if together else None,
            "in_proj_bias": (3 * embed_dim,) if bias else None,
        }
        for name, shape in shapes.items():
            self.register_parameter(
                name, None if shape is None else empty_parameter(shape, device, dtype))
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        if add_bias_kv:
            self.bias_k = empty_parameter((1, 1, embed_dim), device, dtype)
            self.bias_v = empty_parameter((1, 1, embed_dim), device, dtype)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None,
        average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            key_padding_mask: (N, S); True (or -inf) for keys that nobody may look at.
            need_weights: return the attention weights, too.
            attn_mask: (L, S) or (N * heads, L, S); True (or -inf) where a query may not look.
            average_attn_weights: the mean over the heads instead of each head's weights.
            is_causal: `attn_mask` is the causal mask (a hint; the mask must be given).
        """
        turned = self.batch_first and query.dim() == 3
        if turned:
            query, key, value = _turned(query, key, value)
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights,
            is_causal=is_causal)
        return output.transpose(0, 1) if turned else output, weights


def _turned(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Put the sequence first; what was one tensor stays one, for a single projection."""
    first = query.transpose(0, 1)
    second = first if key is query else key.transpose(0, 1)
    if value is key:
        return first, second, second
    return first, second, first if value is query else value.transpose(0, 1)
