"""The array object: indices, operators and conversions, against NumPy's arrays."""

from __future__ import annotations

import operator
import pickle

import hypothesis
import hypothesis.extra.array_api as made_arrays
import numpy as np
import pytest
from hypothesis import strategies as st

import lampion
import lampion.array_api as xp
from lampion.errors import LampionError

xps = made_arrays.make_strategies_namespace(xp, api_version="2024.12")
quick = hypothesis.settings(max_examples=60, deadline=None, derandomize=True,
                            suppress_health_check=list(hypothesis.HealthCheck))
TYPES = xps.scalar_dtypes()
ARRAYS = xps.arrays(TYPES, xps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def same(got, expected):
    expected = np.asarray(expected)
    got = np.asarray(got)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


@quick
@hypothesis.given(ARRAYS, st.data())
def test_basic_indices_read_what_numpy_reads(x, data):
    key = data.draw(xps.indices(x.shape, allow_newaxis=True))
    same(x[key], np.asarray(x).copy()[key])


@quick
@hypothesis.given(ARRAYS, st.data())
def test_basic_indices_write_where_numpy_writes(x, data):
    key = data.draw(xps.indices(x.shape))
    expected = np.asarray(x).copy()
    x = xp.asarray(expected, copy=True)
    value = xp.asarray(np.ones(expected[key].shape, expected.dtype) * np.arange(
        expected[key].size).reshape(expected[key].shape).astype(expected.dtype))
    value = xp.astype(value, x.dtype)
    x[key] = value
    expected[key] = np.asarray(value)
    same(x, expected)


@quick
@hypothesis.given(ARRAYS, st.data())
def test_masks_read_and_write(x, data):
    mask = data.draw(xps.arrays(xp.bool, x.shape))
    expected = np.asarray(x).copy()
    x = xp.asarray(expected, copy=True)
    same(x[mask], expected[np.asarray(mask)])
    x[mask] = xp.zeros((), dtype=x.dtype)
    expected[np.asarray(mask)] = 0
    same(x, expected)


def test_positions_and_numbers_in_one_key():
    array = np.arange(24.0).reshape(2, 3, 4)
    x = xp.asarray(array)
    index = np.array([0, -1])
    same(x[:, xp.asarray(index), 1], array[:, index, 1])
    same(x[xp.asarray(index), xp.asarray(index)], array[index, index])
    with pytest.raises(IndexError):
        x[5]
    with pytest.raises(IndexError):
        x[0, 0, 0, 0]


def test_a_backward_slice_can_be_written():
    x = xp.zeros(5)
    x[::-2] = xp.asarray([1.0, 2.0, 3.0])
    same(x, np.array([3, 0, 2, 0, 1], np.float32))


def test_a_slice_is_a_view():
    x = xp.zeros((2, 3))
    part = x[0, :]
    part += 1
    same(x, np.array([[1, 1, 1], [0, 0, 0]], np.float32))


BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift",
          "rshift", "eq", "ne", "lt", "le", "gt", "ge", "matmul"]


@pytest.mark.parametrize("name", BINARY)
def test_operators_agree_with_numpy(name):
    function = getattr(operator, name)
    whole = name in ("and_", "or_", "xor", "lshift", "rshift")
    kind = np.int32 if whole else np.float32
    a, b = np.array([5, 6, 7], kind), np.array([1, 2, 3], kind)
    same(function(xp.asarray(a), xp.asarray(b)), function(a, b))
    if name == "matmul":
        return
    same(function(xp.asarray(a), 2), function(a, kind(2)))
    same(function(2, xp.asarray(b)), function(kind(2), b))
    if name in ("eq", "ne", "lt", "le", "gt", "ge"):
        return
    x = xp.asarray(a.copy())
    before = x
    x = getattr(operator, "i" + name.rstrip("_"))(x, xp.asarray(b))
    assert x is before
    same(x, function(a, b))


@pytest.mark.parametrize("wrong", [
    lambda: xp.ones(2) + xp.ones(2, dtype=xp.int32),
    lambda: xp.ones(2, dtype=xp.int32) + 1.5,
    lambda: xp.ones(2, dtype=xp.bool) + xp.ones(2, dtype=xp.bool),
    lambda: xp.ones(2, dtype=xp.int64) + xp.ones(2, dtype=xp.uint64),
    lambda: xp.ones(2) + "text",
    lambda: xp.ones(2) & xp.ones(2),
    lambda: operator.index(xp.ones(())),
    lambda: int(xp.ones(2)),
    lambda: float(xp.ones((), dtype=xp.complex64)),
    lambda: hash(xp.ones(())),
    lambda: xp.ones(2, dtype=xp.int8).__setitem__(0, xp.ones(())),
])
def test_what_does_not_fit_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        wrong()


