"""Blocks of matrix products: which kernels a product takes, and how it is cut into jobs."""

from __future__ import annotations

import math
from typing import NamedTuple

from .. import regions, steps
from ..kernel_text import size_of
from ..steps import SCRATCH, Kernel, Place, Plan, Step
from ..target import Target, second_level_cache
from .matmul_dots import Dot
from .matmul_driver import Slot, driver
from .matmul_pack import MARGIN, pack_any, pack_rows, pack_transposed, pack_wide
from .matmul_rows import row_kernel
from .matmul_tiles import Tile

Strides = tuple[int, int, int, int]
NEAR = 96 * 1024  # B of at most so many bytes is read where it lies, wherever it lies
FAR = 4 << 20  # B of more bytes comes from memory
DEPTH = 384  # of a block of k
ROW = 16 * 1024  # bytes of the result that stay in the first-level cache
FIRST = 24 * 1024  # bytes of B that stay in the first-level cache
ROWS = 96  # rows of A that are copied at a time
JOBS = 16  # how many jobs a large product should at least have
WORK = 250_000  # multiplications that make a job worth starting on a thread
STORE = 4  # a number of the result costs as much as so many multiplications
DOT_ROWS = 32  # products of more rows copy a transposed B
TRANSPOSED = 4  # cost of copying a number of a transposed B, in sixteenths of a vector's step


class Product(NamedTuple):
    """What is multiplied: sizes, and strides in elements.

    Attributes:
        batch: lengths of the outer and the inner batch axis.
        a, b: strides of these, of rows and of columns.
        first: which operand of the plan A is, 0 or 1.
    """

    batch: tuple[int, int]
    m: int
    n: int
    k: int
    a: Strides
    b: Strides
    element: str
    first: int = 0


def simplified(p: Product, bias: bool) -> Product:
    """Turn a product into one that has fast tiles: a single column becomes a row."""
    if p.n == 1 and p.m > 1 and not bias and p.a[3] != 1:
        a, b = ((s[0], s[1], s[3], s[2]) for s in (p.b, p.a))
        p = p._replace(m=1, n=p.m, a=a, b=b, first=1)
    # The stride of an axis of length 1 is never used: let it be the one that is easy.
    if p.k == 1:
        p = p._replace(a=(*p.a[:3], 1))
    if p.n == 1 and p.b[2] != 1:
        p = p._replace(b=(*p.b[:3], 1))
    return p


