"""Does the engine hold out? Networks, shapes, types and threads change at random for a while.

    python benchmarks/soak.py [--seconds 600] [--seed 0] [--every 5]

Each round builds a small network, trains it for a few steps with varying batches, and drops it.
Every few rounds the same is done by the oracle (NumPy), and losses and weights must agree. The
resident memory is printed as it goes: after a while it must not grow but by the code of kernels
that were never seen before. The end is an error where numbers differ, a step that should have run
natively did not, or memory grew by more than `--growth` MB over the second half.
"""

import argparse
import contextlib
import random
import sys
import time
import warnings
from collections import OrderedDict

import numpy as np

import lampion as torch
from lampion import runtime
from lampion.cpu import jit, linked

F = torch.nn.functional
ACTIVATIONS = (torch.nn.ReLU, torch.nn.Tanh, torch.nn.GELU, torch.nn.SiLU, torch.nn.Sigmoid,
               torch.nn.ELU, torch.nn.Softplus)
faults = {"count": 0}


class Recurrent(torch.nn.Module):
    """A recurrent layer and a linear one on its last output."""

    def __init__(self, kind, inputs, width, classes):
        super().__init__()
        self.layer = kind(inputs, width, batch_first=True)
        self.last = torch.nn.Linear(width, classes)

    def forward(self, x):
        return self.last(self.layer(x)[0][:, -1])


class Attention(torch.nn.Module):
    """A block of a transformer."""

    def __init__(self, width, heads, classes):
        super().__init__()
        self.layer = torch.nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True)
        self.last = torch.nn.Linear(width, classes)

    def forward(self, x):
        return self.last(self.layer(x).mean(1))


def dense(dice, classes):
    """Return a network of linear layers, and the shape of one example."""
    width = inputs = dice.randint(1, 70)
    layers = []
    for _ in range(dice.randint(1, 4)):
        following = dice.randint(1, 90)
        layers += [torch.nn.Linear(width, following), dice.choice(ACTIVATIONS)()]
        if dice.random() < 0.3:
            layers.append(torch.nn.LayerNorm(following))
        width = following
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, classes)), (inputs,)


def convolutional(dice, classes):
    """The same with convolutions."""
    channels, size = dice.randint(1, 5), dice.randint(5, 20)
    width, layers = channels, []
    for _ in range(dice.randint(1, 3)):
        following, kernel = dice.randint(1, 20), dice.choice((1, 3, 5))
        layers.append(torch.nn.Conv2d(width, following, kernel, dice.randint(1, 2), kernel // 2))
        if dice.random() < 0.5:
            layers.append(torch.nn.BatchNorm2d(following))
        layers.append(dice.choice(ACTIVATIONS)())
        width = following
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(width, classes)]
    return torch.nn.Sequential(*layers), (channels, size, dice.randint(5, 20))


def recurrent(dice, classes):
    """The same with a loop over time."""
    kind = dice.choice((torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM))
    inputs = dice.randint(1, 30)
    return (Recurrent(kind, inputs, dice.randint(1, 50), classes), (dice.randint(1, 12), inputs))


def attentive(dice, classes):
    """The same with attention."""
    heads = dice.randint(1, 4)
    width = heads * dice.randint(1, 12)
    return Attention(width, heads, classes), (dice.randint(1, 12), width)


KINDS = (dense, convolutional, recurrent, attentive)


def round_of(seed):
    """Train one network; return its losses and weights."""
    dice = random.Random(seed)
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    classes = dice.randint(2, 12)
    network, shape = dice.choice(KINDS)(dice, classes)
    dtype = dice.choice((torch.float32, torch.float32, torch.float64))
    network.to(dtype)
    make = dice.choice((torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW))
    optimizer = make(network.parameters(), lr=1e-2)
    batches = [dice.randint(2, 40) for _ in range(2)]
    losses = []
    for _ in range(dice.randint(2, 7)):
        batch = dice.choice(batches)
        x = torch.tensor(generator.standard_normal((batch, *shape)), dtype=dtype)
        labels = torch.tensor(generator.integers(0, classes, batch))
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    weights = [p.detach().numpy().astype(float) for p in network.parameters()]
    # Adam makes the last bits of a small gradient visible.
    return losses, weights if make is torch.optim.SGD else [], dtype


@contextlib.contextmanager
def oracle():
    """Everything is computed by NumPy meanwhile."""
    structures, engine = runtime._structures, runtime.engine
    torch.set_replay(False)
    runtime._structures, runtime.engine = OrderedDict(), "numpy"
    try:
        yield
    finally:
        runtime._structures, runtime.engine = structures, engine
        torch.set_replay(True)


def check(seed, losses, weights, dtype):
    """Compare with the oracle."""
    with oracle():
        expected, numbers, _ = round_of(seed)
    tolerance = 1e-3 if dtype is torch.float32 else 1e-8
    np.testing.assert_allclose(losses, expected, rtol=tolerance, atol=tolerance, err_msg=str(seed))
    for a, b in zip(weights, numbers, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(seed))


def resident():
    """Return the megabytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def watch_faults():
    """Count programs that fail natively, which the oracle would hide."""
    run = linked.Linked.run

    def watched(self, arrays, take=None):
        try:
            return run(self, arrays, take)
        except Exception:
            faults["count"] += 1
            raise

    linked.Linked.run = watched


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=5, help="rounds between checks")
    parser.add_argument("--growth", type=float, default=100, help="MB allowed in the second half")
    options = parser.parse_args()
    warnings.simplefilter("error", RuntimeWarning)
    watch_faults()
    begin = said = time.monotonic()
    count, checks, middle = 0, 0, None
    while time.monotonic() - begin < options.seconds:
        seed = options.seed + count
        torch.set_num_threads(seed % 3 + 1)
        found = round_of(seed)
        if count % options.every == 0:
            check(seed, *found)
            checks += 1
        count += 1
        past = time.monotonic() - begin
        if middle is None and past > options.seconds / 2:
            middle = resident()
        if time.monotonic() - said > options.seconds / 20:
            said = time.monotonic()
            print(f"{past:6.0f} s {count:6} rounds {checks:5} checks {resident():7.0f} MB "
                  f"{len(runtime._structures):4} programs {len(jit._libraries):6} kernels",
                  flush=True)
    growth = resident() - (middle or resident())
    print(f"{count} rounds, {checks} checked, {faults['count']} native failures, "
          f"{growth:+.0f} MB in the second half")
    return 1 if faults["count"] or growth > options.growth else 0


if __name__ == "__main__":
    sys.exit(main())
