"""Densities, entropies, moments, divergences and their gradients, held against PyTorch's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from drawn_distributions import CASES, class_of, make

import lampion

torch = pytest.importorskip("torch", reason="PyTorch is the witness here")



@pytest.fixture(autouse=True)
def double_by_default():
    """PyTorch's generalized Pareto mixes a number of the default type into its formulas."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


every_case = pytest.mark.parametrize("case", CASES)


def numbers(x):
    return x.detach().numpy()


def gradients(library, result, parameters):
    weights = np.cos(np.arange(result.numel())).reshape(tuple(result.shape))
    total = (result * library.tensor(weights, dtype=library.float64)).sum()
    if not total.requires_grad:
        return [None] * len(parameters)
    return library.autograd.grad(total, parameters, allow_unused=True)


def assert_same(ours, theirs, what, tolerance=1e-7):
    assert tuple(ours.shape) == tuple(theirs.shape), what
    np.testing.assert_allclose(numbers(ours), numbers(theirs), tolerance, tolerance, err_msg=what)


def compare(case, what, take):
    """Hold what `take(library, distribution)` gives, and its gradients, against PyTorch's."""
    results = []
    for library in (lampion, torch):
        d, parameters = make(library, case)
        try:
            results.append((take(library, d), parameters))
        except NotImplementedError:
            results.append(None)
    ours, theirs = results
    if theirs is None:
        return
    assert ours is not None, f"{what}: PyTorch has it"
    assert_same(ours[0], theirs[0], what)
    if not theirs[0].dtype.is_floating_point:
        return
    try:
        slopes = gradients(torch, *theirs)
    except RuntimeError:  # PyTorch has no derivative of igamma by its first argument
        return
    for mine, other in zip(gradients(lampion, *ours), slopes, strict=True):
        assert (mine is None) == (other is None) or (
            mine is None and not np.nan_to_num(numbers(other)).any()) or (
            other is None and not numbers(mine).any()), what
        if mine is not None and other is not None:
            assert_same(mine, other, f"gradient of {what}", 1e-6)


@every_case
def test_log_prob_and_its_gradients(case):
    d, _ = make(torch, case)
    torch.manual_seed(1)
    drawn = d.sample((4,))
    value = numbers(drawn)

    def take(library, d):
        x = library.tensor(value, dtype=library.float64)
        return d.log_prob(x)

    compare(case, "log_prob", take)
    if d.support is not None and not getattr(d.support, "is_discrete", True):
        results = []
        for library in (lampion, torch):
            d, _ = make(library, case, False)
            x = library.tensor(value, dtype=library.float64, requires_grad=True)
            found = d.log_prob(x).sum()
            if not found.requires_grad:
                return
            found.backward()
            results.append(x.grad)
        assert_same(*results, "the slope of log_prob", 1e-6)


@every_case
@pytest.mark.parametrize("name", ["mean", "variance", "stddev", "mode"])
def test_moments(case, name):
    if (case, name) == ("Kumaraswamy", "mode"):
        pytest.skip("PyTorch takes the logarithm of a negative number; see test_modes_are_highest")
    compare(case, name, lambda library, d: getattr(d, name))


@pytest.mark.parametrize("case", ["Kumaraswamy", "Beta", "Gamma", "Weibull", "InverseGamma"])
def test_modes_are_highest(case):
    name, parameters, _ = CASES[case]
    d = class_of(lampion, name)(**{
        key: lampion.tensor(1 + value, dtype=lampion.float64) for key, value in parameters.items()})
    highest = d.log_prob(d.mode)
    for factor in (0.99, 1.01):
        assert bool((d.log_prob(d.mode * factor) < highest).all())


@every_case
def test_entropy(case):
    compare(case, "entropy", lambda library, d: d.entropy())


@every_case
def test_cumulative_distribution_and_its_inverse(case):
    torch.manual_seed(2)
    value = numbers(make(torch, case)[0].sample())
    compare(case, "cdf", lambda library, d: d.cdf(library.tensor(value, dtype=library.float64)))
    share = np.array([0.2, 0.5, 0.9]).reshape((3,) if value.shape == (3,) else (3,) + (1,) * (
        value.ndim))
    compare(case, "icdf", lambda library, d: d.icdf(
        library.tensor(share, dtype=library.float64)))


