"""Order: what a program computes, each unit after what it needs.

A unit is a group of fused values, or a single value that a hand-made kernel or NumPy computes. Of
the units that could come next the one that was recorded first comes first: so an optimizer's
updates come after the last reader of the old parameters and can be written in their place.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from ..ir import Value
from ..passes.fuse import Fusion, Group

Unit = Value | Group


def unit_of(fusion: Fusion, value: Value) -> Unit:
    """Return what computes a value."""
    return fusion.group_of.get(value.order, value)


def needs(fusion: Fusion, unit: Unit) -> list[Value]:
    """Return the values that must be in memory before a unit is computed."""
    members = unit.members.values() if isinstance(unit, Group) else (unit,)
    found: dict[int, Value] = {}
    for member in members:
        for operand in member.inputs:
            source = fusion.access(operand).source
            if unit_of(fusion, source) is not unit:
                found[source.order] = source
    return list(found.values())


def schedule(fusion: Fusion, wanted: Iterable[Value]) -> list[Unit]:
    """Return the units that the wanted values need, in order."""
    units: dict[int, Unit] = {}
    waiting: dict[int, int] = {}
    readers: dict[int, list[int]] = {}
    stack = [unit_of(fusion, v) for v in wanted if v.op is not None]
    while stack:
        unit = stack.pop()
        if id(unit) in units:
            continue
        units[id(unit)] = unit
        before = {id(u): u for u in (
            unit_of(fusion, v) for v in needs(fusion, unit) if v.op is not None)}
        waiting[id(unit)] = len(before)
        for key, needed in before.items():
            readers.setdefault(key, []).append(id(unit))
            stack.append(needed)
    ready = [(_age(u), key) for key, u in units.items() if not waiting[key]]
    heapq.heapify(ready)
    order = []
    while ready:
        _, key = heapq.heappop(ready)
        order.append(units[key])
        for reader in readers.get(key, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, (_age(units[reader]), reader))
    if len(order) != len(units):
        raise AssertionError("units of a program wait for each other")
    return order


def _age(unit: Unit) -> int:
    return next(iter(unit.members)) if isinstance(unit, Group) else unit.order
