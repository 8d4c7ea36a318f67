"""Replay changes nothing but the time: loops with and without it give the same bits."""

import importlib

import pytest

import lampion as torch

from .scenarios import SCENARIOS


@pytest.fixture(autouse=True)
def replay_again():
    yield
    torch.set_replay(True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_same_numbers_with_and_without(name):
    torch.set_replay(False)
    torch.manual_seed(42)
    expected = SCENARIOS[name](torch)
    torch.set_replay(True)
    for _ in range(2):  # the second time everything was seen before
        torch.manual_seed(42)
        assert repr(SCENARIOS[name](torch)) == repr(expected)


def test_positions_that_a_step_makes_itself_do_not_end_the_record():
    table = torch.nn.Embedding(5, 3)
    before = len(torch.explain_recompiles())
    for _ in range(4):
        table(torch.arange(4)).sum().backward()
        table.weight.grad.sum().item()
        table.zero_grad()
    reasons = torch.explain_recompiles()[before:]
    assert not [reason for _, reason in reasons if "check of numbers" in reason]


def test_a_step_whose_record_is_computed_half_way_for_its_size(monkeypatch):
    """The budget ends a record within a step, the second time as the first."""
    budget = importlib.import_module("lampion.trace").Budget
    monkeypatch.setattr(budget, "bytes", 3000)
    x = torch.ones(100)
    for _ in range(4):
        y = x
        for _ in range(20):
            y = y * 1.5
        assert y[0].item() == pytest.approx(1.5**20)


def test_packed_sequences_do_not_end_the_record():
    utils, layer = torch.nn.utils.rnn, torch.nn.GRU(3, 4, batch_first=True)
    x, lengths = torch.ones(2, 5, 3), torch.tensor([5, 2])
    before = len(torch.explain_recompiles())
    for _ in range(4):
        packed = utils.pack_padded_sequence(x, lengths, batch_first=True)
        output, _ = utils.pad_packed_sequence(layer(packed)[0], batch_first=True)
        output.sum().backward()
        layer.weight_hh_l0.grad.sum().item()
        layer.zero_grad()
    reasons = torch.explain_recompiles()[before:]
    assert not [reason for _, reason in reasons if "that is gone" in reason]


@pytest.mark.parametrize("view", [
    lambda x: x.permute((0,)), lambda x: x[0:3], lambda x: x.view(1, 3).T, lambda x: x.detach()])
def test_a_write_through_one_view_is_seen_by_the_other_after_a_read(view):
    for _ in range(4):
        x = torch.zeros(3) + 0
        y = view(x)
        assert not torch.tensor(False)
        y.fill_(7)
        assert x.tolist() == [7.0] * 3
        x.add_(1)
        assert (y + 0).flatten().tolist() == [8.0] * 3


def test_a_view_of_a_view_of_a_tensor_that_is_new_in_each_step():
    """The tensor comes after the record has begun; only its view is an operand of a call."""
    for step in range(5):
        x = torch.ones(2, 3, 7, 9) * 2  # large enough for a program
        fresh = torch.tensor([[[float(step)] * 9] * 3])
        view = fresh[:, None]
        product = x @ view.transpose(-1, -2)
        assert product.flatten().tolist() == [18.0 * step] * (2 * 3 * 7 * 3)
