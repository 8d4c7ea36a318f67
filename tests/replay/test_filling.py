"""Tensors filled row by row, as batches are by hand: other lengths need no other program."""

from __future__ import annotations

import numpy as np

import lampion as torch
from lampion import interpret, ir, runtime
from lampion.ir import registry


def batches(count):
    random = np.random.default_rng(0)
    for _ in range(count):
        yield [random.integers(0, 50, n) for n in random.integers(3, 20, 16)]


def padded(rows):
    made = torch.zeros(len(rows), 20, dtype=torch.long)
    for k, row in enumerate(rows):
        made[k, :len(row)] = torch.tensor(row)
    return made


def test_the_numbers_are_those_of_numpy():
    for rows in batches(4):
        expected = np.zeros((len(rows), 20), np.int64)
        for k, row in enumerate(rows):
            expected[k, :len(row)] = row
        np.testing.assert_array_equal(padded(rows).numpy(), expected)


def train():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Embedding(50, 8), torch.nn.Flatten(),
                              torch.nn.Linear(160, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
    for rows in batches(8):
        optimizer.zero_grad()
        loss = net(padded(rows)).pow(2).mean()
        loss.backward()
        optimizer.step()
        yield loss.item()


def test_a_training_on_such_batches_compiles_nothing_new():
    programs = []

    def note(graph, updates, structure, arrays):
        programs.append(structure)

    runtime.observers.append(note)
    try:
        losses = []
        for loss in train():
            losses.append(loss)
            if len(losses) == 4:
                programs.clear()
    finally:
        runtime.observers.remove(note)
    assert programs and len({id(s) for s in programs}) <= 2, "one program for all batches"
    torch.set_replay(False)
    try:
        assert list(train()) == losses
    finally:
        torch.set_replay(True)


def test_filling_does_not_change_what_was_read_before():
    x = torch.zeros(12, 3)
    first = x.clone()
    parts = []
    for k in range(12):
        x[k] = float(k)
        parts.append(x[k].clone())
        y = x + 0 if k == 5 else None
        if y is not None:
            kept = y
    assert first.sum().item() == 0
    assert [p[0].item() for p in parts] == list(range(12))
    assert kept[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0]
    assert x[:, 1].tolist() == list(range(12))


def test_memory_that_somebody_looks_at_is_not_written_into():
    base = ir.leaf(np.zeros((3, 2)), torch.float64)
    update = ir.leaf(np.ones((1, 2)), torch.float64)
    settings = [{"start": (k, 0), "stop": (k + 1, 2), "step": (1, 1)} for k in range(3)]
    first = registry["slice_put"](base, update, **settings[0])
    seen = registry["reshape"](first, shape=(6,))
    second = registry["slice_put"](first, update, **settings[1])
    third = registry["slice_put"](second, update, **settings[2])
    a, b, c = interpret.fill(ir.Graph([seen, second, third]))
    assert a.tolist() == [1, 1, 0, 0, 0, 0]
    assert b.tolist() == [[1, 1], [1, 1], [0, 0]] and c.sum() == 6
    assert base.data.sum() == 0
