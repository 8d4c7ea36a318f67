"""What is kept is bounded, and a program that cannot be compiled is computed all the same."""

from __future__ import annotations

import gc

import pytest

import lampion as torch
from lampion import runtime
from lampion.cli import info
from lampion.cpu import linked, spare, target
from lampion.replay import record, run


@pytest.fixture(autouse=True)
def native(monkeypatch):
    """Every graph is compiled, and no program is known."""
    monkeypatch.setattr(runtime, "engine", "native")
    monkeypatch.setattr(runtime, "_structures", type(runtime._structures)())
    torch.set_replay(True)  # which forgets all records


def squares(count: int) -> float:
    return (torch.arange(count, dtype=torch.float32) ** 2).sum().item()


def test_the_programs_that_are_kept(monkeypatch):
    monkeypatch.setattr(runtime, "MOST", 8)
    for _ in range(2):
        for count in range(1, 41):
            assert squares(count) == sum(k * k for k in range(count))
            assert len(runtime._structures) <= 8


def gradients(count: int) -> torch.Tensor:
    weight = torch.ones(500, requires_grad=True)
    (weight * torch.ones(count, 1)).sum().backward()
    return weight.grad


def live_programs() -> int:
    gc.collect()
    return sum(type(thing) is linked.Linked for thing in gc.get_objects())


def test_the_programs_that_records_keep(monkeypatch):
    monkeypatch.setattr(runtime, "MOST", 8)
    monkeypatch.setattr(run, "LARGEST_TREE", 20 * record.ENTRIES_OF_PLAN)
    before = live_programs()
    for count in range(1, 61):
        assert gradients(count).tolist() == [count] * 500
    assert live_programs() - before <= 8 + 21


def test_the_arrays_that_programs_keep(monkeypatch):
    """Each of many shapes has a program, and each program would keep an array of its own."""
    monkeypatch.setattr(spare, "MOST", 20_000)
    for count in range(1, 61):
        assert gradients(count).tolist() == [count] * 500
        assert spare.kept() <= 20_000 + 3 * 2000 + 1000


def test_a_program_that_cannot_be_compiled(monkeypatch):
    def fail(*arguments):
        raise OSError("memory that may be executed is refused here")

    monkeypatch.setattr(runtime, "Program", fail)
    with pytest.warns(RuntimeWarning, match="OSError: memory that may be executed"):
        assert squares(4) == 14
    assert squares(4) == 14  # and says so once


def test_a_program_that_fails_where_numpy_does_not_says_so(monkeypatch):
    def fail(*arguments):
        raise linked.Fault("no reason")

    assert squares(5) == 30
    monkeypatch.setattr(linked.Linked, "_bind", fail)
    with pytest.warns(RuntimeWarning, match="Fault: no reason"):
        assert squares(5) == 30


def test_a_processor_that_is_not_here(monkeypatch):
    """That is no mistake of lampion's, so it is said at once."""
    monkeypatch.setenv("LAMPION_CPU", "abacus")
    target._chosen.cache_clear()
    try:
        with pytest.raises(torch.errors.ArgumentError, match="no target 'abacus'"):
            (torch.ones(7, 5) @ torch.ones(5, 3)).sum().item()
        facts = dict(info.facts())
        assert "abacus" in facts["instructions"] and "kernels" not in facts
    finally:
        monkeypatch.delenv("LAMPION_CPU")
        target._chosen.cache_clear()
    assert "package" in dict(info.facts())["kernels"]
