"""A flush on the fast way: find the plan, run its program, fill the tensors still held."""

from __future__ import annotations

from struct import Struct
from sys import getrefcount
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from .. import runtime
from ..base import TensorBase
from ..cpu import spare
from ..grad import released
from ..ir import Value, leaf, number, origin
from ..trace import compute, is_empty
from .log import Flushed
from .promise import Cell, Peers
from .tree import Entry, Moment, Plan, Source

if TYPE_CHECKING:
    from .run import Run

# What holds a result that nobody else does: the lists of slots and of results, its `spare`, and
# the counting itself.
OWN_REFERENCES = 4
MOST_COUNTS = 64
# Tensors of so many bytes are handed out again, which keeps their arrays until then.
SMALL = 16384
KEY = Struct("=QQ")


def fulfil(run: Run, tensor: TensorBase | None, value: Value | None) -> bool:
    """Do a flush by a plan; False where there is none."""
    if not run.log:
        if value is not None or not is_empty() or released:
            compute(value)
        return True
    if not is_empty() or (tensor is None and value is not None):
        return False
    slot = None
    if tensor is not None:
        slot = tensor._promise.made.slot if tensor._promise is not None else None
        if slot is None or run.slots[slot] is not tensor:
            return False
    moment = run.node.moments.get(slot)  # type: ignore[union-attr]
    found = None if moment is None else _plan(run, moment)
    if found is None:
        return False
    mask, plan = found
    try:
        arrays = _compute(run, plan, _deferred(run, plan))
    except Exception:
        return False  # the slow way finds out what to say
    _fill(run, plan, arrays)
    _write(run, plan, _deferred(run, plan), arrays)
    if plan.node is None:
        run.begin()
    else:
        _go_on(run, plan, tensor, mask, arrays)
    return True


def update(run: Run, entry: Entry, moment: Moment) -> bool:
    """Do a flush right after a call whose writes have not been put off; False where it is not done.

    Args:
        entry: the call, the last one of the log.
        moment: the flush after it.
    """
    if not is_empty():
        return False
    found = _plan(run, moment)
    if found is None or found[1].node is not None:
        return False
    plan = found[1]
    old = _deferred(run, plan)
    try:
        arrays = _compute(run, plan, old)
    except Exception:
        return False  # the slow way finds out what to say
    try:
        _finish(run, plan, old, arrays)
    except BaseException:
        # An interruption. The program may have written into parameters: they must not be
        # computed once more from what they have become.
        _finish(run, plan, old, arrays)
        raise
    return True


def _finish(run: Run, plan: Plan, old: list[tuple], arrays: list[np.ndarray]) -> None:
    _fill(run, plan, arrays)
    _write(run, plan, old, arrays)
    run.begin()


def _plan(run: Run, moment: Moment) -> tuple[tuple[bool, ...], Plan] | None:
    counts = tuple(map(getrefcount, run.made))
    found = moment.counts.get(counts)
    if found is None:
        mask = _mask(run, counts)
        plan = moment.plans.get(mask)
        if plan is None:
            return None
        if len(moment.counts) >= MOST_COUNTS:
            moment.counts.clear()
        found = moment.counts[counts] = (mask, plan)
    return found


def _mask(run: Run, counts: tuple[int, ...]) -> tuple[bool, ...]:
    """Return which results somebody holds besides the record itself."""
    uses: dict[int, int] = {}

    def count(x: Any) -> None:
        if isinstance(x, TensorBase):
            uses[id(x)] = uses.get(id(x), 0) + 1
        elif type(x) in (list, tuple):
            for item in x:
                count(item)

    for logged in run.log:
        if isinstance(logged, Flushed):
            count(logged.tensor)
        else:
            count(logged[1])
            count(list(logged[2].values()))
    return tuple(
        n > OWN_REFERENCES - (tensor._promise.made.spare is not tensor) + uses.get(id(tensor), 0)
        for n, tensor in zip(counts, run.made, strict=True))


def _deferred(run: Run, plan: Plan) -> list[tuple]:
    """Return of each write (storage, value before, version before)."""
    slots, deferred = run.slots, run.deferred
    storages = [slots[slot]._storage for slot in plan.written]
    if not deferred:
        return [(storage, storage.value, storage.version.count) for storage in storages]
    return [deferred.get(id(storage)) or (storage, storage.value, storage.version.count)
            for storage in storages]


