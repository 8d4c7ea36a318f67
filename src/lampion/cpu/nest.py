"""How a loop is run: which axis the vectors lie along, in which order, in which pieces.

    inner lanes   a vector lies along a row; rows come one after another
    outer lanes   a vector lies across rows, one lane for each; sums down the columns of a matrix

A `Nest` is a `kernel.Loop` brought into the one form that the text is written from: axes of length
1 dropped, axes sorted by how far their steps reach in memory and joined where possible, the lanes
last among their axes. Elementwise loops have an empty row notion: their longest-striding axes
become the rows, the last axis the row, and a long row is cut into pieces.

Pieces depend on the shape alone, never on the number of threads: so do the bits of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..kernel import Compute, Load, Loop, Phase, Reduce, Statement, Store
from . import pieces
from .steps import Place

PIECE = 16384  # elements of a row that one job of an elementwise loop does
TILE = 128  # the same where elements do not lie side by side: their lines stay in the cache
GATHER = 8  # what a vector of elements that do not lie side by side costs, in instructions
FOLD = 8  # what combining the elements of a vector costs
FEW = 8  # rows (or blocks of rows side by side) that threads cannot share well
MANY = 4  # vectors of rows that are passed side by side


class Clip(NamedTuple):
    """The last piece of an axis that was cut is shorter.

    Attributes:
        piece: the outer axis that counts pieces.
        axis: the inner axis that runs over one piece.
        total: the length before the cut.
    """

    piece: int
    axis: int
    total: int


class Nest(NamedTuple):
    """A loop in the form that is written as text.

    Attributes:
        lanes_outer: whether vectors lie across rows.
        places: where buffers are that are not operands of the same number.
    """

    loop: Loop
    lanes_outer: bool
    clip: Clip | None = None
    places: Mapping[int, Place] = MappingProxyType({})


def accesses(loop: Loop) -> list[Load | Store]:
    """Return the loads and stores of a loop."""
    return [s for _, _, s in loop.statements() if isinstance(s, (Load, Store))]


def mapped(loop: Loop, change: Callable[[Statement], Statement]) -> tuple[Phase, ...]:
    """Return the phases with every statement changed."""
    return tuple(Phase(tuple(map(change, p.inner)), tuple(map(change, p.after)))
                 for p in loop.phases)


def is_flat(loop: Loop) -> bool:
    """Whether every element stands for itself."""
    return len(loop.phases) == 1 and not loop.phases[0].after and not any(
        isinstance(s, Reduce) for s in loop.phases[0].inner)


def nests(loop: Loop, lanes: int) -> tuple[list[Nest], int]:
    """Bring a loop into the form that is written as text: one nest after another.

    Args:
        lanes: elements of a vector.

    Returns:
        The nests, and how many bytes of scratch memory they use.
    """
    if is_flat(loop):
        return [_flat(loop, lanes)], 0
    loop = _joined(_sorted(_emptied(_dropped(loop))))
    made = _with_lanes(loop, lanes)
    together = min(loop.rows, MANY * lanes) if made.lanes_outer else 1
    if loop.rows >= FEW * together:
        return [made], 0
    cut = pieces.cut(loop, together)
    if cut is None:
        return [made], 0
    parts = _with_lanes(cut.parts, lanes, cut.length)
    rest = _with_lanes(_joined(_sorted(_emptied(_dropped(cut.rest)))), lanes)
    return [n._replace(places=cut.places) for n in (parts, rest)], cut.scratch_bytes


# --- axes ------------------------------------------------------------------------------------


def _with_axes(loop: Loop, outer: Iterable[int], inner: Iterable[int]) -> Loop:
    """The loop with these axes, given by their numbers (outer ones first)."""
    outer, inner = tuple(outer), tuple(inner)
    lengths = loop.outer + loop.inner
    order = outer + inner

    def change(s: Statement) -> Statement:
        if isinstance(s, (Load, Store)):
            return s._replace(strides=tuple(s.strides[k] for k in order))
        return s

    return loop._replace(outer=tuple(lengths[k] for k in outer),
                         inner=tuple(lengths[k] for k in inner), phases=mapped(loop, change))


def _dropped(loop: Loop) -> Loop:
    """Without axes of length 1."""
    lengths, first = loop.outer + loop.inner, len(loop.outer)
    return _with_axes(loop, (k for k in range(first) if lengths[k] != 1),
                      (k for k in range(first, len(lengths)) if lengths[k] != 1))


def _emptied(loop: Loop) -> Loop:
    """Rows without elements as one axis of length 0; rows of one element as one of length 1."""
    if loop.inner and loop.width:
        return loop
    first = len(loop.outer)

    def change(s: Statement, inside: bool) -> Statement:
        if not isinstance(s, (Load, Store)):
            return s
        # What differs along the row keeps a step, even where there is but one element or none.
        differs = inside and (isinstance(s, Store) or any(s.strides[first:]))
        return s._replace(strides=(*s.strides[:first], int(differs)))

    phases = tuple(
        Phase(tuple(change(s, True) for s in p.inner), tuple(change(s, False) for s in p.after))
        for p in loop.phases)
    return loop._replace(inner=(loop.width,), phases=phases)


def _sorted(loop: Loop) -> Loop:
    """The axes with the longest steps first."""
    rows = [s.strides for s in accesses(loop)]

    def reach(axis: int) -> int:
        return sum(abs(strides[axis]) for strides in rows)

    first = len(loop.outer)
    return _with_axes(
        loop, sorted(range(first), key=reach, reverse=True),
        sorted(range(first, first + len(loop.inner)), key=reach, reverse=True))


def _joined(loop: Loop) -> Loop:
    """Neighbouring axes joined where every access allows it."""
    lengths, first = list(loop.outer + loop.inner), len(loop.outer)
    rows = [s.strides for s in accesses(loop)]
    outer: list[int] = []
    inner: list[int] = []
    for k in range(len(lengths)):
        group = outer if k < first else inner
        if group and all(r[group[-1]] == r[k] * lengths[k] for r in rows):
            lengths[k] *= lengths[group[-1]]
            group[-1] = k
        else:
            group.append(k)
    joined = _with_axes(loop, outer, inner)
    return joined._replace(outer=tuple(lengths[k] for k in outer),
                           inner=tuple(lengths[k] for k in inner))


# --- loops of elements that stand for themselves -----------------------------------------------


def _flat(loop: Loop, lanes: int) -> Nest:
    loop = loop._replace(outer=loop.outer + loop.inner, inner=())
    loop = _joined(_sorted(_dropped(loop)))
    rank = len(loop.outer)
    if rank == 0:
        # A single number: a row of one element, written side by side.
        loop = loop._replace(inner=(1,), phases=mapped(loop, lambda s: s._replace(strides=(1,)) if (
            isinstance(s, Store)) else s._replace(strides=(0,)) if isinstance(s, Load) else s))
    else:
        last = min(range(rank), key=lambda k: (_lane_cost(loop, k, lanes), -k))
        loop = _with_axes(loop, (k for k in range(rank) if k != last), (last,))
    return _cut(loop)


def _cut(loop: Loop) -> Nest:
    """Cut long rows into pieces; a loop without outer axes always gets one, for a single form."""
    (length,) = loop.inner
    first = len(loop.outer)
    # Elements that do not lie side by side share cache lines with the next rows: do those soon.
    spread = first > 0 and any(s.strides[first] not in (0, 1) for s in accesses(loop))
    piece = TILE if spread else PIECE
    if first and length < 2 * piece:
        return Nest(loop, False)
    place = 0 if spread else first

    def change(s: Statement) -> Statement:
        if isinstance(s, (Load, Store)):
            outer, step = s.strides[:first], s.strides[first]
            return s._replace(strides=(*outer[:place], step * piece, *outer[place:], step))
        return s

    outer = (*loop.outer[:place], -(-length // piece), *loop.outer[place:])
    cut = loop._replace(outer=outer, inner=(piece,), phases=mapped(loop, change))
    return Nest(cut, False, Clip(place, 0, length))


# --- lanes -------------------------------------------------------------------------------------


def _elements(loop: Loop) -> list[Load | Store]:
    """The loads and stores that differ along the row."""
    first = len(loop.outer)
    return [s for phase in loop.phases for s in phase.inner
            if isinstance(s, (Load, Store)) and (any(s.strides[first:]) or is_flat(loop))]


def _lane_cost(loop: Loop, axis: int, lanes: int) -> float:
    """Roughly how many instructions an element costs with lanes along that axis."""
    length = (loop.outer + loop.inner)[axis]
    vectors = -(-length // lanes)
    if not vectors:
        return 0.0
    work = sum(isinstance(s, (Compute, Reduce)) for p in loop.phases for s in p.inner)
    for s in _elements(loop):
        work += 1 if s.strides[axis] in (0, 1) else GATHER
    return work * vectors / length


def _with_lanes(loop: Loop, lanes: int, cut: int = 0) -> Nest:
    """Put the axis that vectors lie along last among its kind.

    Args:
        cut: where the first outer axis counts pieces of the first inner one: its whole length.
    """
    first, count = len(loop.outer), len(loop.outer) + len(loop.inner)
    candidates = range(1 if cut else 0, first)

    def ordered(outer: list[int], inner: list[int], lanes_outer: bool) -> Nest:
        clip = Clip(outer.index(0), inner.index(first), cut) if cut else None
        return Nest(_with_axes(loop, outer, inner), lanes_outer, clip)

    inner = min(range(first, count), key=lambda k: (_lane_cost(loop, k, lanes), -k))
    folds = sum(isinstance(s, Reduce) for p in loop.phases for s in p.inner) * FOLD
    inner_cost = _lane_cost(loop, inner, lanes) + folds / max(loop.width, 1)
    if candidates:
        outer = min(candidates, key=lambda k: (_lane_cost(loop, k, lanes), -k))
        if _lane_cost(loop, outer, lanes) < inner_cost:
            return ordered([*(k for k in range(first) if k != outer), outer],
                           list(range(first, count)), True)
    return ordered(list(range(first)), [*(k for k in range(first, count) if k != inner), inner],
                   False)
