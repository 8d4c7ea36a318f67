"""A body: a piece of graph without data, which an op such as `scan` holds as a setting.

    Line   one operation of the body, with its operands by number
    Body   types of parameters, constants, lines, and the numbers of the results

Values of a body are numbered: its parameters first, then its constants, then its lines. A body
never changes and holds no array, so that two bodies of the same structure are equal, and a
program that was compiled for one serves the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import dtypes
from .ir import Nested, Op, Type, Value, VerifyError, mode, number, setting_text


class Constant(NamedTuple):
    """A number that belongs to the body itself, such as the 1 in 1 - x."""

    dtype: dtypes.dtype
    bits: bytes

    @property
    def value(self) -> bool | int | float:
        """The number."""
        return np.frombuffer(self.bits, self.dtype.array)[0].item()

    @property
    def type(self) -> Type:
        """Its type: no axes."""
        return Type((), self.dtype)


class Line(NamedTuple):
    """One operation of a body.

    Attributes:
        op, settings: what is computed; settings as (name, value) in order of names.
        operands: numbers of earlier values.
        type: of the result.
    """

    op: Op
    operands: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...]
    type: Type


class Body(Nested):
    """A graph from parameters to results, as an immutable record.

    Attributes:
        parameters: their types.
        constants: numbers that belong to the body.
        lines: operations, each after its operands.
        results: numbers of the values it gives back.
    """

    __slots__ = ("parameters", "constants", "lines", "results", "_hash")

    def __init__(self, parameters: Iterable[Type], constants: Iterable[Constant],
                 lines: Iterable[Line], results: Iterable[int]):
        self.parameters, self.constants = tuple(parameters), tuple(constants)
        self.lines, self.results = tuple(lines), tuple(results)
        self._hash = hash((
            self.parameters, self.constants, self.results,
            tuple((line.op.name, line.operands, line.settings, line.type)
                  for line in self.lines)))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Body) and self._hash == other._hash
            and self.parameters == other.parameters and self.constants == other.constants
            and self.results == other.results and self.lines == other.lines)

    @property
    def structure(self) -> tuple:
        """The whole body in numbers, strings and tuples of them."""
        return (
            [_type_structure(t) for t in self.parameters],
            [(c.dtype.name, c.bits) for c in self.constants],
            [(line.op.name, line.operands, [(name, _structure(s)) for name, s in line.settings],
              _type_structure(line.type)) for line in self.lines],
            self.results)

    @property
    def first_line(self) -> int:
        """The number of the first line's value."""
        return len(self.parameters) + len(self.constants)

    def type_of(self, place: int) -> Type:
        """Return the type of the value of that number."""
        if place < len(self.parameters):
            return self.parameters[place]
        if place < self.first_line:
            return self.constants[place - len(self.parameters)].type
        return self.lines[place - self.first_line].type

    @property
    def result_types(self) -> tuple[Type, ...]:
        """The types of the results."""
        return tuple(self.type_of(place) for place in self.results)

    def with_results(self, results: Iterable[int]) -> Body:
        """Return the same body with other results."""
        return Body(self.parameters, self.constants, self.lines, results)

    def dependents(self, places: Iterable[int]) -> set[int]:
        """Return the numbers of the values that depend on any of those (themselves included)."""
        found = set(places)
        for place, line in enumerate(self.lines, self.first_line):
            if not found.isdisjoint(line.operands):
                found.add(place)
        return found

    def unfold(self, arguments: Sequence[Value]) -> list[Value]:
        """Put the body into a graph: return all its values, by number, made of `arguments`."""
        values = [*arguments, *(number(c.value, c.dtype) for c in self.constants)]
        for line in self.lines:
            values.append(line.op(*(values[k] for k in line.operands), **dict(line.settings)))
        return values

    def compute(self, xp: Any, known: dict[int, Any], only: set[int] | None = None
                ) -> dict[int, Any]:
        """Return arrays of the body's values by number: its meaning.

        Args:
            known: arrays of parameters, and of values that need not be computed again.
            only: the lines to compute; None for all.
        """
        found = dict(known)
        for place, constant in enumerate(self.constants, len(self.parameters)):
            found[place] = xp.asarray(constant.value, constant.dtype.array)
        for place, line in enumerate(self.lines, self.first_line):
            if place not in found and (only is None or place in only):
                operands = [found[k] for k in line.operands]
                found[place] = xp.asarray(line.op.meaning(xp, *operands, **dict(line.settings)))
        return found

    def verify(self) -> None:
        """Check every rule of the body; raises VerifyError with the line that breaks one."""
        count = self.first_line + len(self.lines)
        for place, line in enumerate(self.lines, self.first_line):
            if any(not 0 <= k < place for k in line.operands):
                raise VerifyError(f"%{place} = {line.op.name}: used before its operand is made")
            stands = [Value(None, (), {}, *self.type_of(k)) for k in line.operands]
            expected = Type(*line.op.result(*stands, **dict(line.settings)))
            if expected != line.type:
                raise VerifyError(f"%{place} = {line.op.name} is {line.type}: its type rule says "
                                  f"{expected}")
        if any(not 0 <= k < count for k in self.results):
            raise VerifyError(f"results {self.results} of a body of {count} values")

    def __repr__(self) -> str:
        return (f"<body of {len(self.parameters)} parameters, {len(self.lines)} lines, "
                f"{len(self.results)} results>")

    def __str__(self) -> str:
        """The body as text, one line a value."""
        heading = ", ".join(f"%{k}: {t}" for k, t in enumerate(self.parameters))
        lines = [f"body({heading})"]
        for place, constant in enumerate(self.constants, len(self.parameters)):
            lines.append(f"  %{place}: {constant.type} = {constant.value!r}")
        for place, line in enumerate(self.lines, self.first_line):
            arguments = [f"%{k}" for k in line.operands]
            arguments += [f"{name}={setting_text(value)}" for name, value in line.settings]
            lines.append(f"  %{place}: {line.type} = {line.op.name}({', '.join(arguments)})")
        lines.append(f"  return {', '.join(f'%{k}' for k in self.results)}")
        return "\n".join(lines)


