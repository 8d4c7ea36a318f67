"""Reading and writing at positions, in LLVM text.

Three arrays are walked together: the positions, the table, and the rows that are read out of the
table or written into it. A row's place in the table is its position times the table's stride along
the axis; the walk moves along all other axes.

    elements   every element has a position of its own
    rows       the inner axis shares one position: whole rows are moved

Where the table is written, the middle axis, or the inner one of `elements`, is the table's: its
order is kept, so of repeated positions the last is written last, and sums add up in the order of
the positions. Where rows are read, the middle axis is the row.
"""

from __future__ import annotations

from ...dtypes import dtype as DType
from ..kernel_text import Bit, Function, Module, Whole, size_of
from ..steps import Kernel
from ..target import Target
from . import numbers, walk
from .copies import WORDS, copy_run

# Slots. SIZE: of the axis; WRAP: what is added to negative positions; STRIDE: in bytes.
INDEX, TABLE, ROWS, FAULT, SIZE, WRAP, STRIDE, WALK = range(8)
TOGETHER = 1024  # positions that are checked before any is used: they stay in the nearest cache
AHEAD = 6  # how many rows ahead memory is asked for


def mover(what: str, whole_rows: bool, size: int, target: Target) -> Kernel:
    """Return the kernel that moves elements of `size` bytes: "read" or "write"."""
    mode = "rows" if whole_rows else "elements"
    return Kernel(f"positions {what} {mode} of {size} bytes",
                  lambda: _Positions(what, whole_rows, WORDS[size], size, None, target).text(),
                  "positions")


def adder(whole_rows: bool, dtype: DType, target: Target) -> Kernel:
    """Return the kernel that adds to elements at positions."""
    mode = "rows" if whole_rows else "elements"
    word = numbers.WORD[dtype.name]
    return Kernel(f"positions add {mode} of {dtype.name}",
                  lambda: _Positions("add", whole_rows, word, size_of(word), dtype, target).text(),
                  "positions")


def checker(target: Target) -> Kernel:
    """Return the kernel that checks positions side by side; slots as here, result in ROWS."""
    return Kernel("positions checked", lambda: _checker_text(target), "checked")


