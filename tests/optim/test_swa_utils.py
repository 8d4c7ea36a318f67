"""Averaged models, their schedule, and statistics of batch normalisation."""

import pytest

import lampion

torch = pytest.importorskip("torch")
BOTH = pytest.mark.parametrize("library", [lampion, torch], ids=["lampion", "pytorch"])


def utils(library):
    return pytest.importorskip(f"{library.__name__}.optim.swa_utils")


def model_of(library):
    model = library.nn.Sequential(library.nn.Linear(2, 2), library.nn.BatchNorm1d(2))
    with library.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    return model


def path(library, **settings):
    model = model_of(library)
    average = utils(library).AveragedModel(model, **settings)
    seen = []
    for step in range(4):
        with library.no_grad():
            for parameter in model.parameters():
                parameter.mul_(1.5).add_(step)
        model(library.arange(6.0).reshape(3, 2) * (step + 1))
        average.update_parameters(model)
        seen.append([tensor.tolist() for tensor in average.state_dict().values()])
    return seen


def flat(values):
    if isinstance(values, list):
        return [number for value in values for number in flat(value)]
    return [values]


@pytest.mark.parametrize("settings", [
    lambda library: {},
    lambda library: {"use_buffers": True},
    lambda library: {"avg_fn": lambda average, current, count: (average + current) / 2},
    lambda library: {"avg_fn": utils(library).get_swa_avg_fn()},
    lambda library: {"avg_fn": utils(library).get_ema_avg_fn(0.9)},
    lambda library: {"multi_avg_fn": utils(library).get_swa_multi_avg_fn()},
    lambda library: {"multi_avg_fn": utils(library).get_ema_multi_avg_fn(0.9)},
])
def test_averages_are_those_of_pytorch(settings):
    mine, theirs = (flat(path(library, **settings(library))) for library in (lampion, torch))
    assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-5)


@BOTH
def test_the_average_is_a_model_of_its_own(library):
    model = model_of(library)
    average = utils(library).AveragedModel(model)
    x = library.ones(2, 2)
    average.update_parameters(model)
    average.eval()
    before = average(x).tolist()
    with library.no_grad():
        model[0].weight.fill_(9)
    assert average(x).tolist() == before
    assert average.n_averaged.item() == 1


@BOTH
def test_statistics_of_batch_normalisation(library):
    model = model_of(library)
    model.eval()
    loader = [(library.arange(6.0).reshape(3, 2),), (library.ones(4, 2),)]
    utils(library).update_bn(loader, model)
    assert model[1].running_mean.tolist() == pytest.approx([2.25, 2.25])
    assert model[1].momentum == 0.1 and not model.training
    utils(library).update_bn([1, 2], library.nn.Linear(1, 1))  # nothing to compute: not called


@pytest.mark.parametrize("settings", [
    {}, {"anneal_epochs": 5, "anneal_strategy": "linear"}, {"anneal_epochs": 0},
    {"swa_lr": [0.01, 0.5]},
], ids=str)
def test_schedule(settings):
    results = []
    for library in (lampion, torch):
        a, b = (library.zeros(1, requires_grad=True) for _ in range(2))
        optimizer = library.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.3}], lr=0.1)
        scheduler = utils(library).SWALR(optimizer, **{"swa_lr": 0.05, **settings})
        seen = [scheduler.get_last_lr()]
        for _ in range(15):
            optimizer.step()
            scheduler.step()
            seen.append(scheduler.get_last_lr())
        results.append((seen, scheduler.state_dict()))
    assert results[0] == results[1]


@BOTH
def test_what_is_refused(library):
    swa, model = utils(library), model_of(library)
    optimizer = library.optim.SGD(model.parameters(), lr=1)
    for build in (lambda: swa.get_ema_avg_fn(1.5), lambda: swa.get_ema_multi_avg_fn(-1),
                  lambda: swa.SWALR(optimizer, 0.1, anneal_strategy="sine"),
                  lambda: swa.SWALR(optimizer, 0.1, anneal_epochs=-1),
                  lambda: swa.SWALR(optimizer, [0.1, 0.2])):
        with pytest.raises(ValueError):
            build()
    with pytest.raises((ValueError, AssertionError)):
        swa.AveragedModel(model, avg_fn=max, multi_avg_fn=max)
