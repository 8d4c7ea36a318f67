"""Making the calls of a log after all: what was handed out becomes what the calls return."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..base import TensorBase
from ..ir import mode
from ..trace import settle
from . import record, results
from .log import Flushed, Logged
from .table import Table

if TYPE_CHECKING:
    from .run import Run

PARTS = ("_storage", "_steps", "_cached", "_shape", "_strides", "_offset", "_is_view",
         "_one_of_many")


def materialise(run: Run) -> None:
    """Turn a record that was followed into one that was made, up to the same node."""
    slots, log, node = run.slots, deque(run.log), run.node
    _bring_back(run)
    run.table, run.slow, run.log, run.made, run.slots = Table(), True, [], [], []
    before = mode.grad, mode.inference
    mode.autocast = None  # as every record begins; calls of the log set it again
    try:
        while log:
            logged = log.popleft()
            if isinstance(logged, Flushed):
                _flush_again(run, slots, logged)
            else:
                mode.grad, mode.inference = logged[0].grad, False
                _call_again(run, slots, Logged(*logged))
    except BaseException:
        run.node = None
        raise
    finally:
        mode.grad, mode.inference = before
    run.node = node


def _bring_back(run: Run) -> None:
    """Let everything be as it was when the record began."""
    for storage, value, version in run.deferred.values():
        storage.value, storage.deferred, storage.version.count = value, None, version
    for tensor, gradient in run.gradients.values():
        tensor._gradient = gradient
    for undo in reversed(run.undo):
        undo()
    run.deferred, run.gradients, run.undo = {}, {}, []


def _call_again(run: Run, slots: list, logged: Logged) -> None:
    entry, table = logged.entry, run.table
    size = table.size()
    for tensor, kind in zip(slots[size:size + len(entry.leaves)], entry.leaves, strict=True):
        table.meet(tensor, kind)
    again = deque(logged.draws) if logged.draws is not None else None
    result, noting = record.perform(
        run, entry.call, logged.args, logged.kwargs, logged.numbers, again)
    fresh = _fresh(table, result)
    for slot, _ in entry.gradients:
        gradient = table.tensor(slot)._gradient
        if table.slot_of(gradient) is None and all(t is not gradient for t in fresh):
            fresh.append(gradient)
    for made, tensor in zip(entry.made, fresh, strict=True):
        handed = slots[made.slot]
        adopt(handed, tensor)
        made.spare = None
        table.enter(handed, made)
    for slot, gradient in entry.gradients:
        table.tensor(slot)._gradient = table.tensor(gradient)
    table.writes(noting)
    table.absorb(entry, noting)


def _fresh(table: Table, result: object) -> list[TensorBase]:
    """Return the tensors of a result that the record does not know, each once."""
    fresh: list[TensorBase] = []
    for tensor in results.tensors(result):
        if table.slot_of(tensor) is None and all(t is not tensor for t in fresh):
            fresh.append(tensor)
    return fresh


def adopt(handed: TensorBase, tensor: TensorBase) -> None:
    """Let a handed-out tensor be what the call returned."""
    handed._promise = None
    for part in PARTS:
        setattr(handed, part, getattr(tensor, part))


def _flush_again(run: Run, slots: list, flushed: Flushed) -> None:
    """Give out the arrays of an earlier flush once more."""
    table = run.table
    for held, slot in zip(flushed.mask, list(table.made), strict=True):
        if not held:
            slots[slot] = None
    wanted = None if flushed.tensor is None else flushed.tensor._value
    settle(flushed.arrays, wanted)
    table.flushed(flushed.arrays)
