"""Derivatives of functions: jacobian, hessian, and products of them with vectors.

Everything here is reverse mode through `grad`. A Jacobian-vector product uses the double-backward
trick (Townsend 2017, "A new trick for calculating Jacobian vector products"): the vector-Jacobian
product u -> J^T u is linear in u, so differentiating it with respect to u gives v -> J v.

All six functions take `func(*inputs)` and give the structure of PyTorch back: a tensor where a
tensor was given, a tuple where a tuple was. With `create_graph` the result can be differentiated
again; with `strict` an output that does not depend on an input is an error instead of a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lampion.autograd.engine import grad
from lampion.autograd.modes import enable_grad, is_grad_enabled, set_grad_enabled
from lampion.base import TensorBase as Tensor
from lampion.base import call
from lampion.errors import (
    ArgumentError,
    ArgumentTypeError,
    GradientError,
    ShapeError,
    UnsupportedError,
    shape_text,
)
from lampion.ir import registry

Tensors = tuple[Tensor, ...]
STRATEGIES = ("reverse-mode", "forward-mode")


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:
    """Return `func(*inputs)` and the vector-Jacobian product v^T J.

    Shape:
        v: as the outputs of `func` -> product: as `inputs`.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors: the point.
        v: the vector; may be left out when `func` returns one number.
        create_graph: make both results differentiable.
        strict: raise when an output does not depend on an input, instead of returning zeros.

    Raises:
        ShapeError: `v` does not have the shape of the outputs.
        GradientError: `strict`, and something does not depend on an input.

    Example:
        >>> import lampion as torch
        >>> torch.autograd.functional.vjp(lambda x: x ** 2, torch.tensor([1., 3.]), torch.ones(2))
        (tensor([1., 9.]), tensor([2., 6.]))
    """
    with enable_grad():
        several_inputs, inputs = _tensors(inputs, "inputs", "vjp")
        inputs = _fresh(inputs, create_graph)
        several_outputs, outputs = _evaluate(func, inputs, "vjp", strict)
        vector = _vector(v, outputs, "vjp", "output of the function", create_graph)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        product = _gradients(outputs, inputs, vector, create_graph, strict)
    return (
        _given_back(outputs, several_outputs, create_graph),
        _given_back(product, several_inputs, create_graph),
    )


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:
    """Return `func(*inputs)` and the Jacobian-vector product J v.

    Shape:
        v: as `inputs` -> product: as the outputs of `func`.

    Args:
        func, inputs, create_graph, strict: as in `vjp`.
        v: the direction; may be left out when the input is one number.

    Raises:
        ShapeError: `v` does not have the shape of the inputs.
        GradientError: `strict`, and something does not depend on an input.

    Example:
        >>> import lampion as torch
        >>> torch.autograd.functional.jvp(lambda x: x ** 2, torch.tensor([1., 3.]), torch.ones(2))
        (tensor([1., 9.]), tensor([2., 6.]))
    """
    with enable_grad():
        _, inputs = _tensors(inputs, "inputs", "jvp")
        inputs = _fresh(inputs, create_graph)
        vector = _vector(v, inputs, "jvp", "input", create_graph)
        several_outputs, outputs = _evaluate(func, inputs, "jvp", strict)
        # The product is linear in these, so their value does not matter; zeros stay finite.
        dummies = _dummies(outputs)
        transposed = _gradients(outputs, inputs, dummies, True, strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        product = _gradients(transposed, dummies, vector, create_graph, strict)
    return (
        _given_back(outputs, several_outputs, create_graph),
        _given_back(product, several_outputs, create_graph),
    )


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian: entry [i, j] is d output[i] / d input[j].

    Shape:
        output of shape O, input of shape I -> (*O, *I); one such tensor per pair of output
        and input, nested in tuples (outputs outside) where `func` or `inputs` has several.

    Args:
        func, inputs, create_graph, strict: as in `vjp`.
        vectorize: accepted; the result is the same.
        strategy: `"reverse-mode"`, or `"forward-mode"`, which is accepted and gives the same.

    Raises:
        ArgumentError: an unknown strategy.
        UnsupportedError: `create_graph` with `"forward-mode"`.

    Example:
        >>> import lampion as torch
        >>> torch.autograd.functional.jacobian(lambda x: x * x.sum(), torch.tensor([1., 2.]))
        tensor([[4., 1.],
                [2., 5.]])
    """
    _check_strategy(strategy, create_graph, "jacobian")
    with enable_grad():
        several_inputs, inputs = _tensors(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, create_graph)
        several_outputs, outputs = _evaluate(func, inputs, "jacobian", strict)
        blocks = tuple(_rows(output, inputs, create_graph, strict) for output in outputs)
    per_output = tuple(_given_back(block, several_inputs, create_graph) for block in blocks)
    return per_output if several_outputs else per_output[0]


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian of a function of one number: entry [i, j] is d2 f / d x[i] d x[j].

    Shape:
        input of shape I -> (*I, *I); for a tuple of inputs, a tuple of tuples of such blocks.

    Args:
        func: takes tensors, returns one tensor of one element.
        inputs, create_graph, strict, vectorize: as in `jacobian`.
        outer_jacobian_strategy: as `strategy` in `jacobian`.

    Raises:
        ShapeError: `func` returns more than one number.

    Example:
        >>> import lampion as torch
        >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    several, tensors = _tensors(inputs, "inputs", "hessian")

    def gradient(*point: Tensor) -> Tensors:
        value = _one_number(func, point, "hessian", strict)
        return _gradients((value,), point, None, True, strict)

    blocks = jacobian(gradient, tensors, create_graph, strict, vectorize, outer_jacobian_strategy)
    return blocks if several else blocks[0][0]


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:
    """Return `func(*inputs)` and the vector-Hessian product v^T H.

    Shape:
        v: as `inputs` -> product: as `inputs`.

    Args:
        func: takes tensors, returns one tensor of one element.
        inputs, create_graph, strict: as in `vjp`.
        v: the vector; may be left out when the input is one number.

    Raises:
        ShapeError: `func` returns more than one number, or `v` does not fit the inputs.

    Example:
        >>> import lampion as torch
        >>> torch.autograd.functional.vhp(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]),
        ...                               torch.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        several, inputs = _tensors(inputs, "inputs", "vhp")
        inputs = _fresh(inputs, create_graph)
        vector = _vector(v, inputs, "vhp", "input", create_graph)
        value = _one_number(func, inputs, "vhp", strict)
        gradient = _gradients((value,), inputs, None, True, strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        product = _gradients(gradient, inputs, vector, create_graph, strict)
    return (
        _given_back((value,), False, create_graph),
        _given_back(product, several, create_graph),
    )


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None,
    create_graph: bool = False, strict: bool = False,
) -> tuple[Any, Any]:
    """Return `func(*inputs)` and the Hessian-vector product H v.

    For twice continuously differentiable functions this is `vhp`, which is cheaper.

    Shape:
        v: as `inputs` -> product: as `inputs`.

    Args:
        func, inputs, v, create_graph, strict: as in `vhp`.

    Raises:
        ShapeError: `func` returns more than one number, or `v` does not fit the inputs.

    Example:
        >>> import lampion as torch
        >>> torch.autograd.functional.hvp(lambda x: (x ** 3).sum(), torch.tensor([1., 2.]),
        ...                               torch.ones(2))
        (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        several, inputs = _tensors(inputs, "inputs", "hvp")
        inputs = _fresh(inputs, create_graph)
        vector = _vector(v, inputs, "hvp", "input", create_graph)
        value = _one_number(func, inputs, "hvp", strict)
        gradient = _gradients((value,), inputs, None, True, strict)
        dummies = _dummies(inputs)
        transposed = _gradients(gradient, inputs, dummies, True, strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        product = _gradients(transposed, dummies, vector, create_graph, strict)
    return (
        _given_back((value,), False, create_graph),
        _given_back(product, several, create_graph),
    )


# The steps that the six share, in the order in which they are taken.


def _tensors(values: Any, name: str, function: str) -> tuple[bool, Tensors]:
    """Return whether `values` was a tuple, and the tuple."""
    several = isinstance(values, tuple)
    found = values if several else (values,)
    for position, value in enumerate(found):
        if not isinstance(value, Tensor):
            where = f"{name}[{position}]" if several else name
            raise ArgumentTypeError(
                f"{function}: {where} is a {type(value).__name__}",
                why=f"{name} must be a Tensor or a tuple of Tensors",
                fix=f"torch.tensor({where})",
            )
    return several, found


def _fresh(inputs: Tensors, create_graph: bool) -> Tensors:
    """Return new tensors to differentiate by, apart from the ones `func` may have captured."""
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
        for x in inputs
    )


def _evaluate(
    func: Callable[..., Any], inputs: Tensors, function: str, strict: bool
) -> tuple[bool, Tensors]:
    several, outputs = _tensors(func(*inputs), "the function's result", function)
    for position, output in enumerate(outputs):
        if strict and not output.requires_grad:
            raise GradientError(
                f"{function}: output {position} of the function does not require grad",
                why="strict: every output must be computed from the inputs",
                fix="strict=False to get zeros",
            )
    return several, outputs


def _one_number(
    func: Callable[..., Any], inputs: Sequence[Tensor], function: str, strict: bool
) -> Tensor:
    several, outputs = _evaluate(func, tuple(inputs), function, strict)
    if several or outputs[0].numel() != 1:
        given = f"{len(outputs)} tensors" if several else f"shape {shape_text(outputs[0].shape)}"
        raise ShapeError(
            f"{function}: the function returned {given}",
            why="a Hessian belongs to a function that returns one tensor of one element",
            fix="reduce the result, for example with .sum()",
        )
    return outputs[0]


def _vector(
    v: Any, like: Tensors, function: str, what: str, create_graph: bool
) -> Tensors | None:
    """Check `v` against the tensors that it multiplies; None stands for the number 1."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise ShapeError(
                f"{function}: the vector v can only be None if the {what} is a single Tensor "
                "with a single element",
                why=f"the {what} has shape " + ", ".join(shape_text(t.shape) for t in like),
                fix=f"{function}(func, inputs, v)",
            )
        return None
    _, vectors = _tensors(v, "v", function)
    given = [tuple(t.shape) for t in vectors]
    wanted = [tuple(t.shape) for t in like]
    if given != wanted:
        raise ShapeError(
            f"{function}: v has invalid size: " + ", ".join(map(shape_text, given)),
            why=f"v must have the shape of the {what}: " + ", ".join(map(shape_text, wanted)),
        )
    return vectors if create_graph else tuple(t.detach() for t in vectors)


def _dummies(tensors: Tensors) -> Tensors:
    return tuple(t.new_zeros(t.shape).requires_grad_() for t in tensors)


def _gradients(
    outputs: Tensors, inputs: Sequence[Tensor], vectors: Tensors | None, create_graph: bool,
    strict: bool, retain_graph: bool | None = None,
) -> Tensors:
    """Like `grad`, but what does not depend on an input gives zeros (an error when `strict`)."""
    pairs = [
        (output, None if vectors is None else vectors[i])
        for i, output in enumerate(outputs) if output.requires_grad
    ]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if pairs:
        found = grad(
            tuple(p[0] for p in pairs), tuple(inputs), tuple(p[1] for p in pairs),
            retain_graph=retain_graph, create_graph=create_graph, allow_unused=True,
        )
    for position, gradient in enumerate(found):
        if strict and (gradient is None or (create_graph and not gradient.requires_grad)):
            raise GradientError(
                "the function, or its derivative, is independent of "
                f"input {position}, of shape {shape_text(inputs[position].shape)}",
                why="this is not allowed in strict mode",
                fix="strict=False to get zeros",
            )
    return tuple(
        x.new_zeros(x.shape) if gradient is None else gradient
        for x, gradient in zip(inputs, found)
    )


def _rows(output: Tensor, inputs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    """Return d output / d input for each input, one backward pass per element of the output."""
    count = output.numel()
    shapes = [tuple(output.shape) + tuple(x.shape) for x in inputs]
    if not count:
        return tuple(x.new_zeros(shape) for x, shape in zip(inputs, shapes))
    # A one-hot vector per row instead of output[row]: every pass is then the same program.
    one_hot = output.detach().new_tensor(np.eye(count))
    rows = [
        _gradients((output,), inputs, (one_hot[row].reshape(output.shape),), create_graph, strict,
                   retain_graph=True)
        for row in range(count)
    ]
    columns = [tuple(row.reshape(-1) for row in column) for column in zip(*rows)]
    return tuple(
        call(registry["concat"], column, {"axis": 0}, label="stack").reshape(shape)
        for column, shape in zip(columns, shapes)
    )


def _given_back(tensors: Tensors, several: bool, create_graph: bool) -> Any:
    """Undo what `_tensors` and `_fresh` did."""
    results = tensors if create_graph else tuple(t.detach() for t in tensors)
    return results if several else results[0]


def _check_strategy(strategy: str, create_graph: bool, function: str) -> None:
    if strategy not in STRATEGIES:
        raise ArgumentError(
            f"{function}: unknown strategy {strategy!r}",
            why=f"the strategies are {', '.join(STRATEGIES)}",
        )
    if strategy == "forward-mode" and create_graph:
        raise UnsupportedError(
            f'{function}: create_graph=True with strategy="forward-mode"',
            why="PyTorch does not have it either",
            fix='strategy="reverse-mode"',
        )
