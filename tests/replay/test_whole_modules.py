"""A network that is matched as a whole does what its layers would: whatever changes, it is seen."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import pytest

import lampion as torch
from lampion import nn
from lampion.nn import whole
from lampion.replay.recorded import run

ROUNDS = 7


@pytest.fixture(autouse=True)
def replay_again():
    yield
    torch.set_replay(True)


class Case:
    """A network and what it is trained with."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3),
            nn.Sequential(nn.Linear(6, 6), nn.Tanh()), nn.Linear(6, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.seen: list = []
        self.batches = [torch.randn(8, 4) for _ in range(ROUNDS)]


def trained(change, replay: bool) -> list:
    """Train; `change(case, number, output)` is called before each step, and between its calls."""
    torch.set_replay(replay)
    case = Case()
    for number in range(ROUNDS):
        change(case, number, None)
        output = case.model(case.batches[number])
        change(case, number, output)
        loss = output.pow(2).mean()
        case.optimizer.zero_grad()
        loss.backward()
        case.optimizer.step()
        case.seen.append((loss.item(), output.tolist()))
    case.seen.append([x.tolist() for x in case.model.state_dict().values()])
    return case.seen


def before(number):
    """Make a function a change before a step."""
    def decorate(function):
        return lambda case, now, output: (
            function(case) if now == number and output is None else None)

    return decorate


def between(number):
    """Make a function a change between the call of the network and the loss."""
    def decorate(function):
        return lambda case, now, output: (
            function(case, output) if now == number and output is not None else None)

    return decorate


def replace(name, value):
    return lambda case: setattr(case.model.get_submodule(name), *value)


def patched(case):
    original = nn.Linear.forward
    nn.Linear.forward = lambda self, x: original(self, x) * 2


def other_output(case, output):
    case.model.eval()
    case.seen.append(case.model(case.batches[0]).sum().item())
    case.model.train()


def looked_at_after_a_change(case, output):
    case.model[3].p = 0.9
    case.model[1].eval()
    case.model[4][0].weight = nn.Parameter(torch.zeros(6, 6))
    case.model[5].bias = None
    output._storage  # noqa: B018 - what was put off is done now
    case.seen.append(output.tolist())


CHANGES = {
    "nothing": lambda case, number, output: None,
    "training is switched": lambda case, number, output: case.model.train(number % 3 != 2),
    "training is switched between": lambda case, number, output: case.model.train(output is None),
    "a probability": before(3)(replace("3", ("p", 0.8))),
    "a probability, past the module": before(3)(
        lambda case: case.model.__setattr__("3", nn.Dropout(0.9))),
    "momentum of statistics": before(4)(replace("1", ("momentum", 0.5))),
    "a mean over all batches": before(3)(replace("1", ("momentum", None))),
    "a new parameter": before(3)(
        lambda case: setattr(case.model[5], "bias", nn.Parameter(torch.ones(2)))),
    "no parameter": before(3)(lambda case: setattr(case.model[5], "bias", None)),
    "a parameter in the dictionary": before(3)(
        lambda case: case.model[5]._parameters.update(bias=nn.Parameter(torch.ones(2)))),
    "a new layer": before(3)(lambda case: case.model.append(nn.ReLU())),
    "a new layer inside": before(3)(lambda case: case.model[4].append(nn.ReLU())),
    "a layer gone": before(3)(lambda case: case.model.__delitem__(2)),
    "a layer in the dictionary": before(3)(
        lambda case: case.model._modules.__setitem__("2", nn.Sigmoid())),
    "a class of the user's": before(3)(lambda case: setattr(
        case.model[4][1], "__class__", type("Mine", (nn.Tanh,), {"forward": lambda s, x: x * x}))),
    "another forward": before(3)(
        lambda case: setattr(case.model[2], "forward", lambda x: x.abs())),
    "another forward of the class": before(3)(patched),
    "a hook": before(3)(lambda case: case.model[2].register_forward_hook(
        lambda module, args, out: case.seen.append("hook") or out * 2)),
    "a hook in the dictionary": before(3)(
        lambda case: case.model[2]._forward_hooks.__setitem__(
            7, lambda module, args, out: case.seen.append("hook"))),
    "a hook for a while": lambda case, number, output: (
        case.seen.append(case.model.register_forward_pre_hook(
            lambda module, args: (args[0] * 2,))) or case.seen.pop().remove()
        if number == 3 and output is None else None),
    "a backward hook": before(3)(lambda case: case.model[4].register_full_backward_hook(
        lambda module, gave, got: case.seen.append("backward"))),
    "written weights": before(3)(lambda case: nn.init.ones_(case.model[4][0].weight)),
    "a loaded state": before(3)(lambda case: case.model.load_state_dict(
        {name: x * 0.5 for name, x in case.model.state_dict().items()})),
    "a frozen weight": before(3)(lambda case: case.model[0].weight.requires_grad_(False)),
    "a hook of a weight": before(3)(lambda case: case.model[0].weight.register_hook(
        lambda g: case.seen.append("weight"))),
    "shared weights": before(3)(
        lambda case: setattr(case.model[4], "0", nn.Linear(6, 6)) or setattr(
            case.model[4].__getattr__("0"), "bias", case.model[0].bias)),
    "the same layer twice": before(3)(lambda case: case.model.insert(3, case.model[4])),
    "float64": before(3)(lambda case: case.model.double() and case.batches.__setitem__(
        slice(3, None), [x.double() for x in case.batches[3:]])),
    "another call between": between(3)(other_output),
    "a look at what was put off": between(3)(looked_at_after_a_change),
    "a copy is trained, too": between(3)(
        lambda case, output: copy.deepcopy(case.model)(case.batches[0]).sum().backward()),
    "a wrong input": before(3)(
        lambda case: case.seen.append(
            str(pytest.raises(torch.errors.ShapeError, case.model, torch.ones(2, 3)).value))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_a_network_is_seen(name, monkeypatch):
    monkeypatch.setattr(nn.Linear, "forward", nn.Linear.forward)  # whatever a change puts there
    expected = repr(trained(CHANGES[name], replay=False))
    monkeypatch.undo()
    for _ in range(2):
        monkeypatch.setattr(nn.Linear, "forward", nn.Linear.forward)
        assert repr(trained(CHANGES[name], replay=True)) == expected
        monkeypatch.undo()


def entries_of(step) -> list[str]:
    """Return the names of the calls of a step that has settled."""
    torch.set_replay(True)
    names = []
    with torch.no_grad():
        for _ in range(4):
            step()
        flush = run.flush
        run.flush = lambda *args: names.extend(x[0].call.name for x in run.log) or flush(*args)
        try:
            step()
        finally:
            del run.flush
    assert not run.slow
    return names


def test_a_network_is_one_call_of_the_record():
    case = Case()
    x = torch.ones(8, 4)
    assert entries_of(lambda: case.model(x).sum().item()) == ["call_as_it_was", "sum"]
    cell = nn.LSTMCell(3, 5)

    def steps():
        h, c = torch.zeros(2, 5), torch.zeros(2, 5)
        for _ in range(3):
            h, c = cell(torch.ones(2, 3), (h, c))
        return h.sum().item()

    assert entries_of(steps).count("call_as_it_was") == 3


def test_a_network_with_a_class_of_the_user_is_called_as_ever():
    class Mine(nn.Module):
        def forward(self, x):
            return x * 2

    class Child(nn.Linear):
        pass

    for layer in (Mine(), Child(3, 3)):
        network = nn.Sequential(nn.Linear(3, 3), layer)
        assert whole.parts_of(network) is None
        names = entries_of(lambda network=network: network(torch.ones(2, 3)).sum().item())
        assert names.count("call_as_it_was") == 1  # the layer before it


def test_a_call_that_is_never_recordable_is_made_layer_by_layer():
    network = nn.Sequential(nn.BatchNorm1d(3, momentum=None), nn.Linear(3, 2))
    network(torch.ones(4, 3))
    for _ in range(whole.MOST_REFUSALS + 2):
        network(torch.ones(4, 3)).sum().item()
    assert whole.parts_of(network) is None
    assert int(network[0].num_batches_tracked) == whole.MOST_REFUSALS + 3


@pytest.mark.parametrize("copied", [
    copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_know_nothing_of_the_original(copied):
    network = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    x = torch.ones(4, 3)
    for _ in range(4):
        network(x).sum().item()
    other = copied(network)
    assert "_whole" not in other.__dict__ or type(other) is not nn.Sequential
    assert other(x).tolist() == network(x).tolist()
    other[0] = nn.Linear(3, 2)
    network(x).tolist()
    assert other(x).tolist() == nn.Sequential(other[0], other[1])(x).tolist()


def test_a_network_goes_when_nobody_holds_it():
    """What is kept about it makes no circle."""
    gc.disable()
    try:
        network = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Tanh()))
        for _ in range(4):
            network(torch.ones(4, 3)).sum().item()
        gone = [weakref.ref(network), weakref.ref(network[1]), weakref.ref(network[0].weight)]
        del network
        torch.ones(1).sum().item()
        assert [reference() for reference in gone] == [None] * 3
    finally:
        gc.enable()
