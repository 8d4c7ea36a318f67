"""Recording a network function computes nothing."""

import importlib

import pytest
from against_torch import F

import lampion

# `lampion.trace` is PyTorch's function of that name.
trace = importlib.import_module("lampion.trace")


def late(*shape):
    """A tensor that is recorded and not yet computed."""
    return lampion.ones(*shape) * 0.5


CALLS = {
    "cross_entropy": lambda: F.cross_entropy(late(2, 3), lampion.tensor([0, 1])),
    "cross_entropy of late labels": lambda: F.cross_entropy(
        late(2, 3), lampion.tensor([0, 1]) + 1, label_smoothing=0.1),
    "binary_cross_entropy": lambda: F.binary_cross_entropy(late(3), late(3)),
    "batch_norm": lambda: F.batch_norm(
        late(4, 3), lampion.zeros(3), lampion.ones(3), training=True),
    "dropout": lambda: F.dropout(late(4)),
    "embedding": lambda: F.embedding(lampion.tensor([1]) + 1, late(4, 2), padding_idx=0),
    "embedding_bag": lambda: F.embedding_bag(lampion.tensor([[1, 2]]) + 1, late(4, 2)),
    "conv2d": lambda: F.conv2d(late(1, 1, 4, 4), late(2, 1, 3, 3), late(2), padding="same"),
    "max_pool2d": lambda: F.max_pool2d(late(1, 1, 4, 4), 2),
    "adaptive_avg_pool2d": lambda: F.adaptive_avg_pool2d(late(1, 1, 5, 5), 3),
    "interpolate": lambda: F.interpolate(late(1, 1, 5, 5), scale_factor=2, mode="bilinear"),
    "attention": lambda: F.scaled_dot_product_attention(
        late(2, 3), late(4, 3), late(4, 3), is_causal=True),
    "ctc_loss": lambda: F.ctc_loss(late(4, 1, 3), lampion.tensor([[1]]), (4,), (1,)),
    "gumbel_softmax": lambda: F.gumbel_softmax(late(2, 3), hard=True),
    "gelu, silu and glu": lambda: F.glu(F.silu(F.gelu(late(2, 4)))),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_computed_before_a_value_is_read(name):
    before = trace.executions
    result = CALLS[name]()
    assert trace.executions == before
    result.tolist()
    assert trace.executions == before + 1
