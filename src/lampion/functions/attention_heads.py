"""Attention with several heads: what `nn.MultiheadAttention` computes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions.activation import softmax
from lampion.functions.attention import scaled_dot_product_attention
from lampion.functions.checks import dtype_name, require_tensor
from lampion.functions.dropout import dropout
from lampion.functions.linear import linear
from lampion.functions.padding import pad
from lampion.functions.shape import cat
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
    bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
    out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
    need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Project query, key and value, attend in each head, join the heads and project the result.

    Args:
        query, key, value: sequences first, then samples; without samples with two axes.
        embed_dim_to_check: features of the query.
        num_heads: heads; divides the features.
        in_proj_weight: the three projections on top of each other, or None with
            `use_separate_proj_weight` and q_, k_, v_proj_weight.
        in_proj_bias: their biases, one after the other.
        bias_k, bias_v: one more key and value that each query sees.
        add_zero_attn: one more key and value of zeros.
        dropout_p: probability of leaving out an attention weight, when training.
        out_proj_weight, out_proj_bias: the projection of the joined heads.
        key_padding_mask: (N, S); True (or -inf) for keys that nobody may look at.
        need_weights: return the attention weights, too.
        attn_mask: (L, S) or (N * heads, L, S); True (or -inf) where a query may not look.
        static_k, static_v: (N * heads, S, features / heads) in place of the projected ones.
        average_attn_weights: the mean over the heads instead of each head's weights.
        is_causal: `attn_mask` is the causal mask (a hint; the mask must be given).

    Shape: (L, N, E), (S, N, Ek), (S, N, Ev) -> (L, N, E) and weights (N, L, S) or
    (N, heads, L, S) or None; all without N for one sample.

    Raises:
        ShapeError: when shapes do not fit.
    Source: Vaswani et al. 2017, section 3.2.2, https://arxiv.org/abs/1706.03762
    """
    batched = _check(query, key, value, num_heads, embed_dim_to_check, key_padding_mask,
                     use_separate_proj_weight)
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    if is_causal and attn_mask is None:
        raise errors.StateError(
            "multi_head_attention_forward: is_causal=True without attn_mask",
            why="Need attn_mask if specifying the is_causal hint",
            fix="attn_mask=nn.Transformer.generate_square_subsequent_mask(length)",
        )
    by_hint = is_causal and key_padding_mask is None and not need_weights
    mask = None if by_hint else _added(attn_mask, "attn_mask", query)
    length, samples, features = query.shape
    mask = _three_axes(mask, samples * num_heads, length, key.shape[0])
    padding = _added(key_padding_mask, "key_padding_mask", query)
    packed = None if use_separate_proj_weight else in_proj_weight
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _project(query, key, value, packed, separate, in_proj_bias)
    extra = 0
    if bias_k is not None and bias_v is not None:
        k = cat([k, bias_k.expand((1, samples, features))])
        v = cat([v, bias_v.expand((1, samples, features))])
        extra += 1
    q = _heads(q, num_heads)
    k = _heads(k, num_heads) if static_k is None else static_k
    v = _heads(v, num_heads) if static_v is None else static_v
    if add_zero_attn:
        k, v = pad(k, (0, 0, 0, 1)), pad(v, (0, 0, 0, 1))
        extra += 1
    mask = _merged(mask, padding, num_heads, extra)
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        joined, shares = _with_weights(q, k, v, mask, dropout_p)
        shares = shares.reshape((samples, num_heads, length, -1))
        shares = shares.mean(1) if average_attn_weights else shares
    else:
        joined = _by_sample(q, k, v, mask, num_heads, dropout_p, by_hint)
        shares = None
    joined = joined.transpose(0, 1).reshape((length, samples, features))
    result = linear(joined, out_proj_weight, out_proj_bias)
    if not batched:
        result = result.squeeze(1)
        shares = shares if shares is None else shares.squeeze(0)
    return result, shares


