"""Where lampion differs from PyTorch on purpose.

Each entry says why. A statement that shows such a difference is dropped from the program, which is
then run again without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .compare import Difference
from .observe import Facts


@dataclass(frozen=True)
class Accepted:
    """One difference that is meant to be.

    Args:
        name: for the statistics.
        reason: why lampion differs.
        matches: whether a difference is this one.
    """

    name: str
    reason: str
    matches: Callable[[Difference], bool]


def _untracked_view(d: Difference) -> bool:
    """PyTorch's side is a tensor that says it requires grad but has no way to its base."""
    one, two = d.expected, d.found
    return (d.what in ("requires_grad", "is_leaf") and isinstance(one, Facts)
            and isinstance(two, Facts) and one.requires_grad and one.is_leaf
            and not one.has_grad_fn and not two.requires_grad)


ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        "views under no_grad",
        "PyTorch lets a view made under no_grad say requires_grad=True, as its base does, although "
        "no gradient ever reaches the base through it. In lampion it requires none.",
        _untracked_view),
    Accepted(
        "integer division by zero",
        "Whether a divisor is zero is known only when the program runs, so it cannot raise at the "
        "line that divides.",
        lambda d: d.what == "only torch raises RuntimeError" and d.message == "ZeroDivisionError"),
    Accepted(
        "positions not yet known",
        "Positions that are still pending are checked when they are computed, not at the line "
        "that uses them.",
        lambda d: d.what.startswith("only torch raises") and (
            "out of range" in d.message or "out of bounds" in d.message)),
    Accepted(
        "gradient of unique",
        "PyTorch says that unique() carries a gradient and refuses in backward; lampion says at "
        "once that it carries none.",
        lambda d: d.what in ("requires_grad", "is_leaf", "has_grad_fn") and "unique" in d.kind),
    Accepted(
        "scatter with a larger source",
        "PyTorch documents src larger than index and then fails in backward; lampion's gradient "
        "is zero where src was not used.",
        lambda d: "Scatter" in d.message and "invalid gradient" in d.message),
    Accepted(
        "setting .data of a computed tensor",
        "PyTorch keeps the old gradient path over the new data, silently; in lampion the tensor "
        "has no gradient path afterwards.",
        lambda d: d.kind == "{t}.data = {srct}"),
    Accepted(
        "classes of rare exceptions",
        "Index functions on tensors without axes: which builtin is raised follows from the order "
        "of PyTorch's checks.",
        lambda d: d.what.startswith("raises ") and "index_" in d.kind),
    Accepted(
        "strides of gradients",
        "PyTorch hands out some gradients as expanded or permuted memory; lampion's are always in "
        "row-major order.",
        lambda d: d.what in ("stride", "is_contiguous") and (
            "grad" in d.source or "backward" in d.source)),
)


def accepted(difference: Difference) -> Accepted | None:
    """Return the entry that a difference falls under, if any."""
    return next((entry for entry in ACCEPTED if entry.matches(difference)), None)
