"""The chain rule inside a body: gradients of its results carried back to its parameters."""

from __future__ import annotations

from ..body import Body
from ..errors import GradientError
from ..ir import Cotangents, NoGradient, Value, number, registry, zero


def environment(body: Body, available: set[int]) -> list[Value]:
    """Return a value for each number of a body.

    Parameters and `available` values are placeholders; the others are made of them again, which
    costs something only where a gradient reads them.
    """
    values = [Value(None, (), {}, *t) for t in body.parameters]
    values += [number(c.value, c.dtype) for c in body.constants]
    for place, line in enumerate(body.lines, body.first_line):
        if place in available:
            values.append(Value(None, (), {}, *line.type))
        else:
            operands = (values[k] for k in line.operands)
            values.append(line.op(*operands, **dict(line.settings)))
    return values


def pull_back(body: Body, values: list[Value], seeds: dict[int, list[Value]],
              wanted: set[int]) -> dict[int, list[Value]]:
    """Carry gradients from the values `seeds` back to the parameters `wanted`.

    Args:
        values: a value for each number of the body (see `environment`).
        seeds: gradients by number.

    Returns:
        For each parameter what arrives there, still to be added up.
    """
    path = body.dependents(wanted)
    for place in path:  # what a rule must know that differentiates another body
        values[place].tracked = values[place].dtype.is_floating_point
    total = {place: list(parts) for place, parts in seeds.items()}
    for place in range(body.first_line + len(body.lines) - 1, body.first_line - 1, -1):
        line = body.lines[place - body.first_line]
        parts = total.pop(place, None)
        if not parts or place not in path or line.op.grad is zero:
            continue
        if isinstance(line.op.grad, NoGradient):
            raise GradientError(f"{line.op.name} has no gradient", why=line.op.grad.reason)
        operands = [values[k] for k in line.operands]
        shares = line.op.grad(add_up(parts), values[place], *operands, **dict(line.settings))
        for k, share in zip(line.operands, shares, strict=True):
            if share is not None and k in path:
                total.setdefault(k, []).append(share)
    return total


def add_up(parts: list):
    """Return the sum of gradients of one value.

    Gradients of slices that lie side by side are joined, not padded with zeros and added.
    """
    if isinstance(parts[0], Cotangents):
        merged = Cotangents()
        for part in parts:
            for key, g in part.items():
                merged[key] = merged[key] + g if key in merged else g
        return merged
    joined = _join(parts) if len(parts) > 1 else None
    if joined is not None:
        return joined
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


def is_slice(part: Value | Cotangents) -> bool:
    """Whether a gradient is that of a slice: something put into zeros."""
    return (isinstance(part, Value) and part.op is registry["slice_put"]
            and _is_zero(part.inputs[0]))


def add_slices(parts: list[Value]) -> Value:
    """Return the sum of gradients for which `is_slice` holds.

    Those that cannot be joined are put into zeros again, each just before it is added: what was
    made of them on arrival would all be in memory at once.
    """
    joined = _join(parts) if len(parts) > 1 else None
    if joined is not None:
        return joined
    result = parts[0]
    for part in parts[1:]:
        result = result + registry["slice_put"](*part.inputs, **part.settings)
    return result


def _join(parts: list[Value]) -> Value | None:
    """Return slices put into zeros as one concatenation, None where they do not tile an axis."""
    if not all(map(is_slice, parts)):
        return None
    shape = parts[0].shape
    axes = [k for k, n in enumerate(shape) if parts[0].inputs[1].shape[k] != n]
    if len(axes) != 1:
        return None
    axis, end = axes[0], 0
    ordered = sorted(parts, key=lambda p: p.settings["start"][axis])
    for part in ordered:
        start, step = part.settings["start"], part.settings["step"]
        update = part.inputs[1]
        others = all(update.shape[k] == n for k, n in enumerate(shape) if k != axis)
        if not others or start[axis] != end or any(s != 1 for s in step):
            return None
        end += update.shape[axis]
    if end != shape[axis]:
        return None
    return registry["concat"](*(p.inputs[1] for p in ordered), axis=axis)


def _is_zero(value: Value) -> bool:
    while value.op is not None and value.op.name in ("expand", "reshape"):
        value = value.inputs[0]
    return value.data is not None and not value.shape and not value.data.any()
