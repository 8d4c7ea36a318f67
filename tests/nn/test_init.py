"""First values: bounds, moments, structure, and repeatability."""

import math

import pytest


@pytest.fixture
def init(torch):
    return torch.nn.init


@pytest.fixture(autouse=True)
def seed(torch):
    torch.manual_seed(0)


class TestConstants:
    def test_fills_in_place_and_returns_the_tensor(self, torch, init):
        tensor = torch.nn.Parameter(torch.zeros(2, 2))
        for fill, value in [
            (lambda t: init.constant_(t, 0.3), 0.3), (init.ones_, 1), (init.zeros_, 0),
        ]:
            assert fill(tensor) is tensor
            assert tensor.flatten().tolist() == pytest.approx([value] * 4)
        assert tensor.requires_grad and tensor.is_leaf

    def test_eye(self, torch, init):
        assert init.eye_(torch.ones(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
        with pytest.raises(ValueError):
            init.eye_(torch.ones(2))

    @pytest.mark.parametrize("shape", [(4, 2, 3), (4, 2, 3, 4), (4, 2, 3, 3, 2)])
    def test_dirac(self, torch, init, shape):
        weight = init.dirac_(torch.ones(shape), groups=2)
        middle = tuple(n // 2 for n in shape[2:])
        assert weight.sum().item() == 4
        for channel in range(4):
            assert weight[(channel, channel % 2, *middle)].item() == 1

    def test_dirac_hands_its_input_on(self, torch, init):
        layer = torch.nn.Conv1d(3, 3, 3, padding=1, bias=False)
        init.dirac_(layer.weight)
        x = torch.randn(1, 3, 5)
        assert layer(x).tolist() == x.tolist()

    def test_dirac_refuses(self, torch, init):
        with pytest.raises(ValueError):
            init.dirac_(torch.ones(2, 2))
        with pytest.raises(ValueError):
            init.dirac_(torch.ones(3, 2, 1), groups=2)


class TestRandom:
    def test_uniform(self, torch, init):
        values = init.uniform_(torch.zeros(5000), -1, 3)
        assert -1 <= values.min().item() < -0.98 and 2.98 < values.max().item() <= 3
        assert values.mean().item() == pytest.approx(1, abs=0.1)

    def test_normal(self, torch, init):
        values = init.normal_(torch.zeros(5000), 2, 0.5)
        assert values.mean().item() == pytest.approx(2, abs=0.05)
        assert values.std().item() == pytest.approx(0.5, abs=0.03)

    @pytest.mark.parametrize("mean, std, a, b", [(0, 1, -2, 2), (0, 1, 1, 1.5), (1, 0.02, 0, 2)])
    def test_truncated_normal(self, torch, init, mean, std, a, b):
        values = init.trunc_normal_(torch.zeros(4000), mean, std, a, b)
        assert a <= values.min().item() and values.max().item() <= b
        z = [(x - mean) / std for x in (a, b)]
        density = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in z]
        share = (math.erf(z[1] / math.sqrt(2)) - math.erf(z[0] / math.sqrt(2))) / 2
        expected = mean + std * (density[0] - density[1]) / share
        assert values.mean().item() == pytest.approx(expected, abs=4 * std / math.sqrt(4000))

    def test_truncated_normal_far_out_warns(self, torch, init):
        with pytest.warns(UserWarning, match="more than 2 std"):
            init.trunc_normal_(torch.zeros(10), 0, 1, 3, 4)

    @pytest.mark.parametrize("shape, fan_in, fan_out", [
        ((30, 50), 50, 30), ((20, 10, 3), 30, 60), ((10, 4, 3, 3), 36, 90),
    ])
    def test_scales(self, torch, init, shape, fan_in, fan_out):
        def std(fill, *args, **kwargs):
            return fill(torch.zeros(shape), *args, **kwargs).std().item()

        xavier = math.sqrt(2 / (fan_in + fan_out))
        assert std(init.xavier_uniform_) == pytest.approx(xavier, rel=0.15)
        assert std(init.xavier_normal_, 2.0) == pytest.approx(2 * xavier, rel=0.15)
        he = math.sqrt(2 / fan_in)
        assert std(init.kaiming_uniform_) == pytest.approx(he, rel=0.15)
        assert std(init.kaiming_normal_, mode="fan_out", nonlinearity="relu") == pytest.approx(
            math.sqrt(2 / fan_out), rel=0.15)
        slope = std(init.kaiming_normal_, a=1.0)
        assert slope == pytest.approx(he / math.sqrt(2), rel=0.15)

    def test_bound_of_uniform(self, torch, init):
        values = init.kaiming_uniform_(torch.zeros(100, 25), a=math.sqrt(5))
        assert 0.19 < values.abs().max().item() <= 0.2

    def test_refusals(self, torch, init):
        with pytest.raises(ValueError, match="fewer than 2"):
            init.xavier_uniform_(torch.zeros(3))
        with pytest.raises(ValueError, match="Mode"):
            init.kaiming_normal_(torch.zeros(3, 3), mode="fan")
        with pytest.raises(ValueError, match="Unsupported nonlinearity"):
            init.kaiming_normal_(torch.zeros(3, 3), nonlinearity="sine")
        with pytest.warns(UserWarning, match="zero-element"):
            init.kaiming_uniform_(torch.zeros(0, 3))

    @pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 3, 2, 2)])
    def test_orthogonal(self, torch, init, shape):
        weight = init.orthogonal_(torch.zeros(shape), gain=2.0).reshape(shape[0], -1)
        product = weight @ weight.T if shape[0] <= weight.shape[1] else weight.T @ weight
        expected = 4 * torch.eye(len(product))
        assert (product - expected).abs().max().item() < 1e-4

    def test_sparse(self, torch, init):
        weight = init.sparse_(torch.zeros(10, 7), sparsity=0.25, std=2.0)
        assert (weight == 0).sum(0).tolist() == [3] * 7
        with pytest.raises(ValueError):
            init.sparse_(torch.zeros(3), 0.1)
        with pytest.raises(ValueError):
            init.orthogonal_(torch.zeros(3))

    @pytest.mark.parametrize("name, arguments", [
        ("uniform_", ()), ("normal_", ()), ("trunc_normal_", ()), ("xavier_uniform_", ()),
        ("xavier_normal_", ()), ("kaiming_uniform_", ()), ("kaiming_normal_", ()),
        ("orthogonal_", ()), ("sparse_", (0.1,)),
    ])
    def test_generator(self, torch, init, name, arguments):
        if name == "sparse_" and torch.__name__ == "torch":
            pytest.skip("PyTorch places the zeros with the global generator")
        fill = getattr(init, name)
        results = []
        for seed in (7, 7, 8):
            generator = torch.Generator().manual_seed(seed)
            results.append(fill(torch.zeros(4, 5), *arguments, generator=generator).tolist())
        assert results[0] == results[1] != results[2]

    def test_the_global_seed(self, torch):
        weights = []
        for _ in range(2):
            torch.manual_seed(3)
            weights.append(torch.nn.Linear(4, 4).weight.tolist())
        assert weights[0] == weights[1]


