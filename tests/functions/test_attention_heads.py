"""Attention with several heads against PyTorch."""

import numpy as np
import pytest
from against_torch import TF, F, Fixed, check, check_error, numbers

E, HEADS, L, S, N = 6, 2, 4, 5, 3
WEIGHTS = (numbers(3 * E, E, seed=4), numbers(3 * E, seed=5))
OUT = (numbers(E, E, seed=6), numbers(E, seed=7))
CAUSAL = np.triu(np.ones((L, L), dtype=bool), 1)
PADDING = np.array([[False] * S, [False] * 3 + [True] * 2, [False] * 4 + [True]])


def forward(functions, extra=(None, None), zero=False, **settings):
    """A call with the arguments that matter."""
    def call(q, k, v, w, b, ow, ob, mask=None, padding=None):
        return functions.multi_head_attention_forward(
            q, k, v, E, HEADS, w, b, *extra, zero, 0.0, ow, ob, attn_mask=mask,
            key_padding_mask=padding, **settings)
    return call


def compare(*tensors, **settings):
    check(forward(F, **settings), *tensors, order=1, reference=forward(TF, **settings))


def qkv(*samples):
    return (numbers(L, *samples, E), numbers(S, *samples, E, seed=1),
            numbers(S, *samples, E, seed=2))


@pytest.mark.parametrize("settings", [
    {}, {"need_weights": False}, {"average_attn_weights": False}, {"zero": True},
    {"zero": True, "need_weights": False},
], ids=str)
@pytest.mark.parametrize("masks", [
    (), (Fixed(numbers(L, S, seed=3)),), (None, Fixed(PADDING)),
    (Fixed(numbers(N * HEADS, L, S, seed=3)), Fixed(np.where(PADDING, -np.inf, 0.0))),
], ids=["none", "mask", "padding", "both"])
def test_heads(settings, masks):
    compare(*qkv(N), *WEIGHTS, *OUT, *masks, **settings)


@pytest.mark.parametrize("need_weights", [True, False])
def test_one_sample(need_weights):
    compare(*qkv(), *WEIGHTS, *OUT, None, Fixed(PADDING[1]), need_weights=need_weights)


@pytest.mark.parametrize("need_weights", [True, False])
def test_self_attention_that_looks_back(need_weights):
    def on_itself(functions):
        def call(x, mask, *rest):
            return forward(functions, need_weights=need_weights, is_causal=True)(
                x, x, x, *rest, mask)
        return call
    check(on_itself(F), numbers(L, N, E), Fixed(CAUSAL), *WEIGHTS, *OUT, order=1,
          reference=on_itself(TF))


def test_a_bias_for_keys_and_values():
    def with_bias(functions):
        def call(q, k, v, w, b, ow, ob, bk, bv, mask):
            return forward(functions, extra=(bk, bv))(q, k, v, w, b, ow, ob, mask)
        return call
    check(with_bias(F), *qkv(N), *WEIGHTS, *OUT, numbers(1, 1, E, seed=8),
          numbers(1, 1, E, seed=9), Fixed(numbers(L, S, seed=3)), order=1,
          reference=with_bias(TF))


def test_separate_projections():
    def separate(functions):
        def call(q, k, v, wq, wk, wv, b, ow, ob):
            return functions.multi_head_attention_forward(
                q, k, v, E, HEADS, None, b, None, None, False, 0.0, ow, ob,
                use_separate_proj_weight=True, q_proj_weight=wq, k_proj_weight=wk,
                v_proj_weight=wv)
        return call
    check(separate(F), numbers(L, N, E), numbers(S, N, 3, seed=1), numbers(S, N, 2, seed=2),
          numbers(E, E, seed=3), numbers(E, 3, seed=4), numbers(E, 2, seed=5), WEIGHTS[1], *OUT,
          order=1, reference=separate(TF))


@pytest.mark.parametrize(("change", "expected"), [
    ({"q": numbers(L, N, 4)}, RuntimeError), ({"k": numbers(S, 2, E)}, RuntimeError),
    ({"mask": np.zeros((S, L))}, RuntimeError), ({"padding": np.zeros((S, N))}, RuntimeError),
    ({"mask": np.zeros((L, S), dtype="int64")}, RuntimeError),
])
def test_errors(change, expected):
    q, k, v = qkv(N)
    given = {"q": q, "k": k, "v": v, "mask": None, "padding": None, **change}
    # PyTorch raises AssertionError for most of these.
    check_error("multi_head_attention_forward", given["q"], given["k"], given["v"], E, HEADS,
                *WEIGHTS, None, None, False, 0.0, *OUT, attn_mask=given["mask"],
                key_padding_mask=given["padding"], expected=expected, reference=False)
