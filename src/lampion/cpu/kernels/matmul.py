"""Matrix products: how a product of given sizes and strides is computed.

    plan = matmul_plan(1, 64, 256, 784, (0, 784, 1), (0, 256, 1), dtypes.float32)
    calls = steps.bind(plan, [a, b, c], scratch)

C is contiguous, rows one after another. A and B have any strides; fast are rows or columns that lie
one number after another. Sums run in an order that depends on the sizes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...dtypes import dtype as DType
from ...ir import Type
from .. import regions
from ..kernel_text import size_of
from ..steps import SCRATCH, Operand, Place, Plan, Step
from ..target import Target, host
from .matmul_driver import Slot, driver
from .matmul_pack import MARGIN, pack_any, pack_columns, pack_transposed
from .matmul_tiles import Tile

ELEMENTS = {"float32": "float", "float64": "double"}
# Bytes of B that tiles read again and again from the second-level cache.
B_BLOCK = 640 * 1024
DEPTH = 512


class Product(NamedTuple):
    """What is multiplied: sizes, and strides (batch, row, column) in elements."""

    batch: int
    m: int
    n: int
    k: int
    a: tuple[int, int, int]
    b: tuple[int, int, int]
    element: str


def matmul_plan(
    batch: int, m: int, n: int, k: int, strides_a: tuple[int, int, int],
    strides_b: tuple[int, int, int], dtype: DType, bias: bool = False,
    target: Target | None = None,
) -> Plan:
    """Return how to compute C[i] = A[i] @ B[i] (+ bias) for i below batch.

    Args:
        batch, m, n, k: C is batch x m x n, k is summed over.
        strides_a, strides_b: of A (batch x m x k) and B (batch x k x n), in elements.
        dtype: float32 or float64, of all three.
        bias: whether there is a fourth operand: n numbers added to each row.
        target: the instruction set, the host's if not given.

    The operands of the plan are A, B, C (and the bias).
    """
    product = Product(batch, m, n, k, strides_a, strides_b, ELEMENTS[dtype.name])
    return _blocked(product, bias, target or host())


def provide(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `matmul`; None for types other than float32 and float64."""
    a, b = operands
    if result.dtype.name not in ELEMENTS or len(result.shape) > 3 or a.offset or b.offset:
        return None
    batch = result.shape[0] if len(result.shape) == 3 else 1
    strides_a, strides_b = ((0, 0, 0) + o.strides for o in operands)
    return matmul_plan(batch, *result.shape[-2:], a.shape[-1], strides_a[-3:], strides_b[-3:],
                       result.dtype, target=target)


def _blocked(p: Product, bias: bool, target: Target) -> Plan:
    width = target.lanes(size_of(p.element))
    itemsize = size_of(p.element)
    rows, vectors = tile_shape(p.m, p.n, width, target)
    across = vectors * width
    blocks_of_k = max(1, -(-p.k // DEPTH))
    depth = max(1, -(-p.k // blocks_of_k))
    columns = max(across, B_BLOCK // (depth * itemsize) // across * across)
    columns = _even(p.n, columns, across)
    block_rows = _even(p.m, 30 * rows, rows)
    down, right = -(-p.m // block_rows), -(-p.n // columns)

    transposed = p.b[2] != 1 and p.n > 1
    copies_b = transposed or (p.m > 3 * rows and p.b[1] * depth * itemsize > 64 * 1024)
    copies_a = p.a[2] != 1 and p.k > 1 and p.n > across and p.a[2] * depth * itemsize > 64 * 1024
    if copies_a and p.a[1] != 1:
        copies_a = False
    jobs = p.batch * down * right
    places = regions.count(jobs) if copies_b or copies_a else 0
    b_room = depth * columns + MARGIN if copies_b else 0
    a_room = depth * rows + MARGIN if copies_a else 0

    last = p.n % width or width
    last_rows, last_vectors = p.m % rows or rows, -(-(p.n % across) // width) or vectors
    masked = bool(p.n % width)

    def tiles(packing: bool):
        if packing and (not copies_b or transposed):
            return (0, 0, 0, 0)
        made = []
        for i in (rows, last_rows):
            made.append(Tile(p.element, i, vectors, packing=packing).kernel(target)
                        if p.n >= across else 0)
            made.append(Tile(p.element, i, last_vectors, masked and (packing or not copies_b or True),
                             packing).kernel(target) if p.n % across else 0)
        return tuple(made)

    pack_b = 0
    if transposed:
        pack_b = (pack_transposed if p.b[1] == 1 or p.k <= 1 else pack_any)(p.element, target)
    slots = {
        Slot.A: Place(0), Slot.B: Place(1), Slot.C: Place(2), Slot.SCRATCH: Place(SCRATCH),
        Slot.START: Place(3) if bias else 0, Slot.BUSY: 0, Slot.REGIONS: places,
        Slot.REGION: b_room + a_room, Slot.M: p.m, Slot.N: p.n, Slot.K: p.k,
        Slot.A_ROW: p.a[1], Slot.A_COLUMN: p.a[2], Slot.B_ROW: p.b[1], Slot.B_COLUMN: p.b[2],
        Slot.C_ROW: p.n, Slot.A_BATCH: p.a[0], Slot.B_BATCH: p.b[0], Slot.C_BATCH: p.m * p.n,
        Slot.ROWS: block_rows, Slot.COLUMNS: columns, Slot.DEPTH: depth,
        Slot.BLOCKS_DOWN: down, Slot.BLOCKS_ACROSS: right, Slot.TILE_ROWS: rows,
        Slot.TILE_COLUMNS: across, Slot.LAST: last, Slot.A_ROOM: b_room,
        Slot.PACK_A: pack_columns(p.element, target) if copies_a else 0, Slot.PACK_B: pack_b,
    }
    table = tuple(slots[Slot(k)] for k in range(Slot.TILES)) + tiles(False) + tiles(True)
    step = Step(driver(p.element, target), jobs, table)
    return Plan((step,), places * (b_room + a_room) * itemsize)


def _even(total: int, most: int, unit: int) -> int:
    """Return the size of equal blocks of at most `most`, a multiple of unit."""
    blocks = max(1, -(-total // most))
    return max(unit, -(-(-(-total // blocks)) // unit) * unit)


def tile_shape(m: int, n: int, width: int, target: Target) -> tuple[int, int]:
    """Return rows and vectors of the tile with the least estimated time."""
    most = target.registers - 2
    shapes = [(rows, vectors) for vectors in range(1, 7) for rows in range(1, 25)
              if rows * vectors + vectors + 1 <= most + 1 and rows <= max(m, 1)
              and vectors <= -(-max(n, 1) // width)]
    return min(shapes, key=lambda shape: (_cost(m, n, width, *shape), -shape[0] * shape[1]))


def _cost(m: int, n: int, width: int, rows: int, vectors: int) -> float:
    """Estimate the cycles of one k: two multiplications or loads a cycle, chains of four."""
    total = 0.0
    for r, times in ((rows, m // rows), (m % rows, 1)):
        for v, again in ((vectors, n // (vectors * width)), (-(-(n % (vectors * width)) // width), 1)):
            if r and v:
                total += times * again * max(r * v / 2, (r + v) / 2 + 0.5, 4.2)
    return total
