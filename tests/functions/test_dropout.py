"""Dropout: what is left out, what is kept, and how often."""

import math

import numpy as np
import pytest
from against_torch import F, check, check_error, numbers

import lampion

ALL = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"]


def drawn(name, shape, p, **settings):
    lampion.manual_seed(0)
    function = getattr(F, name)
    return np.array(function(lampion.ones(*shape), p, training=True, **settings).tolist())


def test_dropout_keeps_the_mean():
    x = drawn("dropout", (100, 200), 0.3)
    assert set(np.unique(x.round(5))) == {0.0, round(1 / 0.7, 5)}
    assert abs((x == 0).mean() - 0.3) < 0.01


@pytest.mark.parametrize(("name", "shape"), [
    ("dropout1d", (40, 50, 6)), ("dropout2d", (40, 50, 2, 3)), ("dropout3d", (40, 50, 2, 1, 3)),
    ("dropout1d", (2000, 6)), ("dropout2d", (40, 50, 6)), ("dropout3d", (2000, 2, 1, 3)),
])
def test_channels_go_together(name, shape, recwarn):
    x = drawn(name, shape, 0.3).reshape(2000, 6)
    assert (x == x[:, :1]).all()
    assert abs((x[:, 0] == 0).mean() - 0.3) < 0.05


@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_dropout_keeps_mean_and_variance(name):
    lampion.manual_seed(0)
    normal = np.random.default_rng(0).standard_normal((200, 300, 2))
    x = np.array(getattr(F, name)(lampion.tensor(normal.tolist()), 0.3, training=True).tolist())
    assert abs(x.mean()) < 0.03 and abs(x.std() - 1) < 0.03
    # SELU's lowest value, after the scale and shift that restore mean and variance.
    floor = 1.7580993408473766
    scale = 1 / math.sqrt((floor * floor * 0.3 + 1) * 0.7)
    dropped = np.isclose(x, -floor * scale + floor * scale * 0.3)
    assert abs(dropped.mean() - 0.3) < 0.02
    if name == "feature_alpha_dropout":
        assert (dropped == dropped[:, :, :1]).all()


def channels_of(name):
    return {"dropout1d": (2, 3, 4), "dropout2d": (2, 3, 2, 2)}.get(name, (2, 3, 2, 2, 2))


@pytest.mark.parametrize("name", ALL)
def test_nothing_happens_outside_training_or_at_zero(name):
    x = lampion.ones(*channels_of(name))
    assert getattr(F, name)(x, 0.5, training=False) is x
    assert getattr(F, name)(x, 0.0, training=True).tolist() == x.tolist()


@pytest.mark.parametrize("name", ALL)
def test_everything_goes_at_one(name):
    check(name, numbers(*channels_of(name)), 1.0, training=True)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("p", [-0.1, 1.1, 50, math.nan])
def test_probability_out_of_range(name, p):
    check_error(name, numbers(2, 3, 2, 2, 2), p, expected=ValueError,
                mention="dropout probability has to be between 0 and 1", reference=p == p)


def test_percent_are_not_probabilities():
    check_error("dropout", numbers(2), 50, expected=ValueError, mention="p=0.5")


def test_gradient_passes_where_something_is_kept():
    lampion.manual_seed(0)
    x = lampion.ones(50, requires_grad=True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_in_place():
    lampion.manual_seed(0)
    x = lampion.ones(50)
    assert F.dropout(x, 0.5, inplace=True) is x
    assert set(x.tolist()) == {0.0, 2.0}


def test_wrong_axes():
    check_error("dropout1d", numbers(2, 3, 4, 5), expected=RuntimeError)
    with pytest.warns(UserWarning, match="5-D input to dropout2d"):
        F.dropout2d(lampion.ones(2, 3, 2, 2, 2))
    with pytest.warns(UserWarning, match="interpreted as shape"):
        F.dropout2d(lampion.ones(2, 3, 2))


@pytest.mark.parametrize("name", ["dropout", "dropout2d"])
def test_nan_and_infinity_stay_where_they_are_left_out(name):
    torch = pytest.importorskip("torch")
    shape = (4, 8, 2, 2)
    broken = getattr(torch.nn.functional, name)(torch.full(shape, math.nan), 0.5)
    assert broken.isnan().all()
    lampion.manual_seed(0)
    assert getattr(F, name)(lampion.full(shape, math.nan), 0.5).isnan().all()
    endless = getattr(F, name)(lampion.full(shape, math.inf), 0.5)
    assert (endless.isnan() | endless.isinf()).all()
    assert endless.isnan().any() and endless.isinf().any()
