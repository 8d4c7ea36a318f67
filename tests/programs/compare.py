"""The first difference between PyTorch's recording of a program and lampion's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from .execute import Event, Trace
from .observe import Facts, Raised, Seen
from .program import Program, lines

# Relative and absolute tolerance by the coarsest floating type a program touches.
TOLERANCE = {"bfloat16": (6e-2, 6e-2), "float16": (1e-2, 1e-2), "float32": (2e-4, 2e-5),
             "float64": (1e-9, 1e-10)}
ALIASES = {"half": "float16"}
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?|\bnan\b|\binf\b")


@dataclass(frozen=True)
class Difference:
    """Where and how two recordings differ.

    Args:
        what: the kind of difference: "raises only in torch", "values", "dtype", ...
        kind: the statement's template, or "" at the end of the program.
        detail: both sides, for people.
        event: number of the statement that shows it; None at the end of the program.
        variable: whose values differ, if values do.
        message: the text of the exception, if there is one.
        expected, found: the two sides: exceptions, or the facts that differ.
        source: the whole program, for entries that hold for some programs only.
        raised: the statements that raised on both sides before.
        line: the statement that shows it.
        joint: variables that share memory with a gradient that was handed out, in PyTorch only.
        repeated: variables that were leaves over repeated elements.
    """

    what: str
    kind: str
    detail: str
    event: int | None = None
    variable: str = ""
    message: str = ""
    expected: Any = None
    found: Any = None
    source: str = ""
    raised: tuple[str, ...] = ()
    line: str = ""
    joint: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()

    @property
    def group(self) -> tuple[str, str]:
        """What failures are the same: the kind of difference, and the message less its numbers."""
        text = self.message.splitlines()[0] if self.message else ""
        return self.what, NUMBER.sub("#", text)


def tolerance_of(program: Program, trace: Trace) -> tuple[float, float]:
    """Return the tolerance of the coarsest floating type in the program."""
    text = "\n".join(lines(program.statements))
    for name in ("bfloat16", "float16"):
        if name in text or name == "float16" and "half()" in text:
            return TOLERANCE[name]
    seen = {seen.facts.dtype for seen in _tensors(trace.final) if isinstance(seen.facts, Facts)}
    exact = "float64" in seen and "float32" not in seen and "float32" not in text
    return TOLERANCE["float64" if exact and ".float()" not in text else "float32"]


def _tensors(value: Any) -> Iterator[Seen]:
    if isinstance(value, Seen):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def repeated_leaves(trace: Trace) -> frozenset[str]:
    """Return the variables that were, at some time, leaves that repeat their elements."""
    return frozenset(
        name for event in trace.events for name, facts in event.facts.items()
        for f in (facts if isinstance(facts, list) else [facts])
        if isinstance(f, Facts) and f.is_leaf and f.requires_grad and 0 not in f.shape
        and any(n > 1 and s == 0 for n, s in zip(f.shape, f.stride, strict=True)))


class Comparison:
    """Compares two recordings of one program.

    Args:
        program: what was run.
        expected: PyTorch's recording.
        found: the other recording.
    """

    def __init__(self, program: Program, expected: Trace, found: Trace):
        self.program, self.expected, self.found = program, expected, found
        self.relative, self.absolute = tolerance_of(program, expected)

    def first(self) -> Difference | None:
        """Return the first difference, or None."""
        different = self._first()
        if different is None:
            return None
        raised = tuple(event.statement.source for event in self.expected.events[:different.event]
                       if isinstance(event.outcome, Raised))
        line = "" if different.event is None else self.expected.events[
            different.event].statement.source
        joint = frozenset(re.split(r"[.[]", label)[0]
                          for pair in self.expected.joint - self.found.joint for label in pair)
        return replace(different, source=str(self.program), raised=raised, line=line,
                       joint=joint, repeated=repeated_leaves(self.expected))

    def _first(self) -> Difference | None:
        pairs = zip(self.expected.events, self.found.events, strict=False)
        for number, (one, two) in enumerate(pairs):
            different = self._event(number, one, two)
            if different:
                return different
        if len(self.expected.events) != len(self.found.events):
            return Difference("number of statements run", "", "control flow parted")
        return self._final()

    def _event(self, number: int, one: Event, two: Event) -> Difference | None:
        kind = one.statement.kind
        if one.statement is not two.statement:
            return Difference("order of statements", kind, "control flow parted", number)
        different = self._outcome(one.outcome, two.outcome)
        if different:
            what, detail, message = different
            return Difference(what, kind, detail, number, message=message,
                              expected=one.outcome, found=two.outcome)
        for what, name, left, right in (
            *self._all(one.facts, two.facts), *self._all(one.snapshot, two.snapshot),
        ):
            return Difference(what, kind, f"{name}: torch {left}, found {right}", number, name,
                              expected=left, found=right)
        if one.versions != two.versions:
            detail = f"torch {one.versions}, found {two.versions}"
            return Difference("version", kind, detail, number)
        return None

    def _outcome(self, one: Any, two: Any) -> tuple[str, str, str] | None:
        if isinstance(one, Raised) and isinstance(two, Raised):
            if expected_class(one) in two.classes:
                return None
            return (f"raises {one.classes[0]} in torch, {two.name} here",
                    f"torch: {one.text}\nfound: {two.text}", two.text)
        if isinstance(one, Raised):
            return f"only torch raises {one.name}", one.text, one.text
        if isinstance(two, Raised):
            return f"only here raises {two.name}", two.text, two.text
        return None

    def _final(self) -> Difference | None:
        for what, name, left, right in self._all(self.expected.final, self.found.final):
            return Difference(what, "", f"{name}: torch {left}, found {right}", variable=name,
                              expected=left, found=right)
        for one, two in zip(self.expected.aliasing, self.found.aliasing, strict=False):
            for _, name, left, right in self._all(one, two):
                detail = f"{name}: torch {left}, found {right}"
                if isinstance(one, (str, tuple)):
                    return Difference("aliasing (write raises)", "", f"torch {one}, found {two}")
                return Difference("aliasing", "", detail, variable=name)
        return None

    def _all(self, one: Any, two: Any, path: str = "") -> Iterator[tuple[str, str, Any, Any]]:
        """Yield (what, where, left, right) for each difference of two pieces of data."""
        if isinstance(one, Seen) and isinstance(two, Seen):
            facts = list(self._all(one.facts, two.facts, path))
            yield from facts
            if not facts:
                yield from self._all(one.values, two.values, path)
            for what, where, left, right in self._all(one.grad, two.grad, path + ".grad"):
                if what not in ("stride", "is_contiguous"):
                    yield f"grad: {what}", where, left, right
        elif isinstance(one, Facts) and isinstance(two, Facts):
            for field in fields(Facts):
                left, right = getattr(one, field.name), getattr(two, field.name)
                if field.name == "stride":
                    left, right = visible(one), visible(two)
                if left != right:
                    yield field.name, path, one, two
        elif isinstance(one, Raised) and isinstance(two, Raised):
            if expected_class(one) not in two.classes:
                yield "exception", path, one, two
        elif isinstance(one, dict) and isinstance(two, dict):
            for name in dict.fromkeys((*one, *two)):
                if name in one and name in two:
                    yield from self._all(one[name], two[name], f"{path}{name}")
                else:
                    yield "variable missing", name, name in one, name in two
        elif isinstance(one, list) and isinstance(two, list):
            if len(one) != len(two):
                yield "length", path, one, two
            elif one != two:
                for number, (left, right) in enumerate(zip(one, two, strict=True)):
                    yield from self._all(left, right, f"{path}[{number}]")
        elif not self._same(one, two):
            yield "values" if _is_number(one) and _is_number(two) else "type", path, one, two

    def _same(self, one: Any, two: Any) -> bool:
        if isinstance(one, bool) != isinstance(two, bool):
            return False
        if isinstance(one, float) and isinstance(two, float):
            if math.isnan(one) or math.isnan(two):
                return math.isnan(one) and math.isnan(two)
            if math.isinf(one) or math.isinf(two):
                return one == two
            return abs(one - two) <= self.absolute + self.relative * max(abs(one), abs(two))
        return type(one) is type(two) and one == two


def expected_class(error: Raised) -> str:
    """Return the builtin class that a program would catch.

    PyTorch raises NotImplementedError, a RuntimeError, where a kernel happens not to exist for a
    type ("abs_cpu" not implemented for 'Bool'); RuntimeError is enough there.
    """
    missing = error.classes[0] == "NotImplementedError" and "not implemented for" in error.text
    return "RuntimeError" if missing else error.classes[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def visible(facts: Facts) -> tuple[int, ...]:
    """Return the strides that matter: not those of axes of size one, nor of empty tensors."""
    if 0 in facts.shape:
        return ()
    return tuple(
        stride for size, stride in zip(facts.shape, facts.stride, strict=True) if size > 1)
