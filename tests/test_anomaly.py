"""Anomaly detection names the operation and the line; `autograd.graph` shows and loosens."""

from __future__ import annotations

import inspect
import warnings

import pytest

import lampion
from lampion.ir import mode


@pytest.fixture(autouse=True)
def quiet():
    """The mode warns that it is slow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    assert not lampion.is_anomaly_enabled()


# Programs whose backward makes NaN somewhere, and what PyTorch says of it.
BROKEN = {
    "sqrt at 0": "(x.sqrt() * x).sum().backward()",
    "a quotient of zeros": "(x / x).sum().backward()",
    "pow at 0": "(x ** 0.5 * 0).sum().backward()",
    "log of zero": "(x.log() * x).sum().backward()",
    "atan2 of infinities": "torch.atan2(x / 0, x / 0).sum().backward()",
    "NaN from the forward pass": "y = (x - 1).sqrt(); (y * x).sum().backward()",
    "through grad()": "torch.autograd.grad((x.sqrt() * x).sum(), x)",
    "sound": "(x.exp() * x).sum().backward()",
}


def message(source: str, library) -> str:
    x = library.tensor([0.0, 1.0, 4.0], requires_grad=True)
    try:
        with library.autograd.detect_anomaly():
            exec(source, {"torch": library, "x": x})
    except RuntimeError as error:
        assert x.grad is None
        return str(error)
    return ""


@pytest.mark.parametrize("name", BROKEN)
def test_the_function_is_the_one_that_pytorch_names(name):
    torch = pytest.importorskip("torch")
    theirs = message(BROKEN[name], torch)
    mine = message(BROKEN[name], lampion)
    assert bool(mine) == bool(theirs)
    assert mine.startswith(theirs.rstrip("."))


def test_the_line_of_the_forward_call_is_named():
    x = lampion.tensor([0.0, 1.0], requires_grad=True)
    with lampion.autograd.detect_anomaly(), pytest.raises(RuntimeError) as caught:
        line = inspect.currentframe().f_lineno + 1
        y = x.sqrt()
        (y * x).sum().backward()
    text = str(caught.value)
    assert f"test_anomaly.py:{line}" in text
    assert "1 of 2 elements" in text and "where the input is 0.0" in text


def test_a_write_that_breaks_backward_is_traced_too():
    x = lampion.ones(2, requires_grad=True)
    with lampion.autograd.detect_anomaly(check_nan=False):
        line = inspect.currentframe().f_lineno + 1
        y = x.exp()
        y.add_(1)
        with pytest.raises(RuntimeError, match=f"gradient of exp, called at .*py:{line} needs"):
            y.sum().backward()


def test_gradients_are_the_same_as_without():
    def train() -> list:
        lampion.manual_seed(0)
        net = lampion.nn.Sequential(lampion.nn.Linear(3, 4), lampion.nn.Tanh(),
                                    lampion.nn.Linear(4, 1))
        optimizer = lampion.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            net(lampion.ones(5, 3)).square().mean().backward()
            optimizer.step()
        return net[0].weight.tolist()

    plain = train()
    with lampion.autograd.set_detect_anomaly(True):
        assert train() == plain


def test_the_mode_can_be_asked_set_and_nested():
    run = mode.run
    assert lampion.is_anomaly_check_nan_enabled()
    with lampion.autograd.set_detect_anomaly(True, check_nan=False):
        assert lampion.is_anomaly_enabled() and not lampion.is_anomaly_check_nan_enabled()
        with lampion.autograd.detect_anomaly():
            assert lampion.is_anomaly_check_nan_enabled()
        assert not lampion.is_anomaly_check_nan_enabled()
        with lampion.autograd.set_detect_anomaly(False):
            assert not lampion.is_anomaly_enabled()
        assert lampion.is_anomaly_enabled()
    lampion.autograd.set_detect_anomaly(True)
    assert lampion.is_anomaly_enabled() and mode.run is None
    lampion.autograd.set_detect_anomaly(False)
    assert mode.run is run and mode.tracing is None


def test_nothing_is_raised_where_nan_is_not_looked_for():
    x = lampion.tensor([0.0], requires_grad=True)
    with lampion.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * x).sum().backward()
    assert x.grad.isnan().all()


def test_places_in_the_graph():
    x = lampion.ones(2, requires_grad=True)
    y = x.exp() * 2
    node = lampion.autograd.graph.get_gradient_edge(y).node
    assert node == y.grad_fn and isinstance(node, lampion.autograd.graph.Node)
    leaf = node.next_functions[0][0].next_functions[0][0]
    assert leaf.name() == "AccumulateGrad" and leaf.variable is x
    with pytest.raises(AttributeError):
        _ = node.variable


def test_a_prehook_sees_and_changes_what_arrives():
    x = lampion.ones(2, requires_grad=True)
    y = x * 3
    handle = y.grad_fn.register_prehook(lambda grads: (grads[0] * 2,))
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [6.0, 6.0]
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [9.0, 9.0]


def test_counted_writes_are_refused_and_allowed_ones_are_not():
    graph = lampion.autograd.graph
    x = lampion.ones(2, requires_grad=True)
    y = (x * x).sum()
    graph.increment_version([x])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    with graph.allow_mutation_on_saved_tensors():
        y = x.clone()
        z = (y ** 2).sum()
        y.sin_()
        z.backward()
    assert x.grad.tolist() == [2.0, 2.0]
    with graph.save_on_cpu(pin_memory=True):
        (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]
