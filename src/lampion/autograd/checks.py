"""Compare gradients with central differences: `gradcheck`, and `gradgradcheck` for second order.

The numeric Jacobian moves one element of one input at a time by `eps` either way:

    J[o, i] = (f(x + eps e_i)[o] - f(x - eps e_i)[o]) / (2 eps)

With float64 inputs and eps = 1e-6 it is good to about 1e-9 for smooth functions of size 1.
Source: Nocedal and Wright, Numerical Optimization (2006), equation 8.7.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lampion.autograd.engine import grad
from lampion.autograd.modes import no_grad
from lampion.base import TensorBase as Tensor
from lampion.errors import ArgumentError, GradcheckError, UnsupportedError, shape_text

Function = Callable[..., Any]


def gradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Check the gradients of `func` at `inputs` against central differences.

    An entry passes when |analytic - numeric| <= atol + rtol * |numeric|.

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors; it must not be random.
        inputs: a tensor or a sequence; tensors in it that require grad are checked, and should
            be float64. They are moved in place during the check and then put back.
        eps: the step, in units of the inputs.
        atol, rtol: absolute and relative tolerance.
        raise_exception: raise GradcheckError on failure, instead of returning False.
        nondet_tol: how much two runs of the same backward may differ.
        check_undefined_grad: accepted; outputs are differentiated one at a time, so backward
            functions with several outputs always meet missing output gradients.
        check_grad_dtypes: also require that gradients have the dtype of their inputs.
        fast_mode, masked: accepted; the full check is made.
        check_batched_grad, check_batched_forward_grad, check_forward_ad: must be False.
        check_backward_ad: must be True.

    Raises:
        GradcheckError: a gradient is wrong; says which, where, and shows both Jacobians.
        ArgumentError: no input requires grad.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
        >>> torch.autograd.gradcheck(lambda x: x.exp().sum(), x)
        True
    """
    if check_batched_grad or check_batched_forward_grad or check_forward_ad:
        raise UnsupportedError(
            "gradcheck: forward-mode and batched gradients cannot be checked",
            why="lampion computes gradients in reverse mode only",
            fix="leave check_forward_ad and check_batched_grad out",
        )
    if not check_backward_ad:
        raise ArgumentError("gradcheck: check_backward_ad=False leaves nothing to check")
    arguments = _as_tuple(inputs)
    try:
        _check(func, arguments, eps, atol, rtol, nondet_tol, check_grad_dtypes)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check the gradients of the gradients of `func`, by `inputs` and by `grad_outputs`.

    Args:
        func, inputs: as in `gradcheck`.
        grad_outputs: what the outputs' gradients are, at first; fixed uneven numbers in
            [-1, 1) when not given.
        gen_non_contig_grad_outputs: accepted; layout makes no difference here.
        eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes,
            check_batched_grad, fast_mode, masked: as in `gradcheck`.
        check_fwd_over_rev: must be False.
        check_rev_over_rev: must be True.

    Raises:
        GradcheckError: a second-order gradient is wrong.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
        >>> torch.autograd.gradgradcheck(lambda x: (x ** 3).sum(), x)
        True
    """
    arguments = _as_tuple(inputs)
    if grad_outputs is None:
        vectors = tuple(_uneven(output) for output in _differentiable(func(*arguments)))
    else:
        vectors = _as_tuple(grad_outputs)

    def gradient(*both: Any) -> tuple[Tensor, ...]:
        point, directions = both[: len(arguments)], both[len(arguments) :]
        outputs = _differentiable(func(*point))
        found = grad(
            outputs, [x for x in point if _is_checked(x)], directions,
            create_graph=True, allow_unused=True,
        )
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradient, arguments + vectors, eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev, fast_mode=fast_mode, masked=masked,
    )


def _check(
    func: Function, inputs: tuple[Any, ...], eps: float, atol: float, rtol: float,
    nondet_tol: float, check_grad_dtypes: bool,
) -> None:
    positions = [i for i, x in enumerate(inputs) if _is_checked(x)]
    if not positions:
        raise ArgumentError(
            "gradcheck expects at least one input tensor to require gradient",
            why="none of the inputs has requires_grad=True",
            fix="x = torch.rand(3, dtype=torch.float64, requires_grad=True)",
        )
    for i in positions:
        if inputs[i].element_size() < 8:
            warnings.warn(
                f"Input #{i} requires gradient and is {inputs[i].dtype}, not double precision: "
                "rounding alone may make this check fail. Make it float64.",
                stacklevel=4,
            )
    numeric = {i: _numeric_jacobians(func, inputs, i, eps) for i in positions}
    outputs = _as_tuple(func(*inputs))
    differentiable = [o for o, output in enumerate(outputs) if output.requires_grad]
    if not differentiable:
        _check_constant(numeric)
    checked = [inputs[i] for i in positions]
    for o in differentiable:
        analytic = _analytic_jacobians(outputs[o], checked, check_grad_dtypes)
        again = _analytic_jacobians(outputs[o], checked, check_grad_dtypes)
        for i, jacobian, repeated in zip(positions, analytic, again):
            _check_repeats(jacobian, repeated, nondet_tol, o, i)
            shapes = tuple(outputs[o].shape), tuple(inputs[i].shape)
            _compare(jacobian, numeric[i][o], atol, rtol, o, i, shapes)


def _is_checked(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _differentiable(outputs: Any) -> tuple[Tensor, ...]:
    return tuple(output for output in _as_tuple(outputs) if output.requires_grad)


def _numbers(x: Tensor) -> np.ndarray:
    return np.array(x.detach().double().numpy())


def _uneven(like: Tensor) -> Tensor:
    """Numbers in [-1, 1) without symmetry that could hide an error: the golden sequence."""
    golden = np.arange(1, like.numel() + 1) * 0.6180339887498949 % 1.0 * 2 - 1
    return like.detach().new_tensor(golden.reshape(tuple(like.shape))).requires_grad_()


def _numeric_jacobians(
    func: Function, inputs: tuple[Any, ...], position: int, eps: float
) -> list[np.ndarray]:
    """Return, for each output, d output / d inputs[position] by central differences."""
    moved = inputs[position]
    start = _numbers(moved)
    columns: list[list[np.ndarray]] = []
    try:
        for element in np.ndindex(start.shape):
            ahead, behind = (
                _evaluate_at(func, inputs, moved, start, element, step) for step in (eps, -eps)
            )
            columns.append([(a - b) / (2 * eps) for a, b in zip(ahead, behind)])
    finally:
        _put(moved, start)
    if not columns:
        return [np.zeros((output.numel(), 0)) for output in _as_tuple(func(*inputs))]
    return [np.stack(column, axis=1) for column in zip(*columns)]


def _evaluate_at(
    func: Function, inputs: tuple[Any, ...], moved: Tensor, start: np.ndarray,
    element: tuple[int, ...], step: float,
) -> list[np.ndarray]:
    # In place, so that a function that captured the tensor sees the step as well.
    point = start.copy()
    point[element] += step
    _put(moved, point)
    return [_numbers(output).reshape(-1) for output in _as_tuple(func(*inputs))]


def _put(x: Tensor, values: np.ndarray) -> None:
    # Through .data: this is no modification that an earlier graph should complain about.
    with no_grad():
        x.data.copy_(x.detach().new_tensor(values))


def _analytic_jacobians(
    output: Tensor, inputs: list[Tensor], check_dtypes: bool
) -> list[np.ndarray]:
    """Return d output / d input for each input, one backward pass per element of the output."""
    count = output.numel()
    jacobians = [np.zeros((count, x.numel())) for x in inputs]
    for row in range(count):
        one_hot = np.zeros(count)
        one_hot[row] = 1
        vector = output.detach().new_tensor(one_hot.reshape(tuple(output.shape)))
        found = grad(output, inputs, vector, retain_graph=True, allow_unused=True)
        for jacobian, gradient, x in zip(jacobians, found, inputs):
            if gradient is None:
                continue
            if gradient.shape != x.shape or (check_dtypes and gradient.dtype != x.dtype):
                raise GradcheckError(
                    f"gradcheck: grad is {gradient.dtype} of shape {shape_text(gradient.shape)} "
                    f"for an input that is {x.dtype} of shape {shape_text(x.shape)}",
                    why="a gradient has the shape and type of its tensor",
                )
            jacobian[row] = _numbers(gradient).reshape(-1)
    return jacobians


def _check_constant(numeric: dict[int, list[np.ndarray]]) -> None:
    for i, jacobians in numeric.items():
        if any(np.any(jacobian != 0) for jacobian in jacobians):
            raise GradcheckError(
                "gradcheck: numerical gradient for function expected to be zero",
                why=f"no output requires grad, but the outputs change with input {i}",
                fix="compute the outputs from the inputs without .detach(), .item() or no_grad()",
            )


def _check_repeats(
    first: np.ndarray, second: np.ndarray, tolerance: float, output: int, position: int
) -> None:
    difference = np.abs(first - second).max(initial=0.0)
    if difference > tolerance:
        raise GradcheckError(
            f"gradcheck: backward is not reentrant: two runs for output {output} with respect to "
            f"input {position} differ by {difference:.3g} (nondet_tol={tolerance:.3g})",
            why="the same input must give the same gradient",
            fix="keep randomness and changing state out of backward, or raise nondet_tol",
        )


def _compare(
    analytic: np.ndarray, numeric: np.ndarray, atol: float, rtol: float, output: int,
    position: int, shapes: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    excess = np.abs(analytic - numeric) - (atol + rtol * np.abs(numeric))
    excess[np.isnan(excess)] = np.inf  # a NaN on either side is a failure
    wrong = excess > 0
    if not wrong.any():
        return
    row, column = np.unravel_index(excess.argmax(), excess.shape)
    at_output = tuple(int(n) for n in np.unravel_index(row, shapes[0]))
    at_input = tuple(int(n) for n in np.unravel_index(column, shapes[1]))
    raise GradcheckError(
        f"gradcheck: Jacobian mismatch for output {output} with respect to input {position}\n"
        f"(rows: the {len(analytic)} elements of the output, columns: the {analytic.shape[1]} "
        f"elements of the input)\nnumerical:\n{_matrix(numeric)}\n"
        f"analytical:\n{_matrix(analytic)}",
        why=f"worst entry: d output{list(at_output)} / d input{list(at_input)} is "
        f"{analytic[row, column]:.6g} by backward and {numeric[row, column]:.6g} by central "
        f"differences; {wrong.sum()} of {wrong.size} entries are off by more than "
        f"atol + rtol * |numerical| (atol={atol:g}, rtol={rtol:g})",
        fix="the right formula in backward; or, if the function has a kink there, another input",
    )


def _matrix(matrix: np.ndarray) -> str:
    return np.array2string(matrix, precision=5, threshold=200, edgeitems=4, suppress_small=True)
