"""Containers of modules and parameters."""

from collections import OrderedDict

import pytest


@pytest.fixture
def nn(torch):
    return torch.nn


def kinds(modules):
    return [type(module).__name__ for module in modules]


class TestSequential:
    def test_runs_in_order(self, torch, nn):
        net = nn.Sequential(nn.ReLU(), nn.Flatten(0), nn.Identity())
        assert net(torch.tensor([[-1.0], [2.0]])).tolist() == [0, 2]
        assert len(net) == 3 and kinds(net) == ["ReLU", "Flatten", "Identity"]
        assert nn.Sequential()(5) == 5

    def test_names(self, nn):
        net = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
        assert list(net._modules) == ["a", "b"]
        assert net.a is net[0] and net[-1] is net.b

    def test_slices_keep_names(self, nn):
        net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())
        part = net[1:]
        assert type(part) is nn.Sequential and list(part._modules) == ["1", "2"]
        assert part[0] is net[1]

    def test_changes(self, nn):
        net = nn.Sequential(nn.ReLU(), nn.Tanh())
        net[0] = nn.Sigmoid()
        assert net.append(nn.ELU()) is net
        assert net.extend([nn.GELU(), nn.SELU()]) is net
        assert net.insert(1, nn.Mish()) is net
        assert net.insert(-1, nn.CELU()) is net
        assert kinds(net) == ["Sigmoid", "Mish", "Tanh", "ELU", "GELU", "CELU", "SELU"]
        assert kinds([net.pop(0)]) == ["Sigmoid"]
        del net[1]
        del net[-2:]
        assert kinds(net) == ["Mish", "ELU", "GELU"]
        assert list(net._modules) == ["0", "1", "2"]

    def test_arithmetic(self, nn):
        a, b = nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh(), nn.GELU())
        assert kinds(a + b) == ["ReLU", "Tanh", "GELU"]
        assert kinds(a * 2) == kinds(2 * a) == ["ReLU", "ReLU"]
        a += b
        assert kinds(a) == ["ReLU", "Tanh", "GELU"]
        b *= 2
        assert kinds(b) == ["Tanh", "GELU"] * 2 and b[0] is b[2]

    def test_refusals(self, nn):
        net = nn.Sequential(nn.ReLU())
        for index in (1, -2):
            with pytest.raises(IndexError):
                net[index]
        with pytest.raises(IndexError):
            net.insert(3, nn.ReLU())
        with pytest.raises(TypeError):
            nn.Sequential(3)
        with pytest.raises(ValueError):
            net + [nn.ReLU()]
        with pytest.raises(ValueError):
            net * 0
        with pytest.raises(TypeError):
            net * 1.5


class TestModuleList:
    def test_like_a_list(self, nn):
        parts = nn.ModuleList([nn.ReLU(), nn.Tanh()])
        parts.append(nn.GELU()).extend([nn.ELU()])
        parts.insert(1, nn.Mish())
        parts += [nn.SELU()]
        assert kinds(parts) == ["ReLU", "Mish", "Tanh", "GELU", "ELU", "SELU"]
        assert kinds(parts[1:3]) == ["Mish", "Tanh"] and type(parts[1:3]) is nn.ModuleList
        assert kinds(parts[:1] + [nn.CELU()]) == ["ReLU", "CELU"]
        parts[0] = nn.Identity()
        assert kinds([parts.pop(0), parts.pop(-1)]) == ["Identity", "SELU"]
        del parts[::2]
        assert kinds(parts) == ["Tanh", "ELU"] and list(parts._modules) == ["0", "1"]
        assert len(parts) == 2 and parts[-1] is list(parts)[-1]

    def test_refusals(self, torch, nn):
        parts = nn.ModuleList([nn.ReLU()])
        with pytest.raises(IndexError):
            parts[1]
        with pytest.raises(TypeError):
            parts.extend(3)
        with pytest.raises(TypeError):
            parts.append(torch.ones(1))
        with pytest.raises(NotImplementedError):
            parts(1)

    def test_repr_joins_equal_parts(self, nn):
        parts = nn.ModuleList([nn.ReLU(), nn.Linear(1, 2), nn.Linear(1, 2), nn.ReLU()])
        assert repr(parts) == (
            "ModuleList(\n  (0): ReLU()\n"
            "  (1-2): 2 x Linear(in_features=1, out_features=2, bias=True)\n"
            "  (3): ReLU()\n)")
        assert repr(nn.ModuleList()) == "ModuleList()"
        nested = nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())])
        assert repr(nested) == (
            "ModuleList(\n  (0-1): 2 x Sequential(\n    (0): ReLU()\n  )\n)")


