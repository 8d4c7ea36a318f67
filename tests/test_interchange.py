"""To and from other libraries and files: NumPy, DLPack, pickle, copies."""

import copy
import importlib
import pickle

import numpy as np
import pytest


class TestNumPy:
    def test_from_numpy_shares_both_ways(self, torch):
        array = np.zeros(3, np.float32)
        x = torch.from_numpy(array)
        array[0] = 1
        assert x.tolist() == [1.0, 0.0, 0.0]
        x[1] = 2
        assert array.tolist() == [1.0, 2.0, 0.0]
        x += 1
        assert array.tolist() == [2.0, 3.0, 1.0]

    def test_numpy_shares_both_ways(self, torch):
        x = torch.zeros(3)
        array = x.numpy()
        array[0] = 1
        assert x.tolist() == [1.0, 0.0, 0.0]
        x.mul_(5).add_(1)
        assert array.tolist() == [6.0, 1.0, 1.0]

    def test_memory_outlives_the_tensor(self, torch):
        array = (torch.arange(50_000.0) * 2).numpy()
        others = [np.full(50_000, -7, np.float32) for _ in range(5)]  # take freed memory
        assert array.tolist() == list(range(0, 100_000, 2)) and len(others) == 5

    def test_views_of_shared_memory(self, torch):
        array = np.arange(6, dtype=np.float32).reshape(2, 3)
        x = torch.from_numpy(array)
        row = x[1]
        array[1, 0] = 50
        assert row.tolist() == [50.0, 4.0, 5.0]
        row[2] = -1
        assert array[1, 2] == -1

    def test_what_was_computed_before_a_change_stays(self, torch):
        array = np.ones(2, np.float32)
        x = torch.from_numpy(array)
        y = x * 2
        array[:] = 100
        assert y.tolist() == [2.0, 2.0]
        assert (x * 2).tolist() == [200.0, 200.0]

    def test_numpy_of_a_view_shares(self, torch):
        x = torch.zeros(2, 3)
        part = x[:, 1].numpy()
        part[:] = 4
        assert x.tolist() == [[0.0, 4.0, 0.0]] * 2

    def test_odd_layouts(self, torch):
        array = np.arange(12, dtype=np.float64).reshape(3, 4)
        for layout in (array.T, array[::2], array[:, 1:3], array[1]):
            x = torch.from_numpy(layout)
            assert x.tolist() == layout.tolist()
            assert x.stride() == tuple(s // layout.itemsize for s in layout.strides)

    def test_negative_strides_are_refused(self, torch):
        with pytest.raises(ValueError, match="(?i)negative"):
            torch.from_numpy(np.arange(3)[::-1])

    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64",
                                       "float16", "float32", "float64"])
    def test_types(self, torch, dtype):
        array = np.array([0, 1, 1], dtype)
        x = torch.from_numpy(array)
        assert x.dtype is getattr(torch, dtype)
        assert x.numpy().dtype == array.dtype and x.numpy().tolist() == array.tolist()

    def test_types_without_counterpart(self, torch):
        with pytest.raises(TypeError):
            torch.from_numpy(np.array(["a"]))
        with pytest.raises(TypeError):
            torch.from_numpy([1, 2])

    def test_requires_grad(self, torch):
        x = torch.ones(2, requires_grad=True)
        with pytest.raises(RuntimeError, match="detach"):
            x.numpy()
        assert x.detach().numpy().tolist() == [1.0, 1.0]
        assert x.numpy(force=True).tolist() == [1.0, 1.0]

    def test_bfloat16_has_no_numpy_type(self, torch):
        with pytest.raises(TypeError):
            torch.ones(2, dtype=torch.bfloat16).numpy()
        assert torch.ones(2, dtype=torch.bfloat16).float().numpy().tolist() == [1.0, 1.0]

    @pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
    def test_array_protocol(self, torch):
        x = torch.tensor([[1.0, 2.0]])
        assert np.asarray(x).tolist() == [[1.0, 2.0]]
        assert np.asarray(x, dtype=np.float64).dtype == np.float64
        assert np.array(x, copy=True).tolist() == [[1.0, 2.0]]
        assert np.sin(np.asarray(x)).shape == (1, 2)
        np.testing.assert_allclose(x, [[1.0, 2.0]])

    def test_arithmetic_with_numpy_numbers(self, torch):
        x = torch.ones(2)
        assert (x * np.float32(3)).dtype is torch.float32
        assert (x * np.float64(3)).dtype is torch.float32
        assert (x + np.int64(1)).tolist() == [2.0, 2.0]

    def test_list_of_arrays(self, torch):
        x = torch.tensor(np.stack([np.ones(2), np.zeros(2)]))
        assert x.tolist() == [[1.0, 1.0], [0.0, 0.0]]

    def test_frombuffer(self, torch):
        data = bytearray(np.array([1, 2, 3], np.int32).tobytes())
        x = torch.frombuffer(data, dtype=torch.int32)
        assert x.tolist() == [1, 2, 3]
        assert torch.frombuffer(data, dtype=torch.int32, offset=4, count=1).tolist() == [2]


