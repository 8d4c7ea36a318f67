"""Where lampion differs from PyTorch on purpose.

Each entry says why. A statement that shows such a difference is dropped from the program, which is
then run again without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .compare import Difference
from .observe import Facts, Raised


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
        "positions on an empty axis",
        "PyTorch does not look at positions when there is nothing to write there.",
        lambda d: d.what.startswith("only here raises") and "index_" in d.kind
        and "dimension with size 0" in d.detail),
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
        "views that come in many",
        "After a write to the base, PyTorch refuses to look at views made by unbind() or split() "
        "of a tracked tensor; in lampion they show the base as it is.",
        lambda d: isinstance(d.expected, Raised) and "its base or another view" in d.expected.text
        and not isinstance(d.found, Raised)),
    Accepted(
        "mistakes of PyTorch",
        "PyTorch says itself that it is a bug, or gives a negative size, or takes a second "
        "Ellipsis for something.",
        lambda d: "INTERNAL ASSERT" in d.message or "single ellipsis" in d.message
        or "leading, non-existing" in d.message),
    Accepted(
        "x[...] += y on a view",
        "Python writes the result back to where it already is; PyTorch refuses that where the "
        "index happens to cover the whole view.",
        lambda d: d.what.startswith("only torch raises") and d.kind.endswith("= {value}")
        and "leaf Variable" in d.message),
    Accepted(
        "results that PyTorch makes as views",
        "Some results are views of passing memory in PyTorch (gradients, nonzero, "
        "repeat_interleave); and views of inference tensors know no base.",
        lambda d: d.what == "is_view" and (d.expected.is_view or "inference" in d.source)),
    Accepted(
        "gradients that PyTorch lacks",
        "The gradient of // is zero, as that of div(rounding_mode='floor') is in both; the divisor "
        "of % has one, too.",
        lambda d: "is not implemented" in d.message and "derivative for" in d.message
        or "Autograd not support dtype" in d.message),
    Accepted(
        "views made under no_grad",
        "PyTorch forbids to write to them with gradients on, as ambiguous; lampion records the "
        "write.",
        lambda d: "A view was created in no_grad mode" in d.message
        or isinstance(d.expected, Raised) and "created in no_grad mode" in d.expected.text),
    Accepted(
        "what a gradient rule saves",
        "lampion lets go of, and watches, exactly what the rule reads; some operations of PyTorch "
        "save more, and then refuse a second backward or a write in between.",
        lambda d: d.what.startswith("only torch raises") and (
            "Trying to backward through the graph a second time" in d.message
            or "has been modified by an inplace operation" in d.message)),
    Accepted(
        "detach of an inference tensor",
        "PyTorch lets it be written although it is an inference tensor; lampion does not.",
        lambda d: d.what.startswith("only here raises") and "inference tensor" in d.message),
    Accepted(
        "gradients and copies made in inference mode",
        "backward() inside inference_mode leaves PyTorch's .grad half-written when the next one "
        "raises; copy.copy of a view shares no memory there.",
        lambda d: "inference" in d.source and ("grad" in d.what or "copy.copy" in d.source)),
    Accepted(
        "integer tensors and value=0.5",
        "PyTorch rounds the factor of addcmul_ to 0 without a word; lampion refuses.",
        lambda d: "addc" in d.kind and d.what.startswith("only here raises DTypeError")),
    Accepted(
        "setting .data of a computed tensor",
        "PyTorch keeps the old gradient path over the new data, silently; in lampion the tensor "
        "has no gradient path afterwards.",
        lambda d: d.kind == "{t}.data = {t1} * 2"),
    Accepted(
        "classes of rare exceptions",
        "Where several things are wrong with an index, which builtin is raised follows from the order "
        "of PyTorch's checks.",
        lambda d: d.what.startswith("raises ") and (
            "index" in d.kind or "scatter" in d.kind)),
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
