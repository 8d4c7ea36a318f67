"""Where lampion differs from PyTorch on purpose.

Each entry says why. A statement that shows such a difference is dropped from the program, which is
then run again without it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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


def _number(x: Any) -> float:
    return float(x) if isinstance(x, (bool, int, float)) else 0.0


def _odd_loop(d: Difference) -> bool:
    one, two = _number(d.expected), _number(d.found)
    if d.what == "values":
        return math.isnan(one) and any(
            word in d.source for word in ("gelu(", "var_mean(", "std_mean(")) or (
            math.isinf(one) and one == -two and "relu" in d.source)
    return d.what == "grad: values" and (
        math.isnan(one) and any(word in d.source for word in ("amax(", "amin("))
        or math.isnan(two) and any(word in d.source for word in ("hardtanh(", "relu6(")))


def _late_view(d: Difference) -> bool:
    """PyTorch's side is a view whose base came to require grad after the view was made."""
    one, two = d.expected, d.found
    if isinstance(one, Facts) and isinstance(two, Facts):
        return one.is_view and two.is_view and one.has_grad_fn and not two.has_grad_fn
    written = re.match(r"(?:\w+ = )?(\w+)", d.line)
    if not d.message.startswith("a leaf Variable") or d.what != "only torch raises RuntimeError":
        return False
    made = re.findall(rf"\b{written[1]} = (.*)", d.source) if written else []
    return bool(made) and not any("requires_grad" in line for line in made) and (
        f"{written[1]}.requires_grad" not in d.source if written else False)


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
        lambda d: _untracked_view(d) or (
            d.message.startswith("One of the differentiated Tensors does not require grad")
            and ("no_grad" in d.source or "inference_mode" in d.source))),
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
            "out of range" in d.message or "out of bounds" in d.message
            or "out of DATA bounds" in d.message or "axis dim should be positive" in d.message)),
    Accepted(
        "positions on an empty axis",
        "PyTorch does not look at positions when there is nothing to write there.",
        lambda d: d.what.startswith("only here raises") and (
            "dimension with size 0" in d.detail and "index_" in d.kind
            or "is out of bounds for dimension" in d.detail and "[{index}]" in d.kind)),
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
        lambda d: isinstance(d.expected, Raised) and "its base or another view" in d.expected.text),
    Accepted(
        "mistakes of PyTorch",
        "PyTorch says itself that it is a bug, or gives a negative size, or takes a second "
        "Ellipsis for something.",
        lambda d: "INTERNAL ASSERT" in d.message or "single ellipsis" in d.message
        or "leading, non-existing" in d.message or "unallocated storage" in str(d.expected)),
    Accepted(
        "views made before their base was tracked",
        "PyTorch finds out that such a view requires grad only when it is next asked for its "
        "grad_fn, and meanwhile takes it for a leaf.",
        _late_view),
    Accepted(
        "whole numbers that require grad",
        "In PyTorch a write of a tensor that requires grad makes an integer tensor say that it "
        "requires grad as well; the gradient of a power whose exponent is bool raises there.",
        lambda d: isinstance(d.expected, Facts) and d.expected.requires_grad
        and "int" in d.expected.dtype
        or d.kind.endswith("backward()") and "with a bool tensor is not supported" in d.message),
    Accepted(
        "infinity and NaN in some of PyTorch's loops",
        "PyTorch's gelu(inf) and the mean of var_mean with inf are NaN; its hardtanh passes the "
        "gradient at NaN in the last few elements only; amax has a gradient of NaN everywhere "
        "where max has one at the NaN; the sign of relu's zero follows the processor.",
        _odd_loop),
    Accepted(
        "spread without a degree of freedom, or of infinity",
        "The gradient of a variance of too few or infinite elements is infinite or NaN, and "
        "PyTorch's rules for it depend on whether dim was given; they record nothing.",
        lambda d: d.what.startswith("grad") and re.search(r"\b(var|std)(_mean)?\(", d.source)
        is not None and (isinstance(d.found, Facts) or math.isnan(_number(d.found)))),
    Accepted(
        "second derivatives of nothing",
        "The norm of no elements is a constant in PyTorch's backward, with create_graph as well.",
        lambda d: "requires_grad" in d.what and "create_graph=True" in d.source
        and "norm(" in d.source and isinstance(d.expected, Facts)
        and not d.expected.requires_grad),
    Accepted(
        "what a failing operation leaves behind",
        "PyTorch may have written some elements, or delivered some gradients, when it raises; "
        "tensors made in inference mode are changed before their use is refused.",
        lambda d: any(("grad" in d.what or "backward" not in line) and (
            "backward" in line or "[" in line or "_(" in line) for line in d.raised)
        and d.what.removeprefix("grad: ") in ("values", "type", "shape", "length", "requires_grad",
                                              "is_leaf", "aliasing")
        and ("grad" in d.what or "inference" in d.source or any(
            word in line for line in d.raised
            for word in ("index", "scatter", "] =", "resize", "put")))),
    Accepted(
        "leaves over repeated elements",
        "A leaf has a gradient for each of its elements, so requires_grad_() and copy.copy() give "
        "an expanded tensor memory of its own.",
        lambda d: d.what in ("aliasing", "version") and any(
            word in d.source for word in ("expand", "broadcast", "meshgrid"))
        and any(word in d.source for word in ("requires_grad", "copy.copy"))),
    Accepted(
        "gradients that share memory",
        "PyTorch hands out one piece of memory for gradients that happen to be the same.",
        lambda d: d.what in ("aliasing", "values", "version") and bool(d.variable)
        and f"{d.variable.split('[')[0]} = torch.autograd.grad(" in d.source),
    Accepted(
        "a write that reads what it writes",
        "The result of x[positions] = x depends on the order of PyTorch's loop.",
        lambda d: d.what == "values" and re.search(r"\b(\w+)\[[^\n]*\] = \1\b", d.source)
        is not None),
    Accepted(
        "one number for repeated elements",
        "PyTorch refuses x[0] = 1.0 where x[0] repeats elements, and allows x[0].fill_(1.0).",
        lambda d: d.what.startswith("only torch raises") and d.kind.endswith("= {number}")
        and "more than one element of the written-to tensor" in d.message),
    Accepted(
        "truth in place, on a leaf",
        "PyTorch forgets to check leaves in logical_not_.",
        lambda d: "logical_not_" in d.kind and "a leaf Variable" in d.message
        or "logical_not_" in d.kind and "view of a leaf" in d.message),
    Accepted(
        "hooks of paths that carry nothing",
        "PyTorch calls the hooks of some outputs of unbind() and split() with None.",
        lambda d: d.what == "only torch raises TypeError" and "'NoneType' and 'int'" in d.message
        and "register_hook" in d.source),
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
            or "has been modified by an inplace operation" in d.message
            or "Inference tensors cannot be saved" in d.message
            or "saved tensor that has been detached in-place" in d.message)),
    Accepted(
        "detach of an inference tensor",
        "PyTorch lets it be written although it is an inference tensor; lampion does not.",
        lambda d: d.what.startswith("only here raises") and "inference tensor" in d.message),
    Accepted(
        "gradients and copies made in inference mode",
        "backward() inside inference_mode leaves PyTorch's .grad half-written when the next one "
        "raises; copy.copy of a view shares no memory there.",
        lambda d: "inference" in d.source and ("grad" in d.what or "copy.copy" in d.source
                                               or "detach_" in d.kind or "resize" in d.kind
                                               or d.what.startswith("raises ") and "_(" in d.kind)),
    Accepted(
        "integer tensors and value=0.5",
        "PyTorch rounds the factor of addcmul_ to 0 without a word; lampion refuses.",
        lambda d: "addc" in d.kind and d.what.startswith("only here raises DTypeError")),
    Accepted(
        "setting .data of a computed tensor",
        "PyTorch keeps the old gradient path over the new data, silently; in lampion the tensor "
        "has no gradient path afterwards.",
        lambda d: d.kind == "{t}.data = {t1} * 2"
        or d.what in ("requires_grad", "is_leaf") and ".data = " in d.source),
    Accepted(
        "classes of rare exceptions",
        "Where several things are wrong with an index or with a product of matrices, which builtin "
        "is raised follows from the order of PyTorch's checks.",
        lambda d: d.what.startswith("raises ") and any(
            word in d.kind for word in ("index", "scatter", "[{mask}]", "[i] =", "embedding",
                                        "bmm", "torch.mv"))),
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
