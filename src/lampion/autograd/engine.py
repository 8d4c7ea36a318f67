"""`backward` and `grad`: from tensors to the chain rule and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import base
from ..base import TensorBase, wrap
from ..batching import batch
from ..errors import ArgumentTypeError, GradientError, ShapeError, shape_text
from ..grad import backpropagate
from ..ir import Unknown, Value, expand, full, mode, origin, registry
from ..replay.gradients import gradients
from ..replay.recorded import recorded

TensorOrTensors = TensorBase | Sequence[TensorBase]
Gradients = TensorBase | Sequence[TensorBase | None] | None


def _as_tuple(x) -> tuple:
    if x is None:
        return ()
    return (x,) if isinstance(x, TensorBase) else tuple(x)


def _seed(output: TensorBase, gradient: TensorBase | None) -> Value:
    """Return the gradient to start from at one output."""
    if not output._tracked:
        raise GradientError(
            "element 0 of tensors does not require grad and does not have a grad_fn",
            why="nothing that this result was computed from asks for a gradient",
            fix="x.requires_grad_() before the computation, outside no_grad()")
    value = output._value
    if gradient is None:
        if base._size(value.shape) != 1:
            raise GradientError(
                "grad can be implicitly created only for scalar outputs: the output is "
                f"{shape_text(value.shape)}",
                why="a gradient says how one number changes; here there are "
                f"{base._size(value.shape)}",
                fix="loss.sum().backward(), loss.mean().backward(), or "
                "loss.backward(gradient=torch.ones_like(loss))")
        return full(value.shape, 1, value.dtype)
    if not isinstance(gradient, TensorBase):
        raise ArgumentTypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
    if tuple(gradient._shape) != value.shape:
        raise ShapeError(
            "Mismatch in shape: grad_output[0] has a shape of "
            f"{shape_text(gradient._shape)} and output[0] has a shape of "
            f"{shape_text(value.shape)}.", fix="gradient=torch.ones_like(output)")
    seed = gradient._value
    return seed if seed.dtype is value.dtype else registry["cast"](seed, dtype=value.dtype)


def _seeds(outputs, gradients) -> list[tuple[Value, Value]]:
    if gradients and len(gradients) != len(outputs):
        raise ShapeError(f"got {len(outputs)} tensors and {len(gradients)} gradients")
    gradients = gradients or (None,) * len(outputs)
    return [(out._value, _seed(out, g)) for out, g in zip(outputs, gradients, strict=True)]


def _deliver(marker: Value, g: Value) -> None:
    """Add a gradient to the `.grad` of the leaf it belongs to."""
    tensor = marker.leaf()
    if tensor is None or not tensor._tracked:
        return
    if tensor._leaf_marker() is None:
        raise GradientError(
            "leaf variable has been moved into the graph interior",
            why="a tensor that was a leaf when it was used is now the result of an in-place "
            "operation, and can collect no gradient", fix="x = x + y in place of x += y")
    held = tensor._gradient
    if held is None:
        if g.shape != tensor._shape:
            g = _fitting(g, tensor._shape)
    elif g.shape != held._shape:
        g = _fitting(g, held._shape, narrow=False)
    if held is None:
        tensor._gradient = wrap(g if mode.grad else base.stop(g))
    elif mode.grad:
        tensor._gradient = wrap(held._value + g)
    else:
        held._write(held._value + g)
    for hook in list(getattr(tensor, "_post_accumulate_hooks", {}).values()):
        if mode.noting is not None:
            mode.noting.refuse("a hook runs")
        hook(tensor)


def _fitting(g: Value, shape: tuple[int, ...], narrow: bool = True) -> Value:
    """Return the gradient of a leaf whose shape was changed in place, in another shape.

    Args:
        narrow: axes of size 1 may be dropped.
    """
    if [n for n in g.shape if n != 1] == [n for n in shape if n != 1] and (
            narrow or len(g.shape) <= len(shape)):
        return registry["reshape"](g, shape=shape)
    raise ShapeError(
        f"output with shape {list(shape)} doesn't match the broadcast shape {list(g.shape)}",
        why="the leaf was given another shape in place after it was used, or after it had "
        "collected a gradient", fix="x.grad = None when x gets another shape")


def run(seeds, wanted=None, retain=False, create_graph=False, deliver=None):
    """Backpropagate with recording on exactly when `create_graph` is asked for."""
    before, mode.grad = mode.grad, create_graph
    try:
        if mode.anomaly is not None and mode.anomaly.check_nan:
            return _watched(seeds, wanted, retain, deliver)
        return backpropagate(seeds, wanted=wanted, retain=retain, deliver=deliver)
    finally:
        mode.grad = before


def _watched(seeds, wanted, retain, deliver):
    """Backpropagate, look at every gradient on the way, then hand out those of the leaves."""
    spreads: list = []
    arrived: list = []
    found = backpropagate(seeds, wanted=wanted, retain=retain, watch=spreads.append,
                          deliver=None if deliver is None else lambda *leaf: arrived.append(leaf))
    mode.anomaly.check(spreads)
    for leaf in arrived:
        deliver(*leaf)
    return found


def backward(
    tensors: TensorOrTensors, grad_tensors: Gradients = None,
    retain_graph: bool | None = None, create_graph: bool = False,
    inputs: TensorOrTensors | None = None,
) -> None:
    """Add the gradients of `tensors` to the `.grad` of every leaf they depend on.

    Args:
        tensors: the outputs; each is a scalar, or has its gradient in `grad_tensors`.
        grad_tensors: the gradient of each output, of the output's shape.
        retain_graph: keep the graph for another backward (default: the same as create_graph).
        create_graph: record the gradients' own computation, for second derivatives.
        inputs: add to the `.grad` of these tensors only.

    Raises:
        GradientError: an output does not require grad, is no scalar, or its graph was freed.
        InplaceError: a value that the chain rule needs was overwritten.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([1., 2.], requires_grad=True)
        >>> torch.autograd.backward((x * x).sum())
        >>> x.grad
        tensor([2., 4.])
    """
    retain = create_graph if retain_graph is None else retain_graph
    outputs = _as_tuple(tensors)
    seeds = _seeds(outputs, _as_tuple(grad_tensors))
    if inputs is None:
        run(seeds, None, retain, create_graph, _deliver)
        return
    asked = _as_tuple(inputs)
    if not asked:
        raise GradientError("'inputs' argument to backward cannot be empty.",
                            fix="inputs=None for all leaves")
    roots = {}
    for tensor in asked:
        if not tensor._tracked:
            raise GradientError("One of the differentiated Tensors does not require grad",
                                fix="x.requires_grad_() before the computation")
        roots[origin(tensor._value).order] = tensor
    found = run(seeds, [t._value for t in asked], retain, create_graph)
    before, mode.grad = mode.grad, create_graph
    try:
        for order, tensor in roots.items():
            if order in found:
                marker = origin(tensor._value)
                if marker.leaf is not None:
                    _deliver(marker, found[order])
                else:
                    _accumulate_non_leaf(tensor, found[order])
    finally:
        mode.grad = before


backward = recorded(backward, operands=gradients)


def _accumulate_non_leaf(tensor: TensorBase, g: Value) -> None:
    held = tensor._gradient
    tensor._gradient = wrap(g if held is None else held._value + g)


def grad(
    outputs: TensorOrTensors, inputs: TensorOrTensors,
    grad_outputs: Gradients = None, retain_graph: bool | None = None,
    create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
    is_grads_batched: bool = False, materialize_grads: bool = False,
) -> tuple:
    """Return the gradients of `outputs` with respect to `inputs`, leaving every `.grad` alone.

    Formula: the sum over outputs of grad_output times d output / d input.

    Shape: each gradient has the shape of its input.

    Args:
        outputs: scalars, or tensors whose gradients stand in `grad_outputs`.
        inputs: the tensors to differentiate by; leaves or intermediate results.
        grad_outputs: the gradient of each output.
        retain_graph: keep the graph for another pass (default: the same as create_graph).
        create_graph: record the gradients' own computation, for second derivatives.
        allow_unused: return None for inputs that no output depends on, rather than raise.
        is_grads_batched: the gradients in grad_outputs have one more axis in front; so have the
            results, one row for each row (as `torch.vmap` over one call after another would give).
        materialize_grads: return zeros for those inputs.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor(3., requires_grad=True)
        >>> (first,) = torch.autograd.grad(x ** 3, x, create_graph=True)
        >>> first.item(), torch.autograd.grad(first, x)
        (27.0, (tensor(18.),))
    """
    if is_grads_batched:
        return _batched(_as_tuple(outputs), inputs, _as_tuple(grad_outputs), retain_graph,
                        create_graph, allow_unused, materialize_grads)
    retain = create_graph if retain_graph is None else retain_graph
    allow = materialize_grads if allow_unused is None else allow_unused
    asked = _as_tuple(inputs)
    if not asked:
        raise GradientError("`inputs` argument to `grad()` cannot be empty.",
                            fix="loss.backward() for the gradients of all leaves")
    values = []
    seeds = _seeds(_as_tuple(outputs), _as_tuple(grad_outputs))
    for tensor in asked:
        if not tensor._tracked:
            raise GradientError("One of the differentiated Tensors does not require grad",
                                fix="x.requires_grad_() before the computation")
        values.append(tensor._path())
    found = run(seeds, values, retain, create_graph)
    results: list = []
    made: dict[int, TensorBase] = {}  # one tensor for an input asked for twice
    for position, (tensor, value) in enumerate(zip(asked, values, strict=True)):
        place = origin(value).order
        g = found.get(place)
        if g is None and not allow:
            raise GradientError(
                "One of the differentiated Tensors appears to not have been used in the graph: "
                f"input {position}, of shape {shape_text(tensor._shape)}. "
                "Set allow_unused=True if this is the desired behavior.",
                why="no path of recorded operations leads from the outputs to this input",
                fix="torch.autograd.grad(outputs, inputs, allow_unused=True)")
        if g is None and materialize_grads:
            g = full(tensor._shape, 0, tensor._dtype)
        if g is not None and place not in made:
            made[place] = wrap(g)
        results.append(None if g is None else made[place])
    return tuple(results)


def _batched(outputs: tuple, inputs: TensorOrTensors, gradients: tuple, *settings: Any) -> tuple:
    """Walk once, with placeholders for one row of the gradients, and map what came of it."""
    if not gradients or any(g is None for g in gradients):
        raise GradientError("grad: is_grads_batched needs a gradient for each output",
                            fix="grad_outputs=torch.eye(n), for instance")
    sizes = {g._shape[0] if g._shape else -1 for g in gradients}
    if len(sizes) != 1 or -1 in sizes:
        raise ShapeError("grad: with is_grads_batched every gradient has the rows along its first "
                         f"axis, got {', '.join(shape_text(g._shape) for g in gradients)}")
    (size,) = sizes
    elements, rows = {}, []
    for g in gradients:
        stand = Value(None, (), {}, g._shape[1:], g._dtype)
        stand.volatile = Unknown("grad", stand.order)
        elements[stand.order] = g._value
        rows.append(wrap(stand))
    retain_graph, create_graph, allow_unused, materialize_grads = settings
    found = grad(outputs, inputs, rows, retain_graph, create_graph, True, allow_unused, False,
                 materialize_grads)
    before, mode.grad = mode.grad, create_graph
    try:
        grown = iter(batch([t._value for t in found if t is not None], elements, size))
        results: list[TensorBase | None] = []
        for tensor in found:
            if tensor is None:
                results.append(None)
                continue
            value, has = next(grown)
            results.append(wrap(value if has else expand(value, (size, *value.shape))))
        return tuple(results)
    finally:
        mode.grad = before


grad = recorded(grad)
