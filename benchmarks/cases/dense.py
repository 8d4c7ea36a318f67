"""Fully connected networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Program, Setting, case, cycle, learn, normal


@case("xor", "XOR: 2-8-1, batch 4, SGD", reference=0.153)
def xor(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])

    def step() -> float:
        return learn(optimizer, nn.functional.binary_cross_entropy_with_logits(model(x), y))

    return Program([model], step)


def mnist_network(torch: Any, setting: Setting) -> Any:
    """784-256-10, as first lessons have it."""
    nn = torch.nn
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


@case("mnist-mlp", "MNIST: 784-256-10, batch 128, Adam", reference=2.6)
def mnist_mlp(torch: Any, setting: Setting) -> Program:
    model = mnist_network(torch, setting)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    size = setting.size(128, 8)
    rows = cycle(torch, lambda r: normal(r, size, 1, 28, 28), lambda r: r.integers(0, 10, size))

    def step() -> float:
        x, y = next(rows)
        return learn(optimizer, torch.nn.functional.cross_entropy(model(x), y))

    return Program([model], step)


@case("deep-narrow", "12 layers of 64 with BatchNorm and Dropout, batch 64, SGD", reference=2.7)
def deep_narrow(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    layers: list[Any] = []
    for _ in range(setting.size(12, 3)):
        layers += [nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
                   nn.Dropout(setting.dropout(0.1))]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    size = setting.size(64, 16)
    rows = cycle(torch, lambda r: normal(r, size, 64), lambda r: r.integers(0, 10, size))

    def step() -> float:
        x, y = next(rows)
        return learn(optimizer, nn.functional.cross_entropy(model(x), y))

    return Program([model], step)


@case("tabular", "Regression on a table: 16-64-64-1, batch 256, weight decay and clipping")
def tabular(torch: Any, setting: Setting) -> Program:
    nn = torch.nn
    model = nn.Sequential(nn.Linear(16, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(),
                          nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)
    size = setting.size(256, 8)
    rows = cycle(torch, lambda r: normal(r, size, 16),
                 lambda r: np.sin(normal(r, size, 1)).astype(np.float32))

    def step() -> float:
        x, y = next(rows)
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        return loss.item()

    return Program([model], step)
