"""The outer loops of matrix products: which tile of C when, and what is copied before.

Jobs are blocks of C: batch by batch, in a batch column by column, in a column row by row. There are
two drivers with the same table of arguments. The plain one takes A and B as they lie:

    for each job
        for each group of columns               B's part of it stays in the first-level cache
            for each row of tiles
                for each tile                   sums run over all of k

The blocked one copies what lies badly for the caches. It takes neighbouring jobs as one block, so
that a copy serves all of them:

    for each run of jobs
        for each block of k                     sums go on in C
            copy B if it lies the other way round
            for each group of rows
                copy A if it lies the other way round
                for each row of tiles           the rows of A stay in the first-level cache
                    for each tile               the first row of tiles copies B as it reads it

Each number of C is the same sum in the same order however the jobs are split. All sizes are slots.
Memory for the copies is claimed for the time of a call: there are as many regions as threads may
come, and a bit in slot BUSY for each.
"""

from __future__ import annotations

from enum import IntEnum

from ..kernel_text import Bit, Module, Whole
from ..regions import claim, release
from ..steps import Kernel
from ..target import Target

MOST_COLUMNS = 512  # of a tile, which begins with zeros from memory


class Slot(IntEnum):
    """The slots of the driver's table of arguments."""

    A = 0
    B = 1
    C = 2
    START = 3  # what sums begin with, one number a column; 0 for zeros
    M = 4
    N = 5
    K = 6
    A_ROW = 7
    A_COLUMN = 8
    B_ROW = 9
    B_COLUMN = 10
    B_STEP = 11  # what tiles take for b_row: B_ROW, or B_COLUMN for dot products
    C_ROW = 12
    A_OUTER = 13  # strides of the batch axes; C's batches lie one after another
    A_INNER = 14
    B_OUTER = 15
    B_INNER = 16
    INNER = 17  # length of the inner batch axis
    C_BATCH = 18
    ROWS = 19  # of a block (job), a multiple of TILE_ROWS
    COLUMNS = 20  # of a block, a multiple of TILE_COLUMNS
    BLOCKS_DOWN = 21
    BLOCKS_ACROSS = 22
    TILE_ROWS = 23
    TILE_COLUMNS = 24
    LAST = 25  # lanes of the last vector of the last tile across
    GROUP = 26  # columns (plain driver) or rows (blocked) in a group, a multiple of the tile's
    TILES = 27  # 4 tiles: whole or last across, then the same for the last down
    # The blocked driver's own:
    PACKING_TILES = 31  # the same for tiles that copy B; 0 for none
    PACK_A = 35  # the copying functions, 0 for none
    PACK_B = 36
    SCRATCH = 37
    BUSY = 38  # bits of the regions of scratch memory in use
    REGIONS = 39  # how many there are, at most 62; 0 when nothing is copied
    REGION = 40  # elements of each
    DEPTH = 41  # of a block of k
    MERGE = 42  # how many columns of blocks may be taken as one
    A_ROOM = 43  # where the copy of A begins in a region, in elements


def driver(element: str, blocked: bool, target: Target) -> Kernel:
    """Return the driver's kernel for an element type."""
    kind = "blocked" if blocked else "plain"
    writer = _Blocked if blocked else _Driver
    return Kernel(f"matmul {kind} {element}", lambda: writer(element, target).text(), "matmul")


