"""Backpropagation: the chain rule, once, as a transformation of the graph.

`backpropagate` walks from the outputs back to the leaves in reverse order of creation. At each
value it asks the op's gradient rule how the gradient `g` of the value spreads over its inputs,
and adds up what arrives at the same value. Rules are made of ops, so the result is again graph:
it can be differentiated, printed, fused and run like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .errors import GradientError, InplaceError
from .ir import Cotangents, NoGradient, Op, Value, VerifyError, mode, origin, registry
from .ops.pull_back import add_slices, is_slice

# Computed values that a backward pass has let go of. Once its gradients are computed too, their
# data can go: what still holds such a value holds it for its place in the graph.
released: list[Value] = []


def ancestors(roots: Iterable[Value]) -> list[Value]:
    """Return the tracked values that `roots` depend on (themselves included), oldest first."""
    found: dict[int, Value] = {}
    stack = [origin(root) for root in roots if root.tracked]
    while stack:
        value = stack.pop()
        if value.order in found:
            continue
        found[value.order] = value
        stack.extend(origin(v) for v in value.inputs if v.tracked)
    return [found[key] for key in sorted(found)]


def _on_path(values: list[Value], wanted: set[int]) -> set[int]:
    """Return which of the values lead to a wanted one."""
    path = set(wanted)
    for value in values:
        if any(v.tracked and origin(v).order in path for v in value.inputs):
            path.add(value.order)
    return path


def add(a, b):
    """Add two gradients of the same value."""
    if isinstance(a, Cotangents):
        merged = Cotangents(a)
        for key, g in b.items():
            merged[key] = merged[key] + g if key in merged else g
        return merged
    return a + b


def backpropagate(
    seeds: Iterable[tuple[Value, Value]], *,
    wanted: Iterable[Value] | None = None,
    retain: bool = False,
    deliver: Callable[[Value, Value], None] | None = None,
    watch: Callable[[tuple], None] | None = None,
) -> dict[int, Value]:
    """Carry gradients from outputs back to leaves.

    Args:
        seeds: pairs of an output and its gradient.
        wanted: the values whose gradients are asked for; only paths that lead to them are
            walked. None walks everything.
        retain: keep the graph for another pass.
        deliver: called with each leaf of the tape and its gradient.
        watch: called with each value, its gradient and the shares that its rule makes of it.

    Returns:
        The gradients of the wanted values, by their creation order.
    """
    total: dict[int, Value] = {}
    slices: dict[int, list[Value]] = {}  # gradients of slices, which are joined at last
    roots = []
    for output, seed in seeds:
        root = origin(output)
        total[root.order] = add(total[root.order], seed) if root.order in total else seed
        roots.append(root)
    values = ancestors(roots)
    targets = None if wanted is None else {origin(v).order for v in wanted}
    path = None if targets is None else _on_path(values, targets)
    result: dict[int, Value] = {}
    for value in reversed(values):
        g = total.pop(value.order, None)
        if value.order in slices:
            joined = add_slices(slices.pop(value.order))
            g = joined if g is None else add(g, joined)
        if g is None or (path is not None and value.order not in path):
            continue
        ends = path is not None and not any(
            v.tracked and origin(v).order in path for v in value.inputs)
        arrived = g
        for hook in value.hooks or ():
            if mode.noting is not None:
                mode.noting.refuse("a hook runs")
            g = hook(g)
        if targets is not None and value.order in targets:
            # As in PyTorch, what is asked for on the way to something else is taken before hooks.
            result[value.order] = g if ends else arrived
        if value.leaf is not None:
            if deliver is not None:
                deliver(value, g)
            continue
        if ends:
            continue  # the walk ends here, so nothing is used and nothing let go of
        shares = spread(value, g, path)
        if watch is not None:
            watch((value, g, shares))
        for source, part in shares:
            key = source.order
            if is_slice(part):
                slices.setdefault(key, []).append(part)
            else:
                total[key] = add(total[key], part) if key in total else part
        if not retain:
            value.freed = True
            if value.data is not None:
                released.append(value)
    return result


def spread(value: Value, g: Value, path: set[int] | None = None):
    """Return (origin of input, its share of the gradient) for each tracked input."""
    if value.op is None:
        return []
    if isinstance(value.op.grad, NoGradient):
        raise GradientError(f"{value.label or value.op.name} has no gradient",
                            why=value.op.grad.reason, fix="x.detach() before this operation")
    start = Value(None, (), {}, (), value.dtype).order
    rule = value.op.grad
    if value.dtype.is_complex or (value.inputs and value.inputs[0].dtype.is_complex):
        rule = complex_rule(value.op)
    if mode.tracing is None:
        parts = rule(g, value, *value.inputs, **value.settings)
    else:
        before, mode.spreading = mode.spreading, value
        try:
            parts = rule(g, value, *value.inputs, **value.settings)
        finally:
            mode.spreading = before
    shares = [
        (origin(source), part) for source, part in zip(value.inputs, parts, strict=True)
        if part is not None and source.tracked
        and (path is None or origin(source).order in path)
    ]
    for source, part in shares:
        if isinstance(part, Value) and part.shape != source.shape:
            raise VerifyError(
                f"the gradient of {value.op.name} for {source.type} is {part.type}",
                why="kernels would write beyond the end of memory: a gradient has its input's "
                "shape")
    _check_used(value, g, [part for _, part in shares], start)
    return shares


def complex_rule(op: Op) -> Callable:
    """Return the gradient rule of an op on complex numbers.

    The gradient of a real loss L at z = x + iy is dL/dx + i dL/dy (Wirtinger's derivative by the
    conjugate, twice), so that `z - rate * gradient` descends. For a holomorphic f with derivative
    d it is `g * conj(d)`, where the rule for real numbers says `g * d`: the same rule between two
    conjugations. What arrives at a real input is the real part.
    """
    given: Callable = op.grad  # type: ignore[assignment]

    def rule(g: Value, y: Value, *inputs: Value, **settings: Any) -> tuple:
        if op.complex == "values":
            raise GradientError(f"{op.name} has no gradient for complex numbers",
                                why="its rule is written for real ones",
                                fix="x.detach() before this operation")
        if op.complex == "own":
            parts = given(g, y, *inputs, **settings)
        else:
            parts = tuple(None if part is None else conjugated(part) for part in
                          given(conjugated(g), y, *inputs, **settings))
        return tuple(
            registry["real"](part) if part is not None and part.dtype.is_complex
            and not v.dtype.is_complex else part for part, v in zip(parts, inputs, strict=True))

    return rule


def conjugated(value: Value) -> Value:
    """Return the complex conjugate; real values pass."""
    return registry["conj"](value) if value.dtype.is_complex else value


def _used(value: Value, g: Value, parts: list[Value], start: int) -> tuple[list[int], bool]:
    """Return which inputs of `value`, and whether its result, went into the new values.

    The gradient `g` itself may be any value, that of an input or the result included.
    """
    places: dict[int, list[int]] = {}
    for k, source in enumerate(value.inputs):
        places.setdefault(source.order, []).append(k)
    inputs: set[int] = set()
    result, seen = False, set()
    stack = [part for part in parts if isinstance(part, Value)]
    while stack:
        node = stack.pop()
        if node.order in seen or node is g:
            continue
        seen.add(node.order)
        if node.order == value.order:
            result = True
        elif node.order in places:
            inputs.update(places[node.order])
        elif node.order >= start:
            stack.extend(node.inputs)
    return sorted(inputs), result


def _check_used(value: Value, g: Value, parts: list[Value], start: int) -> None:
    """Refuse to use values that were let go of, or overwritten since they were recorded."""
    if not value.freed and value.versions is None:
        return
    inputs, result = _used(value, g, parts, start)
    # A number that belongs to the operation itself, such as a mean's count, is never let go of.
    inputs = [k for k in inputs if value.inputs[k].label != "constant"]
    name = value.label or value.op.name
    where = "" if mode.anomaly is None else mode.anomaly.called(value)
    if value.freed and (inputs or result):
        raise GradientError(
            f"Trying to backward through the graph a second time (at {name}{where}), but its saved "
            "values have been freed",
            why="backward() lets go of the intermediate values as soon as it has used them",
            fix="loss.backward(retain_graph=True) the first time, or compute the loss again")
    if value.versions is None or mode.mutable:
        return
    checked = [(k, value.versions[k]) for k in inputs if k < len(value.versions) - 1]
    if result:
        checked.append((-1, value.versions[-1]))
    for k, pair in checked:
        if pair is not None and pair[0].count != pair[1]:
            which = "its result" if k == -1 else f"its input {k}"
            kind = value if k == -1 else value.inputs[k]
            raise InplaceError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: the gradient of {name}{where} needs {which} ({kind.type}), "
                f"which is at version {pair[0].count}; expected version {pair[1]} instead",
                why="the value that the chain rule needs was overwritten after it was used",
                fix=f"the operation without the trailing underscore, or .clone() before {name}")


_saved_cache: dict[tuple, tuple[list[int], bool]] = {}


def saved(value: Value) -> list[Value]:
    """Return the values that the gradient rule of `value` will read."""
    op = value.op
    if op is None or isinstance(op.grad, NoGradient) or op.kind == "call":
        return []
    mask = tuple(v.tracked for v in value.inputs)
    # What a rule reads depends on settings only where they hold a body.
    body = tuple(value.settings.values()) if "body" in value.settings else None
    key = (op, mask, body, value.dtype.is_complex)
    if key not in _saved_cache:
        _saved_cache[key] = _trial(value, mask)
    inputs, result = _saved_cache[key]
    found = [value.inputs[k] for k in inputs]
    return [*found, value] if result else found


def _trial(value: Value, mask: tuple[bool, ...]) -> tuple[list[int], bool]:
    """Run the rule once on stand-ins to see what it reads."""
    def stand_in(v: Value) -> Value:
        return Value(None, (), {}, v.shape, v.dtype, tracked=v.tracked)

    before, mode.grad = mode.grad, False
    try:
        copies = tuple(stand_in(v) for v in value.inputs)
        result = Value(value.op, copies, value.settings, value.shape, value.dtype)
        g = stand_in(value)
        parts = value.op.grad(g, result, *copies, **value.settings)
    finally:
        mode.grad = before
    kept = [p for p, tracked in zip(parts, mask, strict=True) if tracked and p is not None]
    return _used(result, g, kept, g.order)
