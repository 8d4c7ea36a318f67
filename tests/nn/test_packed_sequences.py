"""Sequences of different length against PyTorch's `nn.utils.rnn`."""

import copy
import pickle

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


# --- rows that nobody asked the data of -----------------------------------------------------------


def packed_and_layer(library, array, lengths):
    """Pack a leaf, and make a layer with the same weights in both libraries."""
    x = library.tensor(array).requires_grad_()
    packed = library.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    layer = library.nn.LSTM(2, 3, bidirectional=True).double()
    generator = np.random.default_rng(1)
    with library.no_grad():
        for weight in layer.parameters():
            weight.copy_(library.tensor(generator.standard_normal(tuple(weight.shape))))
    return x, packed, layer


def last_states_and_gradient(library, change):
    array = np.random.default_rng(0).standard_normal((9, 3, 2))
    array[4:, 0] = np.inf  # padding that is no number must not matter
    x, packed, layer = packed_and_layer(library, array, [4, 9, 1])
    packed = change(library, packed)
    output, (last, _) = layer(packed)
    rows, _ = library.nn.utils.rnn.pad_packed_sequence(output)
    (last.sum() + (rows**2).sum()).backward()
    return [last.detach().numpy(), rows.detach().numpy(), x.grad.numpy(),
            *(weight.grad.numpy() for weight in layer.parameters())]


def left_alone(library, packed):
    return packed


def looked_at(library, packed):
    with library.no_grad():
        assert packed.data.shape == (14, 2)
    return packed


def changed_in_place(library, packed):
    packed.data.mul_(2)
    return packed


def made_anew(library, packed):
    data, sizes, order, back = packed
    return library.nn.utils.rnn.PackedSequence(data * 2, sizes, order, back)


def by_replace(library, packed):
    return packed._replace(data=packed[0] + 1)


@pytest.mark.parametrize(
    "change", [left_alone, looked_at, changed_in_place, made_anew, by_replace])
def test_rows_are_data_to_whoever_asks(change):
    for ours, theirs in zip(*(last_states_and_gradient(library, change) for library in BOTH)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_other_lengths_need_no_other_program():
    """The sum of the lengths differs in every batch; a step is compiled for the longest alone."""
    lampion.manual_seed(0)
    layer = lampion.nn.GRU(2, 3)
    optimizer = lampion.optim.SGD(layer.parameters(), lr=0.1)

    def step(lengths):
        x = lampion.ones(9, 3, 2)
        packed = lampion.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        _, last = layer(packed)
        loss = last.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    for lengths in ([4, 9, 1], [9, 2, 2]):
        step(lengths)
    before = len(lampion.explain_recompiles())
    values = [step(lengths) for lengths in ([9, 9, 9], [1, 2, 9], [9, 8, 7], [1, 1, 9])]
    assert len(set(values)) == 4
    assert lampion.explain_recompiles()[before:] == []


def test_a_packed_sequence_is_copied_and_printed():
    packed = lampion.nn.utils.rnn.pack_padded_sequence(
        lampion.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=False)
    for other in (copy.copy(packed), copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        same(other, packed)
    assert repr(packed).startswith("PackedSequence(data=tensor([1, 2, 3]), batch_sizes=")
    assert len(packed) == 4 and packed._asdict()["data"].tolist() == [1, 2, 3]
