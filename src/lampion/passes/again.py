"""Again: what is cheaper to compute a second time than to keep in memory.

A backward pass reads many values of the forward pass that one or two operations make from others
that stand in memory anyway: a difference to the mean, a mask. Each group that reads such a value
computes it for itself, from the same operands and so to the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..ir import Value
from ..kernel import HEAVY

if TYPE_CHECKING:
    from .fuse import Fusion, Group, Key

COSTLY = (*HEAVY, "div", "sqrt", "rsqrt")
MOST = 4  # operations


class Reading(NamedTuple):
    """One use of a value by another group (None: by something that is no loop)."""

    group: Group | None
    operand: Value


class Recipe(NamedTuple):
    """How a value is computed again.

    Attributes:
        cost: the number of operations.
        made: the value and what is computed on the way to it.
        whole: memory of the value's own size that is read, as keys of `Fusion.key`.
        rows: row results that must stand in memory for it.
    """

    cost: int
    made: frozenset[int]
    whole: frozenset[Key]
    rows: frozenset[int]


def computed_again(
    fusion: Fusion, stored: dict[int, Value], readings: dict[int, list[Reading]],
) -> set[int]:
    """Take out of `stored` what its readers compute again; return that."""
    found: dict[int, Recipe] = {}
    for order in sorted(stored):
        value = stored[order]
        group = fusion.group_of.get(order)
        if group is None or not all(_direct(value, r) for r in readings[order]):
            continue
        recipe = _recipe(fusion, value, group, stored, found)
        if recipe is None or recipe.cost > MOST:
            continue
        others = {r.group.number: r.group for r in readings[order] if r.group is not None}
        if all(len(recipe.whole - reader.reads) <= 1 for reader in others.values()):
            found[order] = recipe
            for row in recipe.rows:
                stored[row] = group.members[row]
            for reader in others.values():
                reader.reads |= recipe.whole
    made: set[int] = set()
    for order, recipe in found.items():
        del stored[order]
        made |= recipe.made
    return made


def _direct(value: Value, reading: Reading) -> bool:
    """Whether a loop reads a value as it is, element by element."""
    return reading.operand is value and reading.group is not None and (
        reading.group.shape == value.shape)


def _recipe(
    fusion: Fusion, value: Value, group: Group, stored: dict[int, Value],
    found: dict[int, Recipe],
) -> Recipe | None:
    """How to compute a member again from what stands in memory; None if that costs too much."""
    if value.order in found:
        return found[value.order]
    if value.op.kind != "elementwise" or value.op.name in COSTLY or value.shape != group.shape or (
            fusion.is_row_level(group, value)):
        return None
    cost, made = 1, {value.order}
    whole: set[Key] = set()
    rows: set[int] = set()
    for operand in value.inputs:
        source = fusion.access(operand).source
        inside = fusion.group_of.get(source.order) is group
        if source.order in found or (
                inside and source.order not in stored and not fusion.is_row_level(group, source)):
            part = None
            if operand is source and cost < MOST:
                part = _recipe(fusion, source, group, stored, found)
            if part is None:
                return None
            cost += part.cost
            made |= part.made
            whole |= part.whole
            rows |= part.rows
        elif inside and source.order not in stored:
            rows.add(source.order)
        elif source.order in stored or source.op is None or source.data is not None:
            if _is_whole(fusion, operand):
                whole.add(fusion.key(operand))
        else:
            return None
    return Recipe(cost, frozenset(made), frozenset(whole), frozenset(rows))


def _is_whole(fusion: Fusion, operand: Value) -> bool:
    """Whether no element of what is read is read twice."""
    strides = fusion.access(operand).strides
    return 0 not in [s for s, n in zip(strides, operand.shape, strict=True) if n != 1]
