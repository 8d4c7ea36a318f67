"""hypot where squares leave the type, at zero, and beside infinities and NaN."""

import numpy as np
import pytest

import lampion

PAIRS = [(0.0, 0.0), (3.0, -4.0), (1e30, 1e30), (1e-30, -1e-30), (3e38, 3e38), (np.inf, np.nan),
         (np.nan, -np.inf), (np.nan, 1.0)]


def test_values_agree_with_numpy():
    a, b = np.array(PAIRS, np.float32).T
    with np.errstate(over="ignore"):
        expected = np.hypot(a, b)
    got = lampion.hypot(lampion.tensor(a), lampion.tensor(b)).numpy()
    np.testing.assert_allclose(got, expected, rtol=3e-7)


def test_gradients_agree_with_pytorch():
    torch = pytest.importorskip("torch")
    found = []
    for library in (torch, lampion):
        a, b = (library.tensor(part.copy(), requires_grad=True)
                for part in np.array([p for p in PAIRS if p[0] != 3e38], np.float32).T)
        library.hypot(a, b).sum().backward()
        found.append((a.grad.numpy(), b.grad.numpy()))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
