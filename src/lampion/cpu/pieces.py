"""Reductions of few long rows, cut in pieces that threads can share.

    for each piece of a row: what it adds up to      -> scratch memory
    for each row: what its pieces add up to, and the work done once a row

How a row is cut depends on the shapes alone, never on the number of threads: so do the bits.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from ..dtypes import float32
from ..ir import Op, Type
from ..kernel import Compute, Load, Loop, Phase, Reduce, Statement, Store
from .elements import HALVES
from .steps import SCRATCH, Place

PIECE = 32768  # elements of a piece, of all rows that are passed together
WORTH = 4  # pieces that a row must have


class Pieces(NamedTuple):
    """A loop in two.

    Attributes:
        parts: reduces each piece; its first outer axis counts pieces, its first inner axis is cut.
        rest: reduces over the pieces.
        length: the length of the axis that was cut.
        places: where the buffers in between are.
        scratch_bytes: how much memory they take.
    """

    parts: Loop
    rest: Loop
    length: int
    places: dict[int, Place]
    scratch_bytes: int


@functools.cache
def partial(op: Op) -> Op:
    """The reduction without what is done to its result."""
    return _variant(op, "part of", after=None)


@functools.cache
def remaining(op: Op) -> Op:
    """The reduction of what `partial` gave."""
    return _variant(op, "rest of", before=None)


def _variant(op: Op, name: str, **changes: None) -> Op:
    return Op(f"{name} {op.name}", op.kind, op.doc, op.meaning, op.result, op.grad,
              {**op.lower, **changes})


def cut(loop: Loop, together: int) -> Pieces | None:
    """Cut a loop in two; None where it has more than one phase, or short rows.

    Args:
        together: how many rows are passed side by side.
    """
    if len(loop.phases) != 1 or not loop.inner:
        return None
    (phase,) = loop.phases
    reduces = _reduces(phase)
    length, rest = loop.inner[0], loop.width // max(loop.inner[0], 1)
    piece = max(1, PIECE // max(rest * together, 1))
    count = -(-length // piece)
    if count < WORTH or not _reads_only(phase.after, set(reduces), len(_numbers(phase.inner))):
        return None
    first = len(loop.outer)

    def divided(s: Statement) -> Statement:
        if isinstance(s, Reduce):
            return s._replace(op=partial(s.op), dtype=float32 if s.dtype in HALVES else s.dtype)
        if not isinstance(s, (Load, Store)):
            return s
        step = s.strides[first]
        return s._replace(strides=(step * piece, *s.strides[:first], step, *s.strides[first + 1:]))

    inner = tuple(map(divided, phase.inner))
    between = [Type((count * loop.rows,), s.dtype) for s in inner if isinstance(s, Reduce)]
    known = len(loop.buffers)
    own = _contiguous((count, *loop.outer))
    stores = tuple(Store(known + k, number, 0, own + (0,) * len(loop.inner))
                   for k, number in enumerate(reduces))
    parts = Loop((count, *loop.outer), (piece, *loop.inner[1:]), (Phase(inner, stores),),
                 loop.buffers + tuple(between), loop.outputs + len(between))
    offsets, size = [], 0
    for type_ in between:
        offsets.append(size)
        size += -(-type_.shape[0] * type_.dtype.array.itemsize // 64) * 64
    places = {known + k: Place(SCRATCH, offset) for k, offset in enumerate(offsets)}
    return Pieces(parts, _rest(loop, reduces, between, own, count), length, places, size)


def _rest(
    loop: Loop, reduces: dict[int, Reduce], between: list[Type], own: tuple[int, ...], count: int,
) -> Loop:
    (phase,) = loop.phases
    inner: list[Statement] = []
    renamed: dict[int, int] = {}
    for k, (number, reduce) in enumerate(reduces.items()):
        inner.append(Load(len(loop.buffers) + k, between[k].dtype, 0, (*own[1:], own[0])))
        inner.append(Reduce(remaining(reduce.op), 2 * k, reduce.dtype))
        renamed[number] = 2 * k + 1
    total = len(_numbers(phase.inner))
    after: list[Statement] = []
    for s in phase.after:
        if isinstance(s, (Load, Store)):
            # All that is left of the inner axes is the one that counts pieces.
            s = s._replace(strides=(*s.strides[:len(loop.outer)], 0))
        if isinstance(s, Compute):
            s = s._replace(operands=tuple(
                renamed[k] if k < total else k - total + len(inner) for k in s.operands))
        elif isinstance(s, Store):
            k = s.operand
            s = s._replace(operand=renamed[k] if k < total else k - total + len(inner))
        after.append(s)
    return Loop(loop.outer, (count,), (Phase(tuple(inner), tuple(after)),),
                loop.buffers + tuple(between), loop.outputs)


def _numbers(statements: tuple[Statement, ...]) -> list[Statement]:
    """The statements that have a result, in the order of their numbers."""
    return [s for s in statements if not isinstance(s, Store)]


def _reduces(phase: Phase) -> dict[int, Reduce]:
    return {k: s for k, s in enumerate(_numbers(phase.inner)) if isinstance(s, Reduce)}


def _reads_only(after: tuple[Statement, ...], known: set[int], total: int) -> bool:
    """Whether the work done once a row uses nothing from the pass but its reductions."""
    used: set[int] = set()
    for s in after:
        if isinstance(s, Compute):
            used.update(s.operands)
        elif isinstance(s, Store):
            used.add(s.operand)
    return all(k in known or k >= total for k in used)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[k + 1:]) for k in range(len(shape)))
