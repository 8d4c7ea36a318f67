"""Simplify: what need not be computed at all.

Copies and moves that change nothing disappear, chains of moves become one, equal computations
happen once. Nothing here may change a bit of any result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ..ir import Graph, Op, Value, registry


def freeze(setting: Any) -> Hashable:
    """Return a setting as something that can be compared and hashed."""
    return tuple(setting) if isinstance(setting, list) else setting


def key_of(op: Op, inputs: tuple[Value, ...], settings: dict[str, Any]) -> Hashable:
    """Equal keys mean equal computations."""
    return (op.name, tuple(v.order for v in inputs),
            tuple((name, freeze(s)) for name, s in sorted(settings.items())))


def _copy(value: Value, x: Value) -> Value:
    return x


def _observe(value: Value, x: Value, found: Value, carrier: Value) -> Value:
    return x


def _overwrite(value: Value, old: Value, new: Value) -> Value:
    return new


def _cast(value: Value, x: Value) -> Value | None:
    return x if x.dtype is value.dtype else None


def _reshape(value: Value, x: Value) -> Value | None:
    if x.shape == value.shape:
        return x
    if x.op is registry["reshape"]:
        first = x.inputs[0]
        return first if first.shape == value.shape else value.op(first, shape=value.shape)
    return None


def _permute(value: Value, x: Value) -> Value | None:
    order = value.settings["order"]
    if x.op is registry["permute"] or order == tuple(range(len(order))):
        return permuted(x, order)
    return None


def permuted(x: Value, order: tuple[int, ...]) -> Value:
    """Return a value with its axes reordered, by at most one permute."""
    if x.op is registry["permute"]:
        first = x.settings["order"]
        x, order = x.inputs[0], tuple(first[k] for k in order)
    return x if order == tuple(range(len(order))) else registry["permute"](x, order=order)


def transposed_product(value: Value, x: Value) -> Value | None:
    """Write the transpose of a product as the product of the transposes, the other way round.

    The sums are the same, but they are written where their reader wants them: the gradient of a
    weight, for instance, is asked for as the transpose of the product that the chain rule gives.
    """
    order = value.settings["order"]
    rank = len(order)
    if x.op is not registry["matmul"] or order != (*range(rank - 2), rank - 1, rank - 2):
        return None
    a, b = x.inputs
    return registry["matmul"](permuted(b, order), permuted(a, order))


def _same_shape(value: Value, x: Value) -> Value | None:
    return x if x.shape == value.shape else None


def _expand(value: Value, x: Value) -> Value | None:
    if x.op is registry["expand"]:
        return value.op(x.inputs[0], shape=value.shape)
    return _same_shape(value, x)


def _reduce(value: Value, x: Value) -> Value | None:
    # An axis of size 1 is reduced already; norms and squares still have to happen.
    return x if all(x.shape[k] == 1 for k in value.settings["axes"]) else None


RULES: dict[str, Callable[..., Value | None]] = {
    "copy": _copy, "observe": _observe, "overwrite": _overwrite, "cast": _cast, "reshape": _reshape,
    "permute": _permute, "expand": _expand, "slice": _same_shape, "pad": _same_shape,
    "sum": _reduce, "prod": _reduce, "max": _reduce, "min": _reduce,
}


def simplify(
    graph: Graph, inputs: Sequence[Value] | None = None,
) -> tuple[Graph, list[Value]]:
    """Return a simpler graph, and for each output of the old one its value in the new one.

    The new graph is made of new values; the old one is left as it is.

    Args:
        inputs: what stands for the graph's inputs in the new graph; the same if not given.
    """
    new: dict[int, Value] = {
        v.order: n for v, n in zip(graph.inputs, inputs or graph.inputs, strict=True)}
    known: dict[Hashable, Value] = {}
    readers = Counter(v.order for value in graph.values for v in value.inputs)
    readers.update(v.order for v in graph.outputs)
    for value in graph.values:
        inputs = tuple(new[v.order] for v in value.inputs)
        candidate = Value(value.op, inputs, value.settings, value.shape, value.dtype)
        rule = RULES.get(value.op.name)
        simpler = rule(candidate, *inputs) if rule is not None else None
        if simpler is None and value.op.name == "permute" and (
                readers[value.inputs[0].order] == 1):
            simpler = transposed_product(candidate, *inputs)
        if simpler is None:
            simpler = candidate
        if simpler.data is None and simpler.op is not None:
            simpler = known.setdefault(
                key_of(simpler.op, simpler.inputs, simpler.settings), simpler)
        new[value.order] = simpler
    outputs = [new[v.order] for v in graph.outputs]
    return Graph(outputs), outputs
