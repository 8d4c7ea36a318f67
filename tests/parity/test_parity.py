"""A fixed sample of PyTorch's inventory; `python -m tests.parity` runs all of it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from . import inventory, modules, operators, optimizers  # noqa: E402
from .outcome import ABSENT, OUTSIDE, PASSED  # noqa: E402

OPERATORS = """nn.functional.linear nn.functional.cross_entropy matmul
    linalg.cholesky linalg.svdvals linalg.solve linalg.inv linalg.det lgamma digamma special.i1e
    block_diag trapezoid index_reduce_(amax) select_scatter fft.fftshift""".split()
MODULES = "nn.Linear nn.LayerNorm".split()
OPTIMIZERS = "SGD Adagrad".split()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    name = name.replace("_(", " (")
    outcome = operators.examine(name, inventory.operators()[name], limit=4)
    assert outcome.status == PASSED, outcome


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    outcome = modules.examine(name, inventory.modules()[name])
    assert outcome.status == PASSED, outcome


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    outcome = optimizers.examine(name, inventory.optimizers()[name])
    assert outcome.status == PASSED, outcome


def test_what_lampion_lacks_is_named_with_the_reason():
    entry = inventory.operators()["fft.rfft"]
    assert operators.examine("fft.rfft", entry).status == OUTSIDE
    absent = operators.examine("airy", inventory.operators()["special.airy_ai"])
    assert absent.status == ABSENT and "special.airy_ai" in absent.reason


def test_a_wrong_answer_is_noticed(monkeypatch):
    entry = inventory.operators()["exp"]
    monkeypatch.setattr(operators.lampion, "exp", operators.lampion.expm1)
    outcome = operators.examine("exp", entry, limit=4)
    assert outcome.right < outcome.tried and "instead of" in outcome.reason
