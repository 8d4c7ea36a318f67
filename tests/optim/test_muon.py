"""Muon: steps along nearly orthogonal matrices."""

import numpy as np
import pytest

import lampion
from lampion.optim.muon import orthogonal


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3)])
def test_the_factor_is_nearly_orthogonal(shape):
    """The iteration takes singular values near 1; it keeps the singular vectors."""
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    made = orthogonal(lampion.from_numpy(matrix), (3.4445, -4.7750, 2.0315), 5, 1e-7).numpy()
    assert np.all(np.abs(np.linalg.svd(made)[1] - 1) < 0.4)
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ made @ vt.T
    assert np.abs(inner - np.diag(np.diag(inner))).max() < 0.05


def test_a_matrix_is_learned():
    lampion.manual_seed(0)
    wanted = lampion.eye(4)
    weight = lampion.zeros(4, 4, requires_grad=True)
    optimizer = lampion.optim.Muon([weight], lr=0.05, weight_decay=0.0, momentum=0.0)
    for _ in range(40):
        optimizer.zero_grad()
        loss = ((weight - wanted) ** 2).sum()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_only_matrices_are_taken():
    with pytest.raises(ValueError, match="only supports 2D parameters"):
        lampion.optim.Muon([lampion.zeros(3, requires_grad=True)])
