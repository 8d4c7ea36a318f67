"""Probes of a training: what they say against NumPy, and that nothing changes by them."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import lampion as torch
from lampion import errors, nn, probe, runtime
from lampion.functions.statistics import statistics
from lampion.trace import flush


class Net(nn.Module):
    """Layers of several kinds, one of them called twice."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.inner = nn.Linear(27, 27)
        self.bend = nn.Tanh()
        self.out = nn.Linear(27, 4)

    def forward(self, x):
        x = self.features(x)
        x = self.bend(self.inner(self.bend(self.inner(x))))
        return self.out(x)


def training(kind="SGD", **settings):
    torch.manual_seed(0)
    model = Net()
    optimizer = getattr(torch.optim, kind)(model.parameters(), lr=0.1, **settings)
    generator = torch.Generator().manual_seed(1)
    batches = [(torch.randn(5, 1, 8, 8, generator=generator),
                torch.randint(0, 4, (5,), generator=generator)) for _ in range(4)]
    flush()
    return model, optimizer, batches


def step_of(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def assert_says(record, array):
    array = np.asarray(array, np.float64)
    good = array[np.isfinite(array)]
    assert record.count == array.size and record.shape == array.shape
    assert record.non_finite == array.size - good.size
    assert record.zeros == (good == 0).sum()
    wanted = (good.mean(), good.std(), good.min(), good.max()) if good.size else (np.nan,) * 4
    found = record.mean, record.std, record.minimum, record.maximum
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int64", "uint8",
                                   "bool"])
def test_statistics_of_every_type(dtype):
    x = torch.tensor([[0.0, 1.0, 3.0], [0.0, 2.0, 1.0]]).to(getattr(torch, dtype))
    array = np.array(x.to(torch.float64).tolist())
    found = statistics(x, high=2.0).tolist()
    assert found == [0, (array == 0).sum(), (array >= 2).sum(), array.sum(), (array**2).sum(),
                     array.min(), array.max()]


def test_statistics_of_nothing_and_of_nan_alone():
    assert statistics(torch.empty(0, 3)).tolist() == [0, 0, 0, 0, 0, np.inf, -np.inf]
    assert statistics(torch.full((2,), torch.nan)).tolist() == [2, 0, 0, 0, 0, np.inf, -np.inf]


def test_every_value_of_a_step():
    model, optimizer, batches = training()
    with probe.watch(model, optimizer) as watch:
        for x, y in batches[:3]:
            step_of(model, optimizer, x, y)
    twin, optimizer, _ = training()
    for x, y in batches[:2]:
        step_of(twin, optimizer, x, y)
    seen = {}
    x = batches[2][0]
    for layer in twin.features:
        x = seen[layer] = layer(x)
    first, second = twin.inner(x), None
    bent = twin.bend(first)
    second = twin.inner(bent)
    bent_again = twin.bend(second)
    out = twin.out(bent_again)
    values = {"features.0": seen[twin.features[0]], "features.1": seen[twin.features[1]],
              "features.2": seen[twin.features[2]], "inner": first, "bend": bent,
              "inner#2": second, "bend#2": bent_again, "out": out}
    for value in values.values():
        value.retain_grad()
    loss = nn.functional.cross_entropy(out, batches[2][1])
    optimizer.zero_grad()
    loss.backward()
    latest = watch.latest
    for name, value in values.items():
        assert_says(latest[f"{name} activation"], value.detach().numpy())
        assert_says(latest[f"{name} gradient"], value.grad.numpy())
    before = {name: p.detach().clone().numpy() for name, p in twin.named_parameters()}
    for name, p in twin.named_parameters():
        assert_says(latest[f"{name} parameter"], before[name])
        assert_says(latest[f"{name} gradient"], p.grad.numpy())
    optimizer.step()
    for name, p in twin.named_parameters():
        assert_says(latest[f"{name} update"], p.detach().numpy() - before[name])
    names = {f"{name} {role}" for name in values for role in ("activation", "gradient")}
    names |= {f"{name} {role}" for name in before for role in ("parameter", "gradient", "update")}
    assert set(latest) == names
    share = (np.abs(bent.detach().numpy()) >= 0.97).mean()
    assert latest["bend activation"].saturated == pytest.approx(share)
    assert np.isnan(latest["inner activation"].saturated)
    assert "test_watch.py" in latest["inner activation"].line


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop"])
def test_the_training_is_the_same_to_the_last_bit(kind):
    found = []
    for watched in (False, True):
        model, optimizer, batches = training(kind)
        losses = []
        watch = probe.watch(model, optimizer)
        if watched:
            watch.__enter__()
        for _ in range(3):
            losses += [step_of(model, optimizer, x, y) for x, y in batches]
        watch.__exit__()
        found.append((losses, [p.tolist() for p in model.parameters()]))
    assert found[0] == found[1]


def programs_and_slow_calls(model, optimizer, batches, monkeypatch):
    """Return how many programs four steps run, and how many calls are made rather than matched."""
    slow = []
    from_outside = torch.ir.apply
    monkeypatch.setattr(torch.ir, "apply", lambda *a: (slow.append(a[0].name), from_outside(*a))[1])
    before = runtime.executions
    for x, y in batches:
        step_of(model, optimizer, x, y)
    monkeypatch.undo()
    return runtime.executions - before, slow


