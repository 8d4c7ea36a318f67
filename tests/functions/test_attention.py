"""Attention against PyTorch."""

import numpy as np
import pytest
from against_torch import F, Fixed, check, check_error, numbers

import lampion

NAME = "scaled_dot_product_attention"


def qkv(*leading, queries=4, keys=5, features=3, values=2):
    return (numbers(*leading, queries, features), numbers(*leading, keys, features, seed=1),
            numbers(*leading, keys, values, seed=2))


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
@pytest.mark.parametrize("settings", [
    {}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": Fixed(numbers(4, 5, seed=3))},
    {"attn_mask": Fixed(numbers(4, 5, seed=3) > -1)},
], ids=["plain", "causal", "scale", "added", "boolean"])
def test_attention(leading, settings):
    check(NAME, *qkv(*leading), order=1, **settings)


def test_a_query_that_may_look_nowhere_gets_zeros():
    mask = np.ones((4, 5), dtype=bool)
    mask[1] = False
    check(NAME, *qkv(2), attn_mask=Fixed(mask), order=1)
    check(NAME, *qkv(2), attn_mask=Fixed(np.where(mask, 0.0, -np.inf)), order=1)


def test_groups_of_heads():
    check(NAME, numbers(2, 6, 4, 3), numbers(2, 2, 5, 3, seed=1), numbers(2, 2, 5, 2, seed=2),
          enable_gqa=True, order=1)


def test_dropout_of_weights_keeps_the_mean():
    lampion.manual_seed(0)
    q = lampion.zeros(2000, 1, 4)
    k = lampion.zeros(2000, 8, 4)
    result = F.scaled_dot_product_attention(q, k, lampion.ones(2000, 8, 1), dropout_p=0.5)
    drawn = np.array(result.tolist())
    assert abs(drawn.mean() - 1) < 0.05 and drawn.std() > 0.1


def test_errors():
    q, k, v = qkv(2)
    check_error(NAME, q, k[..., :2], v, expected=RuntimeError)
    check_error(NAME, q, k, v[:, :3], expected=RuntimeError)
    check_error(NAME, q, k, v, np.ones((4, 5)), is_causal=True, expected=RuntimeError)
    check_error(NAME, q, k, v, np.ones((4, 5), dtype="int64"), expected=RuntimeError,
                mention="bool")
