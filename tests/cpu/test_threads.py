"""The same program gives the same bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import lampion as torch
from lampion import nn

F = nn.functional


def convolutional():
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, stride=2), nn.GELU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(96, 10))
    return net, lambda: F.cross_entropy(net(torch.randn(12, 3, 20, 20)), torch.arange(12) % 10)


def wide():
    net = nn.Sequential(nn.Linear(300, 700), nn.Tanh(), nn.LayerNorm(700), nn.Linear(700, 90))
    return net, lambda: F.mse_loss(net(torch.randn(70, 300)), torch.randn(70, 90))


def words():
    table = nn.Embedding(500, 64)
    net = nn.ModuleList([table, nn.MultiheadAttention(64, 4, batch_first=True)])

    def loss():
        x = table(torch.randint(0, 500, (6, 40)))
        return net[1](x, x, x)[0].softmax(-1).logsumexp(-1).sum() + x.cumsum(1).mean()
    return net, loss


def trained(make, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(3)
        net, loss = make()
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            value = loss()
            value.backward()
            optimizer.step()
            losses.append(value.item())
        return losses, [p.detach().numpy().copy() for p in net.parameters()]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("make", [convolutional, wide, words])
def test_training_gives_the_same_bits(make):
    losses, parameters = trained(make, 1)
    assert np.isfinite(losses).all() and losses[2] != losses[0]
    for threads in (2, 3, 5):
        again, others = trained(make, threads)
        assert again == losses
        for one, other in zip(parameters, others, strict=True):
            np.testing.assert_array_equal(one, other)
