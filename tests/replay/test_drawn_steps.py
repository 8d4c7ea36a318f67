"""Random programs as steps: made five times, with a change in the middle, and nothing may differ.

The programs are those of tests/programs, which are compared with PyTorch there. Here each is a
step that is repeated; the third time one statement is left out, made twice, or followed by a look
at everything. Every exception, number, flag, version and alias must be the same as without replay.
"""

import random
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from programs.execute import Run, execute  # noqa: E402
from programs.grow import grow_from_seed  # noqa: E402
from programs.observe import attempt, tensors_in, version  # noqa: E402
from programs.program import READ, Statement  # noqa: E402

import lampion  # noqa: E402

BATCH, BATCHES = 60, 5


class Step(Run):
    """One run that looks at nothing but what its statements look at.

    Args:
        skipped: statements whose result is undefined.
    """

    def __init__(self, skipped: set[int]):
        super().__init__(lampion)
        self._skipped = skipped

    def _skips(self, statement: Statement, index: int) -> bool:
        return id(statement) in self._skipped

    def _look(self, event: Any) -> None:
        pass


def changed(statements: tuple, choices: random.Random) -> tuple:
    """Return the statements with one change."""
    place = choices.randrange(len(statements))
    before, rest = statements[:place], statements[place:]
    return choices.choice((
        before + rest[1:], before + rest[:1] + rest, before + (Statement(READ, READ),) + rest))


def outcome(statements: tuple, skipped: set[int]) -> str:
    """Run the statements; return all that can be seen."""
    lampion.manual_seed(0)
    run = Step(skipped)
    run.run(statements)
    versions = [attempt(version, t) for value in run.variables().values()
                for t in tensors_in(value, lampion)]
    seen = [(event.outcome, event.snapshot) for event in run.events]
    return repr((seen, versions, run.snapshot(), run.aliasing()))


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    lampion.set_replay(True)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_drawn_steps_are_the_same_with_and_without(batch):
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        program = grow_from_seed(seed, torch)
        skipped = {id(event.statement) for event in execute(program, torch).events
                   if event.outcome == "skipped"}
        whole = program.statements
        steps = [whole, whole, changed(whole, random.Random(seed)), whole, whole]
        lampion.set_replay(False)
        expected = [outcome(step, skipped) for step in steps]
        lampion.set_replay(True)
        for number, step in enumerate(steps):
            assert outcome(step, skipped) == expected[number], f"seed {seed}, step {number}"
