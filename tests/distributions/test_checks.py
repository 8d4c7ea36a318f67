"""What is refused, and what it says."""

from __future__ import annotations

import pytest

import lampion as torch

d = torch.distributions


@pytest.mark.parametrize("make", [
    lambda: d.Normal(0.0, -1.0), lambda: d.Normal(0.0, torch.tensor([1.0, 0.0])),
    lambda: d.Bernoulli(1.5), lambda: d.Categorical(torch.tensor([0.5, -0.5, 1.0])),
    lambda: d.Gamma(-1.0, 1.0), lambda: d.Dirichlet(torch.tensor([1.0, 0.0])),
    lambda: d.Uniform(1.0, 0.0), lambda: d.Poisson(-1.0), lambda: d.Geometric(0.0),
    lambda: d.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]])),
    lambda: d.Binomial(2.5, torch.tensor(0.5)), lambda: d.LKJCholesky(1),
    lambda: d.Wishart(torch.tensor(1.0), torch.eye(3)), lambda: d.Normal(float("nan"), 1.0),
])
def test_wrong_parameters(make):
    with pytest.raises(ValueError):
        make()


def test_the_message_names_the_parameter_and_what_it_must_be():
    with pytest.raises(ValueError, match=r"Expected parameter scale .*greater_than") as caught:
        d.Normal(torch.zeros(2), torch.tensor([1.0, -2.0]))
    assert "write instead" in str(caught.value) and "softplus" in str(caught.value)


def test_checks_can_be_switched_off():
    assert d.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    d.Distribution.set_default_validate_args(False)
    try:
        assert d.Normal(0.0, -1.0).scale.item() == -1
    finally:
        d.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError):
        d.Distribution.set_default_validate_args("yes")


@pytest.mark.parametrize("make, value", [
    (lambda: d.Bernoulli(0.5), 0.5), (lambda: d.Exponential(1.0), -1.0),
    (lambda: d.Categorical(torch.ones(3)), 3), (lambda: d.Poisson(1.0), 0.5),
    (lambda: d.Beta(1.0, 1.0), 1.5), (lambda: d.Uniform(0.0, 1.0), 2.0),
    (lambda: d.LogNormal(0.0, 1.0), -1.0),
])
def test_wrong_values(make, value):
    with pytest.raises(ValueError, match="support"):
        make().log_prob(torch.tensor(value))


def test_wrong_shapes():
    with pytest.raises(ValueError, match="event_shape"):
        d.Dirichlet(torch.ones(3)).log_prob(torch.ones(2) / 2)
    with pytest.raises(ValueError, match="broadcastable"):
        d.Normal(torch.zeros(3), 1.0).log_prob(torch.zeros(2))
    with pytest.raises(ValueError, match="must be a Tensor"):
        d.Normal(0.0, 1.0).log_prob(1.0)
    with pytest.raises(ValueError):
        d.Categorical(torch.tensor(1.0))
    with pytest.raises(ValueError):
        d.Independent(d.Normal(0.0, 1.0), 1)


def test_either_probabilities_or_logits():
    for make in (d.Bernoulli, d.Categorical, d.Geometric):
        with pytest.raises(ValueError, match="not both"):
            make()
        with pytest.raises(ValueError, match="not both"):
            make(torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match="Exactly one"):
        d.MultivariateNormal(torch.zeros(2))


def test_what_is_not_computed_yet_is_not_computed_by_a_check():
    before = torch.zeros(2).add(1)  # pending
    made = d.Normal(before, before.exp())
    assert made.log_prob(before * 2)._value.data is None


def test_no_divergence_is_known():
    with pytest.raises(NotImplementedError, match="No KL"):
        d.kl_divergence(d.Normal(0.0, 1.0), d.Categorical(torch.ones(2)))


def test_a_registered_divergence_is_found_by_class():
    class Mine(d.Normal):
        pass

    @d.register_kl(Mine, d.Normal)
    def formula(p, q):
        return torch.tensor(42.0)

    assert d.kl_divergence(Mine(0.0, 1.0), d.Normal(0.0, 1.0)).item() == 42
    assert d.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 42
    assert d.kl_divergence(d.Normal(0.0, 1.0), d.Normal(0.0, 1.0)).item() == 0


def test_a_subclass_with_its_own_constructor_needs_its_own_expand():
    class Mine(d.Normal):
        def __init__(self, loc):
            super().__init__(loc, 1.0)

    with pytest.raises(NotImplementedError, match="expand"):
        Mine(0.0).expand((2,))


def test_lazy_parameters_are_computed_once():
    made = d.Categorical(logits=torch.zeros(3))
    assert "probs" not in vars(made)
    assert made.probs is made.probs and "probs" in vars(made)
