"""A fixed sample of PyTorch's inventory; `python -m tests.parity` runs all of it."""

from __future__ import annotations

import os

import pytest

torch = pytest.importorskip("torch")

from . import __main__ as main  # noqa: E402
from . import inventory, modules, operators, optimizers  # noqa: E402
from .outcome import ABSENT, FAILED, OUTSIDE, PASSED, Outcome  # noqa: E402

OPERATORS = """nn.functional.linear nn.functional.cross_entropy matmul
    linalg.cholesky linalg.svdvals linalg.solve linalg.inv linalg.det lgamma digamma special.i1e
    block_diag trapezoid index_reduce_(amax) select_scatter fft.fftshift
    masked.sum masked.var masked.softmax signal.windows.kaiser signal.windows.general_cosine
    nanquantile linalg.ldl_factor geqrf ormqr svd_lowrank searchsorted unique_consecutive atan2
    meshgrid_(variadic_tensors) nn.functional.pad_(replicate_negative)""".split()
MODULES = "nn.Linear nn.LayerNorm nn.LPPool1d".split()
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


def test_an_entry_that_ends_its_process_has_failed_and_no_other(monkeypatch):
    def examine(task):
        if task[1] == "exp":
            os._exit(6)  # as a crash would: nothing is sent back
        return task[0], Outcome(task[1], PASSED)

    monkeypatch.setattr(main, "_examine", examine)
    found = main._run([("op_db", name, 1) for name in ("sin", "exp", "cos")], 1)
    assert [(o.name, o.status) for _, o in found] == [
        ("sin", PASSED), ("exp", FAILED), ("cos", PASSED)]
    assert "ended: 6" in found[1][1].reason


def test_a_wrong_answer_is_noticed(monkeypatch):
    entry = inventory.operators()["exp"]
    monkeypatch.setattr(operators.lampion, "exp", operators.lampion.expm1)
    outcome = operators.examine("exp", entry, limit=4)
    assert outcome.right < outcome.tried and "instead of" in outcome.reason
