"""The outer loops of matrix products: which tile of C when, and what is copied before.

Jobs are blocks of C: batch by batch, in a batch column by column, in a column row by row. The
driver takes a run of jobs in one column as one block, so that a copy of B serves all of them; each
number of C is the same sum in the same order however the jobs are split.

    for each run of jobs
        for each block of k                      sums go on in C
            copy B if it lies the other way round
            for each row of tiles                the rows of A stay in the first-level cache
                copy A if it lies the other way round
                for each tile                    the first row of tiles copies B as it reads it

All sizes are slots. Memory for the copies is claimed for the time of a call: there are as many
regions as threads may come, and a bit in slot BUSY for each.
"""

from __future__ import annotations

from enum import IntEnum

from ..kernel_text import Module, Whole
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target


class Slot(IntEnum):
    """The slots of the driver's table of arguments."""

    A = 0
    B = 1
    C = 2
    SCRATCH = 3
    START = 4  # what sums begin with, one number a column; 0 for zeros
    BUSY = 5  # bits of the regions of scratch memory in use
    REGIONS = 6  # how many there are, at most 63; 0 when nothing is copied
    REGION = 7  # elements of each
    M = 8
    N = 9
    K = 10
    A_ROW = 11
    A_COLUMN = 12
    B_ROW = 13
    B_COLUMN = 14
    C_ROW = 15
    A_BATCH = 16
    B_BATCH = 17
    C_BATCH = 18
    ROWS = 19  # of a block (job), a multiple of TILE_ROWS
    COLUMNS = 20  # of a block, a multiple of TILE_COLUMNS
    DEPTH = 21  # of a block of k
    BLOCKS_DOWN = 22
    BLOCKS_ACROSS = 23
    TILE_ROWS = 24
    TILE_COLUMNS = 25
    LAST = 26  # lanes of the last vector of the last tile across
    A_ROOM = 27  # where the copy of A begins in a region, in elements
    PACK_A = 28  # the copying functions, 0 for none
    PACK_B = 29
    TILES = 30  # 4 tiles: whole or last across, then the same for the last down
    PACKING_TILES = 34  # the same for tiles that copy B; 0 for none


def driver(element: str, target: Target) -> Kernel:
    """Return the driver's kernel for an element type."""
    return Kernel(f"matmul driver {element}", lambda: _Driver(element, target).text(), "matmul")


