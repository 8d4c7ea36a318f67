"""Reading and writing by index, against NumPy's and PyTorch's own rules."""

import numpy as np
import pytest

# Indices of a 4x5x6 tensor. Tensors in an index are written as NumPy arrays and converted.
LONG = np.array([2, 0, -1])
GRID = np.array([[0, 1], [2, 3]])
MASK = np.array([True, False, True, False])
PLANE = np.arange(20).reshape(4, 5) % 3 == 0
INDICES = {
    "integer": 2,
    "negative integer": -1,
    "all": slice(None),
    "slice": slice(1, 3),
    "slice with step": slice(None, None, 2),
    "slice past the end": slice(2, 100),
    "negative bounds": slice(-3, -1),
    "empty slice": slice(3, 1),
    "two slices": (slice(1, 3), slice(2, None)),
    "integer and slice": (1, slice(2, 4)),
    "ellipsis": (..., 2),
    "ellipsis in the middle": (1, ..., 2),
    "new axis": (None, 1),
    "new axes around": (slice(None), None, 2, None),
    "ellipsis alone": ...,
    "empty tuple": (),
    "list": [2, 0],
    "tensor": LONG,
    "tensor of two axes": GRID,
    "zero-dimensional tensor": np.array(2),
    "tensor, second axis": (slice(None), LONG),
    "two tensors": (LONG, LONG),
    "two tensors that broadcast": (LONG[:, None], np.array([1, 4])),
    "tensors with a slice between": (LONG, slice(None), LONG),
    "tensors with a slice before": (slice(None), LONG, LONG),
    "tensor and integer": (LONG, 2),
    "tensor and new axis": (LONG, None, slice(1, 3)),
    "ellipsis and tensor": (..., LONG),
    "mask": MASK,
    "mask of two axes": PLANE,
    "mask and integer": (MASK, 1),
    "mask, last axis": (..., np.array([True] * 3 + [False] * 3)),
    "mask and tensor": (MASK, np.array([1, 2])),
    "nothing selected": np.zeros(4, bool),
    "empty tensor": np.zeros(0, np.int64),
    "True": True,
    "False": False,
    "list of bools": [True, False, False, True],
}

REPEATED = {
    "repeats": np.array([1, 1, -3, 1]),
    "repeats in two axes": (np.array([0, 0]), slice(None), np.array([5, -1])),
}


def converted(torch, index):
    """The same index with tensors in place of arrays."""
    if isinstance(index, tuple):
        return tuple(converted(torch, part) for part in index)
    return torch.from_numpy(index) if isinstance(index, np.ndarray) else index


@pytest.fixture
def array():
    return np.arange(120, dtype=np.float32).reshape(4, 5, 6)


@pytest.mark.parametrize("name", INDICES)
class TestLikeNumPy:
    def test_read(self, torch, array, name):
        found = torch.from_numpy(array)[converted(torch, INDICES[name])]
        expected = array[INDICES[name]]
        assert tuple(found.shape) == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)

    def test_read_by_arrays_as_they_are(self, torch, array, name):
        found = torch.from_numpy(array)[INDICES[name]]
        np.testing.assert_array_equal(found.numpy(), array[INDICES[name]])

    def test_write_a_number(self, torch, array, name):
        x = torch.from_numpy(array.copy())
        x[converted(torch, INDICES[name])] = -1
        array[INDICES[name]] = -1
        np.testing.assert_array_equal(x.numpy(), array)

    def test_write_a_tensor(self, torch, array, name):
        x = torch.from_numpy(array.copy())
        values = -np.arange(array[INDICES[name]].size, dtype=np.float32)
        values = values.reshape(array[INDICES[name]].shape)
        x[converted(torch, INDICES[name])] = torch.from_numpy(values)
        array[INDICES[name]] = values
        np.testing.assert_array_equal(x.numpy(), array)

    def test_gradient_of_what_was_written_over_is_zero(self, torch, array, name):
        x = torch.from_numpy(array.copy()).requires_grad_()
        value = torch.tensor(2.0, requires_grad=True)
        y = x * 1
        y[converted(torch, INDICES[name])] = value
        y.sum().backward()
        kept = np.ones_like(array)
        kept[INDICES[name]] = 0
        np.testing.assert_array_equal(x.grad.numpy(), kept)
        received = 0 if value.grad is None else value.grad.item()
        assert received == (kept == 0).sum()


@pytest.mark.parametrize("index", (INDICES | REPEATED).values(), ids=[*INDICES, *REPEATED])
def test_gradient_counts_how_often_an_element_was_read(torch, array, index):
    x = torch.from_numpy(array.copy()).requires_grad_()
    x[converted(torch, index)].sum().backward()
    counts = np.zeros_like(array)
    np.add.at(counts, index, 1)
    np.testing.assert_array_equal(x.grad.numpy(), counts)