class _Driver:
    """Writes the plain driver, one loop a method."""

    def __init__(self, element: str, target: Target):
        self.element = element
        self.module = Module(target)
        self.module.constants.append(
            f"@zeros = internal constant [{MOST_COLUMNS} x {element}] zeroinitializer, align 64")
        self.f = self.module.function("matmul", ["ptr %args", "i64 %begin", "i64 %end"])
        self.s = {slot: self.f.slot(slot) for slot in Slot if slot < Slot.TILES}
        for slot in (Slot.A, Slot.B, Slot.C, Slot.START):
            self.s[slot] = self.f.pointer(self.s[slot])

    def text(self) -> str:
        f = self.f
        with f.loop("%begin", "%end") as job:
            batch, across, down = self.place(job)
            self.block(batch, (down, f.add(down, 1)), (across, f.add(across, 1)))
        f.done()
        return self.module.text()

    def place(self, job: str) -> tuple[Whole, Whole, Whole]:
        """Return the batch, column and row of a job."""
        f, s = self.f, self.s
        in_batch = f.multiply(s[Slot.BLOCKS_DOWN], s[Slot.BLOCKS_ACROSS])
        batch, inside = f.variable("i64", job), f.variable("i64", 0)
        across, down = f.variable("i64", 0), f.variable("i64", 0)
        with f.when(f.compare("ne", in_batch, 1)):
            whole = f.divide(job, in_batch)
            f.store("i64", whole, batch)
            f.store("i64", f.subtract(job, f.multiply(whole, in_batch)), inside)
            column = f.divide(f.load("i64", inside), s[Slot.BLOCKS_DOWN])
            f.store("i64", column, across)
            row = f.subtract(f.load("i64", inside), f.multiply(column, s[Slot.BLOCKS_DOWN]))
            f.store("i64", row, down)
        return f.load("i64", batch), f.load("i64", across), f.load("i64", down)

    def corner(self, batch: Whole, rows, columns):
        """Return the addresses of A, B, C where a block begins, its rows and its columns."""
        f, s, element = self.f, self.s, self.element
        top = f.multiply(rows[0], s[Slot.ROWS])
        left = f.multiply(columns[0], s[Slot.COLUMNS])
        bottom = f.minimum(f.multiply(rows[1], s[Slot.ROWS]), s[Slot.M])
        right = f.minimum(f.multiply(columns[1], s[Slot.COLUMNS]), s[Slot.N])
        a, b, c = (f.variable("ptr", s[slot]) for slot in (Slot.A, Slot.B, Slot.C))
        with f.when(f.compare("ne", batch, 0)):
            outer = f.divide(batch, s[Slot.INNER])
            inner = f.subtract(batch, f.multiply(outer, s[Slot.INNER]))
            for place, slot, far, near in ((a, Slot.A, Slot.A_OUTER, Slot.A_INNER),
                                           (b, Slot.B, Slot.B_OUTER, Slot.B_INNER)):
                offset = f.add(f.multiply(outer, s[far]), f.multiply(inner, s[near]))
                f.store("ptr", f.at(s[slot], offset, element), place)
            f.store("ptr", f.at(s[Slot.C], f.multiply(batch, s[Slot.C_BATCH]), element), c)
        moved = (f.at(f.load("ptr", a), f.multiply(top, s[Slot.A_ROW]), element),
                 f.at(f.load("ptr", b), f.multiply(left, s[Slot.B_COLUMN]), element),
                 f.at(f.load("ptr", c), f.add(f.multiply(top, s[Slot.C_ROW]), left), element))
        return moved, f.subtract(bottom, top), left, f.subtract(right, left)

    def block(self, batch: Whole, rows, columns) -> None:
        """All tiles of a block, over all of k."""
        f, s, element = self.f, self.s, self.element
        (a, b, c), height, left, width = self.corner(batch, rows, columns)
        biased = f.exists(s[Slot.START])
        bias = str(f.select(biased, f.at(s[Slot.START], left, element), "@zeros", "ptr"))
        step = f.select(biased, 1, 0)
        with f.loop(0, width, s[Slot.GROUP]) as first, f.loop(
                0, height, s[Slot.TILE_ROWS]) as i:
            end = f.minimum(width, f.add(first, s[Slot.GROUP]))
            partial = f.compare("slt", f.subtract(height, i), s[Slot.TILE_ROWS])
            row = f.at(a, f.multiply(i, s[Slot.A_ROW]), element)
            line = f.at(c, f.multiply(i, s[Slot.C_ROW]), element)
            with f.loop(first, end, s[Slot.TILE_COLUMNS]) as j:
                narrow = f.compare("slt", f.subtract(width, j), s[Slot.TILE_COLUMNS])
                self.tile(int(Slot.TILES), partial, narrow, (
                    row, s[Slot.A_ROW], s[Slot.A_COLUMN],
                    f.at(b, f.multiply(j, s[Slot.B_COLUMN]), element), s[Slot.B_STEP],
                    f.at(line, j, element), s[Slot.C_ROW],
                    f.at(bias, f.multiply(j, step), element), 0, s[Slot.K], s[Slot.LAST],
                    s[Slot.START], f.minimum(f.subtract(width, j), s[Slot.TILE_COLUMNS])))

    def tile(self, tiles: Whole, partial: Bit, narrow: Bit, arguments) -> None:
        """Call one of four tiles."""
        f = self.f
        number = f.add(tiles, f.add(f.select(partial, 2, 0), f.select(narrow, 1, 0)))
        kinds = ("ptr", "i64", "i64", "ptr", "i64", "ptr", "i64", "ptr", "i64", "i64", "i64",
                 "ptr", "i64")
        f.call(f.load("ptr", f.at("%args", number, "i64"), 8),
               [f"{kind} {value}" for kind, value in zip(kinds, arguments, strict=True)])


