"""Losses of class labels against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import F, Fixed, check, check_error, labels, numbers

import lampion

REDUCTIONS = ["none", "mean", "sum"]
SHAPES = [((5, 4), (5,)), ((4,), ()), ((2, 4, 3), (2, 3)), ((2, 4, 3, 2), (2, 3, 2))]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize(("shape", "places"), SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_class_indices(name, shape, places, reduction, weighted):
    settings = {"weight": Fixed(numbers(4, seed=3, low=0.1))} if weighted else {}
    check(name, numbers(*shape), np.array(labels(*places, classes=4)), reduction=reduction,
          **settings)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("ignore_index", [-100, 2, -1, 9])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_places(name, ignore_index, reduction):
    target = labels(6, classes=4)
    target[[1, 4]] = ignore_index
    check(name, numbers(6, 4), target, ignore_index=ignore_index, reduction=reduction)


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_everything_ignored(name):
    target = np.array([-100, -100])
    check(name, numbers(2, 4), target, order=0)
    check(name, numbers(2, 4), target, reduction="sum")


def test_an_ignored_place_may_hold_anything():
    scores = np.array([[math.inf, -math.inf, 0.0], [1.0, 2.0, 3.0]])
    check("nll_loss", scores, np.array([-100, 1]), weight=np.ones(3), reduction="sum", order=0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("shape", "places"), SHAPES[:3])
def test_label_smoothing(shape, places, reduction):
    check("cross_entropy", numbers(*shape), np.array(labels(*places, classes=4)),
          label_smoothing=0.3, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_label_smoothing_with_weights_and_ignored_places(reduction):
    target = labels(2, 3, classes=4)
    target[0, 1] = 1
    check("cross_entropy", numbers(2, 4, 3), target, weight=Fixed(numbers(4, seed=3, low=0.1)),
          label_smoothing=0.3, ignore_index=1, reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 4), (4,), (2, 4, 3)])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_probabilities(shape, reduction, label_smoothing, weighted):
    settings = {"weight": numbers(4, seed=3, low=0.1)} if weighted else {}
    check("cross_entropy", numbers(*shape), numbers(*shape, seed=1, low=0, high=1),
          reduction=reduction, label_smoothing=label_smoothing, **settings)


def test_cross_entropy_far_out():
    check("cross_entropy", np.array([[1e4, -1e4, 0.0], [-1e30, 1e30, 1e30]]), np.array([1, 2]))


def test_an_empty_batch():
    check("cross_entropy", np.zeros((0, 3)), np.zeros((0,), dtype="int64"), order=0)


def test_label_dtypes():
    for name in ("cross_entropy", "nll_loss"):
        check_error(name, numbers(3, 4), np.array([0.0, 1.0, 2.0]), expected=RuntimeError,
                    mention="target.long()")
        check_error(name, numbers(3, 4), np.array([0, 1, 2], dtype="int32"),
                    expected=RuntimeError, mention="target.long()")
    check_error("cross_entropy", numbers(2, 2), np.array([[0, 1], [1, 0]]), expected=RuntimeError,
                mention="target.argmax(1)")


def test_label_values():
    for name in ("cross_entropy", "nll_loss"):
        check_error(name, numbers(2, 4), np.array([0, 10]), expected=IndexError,
                    mention="Target 10 is out of bounds")
        check_error(name, numbers(2, 4), np.array([-1, 0]), expected=IndexError,
                    mention="Target -1 is out of bounds")
    check_error("cross_entropy", numbers(4, 4), np.array([1, 2, 3, 4]), expected=IndexError,
                mention="target - 1")


def test_label_shapes():
    for name in ("cross_entropy", "nll_loss"):
        check_error(name, numbers(3, 4), np.array([0, 1]), expected=ValueError,
                    mention="Expected input batch_size (3) to match target batch_size (2)")
        check_error(name, numbers(3, 4), np.array([[0], [1], [2]]), expected=RuntimeError,
                    mention="target.squeeze(1)")
        check_error(name, numbers(2, 4, 3), np.array([[0, 1], [1, 2]]), expected=RuntimeError,
                    mention="2x3")
    check_error("cross_entropy", numbers(3, 4), np.array([[0.0], [1], [2]]), expected=RuntimeError)


def test_weights_and_settings():
    target = np.array([0, 1, 2])
    check_error("cross_entropy", numbers(3, 4), target, weight=numbers(3), expected=RuntimeError,
                mention="4 classes")
    check_error("cross_entropy", numbers(3, 4), target, label_smoothing=1.5,
                expected=RuntimeError, mention="label_smoothing")
    check_error("cross_entropy", numbers(3, 4), target, reduction="average", expected=ValueError)


def test_labels_that_are_not_computed_yet_are_not_computed_for_the_check():
    scores = lampion.zeros(2, 3)
    late = lampion.tensor([0, 1]) + 1
    loss = F.cross_entropy(scores, late)
    assert abs(loss.item() - math.log(3)) < 1e-6


# Several labels --------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_multilabel_soft_margin_loss(reduction, weighted):
    settings = {"weight": numbers(4, seed=3, low=0.1)} if weighted else {}
    target = labels(3, 4, classes=2).astype(float)
    check("multilabel_soft_margin_loss", numbers(3, 4), target, reduction=reduction, **settings)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_multi_margin_loss(reduction, p, weighted):
    settings = {"weight": Fixed(numbers(4, seed=3, low=0.1))} if weighted else {}
    check("multi_margin_loss", numbers(5, 4), labels(5, classes=4), p=p, margin=0.7,
          reduction=reduction, order=1, **settings)
    if not weighted:
        check("multi_margin_loss", numbers(4), np.array(2), p=p, reduction=reduction, order=1)


def test_multi_margin_loss_at_its_kink():
    check("multi_margin_loss", np.array([[1.0, 0.0, 2.0]]), np.array([0]), order=1)


def test_multi_margin_loss_errors():
    check_error("multi_margin_loss", numbers(2, 3), np.array([0, 1]), p=3, expected=ValueError)
    check_error("multi_margin_loss", numbers(2, 3), np.array([0, 3]), expected=IndexError,
                reference=False)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_multilabel_margin_loss(reduction):
    target = np.array([[3, 0, -1, 1], [-1, 1, 2, 3], [0, 1, 2, 3], [2, 2, -1, -1]])
    check("multilabel_margin_loss", numbers(4, 4), target, reduction=reduction, order=1)
    check("multilabel_margin_loss", numbers(4), target[0], reduction=reduction, order=1)
