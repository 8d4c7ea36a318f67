"""Saving and loading the state of a module."""

from collections import OrderedDict

import pytest


@pytest.fixture
def nn(torch):
    return torch.nn


@pytest.fixture
def net(nn):
    return nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), norm=nn.BatchNorm1d(3)))


KEYS = ["fc.weight", "fc.bias", "norm.weight", "norm.bias", "norm.running_mean",
        "norm.running_var", "norm.num_batches_tracked"]


class TestSaving:
    def test_names_in_order(self, net):
        state = net.state_dict()
        assert isinstance(state, OrderedDict) and list(state) == KEYS

    def test_shares_memory_but_no_gradient(self, torch, net):
        state = net.state_dict()
        assert not state["fc.weight"].requires_grad
        assert type(state["fc.weight"]) is torch.Tensor
        with torch.no_grad():
            net.fc.weight.fill_(5)
        assert state["fc.weight"].tolist() == [[5, 5]] * 3

    def test_keep_vars(self, net):
        assert net.state_dict(keep_vars=True)["fc.weight"] is net.fc.weight

    def test_prefix_and_destination(self, net):
        mine = {}
        assert net.state_dict(destination=mine, prefix="model.") is mine
        assert list(mine) == ["model." + key for key in KEYS]

    def test_by_position(self, net):
        mine = {}
        with pytest.warns(FutureWarning):
            assert net.state_dict(mine, "model.", True) is mine
        assert mine["model.fc.weight"] is net.fc.weight

    def test_shared_parameter_is_saved_twice(self, net):
        net.again = net.fc
        assert list(net.state_dict())[-2:] == ["again.weight", "again.bias"]


class TestLoading:
    def test_copies_into_the_same_parameters(self, torch, nn, net):
        weight = net.fc.weight
        other = nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), norm=nn.BatchNorm1d(3)))
        keys = net.load_state_dict(other.state_dict())
        assert keys.missing_keys == [] and keys.unexpected_keys == []
        assert repr(keys) == "<All keys matched successfully>"
        assert net.fc.weight is weight and weight.requires_grad
        assert weight.tolist() == other.fc.weight.tolist()
        with torch.no_grad():
            other.fc.weight.zero_()
        assert weight.abs().sum().item() > 0

    def test_loading_converts_the_element_type(self, torch, net):
        net.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
        assert net.fc.weight.dtype == torch.float32

    def test_assign_takes_the_tensors(self, torch, net):
        state = {k: v.double() for k, v in net.state_dict().items()}
        net.fc.bias.requires_grad_(False)
        net.load_state_dict(state, assign=True)
        assert net.fc.weight.dtype == torch.float64
        assert isinstance(net.fc.weight, torch.nn.Parameter)
        assert net.fc.weight.requires_grad and not net.fc.bias.requires_grad

    def test_all_problems_at_once(self, torch, net):
        state = net.state_dict()
        state["fc.weights"] = state.pop("fc.weight")
        state["fc.bias"] = torch.zeros(7)
        del state["norm.running_var"]
        with pytest.raises(RuntimeError) as caught:
            net.load_state_dict(state)
        text = str(caught.value)
        assert "Error(s) in loading state_dict for Sequential" in text
        assert 'Missing key(s) in state_dict: "fc.weight", "norm.running_var".' in text
        assert 'Unexpected key(s) in state_dict: "fc.weights".' in text
        assert ("size mismatch for fc.bias: copying a param with shape torch.Size([7]) from "
                "checkpoint, the shape in current model is torch.Size([3]).") in text

    def test_not_strict(self, torch, net):
        state = net.state_dict()
        state["fc.weights"] = state.pop("fc.weight")
        keys = net.load_state_dict(state, strict=False)
        assert keys.missing_keys == ["fc.weight"]
        assert keys.unexpected_keys == ["fc.weights"]
        assert repr(keys) == ("_IncompatibleKeys(missing_keys=['fc.weight'], "
                              "unexpected_keys=['fc.weights'])")
        state["fc.bias"] = torch.zeros(7)
        with pytest.raises(RuntimeError, match="size mismatch for fc.bias"):
            net.load_state_dict(state, strict=False)

    def test_a_part_that_does_not_exist(self, torch, net):
        state = {**net.state_dict(), "other.layer.weight": torch.zeros(1)}
        with pytest.raises(RuntimeError, match='Unexpected key.*"other.layer.weight"'):
            net.load_state_dict(state)

    def test_wrong_kinds(self, net):
        with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
            net.load_state_dict([1])
        with pytest.raises(RuntimeError, match="expected torch.Tensor or Tensor-like"):
            net.load_state_dict({**net.state_dict(), "fc.bias": 3})

    def test_one_element_for_a_scalar(self, torch, nn):
        module = nn.Module()
        module.register_buffer("scalar", torch.tensor(1.0))
        module.load_state_dict({"scalar": torch.tensor([3.0])})
        assert module.scalar.item() == 3

    def test_old_files_without_the_number_of_batches(self, net):
        state = OrderedDict(net.state_dict())
        del state["norm.num_batches_tracked"]
        net.load_state_dict(state)

    def test_extra_state(self, nn):
        class Counter(nn.Module):
            def __init__(self):
                super().__init__()
                self.count = 0

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

        counter = Counter()
        counter.count = 7
        net = nn.Sequential(counter)
        assert list(net.state_dict()) == ["0._extra_state"]
        other = nn.Sequential(Counter())
        other.load_state_dict(net.state_dict())
        assert other[0].count == 7
        with pytest.raises(RuntimeError, match='Missing key.*"0._extra_state"'):
            other.load_state_dict({})
        with pytest.raises(RuntimeError, match='Unexpected key.*"0._extra_state"'):
            nn.Sequential(nn.ReLU()).load_state_dict(net.state_dict())


class TestHooks:
    def test_around_saving(self, net):
        calls = []
        net.register_state_dict_pre_hook(lambda m, prefix, keep: calls.append((prefix, keep)))
        handle = net.fc.register_state_dict_post_hook(
            lambda m, state, prefix, metadata: state.pop(prefix + "bias"))
        with pytest.raises(RuntimeError, match="must return None"):
            net.state_dict()
        handle.remove()

        def drop(module, state, prefix, metadata):
            del state[prefix + "bias"]

        net.fc.register_state_dict_post_hook(drop)
        assert "fc.bias" not in net.state_dict()
        assert calls == [("", False)] * 2

    def test_around_loading(self, net):
        def rename(module, state, prefix, metadata, strict, missing, unexpected, problems):
            state[prefix + "weight"] = state.pop(prefix + "old")

        seen = []
        net.fc.register_load_state_dict_pre_hook(rename)
        net.register_load_state_dict_post_hook(lambda m, keys: seen.append(keys))
        state = net.state_dict()
        state["fc.old"] = state.pop("fc.weight")
        net.load_state_dict(state)
        assert len(seen) == 1 and seen[0].missing_keys == []

    def test_post_hook_may_forgive(self, net):
        net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
        state = net.state_dict()
        del state["fc.bias"]
        net.load_state_dict(state)


def test_close_names_are_offered():
    lampion = pytest.importorskip("lampion")
    layer = lampion.nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match='"weights": did you mean "weight"'):
        layer.load_state_dict({"weights": layer.weight, "bias": layer.bias})
