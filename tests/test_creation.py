"""Making tensors: values, types, shapes, and what is an error."""

import math

import numpy as np
import pytest


class TestTensor:
    def test_types_of_python_values(self, torch):
        assert torch.tensor(1).dtype is torch.int64
        assert torch.tensor(1.0).dtype is torch.float32
        assert torch.tensor(True).dtype is torch.bool
        assert torch.tensor([1, 2.0]).dtype is torch.float32
        assert torch.tensor([True, 2]).dtype is torch.int64
        assert torch.tensor([]).dtype is torch.float32
        assert torch.tensor([], dtype=torch.int64).dtype is torch.int64

    def test_python_types_name_the_widest_of_their_kind(self, torch):
        assert torch.tensor(1, dtype=float).dtype is torch.float64
        assert torch.ones(2, dtype=int).dtype is torch.int64
        assert torch.tensor([0.0, 2.0]).to(bool).tolist() == [False, True]

    def test_nesting_gives_the_shape(self, torch):
        assert tuple(torch.tensor([[1, 2, 3], [4, 5, 6]]).shape) == (2, 3)
        assert tuple(torch.tensor(5).shape) == ()
        assert tuple(torch.tensor([[], []]).shape) == (2, 0)
        assert tuple(torch.tensor(((1,), (2,))).shape) == (2, 1)
        assert torch.tensor(range(3)).tolist() == [0, 1, 2]

    @pytest.mark.parametrize("rows", [
        [], [[], []], [[[]], [[]]], [[True], [2]], [[1, 2], [3, 4.5]], ([1j, 2], (True, 3.0)),
        [[[1], [2]]] * 3, [True, False]])
    def test_numbers_of_several_types(self, torch, rows):
        made = torch.tensor(rows)
        expected = np.array(rows)
        assert made.tolist() == expected.tolist() and tuple(made.shape) == expected.shape
        kinds = {bool: torch.bool, int: torch.int64, float: torch.float32, complex: torch.complex64}
        flat = expected.ravel().tolist()
        assert made.dtype == (kinds[type(flat[0])] if flat else torch.float32)

    @pytest.mark.parametrize(
        "rows", [[[1], []], [1, [2]], [[1, 2], [3]], [[1], [None]], [[[1]], [2]]])
    def test_rows_that_do_not_fit(self, torch, rows):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            torch.tensor(rows)

    def test_numpy_values_keep_their_type(self, torch):
        assert torch.tensor(np.ones(2)).dtype is torch.float64
        assert torch.tensor(np.int32(3)).dtype is torch.int32
        assert torch.tensor([np.float32(1), np.float32(2)]).dtype is torch.float32

    def test_copies(self, torch):
        array = np.ones(2, np.float32)
        x = torch.tensor(array)
        array[0] = 5
        assert x.tolist() == [1.0, 1.0]

    def test_of_tensors(self, torch):
        x = torch.tensor([torch.tensor(1.5), torch.tensor(2.5)])
        assert x.tolist() == [1.5, 2.5]
        with pytest.warns(UserWarning, match="(?i)copy construct"):
            torch.tensor(x)

    def test_requires_grad(self, torch):
        assert torch.tensor(1.0, requires_grad=True).requires_grad

    def test_errors(self, torch):
        with pytest.raises(ValueError):
            torch.tensor([[1, 2], [3]])
        with pytest.raises((TypeError, ValueError)):
            torch.tensor(["a"])
        with pytest.raises((RuntimeError, TypeError)):
            torch.tensor(None)
        with pytest.raises((RuntimeError, OverflowError, ValueError)):
            torch.tensor(2**70)

    def test_as_tensor_shares_and_tensor_copies(self, torch):
        x = torch.ones(2)
        assert torch.as_tensor(x) is x
        array = np.ones(2, np.float32)
        shared = torch.as_tensor(array)
        array[0] = 5
        assert shared.tolist() == [5.0, 1.0]

    def test_legacy_constructors(self, torch):
        assert tuple(torch.Tensor(2, 3).shape) == (2, 3)
        assert torch.Tensor([1, 2]).dtype is torch.float32
        assert torch.FloatTensor([1, 2]).tolist() == [1.0, 2.0]
        assert torch.LongTensor([1, 2]).dtype is torch.int64

    def test_scalar_tensor(self, torch):
        assert torch.scalar_tensor(3).dtype is torch.float32


