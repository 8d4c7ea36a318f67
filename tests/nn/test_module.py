"""What a module is: its parts, its names, its modes, and what it refuses."""

import copy
import pickle

import pytest


@pytest.fixture
def nn(torch):
    return torch.nn


@pytest.fixture
def net(nn):
    """Two layers, one of them used twice, with a buffer."""
    inner = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    outer = nn.Module()
    outer.first = inner
    outer.act = nn.ReLU()
    outer.again = inner[0]
    outer.scale = nn.Parameter(outer.first[0].weight.detach().clone())
    outer.none = None
    return outer


def names(pairs):
    return [name for name, _ in pairs]


class TestParts:
    def test_assigning_registers(self, torch, nn):
        module = nn.Module()
        module.weight = nn.Parameter(torch.ones(2))
        module.child = nn.Linear(1, 1)
        module.plain = torch.ones(2)
        module.register_buffer("kept", torch.zeros(1))
        assert list(module._parameters) == ["weight"]
        assert list(module._modules) == ["child"]
        assert list(module._buffers) == ["kept"]
        assert "plain" in module.__dict__ and "weight" not in module.__dict__
        assert module.weight is module._parameters["weight"]

    def test_a_name_moves_between_kinds(self, torch, nn):
        module = nn.Module()
        module.x = torch.ones(1)
        module.x = nn.Parameter(torch.ones(1))
        assert "x" not in module.__dict__ and "x" in module._parameters
        del module.x
        module.x = nn.ReLU()
        assert list(module._modules) == ["x"]
        module.x = nn.Parameter(torch.ones(1))
        assert not module._modules and list(module._parameters) == ["x"]

    def test_none_keeps_the_place(self, torch, nn):
        module = nn.Linear(2, 2)
        module.bias = None
        assert module._parameters["bias"] is None and module.bias is None
        assert names(module.named_parameters()) == ["weight"]
        module.bias = nn.Parameter(torch.ones(2))
        assert names(module.named_parameters()) == ["weight", "bias"]

    def test_a_tensor_assigned_to_a_buffer_stays_a_buffer(self, torch, nn):
        module = nn.Module()
        module.register_buffer("kept", torch.zeros(1), persistent=False)
        module.kept = torch.ones(2)
        assert "kept" in module._buffers and "kept" not in module.state_dict()
        module.kept = None
        assert module._buffers["kept"] is None

    def test_buffer_class(self, torch, nn):
        module = nn.Module()
        module.kept = nn.Buffer(torch.zeros(1))
        module.passing = nn.Buffer(torch.zeros(1), persistent=False)
        assert names(module.named_buffers()) == ["kept", "passing"]
        assert list(module.state_dict()) == ["kept"]

    def test_delete(self, net):
        del net.scale, net.act
        assert not hasattr(net, "scale") and not hasattr(net, "act")
        with pytest.raises(AttributeError):
            del net.nothing

    def test_missing_attribute_names_the_class(self, nn):
        with pytest.raises(AttributeError, match="'ReLU' object has no attribute 'weight'"):
            nn.ReLU().weight  # noqa: B018

    def test_dir_lists_the_parts(self, net):
        listed = dir(net)
        assert {"first", "scale", "forward", "training"} <= set(listed)
        assert "0" not in dir(net.first)


