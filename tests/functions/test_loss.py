"""Losses of regression and probability against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import F, Fixed, check, check_error, numbers

import lampion

REDUCTIONS = ["none", "mean", "sum"]
probabilities = {"low": 0.01, "high": 0.99}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "settings"), [
    ("mse_loss", {}), ("l1_loss", {}), ("smooth_l1_loss", {}), ("smooth_l1_loss", {"beta": 0.5}),
    ("smooth_l1_loss", {"beta": 0.0}), ("huber_loss", {}), ("huber_loss", {"delta": 0.5}),
])
def test_regression(name, settings, reduction):
    check(name, numbers(4, 3), numbers(4, 3, seed=1), reduction=reduction, **settings)


@pytest.mark.parametrize(("name", "settings"), [
    ("l1_loss", {}), ("smooth_l1_loss", {}), ("huber_loss", {"delta": 2.0}),
])
def test_regression_at_the_kinks(name, settings):
    difference = np.array([0.0, 1.0, -1.0, 2.0, -2.0, math.inf, -math.inf])
    check(name, difference, np.zeros(7), reduction="none", order=1, **settings)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_regression_with_a_weight_for_each_element(name, reduction):
    check(name, numbers(2, 3), numbers(2, 3, seed=1), reduction=reduction,
          weight=numbers(2, 3, seed=2, low=0.1))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss"])
def test_the_mean_of_nothing_is_nan(name):
    check(name, np.zeros((0,)), np.zeros((0,)), order=0)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div",
                                  "poisson_nll_loss", "gaussian_nll_loss"])
def test_no_silent_broadcasting(name):
    extra = (1.0,) if name == "gaussian_nll_loss" else ()
    check_error(name, numbers(4, 1), numbers(4), *extra, expected=RuntimeError,
                mention="target.view_as(input)", reference=False)
    check_error(name, numbers(4, 2), numbers(2), *extra, expected=RuntimeError,
                mention="target.expand_as(input)", reference=False)


@pytest.mark.parametrize(("size_average", "reduce", "meant"), [
    (None, False, "none"), (True, True, "mean"), (False, None, "sum"), (True, None, "mean"),
    (None, True, "mean"), (False, True, "sum"), (True, False, "none"), (False, False, "none"),
])
def test_the_old_names_of_reductions(size_average, reduce, meant):
    x, y = lampion.tensor([1.0, 2.0]), lampion.tensor([3.0, 5.0])
    with pytest.warns(UserWarning, match=f"please use reduction='{meant}'"):
        old = F.mse_loss(x, y, size_average=size_average, reduce=reduce)
    assert old.tolist() == F.mse_loss(x, y, reduction=meant).tolist()


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div",
                                  "poisson_nll_loss", "binary_cross_entropy",
                                  "binary_cross_entropy_with_logits"])
def test_unknown_reductions(name):
    check_error(name, np.array([0.5]), np.array([0.5]), reduction="average",
                expected=ValueError, mention="is not a valid value for reduction")


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("name", ["smooth_l1_loss", "huber_loss", "kl_div", "mse_loss", "l1_loss"])
def test_whole_numbers_have_no_mean_loss(name):
    check_error(name, np.array([1, 2]), np.array([2, 2]), expected=RuntimeError)


def test_settings_out_of_range():
    x = numbers(3)
    check_error("smooth_l1_loss", x, x, beta=-1.0, expected=RuntimeError)
    check_error("huber_loss", x, x, delta=0.0, expected=RuntimeError)


# Binary cross entropy --------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy(reduction, weighted):
    settings = {"weight": Fixed(numbers(3, seed=3, low=0.1))} if weighted else {}
    check("binary_cross_entropy", numbers(4, 3, **probabilities),
          numbers(4, 3, seed=1, **probabilities), reduction=reduction,
          **settings)


def test_binary_cross_entropy_of_certainties():
    certain = np.array([0.0, 1.0, 0.0, 1.0, 1e-13, 1 - 1e-13, 1e-20, 0.5])
    target = Fixed([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.5, 1.0])
    check("binary_cross_entropy", certain, target, reduction="none", order=1,
          dtypes=("float64",), rtol=1e-7)


def test_binary_cross_entropy_errors():
    check_error("binary_cross_entropy", np.array([0.5, 1.5]), np.array([0.0, 1.0]),
                expected=RuntimeError, mention="all elements of input should be between 0 and 1")
    check_error("binary_cross_entropy", np.array([-0.5]), np.array([0.0]), expected=RuntimeError,
                mention="binary_cross_entropy_with_logits")
    check_error("binary_cross_entropy", np.array([0.5]), np.array([1]), expected=RuntimeError,
                mention="target.to(input.dtype)")
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        check_error(name, np.array([[0.5], [0.5]]), np.array([0.0, 1.0]), expected=ValueError,
                    mention="target.view_as(input)")


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("settings", [
    {}, {"weight": Fixed(numbers(3, seed=3, low=0.1))},
    {"pos_weight": Fixed(numbers(3, seed=4, low=0.1))},
    {"weight": Fixed(numbers(4, 3, seed=3, low=0.1)),
     "pos_weight": Fixed(numbers(1, seed=4, low=0.1))},
], ids=["plain", "weight", "pos_weight", "both"])
def test_binary_cross_entropy_with_logits(reduction, settings):
    check("binary_cross_entropy_with_logits", numbers(4, 3),
          numbers(4, 3, seed=1, low=0, high=1), reduction=reduction, **settings)


def test_binary_cross_entropy_with_logits_far_out():
    scores = np.array([-1e4, -100.0, 0.0, 100.0, 1e4] * 2)
    target = np.array([0.0] * 5 + [1.0] * 5)
    check("binary_cross_entropy_with_logits", scores, target, reduction="none")


# Distributions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
def test_kl_div(reduction):
    x = numbers(4, 3)
    target = numbers(4, 3, seed=1, low=0.1, high=1)
    check("kl_div", x, target, reduction=reduction)
    check("kl_div", x, np.log(target), reduction=reduction, log_target=True)


def test_kl_div_with_zero_probability():
    x = lampion.tensor([0.0, -1.0], requires_grad=True)
    loss = F.kl_div(x, lampion.tensor([0.0, 1.0]), reduction="sum")
    loss.backward()
    assert loss.item() == 1.0
    assert x.grad.tolist() == [0.0, -1.0]


def test_kl_div_warns_of_its_mean():
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(lampion.zeros(2, 2), lampion.ones(2, 2))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_poisson_nll_loss(reduction, log_input, full):
    counts = Fixed([0.0, 1.0, 2.0, 7.0])
    check("poisson_nll_loss", numbers(4, low=0.5), counts, log_input=log_input, full=full,
          reduction=reduction, order=1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 1)])
def test_gaussian_nll_loss(reduction, full, shape):
    check("gaussian_nll_loss", numbers(4, 3), numbers(4, 3, seed=1),
          numbers(*shape, seed=2, low=0.2), full=full, reduction=reduction)


def test_gaussian_nll_loss_of_tiny_and_fixed_variances():
    check("gaussian_nll_loss", numbers(3), numbers(3, seed=1), np.array([0.0, 1e-9, 1.0]),
          order=1, dtypes=("float64",))
    check("gaussian_nll_loss", numbers(3), numbers(3, seed=1), 0.5)


def test_gaussian_nll_loss_errors():
    x = numbers(4, 3)
    check_error("gaussian_nll_loss", x, x, -numbers(4, 3, low=0.1), expected=ValueError,
                mention="negative")
    check_error("gaussian_nll_loss", x, x, numbers(3, low=0.1), expected=ValueError,
                mention="incorrect size")
