"""Parameters computed from others: parametrizations, weight and spectral normalisation."""

import copy
import pickle

import pytest


@pytest.fixture
def parametrize(torch):
    return torch.nn.utils.parametrize


@pytest.fixture
def positive(torch):
    class Positive(torch.nn.Module):
        def forward(self, x):
            return x.exp()

        def right_inverse(self, y):
            return y.log()

    return Positive()


@pytest.fixture
def double(torch):
    class Double(torch.nn.Module):
        def forward(self, x):
            return x * 2

    return Double()


@pytest.fixture
def layer(torch):
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    return layer


def flat(tensor):
    return pytest.approx(tensor.flatten().tolist(), rel=1e-5)


class TestRegister:
    def test_reads_and_trains_through(self, torch, parametrize, layer, double):
        assert parametrize.register_parametrization(layer, "weight", double) is layer
        assert layer.weight.tolist() == [[2, 4], [6, 8]]
        assert sorted(dict(layer.named_parameters())) == [
            "bias", "parametrizations.weight.original"]
        layer(torch.ones(1, 2)).sum().backward()
        assert layer.parametrizations.weight.original.grad.tolist() == [[2, 2], [2, 2]]

    def test_right_inverse_keeps_the_value(self, parametrize, layer, positive):
        original = layer.weight
        parametrize.register_parametrization(layer, "weight", positive)
        assert [1, 2, 3, 4] == flat(layer.weight)
        assert layer.parametrizations.weight.original is original

    def test_assigning(self, torch, parametrize, layer, positive):
        parametrize.register_parametrization(layer, "weight", positive)
        layer.weight = torch.full((2, 2), 5.0)
        assert [5] * 4 == flat(layer.weight)

    def test_assigning_without_inverse(self, torch, parametrize, layer, double):
        parametrize.register_parametrization(layer, "weight", double)
        with pytest.raises(RuntimeError, match="does not implement right_inverse"):
            layer.weight = torch.ones(2, 2)

    def test_several(self, parametrize, layer, positive, double):
        parametrize.register_parametrization(layer, "weight", positive)
        parametrize.register_parametrization(layer, "weight", double)
        assert [2, 4, 6, 8] == flat(layer.weight)
        assert len(layer.parametrizations.weight) == 2

    def test_prints(self, parametrize, layer, double):
        parametrize.register_parametrization(layer, "weight", double)
        assert repr(layer) == (
            "ParametrizedLinear(\n  in_features=2, out_features=2, bias=True\n"
            "  (parametrizations): ModuleDict(\n    (weight): ParametrizationList(\n"
            "      (0): Double()\n    )\n  )\n)")
        assert parametrize.type_before_parametrizations(layer).__name__ == "Linear"

    def test_buffers(self, torch, parametrize, double):
        norm = torch.nn.BatchNorm1d(2)
        parametrize.register_parametrization(norm, "running_var", double)
        assert norm.running_var.tolist() == [2, 2]

    def test_refuses(self, torch, parametrize, layer, double):
        class Narrow(torch.nn.Module):
            def forward(self, x):
                return x[0]

        with pytest.raises(ValueError, match="does not have a parameter"):
            parametrize.register_parametrization(layer, "nothing", double)
        with pytest.raises(ValueError, match="shape"):
            parametrize.register_parametrization(layer, "weight", Narrow())
        parametrize.register_parametrization(layer, "bias", double)
        with pytest.raises(ValueError, match="shape"):
            parametrize.register_parametrization(layer, "bias", Narrow())

    def test_cached(self, parametrize, layer, double):
        parametrize.register_parametrization(layer, "weight", double)
        assert layer.weight is not layer.weight
        with parametrize.cached():
            assert layer.weight is layer.weight

    def test_copy_but_no_pickle(self, parametrize, layer, double):
        parametrize.register_parametrization(layer, "weight", double)
        assert copy.deepcopy(layer).weight.tolist() == layer.weight.tolist()
        with pytest.raises(RuntimeError, match="state_dict"):
            pickle.dumps(layer)