class _Driver:
    """Writes the driver, one loop a method."""

    def __init__(self, element: str, target: Target):
        self.element = element
        self.module = Module(target)
        self.module.constants.append(
            f"@zeros = internal constant [512 x {element}] zeroinitializer, align 64")
        f = self.f = self.module.function("matmul", ["ptr %args", "i64 %begin", "i64 %end"])
        self.s: dict[Slot, str] = {slot: f.slot(slot) for slot in Slot if slot < Slot.PACK_A}
        for slot in (Slot.A, Slot.B, Slot.C, Slot.SCRATCH, Slot.START):
            self.s[slot] = f.pointer(self.s[slot])

    def text(self) -> str:
        """Runs of jobs: all jobs of the call that lie in one column of blocks of one batch."""
        f, s = self.f, self.s
        region = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.scratch = f.at(s[Slot.SCRATCH], f.multiply(region, s[Slot.REGION]), self.element)
        in_batch = f.multiply(s[Slot.BLOCKS_DOWN], s[Slot.BLOCKS_ACROSS])
        job = f.variable("i64", "%begin")
        with f.while_below(job, "%end") as first:
            batch = f.divide(first, in_batch)
            inside = f.subtract(first, f.multiply(batch, in_batch))
            across = f.divide(inside, s[Slot.BLOCKS_DOWN])
            down = f.subtract(inside, f.multiply(across, s[Slot.BLOCKS_DOWN]))
            count = f.minimum(f.subtract("%end", first), f.subtract(s[Slot.BLOCKS_DOWN], down))
            self.run(batch, down, f.add(down, count), across)
            f.store("i64", f.add(first, count), job)
        release(f, Slot.BUSY, s[Slot.REGIONS], region)
        f.done()
        return self.module.text()

    def matrix(self, slot: Slot, *terms: tuple[Whole, Whole]) -> str:
        """Return the address in a matrix after steps (count, stride)."""
        offset: Whole = 0
        for count, stride in terms:
            offset = self.f.add(offset, self.f.multiply(count, stride))
        return self.f.at(self.s[slot], offset, self.element)

    def run(self, batch: Whole, top: Whole, bottom: Whole, across: Whole) -> None:
        """Rows of blocks top..bottom in one column of blocks."""
        f, s = self.f, self.s
        top, left = f.multiply(top, s[Slot.ROWS]), f.multiply(across, s[Slot.COLUMNS])
        bottom = f.minimum(f.multiply(bottom, s[Slot.ROWS]), s[Slot.M])
        right = f.minimum(f.add(left, s[Slot.COLUMNS]), s[Slot.N])
        c = self.matrix(Slot.C, (batch, s[Slot.C_BATCH]), (left, 1))
        biased = f.value(f"icmp ne ptr {s[Slot.START]}, null")
        bias = f.select(biased, f.at(s[Slot.START], left, self.element), "@zeros", "ptr")
        # Without anything to sum up the loop still runs once: it writes what sums begin with.
        with f.loop(0, f.maximum(s[Slot.K], 1), s[Slot.DEPTH]) as k:
            depth = f.minimum(s[Slot.DEPTH], f.subtract(s[Slot.K], k))
            begins = f.compare("eq", k, 0)
            start = (f.select(begins, bias, c, "ptr"), f.select(begins, 0, s[Slot.C_ROW]),
                     f.select(f.value(f"and i1 {begins}, {f.value(f'xor i1 {biased}, true')}"),
                              0, 1))
            self.block(batch, (top, bottom), (left, right), (k, depth), c, start)

    def block(self, batch, rows, columns, depth, c: str, start) -> None:
        """A block of k: copy B if asked for, then row after row of tiles."""
        f, s = self.f, self.s
        width = f.subtract(columns[1], columns[0])
        a = self.matrix(Slot.A, (batch, s[Slot.A_BATCH]), (depth[0], s[Slot.A_COLUMN]))
        b = self.matrix(Slot.B, (batch, s[Slot.B_BATCH]), (depth[0], s[Slot.B_ROW]),
                        (columns[0], s[Slot.B_COLUMN]))
        copy = f.slot(Slot.PACK_B, "ptr")
        with f.when(f.value(f"icmp ne ptr {copy}, null")):
            f.call(copy, [f"ptr {b}", f"i64 {s[Slot.B_ROW]}", f"i64 {s[Slot.B_COLUMN]}",
                          f"i64 {depth[1]}", f"i64 {width}", f"ptr {self.scratch}",
                          f"i64 {s[Slot.TILE_COLUMNS]}"])
        copied = f.value(f"icmp ne ptr {copy}, null")
        packing = f.value(f"icmp ne ptr {f.slot(Slot.PACKING_TILES, 'ptr')}, null")
        with f.loop(rows[0], rows[1], s[Slot.TILE_ROWS]) as i:
            # From the second row of tiles on, B is read from the copy that the first has made.
            first = f.value(f"and i1 {packing}, {f.compare('eq', i, rows[0])}")
            later = f.value(f"and i1 {packing}, {f.compare('ne', i, rows[0])}")
            from_copy = f.value(f"or i1 {copied}, {later}")
            tiles = f.select(first, Slot.PACKING_TILES, Slot.TILES)
            self.tile_row(i, a, (b, from_copy), width, depth[1], f.at(
                c, f.multiply(i, s[Slot.C_ROW]), self.element), start, tiles)

    def tile_row(self, i, a: str, b, width, depth, c: str, start, tiles) -> None:
        """One row of tiles: copy the rows of A if asked for, then tile after tile."""
        f, s, element = self.f, self.s, self.element
        height = f.subtract(s[Slot.M], i)
        partial = f.compare("slt", height, s[Slot.TILE_ROWS])
        a = f.at(a, f.multiply(i, s[Slot.A_ROW]), element)
        a_place = [f.variable("ptr", a), f.variable("i64", s[Slot.A_ROW]),
                   f.variable("i64", s[Slot.A_COLUMN])]
        copy = f.slot(Slot.PACK_A, "ptr")
        with f.when(f.value(f"icmp ne ptr {copy}, null")):
            count = f.minimum(height, s[Slot.TILE_ROWS])
            # The copy of A lies behind that of B.
            room = f.at(self.scratch, s[Slot.A_ROOM], element)
            f.call(copy, [f"ptr {a}", f"i64 {s[Slot.A_ROW]}", f"i64 {s[Slot.A_COLUMN]}",
                          f"i64 {count}", f"i64 {depth}", f"ptr {room}"])
            for kind, value, place in zip(("ptr", "i64", "i64"), (room, 1, count), a_place,
                                          strict=True):
                f.store(kind, value, place)
        a_values = [f"{kind} {f.load(kind, place)}"
                    for kind, place in zip(("ptr", "i64", "i64"), a_place, strict=True)]
        b, from_copy = b
        tiles = f.add(tiles, f.select(partial, 2, 0))
        b_row = f.select(from_copy, s[Slot.TILE_COLUMNS], s[Slot.B_ROW])
        start_row = f.multiply(i, start[1])
        with f.loop(0, width, s[Slot.TILE_COLUMNS]) as j:
            narrow = f.compare("slt", f.subtract(width, j), s[Slot.TILE_COLUMNS])
            tile = f.load("ptr", f.at("%args", f.add(tiles, f.select(narrow, 1, 0)), "i64"))
            packed = f.at(self.scratch, f.multiply(j, depth), element)
            here = f.select(from_copy, packed, f.at(b, j, element), "ptr")
            begin = f.at(start[0], f.add(start_row, f.multiply(j, start[2])), element)
            f.call(tile, [*a_values, f"ptr {here}", f"i64 {b_row}", f"ptr {f.at(c, j, element)}",
                          f"i64 {s[Slot.C_ROW]}", f"ptr {begin}", f"i64 {start[1]}",
                          f"i64 {depth}", f"i64 {s[Slot.LAST]}", f"ptr {packed}",
                          f"i64 {s[Slot.TILE_COLUMNS]}"])