def plan_of(p: Product, bias: bool, target: Target) -> Plan:
    itemsize = size_of(p.element)
    width = target.lanes(itemsize)
    if _dots(p, width):
        return _Planner(p, bias, target, *dot_shape(p.m, p.n, target), dot=True).plain()
    if p.m == 1 and p.b[3] == 1 and p.n >= 1024 and p.k * p.n * itemsize > FAR // 2:
        columns = even(p.n, min(ROW // itemsize, max(1024, p.n // 2)), width)
        return _Planner(p, bias, target, 1, columns, row=True).plain()
    rows, vectors = tile_shape(p.m, p.n, width, target)
    planner = _Planner(p, bias, target, rows, vectors * width)
    large_b = p.k * p.n * itemsize > NEAR and p.m > rows
    long_sums = p.k > 2 * DEPTH and p.m > rows
    if planner.transposed or large_b or planner.copies_a or long_sums:
        return planner.blocked(large_b)
    return planner.plain()


def _dots(p: Product, width: int) -> bool:
    """Whether dot products along k are faster than vectors along the columns."""
    if p.element.startswith("i") or p.a[3] != 1 or p.b[2] != 1 or p.k < 2 * width:
        return False
    if p.b[3] == 1 and p.n > 1:
        return False
    return p.m <= DOT_ROWS and 9 * p.m < p.k or p.m <= 2 or p.n <= 2


class _Planner:
    """Sizes of blocks and the table of arguments."""

    def __init__(self, p: Product, bias: bool, target: Target, rows: int, columns: int,
                 dot: bool = False, row: bool = False):
        self.p, self.bias, self.target = p, bias, target
        self.dot, self.row = dot, row
        self.rows, self.columns = rows, columns
        self.itemsize = size_of(p.element)
        self.width = target.lanes(self.itemsize)
        self.transposed = p.b[3] != 1 and not dot
        self.copies_a = (p.a[2] == 1 and p.a[3] != 1 and not dot and p.n > 2 * columns
                         and p.m > 1 and p.a[3] * min(p.k, DEPTH) * self.itemsize > 64 * 1024)

    def plain(self) -> Plan:
        """Return the plan that takes A and B as they lie."""
        p = self.p
        down, across = self.job_shape(p.m, p.n)
        group = self.columns
        if not self.dot:
            group *= max(1, FIRST // (max(p.k, 1) * self.itemsize) // self.columns)
        return self.plan(driver(p.element, False, self.target), down, across, group,
                         self.tiles(False), (), 0)

    def blocked(self, large_b: bool) -> Plan:
        """Return the plan that copies A or B in blocks."""
        p = self.p
        depth = max(1, -(-p.k // max(1, -(-p.k // DEPTH))))
        # Tiles read a block of B again and again from the second-level cache; A needs room, too.
        # How wide blocks are is never seen in the numbers, only how deep they are.
        most = max(1, second_level_cache() * 5 // 8 // (depth * self.itemsize) // self.columns)
        most *= self.columns
        down, across = self.job_shape(even(p.m, 480, self.rows), even(p.n, most, self.columns))
        copies_b = self.transposed or large_b
        merge = max(1, most // across)
        wide = min(merge * across, -(-p.n // self.columns) * self.columns)
        group = max(self.rows, ROWS // self.rows * self.rows) if self.copies_a else p.m
        b_room = depth * wide + MARGIN if copies_b else 0
        a_room = depth * group + MARGIN if self.copies_a else 0
        jobs = p.batch[0] * p.batch[1] * -(-p.m // down) * -(-p.n // across)
        places = regions.count(jobs) if b_room + a_room else 0
        pack_b: Kernel | int = 0
        # Tiles copy B for nothing while they use it; in a pass before it is read in longer runs.
        first = large_b and p.m < 128 and (p.m < 32 or p.k * p.n * self.itemsize < FAR)
        if self.transposed:
            pack_b = (pack_transposed if p.b[2] == 1 or p.k == 1 else pack_any)(
                p.element, self.target)
        elif large_b and not first:
            pack_b = pack_wide(p.element, self.columns // self.width, self.target)
        pack_a = pack_rows(p.element, self.target) if self.copies_a else 0
        more = (*(self.tiles(True) if first and not self.transposed else (0,) * 4), pack_a, pack_b,
                Place(SCRATCH), 0, places, b_room + a_room, depth, merge, b_room)
        return self.plan(driver(p.element, True, self.target), down, across, group,
                         self.tiles(False), more, places * (b_room + a_room) * self.itemsize)

    def job_shape(self, down: int, across: int) -> tuple[int, int]:
        """Return rows and columns of a job: enough jobs for threads, none too small."""
        p = self.p
        batch = p.batch[0] * p.batch[1]
        wanted = min(JOBS, batch * p.m * p.n * (p.k + STORE) // WORK)

        def jobs() -> int:
            return batch * -(-p.m // down) * -(-p.n // across)

        # A job copies its part of A and of B: halves along the axis that leaves the copies shared.
        short, tall = (4 * self.rows, 4 * self.rows) if self.copies_a else (
            (4 * self.rows if self.transposed else self.rows), 8 * self.rows)
        while jobs() < wanted:
            if down > tall or across <= self.columns and down > short:
                down = even(down, -(-down // 2), self.rows)
            elif across > self.columns:
                across = even(across, -(-across // 2), self.columns)
            else:
                break
        return even(p.m, down, self.rows), even(p.n, across, self.columns)

    def tiles(self, packing: bool) -> tuple[steps.Slot, ...]:
        """Return the kernels of whole and last tiles; 0 for those that do not occur."""
        p = self.p
        found: list[steps.Slot] = []
        for there, rows in ((p.m >= self.rows, self.rows), (p.m % self.rows, p.m % self.rows)):
            for here, columns in ((p.n >= self.columns, self.columns),
                                  (p.n % self.columns, p.n % self.columns)):
                if not there or not here:
                    found.append(0)
                elif self.row:
                    found.append(row_kernel(p.element, self.target))
                elif self.dot:
                    found.append(Dot(p.element, rows, columns).kernel(self.target))
                else:
                    far = p.m <= self.rows and p.k * p.n * self.itemsize > NEAR
                    found.append(Tile(p.element, rows, -(-columns // self.width),
                                      bool(columns % self.width), packing,
                                      ahead=far).kernel(self.target))
        return tuple(found)

    def plan(
        self, kernel: Kernel, down: int, across: int, group: int, tiles, more, scratch: int,
    ) -> Plan:
        """Return the plan of one step from the driver's table of arguments."""
        p = self.p
        blocks = (-(-p.m // down), -(-p.n // across))
        b_step = p.b[3] if self.dot else p.b[2]
        table = (Place(p.first), Place(1 - p.first), Place(2), Place(3) if self.bias else 0,
                 p.m, p.n, p.k, *p.a[2:], *p.b[2:], b_step, p.n,
                 *p.a[:2], *p.b[:2], p.batch[1], p.m * p.n, down, across, *blocks,
                 self.rows, self.columns, p.n % self.width or self.width, group)
        assert len(table) == Slot.TILES
        jobs = p.batch[0] * p.batch[1] * blocks[0] * blocks[1]
        return Plan((Step(kernel, jobs, (*table, *tiles, *more)),), scratch)


def even(total: int, most: int, unit: int) -> int:
    """Return the size of equal blocks of at most `most`, a multiple of unit."""
    blocks = max(1, math.ceil(total / max(most, unit)))
    return max(unit, math.ceil(math.ceil(total / blocks) / unit) * unit)


def tile_shape(m: int, n: int, width: int, target: Target) -> tuple[int, int]:
    """Return rows and vectors of the tile: few shapes, so that products share kernels."""
    many = target.registers > 16
    most = 8 if many else 6
    rows = -(-m // -(-m // most))
    # Few rows: as many sums as keep the arithmetic busy.
    wide = {1: 16, 2: 8, 3: 6, 4: 5, 5: 4, 6: 4} if many else {1: 6, 2: 4, 3: 3}
    return rows, max(1, min(wide.get(m, 2), -(-n // width)))


def dot_shape(m: int, n: int, target: Target) -> tuple[int, int]:
    """Return rows and columns of a tile of dot products."""
    many = target.registers > 16
    columns = ({1: 8, 2: 8, 3: 6} if many else {1: 8, 2: 4}).get(m, 4 if many else 3)
    columns = min(columns, n)
    rows = {1: 8, 2: 6, 3: 4}.get(columns, 4 if many else 3)
    if not many:
        rows = min(rows, {1: 8, 2: 4}.get(columns, 3))
    rows = min(rows, m)
    return -(-m // -(-m // rows)), columns
