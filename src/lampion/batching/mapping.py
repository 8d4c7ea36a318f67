"""The walk: every value that depends on a placeholder is made again, with a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import UnsupportedError
from ..ir import Value, full, mode, origin, registry
from . import images, loops, matrices, rules
from .lanes import Lanes, spread


def batch(outputs: Sequence[Value], elements: Mapping[int, Value], size: int
          ) -> list[tuple[Value, bool]]:
    """Return each output for all elements at once, and whether it has the new axis.

    Args:
        outputs: values made of placeholders, and of values that are the same for all elements.
        elements: for each placeholder, by its order, the value of all elements along axis 0.
        size: how many elements there are.

    Raises:
        UnsupportedError: an `autograd.Function` whose gradient would be asked for later.
    """
    made: dict[int, Value] = dict(elements)
    for value in _dependents(outputs, elements):
        made[value.order] = _grown(value, made, size)
    found = []
    for output in outputs:
        grown = made.get(output.order)
        found.append((output, False) if grown is None else (grown, True))
    return found


def _dependents(outputs: Sequence[Value], elements: Mapping[int, Value]) -> list[Value]:
    """The values that depend on a placeholder, each after what it is made of."""
    depends: dict[int, bool] = dict.fromkeys(elements, True)
    found: dict[int, Value] = {}
    stack = [(value, False) for value in outputs]
    while stack:
        value, seen = stack.pop()
        if value.order in depends:
            continue
        if value.data is not None:  # what depends on a placeholder is never computed
            depends[value.order] = False
            continue
        sources = list(value.inputs)
        if value.history is not None:
            sources.append(origin(value))
        if not seen:
            stack.append((value, True))
            stack.extend((source, False) for source in sources if source.order not in depends)
            continue
        depends[value.order] = any(depends[source.order] for source in sources)
        if depends[value.order]:
            found[value.order] = value
    return [found[order] for order in sorted(found)]


def _grown(value: Value, made: Mapping[int, Value], size: int) -> Value:
    op = value.op
    inputs = [made.get(v.order, v) for v in value.inputs]
    lanes = Lanes(size, inputs, [v.order in made for v in value.inputs], value)
    # Inside the function gradients may have been switched off for a while.
    before, mode.grad = mode.grad, mode.grad and value.tracked
    try:
        if not any(lanes.mapped):  # only its gradient path depends on a placeholder
            grown = spread(value, size)
        elif op.kind == "call":
            raise UnsupportedError(
                f"vmap over {value.label or 'an autograd.Function'} whose gradient is asked for "
                "outside of vmap",
                why="backward was written for one element and cannot be looked into",
                fix="vmap(grad(f)) in place of grad(vmap(f)), or the operations themselves")
        elif op.name in RULES:
            grown = RULES[op.name](lanes, **value.settings)
        elif op.kind == "elementwise":
            grown = rules.pointwise(lanes, **value.settings)
        elif op.kind == "reduction":
            grown = rules.along_axes(lanes, **value.settings)
        else:
            grown = one_by_one(lanes, **value.settings)
    finally:
        mode.grad = before
    if value.history is not None and value.tracked and not grown.tracked:
        old = origin(value)
        grown.tracked, grown.history = True, made.get(old.order, old)
    if value.label is not None:
        grown.label = value.label
    return grown


def one_by_one(lanes: Lanes, **settings) -> Value:
    """Apply the op to one element after another, and stack the results.

    Right for every op, and slow where there are many elements.
    """
    shape = lanes.value.shape
    parts = []
    for lane in range(lanes.size):
        inputs = [pick(v, lane) if mapped else v
                  for v, mapped in zip(lanes.inputs, lanes.mapped, strict=True)]
        part = lanes.value.op(*inputs, **settings)
        parts.append(registry["reshape"](part, shape=(1, *shape)))
    if not parts:
        return full((0, *shape), 0, lanes.value.dtype)
    return registry["concat"](*parts, axis=0)


def pick(value: Value, lane: int) -> Value:
    """Return one element of a value that has them along axis 0."""
    rest = value.shape[1:]
    row = registry["slice"](value, start=(lane, *(0 for _ in rest)), stop=(lane + 1, *rest),
                            step=(1,) * value.ndim)
    return registry["reshape"](row, shape=rest)


RULES: dict[str, Callable[..., Value]] = {
    **rules.RULES, **matrices.RULES, **images.RULES, **loops.RULES,
    "scan": loops.scan_rule(batch, one_by_one),
}
