"""Losses of pairs and triplets against PyTorch."""

import numpy as np
import pytest
from against_torch import TF, F, Fixed, check, check_error, numbers

REDUCTIONS = ["none", "mean", "sum"]
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_soft_margin_loss(reduction):
    check("soft_margin_loss", numbers(4), Fixed(SIGNS), reduction=reduction, order=1)


def test_soft_margin_loss_stays_finite():
    check("soft_margin_loss", np.array([50.0, -30.0]), Fixed([-1.0, 1.0]), order=1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_hinge_embedding_loss(reduction):
    x = np.array([0.3, 0.3, 2.0, -1.0])
    check("hinge_embedding_loss", x, SIGNS, reduction=reduction, order=1)
    check("hinge_embedding_loss", x, SIGNS, margin=0.3, reduction=reduction, order=1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_margin_ranking_loss(reduction):
    check("margin_ranking_loss", numbers(4), numbers(4, seed=1), SIGNS, margin=0.2,
          reduction=reduction, order=1)
    check("margin_ranking_loss", np.zeros(4), np.zeros(4), SIGNS, reduction=reduction, order=1)


def test_margin_ranking_loss_errors():
    check_error("margin_ranking_loss", numbers(4, 1), numbers(4, 1), numbers(4),
                expected=RuntimeError, mention="target.view_as(input1)")


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cosine_embedding_loss(reduction):
    check("cosine_embedding_loss", numbers(4, 3), numbers(4, 3, seed=1), SIGNS, margin=0.1,
          reduction=reduction, order=1)
    check("cosine_embedding_loss", numbers(3), numbers(3, seed=1), np.array(-1.0),
          reduction=reduction, order=1)


def test_cosine_embedding_loss_errors():
    check_error("cosine_embedding_loss", numbers(4, 3), numbers(4, 3), numbers(4, 1),
                expected=RuntimeError)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("settings", [{}, {"swap": True}, {"p": 1.0}, {"margin": 0.3, "p": 3.0}])
def test_triplet_margin_loss(reduction, settings):
    check("triplet_margin_loss", numbers(4, 3), numbers(4, 3, seed=1), numbers(4, 3, seed=2),
          reduction=reduction, order=1, **settings)


def test_triplet_margin_with_distance_loss():
    three = [numbers(4, 3, seed=seed) for seed in range(3)]
    check("triplet_margin_with_distance_loss", *three, order=1)
    check(
        lambda a, b, c: F.triplet_margin_with_distance_loss(
            a, b, c, distance_function=lambda x, y: (x - y).abs().sum(1), swap=True),
        *three, order=1,
        reference=lambda a, b, c: TF.triplet_margin_with_distance_loss(
            a, b, c, distance_function=lambda x, y: (x - y).abs().sum(1), swap=True))


def test_triplet_errors():
    x = numbers(4, 3)
    check_error("triplet_margin_loss", x, x, x, margin=0.0, expected=ValueError)
    check_error("triplet_margin_loss", x, x, numbers(3), expected=RuntimeError)