@pytest.mark.parametrize("name, gain", [
    ("linear", 1), ("conv2d", 1), ("conv_transpose3d", 1), ("sigmoid", 1), ("tanh", 5 / 3),
    ("relu", math.sqrt(2)), ("leaky_relu", math.sqrt(2 / 1.0001)), ("selu", 0.75),
])
def test_gains(init, name, gain):
    assert init.calculate_gain(name) == pytest.approx(gain)


def test_gain_of_a_slope(init):
    assert init.calculate_gain("leaky_relu", 1) == 1
    for wrong in ("steep", True):
        with pytest.raises(ValueError, match="not a valid number"):
            init.calculate_gain("leaky_relu", wrong)


def test_old_names_warn(torch, init):
    with pytest.warns(FutureWarning, match="nn.init.constant_"):
        assert init.constant(torch.zeros(1), 2.0).item() == 2


@pytest.mark.parametrize("layer, shape, bound", [
    ("Linear(16, 300)", (300, 16), 0.25), ("Conv2d(4, 50, 2)", (50, 4, 2, 2), 0.25),
    ("Bilinear(16, 4, 9)", (9, 16, 4), 0.25),
])
def test_first_values_of_layers(torch, layer, shape, bound):
    built = eval(f"nn.{layer}", {"nn": torch.nn})
    assert built.weight.shape == shape
    for tensor in (built.weight, built.bias):
        assert tensor.abs().max().item() <= bound
    assert built.weight.abs().max().item() > 0.9 * bound
