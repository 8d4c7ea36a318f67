"""Embeddings, bags of embeddings and one-hot vectors against PyTorch."""

import numpy as np
import pytest
from against_torch import F, check, check_error, labels, numbers

import lampion

TABLE = numbers(7, 3, seed=1)


@pytest.mark.parametrize("shape", [(), (4,), (2, 5), (2, 0), (2, 2, 3)])
def test_embedding(shape):
    check("embedding", np.array(labels(*shape, classes=7)), TABLE)


@pytest.mark.parametrize("padding_idx", [0, 3, -1, -7])
@pytest.mark.parametrize("scale", [False, True])
def test_padding_and_scaled_gradients(padding_idx, scale):
    index = np.array([[0, 3, 3], [6, 6, 1]])
    check("embedding", index, TABLE, padding_idx=padding_idx, scale_grad_by_freq=scale,
          order=1 if scale else 2)


def test_small_whole_numbers():
    check("embedding", np.array([0, 2], dtype="int32"), TABLE)


@pytest.mark.parametrize("norm_type", [1.0, 2.0])
def test_rows_that_are_used_are_shortened(norm_type):
    index = np.array([0, 2, 2, 5])
    # The table is written in place, so it must not be a leaf that wants gradients.
    check("embedding", index, TABLE, max_norm=1.5, norm_type=norm_type, order=0)


def test_shortening_a_leaf_is_allowed():
    table = lampion.full((3, 2), 3.0, requires_grad=True)
    F.embedding(lampion.tensor([1]), table, max_norm=1.0).sum().backward()
    np.testing.assert_allclose(table.detach().norm(dim=1).tolist(), [18**0.5, 1.0, 18**0.5],
                               rtol=1e-5)
    assert table.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def test_embedding_errors():
    check_error("embedding", np.array([0, 7]), TABLE, expected=IndexError,
                mention="index 7 is out of range in a table of 7 rows")
    check_error("embedding", np.array([-1]), TABLE, expected=IndexError)
    check_error("embedding", np.array([1.0]), TABLE, expected=RuntimeError, mention="input.long()")
    check_error("embedding", np.array([1]), numbers(3), expected=RuntimeError, mention="2-D")
    check_error("embedding", np.array([1]), TABLE, padding_idx=7, expected=ValueError,
                reference=False)  # an AssertionError


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_bags_of_equal_size(mode, padding_idx):
    index = np.array([[0, 2, 2], [6, 1, 0], [2, 2, 2]])
    check("embedding_bag", index, TABLE, mode=mode, padding_idx=padding_idx, order=1)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(("offsets", "last"), [([0, 2, 2, 5], False), ([0, 2, 5, 6], True),
                                               ([0], False), ([0, 6], False)])
def test_bags_by_offsets(mode, offsets, last):
    check("embedding_bag", np.array([0, 2, 2, 6, 1, 0]), TABLE, np.array(offsets), mode=mode,
          include_last_offset=last, order=1)


def test_weighted_bags():
    check("embedding_bag", np.array([[0, 2], [2, 1]]), TABLE, mode="sum",
          per_sample_weights=numbers(2, 2), order=1)


@pytest.mark.parametrize(("arguments", "settings", "expected"), [
    ((np.array([0, 1]), TABLE), {}, ValueError),
    ((np.array([[0, 1]]), TABLE, np.array([0])), {}, ValueError),
    ((np.array([0, 1]), TABLE, np.array([1])), {}, RuntimeError),
    ((np.array([[0, 1]]), TABLE), {"mode": "min"}, ValueError),
    ((np.array([[0, 1]]), TABLE), {"mode": "max", "scale_grad_by_freq": True}, ValueError),
    ((np.array([[0, 1]]), TABLE), {"per_sample_weights": np.ones((1, 2))}, NotImplementedError),
    ((np.array([[0, 1]]), TABLE), {"per_sample_weights": np.ones(2)}, ValueError),
])
def test_bag_errors(arguments, settings, expected):
    check_error("embedding_bag", *arguments, expected=expected, **settings)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0, 2)])
def test_one_hot(shape):
    classes = np.array(labels(*shape, classes=5))
    check("one_hot", classes, 5)
    if classes.size:
        check("one_hot", classes)


def test_one_hot_errors():
    check_error("one_hot", np.array([0.0]), expected=RuntimeError, mention="tensor.long()")
    check_error("one_hot", np.array([0, 3]), 3, expected=RuntimeError, mention="num_classes=4")
    check_error("one_hot", np.array([-1]), expected=RuntimeError)
    check_error("one_hot", np.zeros((0,), dtype="int64"), expected=RuntimeError)
    check_error("one_hot", np.array([0]), 0, expected=RuntimeError)
