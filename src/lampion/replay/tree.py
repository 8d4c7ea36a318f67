"""What was recorded: a tree of the calls that followed each other, with what each one made.

    Node        a place in the tree: these calls were made since the record began
    Entry       one call that may follow there, and the node it leads to
    Made        a tensor that the call makes: all that can be said of it without its numbers
    Moment      a flush that may follow there (a read of one tensor, or of nothing in particular)
    Plan        what one flush computes: a compiled program and where its arrays come from and go

Calls are compared by their keys (see keys.py), so the tree holds no tensor of the user's and no
array but constants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# Where so many calls followed, only the last one is tried before they are looked up.
MANY = 8


class Call:
    """A public function whose calls are recorded whole.

    Args:
        function: what it does, slowly.
        lifts: places of positional arguments whose numbers are inputs of the program: the
            function hands them on to `ir.number` and looks at their type alone.
        operands: `operands(run, arguments) -> list`, what the call depends on besides its
            arguments, or None where a call must not be recorded.
        follow: `follow(run, args, kwargs)`, done at once when the call is replayed. Where nothing
            can be taken back any more, `run` is None.
        computes: whether who calls it makes everything pending computed right after it.
    """

    __slots__ = ("function", "name", "lifts", "operands", "follow", "computes")

    def __init__(self, function: Callable, lifts: Sequence[int] = (),
                 operands: Callable | None = None, follow: Callable | None = None,
                 computes: bool = False):
        self.function, self.name, self.lifts = function, function.__name__, lifts
        self.operands, self.follow, self.computes = operands, follow, computes


class Made:
    """A tensor that a recorded call makes.

    Attributes:
        slot: its number in the record.
        cell: the slot whose memory it looks at (its own, unless it is a view).
        retracked: whether a later call of some record changes `tracked`.
        outside: that is memory from outside; offset and steps then add to the owner's.
        is_rare: whether there is more to do than to hand out a tensor: one of both.
        spare: a tensor of an earlier replay, to be handed out again when nobody holds it.
    """

    __slots__ = ("slot", "cell", "outside", "shape", "strides", "offset", "steps", "is_view",
                 "one_of_many", "dtype", "tracked", "retracked", "is_rare", "spare")

    def __init__(self, slot: int, cell: int, tensor: Any, owner: Any = None):
        self.slot, self.cell, self.outside = slot, cell, owner is not None
        self.shape, self.strides, self.offset = tensor._shape, tensor._strides, tensor._offset
        self.steps, self.is_view = tensor._steps, tensor._is_view
        if owner is not None:
            self.offset -= owner.offset
            self.steps = self.steps[len(owner.steps):]
        self.one_of_many = tensor._one_of_many
        self.dtype, self.tracked = tensor._dtype, tensor._tracked
        self.retracked, self.is_rare = False, self.outside
        self.spare: Any = None


class Node:
    """A place in the tree of records.

    Attributes:
        next: the entry that followed last: tried first.
        entries: every entry that followed, by its key.
        moments: the flushes that followed, by the slot that was read (None: of no slot).
        depth: the number of entries before it.
    """

    __slots__ = ("next", "entries", "moments", "depth")

    def __init__(self, depth: int):
        self.next: Entry | None = None
        self.entries: dict[tuple, Entry] = {}
        self.moments: dict[int | None, Moment] = {}
        self.depth = depth

    def after(self, entry: Entry) -> Entry | None:
        """Return what to try after an entry: first `next`, then the others if they are few."""
        if len(self.entries) == 1 or len(self.entries) > MANY:
            return None
        others = [other for other in self.entries.values() if other is not self.next]
        place = 0 if entry is self.next else others.index(entry) + 1
        return others[place] if place < len(others) else None


class Entry:
    """One call of a record.

    Attributes:
        call, key, grad: what was called, how, and whether gradients were recorded.
        matches: a quick test that a call is this one; None where only the key can tell.
        leaves: the types of the tensors from outside that the record meets here.
        result: what it returns: a Made, ("slot", n), or a container of such; see results.py.
        made: every tensor it makes.
        writes: slots of tensors from outside that it writes into.
        retracks: slots that carry gradients from here on, and did not (or the other way round).
        draws: (generator, blocks) of each random draw.
        checks: (slot, function) of each check of values that are known at the call.
        gradients: (slot of a leaf, slot of its new gradient).
        names: of the keyword arguments.
        lifts: places of lifted numbers among the operands.
        nested: whether arguments are containers.
        flushes: whether so much is pending after it that it is computed.
        has_more: whether it does anything but write.
        is_special: whether there is more to do than to hand out results.
        returns: slots of the new tensors in the tuple that it returns; None where it returns
            something else.
        only: the one tensor that it makes and returns, where that is all it does.
        single: the slot of its only operand, where it has one that is a tensor known before; else
            -1.
        location: the user's line that recorded it.
        node: where the record goes on.
    """

    __slots__ = ("call", "key", "grad", "matches", "leaves", "result", "made", "writes",
                 "retracks", "draws", "checks", "gradients", "names", "lifts", "nested",
                 "flushes", "has_more", "is_special", "returns", "only", "single",
                 "location", "node")

    call: Call
    key: tuple
    grad: bool
    matches: Callable | None
    leaves: list[tuple]
    result: Any
    made: list[Made]
    writes: list[int]
    retracks: list[tuple[int, bool]]
    draws: list[tuple[Any, int]]
    checks: list[tuple[int, Callable]]
    gradients: list[tuple[int, int]]
    names: tuple[str, ...]
    lifts: tuple[int, ...]
    nested: bool
    flushes: bool
    has_more: bool
    is_special: bool
    returns: list[int] | None
    only: Made | None
    single: int
    location: str | None
    node: Node


class Source(NamedTuple):
    """Where an input array of a program comes from.

    Args:
        kind: "leaf" (a tensor from outside), "number", "draw", "constant" or "output" (of an
            earlier flush of the same record).
        first, second: which one; for a constant, the array itself.
    """

    kind: str
    first: Any
    second: Any = None


class Fill(NamedTuple):
    """A tensor that is still held at a flush, and what it is to hold.

    Args:
        slot: the tensor.
        cell: the slot whose memory it looks at.
        source: number of the program's output, or a Source that needs no program.
        version: how often it was written to.
        closed: the label of a gradient path that was walked and let go of; None where it has no
            path, or one that can still be walked.
        label: name of the operation that made it.
        peers: a number that held tensors share whose memory is the same and whose gradient
            paths are not; None where there are no such.
    """

    slot: int
    cell: int
    source: Any
    version: int
    closed: str | None
    label: str | None
    peers: int | None = None


class Write(NamedTuple):
    """A tensor from outside that takes a new array at a flush."""

    slot: int
    output: int
    versions: int


class Plan:
    """What one flush computes and where the results go.

    Attributes:
        program: the compiled program; None where nothing is left to compute.
        sources: where its inputs come from.
        fills, writes: who takes its outputs.
        node: where the record goes on, since some held tensor's gradient path can still be
            walked; None where it ends.
        shared: cells that several held tensors look at.
        leaves: of each input the slot whose array it is, -1 where that is not all.
        others: (place, source) of the other inputs.
        written: slots of the writes.
    """

    __slots__ = ("program", "sources", "fills", "writes", "node", "shared", "leaves", "others",
                 "written", "_taken")

    def __init__(self, program: Any, sources: list[Source], fills: list[Fill],
                 writes: list[Write], node: Node | None):
        self.program, self.sources, self.fills = program, sources, fills
        self.writes, self.node = writes, node
        cells = [fill.cell for fill in fills]
        self.shared = {cell for cell, count in Counter(cells).items() if count > 1}
        self.leaves = [source.first if source.kind == "leaf" else -1 for source in sources]
        self.others = [(place, source) for place, source in enumerate(sources)
                       if source.kind != "leaf"]
        self.written = [write.slot for write in writes]
        self._taken: list[tuple[int, int, int]] | None = None

    def taken(self) -> list[tuple[int, int, int]]:
        """Return the writes whose output can take over the memory of an input.

        Each is (output, number of the write, place of the input).
        """
        if self._taken is None:
            compiled = self.program.structure.program
            places = self.program.updates if compiled is None else compiled.donated
            found = [(write.output, number, places[write.output])
                     for number, write in enumerate(self.writes) if write.output in places]
            if compiled is None:
                return found
            self._taken = found
        return self._taken


class Moment:
    """A flush of a record.

    Attributes:
        plans: by which tensors were held.
        counts: the same by reference counts, which say the same more quickly.
    """

    __slots__ = ("plans", "counts")

    def __init__(self):
        self.plans: dict[tuple[bool, ...], Plan] = {}
        self.counts: dict[tuple[int, ...], tuple[tuple[bool, ...], Plan]] = {}