class TestFilled:
    @pytest.mark.parametrize("shape", [(2, 3), (0,), (), (2, 0, 1)])
    def test_shapes_in_both_forms(self, torch, shape):
        assert tuple(torch.zeros(shape).shape) == shape
        assert tuple(torch.ones(*shape).shape) == shape if shape else True
        assert tuple(torch.zeros(torch.Size(shape)).shape) == shape
        assert tuple(torch.full(shape, 1.5).shape) == shape

    def test_types_of_full(self, torch):
        assert torch.full((2,), 1).dtype is torch.int64
        assert torch.full((2,), 1.0).dtype is torch.float32
        assert torch.full((2,), True).dtype is torch.bool
        assert torch.full((2,), 1, dtype=torch.float64).tolist() == [1.0, 1.0]

    def test_like(self, torch):
        x = torch.ones(2, 3, dtype=torch.float64)
        for function in (torch.zeros_like, torch.ones_like, torch.empty_like, torch.rand_like):
            y = function(x)
            assert y.shape == x.shape and y.dtype is torch.float64
        assert torch.zeros_like(x, dtype=torch.int32).dtype is torch.int32
        assert torch.full_like(x, 2).tolist() == [[2.0] * 3] * 2
        assert not torch.zeros_like(x.requires_grad_()).requires_grad

    def test_new(self, torch):
        x = torch.ones(2, dtype=torch.float64)
        assert x.new_zeros(3).dtype is torch.float64
        assert x.new_ones((1, 2)).tolist() == [[1.0, 1.0]]
        assert x.new_full((2,), 7).tolist() == [7.0, 7.0]
        assert x.new_tensor([1, 2]).dtype is torch.float64
        assert tuple(x.new_empty(2, 2).shape) == (2, 2)

    def test_negative_length(self, torch):
        with pytest.raises(RuntimeError):
            torch.zeros(2, -1)

    def test_eye(self, torch):
        assert torch.eye(2, 3).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


class TestRanges:
    def test_arange(self, torch):
        assert torch.arange(3).tolist() == [0, 1, 2]
        assert torch.arange(3).dtype is torch.int64
        assert torch.arange(1, 2, 0.25).tolist() == [1.0, 1.25, 1.5, 1.75]
        assert torch.arange(5, 0, -2).tolist() == [5, 3, 1]
        assert torch.arange(3.0).dtype is torch.float32
        assert torch.arange(0).tolist() == []
        with pytest.raises(RuntimeError):
            torch.arange(0, 5, -1)
        with pytest.raises(RuntimeError):
            torch.arange(0, 5, 0)

    @pytest.mark.parametrize("steps", [0, 1, 2, 5])
    def test_linspace(self, torch, steps):
        found = torch.linspace(-1, 2, steps)
        np.testing.assert_allclose(found.numpy(), np.linspace(-1, 2, steps), rtol=1e-6)

    def test_logspace(self, torch):
        np.testing.assert_allclose(torch.logspace(0, 2, 3).numpy(), [1, 10, 100], rtol=1e-6)

    def test_meshgrid(self, torch):
        rows, columns = torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
        assert rows.tolist() == [[0] * 3, [1] * 3] and columns.tolist() == [[0, 1, 2]] * 2