def test_steps_are_replayed_and_run_no_other_program(monkeypatch):
    model, optimizer, batches = training("Adam")
    for _ in range(2):
        for x, y in batches:
            step_of(model, optimizer, x, y)
    without, _ = programs_and_slow_calls(model, optimizer, batches, monkeypatch)
    with probe.watch(model, optimizer) as watch:
        for _ in range(2):
            for x, y in batches:
                step_of(model, optimizer, x, y)
        count, slow = programs_and_slow_calls(model, optimizer, batches, monkeypatch)
        before = runtime.executions
        assert len(watch.latest) == 16 + 18
        assert runtime.executions == before, "reading the records needs no program"
    assert count == without and not slow


def test_memory_stays_flat():
    model, optimizer, batches = training()
    with probe.watch(model, optimizer, keep=20) as watch:
        counts = []
        for step in range(1000):
            step_of(model, optimizer, *batches[step % 4])
            if step in (199, 999):
                gc.collect()
                counts.append(len(gc.get_objects()))
        assert len(watch.history("out activation").steps) == 20
    assert counts[1] - counts[0] < 200


def test_history_and_every():
    model, optimizer, batches = training()
    means = []
    with probe.watch(model, optimizer, every=3) as watch:
        for step in range(8):
            step_of(model, optimizer, *batches[step % 4])
            if step % 3 == 0:
                means.append(watch["out activation"].mean)
    history = watch.history("out activation")
    assert history.steps.tolist() == [0, 3, 6] and history.mean.tolist() == means
    assert not model.out._forward_hooks and not optimizer._optimizer_step_pre_hooks
    with pytest.raises(errors.ArgumentError, match="no value is called"):
        watch.history("out")


def test_only_some_roles():
    model, optimizer, batches = training()
    for role in ("activations", "gradients", "parameters", "updates"):
        roles = dict.fromkeys(("activations", "gradients", "parameters", "updates"), False)
        with probe.watch(model, optimizer, **{**roles, role: True}) as watch:
            step_of(model, optimizer, *batches[0])
        assert watch and {record.role for record in watch.values()} == {role[:-1]}


def test_without_an_optimizer_each_call_is_a_step():
    model, _, batches = training()
    with probe.watch(model) as watch:
        for x, _ in batches[:2]:
            model(x).sum().backward()
        assert_says(watch["out gradient"], np.ones((5, 4)))
        with torch.no_grad():
            out = model(batches[2][0])
        assert_says(watch["out activation"], out.numpy())
        assert "out gradient" not in watch
    assert watch.history("out gradient").steps.tolist() == [0, 1]


def test_a_validation_between_steps_is_not_part_of_them():
    model, optimizer, batches = training()
    with probe.watch(model, optimizer) as watch:
        for x, y in batches:
            step_of(model, optimizer, x, y)
            model.eval()
            with torch.no_grad():
                model(batches[0][0][:2]).sum().item()
            model.train()
    assert watch["out activation"].shape == (5, 4)
    assert not any("#3" in name for name in watch)


def test_calls_whose_gradients_go_back_together():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for with_optimizer in (True, False):
        with probe.watch(model, optimizer if with_optimizer else None) as watch:
            for factor in (2, 5):
                optimizer.zero_grad()
                (model(torch.ones(4, 2)).sum() - factor * model(torch.ones(6, 2)).sum()).backward()
                optimizer.step()
            assert_says(watch["1 gradient"], np.ones((4, 1)))
            assert_says(watch["1#2 gradient"], np.full((6, 1), -5))
            assert len(watch.history("1#2 gradient").steps) == 2


def test_the_last_pass_counts_where_gradients_add_up():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.watch(model, optimizer) as watch:
        for _ in range(3):
            optimizer.zero_grad()
            for factor in (1, 2, 3):
                (factor * model(torch.ones(4, 2)).sum()).backward()
            optimizer.step()
    assert_says(watch["gradient"], np.full((4, 1), 3))
    assert_says(watch["bias gradient"], np.array([24.0]))


def test_a_graph_that_is_walked_twice_does_not_disturb_the_next():
    model = nn.Linear(2, 1)
    with probe.watch(model) as watch:
        loss = model(torch.ones(4, 2)).sum()
        loss.backward(retain_graph=True)
        assert_says(watch["gradient"], np.ones((4, 1)))
        loss.backward()
        model(torch.ones(4, 2)).mean().backward()
        assert_says(watch["gradient"], np.full((4, 1), 0.25))


def test_modules_that_write_in_place_and_those_with_several_results():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace=True), nn.LSTM(8, 4))
    x = torch.randn(2, 5, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with probe.watch(model, optimizer) as watch:
        out, _ = model(x)
        out.sum().backward()
        optimizer.step()
    assert watch["1 activation"].minimum == 0 and watch["0 activation"].minimum < 0
    assert watch["2[0] activation"].shape == (2, 5, 4)


def test_frozen_layers_stay_frozen():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    with probe.watch(model) as watch:
        assert not model[0](torch.ones(1, 3)).requires_grad
        model(torch.ones(1, 3)).sum().backward()
        assert "0 gradient" not in watch and "1 gradient" in watch and "0 activation" in watch


def test_what_cannot_be_watched():
    model, optimizer, _ = training()
    with pytest.raises(errors.ArgumentTypeError):
        probe.watch(optimizer)
    with pytest.raises(errors.ArgumentTypeError):
        probe.watch(model, model)
    with pytest.raises(errors.ArgumentError):
        probe.watch(model, every=0)
    with probe.watch(model) as watch, pytest.raises(errors.StateError), watch:
        pass


def test_a_record_reads_well():
    model, optimizer, batches = training()
    with probe.watch(model, optimizer) as watch:
        step_of(model, optimizer, *batches[0])
    text = str(watch["features.1 activation"])
    assert text.startswith("features.1 activation (5x3x6x6): mean ") and "zeros" in text
