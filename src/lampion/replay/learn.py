"""From a slow flush to a plan: where the program's inputs come from and where its outputs go."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import Storage, TensorBase
from ..ir import Value, origin
from .closed import closed_path
from .keys import Refused
from .table import Table
from .tree import Fill, Node, Plan, Source, Write


def learn(table: Table, program: Any, pending: list[Value], depth: int) -> Plan:
    """Return the plan of the flush that is about to happen; raises Refused where there is none."""
    places = {value.order: place for place, value in enumerate(pending)}
    sources = [source_of(table, value) for value in program.inputs] if program is not None else []
    fills, goes_on = [], False
    held = [(slot, tensor) for slot in table.made if (tensor := table.tensor(slot)) is not None]
    roots = {id(origin(tensor._value)) for _, tensor in held if tensor._tracked}
    for slot, tensor in held:
        fill, walkable = _fill(table, slot, tensor, places, roots)
        fills.append(fill)
        goes_on = goes_on or walkable
    if goes_on and any(fill.peers is not None for fill in fills):
        raise Refused("two held tensors share memory but not their gradient path")
    writes = [_write(table, slot, places) for slot in sorted(table.written)]
    program = None if program is None else program.lasting()
    return Plan(program, sources, fills, writes, Node(depth) if goes_on else None)


def source_of(table: Table, value: Value) -> Source:
    """Return where a value that is known at the call, or at the flush, comes from."""
    array = value.data
    known = table.origins.get(id(array))
    if known is not None:
        return known[0]
    if value.order < table.start:
        raise Refused("a value from before the record that is no argument of a call")
    beneath: Any = array
    while isinstance(beneath, np.ndarray):
        if id(beneath) in table.beneath:
            raise Refused("the memory that a view from outside looks at")
        if id(beneath) in table.origins:
            raise Refused("a part of an argument, read while the call was made")
        beneath = beneath.base
    return Source("constant", array)


def _fill(table: Table, slot: int, tensor: TensorBase, places: dict,
          roots: set[int]) -> tuple[Fill, bool]:
    storage = tensor._storage
    cell = table.cell_of(storage)
    assert cell is not None
    if tensor._retain is not None or tensor._gradient is not None or storage.retained is not None:
        raise Refused("a result that keeps its gradient")
    if cell in table.leaves:
        if tensor._tracked:
            raise Refused("a differentiable view of a tensor from outside is held")
        return Fill(slot, table.owners[slot], None, 0, None, None), False
    peers = _peers(table, storage, cell)
    value = storage.value
    if value.data is None:
        if value.order not in places:
            raise Refused("a held tensor that the flush does not compute")
        source: Any = places[value.order]
    else:
        source = source_of(table, value)
    closed, walkable = None, False
    if tensor._tracked:
        closed = closed_path(origin(tensor._value), roots)
        walkable = closed is None
    fill = Fill(slot, cell, source, storage.version.count, closed, value.label, peers)
    return fill, walkable


def _peers(table: Table, storage: Storage, cell: int) -> int | None:
    """Return the first cell of the same memory on another gradient path; None where it is alone."""
    cells = [cell]
    for reference in storage.peers or ():
        peer = reference()
        if peer is None or peer is storage:
            continue
        other = table.cell_of(peer)
        if other is None or other in table.leaves or peer.version is not storage.version:
            raise Refused("a held tensor shares the memory of one from outside the record")
        cells.append(other)
    return min(cells) if len(cells) > 1 else None


def _write(table: Table, slot: int, places: dict) -> Write:
    tensor, leaf = table.tensor(slot), table.leaves[slot]
    if tensor is None or tensor._storage is not leaf.storage:
        raise Refused("a tensor from outside was written into and is gone")
    value = leaf.storage.value
    if value.data is not None or value.order not in places:
        raise Refused("a written tensor that the flush does not compute")
    if value.tracked != leaf.value.tracked or (
            value.tracked and origin(value) is not origin(leaf.value)):
        raise Refused("a write that changes a gradient path")
    return Write(slot, places[value.order], leaf.storage.version.count - leaf.version)
