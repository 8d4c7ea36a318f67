"""What `lampion.show` tells about a step."""

from __future__ import annotations

import pytest

import lampion as torch
from lampion import nn
from lampion.errors import ArgumentError
from lampion.show import VIEWS


@pytest.fixture
def step():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(net.parameters())
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 1, 0, 1])

    def run():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    run()
    return run


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_says_something(step, view):
    text = torch.show(step, view)
    assert len(text.splitlines()) > 2
    assert repr(text) == str(text)


def test_the_contents_count_what_ran(step):
    text = torch.show(step)
    assert text.startswith("1 program ran:")
    assert "12 updates in place" in text  # four parameters and two averages of each


def test_the_graph_names_operations_and_types(step):
    graph = torch.show(step, "graph")
    assert "matmul" in graph and "float32[5x8]" in graph
    assert len(torch.show(step, "simplified").splitlines()) < len(graph.splitlines())


def test_the_profile_has_a_row_for_each_step(step):
    steps = [line for line in torch.show(step, "steps").splitlines() if line.startswith("step ")]
    rows = torch.show(step, "profile").splitlines()[2:-1]
    assert len(rows) == len(steps)
    assert all(float(row.split()[0]) > 0 for row in rows)


def test_the_profile_leaves_the_step_as_it_was(step):
    x = torch.zeros(64, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=1.0)

    def descend():
        optimizer.zero_grad()
        ((x @ torch.ones(64, 64)).sum()).backward()
        optimizer.step()

    descend()
    torch.show(descend, "profile")
    assert x.tolist() == [-128.0] * 64


def test_a_tensor_shows_its_pending_work():
    assert "exp" in torch.show(torch.ones(3, 3).matmul(torch.ones(3, 3)).exp(), "steps")


def test_what_cannot_be_shown_is_said():
    with pytest.raises(ArgumentError, match="profile"):
        torch.show(lambda: None, "speed")
    with pytest.raises(ArgumentError, match="nothing was computed"):
        torch.show(lambda: None)
    with pytest.raises(TypeError, match="function or a tensor"):
        torch.show(3)
