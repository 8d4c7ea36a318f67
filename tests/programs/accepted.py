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
            math.isinf(one) and one == -two and re.search(
                r"relu|minimum|maximum|fmin|fmax|clamp|clip", d.source) is not None)
    return d.what == "grad: values" and (
        math.isnan(one) and any(word in d.source for word in ("amax(", "amin("))
        or math.isnan(two) and any(
            word in d.source for word in ("hardtanh(", "relu6(", "logsigmoid(")))


def _left_behind(d: Difference) -> bool:
    """PyTorch's side holds what an operation did before it raised, in both libraries."""
    what = d.what.removeprefix("grad: ")
    if what not in ("values", "type", "shape", "length", "requires_grad", "is_leaf", "aliasing"):
        return False
    raised = (*d.raised, d.line) if isinstance(d.expected, Facts) else d.raised
    backward = [line for line in raised if "backward(" in line]
    writes = [line for line in raised if any(
        word in line for word in ("index_", "scatter", "] =", "resize", "put_"))]
    of_gradient = d.what.startswith("grad: ") or d.kind == "{graded}.grad" or (
        d.what == "aliasing" and ".grad" in d.source)
    return bool(backward and of_gradient or writes)


def _of_an_old_view(d: Difference) -> bool:
    """A view of a tensor that detach_() took off its path; the tensor was written afterwards."""
    for found in re.finditer(r"(?<![\w.])(\w+)\.detach_\(\)", d.source):
        name, before, after = found[1], d.source[:found.start()], d.source[found.end():]
        viewed = re.search(rf"\w+ = {name}(\[|\.\w)", before)
        written = re.search(rf"(?m)^ *{name}(\[[^\n]*\])? [-+*/|&^]?=|\b{name}\.\w+_\(", after)
        if viewed and written:
            return True
    return False


def _of_a_lost_leaf(d: Difference) -> bool:
    """What differs is `y`, where `y = x.grad` and x was bound anew or deleted."""
    for found in re.finditer(r"(\w+) = (x\d+)\.grad\b", d.source):
        if re.search(rf"(?m)^ *({found[2]} = |del {found[2]}\b)", d.source[found.end():]) and (
                f"'{found[1]}'" in d.detail if d.what == "version"
                else d.variable.split("[")[0] == found[1]):
            return True
    return False


def _no_elements(d: Difference) -> bool:
    return isinstance(d.expected, Facts) and 0 in d.expected.shape


