"""What one fused loop computes: the hand-over from the passes to a compiling backend.

A `Loop` runs over rows; a row is a run over the inner axes. A row has phases, one after another:
each phase passes once over the inner axes (loads, arithmetic, reductions, stores of elements) and
then does once-a-row work with what it has reduced (arithmetic, stores of row results). Later
phases may use the row results of earlier ones, as numbers that stay the same along the row.

    elementwise      no outer axes, one phase: load, compute, store
    a reduction      one phase: load, compute, reduce; after it: store
    softmax          three phases: largest; sum of exp(x - largest); store exp(x - largest) / sum

Results are numbered in the order of their statements, through all phases; arithmetic refers to
these numbers. A loop names no memory: loads and stores name places in its list of buffers. A phase
may read what an earlier phase of the same row has stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from .dtypes import dtype as DType
from .ir import Op, Type

# Ops that take many instructions for an element.
HEAVY = ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin",
         "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "erf",
         "erfinv", "pow", "atan2", "floor_divide", "trunc_divide", "remainder", "fmod")


class Load(NamedTuple):
    """Read an element: from `buffer`, at offset + sum of strides times places (in elements)."""

    buffer: int
    dtype: DType
    offset: int
    strides: tuple[int, ...]  # one for each outer axis, then one for each inner axis


class Compute(NamedTuple):
    """Apply an elementwise op to earlier results."""

    op: Op
    operands: tuple[int, ...]
    settings: tuple[tuple[str, Any], ...]
    dtype: DType


class Reduce(NamedTuple):
    """Combine an earlier result over the inner axes; the result is a number of the row."""

    op: Op
    operand: int
    dtype: DType


class Store(NamedTuple):
    """Write an earlier result: element by element, or once a row after a phase."""

    buffer: int
    operand: int
    offset: int
    strides: tuple[int, ...]  # as in Load; inner ones are 0 for a row result


Statement = Load | Compute | Reduce | Store


class Phase(NamedTuple):
    """One pass over the inner axes, then work done once a row."""

    inner: tuple[Statement, ...]
    after: tuple[Statement, ...] = ()


class Loop(NamedTuple):
    """A fused loop.

    Attributes:
        outer: lengths of the axes that count rows.
        inner: lengths of the axes that a row runs over.
        phases: what is done along a row.
        buffers: the type of each buffer, inputs first, then outputs.
        outputs: how many of the buffers are written.
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    phases: tuple[Phase, ...]
    buffers: tuple[Type, ...]
    outputs: int

    def statements(self) -> Iterator[tuple[int, bool, Statement]]:
        """Yield (phase, whether inside the pass, statement) in order."""
        for number, phase in enumerate(self.phases):
            for statement in phase.inner:
                yield number, True, statement
            for statement in phase.after:
                yield number, False, statement

    @property
    def rows(self) -> int:
        """The number of rows."""
        return math.prod(self.outer)

    @property
    def width(self) -> int:
        """The number of elements in a row."""
        return math.prod(self.inner)

    def in_place(self) -> list[tuple[int, int]]:
        """Return pairs (input, output) of buffers that may be the same memory.

        An input that is not needed afterwards can be overwritten where each element is read for
        the last time before it is stored, and nobody else reads it.
        """
        first = len(self.buffers) - self.outputs
        reads: dict[int, list[tuple[int, Load]]] = {}
        writes: dict[int, list[tuple[int, Store]]] = {}
        for place, (_, _, s) in enumerate(self.statements()):
            if isinstance(s, Load):
                reads.setdefault(s.buffer, []).append((place, s))
            elif isinstance(s, Store):
                writes.setdefault(s.buffer, []).append((place, s))

        def fits(source: int, target: int) -> bool:
            begin = writes[target][0][0]
            places = {(s.offset, s.strides) for _, s in reads[source]}
            places |= {(s.offset, s.strides) for _, s in writes[target]}
            old, new = self.buffers[source], self.buffers[target]
            return (old.dtype is new.dtype and math.prod(old.shape) == math.prod(new.shape)
                    and len(places) == 1 and all(place < begin for place, _ in reads[source]))

        return [(source, target) for source in range(first) if source in reads
                for target in range(first, len(self.buffers))
                if target in writes and fits(source, target)]

    def __str__(self) -> str:
        """The loop as text, one statement a line."""
        lines = [f"loop {list(self.outer)} x {list(self.inner)}"]
        number = 0
        for phase, inside, statement in self.statements():
            place = f"  {phase}{'.' if inside else '|'} "
            if isinstance(statement, Store):
                lines.append(f"{place}buffer{statement.buffer}{list(statement.strides)} = "
                             f"%{statement.operand}")
                continue
            if isinstance(statement, Load):
                text = (f"buffer{statement.buffer}[{statement.offset} + "
                        f"{list(statement.strides)}]")
            elif isinstance(statement, Reduce):
                text = f"{statement.op.name} over the row of %{statement.operand}"
            else:
                names = ", ".join(f"%{k}" for k in statement.operands)
                text = f"{statement.op.name}({names})"
            lines.append(f"{place}%{number}: {statement.dtype.name} = {text}")
            number += 1
        return "\n".join(lines)
