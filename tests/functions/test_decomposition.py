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


@pytest.mark.parametrize("size", [0, 1, 2, 5, 12])
def test_symmetric_matrices_that_are_not_positive_are_solved(size):
    """Against NumPy; zeros on the diagonal need pivots of two rows."""
    draw = np.random.default_rng(size)
    matrix = draw.standard_normal((3, size, size))
    matrix = matrix + matrix.swapaxes(-1, -2)
    matrix[0] -= np.diag(np.diag(matrix[0]))
    right = draw.standard_normal((3, size, 2))
    if size == 1:
        matrix[0] = 2.0
    factors = lampion.linalg.ldl_factor(lampion.from_numpy(matrix))
    found = lampion.linalg.ldl_solve(*factors, lampion.from_numpy(right)).numpy()
    assert np.allclose(found, np.linalg.solve(matrix, right), rtol=1e-7, atol=1e-9)
    if size > 1:
        assert (factors.pivots.numpy() < 0).any()


def test_a_singular_symmetric_matrix_is_refused():
    with pytest.raises(lampion.linalg.LinAlgError, match="element 1 of D is zero"):
        lampion.linalg.ldl_factor(lampion.zeros(2, 2))
    assert lampion.linalg.ldl_factor_ex(lampion.zeros(2, 2)).info.item() == 1


def test_packed_reflections_multiply_like_their_q():
    draw = np.random.default_rng(3)
    matrix, other = draw.standard_normal((2, 5, 3)), draw.standard_normal((2, 5, 4))
    a, tau = lampion.geqrf(lampion.from_numpy(matrix))
    q = np.stack([np.linalg.qr(x, mode="complete")[0] for x in matrix])
    for left, transpose in ((True, False), (True, True), (False, False), (False, True)):
        given = other if left else other.swapaxes(-1, -2).copy()
        factor = q.swapaxes(-1, -2) if transpose else q
        wanted = factor @ given if left else given @ factor
        found = lampion.ormqr(a, tau, lampion.from_numpy(given), left, transpose).numpy()
        assert np.allclose(found, wanted)


def test_a_matrix_of_low_rank_is_its_truncated_decomposition():
    lampion.manual_seed(0)
    draw = np.random.default_rng(4)
    matrix = draw.standard_normal((30, 3)) @ draw.standard_normal((3, 20))
    for given in (matrix, matrix.T.copy()):
        u, s, v = (x.numpy() for x in lampion.svd_lowrank(lampion.from_numpy(given), q=5))
        assert np.allclose(u * s @ v.T, given)
        assert np.allclose(s[:3], np.linalg.svd(given)[1][:3])