def _late_view(d: Difference) -> bool:
    """PyTorch's side is a view whose base came to require grad after the view was made."""
    one, two = d.expected, d.found
    if isinstance(one, Facts) and isinstance(two, Facts):
        return one.is_view and two.is_view and one.has_grad_fn and not two.has_grad_fn
    written = re.match(r"(?:\w+ = )?(\w+)", d.line)
    if d.what != "only torch raises RuntimeError" or not d.message.startswith(
            ("a leaf Variable", "a view of a leaf Variable")):
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
            d.message.startswith(("One of the differentiated Tensors does not require grad",
                                  "cannot resize variables that require grad"))
            and any(word in d.source for word in (
                "no_grad", "inference_mode", "set_grad_enabled(False)")))),
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
        "Ellipsis for something, or hands out a zero that cannot be added to.",
        lambda d: "INTERNAL ASSERT" in d.message or "single ellipsis" in d.message
        or "ZeroTensors are immutable" in d.message or "leading, non-existing" in d.message
        or "unallocated storage" in str(d.expected)),
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
        "where max has one at the NaN; an infinite gradient passes logsigmoid(-inf) whole; the "
        "sign of a zero that relu, minimum or clamp chooses follows the processor.",
        _odd_loop),
    Accepted(
        "spread without a degree of freedom, or of infinity",
        "The gradient of a variance of too few or infinite elements is infinite or NaN, and "
        "PyTorch's rules for it depend on whether dim was given.",
        lambda d: d.what in ("values", "grad: values")
        and re.search(r"\b(var|std)(_mean)?\(", d.source) is not None
        and math.isnan(_number(d.found))
        and (not math.isfinite(_number(d.expected)) or "correction=" in d.source)),
    Accepted(
        "second derivatives of nothing",
        "A gradient that is zero or NaN whatever happens (of no elements, of x ** 0, of the norm "
        "of nothing, of the variance of one element, of what was overwritten) is a constant in "
        "some rules of PyTorch and not in others.",
        lambda d: "requires_grad" in d.what and "create_graph=True" in d.source
        and isinstance(d.expected, Facts) and isinstance(d.found, Facts)
        and (_no_elements(d) or not d.expected.requires_grad
             and re.search(
                 r"norm\(|\b(var|std)(_mean)?\(|\*\* (0|False)\b|pow\((0|False)\b", d.source)
             is not None
             or d.expected.requires_grad
             and re.search(r"\] = |(fill|copy|zero)_\(", d.source) is not None)),
    Accepted(
        "what a failing operation leaves behind",
        "PyTorch may have written some elements, or delivered some gradients, when it raises.",
        _left_behind),
    Accepted(
        "inference tensors written where it is refused",
        "PyTorch changes a tensor made in inference mode, and then raises.",
        lambda d: "inference_mode" in d.source and d.what in (
            "values", "shape", "requires_grad", "aliasing", "stride", "is_contiguous")
        and any("_(" in line or "] =" in line or re.match(r"\w+ [-+*/|&^]=", line)
                for line in (*d.raised, d.line))),
    Accepted(
        "leaves over repeated elements",
        "A leaf has a gradient for each of its elements, so requires_grad_() and copy.copy() give "
        "an expanded tensor memory of its own.",
        lambda d: d.what in ("aliasing", "version", "values") and bool(d.repeated)),
    Accepted(
        "gradients that share memory",
        "PyTorch hands out one piece of memory for gradients that happen to be the same.",
        lambda d: d.what in ("aliasing", "values") and re.split(r"[.[]", d.variable)[0] in d.joint
        or d.what == "version" and not d.joint.isdisjoint(re.findall(r"'(x\d+)'", d.detail))),
    Accepted(
        "a write that reads what it writes",
        "The result of x[positions] = x, or x.mT[positions] = x, depends on the order of PyTorch's "
        "loop.",
        lambda d: d.what == "values" and re.search(
            r"\b(x\d+)(\.\w+(\([^()]*\))?)*\[[^\n]*\] = \1\b", d.source) is not None),
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
        "data of inference tensors",
        "In PyTorch a tensor whose .data comes from inference mode is partly an inference tensor: "
        "it counts no writes, and requires grad; in lampion the new memory says what it is.",
        lambda d: d.what in ("version", "requires_grad") and ".data = " in d.line
        and "inference_mode" in d.source),
    Accepted(
        "gradients of leaves that nobody holds",
        "PyTorch's graph keeps them alive: their gradient, which somebody may hold, grows, and one "
        "from inference mode cannot. In lampion they are gone.",
        lambda d: d.what == "only torch raises RuntimeError" and "backward(" in d.kind
        and d.message.startswith("Inplace update to inference tensor")
        or d.what in ("version", "values") and _of_a_lost_leaf(d)),
    Accepted(
        "copies of views made in inference mode",
        "copy.copy of such a view shares no memory with it.",
        lambda d: d.what == "aliasing" and "inference_mode" in d.source
        and "copy.copy(" in d.source),
    Accepted(
        "integer tensors and value=0.5",
        "PyTorch rounds the factor of addcmul_ to 0 without a word; lampion refuses.",
        lambda d: "addc" in d.kind and d.what.startswith("only here raises DTypeError")),
    Accepted(
        "a write to .data beneath a gradient path",
        "PyTorch does not count it, so its gradient is that of the new data, silently; lampion's "
        "is that of the data that were used.",
        lambda d: d.what in ("values", "grad: values") and "grad" in d.variable + d.source
        and re.search(r"\.data(\[[^\n]*\])?(\.\w+_\(|\.\w+\([^\n]*\)\.\w+_\()", d.source)
        is not None),
    Accepted(
        "views of what detach_() took off its path",
        "PyTorch lets go of such a view's old gradient path when the tensor is written next, and "
        "says all the same that the view requires grad; in lampion the view keeps its path.",
        _of_an_old_view),
    Accepted(
        "what a rule reads besides the inputs",
        "PyTorch's rules of softmax, logsumexp and norm read their result, so a second derivative "
        "reaches it; lampion's lead to the input alone.",
        lambda d: d.what == "only here raises GradientError" and "create_graph=True" in d.source
        and "appears to not have been used in the graph" in d.message
        and re.search(r"softmax|softmin|logsumexp|norm|std|sigmoid", d.source) is not None),
    Accepted(
        "gradients of parts that nobody asked for",
        "What unbind(), split() and chunk() return has one node in PyTorch: asking for the "
        "gradient of one part fills the retained gradients of the others.",
        lambda d: re.search(r"\.(chunk|split|unbind)\(|torch\.(chunk|split|unbind)\(", d.source)
        is not None and "retain_grad()" in d.source and "autograd.grad(" in d.source
        and (d.kind.startswith("{graded}.grad") or d.what.startswith("grad: "))),
    Accepted(
        "softmax of no whole numbers",
        "PyTorch finds out that softmax has no kernel for them only where there is an element.",
        lambda d: d.what == "only here raises DTypeError" and "softm" in d.kind
        and re.search(r"is torch\.\w+, (\d+x)*0(x\d+)*$", d.message.splitlines()[0]) is not None),
    Accepted(
        "tanh next to one",
        "From 9 to 10, NumPy's tanh is the number next to 1 where PyTorch's is 1, and 1 - y * y is "
        "zero there or not.",
        lambda d: d.what in ("shape", "length", "number of statements run")
        and "tanh" in d.source and re.search(r"nonzero|argwhere|\{mask\}|\{index\}", d.kind)
        is not None),
    Accepted(
        "which of two mistakes is named",
        "PyTorch asks an operand for a size it does not have before it says which shapes it wants; "
        "it looks for rows of a table by an index in two ways.",
        lambda d: d.what.startswith("raises ") and isinstance(d.expected, Raised)
        and (re.search(r"embedding|bmm|scatter|index_copy", d.kind) is not None
             and d.expected.text.startswith(("Dimension specified as", "Dimension out of range",
                                             "INDICES element is out of DATA bounds",
                                             "index_select(): self indexing axis dim"))
             or "[{index}]" in d.kind and d.expected.text.startswith("step must be greater")
             or "Inplace update to inference tensor" in d.message
             and d.expected.text.startswith("Dimension out of range")
             or d.kind.startswith("{w}[{mask}] =")
             and "refer to a single memory location" in d.expected.text)),
    Accepted(
        "strides of gradients",
        "PyTorch hands out some gradients as expanded or permuted memory; lampion's are always in "
        "row-major order.",
        lambda d: d.what in ("stride", "is_contiguous")
        and ("autograd.grad(" in d.kind or ".grad" in d.line)),
)


def accepted(difference: Difference) -> Accepted | None:
    """Return the entry that a difference falls under, if any."""
    return next((entry for entry in ACCEPTED if entry.matches(difference)), None)
