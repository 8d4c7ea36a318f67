"""A whole training run: loader, model, loss, backward, optimizer, schedule, checkpoint."""

import io
import sys

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch")


def data(library):
    random = np.random.default_rng(1)
    x = random.standard_normal((60, 5)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 1)
    return library.utils.data.TensorDataset(library.tensor(x), library.tensor(y))


def setting(library):
    random = np.random.default_rng(2)
    nn = library.nn
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    model.load_state_dict({
        name: library.tensor(random.standard_normal(tuple(value.shape)).astype(np.float32) / 2)
        for name, value in model.state_dict().items()
    })
    optimizer = library.optim.AdamW([
        {"params": model[0].parameters(), "lr": 0.02}, {"params": model[2].parameters()},
    ], lr=0.05, weight_decay=0.1)
    scheduler = library.optim.lr_scheduler.OneCycleLR(optimizer, [0.05, 0.1], total_steps=40)
    return model, optimizer, scheduler


def train(library, model, optimizer, scheduler, epochs):
    losses = []
    for _ in range(epochs):
        for x, y in library.utils.data.DataLoader(data(library), batch_size=8, num_workers=0):
            optimizer.zero_grad()
            loss = library.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            library.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
    return losses


def test_a_run_is_that_of_pytorch():
    mine, theirs = setting(lampion), setting(torch)
    losses = train(lampion, *mine, epochs=4)
    np.testing.assert_allclose(losses, train(torch, *theirs, epochs=4), rtol=2e-4)
    assert losses[-1] < losses[0] / 2
    for name, value in theirs[0].state_dict().items():
        np.testing.assert_allclose(
            mine[0].state_dict()[name].numpy(), value.numpy(), rtol=1e-3, atol=1e-4)


def test_a_run_goes_on_from_a_checkpoint_as_if_never_interrupted():
    whole = train(lampion, *setting(lampion), epochs=4)
    parts = setting(lampion)
    first = train(lampion, *parts, epochs=2)
    file = io.BytesIO()
    lampion.save([part.state_dict() for part in parts], file)
    file.seek(0)
    again = setting(lampion)
    for part, state in zip(again, lampion.load(file), strict=True):
        part.load_state_dict(state)
    assert first + train(lampion, *again, epochs=2) == whole


def test_a_run_goes_on_from_a_checkpoint_of_pytorch():
    theirs = setting(torch)
    train(torch, *theirs, epochs=2)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in theirs], file)
    file.seek(0)
    mine = setting(lampion)
    for part, state in zip(mine, lampion.load(file), strict=True):
        part.load_state_dict(state)
    losses = train(lampion, *mine, epochs=2)
    np.testing.assert_allclose(losses, train(torch, *theirs, epochs=2), rtol=1e-3)


def test_a_step_runs_everything_pending_in_one_program():
    trace, runtime = sys.modules["lampion.trace"], sys.modules["lampion.runtime"]
    model, optimizer, scheduler = setting(lampion)
    x, y = data(lampion).tensors
    for _ in range(3):
        before = runtime.executions
        optimizer.zero_grad()
        lampion.nn.functional.cross_entropy(model(x), y).backward()
        assert runtime.executions == before
        optimizer.step()
        scheduler.step()
        assert runtime.executions == before + 1
        assert trace.pending_count() == 0
