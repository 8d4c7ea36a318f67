"""L-BFGS takes PyTorch's path and needs its closure."""

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch")


def rosenbrock(x):
    """Value and gradient of Rosenbrock's valley in four dimensions."""
    a, b = x[:-1], x[1:]
    value = np.sum(100 * (b - a * a) ** 2 + (1 - a) ** 2)
    gradient = np.zeros_like(x)
    gradient[:-1] += -400 * a * (b - a * a) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a * a)
    return value, gradient


def bowl(x):
    scale = np.arange(1, len(x) + 1)
    return np.sum(scale * x * x) / 2 + np.sum(np.cos(3 * x)), scale * x - 3 * np.sin(3 * x)


def run(library, function, settings, steps=5, state=None):
    params = [library.tensor(np.array([[-1.2, 1.0]]), requires_grad=True),
              library.tensor(np.array([0.7, -0.4]), requires_grad=True)]
    optimizer = library.optim.LBFGS(params, **settings)
    calls = 0

    def closure():
        nonlocal calls
        calls += 1
        assert library.is_grad_enabled()
        value, gradient = function(np.concatenate([p.detach().numpy().ravel() for p in params]))
        params[0].grad = library.tensor(gradient[:2].reshape(1, 2))
        params[1].grad = library.tensor(gradient[2:])
        return library.tensor(value)

    losses = [float(optimizer.step(closure)) for _ in range(steps)]
    return losses, [p.detach().numpy().copy() for p in params], calls, optimizer.state_dict()


@pytest.mark.parametrize("function", [rosenbrock, bowl])
@pytest.mark.parametrize("settings", [
    {"lr": 0.001, "max_iter": 5},
    {"lr": 0.002, "max_iter": 7, "history_size": 3},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2, "lr": 0.5},
    {"line_search_fn": "strong_wolfe", "max_eval": 3},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 1.0},
    {"lr": 0.01, "tolerance_change": 0.5},
], ids=str)
def test_path_is_that_of_pytorch(function, settings):
    losses, values, calls, state = run(lampion, function, settings)
    expected = run(torch, function, settings)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-6, atol=1e-9)
    for mine, theirs in zip(values, expected[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-8)
    assert calls == expected[2]
    mine, theirs = state["state"][0], expected[3]["state"][0]
    assert (mine["func_evals"], mine["n_iter"]) == (theirs["func_evals"], theirs["n_iter"])
    assert state["param_groups"] == expected[3]["param_groups"]
    if "old_dirs" in theirs:
        assert len(mine["old_dirs"]) == len(theirs["old_dirs"])


def test_it_finds_the_minimum():
    settings = {"line_search_fn": "strong_wolfe", "max_iter": 100}
    _, values, _, _ = run(lampion, rosenbrock, settings)
    _, gradient = rosenbrock(np.concatenate([v.ravel() for v in values]))
    assert np.abs(gradient).max() < 1e-3


def test_what_is_refused():
    a, b = (lampion.zeros(2, requires_grad=True) for _ in range(2))
    with pytest.raises(ValueError, match="parameter groups"):
        lampion.optim.LBFGS([{"params": [a]}, {"params": [b]}])
    with pytest.raises(TypeError):
        lampion.optim.LBFGS([a]).step()
    with pytest.raises(RuntimeError, match="strong_wolfe"):
        lampion.optim.LBFGS([a], line_search_fn="armijo").step(lambda: 0.0)


def test_state_survives_saving():
    a = lampion.tensor([1.0, 2.0], dtype=lampion.float64, requires_grad=True)

    def make(parameter):
        optimizer = lampion.optim.LBFGS([parameter], lr=0.1, max_iter=3)

        def closure():
            parameter.grad = 2 * parameter.detach() ** 3
            return (parameter.detach() ** 4).sum() / 2

        return optimizer, closure

    optimizer, closure = make(a)
    optimizer.step(closure)
    b = a.detach().clone().requires_grad_()
    other, closure_b = make(b)
    other.load_state_dict(optimizer.state_dict())
    optimizer.step(closure)
    other.step(closure_b)
    assert a.tolist() == b.tolist()
