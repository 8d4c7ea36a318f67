"""Rules for loops over time: the body is mapped, and the loop runs once for all elements."""

from __future__ import annotations

from collections.abc import Callable

from ..body import trace
from ..ir import Type, Value, VerifyError, registry
from ..ops.scan_layout import Scan
from .lanes import Lanes, count, move, spread


def _section(lanes: Lanes, start, shape) -> Value:
    (flat,) = lanes.inputs
    window = registry["slice"](flat, start=(0, start), stop=(lanes.size, start + count(shape)),
                               step=(1, 1))
    return registry["reshape"](window, shape=(lanes.size, *shape))


def scan_rule(batch: Callable, one_by_one: Callable) -> Callable:
    """Return the rule for scans.

    Args:
        batch: maps a graph.
        one_by_one: the way out for a body that cannot be mapped within a body.
    """

    def rule(lanes: Lanes, **settings) -> Value:
        setup, size = Scan(**settings), lanes.size
        first = setup.states + setup.steps
        mapped = [k < setup.states or flag for k, flag in enumerate(lanes.mapped)]
        inputs = []
        for k, (value, has, flag) in enumerate(zip(lanes.inputs, lanes.mapped, mapped,
                                                   strict=True)):
            if flag and not has:
                value = spread(value, size)
            elif flag and setup.states <= k < first:
                value = move(value, 0, 1)  # time stays the first axis
            inputs.append(value)
        try:
            body = _mapped_body(setup, mapped, size, batch)
        except VerifyError:
            return one_by_one(lanes, **settings)
        grown = setup._replace(body=body)
        flat = registry["scan"](*inputs, **grown._asdict())
        parts = []
        for k, window in enumerate(grown.parts):
            part = registry["section"](flat, start=window.start, shape=window.shape)
            stacked = k >= setup.states or setup.kept[k]
            part = move(part, 1 if stacked else 0, 0)
            parts.append(registry["reshape"](part, shape=(size, count(part.shape[1:]))))
        return registry["concat"](*parts, axis=1)

    return rule


def _mapped_body(setup: Scan, mapped: list[bool], size: int, batch: Callable):
    body = setup.body
    types = [Type((size, *t.shape), t.dtype) if flag else t
             for t, flag in zip(body.parameters, mapped, strict=True)]

    def step(*parameters: Value) -> list[Value]:
        stands = [Value(None, (), {}, *t) if flag else parameter for parameter, t, flag in zip(
            parameters, body.parameters, mapped, strict=True)]
        values = body.unfold(stands)
        elements = {stand.order: parameter for stand, parameter, flag in zip(
            stands, parameters, mapped, strict=True) if flag}
        return [value if has else spread(value, size) for value, has in batch(
            [values[k] for k in body.results], elements, size)]

    return trace(step, types)


RULES: dict[str, Callable[..., Value]] = {"section": _section}
