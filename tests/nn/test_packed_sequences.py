"""Sequences of different length against PyTorch's `nn.utils.rnn`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lampion

oracle = pytest.importorskip("torch")
BOTH = (lampion, oracle)


def same(ours, theirs):
    if theirs is None or ours is None:
        assert ours is theirs
    elif hasattr(theirs, "shape"):
        assert tuple(ours.shape) == tuple(theirs.shape)
        assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
        assert ours.tolist() == theirs.tolist()
    else:
        assert type(ours).__name__ == type(theirs).__name__
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans(), st.booleans(),
       st.integers(0, 2), st.lists(st.integers(1, 2), max_size=2))
def test_there_and_back(lengths, batch_first, by_length, extra, trailing):
    if by_length:
        lengths = sorted(lengths, reverse=True)
    shape = (len(lengths), max(lengths), *trailing) if batch_first else (
        max(lengths), len(lengths), *trailing)
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    found = []
    for library in BOTH:
        rnn = library.nn.utils.rnn
        packed = rnn.pack_padded_sequence(
            library.tensor(array), lengths, batch_first, enforce_sorted=by_length)
        rows = rnn.pad_packed_sequence(packed, batch_first, -1.0, max(lengths) + extra)
        found.append([packed, rows, rnn.unpack_sequence(packed)])
    same(*found)


def test_gradients_reach_the_steps_that_there_are():
    array = np.random.default_rng(0).standard_normal((4, 3, 2))
    gradients = []
    for library in BOTH:
        rnn = library.nn.utils.rnn
        x = library.tensor(array).requires_grad_()
        packed = rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
        rows, _ = rnn.pad_packed_sequence(packed, padding_value=3.0)
        (rows ** 2).sum().backward()
        gradients.append(x.grad)
    same(*gradients)
    assert gradients[0][3, 0].tolist() == [0, 0]


def test_packing_sequences():
    for sort, rows in ((True, [[1, 2, 3], [4]]), (False, [[1], [2, 3], [4, 5, 6]])):
        same(*(library.nn.utils.rnn.pack_sequence(
            [library.tensor(row) for row in rows], enforce_sorted=sort) for library in BOTH))


def test_a_packed_sequence_converts():
    packed = lampion.nn.utils.rnn.pack_sequence([lampion.tensor([1.5, 2.0]), lampion.tensor([3.0])])
    assert packed.double().data.dtype == lampion.float64
    assert packed.long().data.tolist() == [1, 3, 2]
    assert packed.to(lampion.float32) is packed and packed.cpu() is packed and not packed.is_cuda
    again = type(packed)((packed.data, packed.batch_sizes))
    assert again.batch_sizes.tolist() == [2, 1] and again.sorted_indices is None


@pytest.mark.parametrize("arguments", [
    ((4, 3), [4, 2]), ((4, 3), [4, 2, 0]), ((4, 3), [2, 4, 1]), ((4, 3), [[4, 2, 1]]),
    ((0, 3), [1, 1, 1]), ((2, 1, 0), [1]), ((4,), [1])])
def test_wrong_lengths(arguments):
    shape, lengths = arguments
    errors = []
    for library in BOTH:
        with pytest.raises(Exception) as caught:  # noqa: B017 - compared below
            library.nn.utils.rnn.pack_padded_sequence(library.zeros(shape), lengths)
        errors.append(caught.value)
    assert isinstance(errors[0], type(errors[1]))
    assert isinstance(errors[0], lampion.errors.LampionError)


def test_lengths_past_the_padding_are_refused():
    with pytest.raises(lampion.errors.ShapeError, match="length 5 in a batch padded to 4"):
        lampion.nn.utils.rnn.pack_padded_sequence(lampion.zeros(4, 1), [5])


def test_a_total_length_that_is_too_short():
    for library in BOTH:
        rnn = library.nn.utils.rnn
        with pytest.raises(ValueError, match="total_length=2"):
            rnn.pad_packed_sequence(rnn.pack_sequence([library.ones(3)]), total_length=2)