class TestPython:
    def test_item_types(self, torch):
        assert type(torch.tensor(1).item()) is int
        assert type(torch.tensor(1.5).item()) is float
        assert type(torch.tensor(True).item()) is bool
        assert torch.ones(1, 1).item() == 1.0

    def test_conversions(self, torch):
        assert int(torch.tensor(2.9)) == 2 and float(torch.tensor([3])) == 3.0
        assert bool(torch.tensor(0.0)) is False and bool(torch.tensor([1])) is True
        assert complex(torch.tensor(2.0)) == 2 + 0j
        for convert in (int, float):
            with pytest.raises((ValueError, RuntimeError)):
                convert(torch.ones(2))
        with pytest.raises(RuntimeError):
            torch.ones(2).item()

    def test_tolist(self, torch):
        assert torch.tensor(1.5).tolist() == 1.5
        assert torch.zeros(0, 2).tolist() == []
        assert torch.zeros(2, 0).tolist() == [[], []]

    def test_format(self, torch):
        assert f"{torch.tensor(0.12345):.2f}" == "0.12"
        assert f"{torch.tensor(7)}" == "7"
        assert f"{torch.tensor([1.0])}" == "tensor([1.])"

    def test_numbers_of_a_loss(self, torch):
        loss = torch.tensor(2.5, requires_grad=True) * 2
        assert loss.item() == 5.0
        assert f"{loss:.1f}" == "5.0"

    def test_hash_and_identity(self, torch):
        x, y = torch.ones(2), torch.ones(2)
        assert len({x, y, x}) == 2 and x in {x: 1}
        assert [x, y].index(x) == 0


class TestDLPack:
    def test_to_numpy_and_back(self, torch):
        x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        array = np.from_dlpack(x)
        assert array.tolist() == x.tolist()
        assert torch.from_dlpack(np.arange(3, dtype=np.int32)).tolist() == [0, 1, 2]

    def test_shares_memory(self, torch):
        array = np.zeros(2, np.float32)
        x = torch.from_dlpack(array)
        x[0] = 5
        assert array.tolist() == [5.0, 0.0]

    def test_requires_grad_is_refused(self, torch):
        with pytest.raises(BufferError):
            np.from_dlpack(torch.ones(2, requires_grad=True))

    def test_device(self, torch):
        assert torch.ones(1).__dlpack_device__() == (1, 0)


def test_dlpack_capsules_share_memory(torch):
    dlpack = importlib.import_module(f"{torch.__name__}.utils.dlpack")
    x = torch.zeros(2)
    y = dlpack.from_dlpack(dlpack.to_dlpack(x))
    x[0] = 5
    y[1] = 7
    assert x.tolist() == y.tolist() == [5.0, 7.0]


def test_dlpack_between_lampion_and_pytorch():
    lampion = pytest.importorskip("lampion")
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6.0).reshape(2, 3)
    ours = lampion.from_dlpack(theirs)
    assert ours.tolist() == theirs.tolist()
    ours[0, 0] = 100.0
    assert theirs[0, 0].item() == 100.0
    back = torch.from_dlpack(lampion.tensor([1, 2, 3]))
    assert back.dtype is torch.int64 and back.tolist() == [1, 2, 3]


class TestCopies:
    def test_pickle(self, torch):
        for x in (torch.tensor([1.5, 2.0]), torch.zeros(0, 3), torch.tensor(True),
                  torch.ones(2, dtype=torch.bfloat16)):
            y = pickle.loads(pickle.dumps(x))
            assert y.tolist() == x.tolist() and y.dtype is x.dtype and y.shape == x.shape

    def test_pickle_of_a_leaf_keeps_requires_grad(self, torch):
        x = pickle.loads(pickle.dumps(torch.ones(2, requires_grad=True)))
        assert x.requires_grad and x.is_leaf

    def test_pickle_of_a_pending_value(self, torch):
        assert pickle.loads(pickle.dumps(torch.ones(2) * 3)).tolist() == [3.0, 3.0]

    def test_pickle_of_a_module(self, torch):
        layer = torch.nn.Linear(2, 3)
        same = pickle.loads(pickle.dumps(layer))
        assert same.weight.tolist() == layer.weight.tolist()
        assert isinstance(same.weight, torch.nn.Parameter)

    def test_deepcopy(self, torch):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        x.sum().backward()
        y = copy.deepcopy(x)
        y.data.zero_()
        assert x.tolist() == [1.0, 2.0] and y.requires_grad and y.grad.tolist() == [1.0, 1.0]
        y.grad.zero_()
        assert x.grad.tolist() == [1.0, 1.0]

    def test_deepcopy_keeps_sharing(self, torch):
        x = torch.zeros(3)
        original = {"whole": x, "same": x}
        twin = copy.deepcopy(original)
        assert twin["whole"] is twin["same"] and twin["whole"] is not x

    def test_deepcopy_of_a_module_with_tied_weights(self, torch):
        class Tied(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.one = torch.nn.Linear(2, 2)
                self.two = torch.nn.Linear(2, 2)
                self.two.weight = self.one.weight

        twin = copy.deepcopy(Tied())
        assert twin.two.weight is twin.one.weight

    def test_deepcopy_of_a_computed_tensor(self, torch):
        with pytest.raises(RuntimeError, match="(?i)deepcopy|deep copy"):
            copy.deepcopy(torch.ones(2, requires_grad=True) * 2)

    def test_shallow_copy_shares(self, torch):
        x = torch.zeros(2)
        y = copy.copy(x)
        y[0] = 1
        assert x.tolist() == [1.0, 0.0]