@every_case
def test_shapes_after_expanding(case):
    results = []
    for library in (lampion, torch):
        d, _ = make(library, case, False)
        wide = d.expand((5, *d.batch_shape))
        drawn = wide.sample((2,))
        log_prob = wide.log_prob(drawn)
        results.append([tuple(s) for s in (
            d.batch_shape, d.event_shape, wide.batch_shape, wide.event_shape, drawn.shape,
            log_prob.shape)])
    assert results[0] == results[1]


@every_case
def test_expanded_density_is_the_same(case):
    d, _ = make(lampion, case, False)
    drawn = d.sample((3,))
    wide = d.expand((2, *d.batch_shape)).log_prob(drawn[:, None])
    np.testing.assert_allclose(wide[:, 0].numpy(), d.log_prob(drawn).numpy(), 1e-12)


@every_case
def test_all_values(case):
    compare(case, "enumerate_support", lambda library, d: d.enumerate_support().double())
    compare(case, "enumerate_support", lambda library, d: d.enumerate_support(False).double())


FAMILIES = ["Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "ContinuousBernoulli",
            "Dirichlet", "Exponential", "Gamma", "Geometric", "Gumbel", "HalfNormal", "Laplace",
            "LogNormal", "LowRankMultivariateNormal", "MultivariateNormal", "Normal",
            "OneHotCategorical", "Pareto", "Poisson", "Uniform"]


@pytest.mark.parametrize("family", FAMILIES)
def test_divergences_from_a_family_to_all(family):
    for other in FAMILIES:
        results = []
        for library in (lampion, torch):
            p, parameters = make(library, family)
            q, more = make(library, other)
            if other == family:  # not the same parameters
                q, more = make(library, other, False)
                q, more = shifted(library, other)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = library.distributions.kl_divergence(p, q)
                results.append((found, parameters + more))
            except (NotImplementedError, ValueError, RuntimeError):
                results.append(None)
        ours, theirs = results
        if theirs is None:
            assert ours is None or family != other
            continue
        assert ours is not None, f"KL({family} || {other}): PyTorch has it"
        assert_same(ours[0].double(), theirs[0].double(), f"KL({family} || {other})", 1e-6)
        if not np.isfinite(numbers(theirs[0])).all():
            continue
        for mine, true in zip(gradients(lampion, *ours), gradients(torch, *theirs), strict=True):
            if true is None or mine is None:
                assert mine is None or not numbers(mine).any()
                assert true is None or not numbers(true).any()
                continue
            assert_same(mine, true, f"gradient of KL({family} || {other})", 1e-5)


def shifted(library, case):
    """The case with other parameters of the same kind."""
    name, parameters, others = CASES[case]
    made = {}
    for key, value in parameters.items():
        factor = 0.9 if key in ("probs", "low") else 1.1
        made[key] = library.tensor(value * factor, dtype=library.float64, requires_grad=True)
    return class_of(library, name)(**made, **others), list(made.values())


@pytest.mark.parametrize("case", ["Gamma", "Dirichlet", "Beta"])
def test_slopes_of_implicit_samples(case):
    """Ours are exact; PyTorch's are approximations good to some thousandths."""
    from lampion.ops import implicit

    random = np.random.default_rng(0)
    alpha = np.exp(random.uniform(-4, 5, 500))
    if case == "Gamma":
        x = np.maximum(random.gamma(alpha), 1e-200)
        ours = implicit.gamma_slope.meaning(np, alpha, x)
        theirs = torch._standard_gamma_grad(torch.tensor(alpha), torch.tensor(x)).numpy()
    else:
        other = np.exp(random.uniform(-2, 4, 500))
        x = np.clip(random.beta(alpha, other), 1e-200, 1 - 1e-15)
        ours = implicit.dirichlet_slope.meaning(np, x, alpha, alpha + other)
        theirs = torch._dirichlet_grad(
            torch.tensor(x), torch.tensor(alpha), torch.tensor(alpha + other)).numpy()
    np.testing.assert_allclose(ours, theirs, 6e-3, 1e-9)
