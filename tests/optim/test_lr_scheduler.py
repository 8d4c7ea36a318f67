"""Every schedule gives PyTorch's learning rates exactly, and moves to PyTorch and back."""

import math
import warnings

import pytest

import lampion

torch = pytest.importorskip("torch")
BOTH = pytest.mark.parametrize("library", [lampion, torch], ids=["lampion", "pytorch"])
STEPS = 30

SCHEDULES = {
    "LambdaLR": [{"lr_lambda": lambda e: 0.95**e},
                 {"lr_lambda": [lambda e: 1 / (e + 1), lambda e: math.sin(e) + 2]}],
    "MultiplicativeLR": [{"lr_lambda": lambda e: 0.9}],
    "StepLR": [{"step_size": 4}, {"step_size": 1, "gamma": 0.7}],
    "MultiStepLR": [{"milestones": [3, 9, 9, 20], "gamma": 0.3}, {"milestones": []}],
    "ConstantLR": [{}, {"factor": 0.5, "total_iters": 10}, {"factor": 1.0, "total_iters": 0}],
    "LinearLR": [{}, {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 9},
                 {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20}],
    "ExponentialLR": [{"gamma": 0.93}],
    "PolynomialLR": [{}, {"total_iters": 12, "power": 2.5}],
    "CosineAnnealingLR": [{"T_max": 10}, {"T_max": 7, "eta_min": 0.01}, {"T_max": 1}],
    "CosineAnnealingWarmRestarts": [{"T_0": 5}, {"T_0": 3, "T_mult": 2, "eta_min": 0.01}],
    "CyclicLR": [
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4},
        {"base_lr": [0.01, 0.02], "max_lr": [0.1, 0.3], "step_size_up": 3, "step_size_down": 5,
         "mode": "triangular2"},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9,
         "cycle_momentum": False},
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "scale_fn": lambda x: 1 / x,
         "scale_mode": "cycle", "base_momentum": [0.1, 0.2], "max_momentum": 0.5},
    ],
    "OneCycleLR": [
        {"max_lr": 0.5, "total_steps": 31},
        {"max_lr": [0.5, 0.25], "epochs": 4, "steps_per_epoch": 10, "anneal_strategy": "linear"},
        {"max_lr": 0.5, "total_steps": 40, "three_phase": True, "pct_start": 0.2,
         "div_factor": 10, "final_div_factor": 100},
        {"max_lr": 0.5, "total_steps": 40, "cycle_momentum": False},
    ],
}
CASES = [(name, settings) for name, group in SCHEDULES.items() for settings in group]


def identify(value):
    return value if isinstance(value, str) else "-".join(value) or "default"


def optimizer_of(library, kind="SGD", lr=0.1):
    a, b = (library.zeros(1, requires_grad=True) for _ in range(2))
    settings = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(library.optim, kind)(
        [{"params": [a]}, {"params": [b], "lr": lr * 3}], lr=lr, **settings)


def look(optimizer):
    return [(group["lr"], group.get("momentum"), group.get("betas"))
            for group in optimizer.param_groups]


def go(optimizer, scheduler, steps=STEPS):
    seen = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        seen.append((look(optimizer), list(scheduler.get_last_lr())))
    return seen


