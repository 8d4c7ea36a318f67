"""Every benchmark runs, and does the same in lampion and in PyTorch."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import lampion

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from cases import CASES, Setting, set_weights  # noqa: E402 - the path is known from here on

TINY = Setting(exact=True, tiny=True)


def losses(library, name, steps=2):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = CASES[name].build(library, TINY)
        set_weights(library, program.modules)
        return [program.step() for _ in range(steps)]


@pytest.mark.parametrize("name", CASES)
def test_both_libraries_do_the_same(name):
    oracle = pytest.importorskip("torch")
    np.testing.assert_allclose(losses(lampion, name), losses(oracle, name), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["deep-narrow", "vae", "skip-gram"])
def test_what_is_timed_draws_random_numbers(name):
    """Only where losses are compared are dropout and noise prepared numbers."""
    program = CASES[name].build(lampion, Setting(tiny=True))
    set_weights(lampion, program.modules)
    loss = program.step()
    assert np.isfinite(loss) and loss != losses(lampion, name, 1)[0]
