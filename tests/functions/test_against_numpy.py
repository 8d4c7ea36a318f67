"""Functions that NumPy has too: windows, quantiles, masked reductions, grids, searching."""

from __future__ import annotations

import numpy as np
import pytest

import lampion

WINDOWS = {"hann": np.hanning, "hamming": np.hamming, "bartlett": np.bartlett,
           "blackman": np.blackman, "kaiser": lambda n: np.kaiser(n, 12.0)}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("size", [0, 1, 2, 7, 16])
def test_windows(name, size):
    made = getattr(lampion.signal.windows, name)(size, dtype=lampion.float64)
    np.testing.assert_allclose(made.numpy(), WINDOWS[name](size), atol=1e-12)
    if size:  # a periodic window is the beginning of a longer one
        old = getattr(lampion, f"{name}_window")(size, dtype=lampion.float64)
        np.testing.assert_allclose(old.numpy(), WINDOWS[name](size + 1)[:size] if size > 1
                                   else [1.0], atol=1e-12)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_quantiles(method, axis):
    draw = np.random.default_rng(0)
    x, q = draw.standard_normal((5, 4)), np.array([0.0, 0.3, 0.81, 1.0])
    found = lampion.quantile(lampion.from_numpy(x), lampion.from_numpy(q), axis,
                             interpolation=method)
    np.testing.assert_allclose(found.numpy(), np.quantile(x, q, axis, method=method))
    x[1, 2] = x[0, 0] = np.nan
    broken = lampion.quantile(lampion.from_numpy(x), 0.3, axis, interpolation=method)
    np.testing.assert_allclose(broken.numpy(), np.quantile(x, 0.3, axis, method=method))
    whole = lampion.nanquantile(lampion.from_numpy(x), lampion.from_numpy(q), axis,
                                interpolation=method)
    np.testing.assert_allclose(whole.numpy(), np.nanquantile(x, q, axis, method=method))


def test_a_quantile_has_a_slope_by_its_share():
    x = lampion.tensor([0.0, 10.0, 40.0], dtype=lampion.float64)
    q = lampion.tensor([0.25, 0.75], dtype=lampion.float64, requires_grad=True)
    lampion.quantile(x, q).sum().backward()
    assert q.grad.tolist() == [20.0, 60.0]  # two gaps of 10 and 30


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "amax", "amin"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_masked_reductions(name, axis):
    draw = np.random.default_rng(1)
    x, keep = draw.standard_normal((4, 6)), draw.random((4, 6)) < 0.6
    keep[:2] = True
    masked = np.ma.masked_array(x, ~keep)
    options = {"ddof": 1} if name in ("var", "std") else {}
    wanted = getattr(masked, name.removeprefix("a") if name.startswith("am") else name)(
        axis=axis, **options)
    found = getattr(lampion.masked, name)(
        lampion.from_numpy(x), axis, mask=lampion.from_numpy(keep))
    np.testing.assert_allclose(found.numpy(), np.ma.getdata(wanted))


@pytest.mark.parametrize("indexing", ["ij", "xy"])
@pytest.mark.parametrize("sizes", [(3,), (3, 4), (2, 3, 4)])
def test_grids(indexing, sizes):
    vectors = [np.arange(n) for n in sizes]
    found = lampion.meshgrid(*map(lampion.from_numpy, vectors), indexing=indexing)
    for a, b in zip(found, np.meshgrid(*vectors, indexing=indexing), strict=True):
        assert a.numpy().tolist() == b.tolist()


def test_searching_row_by_row():
    rows = lampion.tensor([[1, 3, 5], [2, 2, 9]])
    values = lampion.tensor([[3, 0], [2, 10]])
    assert lampion.searchsorted(rows, values).tolist() == [[1, 0], [0, 3]]
    assert lampion.searchsorted(rows, values, right=True).tolist() == [[2, 0], [2, 3]]
    shuffled, order = lampion.tensor([5, 1, 3]), lampion.tensor([1, 2, 0])
    assert lampion.searchsorted(shuffled, 4, sorter=order).item() == 2
    assert lampion.searchsorted(rows, values + 0.5).tolist() == [[2, 0], [2, 3]]


def test_a_number_is_refused_where_a_tensor_is_wanted():
    x = lampion.tensor([1.0, 2.0])
    for call in (lambda: lampion.maximum(x, 2.0), lambda: lampion.atan2(1.0, x),
                 lambda: lampion.eq(1.0, x), lambda: lampion.logical_and(x, True),
                 lambda: lampion.pow(2, 3), lambda: x.hypot(3.0)):
        with pytest.raises(TypeError, match="must be Tensor"):
            call()
    assert (2 ** x).tolist() == [2.0, 4.0] and lampion.remainder(5, x).tolist() == [0.0, 1.0]


def test_a_result_takes_the_place_of_out():
    x, index = lampion.arange(6).reshape(2, 3), lampion.tensor([2, 0])
    out = lampion.empty(0, dtype=lampion.int64)
    assert lampion.index_select(x, 1, index, out=out) is out and out.tolist() == [[2, 0], [5, 3]]
    with pytest.raises(RuntimeError, match="single memory location"):
        lampion.index_select(x, 1, index, out=lampion.empty(1, dtype=lampion.int64).expand(2, 2))
    with pytest.raises(RuntimeError, match="single memory location"):
        lampion.cat([x, x], out=x)


def test_a_nan_does_not_hide_from_the_gradient_of_relu():
    x = lampion.tensor([-1.0, float("nan"), 2.0], requires_grad=True)
    x.relu().sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]
