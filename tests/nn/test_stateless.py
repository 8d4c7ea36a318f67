"""Calling a module with other tensors in the place of its own."""

import pytest


@pytest.fixture
def call(torch):
    if torch.__name__ == "torch":
        return torch.func.functional_call
    return torch.nn.utils.stateless.functional_call


@pytest.fixture
def net(torch):
    return torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))


def test_uses_the_given_tensors(torch, call):
    layer = torch.nn.Linear(2, 1)
    own = layer.weight
    weight = torch.tensor([[1.0, 2.0]], requires_grad=True)
    tensors = {"weight": weight, "bias": torch.zeros(1)}
    call(layer, tensors, torch.tensor([[3.0, 4.0]])).sum().backward()
    assert weight.grad.tolist() == [[3, 4]] and own.grad is None
    assert layer.weight is own


def test_nested_names_and_several_dictionaries(torch, call, net):
    parts = ({"0.weight": torch.ones(1, 2)}, {"1.running_mean": torch.full((1,), 5.0)})
    with torch.no_grad():
        net[0].bias.zero_()
    output = call(net.eval(), parts, (torch.ones(1, 2),))
    assert output.item() == pytest.approx(-3, rel=1e-4)
    assert net[1].running_mean.item() == 0


def test_keyword_arguments(torch, call):
    class Scale(torch.nn.Module):
        def forward(self, x, factor):
            return x * factor

    assert call(Scale(), {}, kwargs={"x": torch.ones(1), "factor": 3}).item() == 3


def test_restores_after_an_error(torch, call, net):
    own = net[0].weight
    with pytest.raises(RuntimeError):
        call(net, {"0.weight": torch.ones(1, 7)}, torch.ones(1, 2))
    assert net[0].weight is own


def test_tied_weights(torch, call):
    net = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False))
    net.append(net[0])
    new = {"0.weight": torch.tensor([[3.0]])}
    assert call(net, new, torch.ones(1, 1)).item() == 9
    own = net[0].weight.item()
    assert call(net, new, torch.ones(1, 1), tie_weights=False).item() == pytest.approx(9)
    with pytest.raises(ValueError, match="tied"):
        call(net, {**new, "1.weight": torch.tensor([[2.0]])}, torch.ones(1, 1))
    assert net[0].weight.item() == own


def test_refusals(torch, call, net):
    with pytest.raises(RuntimeError, match="(?i)unexpected"):
        call(net, {"0.weights": torch.ones(1, 2)}, torch.ones(2, 2), strict=True)
    assert call(net, {"0.weights": torch.ones(1, 2)}, torch.ones(2, 2)).shape == (2, 1)
    with pytest.raises(ValueError, match="multiple dictionaries"):
        call(net, ({"0.bias": torch.ones(1)}, {"0.bias": torch.ones(1)}), torch.ones(2, 2))


def test_data_parallel_calls_the_module(torch, net):
    parallel = torch.nn.DataParallel(net)
    assert list(parallel.state_dict())[0] == "module.0.weight"
    assert parallel.module is net
    assert parallel(torch.ones(3, 2)).shape == (3, 1)