def test_a_number_outside_the_type_overflows():
    with pytest.raises(OverflowError):
        xp.ones(2, dtype=xp.int8) + 300
    assert (xp.asarray([2**63], dtype=xp.uint64) + 1).tensor.tolist() == [2**63 + 1]


def test_a_0d_array_promotes_like_any_other():
    assert (xp.ones(2) + xp.ones((), dtype=xp.float64)).dtype is xp.float64


def test_attributes():
    x = xp.ones((2, 3, 4))
    assert (x.ndim, x.size, x.shape, x.dtype) == (3, 24, (2, 3, 4), xp.float32)
    assert x.mT.shape == (2, 4, 3) and x[0, ...].T.shape == (4, 3)
    assert x.to_device(x.device) is x
    with pytest.raises(LampionError):
        _ = x.T
    with pytest.raises(LampionError):
        x.to_device("cuda")


def test_conversions():
    assert bool(xp.asarray(True)) is True
    assert int(xp.asarray(3.0)) == 3 and float(xp.asarray(2)) == 2.0
    assert complex(xp.asarray(1j)) == 1j and operator.index(xp.asarray(4)) == 4
    assert [int(k) for k in xp.arange(3)] == [0, 1, 2] and len(xp.ones((2, 3))) == 2


def test_exchange_with_numpy_and_dlpack():
    array = np.arange(3.0)
    x = xp.from_dlpack(array)
    array[0] = 7
    assert float(x[0]) == 7
    same(np.from_dlpack(x), array)
    y = xp.asarray(array, copy=True)
    array[0] = 9
    assert float(y[0]) == 7 and float(x[0]) == 9
    with pytest.raises(ValueError):
        xp.asarray([1, 2], copy=False)
    with pytest.raises(ValueError):
        xp.asarray(array, dtype=xp.float32, copy=False)


def test_gradients_flow_through_the_namespace():
    w = lampion.ones(3, requires_grad=True)
    loss = xp.sum(xp.asarray(w) * xp.asarray([1.0, 2.0, 3.0]))
    loss.tensor.backward()
    assert w.grad.tolist() == [1, 2, 3]


def test_it_prints_and_pickles():
    assert repr(xp.asarray([[1, 2], [3, 4]])) == "Array([[1, 2],\n       [3, 4]])"
    same(pickle.loads(pickle.dumps(xp.arange(3))), np.arange(3))


def test_scipy_style_code_runs():
    def softmax(x, axis):
        space = x.__array_namespace__()
        shifted = space.exp(x - space.max(x, axis=axis, keepdims=True))
        return shifted / space.sum(shifted, axis=axis, keepdims=True)

    for x in (xp.asarray([[1.0, 2.0, 3.0]]), lampion.tensor([[1.0, 2.0, 3.0]])):
        made = softmax(xp.asarray(x), 1)
        np.testing.assert_allclose(np.asarray(made).sum(), 1, rtol=1e-6)


@quick
@hypothesis.given(ARRAYS, st.data())
def test_masks_of_any_shape_do_what_numpys_do(x, data):
    shape = data.draw(st.one_of(
        st.just(()), st.integers(0, x.ndim).map(lambda n: x.shape[:n]),
        xps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
    mask = data.draw(xps.arrays(xp.bool, shape))
    try:
        expected = np.asarray(x)[np.asarray(mask)]
    except IndexError:
        with pytest.raises(IndexError):
            x[mask]
        return
    same(x[mask], expected)


@quick
@hypothesis.given(ARRAYS, st.data())
def test_numbers_are_written_where_numpy_writes_them(x, data):
    key = data.draw(st.one_of(
        xps.indices(x.shape), xps.arrays(xp.bool, x.shape), xps.arrays(xp.bool, ())))
    value = data.draw(st.one_of(
        xps.from_dtype(x.dtype), xps.arrays(x.dtype, ())))
    expected = np.asarray(x).copy()
    x = xp.asarray(expected, copy=True)
    x[key] = value
    theirs = np.asarray(key) if isinstance(key, xp.Array) else key
    expected[theirs] = np.asarray(value) if isinstance(value, xp.Array) else value
    same(x, expected)
