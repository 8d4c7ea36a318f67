"""Random programs must do the same on lampion as on PyTorch; the machinery is checked as well."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")
hypothesis = pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import lampion  # noqa: E402

from .check import Verdict, check  # noqa: E402
from .choices import DrawnChoices  # noqa: E402
from .grow import grow, grow_from_seed  # noqa: E402
from .program import Program, script  # noqa: E402
from .templates import KINDS  # noqa: E402
from .wrong import MISTAKES, mistaken  # noqa: E402

# The seeded programs of one test, and how many tests there are: 1,800 programs in all, to which
# hypothesis adds 250 that it can shrink.
BATCH, BATCHES = 200, 9
DRAWN = 250
MISTAKE_LIMIT = 3_000

BELOW = {count: st.integers(0, count - 1) for count in range(1, 200)}


@st.composite
def programs(draw: Any) -> Program:
    """A random program whose every decision hypothesis can shrink."""
    return grow(DrawnChoices(draw, lambda count: BELOW.get(count) or st.integers(0, count - 1)),
                torch)


@pytest.fixture(autouse=True)
def quiet():
    """Programs provoke warnings on purpose; PyTorch runs in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_num_threads(threads)


def report(verdict: Verdict) -> str:
    """Say what differs, with a script for each library."""
    difference = verdict.difference
    assert difference is not None
    text = script(verdict.program, verdict.raising(), "lampion")
    return f"{difference.what} at {difference.kind or 'the end'}\n{difference.detail}\n\n{text}"


@settings(max_examples=DRAWN, deadline=None, database=None, derandomize=True,
          suppress_health_check=list(HealthCheck))
@given(program=programs())
def test_drawn_programs_agree(program):
    verdict = check(program, torch, lampion)
    assert verdict.difference is None, report(verdict)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_seeded_programs_agree(batch):
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        verdict = check(grow_from_seed(seed, torch), torch, lampion)
        assert verdict.difference is None, f"seed {seed}: {report(verdict)}"


def test_pytorch_agrees_with_itself():
    for seed in range(BATCH):
        verdict = check(grow_from_seed(seed, torch), torch, torch)
        assert verdict.difference is None, f"seed {seed}: {report(verdict)}"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(mistake):
    for seed in range(MISTAKE_LIMIT):
        program = grow_from_seed(seed, torch)
        if check(program, torch, torch, partial(mistaken, torch, mistake)).difference:
            return
    pytest.fail(f"{MISTAKE_LIMIT} programs did not notice: {MISTAKES[mistake].__doc__ or mistake}")


def test_nearly_every_kind_of_statement_is_written():
    """The table has no dead lines: in so many programs each kind appears, but for rare chance."""
    written = set()
    for seed in range(BATCH * 4):
        statements = list(grow_from_seed(seed, torch).statements)
        while statements:
            statement = statements.pop()
            written.add(statement.kind)
            statements += statement.body
    assert len(set(KINDS) - written) < len(KINDS) / 20


def test_the_same_seed_writes_the_same_program():
    assert str(grow_from_seed(7, torch)) == str(grow_from_seed(7, torch))


def test_a_script_runs_alone(capsys):
    program = grow_from_seed(11, torch)
    verdict = check(program, torch, torch)
    exec(script(program, verdict.raising()), {})
    assert "tensor(" in capsys.readouterr().out
