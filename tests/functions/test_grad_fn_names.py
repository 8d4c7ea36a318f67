"""What is printed as the `grad_fn` of a result has PyTorch's name."""

import importlib

import pytest
from against_torch import TF, F, labels, numbers

import lampion

torch = importlib.import_module("torch")

X, Y = numbers(4, 3, dtype="float32"), numbers(4, 3, seed=1, dtype="float32")
CALLS = [
    ("relu", ()), ("relu6", ()), ("hardtanh", ()), ("leaky_relu", ()), ("elu", ()), ("selu", ()),
    ("celu", ()), ("gelu", ()), ("silu", ()), ("mish", ()), ("softplus", ()), ("logsigmoid", ()),
    ("hardsigmoid", ()), ("hardswish", ()), ("hardshrink", ()), ("softshrink", ()),
    ("softmax", (1,)), ("log_softmax", (1,)), ("threshold", (0.5, 1.0)), ("sigmoid", ()),
    ("tanh", ()),
    ("mse_loss", (Y,)), ("smooth_l1_loss", (Y,)), ("huber_loss", (Y,)), ("l1_loss", (Y,)),
    ("binary_cross_entropy_with_logits", (Y,)), ("cross_entropy", (labels(4, classes=3),)),
    ("nll_loss", (labels(4, classes=3),)), ("layer_norm", ((3,),)),
    ("linear", (numbers(2, 3, dtype="float32"), numbers(2, dtype="float32"))),
    ("linear", (numbers(2, 3, dtype="float32"),)), ("dropout", ()), ("normalize", ()),
]


@pytest.mark.parametrize(("name", "rest"), CALLS, ids=[name for name, _ in CALLS])
def test_name(name, rest):
    found = []
    for library, functions in ((lampion, F), (torch, TF)):
        x = library.tensor(X.tolist(), requires_grad=True)
        given = [library.tensor(r.tolist()) if hasattr(r, "tolist") else r for r in rest]
        found.append(getattr(functions, name)(x, *given).grad_fn.name())
    assert found[0] == found[1]


def test_nothing_is_renamed_that_is_handed_through():
    x = lampion.ones(2, requires_grad=True).exp()
    assert F.dropout(x, training=False).grad_fn.name() == "ExpBackward0"
