"""Fuse: gather values into groups that one loop computes.

Walking the graph in order, a value joins the group of one of its operands where that is allowed:

- elementwise values of the group's shape join (chains, and branches that share operands);
- a reduction of the group's shape joins as the group's reduction; all reductions of a group go
  over the same axes;
- elementwise values of the reduced shape join as row results; and when a row result is expanded
  again over the reduced axes, its readers join too: softmax and layer norm are one group.

- when a value reads several groups of its shape, they become one (a parameter's update);
- groups that reduce the same memory over the same axes become one.

A group is one node of the program, so joining must never make two groups wait for each other.
For that each group knows which groups it depends on, as a set of bits. Only a group nobody
depends on yet may take on new dependencies: so what others know of it stays true.
"""

from __future__ import annotations

from ..ir import Graph, Value
from .access import STEPS, Access, access
from .again import Reading, computed_again

Key = tuple[int, int, tuple[int, ...]]

# Members of a group: what a program repeats many times should be many equal loops, not a long one.
MOST = 64


class Group:
    """Values that one loop computes.

    Attributes:
        number: its place among the groups.
        bits: itself, in sets of groups; several bits after others became part of it.
        shape: the shape of its elements.
        axes: the axes its reductions go over, or None while it has none.
        members: its values, in order.
        needs: the groups it depends on, as bits.
        closed: whether another group depends on it.
        reads: memory from outside that it reads element by element.
    """

    __slots__ = ("number", "bits", "shape", "axes", "members", "needs", "closed", "reads")

    def __init__(self, number: int, shape: tuple[int, ...]):
        self.number, self.bits, self.shape = number, 1 << number, shape
        self.axes: tuple[int, ...] | None = None
        self.members: dict[int, Value] = {}
        self.needs, self.closed = 0, False
        self.reads: set[Key] = set()

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of its row results."""
        return tuple(1 if k in (self.axes or ()) else n for k, n in enumerate(self.shape))

    def __repr__(self) -> str:
        names = " ".join(v.op.name for v in self.members.values() if v.op)
        return f"<group {self.number} {list(self.shape)}: {names}>"


def is_row(group: Group, value: Value) -> bool:
    """Whether a member is a result of a row rather than of an element."""
    return group.axes is not None and value.shape == group.row_shape != group.shape


class Fusion:
    """The result: groups, and for each value the group that computes it, by creation order."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.groups: list[Group] = []
        self.group_of: dict[int, Group] = {}
        self.accesses: dict[int, Access] = {}
        self._readers: dict[Key, list[Group]] = {}
        self.again: set[int] = set()  # values that their readers compute, after `stored`
        # The groups each value depends on, its own included, as bits.
        self._reach: dict[int, int] = {v.order: 0 for v in graph.inputs}
        for value in graph.values:
            self._place(value)
        self.groups = [group for group in self.groups if group is not None]

    def access(self, value: Value) -> Access:
        """How a value is read, with memory of the answer."""
        found = self.accesses.get(value.order)
        if found is None:
            found = self.accesses[value.order] = access(value)
        return found

    def _place(self, value: Value) -> None:
        reach = 0
        for operand in value.inputs:
            reach |= self._reach[operand.order]
        if not fusible(value):
            if not self._passes_through(value):
                self._use(value.inputs, None)
            self._reach[value.order] = reach
            return
        willing = [g for g in self._candidates(value) if self._may_join(g, value)]
        if willing:
            group = willing[0]
            for other in willing[1:]:
                group = self._merge(group, other)
        else:
            source = value.inputs[0] if value.op.kind == "reduction" else value
            group = Group(len(self.groups), source.shape)
            self.groups.append(group)
        if value.op.kind == "reduction":
            group.axes = value.settings["axes"]
        group.members[value.order] = value
        group.needs |= self._outside_reach(group, value) & ~group.bits
        self.group_of[value.order] = group
        self._note_reads(group, value)
        if value.op.kind == "reduction":
            group = self._with_siblings(group)
        self._use(value.inputs, group)
        self._reach[value.order] = reach | group.needs | group.bits

    def _merge(self, a: Group, b: Group) -> Group:
        """Make two groups one, where that is allowed; return the group that has a's members."""
        if len(a.members) + len(b.members) > MOST:
            return a
        if a.shape != b.shape or (a.axes != b.axes and None not in (a.axes, b.axes)):
            return a
        if a.needs & b.bits or b.needs & a.bits:
            return a
        needs = a.needs | b.needs
        if (a.closed and needs & ~a.needs) or (b.closed and needs & ~b.needs):
            return a
        axes = a.axes or b.axes
        if axes and a.axes != b.axes and not self._plain(a if a.axes is None else b, axes):
            return a
        large, small = (a, b) if len(a.members) >= len(b.members) else (b, a)
        for order, member in small.members.items():
            self.group_of[order] = large
            large.members[order] = member
        large.members = dict(sorted(large.members.items()))
        large.axes = large.axes or small.axes
        for key in small.reads - large.reads:
            self._readers[key].append(large)
        large.reads |= small.reads
        large.needs, large.closed = needs, a.closed or b.closed
        large.bits |= small.bits
        self.groups[small.number] = None  # type: ignore[call-overload]
        return large

    @staticmethod
    def _plain(group: Group, axes: tuple[int, ...]) -> bool:
        """Whether no member would be mistaken for a row result of these axes."""
        return any(group.shape[k] != 1 for k in axes)

    def _use(self, operands, group: Group | None) -> None:
        """Close the groups that a value outside them reads from."""
        for operand in operands:
            source = self.access(operand).source
            made_by = self.group_of.get(source.order)
            if made_by is not None and made_by is not group:
                made_by.closed = True

    def _passes_through(self, value: Value) -> bool:
        """Whether a move is read through: it needs no copy, so that its readers decide."""
        return value.op.name in STEPS and self.access(value).source is not value

    def _candidates(self, value: Value) -> list[Group]:
        """The groups of the operands, latest first."""
        found: dict[int, Group] = {}
        for operand in value.inputs:
            group = self.group_of.get(self.access(operand).source.order)
            if group is not None:
                found[group.number] = group
        return [found[k] for k in sorted(found, reverse=True)]

    def key(self, operand: Value) -> Key:
        """Says which memory an operand reads, and in which order."""
        found = self.access(operand)
        return found.source.order, found.offset, found.strides

    def is_row_level(self, group: Group, value: Value) -> bool:
        """Whether a member is one number for a whole row."""
        return value.op.kind == "reduction" or is_row(group, value)

    def _note_reads(self, group: Group, value: Value) -> None:
        """Remember which memory from outside a group reads."""
        for operand in value.inputs:
            key = self.key(operand)
            if operand.shape == group.shape and key not in group.reads and (
                    self.group_of.get(key[0]) is not group):
                group.reads.add(key)
                self._readers.setdefault(key, []).append(group)

    def _with_siblings(self, group: Group) -> Group:
        """Join groups that reduce the same memory over the same axes: it is read once for all."""
        for key in sorted(group.reads):
            for other in list(self._readers[key]):
                # Groups that became part of others are not in the list any more.
                if other is not group and other.axes == group.axes and (
                        self.groups[other.number] is other):
                    group = self._merge(group, other)
        return group

    def _may_join(self, group: Group, value: Value) -> bool:
        if len(group.members) >= MOST:
            return False
        if value.op.kind == "reduction":
            axes = value.settings["axes"]
            if group.axes not in (None, axes) or value.inputs[0].shape != group.shape:
                return False
        elif value.shape != group.shape and not (
                group.axes is not None and value.shape == group.row_shape):
            return False
        level = value.inputs[0].shape if value.op.kind == "reduction" else value.shape
        if not all(self.reads_in_place(group, operand, level) for operand in value.inputs):
            return False
        outside = self._outside_reach(group, value)
        if outside & group.bits:
            return False
        return not (group.closed and outside & ~group.needs)

    def reads_in_place(self, group: Group, operand: Value, level: tuple[int, ...]) -> bool:
        """Whether a reader of shape `level` finds a member where it is, or reads no member."""
        source = self.access(operand).source
        if self.group_of.get(source.order) is not group:
            return True
        if source is operand:
            # An element may not be read once a row before the row's pass is over.
            return operand.shape == level
        return self.is_row_broadcast(group, operand)

    def is_row_broadcast(self, group: Group, operand: Value) -> bool:
        """Whether an operand is a row result expanded over the reduced axes."""
        source = self.access(operand).source
        return (group.axes is not None and operand.op is not None
                and operand.op.name == "expand" and operand.inputs[0] is source
                and operand.shape == group.shape and is_row(group, source))

    def _outside_reach(self, group: Group, value: Value) -> int:
        bits = 0
        for operand in value.inputs:
            source = self.access(operand).source
            if self.group_of.get(source.order) is not group:
                bits |= self._reach[source.order]
        return bits

    def stored(self) -> dict[int, Value]:
        """The values that must stand in memory: outputs, and what others than their group read.

        What readers compute again is not among them but in `again`.
        """
        found: dict[int, Value] = {}
        readings: dict[int, list[Reading]] = {}

        def need(operand: Value, reader: Value | None) -> None:
            source = self.access(operand).source
            if source.op is None or source.data is not None:
                return
            group = None if reader is None else self.group_of.get(reader.order)
            if group is None or self.group_of.get(source.order) is not group:
                found[source.order] = source
                readings.setdefault(source.order, []).append(Reading(group, operand))

        for value in self.graph.outputs:
            need(value, None)
        for value in self.graph.values:
            if not self._passes_through(value):
                for operand in value.inputs:
                    need(operand, value)
        self.again = computed_again(self, found, readings)
        return found


def fusible(value: Value) -> bool:
    """Whether a loop can compute a value."""
    op = value.op
    assert op is not None, "a leaf is not computed"
    return op.kind == "reduction" or (
        op.kind == "elementwise" and op.lower.get("emit") is not None)