class TestRefusals:
    def test_before_init(self, torch, nn):
        class Broken(nn.Module):
            def __init__(self, part):
                self.part = part

        for part in (nn.Parameter(torch.ones(1)), nn.ReLU(), nn.Buffer(torch.ones(1))):
            with pytest.raises(AttributeError, match="before Module.__init__"):
                Broken(part)

    def test_wrong_kind(self, torch, nn):
        layer = nn.Linear(2, 2)
        with pytest.raises(TypeError, match="as parameter 'weight'"):
            layer.weight = torch.ones(2, 2)
        with pytest.raises(TypeError, match="as parameter 'weight'"):
            layer.weight = nn.ReLU()
        outer = nn.Sequential(layer)
        outer.act = nn.ReLU()
        with pytest.raises(TypeError, match="as child module 'act'"):
            outer.act = 3
        norm = nn.BatchNorm1d(2)
        with pytest.raises(TypeError, match="as buffer 'running_mean'"):
            norm.running_mean = 3

    def test_register_checks(self, torch, nn):
        module = nn.Linear(2, 2)
        with pytest.raises(TypeError, match="parameter name should be a string"):
            module.register_parameter(1, None)
        with pytest.raises(TypeError, match="buffer name should be a string"):
            module.register_buffer(1, None)
        for register in (module.register_parameter, module.register_buffer, module.add_module):
            with pytest.raises(KeyError, match="can.*t contain"):
                register("a.b", None)
            with pytest.raises(KeyError, match="can.*t be empty"):
                register("", None)
            with pytest.raises(KeyError, match="attribute 'forward' already exists"):
                register("forward", None)
        with pytest.raises(TypeError, match="torch.nn.Parameter or None required"):
            module.register_parameter("other", torch.ones(1))
        with pytest.raises(TypeError, match="Tensor or None required"):
            module.register_buffer("other", 3)
        with pytest.raises(TypeError, match="is not a Module subclass"):
            module.add_module("other", torch.ones(1))

    def test_a_result_is_no_parameter(self, torch, nn):
        module = nn.Module()
        result = nn.Parameter(torch.ones(1)) * 2
        with pytest.raises(TypeError):
            module.register_parameter("x", result)

    def test_arguments_of_init(self, nn):
        class Child(nn.Module):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)

        with pytest.raises(TypeError, match="takes 1 positional argument but 3 were given"):
            Child(1, 2)
        with pytest.raises(TypeError, match="unexpected keyword argument 'size'"):
            Child(size=1)

    def test_no_forward(self, nn):
        with pytest.raises(NotImplementedError, match='missing the required "forward"'):
            nn.Module()(1)

    def test_modes_are_boolean(self, nn):
        with pytest.raises(ValueError, match="boolean"):
            nn.ReLU().train("yes")


class TestWalking:
    def test_parameters_once_under_their_first_name(self, net):
        assert names(net.named_parameters()) == [
            "scale", "first.0.weight", "first.0.bias", "first.1.weight", "first.1.bias"]
        assert names(net.named_parameters(remove_duplicate=False))[-2:] == [
            "again.weight", "again.bias"]
        assert names(net.named_parameters(recurse=False)) == ["scale"]
        assert names(net.named_parameters(prefix="net"))[0] == "net.scale"
        assert len(list(net.parameters())) == 5

    def test_buffers(self, net):
        expected = ["first.1.running_mean", "first.1.running_var", "first.1.num_batches_tracked"]
        assert names(net.named_buffers()) == expected
        assert not list(net.buffers(recurse=False))

    def test_modules_once(self, net):
        assert names(net.named_modules()) == ["", "first", "first.0", "first.1", "act"]
        assert names(net.named_modules(remove_duplicate=False))[-1] == "again"
        assert names(net.named_modules(prefix="a")) == ["a", "a.first", "a.first.0", "a.first.1",
                                                        "a.act"]
        assert list(net.modules())[0] is net
        assert names(net.named_children()) == ["first", "act", "again"]
        net.twice = net.act
        assert names(net.named_children()) == ["first", "act", "again"]

    def test_lookup(self, net):
        assert net.get_submodule("") is net
        assert net.get_submodule("first.1") is net.first[1]
        assert net.get_parameter("first.0.bias") is net.first[0].bias
        assert net.get_buffer("first.1.running_mean") is net.first[1].running_mean

    def test_failed_lookup(self, net):
        for look, name, text in [
            (net.get_submodule, "first.7", "Sequential has no attribute `7`"),
            (net.get_submodule, "scale", "`scale` is not an nn.Module"),
            (net.get_parameter, "first.0.size", "Linear has no attribute `size`"),
            (net.get_parameter, "act", "`act` is not an nn.Parameter"),
            (net.get_buffer, "first.0.bias", "`bias` is not a buffer"),
        ]:
            with pytest.raises(AttributeError, match=text):
                look(name)

    def test_set_submodule(self, nn, net):
        net.set_submodule("first.0", nn.Identity())
        assert isinstance(net.first[0], nn.Identity)
        net.set_submodule("new", nn.Tanh())
        assert isinstance(net.new, nn.Tanh)
        with pytest.raises(AttributeError):
            net.set_submodule("newer", nn.Tanh(), strict=True)
        with pytest.raises(ValueError):
            net.set_submodule("", nn.Tanh())
        with pytest.raises(AttributeError):
            net.set_submodule("scale", nn.Tanh())


