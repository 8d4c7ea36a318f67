"""One program on both libraries: do they agree?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from .accepted import accepted
from .compare import Comparison, Difference
from .execute import Trace, execute
from .observe import Raised
from .program import Program, Statement

# Constants are shaken by this much to see whether a difference in values means anything.
SHAKE = 3e-6
ROUNDS = 12
VALUES = ("values", "grad: values", "aliasing")


class Shaken:
    """PyTorch with slightly different constants: shows which values are ill-conditioned.

    Args:
        module: PyTorch.
    """

    def __init__(self, module: Any):
        self._module = module
        self._count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def tensor(self, *arguments: Any, **settings: Any) -> Any:
        result = self._module.tensor(*arguments, **settings)
        if result.dtype.is_floating_point and result.numel():
            self._count += 1
            steps = self._module.arange(result.numel(), dtype=self._module.float64)
            shake = self._module.cos(steps * 1.7 + self._count).reshape(result.shape) * SHAKE
            with self._module.no_grad():
                result.copy_(result.double() * (1 + shake) + shake * SHAKE)
        return result


@dataclass
class Verdict:
    """What came out of checking a program.

    Args:
        difference: the failure, or None.
        program: the program without the statements whose differences are accepted.
        reference: PyTorch's recording of it.
        accepted: how many differences were accepted, by name.
        ill_conditioned: a difference in values was judged to mean nothing.
    """

    difference: Difference | None
    program: Program
    reference: Trace
    accepted: Counter[str] = field(default_factory=Counter)
    ill_conditioned: bool = False

    def raising(self) -> frozenset[str]:
        """Return the lines that raise on PyTorch."""
        return frozenset(event.statement.source for event in self.reference.events
                         if isinstance(event.outcome, Raised))


def check(
    program: Program, oracle: Any, module: Any,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Verdict:
    """Run a program on both libraries and compare.

    Args:
        program: what to run.
        oracle: PyTorch.
        module: the library under test.
        context: makes what is entered while the library under test runs (wrong.py patches there).
    """
    counted: Counter[str] = Counter()
    for _ in range(ROUNDS):
        reference = execute(program, oracle)
        with context():
            found = execute(program, module, reference)
        difference = Comparison(program, reference, found).first()
        entry = accepted(difference) if difference else None
        if not difference or not entry or difference.event is None:
            break
        counted[entry.name] += 1
        program = without(program, reference.events[difference.event].statement)
    if difference and entry:
        return Verdict(None, program, reference, counted)
    if difference and difference.what in VALUES and _ill_conditioned(
            program, oracle, reference, difference):
        return Verdict(None, program, reference, counted, ill_conditioned=True)
    return Verdict(difference, program, reference, counted)


def _ill_conditioned(program: Program, oracle: Any, reference: Trace, found: Difference) -> bool:
    """Return True where PyTorch with shaken constants differs in the same place."""
    shaken = execute(program, Shaken(oracle), reference)
    other = Comparison(program, reference, shaken)
    return found.variable in {where for what, where in _differences(other) if what in VALUES}


def _differences(comparison: Comparison) -> Iterator[tuple[str, str]]:
    pairs = zip(comparison.expected.events, comparison.found.events, strict=False)
    for one, two in pairs:
        for what, where, _, _ in comparison._all(one.snapshot, two.snapshot):
            yield what, where
    for what, where, _, _ in comparison._all(comparison.expected.final, comparison.found.final):
        yield what, where
    for one, two in zip(comparison.expected.aliasing, comparison.found.aliasing, strict=False):
        for _, where, _, _ in comparison._all(one, two):
            yield "aliasing", where


def without(program: Program, unwanted: Statement) -> Program:
    """Return the program less one statement, wherever it stands."""
    def prune(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(
            Statement(s.kind, s.source, s.guards, s.target, s.operands, prune(s.body))
            if s.body else s
            for s in statements if s is not unwanted)

    return program.with_statements(prune(program.statements))
