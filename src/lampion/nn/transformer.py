"""Transformer: stacks of attention and feed-forward layers."""

from __future__ import annotations

import copy
from typing import Any

from lampion import errors
from lampion.errors import shape_text
from lampion.functions import creation
from lampion.nn import functional as F
from lampion.nn import init
from lampion.nn.container import ModuleList
from lampion.nn.module import Module
from lampion.nn.normalization import LayerNorm
from lampion.nn.transformer_layers import (
    Activation,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from lampion.nn.transformer_padding import cut_padding, warn_where_padding_stays
from lampion.tensor import Tensor


def _clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


class TransformerEncoder(Module):
    """Encoder layers on top of each other.

    Shape:
        (S, N, E) -> (S, N, E), or as the layers have it.

    Args:
        encoder_layer: the layer that is copied.
        num_layers: how many.
        norm: applied to the output, or None.
        enable_nested_tensor: when evaluating without gradients, give zeros (before `norm`) where
            a sample's padding begins, as PyTorch's nested tensors do.
        mask_check: do so only for samples with all padding at the end.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> torch.nn.TransformerEncoder(layer, 2)(torch.zeros(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
        enable_nested_tensor: bool = True, mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor and not warn_where_padding_stays(
            encoder_layer)
        self.mask_check = mask_check

    def forward(
        self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Run all layers.

        Args:
            mask: (S, S) or (N * heads, S, S); True (or -inf) where a position may not look.
            src_key_padding_mask: (N, S); True (or -inf) for padding.
            is_causal: `mask` is the causal one.
        """
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=bool(is_causal),
                           src_key_padding_mask=src_key_padding_mask)
        padding = cut_padding(self, src, src_key_padding_mask) if mask is None else None
        if padding is not None:
            output = output.masked_fill(padding.unsqueeze(-1), 0.0)
        return output if self.norm is None else self.norm(output)


class TransformerDecoder(Module):
    """Decoder layers on top of each other.

    Shape:
        (T, N, E), memory (S, N, E) -> (T, N, E), or as the layers have it.

    Args:
        decoder_layer: the layer that is copied.
        num_layers: how many.
        norm: applied to the output, or None.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Run all layers; masks as in `TransformerDecoderLayer`."""
        output = tgt
        for layer in self.layers:
            output = layer(
                output, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal), memory_is_causal=memory_is_causal)
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """An encoder that reads a source, and a decoder that reads it while it writes a target.

    Shape:
        src (S, N, E), tgt (T, N, E) -> (T, N, E); N stands first with batch_first.

    Args:
        d_model: E.
        nhead: heads; divides d_model.
        num_encoder_layers, num_decoder_layers: how many.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias,
            device, dtype: see `TransformerEncoderLayer`.
        custom_encoder, custom_decoder: used in place of the stacks.

    Raises:
        ShapeError: samples of source and target differ in number, or features are not d_model.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    Example:
        >>> import lampion as torch
        >>> model = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
        >>> model(torch.zeros(3, 5, 8), torch.zeros(3, 4, 8)).shape
        torch.Size([3, 4, 8])
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
        num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, custom_encoder: Any = None, custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
                    batch_first, norm_first, bias, device, dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*settings), num_encoder_layers, norm())
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*settings), num_decoder_layers, norm())
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:
        """Encode the source and decode the target; masks as in the layers."""
        shapes = f"src is {shape_text(src.shape)}, tgt is {shape_text(tgt.shape)}"
        samples = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(samples) != tgt.size(samples):
            raise errors.ShapeError(
                f"the batch number of src and tgt must be equal: {shapes}",
                fix="batch_first=True, if samples come first" if samples else None)
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise errors.ShapeError(
                f"the feature number of src and tgt must be equal to d_model: {shapes}, d_model "
                f"is {self.d_model}", fix="nn.Embedding or nn.Linear to d_model features first")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask,
                              is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """Return the causal mask: -inf above the diagonal, 0 elsewhere.

        Shape:
            (sz, sz)
        """
        return creation.full((sz, sz), float("-inf"), dtype=dtype, device=device).triu(diagonal=1)