class _Positions:
    """Writes one kernel."""

    def __init__(self, what: str, whole_rows: bool, word: str, size: int, dtype: DType | None,
                 target: Target):
        self.what, self.whole_rows = what, whole_rows
        self.word, self.size, self.dtype = word, size, dtype
        self.module = Module(target)

    def text(self) -> str:
        f = self.f = self.module.function("positions", ["ptr %args", "i64 %begin", "i64 %end"])
        pointers = [f.slot(k, "ptr") for k in (INDEX, TABLE, ROWS)]
        self.limit, self.wrap, self.stride = f.slot(SIZE), f.slot(WRAP), f.slot(STRIDE)
        self.fault = f.variable("i1", "false")
        with walk.walking(f, WALK, pointers) as row:
            if self.whole_rows and self.what == "read":
                self.read_rows(row)
            else:
                self.write_or_read(row)
        with f.when(f.load("i1", self.fault)):
            f.store("i64", 1, f.slot(FAULT, "ptr"))
        f.done()
        return self.module.text()

    def write_or_read(self, row: walk.Row) -> None:
        """One place of the middle axis after another."""
        f = self.f
        with f.loop(0, row.middle) as j:
            index, table, rows = (
                f.at(pointer, f.multiply(j, step), "i8")
                for pointer, step in zip(row.pointers, row.across, strict=True))
            (self.write_row if self.whole_rows else self.elements)(row, index, table, rows)

    def position(self, index: str) -> tuple[str, str]:
        """Return a position, and whether it lies outside the axis."""
        f = self.f
        given = f.load("i64", index)
        moved = f.add(given, f.select(f.compare("slt", given, 0), self.wrap, 0))
        return str(moved), f.value(f"icmp uge i64 {moved}, {self.limit}")

    def note(self, outside: str) -> None:
        f = self.f
        f.store("i1", f.value(f"or i1 {f.load('i1', self.fault)}, {outside}"), self.fault)

    def elements(self, row: walk.Row, index: str, table: str, rows: str) -> None:
        """Some elements at a time: all positions are checked, then the elements are moved."""
        f = self.f
        step_index, step_table, step_rows = row.along
        dense = f.both(
            f.both(f.compare("eq", step_index, 8), f.compare("eq", step_table, 0)),
            f.both(f.compare("eq", step_rows, self.size), f.compare("eq", self.stride, self.size)))
        with f.loop(0, row.length, TOGETHER) as begin:
            end = f.minimum(f.add(begin, TOGETHER), row.length)
            outside = self.any_outside(index, step_index, begin, end)
            self.note(outside)
            with f.when(f.both(f.value(f"xor i1 {outside}, true"), dense)):
                self.dense_elements(index, table, rows, begin, end)
            spread = f.value(f"xor i1 {f.either(outside, dense)}, true")
            with f.when(spread), f.loop(begin, end) as k:
                found, _ = self.position(f.at(index, f.multiply(k, step_index), "i8"))
                offset = f.add(f.multiply(found, self.stride), f.multiply(k, step_table))
                self.move(f.at(table, offset, "i8"),
                          f.at(rows, f.multiply(k, step_rows), "i8"), 1)

    def dense_elements(self, index: str, table: str, rows: str, begin: Whole, end: Whole) -> None:
        """The usual case without strides: table[index[k]] and rows[k], four at a time."""
        f = self.f
        whole = f.add(begin, f.value(f"and i64 {f.subtract(end, begin)}, -4"))
        for start, stop, step in ((begin, whole, 4), (whole, end, 1)):
            with f.loop(start, stop, step) as k:
                for place in (f.add(k, more) for more in range(step)):
                    found, _ = self.position(f.at(index, place, "i64"))
                    self.move(f.at(table, found, self.word), f.at(rows, place, self.word), 1)

    def any_outside(self, index: str, step: Whole, begin: Whole, end: Whole) -> str:
        """Return whether a position from begin to end lies outside."""
        f = self.f
        width = self.module.target.lanes(8)
        vector, bits = f"<{width} x i64>", f"<{width} x i1>"
        limit, wrap = f.splat("i64", width, self.limit), f.splat("i64", width, self.wrap)
        found = f.variable(bits, "zeroinitializer", 8)
        count = f.select(f.compare("eq", step, 8), f.subtract(end, begin), 0)
        whole = f.add(begin, f.value(f"and i64 {count}, -{width}"))
        with f.loop(begin, whole, width) as k:
            given = f.load(vector, f.at(index, k, "i64"))
            negative = f.value(f"icmp slt {vector} {given}, zeroinitializer")
            added = f.value(f"select {bits} {negative}, {vector} {wrap}, {vector} zeroinitializer")
            moved = f.value(f"add {vector} {given}, {added}")
            outside = f.value(f"icmp uge {vector} {moved}, {limit}")
            f.store(bits, f.value(f"or {bits} {f.load(bits, found, 8)}, {outside}"), found, 8)
        any_lane = f.intrinsic(f"llvm.vector.reduce.or.v{width}i1",
                               [(bits, f.load(bits, found, 8))], "i1")
        rest = f.variable("i1", any_lane)
        with f.loop(whole, end) as k:
            _, outside = self.position(f.at(index, f.multiply(k, step), "i8"))
            f.store("i1", f.value(f"or i1 {f.load('i1', rest)}, {outside}"), rest)
        return f.load("i1", rest)

    def read_rows(self, row: walk.Row) -> None:
        """Rows are the middle axis, one after another along the inner one."""
        f = self.f
        index, table, rows = row.pointers
        dense = f.both(f.compare("eq", row.across[1], self.size),
                       f.compare("eq", row.across[2], self.size))
        final = f.subtract(row.length, 1)
        with f.loop(0, row.length) as k:
            ahead = f.multiply(f.minimum(f.add(k, AHEAD), final), row.along[0])
            later, _ = self.position(f.at(index, ahead, "i8"))
            f.prefetch(f.at(table, f.multiply(later, self.stride), "i8"))
            found, outside = self.position(f.at(index, f.multiply(k, row.along[0]), "i8"))
            self.note(outside)
            with f.when(f.value(f"xor i1 {outside}, true")):
                offset = f.add(f.multiply(found, self.stride), f.multiply(k, row.along[1]))
                self.move_row(f.at(table, offset, "i8"),
                              f.at(rows, f.multiply(k, row.along[2]), "i8"),
                              dense, row.middle, row.across[1], row.across[2])

    def write_row(self, row: walk.Row, index: str, table: str, rows: str) -> None:
        """A row, or a block of it; one outside the axis is left out and noted."""
        f = self.f
        _, step_table, step_rows = row.along
        dense = f.both(f.compare("eq", step_table, self.size),
                       f.compare("eq", step_rows, self.size))
        found, outside = self.position(index)
        self.note(outside)
        with f.when(f.value(f"xor i1 {outside}, true")):
            cells = f.at(table, f.multiply(found, self.stride), "i8")
            self.move_row(cells, rows, dense, row.length, step_table, step_rows)

    def move_row(self, cells: str, rows: str, dense: Bit, count: Whole, step_table: Whole,
                 step_rows: Whole) -> None:
        f = self.f
        with f.when(dense):
            self.side_by_side(cells, rows, count)
        with f.when(f.value(f"xor i1 {dense}, true")), f.loop(0, count) as k:
            self.move(f.at(cells, f.multiply(k, step_table), "i8"),
                      f.at(rows, f.multiply(k, step_rows), "i8"), 1)

    def side_by_side(self, cells: str, rows: str, count: Whole) -> None:
        f = self.f
        if self.what != "add":
            to, source = (rows, cells) if self.what == "read" else (cells, rows)
            copy_run(f, to, source, f.multiply(count, self.size))
            return
        width = self.module.target.lanes(self.size)
        whole = f.value(f"and i64 {count}, -{width}")
        with f.loop(0, whole, width) as k:
            self.move(f.at(cells, k, self.word), f.at(rows, k, self.word), width)
        with f.loop(whole, count) as k:
            self.move(f.at(cells, k, self.word), f.at(rows, k, self.word), 1)

    def move(self, cell: str, other: str, width: int) -> None:
        """Move or add `width` elements."""
        f = self.f
        kind = numbers.of_width(self.word, width)
        if self.what == "read":
            f.store(kind, f.load(kind, cell), other)
        elif self.dtype is None:
            f.store(kind, f.load(kind, other), cell)
        else:
            total = numbers.add(f, self.dtype, width, f.load(kind, cell), f.load(kind, other))
            f.store(kind, total, cell)


