"""A program: a whole graph as native calls over planned memory.

    planned = Planned(graph)     simplify, fuse, lower, order; plan each step
    program = Program(graph)     the same with memory and addresses, ready to run
    program.run(arrays)          arrays of the graph's inputs -> arrays of its outputs

A step is a native plan, or - for ops without one - the op's meaning on NumPy, as in the oracle.
Both read and write the same memory, so a graph is never all or nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .. import strides
from ..ir import Graph, Type, Value, registry
from ..kernel import Load, Loop, Phase, Store
from ..passes.access import Access, access
from ..passes.fuse import Fusion, Group
from ..passes.lower import lower
from ..passes.simplify import simplify
from . import arithmetic, native
from .linked import Linked
from .merge import merged
from .places import Meaning, Native, Place, Reader, Step, find_lives, made_by
from .schedule import schedule
from .steps import Operand, Plan
from .time_loop import plan_scan

COPIED = ("reshape", "permute", "expand", "slice", "flip", "windows")


class Program:
    """A compiled graph: nothing of the graph itself is kept, only tables of numbers.

    Args:
        graph, updates: as for `Planned`.

    Attributes:
        donated: the updates that can be done in place.
        run: `run(arrays, take)`, see `linked.Linked.run`.

    Neighbouring steps that do not depend on each other are run as one.
    """

    def __init__(self, graph: Graph, updates: Mapping[int, int] | None = None):
        planned = Planned(graph, updates)
        self.donated = planned.donated
        taken = {id(planned.outputs[k]): planned.inputs[n] for k, n in planned.donated.items()}
        steps = merged(planned.steps, taken)
        find_lives(steps, planned.outputs)
        self.linked = Linked(steps, planned.inputs, planned.outputs, self.donated)
        self.run = self.linked.run


class Planned:
    """What is done to compute a graph, step by step.

    Args:
        graph: what is computed.
        updates: for outputs (by number) the input whose memory they may take over, because what
            holds the input will hold the output afterwards.

    Attributes:
        graph: the simplified graph.
        steps: what is done, in order.
        donated: the updates that can be done in place.
    """

    def __init__(self, graph: Graph, updates: Mapping[int, int] | None = None):
        # Stand-ins for the inputs, so that the program keeps nobody's data.
        inputs = [Value(None, (), {}, v.shape, v.dtype) for v in graph.inputs]
        simple, outputs = simplify(graph, inputs)
        outputs = _apart(outputs)
        self.graph = Graph(outputs)
        self.graph.inputs = inputs
        self._fusion = Fusion(self.graph)
        self._stored = self._fusion.stored()
        self.steps: list[Step] = []
        self.inputs = [Place(v.type, 0, k) for k, v in enumerate(inputs)]
        self._places = {v.order: place for v, place in zip(inputs, self.inputs, strict=True)}
        self.outputs: list[Place] = []
        for value in outputs:
            place = Place(value.type, 0, len(self.inputs) + len(self.outputs))
            self._places[self._fusion.access(value).source.order] = place
            self.outputs.append(place)
        for unit in schedule(
                self._fusion, [self._fusion.access(v).source for v in outputs]):
            self._emit(unit)
        find_lives(self.steps, self.outputs)
        self.donated = self._donations(updates or {})

    # --- steps -----------------------------------------------------------------------------

    def place(self, value: Value) -> Place:
        """The place of a value in the memory."""
        found = self._places.get(value.order)
        if found is None:
            found = self._places[value.order] = Place(value.type, len(self.steps))
        return found

    def _emit(self, unit: Value | Group) -> None:
        if isinstance(unit, Group):
            self._emit_group(unit)
        elif unit.op.kind == "movement" and unit.op.name in COPIED:
            self._emit_copy(unit)
        else:
            self._emit_value(unit)

    def _emit_group(self, group: Group) -> None:
        stored = [k for k in group.members if k in self._stored]
        lowered = None
        if math.prod(group.shape):
            lowered = lower(self._fusion, group, stored)
            plan = native.plan_loop(lowered.loop)
        if lowered is None or plan is None:
            for member in group.members.values():
                self._emit_meaning(member)
            return
        places = tuple(self.place(v) for v in (*lowered.inputs, *lowered.outputs))
        self.steps.append(Native(plan, places, len(lowered.outputs),
                                 frozenset(lowered.loop.in_place()),
                                 lowered.loop, operations=arithmetic.of_loop(lowered.loop)))

    def _emit_copy(self, value: Value) -> None:
        """A movement whose elements have to be put in order: copy them."""
        if math.prod(value.shape) == 0:
            self.place(value)
            return
        moved = value.inputs[0]
        found = self._fusion.access(moved)
        self._copy(moved, found, self.place(value))

    def _copy(self, value: Value, found: Access, target: Place) -> None:
        shape = value.shape
        load = Load(0, value.dtype, found.offset, found.strides)
        store = Store(1, 0, 0, strides.contiguous(shape))
        loop = Loop((), shape, (Phase((load, store)),),
                    (found.source.type, Type(shape, value.dtype)), 1)
        plan = native.plan_loop(loop)
        if plan is None:
            raise AssertionError(f"a copy without a native loop: {value!r}")
        self.steps.append(Native(plan, (self.place(found.source), target), loop=loop))

    def _emit_value(self, value: Value) -> None:
        accesses = [self._fusion.access(v) for v in value.inputs]
        operands = tuple(Operand(v.dtype, v.shape, a.offset, a.strides)
                         for v, a in zip(value.inputs, accesses, strict=True))
        plan = _plan_value(value, operands)
        places = [self.place(a.source) for a in accesses]
        if plan is None:
            straight = tuple(o._replace(offset=0, strides=strides.contiguous(o.shape))
                             for o in operands)
            if straight != operands:
                plan = _plan_value(value, straight)
                if plan is not None:
                    places = [self._straight(v, a) for v, a in zip(
                        value.inputs, accesses, strict=True)]
        if plan is None:
            self._emit_meaning(value)
            return
        result = len(places)
        aligned: frozenset[tuple[int, int]] = frozenset()
        if plan.inplace is not None:
            # What is overwritten must not be read as another operand, too.
            shared = places[plan.inplace]
            if sum(place is shared for place in places) == 1:
                aligned = frozenset({(plan.inplace, result)})
        self.steps.append(Native(plan, (*places, self.place(value)), 1, aligned,
                                 text=value.op.name, operations=arithmetic.of_value(value)))

    def _straight(self, value: Value, found: Access) -> Place:
        """The place of an operand whose elements lie in order: its own or a copy's."""
        if found.offset == 0 and found.strides == strides.contiguous(value.shape) and (
                math.prod(value.shape) == math.prod(found.source.shape)):
            return self.place(found.source)
        target = Place(value.type, len(self.steps))
        if target.size:
            self._copy(value, found, target)
        return target

    def _emit_meaning(self, value: Value) -> None:
        readers = tuple(self._reader(v) for v in value.inputs)
        bare = Value(value.op, (), value.settings, value.shape, value.dtype)
        self.steps.append(Meaning(bare, readers, (self.place(value),),
                                  arithmetic.of_value(value)))

    def _reader(self, value: Value) -> Reader:
        # A member of a group that is computed one by one is read where it is.
        if value.order in self._places:
            return Reader(self._places[value.order], None, value.shape)
        found = self._fusion.access(value)
        place = self.place(found.source)
        return Reader(place, None if found.source is value else found, value.shape)

    # --- lives -----------------------------------------------------------------------------

    def _donations(self, updates: Mapping[int, int]) -> dict[int, int]:
        """Return which updates can be done in place: their input is read by nobody later."""
        makers = {id(place): number for number, step in enumerate(self.steps)
                  for place in made_by(step)}
        faults = [n for n, s in enumerate(self.steps)
                  if isinstance(s, Meaning) or s.can_fault()]
        settled = faults[-1] if faults else -1
        found = {}
        for output, source in updates.items():
            new, old = self.outputs[output], self.inputs[source]
            maker = makers.get(id(new))
            if maker is None or new.type != old.type or maker <= settled or old.last > maker:
                continue
            step = self.steps[maker]
            if old.last < maker or (
                    isinstance(step, Native) and old in step.places and new in step.places
                    and (step.places.index(old), step.places.index(new)) in step.aligned):
                found[output] = source
        return found


def _plan_value(value: Value, operands: tuple[Operand, ...]) -> Plan | None:
    """Plan an op with a kernel of its own; a scan's is the program of its body."""
    if value.op.name == "scan":
        return plan_scan(value, operands, Planned)
    return native.plan_value(value, operands)


def _apart(outputs: list[Value]) -> list[Value]:
    """Give every output memory of its own: no input, no part of another value, no other output.

    Another shape of a value that was computed is no part of it: the same memory is both.
    """
    seen: set[int] = set()
    found = []
    for value in outputs:
        read = access(value)
        source = read.source
        alone = (source.op is not None and source.order not in seen and read.offset == 0
                 and read.strides == strides.contiguous(value.shape)
                 and math.prod(value.shape) == math.prod(source.shape))
        made = value if alone else registry["copy"](value)
        seen.add(source.order if alone else made.order)
        found.append(made)
    return found