class TestModuleDict:
    def test_like_a_dictionary(self, nn):
        parts = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
        parts["c"] = nn.GELU()
        parts.update([("d", nn.ELU())])
        parts.update(nn.ModuleDict({"a": nn.Mish()}))
        assert list(parts) == list(parts.keys()) == ["a", "b", "c", "d"]
        assert kinds(parts.values()) == ["Mish", "Tanh", "GELU", "ELU"]
        assert [name for name, _ in parts.items()] == list(parts)
        assert "a" in parts and "x" not in parts and len(parts) == 4
        assert kinds([parts.pop("a")]) == ["Mish"]
        del parts["b"]
        assert list(parts) == ["c", "d"]
        parts.clear()
        assert len(parts) == 0 and not parts

    def test_refusals(self, nn):
        parts = nn.ModuleDict()
        with pytest.raises(KeyError):
            parts["missing"]
        with pytest.raises(TypeError):
            parts.update(3)
        with pytest.raises(TypeError):
            parts.update([3])
        with pytest.raises(ValueError):
            parts.update([("a", nn.ReLU(), 3)])
        with pytest.raises(KeyError):
            parts["keys"] = nn.ReLU()


class TestParameterList:
    def test_like_a_list(self, torch, nn):
        values = nn.ParameterList([torch.zeros(1), nn.Parameter(torch.ones(2))])
        values.append(torch.ones(3)).extend([5])
        assert len(values) == 4 and values[3] == 5
        assert all(isinstance(one, nn.Parameter) for one in values[:3])
        assert [name for name, _ in values.named_parameters()] == ["0", "1", "2"]
        values[0] = torch.full((1,), 7.0)
        assert values[0].item() == 7 and isinstance(values[0], nn.Parameter)
        values += [torch.ones(1)]
        assert len(values) == 5 and values[-1] is list(values)[-1]

    def test_refusals(self, torch, nn):
        values = nn.ParameterList()
        with pytest.raises(IndexError):
            values[0]
        with pytest.raises(TypeError):
            values.extend(torch.ones(2))
        with pytest.raises(RuntimeError):
            values(1)

    def test_repr(self, torch, nn):
        assert repr(nn.ParameterList([torch.zeros(1, 2), 3])) == (
            "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 1x2]\n"
            "    (1): Object of type: int\n)")


class TestParameterDict:
    def test_like_a_dictionary(self, torch, nn):
        values = nn.ParameterDict({"b": torch.zeros(1), "a": torch.ones(2)})
        assert list(values) == ["a", "b"]  # a plain dictionary is sorted
        values["c"] = nn.Parameter(torch.ones(3))
        values.update(OrderedDict(z=torch.ones(1), y=torch.ones(1)))
        assert list(values.keys()) == ["a", "b", "c", "z", "y"]
        assert [name for name, _ in values.named_parameters()] == list(values)
        assert list(reversed(values))[0] == "y" and "z" in values
        assert values.get("nothing", 3) == 3 and values.get("a") is values["a"]
        assert values.setdefault("new", torch.ones(1)) is values["new"]
        assert values.popitem()[0] == "new"
        assert values.pop("z").tolist() == [1]
        assert len(values.copy()) == len(values) == 4
        both = values | nn.ParameterDict({"q": torch.ones(1)})
        assert "q" in both and "q" not in values
        values |= {"r": torch.ones(1)}
        assert "r" in values
        assert [name for name, _ in values.items()] == list(values)
        assert list(values.fromkeys(["m", "n"], 1).values()) == [1, 1]
        values.clear()
        assert not list(values.parameters())

    def test_refusals(self, torch, nn):
        values = nn.ParameterDict()
        with pytest.raises(TypeError):
            nn.ParameterDict()[1] = torch.ones(1)
        with pytest.raises(AttributeError):
            values["missing"]
        with pytest.raises(RuntimeError):
            values(1)
        with pytest.raises(KeyError):
            values.popitem()

    def test_repr(self, torch, nn):
        assert repr(nn.ParameterDict({"w": torch.zeros(1, 2), "n": 3})) == (
            "ParameterDict(\n    (n): Object of type: int\n"
            "    (w): Parameter containing: [torch.FloatTensor of size 1x2]\n)")
