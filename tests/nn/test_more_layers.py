"""Adaptive softmax, folded normalisation, orthogonal weights, groups of one process."""

from __future__ import annotations

import numpy as np
import pytest

import lampion
from lampion import nn
from lampion.errors import LampionError


def copied(torch, ours, theirs):
    theirs.load_state_dict({k: torch.from_numpy(np.array(v.numpy()))
                            for k, v in ours.state_dict().items()})
    return theirs


@pytest.mark.parametrize("bias", [True, False])
def test_adaptive_softmax_agrees_with_pytorch(bias):
    torch = pytest.importorskip("torch")
    ours = nn.AdaptiveLogSoftmaxWithLoss(16, 30, [5, 12, 20], div_value=2.0, head_bias=bias)
    theirs = copied(torch, ours, torch.nn.AdaptiveLogSoftmaxWithLoss(
        16, 30, [5, 12, 20], div_value=2.0, head_bias=bias))
    array = np.random.default_rng(0).normal(size=(7, 16)).astype(np.float32)
    target = np.array([0, 4, 5, 11, 12, 29, 20])
    found = []
    for library, layer in ((lampion, ours), (torch, theirs)):
        x = library.tensor(array, requires_grad=True)
        output, loss = layer(x, library.tensor(target))
        loss.backward()
        found.append([output, loss, x.grad, layer.log_prob(x), layer.predict(x)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError, match="Target values"):
        ours(lampion.zeros(1, 16), lampion.tensor([30]))
    with pytest.raises(ValueError, match="cutoffs"):
        nn.AdaptiveLogSoftmaxWithLoss(16, 30, [5, 5])


@pytest.mark.parametrize("make", [
    lambda: (nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), (2, 2, 5, 5), False),
    lambda: (nn.ConvTranspose2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), (2, 2, 5, 5), True),
    lambda: (nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False), (5, 3), None),
])
def test_a_folded_normalisation_gives_the_same(make):
    layer, norm, shape, transpose = make()
    lampion.manual_seed(0)
    with lampion.no_grad():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
        if norm.affine:
            norm.weight.normal_()
            norm.bias.normal_()
    layer.eval(), norm.eval()
    x = lampion.randn(shape)
    utils = nn.utils
    one = utils.fuse_linear_bn_eval(layer, norm) if transpose is None else (
        utils.fuse_conv_bn_eval(layer, norm, transpose))
    lampion.testing.assert_close(one(x), norm(layer(x)), rtol=1e-4, atol=1e-5)
    with pytest.raises(LampionError, match="eval"):
        utils.fuse_conv_bn_eval(layer.train(), norm)


@pytest.mark.parametrize("map_", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal_weights_stay_orthogonal(map_, shape, trivial):
    lampion.manual_seed(0)
    layer = nn.Linear(shape[1], shape[0])
    before = layer.weight.detach().clone()
    nn.utils.parametrizations.orthogonal(layer, orthogonal_map=map_, use_trivialization=trivial)

    def check():
        w = layer.weight.detach()
        w = w if shape[0] >= shape[1] else w.T
        lampion.testing.assert_close(w.T @ w, lampion.eye(min(shape)), rtol=1e-4, atol=1e-5)

    check()
    if trivial:
        wide = shape[0] < shape[1]
        q, _ = lampion.linalg.qr(before.T if wide else before)
        same = layer.weight.detach().abs()
        lampion.testing.assert_close(same.T if wide else same, q.abs(), rtol=1e-4, atol=1e-5)
    optimizer = lampion.optim.SGD(layer.parameters(), lr=0.1)
    first = layer.weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        layer(lampion.ones(2, shape[1])).pow(3).sum().backward()
        optimizer.step()
        check()
    assert not lampion.allclose(first, layer.weight)


@pytest.mark.parametrize("map_", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
def test_orthogonal_maps_agree_with_pytorch(map_, shape):
    torch = pytest.importorskip("torch")
    from lampion.nn.utils.orthogonal import _Orthogonal

    array = np.random.default_rng(0).normal(size=shape)
    if map_ == "householder":
        np.fill_diagonal(array, [1, -1, 1, -1, 1][:min(shape)])
    theirs = torch.nn.utils.parametrizations._Orthogonal(
        torch.tensor(array), getattr(torch.nn.utils.parametrizations._OrthMaps, map_),
        use_trivialization=False)
    got = _Orthogonal(lampion.tensor(array), map_, False)(lampion.tensor(array))
    np.testing.assert_allclose(got.numpy(), theirs(torch.tensor(array)).numpy(), atol=1e-9)


def test_attention_is_the_same_with_every_kernel():
    q = lampion.randn(1, 2, 3, 4)
    want = nn.functional.scaled_dot_product_attention(q, q, q)
    for backend in (nn.attention.SDPBackend.MATH, [nn.attention.SDPBackend.FLASH_ATTENTION]):
        with nn.attention.sdpa_kernel(backend):
            assert (nn.functional.scaled_dot_product_attention(q, q, q) == want).all()
    with pytest.raises(TypeError), nn.attention.sdpa_kernel(["math"]):
        pass


def test_a_group_of_one_process():
    group = lampion.distributed
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match="not been initialized"):
        nn.parallel.DistributedDataParallel(layer)
    with pytest.raises(NotImplementedError, match="2 processes"):
        group.init_process_group(world_size=2, rank=0)
    group.init_process_group("gloo", world_size=1, rank=0)
    try:
        assert (group.get_rank(), group.get_world_size(), group.is_initialized()) == (0, 1, True)
        model = nn.parallel.DistributedDataParallel(layer)
        assert list(model.state_dict()) == ["module.weight", "module.bias"]
        x = lampion.ones(1, 2)
        assert (model(x) == layer(x)).all()
        total = lampion.ones(2)
        group.all_reduce(total, op=group.ReduceOp.SUM)
        parts = [lampion.zeros(2)]
        group.all_gather(parts, total)
        assert parts[0].tolist() == [1, 1]
    finally:
        group.destroy_process_group()
    assert not group.is_initialized()
