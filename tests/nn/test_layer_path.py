"""An error says which layer it came from, as seen from the outermost module called."""

import pytest

import lampion
from lampion import errors, nn


def failing_layer(module, *args):
    with pytest.raises(errors.LampionError) as caught:
        module(*args)
    return caught.value.layer


@pytest.fixture
def bad():
    return lampion.zeros(2, 7)


def test_single_layer(bad):
    assert failing_layer(nn.Linear(3, 3), bad) == "Linear"


def test_nested(bad):
    net = nn.Sequential(nn.Identity(), nn.Sequential(nn.ReLU(), nn.Linear(3, 3)))
    assert failing_layer(net, bad) == "1.1 (Linear)"


def test_shared_layer_has_the_path_it_was_called_by(bad):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            shared = nn.Linear(3, 3)
            self.a = nn.Sequential(shared)
            self.b = nn.Sequential(nn.ReLU(), shared)

        def forward(self, x):
            return self.b(x)

    assert failing_layer(Net(), bad) == "b.1 (Linear)"


def test_a_layer_called_past_its_owner(bad):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Sequential(nn.Linear(3, 3))

        def forward(self, x):
            return self.block[0](x)

    assert failing_layer(Net(), bad) == "block.0 (Linear)"


def test_a_layer_that_belongs_to_nobody(bad):
    class Net(nn.Module):
        def forward(self, layer, x):
            return layer(x)

    assert failing_layer(Net(), nn.Linear(3, 3), bad) == "Linear"


def test_caught_inside_and_raised_again(bad):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            try:
                return self.layer(x)
            except errors.LampionError as error:
                raise error

    assert failing_layer(nn.Sequential(Net()), bad) == "0.layer (Linear)"


def test_the_text_names_the_layer(bad):
    with pytest.raises(RuntimeError, match=r"in layer: 0 \(Linear\)"):
        nn.Sequential(nn.Linear(3, 3))(bad)


def test_other_errors_pass_unchanged():
    class Net(nn.Module):
        def forward(self):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        nn.Sequential(Net()).get_submodule("0")()
