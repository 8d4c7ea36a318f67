"""Gradient paths that cannot be walked any more: what a rule on them needs was let go of."""

from __future__ import annotations

from collections.abc import Collection

from ..grad import saved
from ..ir import Value, origin

# So many steps of a path that nobody has walked are looked at.
LONGEST_END = 64


def closed_path(root: Value, roots: Collection[int] = ()) -> str | None:
    """Return where a walk along a gradient path must fail; None where it may not.

    A path that no backward pass has walked may begin behind one that was: it is closed if it
    leads to nothing that a gradient could be asked for on the way.

    Args:
        root: where it begins.
        roots: the paths' beginnings of all held tensors, by identity.
    """
    waiting, seen, ends = [root], {id(root)}, []
    while waiting:
        value = waiting.pop()
        if value.freed and value.op is not None and _needs_what_is_gone(value):
            if root.freed:
                return root.label or root.op.name if root.op is not None else None
            if id(value) in roots:
                return None
            ends.append(value)
            continue
        asked = value is not root and id(value) in roots
        if not root.freed and (len(seen) > LONGEST_END or asked or value.leaf is not None
                               or value.hooks or value.op is None):
            return None
        for source in map(origin, (v for v in value.inputs if v.tracked)):
            if id(source) not in seen:
                seen.add(id(source))
                waiting.append(source)
    last = max(ends, key=lambda value: value.order, default=None)
    return None if last is None or last.op is None else last.label or last.op.name


def _needs_what_is_gone(value: Value) -> bool:
    """Whether the rule of a value that was let go of reads anything but the gradient."""
    if value.op is None or value.op.kind == "call" or not value.inputs:
        return True
    return any(v.label != "constant" for v in saved(value))