class _Blocked(_Driver):
    """Writes the blocked driver."""

    def __init__(self, element: str, target: Target):
        super().__init__(element, target)
        for slot in Slot:
            if slot >= Slot.SCRATCH:
                self.s[slot] = self.f.slot(slot)
        self.s[Slot.SCRATCH] = self.f.pointer(self.s[Slot.SCRATCH])
        self.copies = {slot: self.f.slot(slot, "ptr")
                       for slot in (Slot.PACK_A, Slot.PACK_B, Slot.PACKING_TILES)}

    def text(self) -> str:
        """Runs of jobs: in one column of blocks, or several whole columns."""
        f, s = self.f, self.s
        region = claim(f, Slot.BUSY, s[Slot.REGIONS])
        self.scratch = f.at(s[Slot.SCRATCH], f.multiply(region, s[Slot.REGION]), self.element)
        job = f.variable("i64", "%begin")
        with f.while_below(job, "%end") as first:
            batch, across, down = self.place(first)
            left = f.subtract("%end", first)
            count = f.minimum(left, f.subtract(s[Slot.BLOCKS_DOWN], down))
            whole = f.both(f.compare("eq", down, 0), f.compare("eq", count, s[Slot.BLOCKS_DOWN]))
            wide = f.minimum(f.divide(left, s[Slot.BLOCKS_DOWN]), f.minimum(
                s[Slot.MERGE], f.subtract(s[Slot.BLOCKS_ACROSS], across)))
            columns = f.select(whole, wide, 1)
            self.block(batch, (down, f.add(down, count)), (across, f.add(across, columns)))
            f.store("i64", f.add(first, f.multiply(count, columns)), job)
        release(f, Slot.BUSY, s[Slot.REGIONS], region)
        f.done()
        return self.module.text()

    def block(self, batch: Whole, rows, columns) -> None:
        f, s = self.f, self.s
        (a, b, c), height, left, width = self.corner(batch, rows, columns)
        biased = f.exists(s[Slot.START])
        bias = f.select(biased, f.at(s[Slot.START], left, self.element), "@zeros", "ptr")
        # Without anything to sum up the loop still runs once: it writes what sums begin with.
        with f.loop(0, f.maximum(s[Slot.K], 1), s[Slot.DEPTH]) as k:
            depth = f.minimum(s[Slot.DEPTH], f.subtract(s[Slot.K], k))
            begins = f.compare("eq", k, 0)
            # Where sums begin: the address, and how far it moves with rows and columns.
            start = (f.select(begins, bias, c, "ptr"), f.select(begins, 0, s[Slot.C_ROW]),
                     f.select(f.either(f.compare("ne", k, 0), biased), 1, 0))
            self.slab(f.at(a, f.multiply(k, s[Slot.A_COLUMN]), self.element),
                      f.at(b, f.multiply(k, s[Slot.B_ROW]), self.element),
                      c, start, height, width, depth)

    def slab(self, a: str, b: str, c: str, start, height, width, depth) -> None:
        """A block of k: copy B if asked for, then group after group of rows."""
        f, s = self.f, self.s
        with f.when(f.exists(self.copies[Slot.PACK_B])):
            f.call(self.copies[Slot.PACK_B], [
                f"ptr {b}", f"i64 {s[Slot.B_ROW]}", f"i64 {s[Slot.B_COLUMN]}", f"i64 {depth}",
                f"i64 {width}", f"ptr {self.scratch}", f"i64 {s[Slot.TILE_COLUMNS]}"])
        copies_a = f.exists(self.copies[Slot.PACK_A])
        copied_b = f.exists(self.copies[Slot.PACK_B])
        packing = f.exists(self.copies[Slot.PACKING_TILES])
        a_copy = f.at(self.scratch, s[Slot.A_ROOM], self.element)
        with f.loop(0, height, s[Slot.GROUP]) as top:
            rows = f.minimum(f.subtract(height, top), s[Slot.GROUP])
            here = f.at(a, f.multiply(top, s[Slot.A_ROW]), self.element)
            with f.when(copies_a):
                f.call(self.copies[Slot.PACK_A], [
                    f"ptr {here}", f"i64 {s[Slot.A_COLUMN]}", f"i64 {s[Slot.A_ROW]}",
                    f"i64 {depth}", f"i64 {rows}", f"ptr {a_copy}", f"i64 {s[Slot.TILE_ROWS]}"])
            a_here = (f.select(copies_a, a_copy, here, "ptr"),
                      f.select(copies_a, depth, s[Slot.A_ROW]),
                      f.select(copies_a, 1, s[Slot.A_ROW]),
                      f.select(copies_a, s[Slot.TILE_ROWS], s[Slot.A_COLUMN]))
            with f.loop(0, rows, s[Slot.TILE_ROWS]) as inside:
                i = f.add(top, inside)
                partial = f.compare("slt", f.subtract(height, i), s[Slot.TILE_ROWS])
                # From the second row of tiles on, B is read from the copy that the first has made.
                first = f.both(packing, f.compare("eq", i, 0))
                from_copy = f.either(copied_b, f.both(packing, f.compare("ne", i, 0)))
                place = f.at(str(a_here[0]), f.multiply(inside, a_here[1]), self.element)
                self.tile_row(i, (place, *a_here[2:]), (b, from_copy), c, start, width, depth,
                              (f.select(first, int(Slot.PACKING_TILES), int(Slot.TILES)), partial))

    def tile_row(self, i, a, b, c: str, start, width, depth, tiles) -> None:
        """One row of tiles."""
        f, s, element = self.f, self.s, self.element
        b, from_copy = b
        b_row = f.select(from_copy, s[Slot.TILE_COLUMNS], s[Slot.B_ROW])
        c = f.at(c, f.multiply(i, s[Slot.C_ROW]), element)
        begin = f.at(start[0], f.multiply(i, start[1]), element)
        with f.loop(0, width, s[Slot.TILE_COLUMNS]) as j:
            narrow = f.compare("slt", f.subtract(width, j), s[Slot.TILE_COLUMNS])
            packed = f.at(self.scratch, f.multiply(j, depth), element)
            here = f.select(from_copy, packed, f.at(b, j, element), "ptr")
            self.tile(tiles[0], tiles[1], narrow, (
                *a, here, b_row, f.at(c, j, element), s[Slot.C_ROW],
                f.at(begin, f.multiply(j, start[2]), element), start[1], depth, s[Slot.LAST],
                packed, s[Slot.TILE_COLUMNS]))