class TestAll:
    def test_modes(self, net):
        assert net.training
        assert net.eval() is net
        assert not any(module.training for module in net.modules())
        net.train()
        assert all(module.training for module in net.modules())

    def test_apply_goes_from_the_inside_out(self, net):
        seen = []
        assert net.apply(lambda module: seen.append(type(module).__name__)) is net
        assert seen == ["Linear", "BatchNorm1d", "Sequential", "ReLU", "Linear", "Module"]

    def test_requires_grad(self, net):
        assert net.requires_grad_(False) is net
        assert not any(one.requires_grad for one in net.parameters())

    def test_zero_grad(self, torch, nn):
        layer = nn.Linear(2, 1)
        layer(torch.ones(1, 2)).sum().backward()
        gradient = layer.weight.grad
        layer.zero_grad(set_to_none=False)
        assert layer.weight.grad is gradient and gradient.tolist() == [[0, 0]]
        layer.zero_grad()
        assert layer.weight.grad is None

    def test_element_types(self, torch, net):
        weight = net.first[0].weight
        (weight.sum() * 2).backward()
        assert net.double() is net
        assert net.first[0].weight is weight and weight.dtype == torch.float64
        assert weight.grad.dtype == torch.float64
        assert net.first[1].running_mean.dtype == torch.float64
        assert net.first[1].num_batches_tracked.dtype == torch.int64
        for change, expected in [
            (net.half, torch.float16), (net.bfloat16, torch.bfloat16), (net.float, torch.float32),
        ]:
            change()
            assert weight.dtype == expected and weight.requires_grad
        net.to(torch.float64)
        assert weight.dtype == torch.float64
        net.to("cpu", torch.float32)
        assert weight.dtype == torch.float32
        net.to(torch.ones(1, dtype=torch.float64))
        assert weight.dtype == torch.float64
        net.to(dtype=torch.float32)
        assert weight.dtype == torch.float32
        with pytest.raises(TypeError, match="only accepts floating point"):
            net.to(torch.int32)

    def test_conversion_keeps_values(self, torch, nn):
        layer = nn.Linear(2, 2)
        before = layer.weight.tolist()
        assert layer.double().weight.tolist() == before
        x = torch.ones(1, 2, dtype=torch.float64)
        layer(x).sum().backward()
        assert layer.weight.grad.dtype == torch.float64
        assert layer.cpu() is layer

    def test_type_changes_integers_too(self, torch, nn):
        norm = nn.BatchNorm1d(2).type(torch.float64)
        assert norm.num_batches_tracked.dtype == torch.float64


class TestCopies:
    def test_deepcopy(self, net):
        twin = copy.deepcopy(net)
        assert names(twin.named_parameters()) == names(net.named_parameters())
        for one, other in zip(net.parameters(), twin.parameters(), strict=True):
            assert one is not other and one.tolist() == other.tolist()
            assert type(other) is type(one) and other.requires_grad
        assert twin.again is twin.first[0]

    def test_deepcopy_is_independent(self, torch, nn):
        layer = nn.Linear(1, 1)
        twin = copy.deepcopy(layer)
        before = layer.weight.tolist()
        with torch.no_grad():
            twin.weight.add_(1)
        assert layer.weight.tolist() == before != twin.weight.tolist()

    def test_pickle(self, torch, net):
        net.scale.requires_grad_(False)
        twin = pickle.loads(pickle.dumps(net))
        assert isinstance(twin.scale, torch.nn.Parameter) and not twin.scale.requires_grad
        assert repr(twin) == repr(net)
        for one, other in zip(net.state_dict().values(), twin.state_dict().values(), strict=True):
            assert one.tolist() == other.tolist()


