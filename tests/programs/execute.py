"""Running a program on one library and recording everything that can be seen.

Reading a value is a named moment of execution in a lazy library, so values are read only where the
program says `read()`, and at the end. What every statement leaves behind without reading (shapes,
dtypes, flags, version counters, exceptions) is recorded after each statement.
"""

from __future__ import annotations

import copy
import itertools
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

from . import guards
from .observe import Raised, attempt, describe, observe, raised, tensors_in, version
from .program import READ, Program, Statement, names_in

LOOP_LIMIT = 8
FIRST_SENTINEL = 20


@dataclass
class Event:
    """What one execution of one statement did.

    Args:
        statement: what was executed.
        outcome: "ok", "skipped" (its result is undefined), or the exception as data.
        facts: what is known of each variable it mentions, without reading values.
        versions: in-place writes counted since the statement before, by variable.
        snapshot: for `read()`: every variable as data.
    """

    statement: Statement
    outcome: str | Raised
    facts: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    snapshot: dict[str, Any] = field(default_factory=dict)


@dataclass
class Trace:
    """The recording of a whole run.

    Args:
        events: one for each executed statement, in order.
        final: every variable as data, read at the end.
        aliasing: what the variables hold after a distinct sentinel was written through each of
            them, in order and then in reverse order: equal only if the same memory is shared.
        joint: pairs of tensors that share memory, one of them handed out by autograd.grad().
    """

    events: list[Event]
    final: dict[str, Any]
    aliasing: list[Any]
    joint: frozenset[tuple[str, str]] = frozenset()


@lru_cache(maxsize=50_000)
def compiled(source: str) -> CodeType:
    """Compile a line once; both libraries run the same code object."""
    return compile(source, "<program>", "exec")


def fresh_namespace(module: Any) -> dict[str, Any]:
    """Return the names a program may use besides its variables."""
    return {"torch": module, "copy": copy, "inf": math.inf, "nan": math.nan, "read": lambda: None}


class Run:
    """One run of one program.

    Args:
        module: the library under test.
        reference: the recording of PyTorch's run, whose skips are followed; None for PyTorch.
    """

    def __init__(self, module: Any, reference: Trace | None = None):
        self.module = module
        self.namespace = fresh_namespace(module)
        self.events: list[Event] = []
        self._versions: dict[str, Any] = {}
        self._follows = reference

    def variables(self) -> dict[str, Any]:
        """Return the program's variables by name, in order of birth."""
        return {name: value for name, value in self.namespace.items() if names_in(name)}

    def run(self, statements: tuple[Statement, ...]) -> None:
        """Execute statements; one that raises is recorded and the next is executed."""
        for statement in statements:
            event = Event(statement, "ok")
            index = len(self.events)
            self.events.append(event)
            if self._skips(statement, index):
                event.outcome = "skipped"
                continue
            try:
                self._execute(statement, event)
            except Exception as error:
                event.outcome = raised(error)
            self._look(event)

    def _skips(self, statement: Statement, index: int) -> bool:
        if self._follows is not None:
            events = self._follows.events
            return index < len(events) and events[index].outcome == "skipped"
        return not guards.allow(statement, self.namespace)

    def _execute(self, statement: Statement, event: Event) -> None:
        if statement.is_block:
            self._block(statement)
        elif statement.source == READ:
            event.snapshot = self.snapshot()
        else:
            exec(compiled(statement.source), self.namespace)

    def _block(self, statement: Statement) -> None:
        word, rest = statement.source[:-1].split(" ", 1)
        if word == "for":
            name, items = rest.split(" in ", 1)
            for count, item in enumerate(self._evaluate(items)):
                if count >= LOOP_LIMIT:
                    break
                self.namespace[name] = item
                self.run(statement.body)
        elif word == "with":
            manager: AbstractContextManager[Any] = self._evaluate(rest)
            with manager:
                self.run(statement.body)
        elif self._evaluate(rest):  # if
            self.run(statement.body)

    def _evaluate(self, source: str) -> Any:
        return eval(source, self.namespace)

    def _look(self, event: Event) -> None:
        """Record what is visible without reading a value."""
        for name in names_in(event.statement.source):
            if name in self.namespace:
                event.facts[name] = describe(self.namespace[name], self.module)
        for name, value in self.variables().items():
            if isinstance(value, self.module.Tensor):
                now = attempt(version, value)
                before = self._versions.get(name)
                if before is not None and before[0] is value and before[1] != now:
                    event.versions[name] = (
                        now - before[1] if isinstance(now, int) and isinstance(before[1], int)
                        else now
                    )
                self._versions[name] = (value, now)

    def snapshot(self, deep: bool = True) -> dict[str, Any]:
        """Read every variable."""
        return {
            name: observe(value, self.module, deep) for name, value in self.variables().items()
        }

    def aliasing(self) -> list[Any]:
        """Write a sentinel through every tensor in turn and read all; then in reverse order."""
        tensors = [
            tensor for value in self.variables().values()
            for tensor in tensors_in(value, self.module)
        ]
        outcomes: list[Any] = []
        for order in (tensors, tensors[::-1]):
            for sentinel, tensor in enumerate(order, FIRST_SENTINEL):
                result = attempt(self._mark, tensor, sentinel)
                outcomes.append(result.classes if isinstance(result, Raised) else "ok")
            outcomes.append({
                name: _values(value, self.module) for name, value in self.variables().items()
            })
        return outcomes

    def joint(self) -> frozenset[tuple[str, str]]:
        """Return the pairs that share memory of which one came from autograd.grad(), by name."""
        gradients = {e.statement.source.split(" = ")[0] for e in self.events
                     if " = torch.autograd.grad(" in e.statement.source}
        holders: dict[Any, list[str]] = {}
        for name, value in self.variables().items():
            for number, tensor in enumerate(tensors_in(value, self.module)):
                grad = attempt(lambda tensor=tensor: tensor.grad)
                for label, t in ((f"{name}[{number}]", tensor), (f"{name}.grad[{number}]", grad)):
                    if isinstance(t, self.module.Tensor) and t.numel():
                        holders.setdefault(attempt(_memory, t), []).append(label)
        return frozenset(
            pair for labels in holders.values() for pair in itertools.combinations(labels, 2)
            if any(label.split("[")[0] in gradients for label in pair))

    def _mark(self, tensor: Any, sentinel: int) -> None:
        if tensor.is_inference():
            return  # PyTorch refuses the write after it is done
        with self.module.no_grad():
            tensor.fill_(sentinel % 2 if tensor.dtype is self.module.bool else sentinel)


def _memory(tensor: Any) -> int:
    """Return where the memory of a tensor begins."""
    return tensor.data_ptr() - tensor.storage_offset() * tensor.element_size()


def _values(value: Any, module: Any) -> Any:
    """Return the values and gradients of a variable after the sentinels."""
    if isinstance(value, module.Tensor):
        grad = attempt(lambda: value.grad)
        grad_values = attempt(grad.tolist) if isinstance(grad, module.Tensor) else None
        return [attempt(value.tolist), grad_values]
    if isinstance(value, (tuple, list)):
        return [_values(item, module) for item in value]
    return None


def execute(program: Program, module: Any, reference: Trace | None = None) -> Trace:
    """Run a program and return its recording.

    Args:
        program: what to run.
        module: the library under test, as `torch` is.
        reference: PyTorch's recording of the same program; None when this is PyTorch's.
    """
    run = Run(module, reference)
    run.run(program.statements)
    final = run.snapshot()
    joint = run.joint()
    return Trace(run.events, final, run.aliasing(), joint)
