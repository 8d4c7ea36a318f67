"""Distances and similarities against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import check, check_error, numbers, torch

from lampion.functions import distance

NORMS = [0.0, 1.0, 2.0, 3.0, math.inf]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cosine_similarity(dim):
    check("cosine_similarity", numbers(4, 3, 2), numbers(4, 3, 2, seed=1), dim=dim)


def test_cosine_similarity_broadcasts():
    check("cosine_similarity", numbers(4, 1, 3), numbers(1, 5, 3, seed=1), dim=-1)
    check("cosine_similarity", numbers(5, 3), numbers(3, seed=1), dim=1)
    check("cosine_similarity", numbers(4, 1), numbers(4, 3, seed=1), dim=1)


def test_cosine_similarity_of_zeros():
    check("cosine_similarity", np.zeros((2, 3)), numbers(2, 3), order=1)


@pytest.mark.parametrize("p", NORMS[1:])
@pytest.mark.parametrize("keepdim", [True, False])
def test_pairwise_distance(p, keepdim):
    check("pairwise_distance", numbers(4, 3), numbers(4, 3, seed=1), p=p, keepdim=keepdim)
    check("pairwise_distance", numbers(4, 3), numbers(3, seed=1), p=p, keepdim=keepdim)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(("first", "second"), [((4, 3), (5, 3)), ((2, 4, 3), (2, 5, 3)),
                                               ((2, 1, 4, 3), (3, 5, 3))])
def test_cdist(p, first, second):
    # The number of differences (p = 0) has no slope.
    check(distance.cdist, numbers(*first), numbers(*second, seed=1), p=p, order=1 if p else 0,
          reference=torch.cdist)


def test_cdist_by_a_matrix_product():
    check(distance.cdist, numbers(30, 3), numbers(28, 3, seed=1), order=1, dtypes=("float64",),
          reference=torch.cdist)


def test_cdist_of_equal_rows():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    check(distance.cdist, x, x.copy(), order=1, reference=torch.cdist)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_pdist(p, rows):
    check("pdist", numbers(rows, 3), p=p, order=1 if rows > 1 and p else 0)


def test_errors():
    check_error("pdist", numbers(2, 3, 4), expected=RuntimeError)
    check_error("pdist", numbers(2, 3), -1.0, expected=RuntimeError)
    check_error("cosine_similarity", numbers(2, 3), numbers(2, 3), dim=2, expected=IndexError)
