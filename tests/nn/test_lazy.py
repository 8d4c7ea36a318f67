"""Layers that learn their input size from the first input."""

import copy
import pickle

import pytest

CASES = [
    ("LazyLinear(4)", (2, 3), "Linear(in_features=3, out_features=4, bias=True)"),
    ("LazyLinear(4, bias=False)", (3,), "Linear(in_features=3, out_features=4, bias=False)"),
    ("LazyConv1d(4, 2)", (1, 3, 5), "Conv1d(3, 4, kernel_size=(2,), stride=(1,))"),
    ("LazyConv2d(4, 2, groups=2)", (2, 5, 5),
     "Conv2d(2, 4, kernel_size=(2, 2), stride=(1, 1), groups=2)"),
    ("LazyConv3d(4, 2, bias=False)", (1, 3, 4, 4, 4),
     "Conv3d(3, 4, kernel_size=(2, 2, 2), stride=(1, 1, 1), bias=False)"),
    ("LazyConvTranspose1d(4, 2)", (1, 3, 5),
     "ConvTranspose1d(3, 4, kernel_size=(2,), stride=(1,))"),
    ("LazyConvTranspose2d(4, 2)", (1, 3, 5, 5),
     "ConvTranspose2d(3, 4, kernel_size=(2, 2), stride=(1, 1))"),
    ("LazyConvTranspose3d(4, 2)", (1, 3, 4, 4, 4),
     "ConvTranspose3d(3, 4, kernel_size=(2, 2, 2), stride=(1, 1, 1))"),
    ("LazyBatchNorm1d()", (2, 3), None),
    ("LazyBatchNorm2d(affine=False)", (2, 3, 4, 4), None),
    ("LazyBatchNorm3d(track_running_stats=False)", (2, 3, 2, 2, 2), None),
    ("LazyInstanceNorm1d()", (2, 3, 4), None),
    ("LazyInstanceNorm2d(bias=False)", (2, 3, 4, 4), None),
    ("LazyInstanceNorm3d()", (2, 3, 2, 2, 2), None),
]


def build(torch, code):
    return eval(f"nn.{code}", {"nn": torch.nn})


@pytest.mark.parametrize("code, shape, becomes", CASES, ids=[case[0] for case in CASES])
def test_becomes_the_ordinary_layer(torch, code, shape, becomes):
    layer = build(torch, code)
    parameters = list(layer.parameters())
    keys = list(layer.state_dict())
    output = layer(torch.randn(shape))
    assert type(layer).__name__ == code.split("(")[0].removeprefix("Lazy")
    if becomes:
        assert repr(layer) == becomes
    assert [id(one) for one in layer.parameters()] == [id(one) for one in parameters]
    assert list(layer.state_dict()) == keys and not layer._forward_pre_hooks
    assert all(type(one) is torch.nn.Parameter for one in parameters)
    if parameters:
        output.sum().backward()
        assert all(one.grad.shape == one.shape for one in parameters)
    assert layer(torch.randn(shape)).shape == output.shape


class TestBefore:
    def test_prints(self, torch):
        layer = build(torch, "LazyLinear(4)")
        assert repr(layer) == "LazyLinear(in_features=0, out_features=4, bias=True)"
        assert repr(layer.weight) == "<UninitializedParameter>"

    def test_refuses_use(self, torch):
        layer = build(torch, "LazyLinear(4)")
        with pytest.raises(RuntimeError, match="uninitialized"):
            layer.weight.shape  # noqa: B018
        with pytest.raises(ValueError, match="uninitialized"):
            layer.weight + 1
        with pytest.raises(ValueError, match="uninitialized"):
            torch.nn.init.ones_(layer.weight)

    def test_copies_and_converts(self, torch):
        layer = build(torch, "LazyLinear(4)").double()
        twin = copy.deepcopy(layer)
        twin(torch.ones(2, 3, dtype=torch.float64))
        assert twin.weight.dtype == torch.float64
        assert type(layer).__name__ == "LazyLinear"

    def test_converts_buffers(self, torch):
        layer = build(torch, "LazyBatchNorm1d()").double()
        layer(torch.ones(2, 3, dtype=torch.float64))
        assert layer.running_mean.dtype == torch.float64

    def test_pickles(self, torch):
        layer = pickle.loads(pickle.dumps(build(torch, "LazyLinear(4)")))
        assert layer(torch.ones(2, 3)).shape == (2, 4)

    def test_an_optimizer_may_be_made(self, torch):
        layer = build(torch, "LazyLinear(1)")
        optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
        layer(torch.ones(1, 2)).sum().backward()
        before = layer.bias.item()
        optimizer.step()
        assert layer.bias.item() == pytest.approx(before - 1)

    def test_wrong_input(self, torch):
        with pytest.raises(RuntimeError, match="Expected 3D .unbatched. or 4D"):
            build(torch, "LazyConv2d(4, 2)")(torch.ones(1, 1))


class TestLoading:
    def test_takes_shapes_from_the_state(self, torch):
        source = torch.nn.Linear(3, 4)
        layer = build(torch, "LazyLinear(4)")
        layer.load_state_dict(source.state_dict())
        x = torch.randn(2, 3)
        assert layer(x).tolist() == source(x).tolist()
        assert type(layer) is torch.nn.Linear

    def test_norm(self, torch):
        source = torch.nn.BatchNorm1d(3)
        source(torch.randn(5, 3))
        layer = build(torch, "LazyBatchNorm1d()")
        layer.load_state_dict(source.state_dict())
        x = torch.randn(5, 3)
        assert layer.eval()(x).tolist() == source.eval()(x).tolist()

    def test_a_state_without_values(self, torch):
        state = build(torch, "LazyLinear(4)").state_dict()
        build(torch, "LazyLinear(4)").load_state_dict(state)
        with pytest.raises(RuntimeError):
            torch.nn.Linear(3, 4).load_state_dict(state)