def _type_structure(kind: Type) -> tuple:
    return kind.shape, kind.dtype.name


def _structure(setting: Any) -> Any:
    if isinstance(setting, Body):
        return setting.structure
    return setting.name if isinstance(setting, dtypes.dtype) else setting


def trace(function: Callable[..., Sequence[Value]], types: Iterable[Type]) -> Body:
    """Return what a function of values does with parameters of those types, as a body.

    Numbers that the function makes are the body's own constants; it may use no other data.
    """
    parameters = [Value(None, (), {}, *t) for t in types]
    before, mode.grad = mode.grad, False
    try:
        results = function(*parameters)
    finally:
        mode.grad = before
    return close(parameters, results)


def close(parameters: Sequence[Value], results: Sequence[Value]) -> Body:
    """Return the body that leads from placeholders without data to values made of them."""
    places = {value.order: place for place, value in enumerate(parameters)}
    made: dict[int, Value] = {}
    stack = list(results)
    while stack:
        value = stack.pop()
        if value.order not in places and value.order not in made:
            made[value.order] = value
            stack.extend(value.inputs)
    ordered = [made[order] for order in sorted(made)]
    constants: list[Constant] = []
    for value in ordered:
        if value.op is None:
            constant = _constant(value)
            if constant not in constants:
                constants.append(constant)
            places[value.order] = len(parameters) + constants.index(constant)
    lines: list[Line] = []
    known: dict[tuple, int] = {}  # equal lines stand once
    for value in ordered:
        if value.op is None:
            continue
        line = Line(value.op, tuple(places[v.order] for v in value.inputs),
                    tuple(sorted(value.settings.items())), value.type)
        key = (line.op.name, *line[1:])
        if key not in known:
            known[key] = len(parameters) + len(constants) + len(lines)
            lines.append(line)
        places[value.order] = known[key]
    return Body([v.type for v in parameters], constants, lines, [places[v.order] for v in results])


def _constant(value: Value) -> Constant:
    if value.data is None:
        raise VerifyError(f"{value!r}: a placeholder that is no parameter of the body")
    if value.shape:
        raise VerifyError(f"{value!r}: a body holds no arrays",
                          fix="another parameter for it, constant over time")
    return Constant(value.dtype, value.data.tobytes())