class TestPrinting:
    def test_nested(self, nn, net):
        assert repr(net) == (
            "Module(\n"
            "  (first): Sequential(\n"
            "    (0): Linear(in_features=3, out_features=4, bias=True)\n"
            "    (1): BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, "
            "track_running_stats=True)\n"
            "  )\n"
            "  (act): ReLU()\n"
            "  (again): Linear(in_features=3, out_features=4, bias=True)\n"
            ")")

    def test_extra_lines(self, nn):
        class Extra(nn.Module):
            def extra_repr(self):
                return "one\ntwo"

        extra = Extra()
        assert repr(extra) == "Extra(\n  one\n  two\n)"
        extra.part = nn.Tanh()
        assert repr(extra) == "Extra(\n  one\n  two\n  (part): Tanh()\n)"
        extra.gone = None
        extra.register_module("none", None)
        assert repr(extra).endswith("(none): None\n)")


class TestParameter:
    def test_is_a_leaf_that_shares_memory(self, torch, nn):
        data = torch.zeros(2)
        parameter = nn.Parameter(data)
        assert parameter.requires_grad and parameter.is_leaf
        data[0] = 1
        assert parameter.tolist() == [1, 0]
        assert not nn.Parameter(data, requires_grad=False).requires_grad
        with torch.no_grad():
            assert nn.Parameter(data).requires_grad

    def test_a_view_becomes_a_leaf(self, torch, nn):
        data = torch.zeros(2, 2)
        parameter = nn.Parameter(data[0])
        assert parameter.is_leaf and parameter.grad_fn is None
        (parameter * 3).sum().backward()
        assert parameter.grad.tolist() == [3, 3]
        torch.optim.SGD([parameter], lr=1.0).step()
        assert parameter.tolist() == [-3, -3] and data.tolist() == [[-3, -3], [0, 0]]
        with pytest.raises(RuntimeError, match="leaf"):
            parameter.add_(1)
        with torch.no_grad():
            parameter.add_(1)
        assert parameter.is_leaf and data[0].tolist() == [-2, -2]

    def test_results_are_plain_tensors(self, torch, nn):
        parameter = nn.Parameter(torch.ones(2))
        assert isinstance(parameter, torch.Tensor)
        for result in (parameter * 2, parameter[0], parameter.detach(), parameter.data):
            assert type(result) is torch.Tensor

    def test_repr(self, torch, nn):
        assert repr(nn.Parameter(torch.ones(2))) == (
            "Parameter containing:\ntensor([1., 1.], requires_grad=True)")

    def test_empty(self, nn):
        assert nn.Parameter().shape == (0,)

    def test_numbers_are_refused(self, nn):
        with pytest.raises(AttributeError):  # PyTorch asks a number to detach()
            nn.Parameter(5.0)

    def test_integers_have_no_gradient(self, torch, nn):
        with pytest.raises(RuntimeError, match="floating point"):
            nn.Parameter(torch.tensor([1, 2]))
        assert nn.Parameter(torch.tensor([1]), requires_grad=False).tolist() == [1]


def test_compile_and_share_memory_change_nothing(torch, nn):
    layer = nn.Linear(2, 2)
    if torch.__name__ == "lampion":
        assert layer.compile() is None
    assert layer.share_memory() is layer
    assert layer(torch.ones(1, 2)).shape == (1, 2)


def test_no_cuda(nn):
    with pytest.raises((RuntimeError, AssertionError)):
        nn.Linear(2, 2).cuda()
