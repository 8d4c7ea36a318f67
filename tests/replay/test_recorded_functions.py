"""Functions of every module are followed: the third step makes no call of its own."""

from __future__ import annotations

import numpy as np
import pytest

import lampion as torch

nn = torch.nn
SQUARE = torch.tensor(np.random.default_rng(0).normal(size=(3, 3)).tolist()) + 3 * torch.eye(3)

FUNCTIONS = {
    "lgamma": lambda x: torch.lgamma(x * x + 1) + torch.digamma(x * x + 1),
    "erfc": lambda x: torch.erfc(x) + torch.special.ndtr(x),
    "xlogy": lambda x: torch.xlogy(x * x, x * x + 1) + torch.special.entr(x * x + 0.1),
    "copysign": lambda x: torch.copysign(x, -x) + torch.rad2deg(x) + torch.logaddexp2(x, x),
    "inverse": lambda x: torch.linalg.inv(x + SQUARE),
    "determinant": lambda x: torch.linalg.slogdet(x + SQUARE).logabsdet + torch.det(x),
    "solve": lambda x: torch.linalg.solve(x + SQUARE, x),
    "cholesky": lambda x: torch.linalg.cholesky(x @ x.T + 3 * torch.eye(3)),
    "qr": lambda x: torch.linalg.qr(x + SQUARE).R,
    "svd": lambda x: torch.linalg.svdvals(x + SQUARE),
    "eigh": lambda x: torch.linalg.eigvalsh(x @ x.T),
    "matrix_exp": lambda x: torch.matrix_exp(0.1 * x) @ torch.linalg.matrix_power(x, 2),
    "norm": lambda x: torch.linalg.norm(x) + torch.linalg.matrix_norm(x),
    "scatter_reduce": lambda x: torch.zeros(3, 3).scatter_reduce(
        0, torch.tensor([[0, 1, 2]]), x, "sum"),
    "select_scatter": lambda x: torch.select_scatter(x, x[0] * 2, 0, 1),
    "block_diag": lambda x: torch.block_diag(x, x * 2),
    "trapezoid": lambda x: torch.trapezoid(x) + torch.cumulative_trapezoid(x).sum(),
    "fourier": lambda x: torch.fft.irfft(torch.fft.rfft(x) * 2, 3),
    "one_hot": lambda x: nn.functional.one_hot(x.argmax(-1), 3) * x,
    "gamma samples": lambda x: torch.distributions.Gamma(x * x + 1, 1.0).rsample(),
    "samples of classes": lambda x: torch.distributions.OneHotCategoricalStraightThrough(
        logits=x).rsample(),
}
LAYERS = {
    "linear": lambda: nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(3)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 3)), nn.LazyConv1d(4, 2), nn.LazyBatchNorm1d(), nn.Flatten(),
        nn.LazyLinear(3)),
    "transposed": lambda: nn.Sequential(
        nn.Unflatten(1, (3, 1)), nn.LazyConvTranspose1d(2, 3),
        nn.LazyInstanceNorm1d(affine=True), nn.Flatten(), nn.LazyLinear(3)),
}


def losses(make, function):
    """Losses of six steps, and how many calls were no recorded ones in the last three."""
    torch.manual_seed(0)
    model = make()
    x = torch.tensor(np.random.default_rng(1).normal(size=(3, 3)).tolist())
    optimizer, found, before = None, [], 0
    for step in range(6):
        if step == 3:
            before = len(torch.explain_recompiles())
        loss = function(model(x)).square().mean()
        if optimizer is None:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found, len(torch.explain_recompiles()) - before


@pytest.mark.parametrize("make, function", [
    *(pytest.param(lambda: nn.Linear(3, 3), f, id=name) for name, f in FUNCTIONS.items()),
    *(pytest.param(m, lambda x: x, id=f"lazy {name}") for name, m in LAYERS.items())])
def test_steps_are_followed_and_have_the_same_numbers(make, function):
    followed, recorded = losses(make, function)
    torch.set_replay(False)
    try:
        made, _ = losses(make, function)
    finally:
        torch.set_replay(True)
    np.testing.assert_allclose(followed, made, 1e-6)
    assert recorded == 0
