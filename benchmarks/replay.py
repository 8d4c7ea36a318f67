"""What the front end costs: a replayed call, and a training step whose computing takes no time.

    python benchmarks/replay.py

The runtime is replaced by one that hands out the arrays of an earlier run, so that what is left is
Python: the user's loop, the layers, the matching of calls, the handing out of tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import lampion as torch
from lampion import nn, optim, runtime

ROUNDS, REPEATS = 30, 20


def without_computing() -> Callable[[], None]:
    """Replace the runtime; return what puts it back."""
    run = runtime.Prepared.run
    known: dict[int, tuple[runtime.Prepared, list[np.ndarray]]] = {}

    def again(self, arrays, take=None):
        if id(self) not in known:
            known[id(self)] = self, run(self, arrays, None)
        return known[id(self)][1]

    runtime.Prepared.run = again
    return lambda: setattr(runtime.Prepared, "run", run)


def best(step: Callable[[], object]) -> float:
    """Return the microseconds of one step, in the best round."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(REPEATS):
            step()
        times.append((time.perf_counter() - begin) / REPEATS)
    return min(times) * 1e6


def calls(count: int) -> Callable[[], object]:
    """Return a step of so many calls of one function and a read."""
    x = torch.ones(4)

    def step() -> object:
        y = x
        for _ in range(count):
            y = y.relu()
        return y._read()

    return step


def training(widths: tuple[int, ...], rows: int, optimizer: str) -> Callable[[], object]:
    """Return the training step of a network of linear layers."""
    layers: list[nn.Module] = []
    for width, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(width, after), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    update = getattr(optim, optimizer)(model.parameters(), lr=0.01)
    x, y = torch.ones(rows, widths[0]), torch.zeros(rows, widths[-1])
    loss_of = nn.MSELoss()

    def step() -> object:
        update.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        update.step()
        return loss.item()

    return step


def main() -> None:
    put_back = without_computing()
    try:
        short, long = calls(20), calls(220)
        for step in (short, long):
            for _ in range(5):
                step()
        print(f"{'a replayed call':32} {(best(long) - best(short)) / 200:8.2f} us")
        for name, widths, rows in (("XOR", (2, 8, 1), 4), ("MNIST", (784, 128, 64, 10), 64)):
            for optimizer in ("SGD", "Adam", "AdamW"):
                step = training(widths, rows, optimizer)
                for _ in range(8):
                    step()
                print(f"{name + ', ' + optimizer + ': a step':32} {best(step):8.1f} us")
    finally:
        put_back()


if __name__ == "__main__":
    main()
