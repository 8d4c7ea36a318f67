"""The layers of a transformer: attention and a net, each with a shortcut and a norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lampion import errors
from lampion.nn import functional as F
from lampion.nn.activation import GELU, ReLU
from lampion.nn.attention import MultiheadAttention
from lampion.nn.dropout import Dropout
from lampion.nn.linear import Linear
from lampion.nn.module import Module
from lampion.nn.normalization import LayerNorm
from lampion.tensor import Tensor

Activation = str | Callable[[Tensor], Tensor]


def _activation(given: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(given, str):
        return given
    if given not in ("relu", "gelu"):
        raise errors.StateError(f"activation should be relu/gelu, not {given}",
                                fix="activation='gelu', or any function of a tensor")
    return F.relu if given == "relu" else F.gelu


class TransformerEncoderLayer(Module):
    """Self-attention and a feed-forward net.

    y = norm1(x + attention(x)), norm2(y + W2 activation(W1 y)); with norm_first the norms stand
    before attention and net instead.

    Shape:
        (S, N, d_model) -> the same; N stands first with batch_first, and is absent for one sample.

    Args:
        d_model: features.
        nhead: heads; divides d_model.
        dim_feedforward: features inside the net.
        dropout: probability of zeroing, in attention, inside the net and after both.
        activation: "relu", "gelu", or a function.
        layer_norm_eps: of the norms.
        batch_first: see Shape.
        norm_first: normalise first.
        bias: False leaves all biases out.
        device, dtype: of the parameters.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; norm_first: Xiong et al. 2020,
    figure 1, https://arxiv.org/abs/2002.04745

    Example:
        >>> import lampion as torch
        >>> torch.nn.TransformerEncoderLayer(8, 2, 16)(torch.zeros(5, 3, 8)).shape
        torch.Size([5, 3, 8])
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        chosen = _activation(activation)
        self.activation_relu_or_gelu = (
            1 if chosen is F.relu or isinstance(chosen, ReLU)
            else 2 if chosen is F.gelu or isinstance(chosen, GELU) else 0)
        self.activation = chosen

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, is_causal: bool = False,
    ) -> Tensor:
        """Run the layer.

        Args:
            src_mask: (S, S) or (N * heads, S, S); True (or -inf) where a position may not look.
            src_key_padding_mask: (N, S); True (or -inf) for padding.
            is_causal: `src_mask` is the causal one.
        """
        masks = (src_mask, src_key_padding_mask, is_causal)
        if self.norm_first:
            x = src + self._sa_block(self.norm1(src), *masks)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(src + self._sa_block(src, *masks))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(self, x: Tensor, mask: Tensor | None, padding: Tensor | None,
                  is_causal: bool = False) -> Tensor:
        attended = self.self_attn(x, x, x, attn_mask=mask, key_padding_mask=padding,
                                  need_weights=False, is_causal=is_causal)[0]
        return self.dropout1(attended)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to what the encoder gave, and a feed-forward net.

    Shape:
        (T, N, d_model), memory (S, N, d_model) -> (T, N, d_model); N stands first with
        batch_first, and is absent for one sample.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype: see `TransformerEncoderLayer`.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.TransformerDecoderLayer(8, 2, 16)
        >>> layer(torch.zeros(4, 3, 8), torch.zeros(5, 3, 8)).shape
        torch.Size([4, 3, 8])
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place)
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(activation)

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Run the layer.

        Args:
            memory: what the encoder gave.
            tgt_mask: (T, T) or (N * heads, T, T); True (or -inf) where a position may not look.
            memory_mask: the same for the memory, (T, S) or (N * heads, T, S).
            tgt_key_padding_mask, memory_key_padding_mask: (N, T) and (N, S); True for padding.
            tgt_is_causal, memory_is_causal: the mask is the causal one.
        """
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory, memory_mask, memory_key_padding_mask, memory_is_causal)
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x: Tensor, mask: Tensor | None, padding: Tensor | None,
                  is_causal: bool = False) -> Tensor:
        attended = self.self_attn(x, x, x, attn_mask=mask, key_padding_mask=padding,
                                  is_causal=is_causal, need_weights=False)[0]
        return self.dropout1(attended)

    def _mha_block(self, x: Tensor, memory: Tensor, mask: Tensor | None, padding: Tensor | None,
                   is_causal: bool = False) -> Tensor:
        attended = self.multihead_attn(x, memory, memory, attn_mask=mask,
                                       key_padding_mask=padding, is_causal=is_causal,
                                       need_weights=False)[0]
        return self.dropout2(attended)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))
