"""`nn.functional` has PyTorch's names and arguments."""

import inspect

import pytest
from against_torch import TF, F

# PyTorch writes these in C++: their arguments are read off their documentation.
NO_SIGNATURE = {
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "linear", "bilinear", "prelu", "logsigmoid", "gelu",
    "hardshrink", "softplus", "softshrink", "one_hot", "pdist", "pairwise_distance",
    "cosine_similarity", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "native_channel_shuffle", "scaled_dot_product_attention", "adaptive_avg_pool1d",
    "relu_", "elu_", "selu_", "celu_", "leaky_relu_", "rrelu_", "hardtanh_", "threshold_",
}
# ... and these are dispatched to one of two functions.
DISPATCHED = {
    f"{kind}max_pool{axes}d" for kind in ("", "adaptive_") for axes in (1, 2, 3)
} | {f"{kind}max_pool{axes}d_with_indices" for kind in ("", "adaptive_") for axes in (1, 2, 3)}
DISPATCHED |= {f"fractional_max_pool{axes}d" for axes in (2, 3)}
SIGNED = sorted(set(F.__all__) - NO_SIGNATURE - DISPATCHED)


@pytest.mark.parametrize("name", F.__all__)
def test_pytorch_has_the_name(name):
    assert hasattr(TF, name)


@pytest.mark.parametrize("name", SIGNED)
def test_arguments_and_defaults(name):
    ours = inspect.signature(getattr(F, name)).parameters.values()
    theirs = inspect.signature(getattr(TF, name)).parameters.values()
    assert [(p.name, p.default, p.kind) for p in ours] == [
        (p.name, p.default, p.kind) for p in theirs]


@pytest.mark.parametrize("name", F.__all__)
def test_every_function_says_what_it_does(name):
    assert getattr(F, name).__doc__
