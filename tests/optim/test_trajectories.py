"""Every optimizer takes the same path as PyTorch's, for every setting."""

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch")

SHAPES = [(3, 4), (5,), ()]
STEPS = 22

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.01, "momentum": 0.5, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "maximize": True, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.5, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.9, "eps": 1e-3}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "maximize": True}),
    ("Adagrad", {"lr": 0.3}),
    ("Adagrad", {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "maximize": True,
                 "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.5, "eps": 1e-2, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "betas": (0.5, 0.6), "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 5, "weight_decay": 0.1}),
    ("ASGD", {"t0": 0, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 2.0), "step_sizes": (0.05, 0.3), "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.3, "beta2_decay": -0.5, "eps": (1e-2, 0.5), "d": 2.0,
                   "weight_decay": 0.1, "maximize": True}),
]


def identify(case):
    return f"{case[0]}-{'-'.join(f'{k}={v}' for k, v in case[1].items())}"


def gradient_of(value, step):
    """A gradient that depends on the parameter and changes its sign from time to time."""
    noise = np.cos(1.7 * step + np.arange(value.size)).reshape(value.shape)
    return (value - 0.5 + noise).astype(value.dtype)


def parameters(library, dtype):
    random = np.random.default_rng(0)
    values = [np.asarray(random.standard_normal(shape), dtype) for shape in SHAPES]
    return [library.tensor(value, requires_grad=True) for value in values]


def values(params):
    return [param.detach().numpy().copy() for param in params]


def advance(library, params, optimizer, first, count):
    path = []
    for step in range(first, first + count):
        for index, param in enumerate(params):
            if index == 2 and step % 5 == 4:  # a parameter without a gradient is left alone
                param.grad = None
                continue
            param.grad = library.tensor(gradient_of(param.detach().numpy(), step))
        optimizer.step()
        path.append(values(params))
    return path


def assert_same_path(ours, theirs, tolerance):
    for step, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        for a, b in zip(mine, reference, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=f"{step=}")


@pytest.fixture
def double_counters():
    """PyTorch keeps counters like mu_product in the default type; double shows the formula."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("case", CASES, ids=identify)
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_path_is_that_of_pytorch(case, dtype, tolerance, double_counters):
    name, settings = case
    ours, theirs = parameters(lampion, dtype), parameters(torch, dtype)
    a = advance(lampion, ours, getattr(lampion.optim, name)(ours, **settings), 0, STEPS)
    b = advance(torch, theirs, getattr(torch.optim, name)(theirs, **settings), 0, STEPS)
    assert_same_path(a, b, tolerance)


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_path_with_a_tensor_learning_rate(case):
    name, settings = case
    settings = {"lr": 0.01, **settings}
    plain, tensor = parameters(lampion, np.float64), parameters(lampion, np.float64)
    build = getattr(lampion.optim, name)
    a = advance(lampion, plain, build(plain, **settings), 0, 5)
    lr = lampion.tensor(settings.pop("lr"), dtype=lampion.float64)
    b = advance(lampion, tensor, build(tensor, lr=lr, **settings), 0, 5)
    assert_same_path(a, b, 1e-12)


def translated(entry, library):
    """Copy a state dict with the tensors turned into those of another library."""
    if isinstance(entry, dict):
        return {key: translated(value, library) for key, value in entry.items()}
    if isinstance(entry, list):
        return [translated(value, library) for value in entry]
    if isinstance(entry, (torch.Tensor, lampion.Tensor)):
        return library.tensor(entry.detach().numpy())
    return entry


def assert_same_state(ours, theirs, loaded=False):
    assert ours["param_groups"] == theirs["param_groups"]
    assert set(ours["state"]) == set(theirs["state"])
    for number, state in theirs["state"].items():
        assert list(ours["state"][number]) == list(state)
        for name, value in state.items():
            mine = ours["state"][number][name]
            assert isinstance(mine, lampion.Tensor) == isinstance(value, torch.Tensor), name
            if isinstance(value, torch.Tensor):
                # PyTorch gives loaded counters the type of the parameter, except "step".
                if not (loaded and name in ("eta", "mu", "mu_product")):
                    assert str(mine.dtype).split(".")[1] == str(value.dtype).split(".")[1], name
                assert tuple(mine.shape) == tuple(value.shape), name
                np.testing.assert_allclose(
                    mine.numpy(), value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_state_moves_to_pytorch_and_back(case):
    name, settings = case
    ours, theirs = parameters(lampion, np.float64), parameters(torch, np.float64)
    mine = getattr(lampion.optim, name)(ours, **settings)
    reference = getattr(torch.optim, name)(theirs, **settings)
    advance(lampion, ours, mine, 0, 4)
    advance(torch, theirs, reference, 0, 4)
    assert_same_state(mine.state_dict(), reference.state_dict())
    # Cross over: each goes on from the other's state.
    crossed = getattr(lampion.optim, name)(ours, lr=0.5)
    crossed.load_state_dict(translated(reference.state_dict(), lampion))
    across = getattr(torch.optim, name)(theirs, lr=0.5)
    across.load_state_dict(translated(mine.state_dict(), torch))
    a = advance(lampion, ours, crossed, 4, 4)
    b = advance(torch, theirs, across, 4, 4)
    assert_same_path(a, b, 1e-6)
    assert_same_state(crossed.state_dict(), across.state_dict(), loaded=True)
