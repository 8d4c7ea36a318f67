"""`nn.utils`: clipping, vectors of parameters, padded sequences, weight normalisation."""

import math

import pytest


@pytest.fixture
def utils(torch):
    return torch.nn.utils


@pytest.fixture
def parameters(torch):
    """Two parameters with gradients of norm 3 and 4, one without."""
    made = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 2), (1,), (3,))]
    made[0].grad = torch.tensor([[1.0, -2.0], [2.0, 0.0]])
    made[1].grad = torch.tensor([-4.0])
    return made


class TestClipping:
    @pytest.mark.parametrize("kind, norm", [(2, 5), (1, 9), (math.inf, 4), ("inf", 4)])
    def test_norm(self, utils, parameters, kind, norm):
        assert utils.clip_grad_norm_(parameters, 100, kind).item() == pytest.approx(norm)
        assert parameters[1].grad.item() == -4
        gradients = [one.grad for one in parameters[:2]]
        assert utils.get_total_norm(gradients, float(kind)).item() == pytest.approx(norm)

    def test_scales_in_place(self, utils, parameters):
        gradient = parameters[1].grad
        assert utils.clip_grad_norm_(iter(parameters), 1.0).item() == pytest.approx(5)
        assert gradient is parameters[1].grad
        assert gradient.item() == pytest.approx(-0.8, rel=1e-5)
        assert utils.get_total_norm([p.grad for p in parameters[:2]]).item() == pytest.approx(
            1, rel=1e-4)

    def test_one_tensor(self, utils, parameters):
        assert utils.clip_grad_norm_(parameters[1], 2.0).item() == 4
        assert parameters[1].grad.item() == pytest.approx(-2, rel=1e-5)

    def test_nothing_to_clip(self, torch, utils):
        assert utils.clip_grad_norm_([torch.nn.Parameter(torch.ones(1))], 1.0).item() == 0
        with pytest.warns(UserWarning, match="empty generator"):
            utils.clip_grad_norm_((one for one in []), 1.0)

    def test_not_finite(self, torch, utils, parameters):
        parameters[0].grad[0, 0] = math.nan
        with pytest.raises(RuntimeError, match="non-finite"):
            utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
        assert math.isnan(utils.clip_grad_norm_(parameters, 1.0).item())

    def test_given_norm(self, torch, utils, parameters):
        utils.clip_grads_with_norm_(parameters, 1.0, torch.tensor(2.0))
        assert parameters[1].grad.item() == pytest.approx(-2, rel=1e-5)

    def test_value(self, utils, parameters):
        utils.clip_grad_value_(parameters, 1.5)
        assert parameters[0].grad.tolist() == [[1, -1.5], [1.5, 0]]
        assert parameters[1].grad.tolist() == [-1.5]


class TestVectors:
    def test_there_and_back(self, torch, utils):
        net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
        vector = utils.parameters_to_vector(net.parameters())
        assert vector.shape == (13,) and vector.requires_grad
        weight = net[0].weight
        utils.vector_to_parameters(torch.arange(13.0), net.parameters())
        assert net[0].weight is weight and weight.tolist() == [[0, 1], [2, 3], [4, 5]]
        assert all(one.is_leaf and one.requires_grad for one in net.parameters())
        assert net[1].bias.tolist() == [12]
        with pytest.raises(TypeError):
            utils.vector_to_parameters([1.0], net.parameters())


class TestSequences:
    @pytest.fixture
    def rows(self, torch):
        return [torch.ones(length, 2) * length for length in (3, 1, 2)]

    def test_pads(self, utils, rows):
        padded = utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        assert padded.shape == (3, 3, 2)
        assert padded[:, :, 0].tolist() == [[3, 3, 3], [1, -1, -1], [2, 2, -1]]
        assert utils.rnn.pad_sequence(rows)[:, 1, 1].tolist() == [1, 0, 0]
        left = utils.rnn.pad_sequence(rows, True, padding_side="left")
        assert left[1, :, 0].tolist() == [0, 0, 1]

    @pytest.mark.parametrize("batch_first", [True, False])
    def test_and_back(self, torch, utils, rows, batch_first):
        padded = utils.rnn.pad_sequence(rows, batch_first)
        back = utils.rnn.unpad_sequence(padded, torch.tensor([3, 1, 2]), batch_first)
        assert [one.tolist() for one in back] == [one.tolist() for one in rows]

    def test_gradient(self, torch, utils):
        rows = [torch.ones(2, requires_grad=True), torch.ones(3)]
        (utils.rnn.pad_sequence(rows) * 2).sum().backward()
        assert rows[0].grad.tolist() == [2, 2]

    def test_refusals(self, utils):
        with pytest.raises(RuntimeError):
            utils.rnn.pad_sequence(3)
        with pytest.raises(RuntimeError):
            utils.rnn.pad_sequence([])


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
class TestWeightNorm:
    @pytest.mark.parametrize("dim", [0, 1, None])
    def test_splits_and_joins(self, torch, utils, dim):
        layer = torch.nn.Linear(3, 2)
        before = layer.weight.detach().clone()
        utils.weight_norm(layer, dim=dim)
        assert sorted(dict(layer.named_parameters())) == ["bias", "weight_g", "weight_v"]
        assert (layer.weight - before).abs().max().item() < 1e-6
        layer(torch.ones(1, 3)).sum().backward()
        assert layer.weight_g.grad is not None and layer.weight_v.grad is not None
        with torch.no_grad():
            layer.weight_g.mul_(2)
        x = torch.eye(3)
        assert (layer(x) - layer.bias - 2 * before.T).abs().max().item() < 1e-5
        utils.remove_weight_norm(layer)
        assert (layer.weight - 2 * before).abs().max().item() < 1e-5
        assert sorted(dict(layer.named_parameters())) == ["bias", "weight"]

    def test_refusals(self, torch, utils):
        layer = utils.weight_norm(torch.nn.Linear(3, 2))
        with pytest.raises(RuntimeError, match="two weight_norm hooks"):
            utils.weight_norm(layer)
        with pytest.raises(ValueError, match="not found"):
            utils.remove_weight_norm(torch.nn.Linear(1, 1))
