"""Attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation
from lampion.functions.activation import softmax
from lampion.functions.checks import dtype_name, require_same_dtype, require_tensor
from lampion.functions.dropout import dropout
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(Q K^T * scale + mask) V: each query's mean of the values, weighted by fit.

    Args:
        query: L queries of E features.
        key: S keys of E features.
        value: S values.
        attn_mask: broadcasts to (..., L, S); True (or 0) where a query may look, False (or -inf)
            where not. A query that may look nowhere gets zeros.
        dropout_p: probability of leaving out a weight. It is always applied: pass 0.0 outside
            training.
        is_causal: query i may look at the keys 0 ... i only.
        scale: factor of the products, 1 / sqrt(E) when None.
        enable_gqa: repeat the heads (axis -3) of key and value to match the query's.

    Shape: (..., L, E), (..., S, E), (..., S, Ev) -> (..., L, Ev).

    Raises:
        ShapeError: when the shapes do not fit.
        ArgumentRangeError: when both a mask and is_causal are given.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.scaled_dot_product_attention(
        ...     torch.ones(1, 2, 4), torch.ones(1, 3, 4), torch.ones(1, 3, 5)).shape
        torch.Size([1, 2, 5])

    Source: Vaswani et al. 2017, equation 1, https://arxiv.org/abs/1706.03762
    """
    _check(query, key, value, attn_mask, is_causal)
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key = key.repeat_interleave(repeats, -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0
    scores = (query * scale).matmul(key.transpose(-2, -1))
    if is_causal:
        attn_mask = causal_mask(query.shape[-2], key.shape[-2])
    if attn_mask is None:
        weights = softmax(scores, -1)
    else:
        weights = _masked_softmax(scores, attn_mask)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return weights.matmul(value)


def causal_mask(queries: int, keys: int) -> Tensor:
    """Return a (queries, keys) mask that is True where query i may look at key j <= i."""
    return creation.arange(queries).unsqueeze(-1) >= creation.arange(keys)


def _masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    if dtype_name(mask) == "bool":
        scores = scores.masked_fill(~mask, float("-inf"))
    else:
        scores = scores + mask
    # A row of nothing but -inf would give NaN: its scores are blanked before, its weights after.
    nothing = (scores.detach() == float("-inf")).all(-1, keepdim=True)
    return softmax(scores.masked_fill(nothing, 0), -1).masked_fill(nothing, 0)


def _check(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool
) -> None:
    function, text = "scaled_dot_product_attention", errors.shape_text
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        require_tensor(function, name, tensor)
    require_same_dtype(function, query=query, key=key, value=value)
    fits = (
        min(query.dim(), key.dim(), value.dim()) >= 2
        and query.shape[-1] == key.shape[-1]
        and key.shape[-2] == value.shape[-2]
    )
    if not fits:
        raise errors.ShapeError(
            f"{function}: query is {text(query.shape)}, key is {text(key.shape)}, value is "
            f"{text(value.shape)}",
            why="they must be (..., L, E), (..., S, E) and (..., S, Ev)",
        )
    if is_causal and mask is not None:
        raise errors.ArgumentRangeError(
            f"{function}: attn_mask and is_causal=True",
            why="Explicit attn_mask should not be set when is_causal=True",
            fix="attn_mask & causal mask, combined by hand",
        )
    if mask is not None and dtype_name(mask) != "bool" and mask.dtype != query.dtype:
        raise errors.DTypeError(
            f"{function}: attn_mask is {mask.dtype}",
            why=f"a mask is torch.bool (True: may look) or of the query's dtype, {query.dtype} "
            "(added to the scores)",
            fix="attn_mask.bool()",
        )


record_module(globals())
