"""Samples: their distribution, moments, support, and the gradients that flow through them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_distributions import CASES, class_of, make

import lampion as torch

d = torch.distributions
COUNT = 4000


def scalar(case):
    """The case with the first of its parameters, as one distribution of one number."""
    name, parameters, others = CASES[case]
    return class_of(torch, name)(**{key: torch.tensor(float(value.reshape(-1)[0]),
                                                      dtype=torch.float64)
                                    for key, value in parameters.items()}, **others)


WITH_CDF = ["Cauchy", "Chi2", "ContinuousBernoulli", "Exponential", "Gamma", "GeneralizedPareto",
            "Gumbel", "HalfCauchy", "HalfNormal", "InverseGamma", "Kumaraswamy", "Laplace",
            "LogNormal", "Normal", "Pareto", "Uniform", "Weibull"]


@pytest.mark.parametrize("case", WITH_CDF)
def test_kolmogorov_and_smirnov_agree(case):
    torch.manual_seed(7)
    one = scalar(case)
    shares = np.sort(one.cdf(one.sample((COUNT,))).numpy())
    steps = np.arange(COUNT + 1) / COUNT
    distance = max(np.abs(shares - steps[1:]).max(), np.abs(shares - steps[:-1]).max())
    assert distance < 1.95 / math.sqrt(COUNT)  # exceeded by chance once in a thousand times


DISCRETE = ["Bernoulli", "Binomial", "Geometric", "NegativeBinomial", "Poisson"]


@pytest.mark.parametrize("case", DISCRETE)
def test_counts_come_as_often_as_their_probabilities_say(case):
    torch.manual_seed(3)
    one = scalar(case)
    drawn = one.sample((COUNT,)).numpy()
    for value in range(6):
        if value > 1 and case == "Bernoulli":
            break
        chance = math.exp(one.log_prob(torch.tensor(float(value))).item())
        spread = math.sqrt(chance * (1 - chance) / COUNT)
        assert abs((drawn == value).mean() - chance) < 4 * spread + 1e-9


@pytest.mark.parametrize("case", [c for c in CASES if c not in (
    "Cauchy", "HalfCauchy", "Categorical", "Categorical logits")])
def test_moments_and_support(case):
    torch.manual_seed(11)
    one, _ = make(torch, case, False)
    drawn = one.sample((COUNT,))
    assert drawn.dtype == torch.float64 and drawn.shape == one.batch_shape.__class__(
        (COUNT, *one.batch_shape, *one.event_shape))
    assert bool(one.support.check(drawn).all())
    try:
        mean, variance = one.mean.numpy(), one.variance.numpy()
    except NotImplementedError:
        return
    if case == "VonMises":
        drawn = drawn.sub(one.loc).add(math.pi).remainder(2 * math.pi).sub(math.pi).add(one.loc)
        variance = drawn.var(0).numpy()
    allowed = 5 * np.sqrt(variance / COUNT) + 1e-6
    assert (np.abs(drawn.mean(0).numpy() - mean) < allowed).all()
    if case in ("FisherSnedecor", "InverseGamma", "Pareto", "StudentT", "LogNormal", "VonMises"):
        return  # tails so heavy that the variance of samples says little
    np.testing.assert_allclose(drawn.var(0).numpy(), variance, 0.25, 1e-3)


def test_a_class_of_probability_zero_is_never_drawn():
    torch.manual_seed(0)
    drawn = d.Categorical(torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0])).sample((20000,)).numpy()
    assert set(np.unique(drawn)) == {1, 3}
    assert abs((drawn == 1).mean() - 0.5) < 0.02


def test_the_same_seed_gives_the_same_samples():
    for case in ("Gamma", "Dirichlet", "Poisson", "Binomial", "VonMises"):
        one, _ = make(torch, case, False)
        torch.manual_seed(5)
        first = one.sample((3,)).numpy()
        torch.manual_seed(5)
        assert (one.sample((3,)).numpy() == first).all()
        assert (one.sample((3,)).numpy() != first).any()


@pytest.mark.parametrize("alpha", [0.05, 0.7, 2.0, 40.0])
def test_gradients_flow_through_gamma_samples(alpha):
    """The mean of x is alpha, that of x^2 is alpha + alpha^2: their slopes are known."""
    torch.manual_seed(1)
    a = torch.full((20000,), alpha, dtype=torch.float64, requires_grad=True)
    x = d.Gamma(a, 1.0).rsample()
    (slope,) = torch.autograd.grad(x.mean() * 20000, a, retain_graph=True)
    assert abs(slope.mean().item() - 1) < 5 * slope.std().item() / math.sqrt(20000)
    (slope,) = torch.autograd.grad((x * x).sum(), a)
    assert abs(slope.mean().item() - 1 - 2 * alpha) < 5 * slope.std().item() / math.sqrt(20000)


def test_gradients_flow_through_dirichlet_and_beta_samples():
    torch.manual_seed(2)
    a = torch.tensor([0.5, 1.5, 3.0], dtype=torch.float64)
    wide = a.expand(20000, 3).clone().requires_grad_()
    x = d.Dirichlet(wide).rsample()
    weights = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    (slope,) = torch.autograd.grad((x * weights).sum(), wide)
    exact = a.clone().requires_grad_()
    (expected,) = torch.autograd.grad((exact / exact.sum() * weights).sum(), exact)
    spread = slope.std(0).numpy() / math.sqrt(20000)
    assert (np.abs(slope.mean(0).numpy() - expected.numpy()) < 5 * spread).all()


@pytest.mark.parametrize("case", [c for c in CASES if c.split(" ")[0] not in (
    "OneHotCategoricalStraightThrough",)])
def test_reparameterised_samples_have_gradients(case):
    one, parameters = make(torch, case)
    if not one.has_rsample:
        with pytest.raises(NotImplementedError):
            one.rsample()
        return
    assert not one.sample().requires_grad
    x = one.rsample((2,))
    gradients = torch.autograd.grad(x.sum(), parameters, allow_unused=True)
    for gradient in gradients:
        assert gradient is None or bool(gradient.isfinite().all())
    assert any(gradient is not None for gradient in gradients)


def test_straight_through_gradients_are_those_of_the_probabilities():
    logits = torch.tensor([0.3, -0.2, 1.0], requires_grad=True)
    x = d.OneHotCategoricalStraightThrough(logits=logits).rsample()
    assert sorted(x.tolist()) == [0.0, 0.0, 1.0]
    weights = torch.tensor([1.0, 2.0, 3.0])
    (ours,) = torch.autograd.grad((x * weights).sum(), logits)
    (expected,) = torch.autograd.grad((torch.softmax(logits, -1) * weights).sum(), logits)
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), 1e-6)


def test_a_policy_gradient_step_is_replayed():
    """Sampling and log_prob read nothing: the second step makes the calls of the first."""
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    states, rewards = torch.randn(16, 4), torch.randn(16)

    def step():
        policy = d.Categorical(logits=network(states))
        action = policy.sample()
        loss = -(policy.log_prob(action) * rewards).mean() - 0.01 * policy.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return action

    first = [step() for _ in range(4)]
    before = len(torch.explain_recompiles())
    more = [step() for _ in range(4)]
    assert len(torch.explain_recompiles()) == before
    assert len({tuple(a.tolist()) for a in first + more}) > 1


def test_checks_of_known_numbers_do_not_end_a_record():
    """Parameters are checked at every step, and the step is followed all the same."""
    loc, scale = (torch.nn.Parameter(torch.full((3,), x)) for x in (0.0, 1.0))
    values = torch.randn(20, 3)
    values.tolist()
    optimizer = torch.optim.SGD([loc, scale], lr=0.1)
    run = torch.replay.recorded.run

    def step():
        loss = -d.Normal(loc, scale).log_prob(values).mean()
        optimizer.zero_grad()
        loss.backward()
        followed = not run.slow
        optimizer.step()
        return followed and not run.slow

    assert [step() for _ in range(6)][3:] == [True] * 3
    with torch.no_grad():
        scale.fill_(-1.0)
    scale.tolist()
    with pytest.raises(ValueError, match="scale"):
        step()