class TestRandom:
    def test_seed_repeats(self, torch):
        torch.manual_seed(7)
        first = [torch.rand(3).tolist(), torch.randn(3).tolist(), torch.randperm(5).tolist()]
        torch.manual_seed(7)
        assert [torch.rand(3).tolist(), torch.randn(3).tolist(),
                torch.randperm(5).tolist()] == first
        assert torch.rand(3).tolist() != first[0]

    def test_state_can_be_kept(self, torch):
        torch.manual_seed(1)
        state = torch.get_rng_state()
        first = torch.rand(4).tolist()
        torch.set_rng_state(state)
        assert torch.rand(4).tolist() == first

    def test_generators_are_apart(self, torch):
        one, two = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        assert torch.rand(2, generator=one).tolist() == torch.rand(2, generator=two).tolist()
        torch.manual_seed(0)
        expected = torch.rand(2).tolist()
        torch.manual_seed(0)
        torch.rand(2, generator=one)
        assert torch.rand(2).tolist() == expected

    def test_distributions(self, torch):
        torch.manual_seed(0)
        uniform, normal = torch.rand(20_000), torch.randn(20_000)
        assert 0 <= uniform.min().item() and uniform.max().item() < 1
        assert abs(uniform.mean().item() - 0.5) < 0.02
        assert abs(normal.mean().item()) < 0.05 and abs(normal.std().item() - 1) < 0.05
        assert abs(normal.abs().mean().item() - math.sqrt(2 / math.pi)) < 0.03

    def test_randint(self, torch):
        torch.manual_seed(0)
        x = torch.randint(-2, 3, (1000,))
        assert x.dtype is torch.int64 and sorted(set(x.tolist())) == [-2, -1, 0, 1, 2]
        assert sorted(set(torch.randint(2, (100,)).tolist())) == [0, 1]
        with pytest.raises((RuntimeError, ValueError)):
            torch.randint(3, 3, (1,))

    def test_randperm(self, torch):
        assert sorted(torch.randperm(50).tolist()) == list(range(50))

    def test_bernoulli_and_multinomial(self, torch):
        torch.manual_seed(0)
        coins = torch.bernoulli(torch.full((4000,), 0.25))
        assert abs(coins.mean().item() - 0.25) < 0.03
        draws = torch.multinomial(torch.tensor([0.0, 3.0, 1.0]), 2000, replacement=True)
        assert 0 not in draws.tolist() and abs((draws == 1).float().mean().item() - 0.75) < 0.05
        assert sorted(torch.multinomial(torch.ones(4), 4).tolist()) == [0, 1, 2, 3]
        with pytest.raises(RuntimeError):
            torch.multinomial(torch.ones(2), 3)

    def test_normal(self, torch):
        torch.manual_seed(0)
        x = torch.normal(torch.tensor([0.0, 100.0]), torch.tensor([1.0, 0.1]))
        assert abs(x[1].item() - 100) < 1
        assert tuple(torch.normal(2.0, 3.0, size=(2, 2)).shape) == (2, 2)

    def test_fork_rng(self, torch):
        torch.manual_seed(5)
        expected = torch.rand(1).item()
        torch.manual_seed(5)
        with torch.random.fork_rng():
            torch.rand(3)
        assert torch.rand(1).item() == expected


class TestDefaults:
    def test_default_dtype(self, torch):
        assert torch.get_default_dtype() is torch.float32
        torch.set_default_dtype(torch.float64)
        try:
            assert torch.tensor(1.0).dtype is torch.float64
            assert torch.zeros(1).dtype is torch.float64
            assert (torch.tensor([1]) / 2).dtype is torch.float64
        finally:
            torch.set_default_dtype(torch.float32)
        with pytest.raises(TypeError):
            torch.set_default_dtype(torch.int64)

    def test_device(self, torch):
        assert torch.zeros(1, device="cpu").device == torch.device("cpu")
        assert torch.zeros(1).device.type == "cpu"
        assert not torch.zeros(1).is_cuda
        with pytest.raises(RuntimeError):
            torch.zeros(1, device="nowhere")
