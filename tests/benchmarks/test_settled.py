"""The loops of the benchmarks, once they have settled: all is known, and memory is used again."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import lampion as torch
from lampion import runtime
from lampion.cpu import spare
from lampion.replay import record
from lampion.replay.recorded import run

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from cases import CASES, Setting  # noqa: E402

ROUNDS = 8


@pytest.fixture
def native(monkeypatch):
    """Compile every program, also those that would be left to NumPy."""
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(runtime, "engine", "native")
    monkeypatch.setattr(runtime, "_structures", type(runtime._structures)())
    torch.set_replay(True)


def settled(name: str) -> Callable[[], float]:
    """Return the step of a case after a few rounds."""
    torch.manual_seed(0)
    program = CASES[name].build(torch, Setting(tiny=True))
    for _ in range(ROUNDS):
        program.step()
    return program.step


@pytest.mark.parametrize("name", ["xor", "mnist-mlp", "tabular"])
def test_a_training_step_makes_no_new_arrays(native, name, monkeypatch):
    """Parameters and states are written over; gradients come where those of before were."""
    step, made = settled(name), []
    fresh, new = spare.Spare._fresh, spare.Shelf._new
    monkeypatch.setattr(spare.Spare, "_fresh", lambda self, k: made.append(k) or fresh(self, k))
    monkeypatch.setattr(spare.Shelf, "_new", lambda self: made.append(self.key) or new(self))
    for _ in range(ROUNDS):
        step()
    assert made == []


@pytest.mark.parametrize("name", CASES)
def test_every_call_of_a_step_is_a_recorded_one(name, monkeypatch):
    """Nothing is recorded, made slowly or looked up once a loop has settled."""
    torch.set_replay(True)
    monkeypatch.setattr(random, "Random", lambda seed: SimpleNamespace(random=lambda: 1.0))
    step = settled(name)
    before, found = len(torch.explain_recompiles()), []
    for owner, slow in ((run, "materialise"), (run, "look"), (record, "record")):
        monkeypatch.setattr(owner, slow, lambda *args, slow=slow: found.append(slow))
    for _ in range(ROUNDS):
        step()
    assert found == [] and len(torch.explain_recompiles()) == before
