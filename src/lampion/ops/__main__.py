"""Print the table of all primitive ops: `python -m lampion.ops`."""

from __future__ import annotations

import inspect
import re

from ..ir import NoGradient, Op, registry, zero
from . import elementwise  # noqa: F401 - fills the registry


def gradient_text(op: Op) -> str:
    """Return the gradient rule as it is written in the source, in one line."""
    if isinstance(op.grad, NoGradient):
        return f"none: {op.grad.reason}"
    if op.grad is zero:
        return "0 (flat almost everywhere)"
    if op.grad.__name__ != "<lambda>":
        return f"{op.grad.__name__.strip('_')}(...)"
    source = " ".join(inspect.getsource(op.grad).split())
    source = source[source.index("grad=") :]
    body = re.sub(r"^grad=lambda [^:]*: ", "", source)
    depth = 0
    for position, letter in enumerate(body):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return body[1:position].strip().rstrip(",")
    return body


def main() -> None:
    """Print one line an op: kind, name, what it means, its gradient."""
    for kind in ("elementwise", "movement", "reduction", "opaque"):
        ops = [op for op in registry.values() if op.kind == kind]
        print(f"\n{kind} ({len(ops)})")
        for op in ops:
            gradient = gradient_text(op)
            print(f"  {op.name:<18} {op.doc:<84} {gradient[:90]}")
    print(f"\n{len(registry)} ops")


if __name__ == "__main__":
    main()
