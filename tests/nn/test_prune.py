"""Pruning against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import lampion
from lampion.nn.utils import prune


def pair(torch):
    """The same layer in both libraries."""
    ours = lampion.nn.Linear(6, 4)
    theirs = torch.nn.Linear(6, 4)
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy())
                            for k, v in ours.state_dict().items()})
    return ours, theirs


CALLS = [
    lambda p, layer: p.l1_unstructured(layer, "weight", 0.3),
    lambda p, layer: p.l1_unstructured(layer, "weight", 5),
    lambda p, layer: p.ln_structured(layer, "weight", 2, n=2, dim=1),
    lambda p, layer: p.ln_structured(layer, "weight", 0.5, n=float("inf"), dim=0),
    lambda p, layer: p.identity(layer, "bias"),
    lambda p, layer: p.l1_unstructured(p.l1_unstructured(layer, "weight", 0.3), "weight", 0.5),
    lambda p, layer: p.l1_unstructured(p.ln_structured(layer, "weight", 1, 1, 0), "weight", 0.25),
    lambda p, layer: p.ln_structured(p.l1_unstructured(layer, "weight", 0.25), "weight", 1, 1, 1),
    lambda p, layer: p.global_unstructured([(layer, "weight"), (layer, "bias")],
                                           p.L1Unstructured, amount=0.4),
]


@pytest.mark.parametrize("call", CALLS)
def test_masks_states_and_gradients_agree_with_pytorch(call):
    torch = pytest.importorskip("torch")
    theirs_prune = pytest.importorskip("torch.nn.utils.prune")
    ours, theirs = pair(torch)
    call(prune, ours)
    call(theirs_prune, theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy())
    array = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    for library, layer in ((lampion, ours), (torch, theirs)):
        (layer(library.tensor(array)) ** 2).sum().backward()
    gradients = {k: p.grad for k, p in theirs.named_parameters()}
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), gradients[name].numpy(), rtol=1e-4, atol=1e-6)
    assert prune.is_pruned(ours)
    for name in ("weight", "bias"):
        if hasattr(ours, name + "_orig"):
            prune.remove(ours, name)
            theirs_prune.remove(theirs, name)
    assert not prune.is_pruned(ours)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    np.testing.assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy())


def test_random_pruning_takes_the_share_that_was_asked_for():
    lampion.manual_seed(0)
    layer = prune.random_unstructured(lampion.nn.Linear(10, 10), "weight", 0.3)
    assert int((layer.weight_mask == 0).sum()) == 30
    layer = prune.random_structured(lampion.nn.Linear(10, 10), "weight", 4, dim=0)
    assert int((layer.weight_mask.sum(1) == 0).sum()) == 4


def test_what_is_pruned_stays_zero_while_the_rest_learns():
    layer = prune.l1_unstructured(lampion.nn.Linear(4, 4), "weight", 0.5)
    mask, before = layer.weight_mask.clone(), layer.weight.detach().clone()
    optimizer = lampion.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(4):
        optimizer.zero_grad()
        layer(lampion.ones(2, 4)).pow(2).sum().backward()
        optimizer.step()
    layer(lampion.ones(2, 4))
    assert ((layer.weight == 0) >= (mask == 0)).all()
    assert not lampion.allclose(layer.weight, before)


@pytest.mark.parametrize("call, error", [
    (lambda: prune.l1_unstructured(lampion.nn.Linear(2, 2), "weight", 1.5), ValueError),
    (lambda: prune.l1_unstructured(lampion.nn.Linear(2, 2), "weight", 99), ValueError),
    (lambda: prune.l1_unstructured(lampion.nn.Linear(2, 2), "weight", "all"), TypeError),
    (lambda: prune.ln_structured(lampion.nn.Linear(2, 2), "bias", 1, 2, 0), ValueError),
    (lambda: prune.remove(lampion.nn.Linear(2, 2), "weight"), ValueError),
])
def test_wrong_amounts_are_refused(call, error):
    with pytest.raises(error):
        call()
