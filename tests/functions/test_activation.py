"""Activation functions against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import F, check, check_error, numbers

import lampion

# Kinks of all piecewise functions, and points between and around them.
EDGES = np.array(
    [-7.0, -3.0, -2.999, -1.0, -0.5, -0.499, -0.0, 0.0, 1e-3, 0.5, 0.501, 1.0, 2.0, 3.0, 6.0, 7.5])
EXTREMES = np.array([-1e4, -100.0, -40.0, 40.0, 100.0, 1e4])

ELEMENTWISE = [
    ("relu", {}), ("relu6", {}), ("hardtanh", {}), ("hardtanh", {"min_val": -3.0, "max_val": 0.5}),
    ("threshold", {"threshold": 0.5, "value": 20.0}),
    ("leaky_relu", {}), ("leaky_relu", {"negative_slope": -0.5}), ("rrelu", {}),
    ("elu", {}), ("elu", {"alpha": 0.7}), ("selu", {}), ("celu", {}), ("celu", {"alpha": 2.5}),
    ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}),
    ("softplus", {}), ("softplus", {"beta": 3.0, "threshold": 5.0}), ("softsign", {}),
    ("sigmoid", {}), ("logsigmoid", {}), ("tanh", {}), ("tanhshrink", {}),
    ("hardsigmoid", {}), ("hardswish", {}), ("hardshrink", {}), ("hardshrink", {"lambd": 1.0}),
    ("softshrink", {}), ("softshrink", {"lambd": 1.0}),
]
NAMES = [f"{name}{''.join(f'-{value}' for value in settings.values())}"
         for name, settings in ELEMENTWISE]


@pytest.mark.parametrize(("name", "settings"), ELEMENTWISE, ids=NAMES)
def test_at_and_around_its_kinks(name, settings):
    check(name, EDGES.copy(), order=1, rtol=1e-7, **settings)


# PyTorch has no second derivative of hardsigmoid.
@pytest.mark.parametrize(("name", "settings"), [
    pair for pair in ELEMENTWISE if pair[0] != "hardsigmoid"])
def test_second_derivatives(name, settings):
    check(name, EDGES[EDGES != 0], rtol=1e-7, **settings)


@pytest.mark.parametrize(("name", "settings"), ELEMENTWISE, ids=NAMES)
def test_far_out(name, settings):
    check(name, EXTREMES.copy(), order=1, **settings)


@pytest.mark.parametrize(("name", "settings"), ELEMENTWISE, ids=NAMES)
def test_nan_stays_nan(name, settings):
    result = getattr(F, name)(lampion.tensor([math.nan, 1.0]), **settings)
    assert math.isnan(result.tolist()[0])
    assert not math.isnan(result.tolist()[1])


@pytest.mark.parametrize("name", [
    "relu", "relu6", "hardtanh", "leaky_relu", "rrelu", "elu", "selu", "celu", "silu", "mish",
    "hardsigmoid", "hardswish",
])
def test_in_place_writes_and_keeps_gradients(name):
    check(name, EDGES.copy(), order=1, rtol=1e-7, inplace=True)


@pytest.mark.parametrize("name", ["relu_", "elu_", "selu_", "celu_", "leaky_relu_", "rrelu_"])
def test_in_place_names(name):
    check(name, EDGES.copy(), order=0)


def test_in_place_names_with_settings():
    check("hardtanh_", EDGES.copy(), -2.0, 2.0, order=0)
    check("threshold_", EDGES.copy(), 0.5, 9.0, order=0)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4)])
def test_prelu_with_one_weight(shape):
    check("prelu", numbers(*shape), np.array([0.25]))


def test_prelu_with_a_weight_for_each_channel():
    check("prelu", numbers(2, 3, 4), np.array([0.25, -0.5, 2.0]))
    check("prelu", np.array([[0.0, -1.0, 2.0]]), np.array([0.25, -0.5, 2.0]), order=1)


def test_prelu_errors():
    check_error("prelu", numbers(2, 3), numbers(2), expected=RuntimeError, mention="3 channels")


def test_rrelu_training_draws_slopes_within_its_limits():
    x = -lampion.ones(1000)
    drawn = np.array(F.rrelu(x, 0.1, 0.3, training=True).tolist())
    assert drawn.max() <= -0.1 and drawn.min() >= -0.3
    assert abs(drawn.mean() + 0.2) < 0.01 and drawn.std() > 0.04
    positive = lampion.tensor([1.0, 2.0])
    assert F.rrelu(positive, training=True).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_glu(dim):
    check("glu", numbers(4, 6), dim=dim)


def test_glu_errors():
    check_error("glu", numbers(3, 5), expected=RuntimeError, mention="even")
    check_error("glu", numbers(3, 4), dim=2, expected=IndexError)


SOFT = ["softmax", "log_softmax", "softmin"]


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize(("shape", "dim"), [((5,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 3, 4), -2)])
def test_softmax_family(name, shape, dim):
    check(name, numbers(*shape), dim=dim)


@pytest.mark.parametrize("name", SOFT)
def test_softmax_family_without_overflow(name):
    check(name, np.array([[1e4, -1e4, 0.0], [1e30, 1e30, -1e30], [-1e4, -1e4, -1e4]]), dim=1)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_family_with_infinities(name):
    inf = math.inf
    check(name, np.array([[-inf, 0.0, 1.0], [-inf, -inf, 3.0]]), dim=1, order=1)
    check(name, np.array([[-inf, -inf, -inf], [inf, 0.0, 0.0]]), dim=1, order=0)


@pytest.mark.parametrize("name", SOFT)
def test_softmax_family_of_empty_and_scalar_inputs(name):
    check(name, np.array(1.5), dim=0)
    check(name, np.zeros((0, 3)), dim=1, order=0)
    check(name, np.zeros((2, 0)), dim=1, order=0)


@pytest.mark.parametrize("name", SOFT)
def test_softmax_family_errors(name):
    check_error(name, numbers(2, 3), dim=2, expected=IndexError)
    check_error(name, np.array([[1, 2]]), dim=1, expected=RuntimeError, mention="float")


def test_softmax_converts_first():
    x = lampion.tensor([1, 2, 3])
    assert F.softmax(x, 0, dtype=lampion.float64).dtype == lampion.float64
    check("softmax", numbers(3), dim=0, order=0, dtypes=("float32",))


@pytest.mark.parametrize(("shape", "axis"), [((3,), 0), ((2, 3), 1), ((2, 3, 4), 0)])
def test_softmax_warns_when_the_axis_is_a_guess(shape, axis):
    x = lampion.tensor(numbers(*shape).tolist())
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        guessed = F.softmax(x)
    assert guessed.tolist() == F.softmax(x, axis).tolist()


def test_gumbel_softmax_draws_by_probability():
    lampion.manual_seed(0)
    logits = lampion.tensor([[0.1, 0.6, 0.3]]).log().expand(4000, 3)
    soft = F.gumbel_softmax(logits, tau=0.5)
    np.testing.assert_allclose(soft.sum(1).tolist(), 1.0, rtol=1e-5)
    hard = F.gumbel_softmax(logits, hard=True)
    assert sorted(set(np.array(hard.tolist()).round(5).ravel())) == [0.0, 1.0]
    np.testing.assert_allclose(hard.mean(0).tolist(), [0.1, 0.6, 0.3], atol=0.03)


def test_gumbel_softmax_passes_gradients_straight_through():
    logits = lampion.zeros(2, 3, requires_grad=True)
    (F.gumbel_softmax(logits, hard=True) * lampion.tensor([1.0, 2.0, 3.0])).sum().backward()
    gradient = np.array(logits.grad.tolist())
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(gradient.sum(1), 0, atol=1e-6)


@pytest.mark.parametrize(("name", "settings", "expected"), [
    ("hardtanh", {"min_val": 1.0, "max_val": -1.0}, ValueError),
    ("celu", {"alpha": 0.0}, RuntimeError),
    ("softshrink", {"lambd": -1.0}, RuntimeError),
    ("gelu", {"approximate": "sigmoid"}, RuntimeError),
    ("rrelu", {"lower": 0.5, "upper": 0.1, "training": True}, RuntimeError),
])
def test_settings_out_of_range(name, settings, expected):
    check_error(name, numbers(3), expected=expected, **settings)


def test_a_list_is_not_a_tensor():
    with pytest.raises(TypeError, match="Tensor"):
        F.relu([1.0, 2.0])


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_as_a_method_and_at_the_top_the_axis_comes_first_and_then_the_dtype(name):
    x = lampion.tensor([[1.0, 2.0]])
    wide = getattr(F, name)(x, 1, dtype=lampion.float64)
    method, function = getattr(x, name), getattr(lampion, name)
    for found in (method(1, lampion.float64), function(x, 1, lampion.float64)):
        assert found.dtype == lampion.float64 and found.tolist() == wide.tolist()
    with pytest.raises(TypeError):
        getattr(x, name)()
