"""Lower: write a group of fused values as a `kernel.Loop`.

Each member gets a phase: the pass over the row in which all it needs is known. A member that a
later phase needs again is computed again there, from the same loads: arithmetic is cheaper than
memory. Where it is not (the exponentials of a softmax), the member waits in the memory of an output
that depends on it; and what is stored anyway is read back if that takes fewer reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..ir import Type, Value
from ..kernel import HEAVY, Compute, Load, Loop, Phase, Reduce, Statement, Store
from ..strides import contiguous
from .fuse import Fusion, Group


class Lowered(NamedTuple):
    """A loop, and the values whose memory its buffers are: inputs first, then outputs."""

    loop: Loop
    inputs: list[Value]
    outputs: list[Value]


class Waiting(NamedTuple):
    """A member that stands in the memory of `where` from phase `since` to `until`.

    `where` is the member itself, or one that is stored there only later.
    """

    since: int
    until: int
    where: Value


def lower(fusion: Fusion, group: Group, stored: Iterable[int]) -> Lowered:
    """Return the loop of a group; `stored` are the members that must stand in memory."""
    return _Lowering(fusion, group, set(stored)).result()


class _Lowering:
    def __init__(self, fusion: Fusion, group: Group, stored: set[int]):
        self.fusion, self.group, self.stored = fusion, group, stored
        rank = len(group.shape)
        reduced = group.axes or ()
        self.outer_axes = [k for k in range(rank) if k not in reduced] if reduced else []
        self.inner_axes = [k for k in range(rank) if k in reduced or not reduced]
        self.inputs: dict[int, Value] = {}
        self.outputs: list[Value] = []
        self.count = 0
        self.rows: dict[int, int] = {}  # results of the row, by value
        self.phase = 0  # the one being written
        self.phase_of: dict[int, int] = {}
        for member in group.members.values():
            self.phase_of[member.order] = self._phase(member)
        self.waiting = self._waiting()
        self.guests: dict[int, list[int]] = {}
        for order, waits in self.waiting.items():
            if order != waits.where.order:
                self.guests.setdefault(waits.where.order, []).append(order)

    # --- phases ----------------------------------------------------------------------------

    def _row_level(self, value: Value) -> bool:
        return self.fusion.is_row_level(self.group, value)

    def _member(self, operand: Value) -> Value | None:
        """The member that an operand shows, or None for something outside."""
        source = self.fusion.access(operand).source
        return source if source.order in self.group.members else None

    def _phase(self, value: Value) -> int:
        phase = 0
        for operand in value.inputs:
            member = self._member(operand)
            if member is None:
                continue
            later = self._row_level(member) and not (
                self._row_level(value) and value.op.kind != "reduction")
            phase = max(phase, self.phase_of[member.order] + later)
        return phase

    # --- what waits in memory ------------------------------------------------------------------

    def _waiting(self) -> dict[int, Waiting]:
        """Members that are too costly to compute again, by creation order."""
        found: dict[int, Waiting] = {}
        last = max(self.phase_of.values())
        if not last:
            return found
        reduced: dict[int, int] = {}  # what a reduction reads, and the phase in which it does
        for member in self.group.members.values():
            phase = self.phase_of[member.order]
            if member.op is not None and member.op.kind == "reduction":
                source = self._member(member.inputs[0])
                if source is not None and not self._row_level(source):
                    for element in self._elements_below(source):
                        reduced.setdefault(element.order, phase)
            elif member.order in self.stored and not self._row_level(member) and (
                    member.order not in found):
                below = self._elements_below(member)
                heavy = [v for v in below
                         if v.op.name in HEAVY and v.dtype is member.dtype
                         and v.order not in found and reduced.get(v.order, phase) < phase]
                if heavy:
                    found[heavy[-1].order] = Waiting(reduced[heavy[-1].order], phase, member)
                elif self._loads(below) > 1:
                    found[member.order] = Waiting(phase, last, member)
        return found

    def _loads(self, members: list[Value]) -> int:
        """How many elements are read from memory to compute members."""
        return len({self.fusion.key(operand) for member in members for operand in member.inputs
                    if self._member(operand) is None and operand.shape == self.group.shape
                    and any(self.fusion.access(operand).strides)})

    def _elements_below(self, value: Value) -> list[Value]:
        """A member and the members that it is computed from, element by element, in order."""
        found = {value.order: value}
        stack = [value]
        while stack:
            for operand in stack.pop().inputs:
                member = self._member(operand)
                if member is not None and not self._row_level(member) and (
                        member.order not in found):
                    found[member.order] = member
                    stack.append(member)
        return [found[order] for order in sorted(found)]

    # --- statements --------------------------------------------------------------------------

    def result(self) -> Lowered:
        """Write the statements, then settle on axes that all accesses can share."""
        phases = []
        last = max(self.phase_of.values())
        self.buffers: list[Value] = []
        for number in range(last + 1):
            self.phase = number
            inner: list[Statement] = []
            after: list[Statement] = []
            elements: dict[object, int] = {}
            for member in self.group.members.values():
                if self.phase_of[member.order] != number:
                    continue
                if not self._row_level(member):
                    if member.order in self.stored:
                        for guest in self.guests.get(member.order, ()):
                            # Now or never: the member's own elements come next.
                            self._element(self.group.members[guest], inner, elements)
                        place = self._element(member, inner, elements)
                        inner.append(self._store(member, place))
                elif member.op.kind == "reduction":
                    place = self._element_operand(member.inputs[0], inner, elements)
                    inner.append(Reduce(member.op, place, member.dtype))
                    self.rows[member.order] = self._next()
            for member in self.group.members.values():
                if self.phase_of[member.order] == number and self._row_level(member):
                    if member.op.kind != "reduction":
                        self._row(member, after)
                    if member.order in self.stored:
                        after.append(self._store(member, self.rows[member.order]))
            phases.append(Phase(tuple(inner), tuple(after)))
        return self._settle(phases)

    def _next(self) -> int:
        self.count += 1
        return self.count - 1

    def _settings(self, value: Value) -> tuple:
        return tuple(sorted(value.settings.items()))

    def _element(self, value: Value, inner: list, elements: dict) -> int:
        """The number of a member computed in this phase, without recursion on long chains."""
        stack = [value]
        while stack:
            top = stack[-1]
            if top.order in elements:
                stack.pop()
                continue
            waits = self.waiting.get(top.order)
            if waits and waits.since < self.phase <= waits.until:
                inner.append(Load(waits.where.order, top.dtype, 0, self._strides_of(top, True)))
                elements[top.order] = self._next()
                continue
            missing = []
            for operand in top.inputs:
                made = self._made_here(operand)
                if made is not None and made.order not in elements:
                    missing.append(made)
            if missing:
                stack.extend(missing)
                continue
            places = tuple(self._element_operand(v, inner, elements) for v in top.inputs)
            inner.append(Compute(top.op, places, self._settings(top), top.dtype))
            elements[top.order] = self._next()
            if waits and self.phase == waits.since and waits.where is not top:
                inner.append(Store(waits.where.order, elements[top.order], 0,
                                   self._strides_of(top, True)))
            stack.pop()
        return elements[value.order]

    def _made_here(self, operand: Value) -> Value | None:
        """What is computed element by element: a member, or a value that is computed again."""
        member = self._member(operand)
        if member is None:
            return operand if operand.order in self.fusion.again else None
        return None if self._row_level(member) else member

    def _element_operand(self, operand: Value, inner: list, elements: dict) -> int:
        made = self._made_here(operand)
        if made is not None:
            return self._element(made, inner, elements)
        member = self._member(operand)
        if member is None:
            found = self.fusion.access(operand)
            key = ("load", found.source.order, found.offset, found.strides, operand.dtype.name)
            if key not in elements:
                inner.append(self._load(operand, element=True))
                elements[key] = self._next()
            return elements[key]
        return self.rows[member.order]

    def _row(self, value: Value, after: list) -> None:
        places = []
        for operand in value.inputs:
            member = self._member(operand)
            if member is not None:
                places.append(self.rows[member.order])
            else:
                after.append(self._load(operand, element=False))
                places.append(self._next())
        after.append(Compute(value.op, tuple(places), self._settings(value), value.dtype))
        self.rows[value.order] = self._next()

    def _strides(self, own: tuple[int, ...], element: bool) -> tuple[int, ...]:
        outer = [own[k] for k in self.outer_axes]
        return tuple(outer + [own[k] if element else 0 for k in self.inner_axes])

    def _load(self, operand: Value, element: bool) -> Load:
        found = self.fusion.access(operand)
        self.inputs.setdefault(found.source.order, found.source)
        return Load(found.source.order, operand.dtype, found.offset,
                    self._strides(found.strides, element))

    def _store(self, member: Value, place: int) -> Store:
        self.outputs.append(member)
        return Store(member.order, place, 0,
                     self._strides_of(member, not self._row_level(member)))

    def _strides_of(self, member: Value, element: bool) -> tuple[int, ...]:
        """The strides of a member's own memory."""
        return self._strides(contiguous(member.shape), element)

    # --- axes ----------------------------------------------------------------------------------

    def _settle(self, phases: list[Phase]) -> Lowered:
        """Join neighbouring axes wherever every access allows it, and number the buffers."""
        shape = self.group.shape
        outer = [shape[k] for k in self.outer_axes]
        inner = [shape[k] for k in self.inner_axes]
        rows = [s.strides for phase in phases for part in phase for s in part
                if isinstance(s, (Load, Store))]
        outer_plan = join_axes(outer, [r[:len(outer)] for r in rows])
        inner_plan = join_axes(inner, [r[len(outer):] for r in rows])
        order = [*self.inputs.values(), *self.outputs]
        numbers = {}
        for number, value in enumerate(order):
            numbers[value.order] = number

        def settled(statement: Statement) -> Statement:
            if not isinstance(statement, (Load, Store)):
                return statement
            own = statement.strides
            strides = (*(own[k] for k in outer_plan[1]),
                       *(own[len(outer) + k] for k in inner_plan[1]))
            return statement._replace(buffer=numbers[statement.buffer], strides=strides)

        loop = Loop(
            outer_plan[0], inner_plan[0],
            tuple(Phase(tuple(map(settled, p.inner)), tuple(map(settled, p.after)))
                  for p in phases),
            tuple(Type(v.shape, v.dtype) for v in order), len(self.outputs))
        return Lowered(loop, list(self.inputs.values()), self.outputs)


def join_axes(lengths: list[int], rows: list[tuple[int, ...]]) -> tuple[tuple[int, ...], list[int]]:
    """Return the joined lengths, and for each the axis whose strides it keeps.

    Axes of length 1 go; two neighbours join when in every access a step of the left one is as far
    as a whole run of the right one.
    """
    kept = [k for k, n in enumerate(lengths) if n != 1]
    joined: list[tuple[int, int]] = []
    for k in kept:
        if joined:
            length, left = joined[-1]
            if all(r[left] == r[k] * lengths[k] for r in rows):
                joined[-1] = (length * lengths[k], k)
                continue
        joined.append((lengths[k], k))
    return tuple(n for n, _ in joined), [k for _, k in joined]
