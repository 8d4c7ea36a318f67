"""Connectionist temporal classification against PyTorch."""

import numpy as np
import pytest
from against_torch import TF, F, Fixed, check, check_error, labels, numbers

REDUCTIONS = ["none", "mean", "sum"]


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def log_probs(times=7, samples=3, classes=5):
    return log_softmax(numbers(times, samples, classes))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("blank", [0, 4])
def test_rows_of_labels(reduction, blank):
    targets = labels(3, 4, classes=4) + (blank == 0)
    targets[0, 1] = targets[0, 0]  # a repeat needs a blank between
    check("ctc_loss", log_probs(), targets, (7, 6, 7), (3, 2, 4), blank=blank,
          reduction=reduction, order=1)


def test_lengths_as_tensors_and_labels_in_one_row():
    check("ctc_loss", log_probs(), np.array([1, 2, 2, 4, 3, 1]), np.array([7, 5, 6]),
          np.array([3, 1, 2]), order=1)
    check("ctc_loss", log_probs(), np.array([[1, 2], [3, -1], [4, 4]]), (7, 5, 6), (2, 1, 2),
          order=1)


def test_one_sample():
    check("ctc_loss", log_probs()[:, 0], np.array([1, 2, 2]), np.array(7), np.array(3), order=1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_no_labels(reduction):
    check("ctc_loss", log_probs(samples=2), np.array([[1, 2], [1, 2]]), (7, 4), (0, 2),
          reduction=reduction, order=1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_labels_that_do_not_fit(reduction):
    targets = np.array([[1, 1, 1, 1], [1, 2, 3, 4]])
    check("ctc_loss", log_probs(4, 2), targets, (4, 4), (4, 4), reduction=reduction, order=0)
    check("ctc_loss", log_probs(4, 2), targets, (4, 4), (4, 4), reduction=reduction,
          zero_infinity=True, order=1)


def test_through_log_softmax():
    targets = Fixed(labels(3, 4, classes=4) + 1)
    check(lambda x, y: F.ctc_loss(F.log_softmax(x, -1), y, (7, 7, 7), (4, 3, 2)),
          numbers(7, 3, 5), targets, order=1,
          reference=lambda x, y: TF.ctc_loss(TF.log_softmax(x, -1), y, (7, 7, 7), (4, 3, 2)))


@pytest.mark.parametrize(("targets", "times", "counts", "settings"), [
    (np.array([[1, 2]] * 3), (7, 7), (2, 2, 2), {}),
    (np.array([[1, 2]] * 3), (8, 7, 7), (2, 2, 2), {}),
    (np.array([[1, 2]] * 3), (7, 7, 7), (2, 3, 2), {}),
    (np.array([1, 2, 3]), (7, 7, 7), (2, 2, 2), {}),
    (np.array([[1, 2]] * 3), (7, 7, 7), (2, 2, 2), {"blank": 5}),
])
def test_errors(targets, times, counts, settings):
    check_error("ctc_loss", log_probs(), targets, times, counts, expected=RuntimeError, **settings)


def test_labels_are_whole_numbers():
    check_error("ctc_loss", log_probs(), np.array([[1.0, 2.0]] * 3), (7, 7, 7), (2, 2, 2),
                expected=RuntimeError, mention="targets.long()", reference=False)