def plain(state):
    """Leave out what only one of the two has: functions."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items() if not callable(value)}
    if isinstance(state, list):
        return [plain(value) for value in state if not callable(value)]
    return state


@pytest.mark.parametrize("name, settings", CASES, ids=identify)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_learning_rates(name, settings, kind):
    results = []
    for library in (lampion, torch):
        optimizer = optimizer_of(library, kind)
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
        results.append(([look(optimizer)], go(optimizer, scheduler),
                        plain(scheduler.state_dict())))
    assert results[0] == results[1]


@pytest.mark.parametrize("name, settings", CASES, ids=identify)
def test_state_moves_to_pytorch_and_back(name, settings):
    made = {}
    for library in (lampion, torch):
        optimizer = optimizer_of(library)
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
        go(optimizer, scheduler, 7)
        made[library] = optimizer, scheduler
    results = []
    for library, other in ((lampion, torch), (torch, lampion)):
        optimizer = optimizer_of(library)
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
        scheduler.load_state_dict(made[other][1].state_dict())
        optimizer.load_state_dict(made[other][0].state_dict() | {"state": {}})
        results.append(go(optimizer, scheduler, 12))
    assert results[0] == results[1]
    assert results[0] == go(*made[lampion], 12)


@pytest.mark.parametrize("name, settings", [case for case in CASES if case[0] not in (
    "LambdaLR", "OneCycleLR")], ids=identify)
def test_a_tensor_learning_rate_keeps_its_identity(name, settings):
    if name == "CyclicLR":
        settings = {**settings, "cycle_momentum": False}
    results = []
    for library in (lampion, torch):
        a = library.zeros(1, requires_grad=True)
        rate = library.tensor(0.1, dtype=library.float64)
        optimizer = library.optim.SGD([{"params": [a]}], lr=rate)
        if isinstance(settings.get("base_lr"), list):
            settings = {**settings, "base_lr": 0.01, "max_lr": 0.1}
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
        seen = []
        for _ in range(8):
            optimizer.step()
            scheduler.step()
            seen.append(rate.item())
        assert optimizer.param_groups[0]["lr"] is rate
        assert scheduler.get_last_lr()[0] is not rate
        results.append(seen)
    assert results[0] == pytest.approx(results[1], rel=1e-12)


@pytest.mark.parametrize("name, settings", [
    case for case in CASES if case[0] not in ("CyclicLR", "OneCycleLR", "MultiplicativeLR")],
    ids=identify)
def test_a_jump_to_an_epoch(name, settings):
    results = []
    for library in (lampion, torch):
        optimizer = optimizer_of(library)
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
        optimizer.step()
        seen = []
        for epoch in (5, 2, 11):
            if name != "CosineAnnealingWarmRestarts":
                with pytest.warns(UserWarning, match="epoch parameter"):
                    scheduler.step(epoch)
            else:
                scheduler.step(epoch + 0.5)
            seen.append((look(optimizer), scheduler.last_epoch))
        results.append(seen)
    assert results[0] == results[1]


@pytest.mark.parametrize("name, settings", [
    case for case in CASES if case[0] not in ("OneCycleLR", "CyclicLR")], ids=identify)
def test_going_on_from_a_step_count(name, settings):
    results = []
    for library in (lampion, torch):
        optimizer = optimizer_of(library)
        build = getattr(library.optim.lr_scheduler, name)
        with pytest.raises(KeyError):
            build(optimizer, last_epoch=3, **settings)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"] * 2
        scheduler = build(optimizer, last_epoch=3, **settings)
        results.append(([look(optimizer)], go(optimizer, scheduler, 8)))
    assert results[0] == results[1]


# -- Plateau --------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {}, {"patience": 1}, {"patience": 0, "factor": 0.5, "cooldown": 2},
    {"mode": "max", "patience": 1}, {"mode": "max", "threshold_mode": "abs", "patience": 0},
    {"threshold": 0.3, "threshold_mode": "abs", "patience": 1},
    {"patience": 0, "min_lr": [0.01, 0.2]}, {"patience": 0, "min_lr": 0.05, "eps": 0.1},
], ids=str)
def test_plateau(settings):
    measures = [3, 2.9, 2.9, 2.5, 2.6, 2.7, 2.4999, 2.4999, 2.3, 9, 9, 9, 1, math.nan, 1, 1, 0.5]
    results = []
    for library in (lampion, torch):
        optimizer = optimizer_of(library)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
        seen = []
        for measure in measures:
            scheduler.step(measure)
            seen.append((look(optimizer), scheduler.num_bad_epochs, scheduler.get_last_lr()))
        results.append((seen, scheduler.state_dict()))
    assert results[0] == results[1]
    other = lampion.optim.lr_scheduler.ReduceLROnPlateau(optimizer_of(lampion))
    other.load_state_dict(results[1][1])
    assert other.state_dict() == results[1][1]


@BOTH
def test_plateau_takes_tensors_and_new_groups(library):
    optimizer = optimizer_of(library)
    scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    optimizer.add_param_group({"params": [library.zeros(1, requires_grad=True)]})
    scheduler.step(library.tensor(1.0))
    scheduler.step(library.tensor(2.0))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.03, 0.01])
    strict = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0, 0, 0])
    optimizer.add_param_group({"params": [library.zeros(1, requires_grad=True)]})
    strict.step(1)
    with pytest.raises(RuntimeError):
        strict.step(2)


# -- Combined -------------------------------------------------------------------------------------


def sequential(library, optimizer):
    s = library.optim.lr_scheduler
    return s.SequentialLR(optimizer, [
        s.LinearLR(optimizer, 0.1, total_iters=4), s.CosineAnnealingLR(optimizer, T_max=8),
        s.StepLR(optimizer, 3)], milestones=[4, 12])


def chained(library, optimizer):
    s = library.optim.lr_scheduler
    return s.ChainedScheduler([
        s.ConstantLR(optimizer, 0.1, total_iters=4), s.ExponentialLR(optimizer, 0.9),
        s.MultiStepLR(optimizer, [6, 7])])


def nested(library, optimizer):
    s = library.optim.lr_scheduler
    return s.SequentialLR(optimizer, [
        s.SequentialLR(optimizer, [
            s.ConstantLR(optimizer, 0.5, 2), s.ExponentialLR(optimizer, 0.9)], milestones=[3]),
        chained(library, optimizer)], milestones=[20])


@pytest.mark.parametrize("build", [sequential, chained])
def test_combined(build):
    results = []
    for library in (lampion, torch):
        optimizer = optimizer_of(library)
        scheduler = build(library, optimizer)
        results.append((look(optimizer), go(optimizer, scheduler), scheduler.state_dict()))
    assert results[0] == results[1]
    optimizer = optimizer_of(lampion)
    scheduler = build(lampion, optimizer)
    scheduler.load_state_dict(results[1][2])
    assert scheduler.state_dict() == results[1][2]


@pytest.mark.filterwarnings("ignore:Detected call")
def test_nested():
    results = []
    for library in (lampion, torch):
        optimizer = optimizer_of(library)
        scheduler = nested(library, optimizer)
        results.append((look(optimizer), go(optimizer, scheduler, 15)))
    assert results[0] == results[1]


@BOTH
def test_combinations_that_are_refused(library):
    s, optimizer = library.optim.lr_scheduler, optimizer_of(library)
    step, plateau = s.StepLR(optimizer, 1), s.ReduceLROnPlateau(optimizer)
    foreign = s.StepLR(optimizer_of(library), 1)
    for schedulers, error in (([], ValueError), ([step, plateau], ValueError),
                              ([step, foreign], ValueError), ([step, 1], TypeError)):
        with pytest.raises(error):
            s.SequentialLR(optimizer, schedulers, [3])
        with pytest.raises(error):
            s.ChainedScheduler(schedulers)
    with pytest.raises(ValueError):
        s.SequentialLR(optimizer, [step, step], [1, 2])


# -- Warnings and errors --------------------------------------------------------------------------


@BOTH
def test_warning_about_the_order(library):
    optimizer = optimizer_of(library)
    optimizer.step()
    scheduler = library.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step\\(\\)`"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()
        optimizer = optimizer_of(library)
        scheduler = library.optim.lr_scheduler.StepLR(optimizer, 1)
        optimizer.step()
        library.optim.lr_scheduler.ExponentialLR(optimizer, 1)
        scheduler.step()


@BOTH
def test_warning_about_get_lr(library):
    optimizer = optimizer_of(library)
    scheduler = library.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()


@BOTH
@pytest.mark.parametrize("name, settings, error", [
    ("LambdaLR", {"lr_lambda": [abs]}, ValueError),
    ("MultiplicativeLR", {"lr_lambda": [1, 2]}, TypeError),
    ("ConstantLR", {"factor": 1.5}, ValueError),
    ("LinearLR", {"start_factor": 0}, ValueError),
    ("LinearLR", {"end_factor": 2}, ValueError),
    ("CosineAnnealingWarmRestarts", {"T_0": 0}, ValueError),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 0.5}, ValueError),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "eta_min": "0"}, ValueError),
    ("CyclicLR", {"base_lr": [1], "max_lr": 1}, ValueError),
    ("CyclicLR", {"base_lr": 1, "max_lr": 1, "mode": "square"}, ValueError),
    ("OneCycleLR", {"max_lr": 1}, ValueError),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 0}, ValueError),
    ("OneCycleLR", {"max_lr": 1, "epochs": 3}, ValueError),
    ("OneCycleLR", {"max_lr": 1, "epochs": 3, "steps_per_epoch": 1.5}, ValueError),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "pct_start": 2.0}, ValueError),
    ("OneCycleLR", {"max_lr": 1, "total_steps": 9, "anneal_strategy": "sine"}, ValueError),
    ("ReduceLROnPlateau", {"factor": 1}, ValueError),
    ("ReduceLROnPlateau", {"mode": "best"}, ValueError),
    ("ReduceLROnPlateau", {"threshold_mode": "best"}, ValueError),
    ("ReduceLROnPlateau", {"min_lr": [1]}, ValueError),
])
def test_settings_that_are_refused(library, name, settings, error):
    with pytest.raises(error):
        getattr(library.optim.lr_scheduler, name)(optimizer_of(library), **settings)


@BOTH
def test_momentum_is_needed_for_its_cycle(library):
    optimizer = library.optim.Adagrad([library.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError):
        library.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1)
    with pytest.raises(ValueError):
        library.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 10)


@BOTH
def test_what_is_no_optimizer(library):
    for name in ("StepLR", "ReduceLROnPlateau"):
        with pytest.raises(TypeError):
            getattr(library.optim.lr_scheduler, name)("SGD", **(
                {"step_size": 1} if name == "StepLR" else {}))


@BOTH
def test_one_step_too_many(library):
    optimizer = optimizer_of(library)
    scheduler = library.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=3)
    with pytest.raises(ValueError):
        go(optimizer, scheduler, 4)


@BOTH
def test_a_callable_object_keeps_its_state(library):
    class Decay:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, epoch):
            return self.rate**epoch

    scheduler = library.optim.lr_scheduler.LambdaLR(
        optimizer_of(library), [Decay(0.5), lambda epoch: 1])
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"rate": 0.5}, None]
    other = library.optim.lr_scheduler.LambdaLR(
        optimizer_of(library), [Decay(0.1), lambda epoch: 1])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].rate == 0.5
    assert state["lr_lambdas"] == [{"rate": 0.5}, None]