def test_an_integer_is_no_tensor(torch, array):
    """NumPy counts the integer as an array and would move the new axis to the front."""
    found = torch.from_numpy(array)[1, :, torch.from_numpy(LONG)]
    np.testing.assert_array_equal(found.numpy(), array[1][:, LONG])


class TestWriting:
    def test_values_broadcast(self, torch):
        x = torch.zeros(2, 3)
        x[:, 1:] = torch.tensor([1.0, 2.0])
        assert x.tolist() == [[0.0, 1.0, 2.0]] * 2
        x[torch.tensor([0, 1])] = torch.tensor([[9.0], [8.0]])
        assert x.tolist() == [[9.0] * 3, [8.0] * 3]

    def test_leading_axes_of_one_are_dropped(self, torch):
        x = torch.zeros(3)
        x[:] = torch.ones(1, 3)
        assert x.tolist() == [1.0, 1.0, 1.0]

    def test_values_are_converted(self, torch):
        x = torch.zeros(2, dtype=torch.int64)
        x[0] = 2.9
        x[1] = torch.tensor(3.9)
        assert x.tolist() == [2, 3]

    def test_augmented_assignment(self, torch):
        x = torch.ones(3)
        x[1] += 5
        x[torch.tensor([True, False, True])] *= 3
        assert x.tolist() == [3.0, 6.0, 3.0]

    def test_repeated_indices_add_once_but_index_put_accumulates(self, torch):
        x = torch.zeros(2)
        index = torch.tensor([0, 0, 0])
        x[index] += 1
        assert x.tolist() == [1.0, 0.0]
        x.index_put_((index,), torch.ones(3), accumulate=True)
        assert x.tolist() == [4.0, 0.0]

    def test_index_add_with_repeats(self, torch):
        x = torch.zeros(3)
        x.index_add_(0, torch.tensor([2, 2, 0]), torch.tensor([1.0, 2.0, 3.0]))
        assert x.tolist() == [3.0, 0.0, 3.0]

    def test_chained(self, torch):
        x = torch.zeros(2, 3)
        x[0][1] = 4.0
        assert x.tolist() == [[0.0, 4.0, 0.0], [0.0, 0.0, 0.0]]


class TestErrors:
    @pytest.mark.parametrize("index", [4, -5, (0, 5), (0, 0, 0, 0)])
    def test_outside(self, torch, array, index):
        x = torch.from_numpy(array)
        with pytest.raises(IndexError):
            x[index]
        with pytest.raises(IndexError):
            x[index] = 0

    def test_tensor_outside(self, torch, array):
        x = torch.from_numpy(array)
        with pytest.raises(IndexError):
            x[torch.tensor([0, 4])].sum().item()
        with pytest.raises(IndexError):
            x[:, torch.tensor([-6])].sum().item()

    def test_mask_of_the_wrong_shape(self, torch, array):
        with pytest.raises(IndexError, match="(?i)mask"):
            torch.from_numpy(array)[torch.tensor([True, False])]

    def test_indices_that_do_not_broadcast(self, torch, array):
        with pytest.raises(IndexError, match="(?i)broadcast"):
            torch.from_numpy(array)[torch.tensor([0, 1]), torch.tensor([0, 1, 2])]

    def test_kinds_that_are_no_index(self, torch, array):
        x = torch.from_numpy(array)
        with pytest.raises(IndexError):
            x[1.0]
        with pytest.raises((IndexError, TypeError)):
            x["a"]
        with pytest.raises(IndexError):
            x[torch.tensor([0.5])]

    def test_negative_step(self, torch, array):
        with pytest.raises(ValueError, match="step"):
            torch.from_numpy(array)[::-1]

    def test_number(self, torch):
        with pytest.raises(IndexError):
            torch.tensor(1.0)[0]
        assert torch.tensor(1.0)[...].item() == 1.0
        assert tuple(torch.tensor(1.0)[None].shape) == (1,)


class TestProtocols:
    def test_length_and_iteration(self, torch):
        x = torch.tensor([[1, 2], [3, 4]])
        assert len(x) == 2
        assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
        a, b = x
        assert b.tolist() == [3, 4]

    def test_contains(self, torch):
        x = torch.tensor([1.0, 2.0])
        assert 2.0 in x and 3.0 not in x

    def test_index_of_a_python_list(self, torch):
        assert ["a", "b", "c"][torch.tensor(1)] == "b"
        assert list(range(torch.tensor(3))) == [0, 1, 2]
        with pytest.raises(TypeError):
            range(torch.tensor(3.5))