def _heads(x: Tensor, num_heads: int) -> Tensor:
    """(S, N, E) -> (N * heads, S, E / heads)."""
    length, samples, features = x.shape
    return x.reshape((length, samples * num_heads, features // num_heads)).transpose(0, 1)


def _project(
    query: Tensor, key: Tensor, value: Tensor,
    packed: Tensor | None, separate: tuple[Tensor | None, ...], bias: Tensor | None,
) -> list[Tensor]:
    """Return the projected query, key and value."""
    if packed is not None:
        if query is key and key is value:  # one product instead of three
            return list(linear(query, packed, bias).chunk(3, -1))
        separate = tuple(packed.chunk(3))
    biases = (None, None, None) if bias is None else bias.chunk(3)
    projected = []
    for x, weight, b in zip((query, key, value), separate, biases, strict=True):
        if weight is None:
            raise errors.ArgumentError(
                "multi_head_attention_forward: a projection is None",
                why="it takes in_proj_weight, or q_, k_ and v_proj_weight with "
                "use_separate_proj_weight=True",
            )
        projected.append(linear(x, weight, b))
    return projected


def _added(mask: Tensor | None, name: str, like: Tensor) -> Tensor | None:
    """Return a mask as numbers to add to the scores."""
    if mask is None or mask.is_floating_point():
        return mask
    if dtype_name(mask) != "bool":
        raise errors.DTypeError(
            f"multi_head_attention_forward: {name} is {mask.dtype}",
            why=f"only bool and floating types of {name} are supported", fix=f"{name}.bool()",
        )
    return like.new_zeros(tuple(mask.shape)).masked_fill(mask, float("-inf"))


def _three_axes(mask: Tensor | None, heads: int, queries: int, keys: int) -> Tensor | None:
    if mask is None:
        return None
    if tuple(mask.shape) == (queries, keys):
        return mask.unsqueeze(0)
    if tuple(mask.shape) != (heads, queries, keys):
        raise errors.ShapeError(
            f"multi_head_attention_forward: attn_mask is {errors.shape_text(mask.shape)}",
            why=f"it should be (queries, keys) = {queries}x{keys}, or "
            f"(samples * heads, queries, keys) = {heads}x{queries}x{keys}",
        )
    return mask


def _merged(
    mask: Tensor | None, padding: Tensor | None, num_heads: int, extra: int
) -> Tensor | None:
    """Return both masks as one, open for the `extra` keys at the end."""
    if mask is not None and extra:
        mask = pad(mask, (0, extra))
    if padding is None:
        return mask
    if extra:
        padding = pad(padding, (0, extra))
    samples, keys = padding.shape
    padding = padding.reshape((samples, 1, 1, keys)).expand((samples, num_heads, 1, keys))
    padding = padding.reshape((samples * num_heads, 1, keys))
    return padding if mask is None else mask + padding


def _with_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float
) -> tuple[Tensor, Tensor]:
    scores = (q * math.sqrt(1.0 / q.shape[-1])).matmul(k.transpose(-2, -1))
    weights = softmax(scores if mask is None else scores + mask, -1)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p)
    return weights.matmul(v), weights


def _by_sample(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, num_heads: int, dropout_p: float,
    is_causal: bool,
) -> Tensor:
    def split(x: Tensor) -> Tensor:
        return x.reshape((x.shape[0] // num_heads, num_heads, *x.shape[1:]))

    if mask is not None:
        mask = mask.unsqueeze(0) if mask.shape[0] == 1 else split(mask)
    result = scaled_dot_product_attention(
        split(q), split(k), split(v), mask, dropout_p, is_causal)
    return result.reshape((q.shape[0], *result.shape[2:]))


def _check(
    query: Tensor, key: Tensor, value: Tensor, num_heads: int, features: int,
    padding: Tensor | None, separate: bool,
) -> bool:
    """Return whether there is an axis of samples."""
    function, text = "multi_head_attention_forward", errors.shape_text
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        require_tensor(function, name, tensor)
    shapes = (f"{function}: query is {text(query.shape)}, key is {text(key.shape)}, value is "
              f"{text(value.shape)}")
    if query.dim() not in (2, 3) or not query.dim() == key.dim() == value.dim():
        raise errors.ShapeError(
            shapes, why="all three are (sequence, samples, features), or all three (sequence, "
            "features) for one sample",
        )
    batched = query.dim() == 3
    if query.shape[-1] != features or features % num_heads:
        raise errors.ShapeError(
            shapes + f", embed_dim={features}, num_heads={num_heads}",
            why="the query has embed_dim features, and num_heads divides them",
        )
    if key.shape[:-1] != value.shape[:-1] or not (separate or key.shape == value.shape) or (
        batched and query.shape[1] != key.shape[1]
    ):
        raise errors.ShapeError(
            shapes, why="keys and values come in pairs, for the same samples as the queries",
            fix="batch_first=True, if samples come first" if batched else None,
        )
    expected = (key.shape[1], key.shape[0]) if batched else (key.shape[0],)
    if padding is not None and tuple(padding.shape) != tuple(expected):
        raise errors.ShapeError(
            f"{function}: key_padding_mask is {text(padding.shape)}, key is {text(key.shape)}",
            why=f"it is (samples, keys), here {text(expected)}",
        )
    return batched


record_module(globals())
