"""Maps and the regions they lead to, held against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch", reason="PyTorch is the witness here")


def made(library):
    """The same maps in either library, with a point of their domain."""
    t = library.distributions.transforms
    d = library.distributions

    def tensor(*numbers):
        return library.tensor(np.array(numbers).tolist(), dtype=library.float64)

    line, above = tensor(-1.3, 0.2, 2.0), tensor(0.3, 1.0, 2.5)
    square = tensor([0.3, -1.0], [0.7, 0.4])
    return {
        "exp": (t.ExpTransform(), line), "power": (t.PowerTransform(tensor(2.0)[0]), above),
        "sigmoid": (t.SigmoidTransform(), line), "tanh": (t.TanhTransform(), line),
        "softplus": (t.SoftplusTransform(), line), "abs": (t.AbsTransform(), above),
        "affine": (t.AffineTransform(1.0, -2.0), line),
        "affine event": (t.AffineTransform(tensor(1.0, 0.0, 1.0), 3.0, event_dim=1), line),
        "softmax": (t.SoftmaxTransform(), line),
        "stick": (t.StickBreakingTransform(), line),
        "cholesky": (t.LowerCholeskyTransform(), square),
        "definite": (t.PositiveDefiniteTransform(), square),
        "correlation": (t.CorrCholeskyTransform(), line),
        "reshape": (t.ReshapeTransform((3,), (3, 1)), line),
        "independent": (t.IndependentTransform(t.ExpTransform(), 1), line),
        "compose": (t.ComposeTransform([
            t.AffineTransform(0.5, 2.0), t.SigmoidTransform(), t.PowerTransform(tensor(3.0)[0])]),
            line),
        "compose mixed": (t.ComposeTransform([t.ExpTransform(), t.StickBreakingTransform()]),
                          line),
        "cat": (t.CatTransform([t.ExpTransform(), t.identity_transform], 0, [1, 2]), line),
        "stack": (t.StackTransform([t.ExpTransform(), t.TanhTransform(), t.ExpTransform()]),
                  line),
        "cumulative": (t.CumulativeDistributionTransform(d.Normal(tensor(0.0)[0], 1.0)), line),
        "inverse": (t.ExpTransform().inv, above),
        "no parts": (t.identity_transform, line),
    }


NAMES = list(made(lampion))


@pytest.mark.parametrize("name", NAMES)
def test_values_inverses_and_volumes(name):
    (ours, x), (theirs, tx) = made(lampion)[name], made(torch)[name]
    y, ty = ours(x), theirs(tx)
    np.testing.assert_allclose(y.numpy(), ty.numpy(), 1e-12)
    np.testing.assert_allclose(ours.inv(y).numpy(), theirs.inv(ty).numpy(), 1e-9, 1e-12)
    assert ours.bijective == theirs.bijective
    assert tuple(ours.forward_shape(x.shape)) == tuple(y.shape)
    assert tuple(ours.inverse_shape(y.shape)) == tuple(x.shape)
    for mine, other in ((ours.domain, theirs.domain), (ours.codomain, theirs.codomain)):
        assert (mine.event_dim, mine.is_discrete) == (other.event_dim, other.is_discrete)
    assert bool(ours.codomain.check(y).all())
    try:
        volume = theirs.log_abs_det_jacobian(tx, ty)
    except NotImplementedError:
        return
    mine = ours.log_abs_det_jacobian(x, y)
    assert tuple(mine.shape) == tuple(volume.shape)
    np.testing.assert_allclose(mine.numpy(), volume.numpy(), 1e-9, 1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("softmax", "reshape")])
def test_equal_to_another_like_it(name):
    ours, theirs = made(lampion), made(torch)
    for other in NAMES:
        mine = ours[name][0] == made(lampion)[other][0]
        true = theirs[name][0] == made(torch)[other][0]
        assert bool(mine) == bool(true), other


def test_a_cache_gives_back_what_went_in():
    t = lampion.distributions.TanhTransform(cache_size=1)
    x = lampion.tensor([20.0])
    y = t(x)
    assert t.inv(y) is x and t(x) is y
    assert lampion.distributions.TanhTransform().inv(y).item() != 20


def regions(library):
    c = library.distributions.constraints
    return {
        "real": c.real, "positive": c.positive, "above": c.greater_than(2.0),
        "at least": c.greater_than_eq(1.0), "below": c.less_than(-1.0),
        "unit": c.unit_interval, "interval": c.interval(-2.0, 3.0),
        "half open": c.half_open_interval(0.0, 2.0), "simplex": c.simplex,
        "vector": c.real_vector, "independent": c.independent(c.positive, 1),
        "lower": c.lower_cholesky, "definite": c.positive_definite,
        "correlation": c.corr_cholesky,
        "cat": c.cat([c.positive, c.real], 0, [1, 2]),
        "stack": c.stack([c.positive, c.real, c.unit_interval], 0),
    }


@pytest.mark.parametrize("name", list(regions(lampion)))
@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
def test_the_way_into_a_region(name, registry):
    values = [[0.3, -1.0, 0.2], [0.7, 0.4, 1.0], [-0.2, 0.1, 2.0]]
    results = []
    for library in (lampion, torch):
        region = regions(library)[name]
        x = library.tensor(values, dtype=library.float64)
        if registry == "biject_to" and name in ("lower", "definite"):
            with pytest.raises(NotImplementedError):
                library.distributions.biject_to(region)
            continue
        y = getattr(library.distributions, registry)(region)(x)
        assert bool(region.check(y).all())
        results.append(y.numpy())
    if results:
        np.testing.assert_allclose(*results, 1e-12)


@pytest.mark.parametrize("name", [
    "real", "positive", "nonnegative", "boolean", "unit_interval", "nonnegative_integer",
    "positive_integer", "simplex", "real_vector", "one_hot", "lower_triangular",
    "lower_cholesky", "corr_cholesky", "positive_definite", "positive_semidefinite", "symmetric",
    "square"])
def test_what_lies_in_a_region(name):
    values = [[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.25]], [[-1.0, 2.0], [3.0, 0.0]],
              [[0.6, 0.0], [0.6, 0.8]], [[2.0, float("nan")], [0.1, 7.5]]]
    # One at a time: PyTorch does not look at eigenvalues where any of the matrices is unsymmetric.
    for value in values[:4] if name.startswith("positive_") else values:
        ours, theirs = (
            getattr(library.distributions.constraints, name).check(
                library.tensor(value, dtype=library.float64)) for library in (lampion, torch))
        assert ours.tolist() == theirs.tolist()


def test_transformed_distribution_of_many_axes():
    results = []
    for library in (lampion, torch):
        d = library.distributions
        base = d.Normal(library.zeros(4, 3, dtype=library.float64), 1.0)
        made = d.TransformedDistribution(base, [d.ExpTransform(), d.StickBreakingTransform()])
        x = library.tensor([[0.1, 0.2, 0.3, 0.4]] * 4, dtype=library.float64)
        results.append((tuple(made.batch_shape), tuple(made.event_shape)))
        loc = library.tensor([[1.0, 2.0, 3.0]], dtype=library.float64)
        wide = d.TransformedDistribution(
            d.Normal(library.zeros(3, dtype=library.float64), 1.0),
            d.AffineTransform(loc, 2.0, event_dim=1))
        results.append((tuple(wide.batch_shape), tuple(wide.event_shape),
                        wide.log_prob(loc).tolist(), x.shape[0]))
    assert results[:2] == results[2:]
