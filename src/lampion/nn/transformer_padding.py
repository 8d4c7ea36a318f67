"""Where PyTorch's encoder leaves padding out of the computation, and gives zeros for it."""

from __future__ import annotations

import warnings
from typing import Any

from lampion.autograd.modes import is_grad_enabled
from lampion.nn.module import Module
from lampion.nn.transformer_layers import TransformerEncoderLayer
from lampion.tensor import Tensor


def warn_where_padding_stays(layer: Module) -> bool:
    """Warn, as PyTorch does, for what its encoder computes padding with the rest."""
    reason = _reason(layer)
    if reason:
        warnings.warn("enable_nested_tensor is True, but self.use_nested_tensor is False because "
                      f"encoder_layer{reason}", stacklevel=3)
    return bool(reason)


def _reason(layer: Any) -> str:
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    checks = (
        (layer.norm_first, ".norm_first was True"),
        (not layer.self_attn.batch_first, ".self_attn.batch_first was not True"
         "(use batch_first for better inference performance)"),
        (not layer.self_attn._qkv_same_embed_dim,
         ".self_attn._qkv_same_embed_dim was not True"),
        (layer.self_attn.in_proj_bias is None, ".self_attn was passed bias=False"),
        (not layer.activation_relu_or_gelu, ".activation_relu_or_gelu was not True"),
        (layer.norm1.eps != layer.norm2.eps, ".norm1.eps was not equal to encoder_layer.norm2.eps"),
        (layer.self_attn.num_heads % 2 == 1, ".self_attn.num_heads is odd"),
    )
    return next((reason for holds, reason in checks if holds), "")


def cut_padding(encoder: Any, src: Tensor, padding: Tensor | None) -> Tensor | None:
    """Return where PyTorch would cut padding off, None for nowhere; reads the mask if it might.

    Shape:
        padding (N, S) -> (N, S), bool
    """
    if not encoder.use_nested_tensor or padding is None or src.dim() != 3:
        return None
    first = encoder.layers[0]
    if first.training or (is_grad_enabled() and (
            src.requires_grad or any(p.requires_grad for p in first.parameters()))):
        return None
    masked = padding != 0 if padding.is_floating_point() else padding
    if not encoder.mask_check:
        return masked
    # Only where no real position follows a padded one.
    later, earlier = masked[:, 1:], masked[:, :-1]
    return masked if bool((later | ~earlier).all()) else None
