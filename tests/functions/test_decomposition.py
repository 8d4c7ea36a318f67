"""Decompositions and matrix functions against PyTorch: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

torch = pytest.importorskip("torch")


def both(function, *arrays):
    """The result and the gradients of a function on both libraries."""
    found = []
    for library in (torch, lampion):
        given = [library.tensor(a.tolist(), dtype=library.float64, requires_grad=True)
                 for a in arrays]
        result = function(library, *given)
        weights = library.tensor(np.cos(np.arange(result.numel()) + 1.0).tolist(),
                                 dtype=library.float64).reshape(tuple(result.shape))
        (result * weights).sum().backward()
        found.append([np.array(x.detach().tolist()) for x in (result, *(g.grad for g in given))])
    return found


def agree(function, *arrays):
    for a, b in zip(*both(function, *arrays), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-9)


def matrix(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_one_triangle_is_read_and_the_gradient_is_symmetric():
    x = matrix(3, 3)
    agree(lambda t, a: t.linalg.cholesky(a @ a.mT + t.eye(3, dtype=t.float64)), x)
    agree(lambda t, a: t.linalg.eigh(a).eigenvectors.abs(), x)
    agree(lambda t, a: t.linalg.eigvalsh(a, UPLO="U"), x)


def test_functions_with_a_derivative_by_one_argument():
    x = np.abs(matrix(4)) + 0.5
    for name in ("igamma", "igammac"):
        agree(lambda t, a, name=name: getattr(t, name)(t.full_like(a, 2.0).detach(), a), x)
    agree(lambda t, a: t.special.zeta(t.full_like(a, 2.5).detach(), a), x)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 3)])
def test_decompositions_of_all_shapes(shape):
    x = matrix(*shape, seed=1)
    agree(lambda t, a: t.linalg.svdvals(a), x)
    agree(lambda t, a: t.linalg.pinv(a), x)
    agree(lambda t, a: t.linalg.qr(a).R.abs(), x)
    agree(lambda t, a: t.linalg.lu(a).U, x)


def test_a_singular_matrix_raises_when_it_is_computed():
    with pytest.raises(RuntimeError, match="singular"):
        lampion.linalg.inv(lampion.zeros(2, 2)).tolist()
    with pytest.raises(RuntimeError, match="positive-definite"):
        lampion.linalg.cholesky(-lampion.eye(2)).tolist()