def _checker_text(target: Target) -> str:
    """Jobs are blocks of WALK (as a slot) positions, STRIDE of them in all."""
    module = Module(target)
    f: Function = module.function("checked", ["ptr %args", "i64 %begin", "i64 %end"])
    width = target.lanes(8)
    vector, bits = f"<{width} x i64>", f"<{width} x i1>"
    index, checked = f.slot(INDEX, "ptr"), f.slot(ROWS, "ptr")
    limit, wrap = (f.splat("i64", width, f.slot(k)) for k in (SIZE, WRAP))
    block, count = f.slot(WALK), f.slot(STRIDE)
    fault = f.variable(bits, "zeroinitializer")

    def check(k: Whole, mask: str | None) -> None:
        given = f.vector_load(vector, f.at(index, k, "i64"), mask)
        negative = f.value(f"icmp slt {vector} {given}, zeroinitializer")
        added = f.value(f"select {bits} {negative}, {vector} {wrap}, {vector} zeroinitializer")
        moved = f.value(f"add {vector} {given}, {added}")
        outside = f.value(f"icmp uge {vector} {moved}, {limit}")
        if mask is not None:
            outside = f.value(f"and {bits} {outside}, {mask}")
        f.store(bits, f.value(f"or {bits} {f.load(bits, fault, 8)}, {outside}"), fault, 8)
        f.vector_store(vector, moved, f.at(checked, k, "i64"), mask)

    last = f.minimum(f.multiply("%end", block), count)
    first = f.multiply("%begin", block)
    whole = f.add(first, f.value(f"and i64 {f.subtract(last, first)}, -{width}"))
    with f.loop(first, whole, width) as k:
        check(k, None)
    rest = f.subtract(last, whole)
    with f.when(f.compare("sgt", rest, 0)):
        check(whole, f.lanes_below(width, rest))
    found = f.intrinsic(f"llvm.vector.reduce.or.v{width}i1",
                        [(bits, f.load(bits, fault, 8))], "i1")
    with f.when(found):
        f.store("i64", 1, f.slot(FAULT, "ptr"))
    f.done()
    return module.text()
