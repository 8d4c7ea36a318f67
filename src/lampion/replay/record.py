"""Making calls and recording them: a node of the tree for each, a plan for each flush."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..base import TensorBase
from ..errors import user_location
from ..ir import Lifted, Value, mode
from ..trace import compute, over_budget
from . import results
from .bundle import Bundle
from .keys import Description, Refused
from .learn import learn, source_of
from .matching import matcher
from .noting import Noting
from .shared import at_once
from .table import Table
from .tree import Call, Entry, Made, Moment, Node

if TYPE_CHECKING:
    from .run import Run

# A record that goes on and on without a flush is given up.
LONGEST_RECORD = 4096
# A plan keeps a program, which takes the memory of so many entries: some 500 plans are kept.
ENTRIES_OF_PLAN = 100


def make(run: Run, call: Call, args: tuple, kwargs: dict) -> Any:
    """Make a call without recording it."""
    mode.run = None
    try:
        return call.function(*args, **kwargs)
    finally:
        mode.run = run


def perform(run: Run, call: Call, args: Any, kwargs: dict, numbers: Any,
            again: deque | None = None) -> tuple[Any, Noting]:
    """Make a call and note what it does.

    Args:
        numbers: the values of its lifted numbers.
        again: random draws to be given out once more.
    """
    noting = Noting(again)
    if call.operands is None and numbers:
        args, place = list(args), 0
        for at in call.lifts:
            if at < len(args) and type(args[at]) is float:
                args[at] = Lifted(args[at], place)
                place += 1
    mode.run, mode.noting = None, noting
    try:
        return call.function(*args, **kwargs), noting
    finally:
        mode.run, mode.noting = run, None


def record(run: Run, call: Call, args: tuple, kwargs: dict) -> Any:
    """Make a call; add it to the record, unless it must not be replayed."""
    if run.node is None:
        return make(run, call, args, kwargs)
    table, node = run.table, run.node
    try:
        description = run.describe(call, args, kwargs)
    except Refused as refusal:
        made = at_once(run, call, args, kwargs)
        if made is not None:
            return made[0]
        run.lose(str(refusal))
        return make(run, call, args, kwargs)
    try:
        for tensor, kind in description.fresh:
            table.meet(tensor, kind)
        leaves = [(slot, table.tensor(slot)) for slot in table.differentiable]
        before = [(slot, tensor, tensor._gradient) for slot, tensor in leaves if tensor is not None]
        result, noting = perform(run, call, args, kwargs, description.numbers)
    except BaseException:
        run.lose("an error")
        raise
    try:
        entry = _entry(run, node, call, args, kwargs, description, result, noting, before)
        table.absorb(entry, noting)
    except Refused as refusal:
        for x in description.operands:
            if isinstance(x, Bundle):
                x.structure.refusals += 1
        run.lose(str(refusal))
        return result
    except BaseException:  # an interruption: what was made has slots, and no call that gave them
        run.lose("an error")
        raise
    run.node, node.next = entry.node, entry
    if over_budget():
        entry.flushes = entry.is_special = True
        entry.only = None
        flush(run, None, None)
    return result


def _entry(run: Run, node: Node, call: Call, args: tuple, kwargs: dict, description: Description,
           result: Any, noting: Noting, before: list) -> Entry:
    """Return the entry of a call that was made: a known one, or a new one."""
    table = run.table
    if noting.refused:
        raise Refused(noting.refused)
    if {place for _, place in noting.numbers} != set(range(len(description.numbers))):
        raise Refused("a number that is used otherwise than as a number")
    if not all(value.dtype.is_floating_point for value, _ in noting.numbers):
        raise Refused("a floating-point number for whole ones")
    code, made, _ = table.encode(result)
    gradients = _gradients(table, before, made)
    writes, retracks = table.writes(noting)
    checks = _checks(table, noting)
    known = node.entries.get(description.key)
    if known is not None:
        if [m.slot for m in known.made] != [m.slot for m in made] or known.writes != writes:
            raise Refused("a call that did something else this time")
        return known
    if node.depth >= LONGEST_RECORD:
        run.cut()
        raise Refused("a record without end")
    entry = Entry()
    entry.call, entry.key, entry.grad = call, description.key, mode.grad
    entry.leaves = [kind for _, kind in description.fresh]
    entry.result, entry.made, entry.gradients = code, made, gradients
    entry.writes, entry.retracks, entry.checks = writes, retracks, checks
    entry.draws = [(generator, blocks) for generator, blocks, _ in noting.draws]
    entry.names = tuple(kwargs)
    operands: Any = (*args, *kwargs.values())
    entry.nested = any(type(x) in (list, tuple) for x in operands)
    if call.operands is not None:
        operands = description.operands
    positional = len(args) if call.operands is None else len(operands)
    lifts = tuple(k for k in range(positional) if k in call.lifts)
    entry.lifts = tuple(k for k in lifts if type(operands[k]) is float)
    entry.matches = matcher(operands, description, table.slot_of, lifts)
    entry.flushes = False
    entry.has_more = bool(retracks or checks or gradients or entry.draws or made)
    entry.is_special = bool(writes or retracks or checks or gradients or entry.draws
                            or call.follow is not None)
    plain = not (entry.is_special or entry.nested or call.operands is not None)
    entry.returns = None
    if type(code) is results.Sequence and code.kind is tuple and all(
            type(item) is Made for item in code.items):
        entry.returns = [item.slot for item in code.items]
    entry.only = code if plain and type(code) is Made and not code.outside else None
    entry.single = -1
    if len(operands) == 1 and isinstance(operands[0], TensorBase) and not description.fresh:
        entry.single = table.slot_of(operands[0])  # type: ignore[assignment]
    entry.location = user_location()
    entry.node = Node(node.depth + 1)
    node.entries[entry.key] = entry
    if run.branch is None:
        run.branch = (node, entry.key, run.entries)
    run.entries += 1
    return entry


def _gradients(table: Table, before: list, made: list[Made]) -> list[tuple[int, int]]:
    """Return whose `.grad` is another tensor now, and which."""
    changed = []
    for slot, tensor, old in before:
        gradient = tensor._gradient
        if gradient is old or gradient is None:
            continue
        place = table.slot_of(gradient)
        if place is None:
            code, more, _ = table.encode(gradient)
            made += more
            place = more[0].slot
        changed.append((slot, place))
    return changed


def _checks(table: Table, noting: Noting) -> list[tuple[int, Any]]:
    """Return the checks to make again on other numbers, with the slot of the argument."""
    found = []
    for value, check in noting.checks:
        source = source_of(table, value)
        # What a call of the record makes of its settings alone, such as a range, never changes.
        if source.kind != "constant":
            if source.kind != "leaf":
                raise Refused("a check of numbers that are no argument's")
            found.append((source.first, check))
    return found


def flush(run: Run, tensor: TensorBase | None, value: Value | None) -> None:
    """Compute what is pending, and keep the plan where the record has one."""
    table, node = run.table, run.node
    slot = None
    if node is not None:
        slot = None if tensor is None else table.slot_of(tensor)
        if (slot is None) != (tensor is None and value is None):
            run.lose("a read of a tensor that is not in the record")
            node = None
    if node is None:
        try:
            compute(value)
        finally:
            run.begin()
        return
    mask, found = table.mask(), []

    def watch(program: Any, pending: list[Value]) -> None:
        try:
            plan = learn(table, program, pending, node.depth + 1)
        except Refused as refusal:
            run.reasons.lost(str(refusal))
        else:
            found.append((plan, pending))
            if plan.node is None:
                # The record ends here: held by nobody else, parameters are updated in place.
                table.origins.clear()
                table.beneath.clear()

    try:
        compute(value, watch)
    except BaseException:
        run.begin()
        raise
    if not found:
        run.begin()
        return
    plan, pending = found[0]
    moment = node.moments.setdefault(slot, Moment())
    known = moment.plans.get(mask)
    if known is not None and known.node is not None and plan.node is not None:
        plan.node = known.node
    moment.plans[mask] = plan
    run.entries += ENTRIES_OF_PLAN
    moment.counts.clear()
    if plan.node is None:
        run.begin()
    else:
        run.node = plan.node
        table.flushed([v.data for v in pending])