class TestRemove:
    @pytest.mark.parametrize("leave, values", [(True, [2, 4, 6, 8]), (False, [1, 2, 3, 4])])
    def test_value(self, torch, parametrize, layer, double, leave, values):
        parametrize.register_parametrization(layer, "weight", double)
        assert parametrize.is_parametrized(layer) and parametrize.is_parametrized(layer, "weight")
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=leave)
        assert type(layer) is torch.nn.Linear and values == flat(layer.weight)
        assert isinstance(layer.weight, torch.nn.Parameter)
        assert not parametrize.is_parametrized(layer)

    def test_refuses(self, torch, parametrize, layer):
        with pytest.raises(ValueError, match="does not have a parametrization"):
            parametrize.remove_parametrizations(layer, "weight")
        torch.nn.utils.parametrizations.weight_norm(layer)
        with pytest.raises(ValueError, match="sequence of tensors"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


class TestWeightNorm:
    def test_splits(self, torch, parametrize, layer):
        before = layer.weight.flatten().tolist()
        torch.nn.utils.parametrizations.weight_norm(layer)
        assert before == flat(layer.weight)
        assert layer.parametrizations.weight.original0.shape == (2, 1)
        assert layer.parametrizations.weight.original1.shape == (2, 2)
        parametrize.remove_parametrizations(layer, "weight")
        assert before == flat(layer.weight)



class TestSpectralNorm:
    def test_parametrization(self, torch):
        torch.manual_seed(0)
        layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(5, 4))
        for _ in range(30):
            weight = layer.weight
        assert (weight @ weight.T).trace().item() >= 0.99
        original = layer.parametrizations.weight.original
        ratio = original / weight
        assert ratio.max().item() == pytest.approx(ratio.min().item(), rel=1e-3)
        v = torch.ones(5)
        for _ in range(100):
            v = weight.detach().T @ (weight.detach() @ v)
            v = v / v.norm()
        assert (weight @ v).norm().item() == pytest.approx(1, rel=1e-3)

    @pytest.mark.parametrize("make, rows", [
        (lambda nn: nn.Linear(5, 4), 4), (lambda nn: nn.ConvTranspose2d(3, 2, 2), 2)])
    def test_hook(self, torch, make, rows):
        torch.manual_seed(0)
        layer = torch.nn.utils.spectral_norm(make(torch.nn))
        assert layer.weight_u.shape == (rows,)
        assert sorted(layer.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
        x = torch.ones(1, 5) if rows == 4 else torch.ones(1, 3, 2, 2)
        for _ in range(30):
            layer(x)
        matrix = layer.weight.detach()
        matrix = (matrix if rows == 4 else matrix.transpose(0, 1)).flatten(1)
        v = torch.ones(matrix.shape[1])
        for _ in range(100):
            v = matrix.T @ (matrix @ v)
            v = v / v.norm()
        assert (matrix @ v).norm().item() == pytest.approx(1, rel=1e-3)
        layer(x).sum().backward()
        assert layer.weight_orig.grad is not None
        layer.eval()
        expected = layer(x).flatten().tolist()
        torch.nn.utils.remove_spectral_norm(layer)
        assert sorted(dict(layer.named_parameters())) == ["bias", "weight"]
        assert expected == flat(layer(x))

    def test_refuses(self, torch):
        layer = torch.nn.utils.spectral_norm(torch.nn.Linear(2, 2))
        with pytest.raises(RuntimeError, match="two spectral_norm hooks"):
            torch.nn.utils.spectral_norm(layer)
        with pytest.raises(ValueError, match="not found"):
            torch.nn.utils.remove_spectral_norm(torch.nn.Linear(1, 1))
        with pytest.raises(ValueError, match="positive"):
            torch.nn.utils.spectral_norm(torch.nn.Linear(1, 1), n_power_iterations=0)
        with pytest.raises(IndexError):
            torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(1, 1), dim=2)
