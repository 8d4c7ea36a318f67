"""A NaN is traced to the operation, the module and the line where it was born."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import lampion as torch
from lampion import errors, nn
from lampion.ir import mode
from lampion.probe import first_non_finite


class Logarithm(nn.Module):
    def forward(self, x):
        return torch.log(x - 1000)  # here


class Root(nn.Module):
    def forward(self, x):
        return torch.sqrt(torch.relu(x) * 0)  # and here


def line_of(kind, words):
    lines, start = inspect.getsourcelines(kind)
    return start + next(k for k, line in enumerate(lines) if words in line)


def network(inner):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), inner), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 3)).mean()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def test_in_the_forward_pass():
    _, step = network(Logarithm())
    birth = first_non_finite(step)
    assert (birth.kind, birth.op, birth.module, birth.count) == ("NaN", "log", "1.1", 8)
    assert birth.line.endswith(f"test_birth.py:{line_of(Logarithm, '# here')}")
    assert birth.gradient_of is None and "log in 1.1" in str(birth)


def test_in_the_backward_pass():
    _, step = network(Root())
    birth = first_non_finite(step)
    assert (birth.gradient_of, birth.module) == ("sqrt", "1.1")
    assert birth.line.endswith(f"test_birth.py:{line_of(Root, '# and here')}")


def test_after_some_replayed_steps():
    _, step = network(Logarithm())
    for _ in range(4):
        step()
    assert first_non_finite(step).op in ("input", "log")
    assert mode.run is not None


def test_a_healthy_step_has_none_and_is_made():
    model, step = network(nn.ReLU())
    before = model[0].weight.tolist()
    assert first_non_finite(step) is None
    assert model[0].weight.tolist() != before


def test_masks_of_infinity_are_meant():
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2)
    mask = torch.triu(torch.full((3, 3), -torch.inf), 1)
    x = torch.randn(3, 1, 8)
    assert first_non_finite(lambda: layer(x, x, x, attn_mask=mask)[0].sum().backward()) is None


def test_a_row_that_is_masked_whole_is_found():
    scores = torch.zeros(2, 3)
    birth = first_non_finite(
        lambda: scores.masked_fill(torch.ones(2, 3).bool(), -torch.inf).softmax(1))
    assert birth.kind == "NaN" and birth.op == "sub"


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_broken_parameters_are_named(number):
    model, step = network(nn.ReLU())
    with torch.no_grad():
        model[2].weight[0, 1] = number
    birth = first_non_finite(step)
    assert (birth.op, birth.module, birth.count) == ("input", "2.weight", 1)
    assert "2.weight" in str(birth)


def test_broken_data_is_named():
    birth = first_non_finite(lambda: torch.tensor([1.0, torch.nan]).sum().item())
    assert (birth.kind, birth.op, birth.line) == ("NaN", "input", None)


def test_division_by_zero():
    birth = first_non_finite(lambda: (torch.ones(2) / torch.tensor([0.0, 1.0])).tolist())
    assert (birth.kind, birth.op, birth.count) == ("infinity", "div", 1)


def test_errors_of_the_step_leave_nothing_behind():
    with pytest.raises(ZeroDivisionError):
        first_non_finite(lambda: 1 // 0)
    assert mode.tracing is None and mode.run is not None
    with pytest.raises(errors.ArgumentTypeError):
        first_non_finite(3)