def _compute(run: Run, plan: Plan, old: list[tuple]) -> list[np.ndarray]:
    program = plan.program
    if program is None:
        return []
    arrays: list[Any] = [*map(run.arrays.get, plan.leaves)]
    for place, source in plan.others:
        arrays[place] = _array(run, source)
    take = _free_memory(plan, arrays, old) if program.updates and plan.node is None else None
    with runtime.lock:
        runtime.executions += 1
        return program.run(arrays, take)


def _free_memory(plan: Plan, arrays: list[np.ndarray], old: list[tuple]) -> dict[int, np.ndarray]:
    """Return the arrays that outputs may take over: of parameters that they replace."""
    free = {}
    for output, which, place in plan.taken():
        value = old[which][1]
        # Held by the value, the record, the list and the variable here, and the counting itself.
        array = arrays[place]
        others = getrefcount(array) - OWN_REFERENCES - 1
        if (value.data is array and not value.volatile
                and (not value.tracked or value.history is not None)
                and (not others or (others == 1 and spare.let_go(array)))
                and array.base is None):
            free[output] = array
    return free


def _array(run: Run, source: Source) -> np.ndarray:
    kind, first, second = source
    if kind == "leaf":
        return run.arrays[first]
    if kind == "constant":
        return first
    if kind == "output":
        return run.outputs[first][second]
    logged: Any = run.log[first]
    if kind == "draw":
        return np.frombuffer(KEY.pack(*logged[4][second]), np.int64)
    place, dtype = second
    key = (logged[3][place], dtype)
    array = run.numbers.get(key)
    if array is None or key[0] == 0:  # zeros of both signs are equal keys
        if len(run.numbers) > 256:
            run.numbers.clear()
        array = number(key[0], dtype).data
        run.numbers[key] = array  # type: ignore[assignment]
    return array  # type: ignore[return-value]


def _fill(run: Run, plan: Plan, arrays: list[np.ndarray]) -> None:
    ends = plan.node is None
    slots, cells, groups = run.slots, {}, {}  # type: ignore[var-annotated]
    for fill in plan.fills:
        slot, cell, source, _, _, _, peers = fill
        tensor = slots[slot]
        promise = tensor._promise
        if source is None:  # a view of memory from outside
            if ends:
                promise.made.spare = None
                tensor._storage, tensor._promise = slots[cell]._storage, None
            continue
        array = promise.array = (arrays[source] if type(source) is int
                                 else np.array(_array(run, source)))  # else a write could reach it
        promise.fill = fill
        if cell in plan.shared:
            promise.cell = cells.setdefault(cell, Cell())
        if peers is not None:
            promise.peers = groups.setdefault(peers, Peers())
            promise.peers.members.append(ref(tensor))
        if ends:
            promise.run = None
        if not ends or array.nbytes > SMALL or promise.cell is not None or peers is not None:
            promise.made.spare = None


def _write(run: Run, plan: Plan, old: list[tuple], arrays: list[np.ndarray]) -> None:
    """Give tensors from outside what was written into them."""
    run.deferred.clear()
    ends = plan.node is None
    for (storage, value, version), (_, output, versions) in zip(old, plan.writes, strict=True):
        # Held by the list and the variable here, the counting, and the storage where the write was
        # not put off.
        alone = 4 if storage.deferred is None else 3
        storage.deferred = storage.earlier = None
        if ends and value.op is None and getrefcount(value) == alone:
            value.data = arrays[output]
            storage.value = value
        else:
            storage.value = value = _successor(value, arrays[output])
            value.holder = ref(storage)
        storage.version.count = version + versions


def _successor(old: Value, array: np.ndarray) -> Value:
    """Return a value with another array on the gradient path of an old one."""
    if old.data is array:
        old.data = None  # its memory was taken over
    value = leaf(array, old.dtype)
    if old.tracked:
        value.tracked, value.history = True, origin(old)
    return value


def _go_on(run: Run, plan: Plan, tensor: TensorBase | None, mask: tuple[bool, ...],
           arrays: list[np.ndarray]) -> None:
    run.log.append(Flushed(tensor, mask, plan, arrays))
    run.outputs.append(arrays)
    run.made = [result for held, result in zip(mask, run.made, strict=True) if held]
    run.node = plan.node
