"""Regression and probability losses, element by element.

Class labels are in `loss_classes.py`, pairs and triplets in `loss_margin.py`. Every loss takes
`reduction`: 'none' keeps one number per element, 'sum' adds them, 'mean' averages them. PyTorch's
old `size_average` and `reduce` are still understood and win over `reduction`, with a warning.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from lampion import errors
from lampion.base import check_known
from lampion.functions.activation import logsigmoid
from lampion.functions.checks import (
    legacy_reduction,
    named,
    reduce_loss,
    require_floating,
    require_same_shape,
    require_tensor,
)
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    import numpy as np

    from lampion.tensor import Tensor

# PyTorch never lets a logarithm of a probability fall below this, so a loss stays finite.
LOWEST_LOG = -100.0
# ... and never divides by less than this in the gradient.
SMALLEST_VARIANCE = 1e-12


def _pair(function: str, input: Tensor, target: Tensor) -> None:
    require_tensor(function, "input", input)
    require_tensor(function, "target", target)
    require_same_shape(function, input, target)


def _weighted(function: str, loss: Tensor, weight: Tensor) -> Tensor:
    """Return the losses times a weight for each element."""
    if weight.shape != loss.shape:
        raise errors.ShapeArgumentError(
            f"{function}: input is {errors.shape_text(loss.shape)} but weight is "
            f"{errors.shape_text(weight.shape)}",
            why="each element has its own weight",
            fix="weight.expand_as(input)",
        )
    return loss * weight


def _reduced(function: str, loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """Reduce with a weight for each element; the mean divides by the sum of the weights."""
    if weight is None:
        return reduce_loss(loss, reduction)
    loss = _weighted(function, loss, weight)
    return loss.sum() / weight.sum() if reduction == "mean" else reduce_loss(loss, reduction)


# Regression ------------------------------------------------------------------------------------


def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:
    """Return the squared error, (x - y)^2.

    Shape: input, target and weight alike -> scalar, or the same with reduction='none'.

    Raises:
        ShapeError: when target and input differ in shape (PyTorch broadcasts and warns).

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])).item()
        2.0
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _pair("mse_loss", input, target)
    difference = input - target
    return named("mse_loss", _reduced("mse_loss", difference * difference, weight, reduction))


def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:
    """Return the absolute error, |x - y|; the gradient at equality is 0.

    Shape: input, target and weight alike -> scalar, or the same with reduction='none'.

    Raises:
        ShapeError: when target and input differ in shape (PyTorch broadcasts and warns).

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.l1_loss(torch.tensor([0., 0.]), torch.tensor([1., 3.]))
        tensor(2.)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _pair("l1_loss", input, target)
    return _reduced("l1_loss", (input - target).abs(), weight, reduction)


def _huber(difference: Tensor, delta: float) -> Tensor:
    # With c = d limited to [-delta, delta], c * (d - c/2) is d^2/2 inside and
    # delta * (|d| - delta/2) outside: one expression, finite gradients also at d = inf.
    limited = difference.clamp(-delta, delta)
    return limited * (difference - 0.5 * limited)


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0,
) -> Tensor:
    """Return d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - y.

    Shape: input and target alike -> scalar, or the same with reduction='none'.

    Raises:
        ArgumentRangeError: when beta is negative.
        ShapeError: when target and input differ in shape (PyTorch broadcasts and warns).

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.smooth_l1_loss(torch.tensor([0., 0.]), torch.tensor([0.5, 2.]))
        tensor(0.8125)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _pair("smooth_l1_loss", input, target)
    require_floating("smooth_l1_loss", "input", input)
    if beta < 0:
        raise errors.ArgumentRangeError(
            f"smooth_l1_loss: beta={beta}",
            why="beta is the width of the quadratic part and must be 0 or more", fix="beta=1.0",
        )
    if beta == 0:
        return reduce_loss((input - target).abs(), reduction)
    return named("smooth_l1_loss", reduce_loss(_huber(input - target, beta) / beta, reduction))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return d^2 / 2 where |d| < delta, else delta * (|d| - delta / 2), with d = x - y.

    Shape: input, target and weight alike -> scalar, or the same with reduction='none'.

    Raises:
        ArgumentRangeError: when delta is not above 0.
        ShapeError: when target and input differ in shape (PyTorch broadcasts and warns).
    """
    reduction = legacy_reduction(None, None, reduction)
    _pair("huber_loss", input, target)
    require_floating("huber_loss", "input", input)
    if delta <= 0:
        raise errors.ArgumentRangeError(
            f"huber_loss: delta={delta}",
            why="delta is the width of the quadratic part and must be above 0", fix="delta=1.0",
        )
    loss = _huber(input - target, delta)
    # Unlike in the two losses above, the mean divides by the number of elements.
    loss = loss if weight is None else _weighted("huber_loss", loss, weight)
    return named("huber_loss", reduce_loss(loss, reduction))


# Probabilities ---------------------------------------------------------------------------------


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return -(y log x + (1 - y) log(1 - x)) for probabilities x.

    Logarithms are limited to -100 and the gradient's denominator x (1 - x) to 1e-12, as in
    PyTorch. `binary_cross_entropy_with_logits` is more accurate: prefer it to sigmoid and this.

    Args:
        input: probabilities in [0, 1].
        target: probabilities in [0, 1], of the same dtype.
        weight: factor for each element, broadcast to the input.

    Shape: input and target alike -> scalar, or the same with reduction='none'.

    Raises:
        ShapeArgumentError: when target and input differ in shape.
        DTypeError: when the target has another dtype, e.g. int64 labels.
        ArgumentRangeError: when an input that is already computed lies outside [0, 1].

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.]))
        tensor(0.6931)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _check_binary("binary_cross_entropy", input, target)
    if target.dtype != input.dtype:
        raise errors.DTypeError(
            f"binary_cross_entropy: input is {input.dtype} but target is {target.dtype}",
            why="the target is a probability, a number of the same dtype as the input",
            fix="target.to(input.dtype)",
        )
    check_known(input, _check_probabilities)
    loss = _binary_cross_entropy(input, target)
    loss = loss if weight is None else loss * weight
    return named("binary_cross_entropy", reduce_loss(loss, reduction))


def _check_probabilities(values: np.ndarray) -> None:
    if values.size and not ((values >= 0) & (values <= 1)).all():
        raise errors.ArgumentRangeError(
            f"binary_cross_entropy: input holds numbers from {values.min():g} to "
            f"{values.max():g}; all elements of input should be between 0 and 1",
            why="the input must be probabilities, not scores",
            fix="binary_cross_entropy_with_logits(input, target)",
        )


def _binary_cross_entropy(input: Tensor, target: Tensor) -> Tensor:
    variance = (input * (1 - input)).detach()
    certain = variance < SMALLEST_VARIANCE
    # At (almost) certain inputs PyTorch's gradient is (x - y) / 1e-12, not that of the formula:
    # there the formula sees a detached input and a linear term of value 0 carries the gradient.
    uncertain_input = input.detach().where(certain, input)
    log_one = uncertain_input.log().clamp(min=LOWEST_LOG)
    log_zero = (-uncertain_input).log1p().clamp(min=LOWEST_LOG)
    loss = (target - 1) * log_zero - target * log_one
    slope = ((input - target).detach() / SMALLEST_VARIANCE).masked_fill(~certain, 0)
    return loss + (input - input.detach()) * slope


def _check_binary(function: str, input: Tensor, target: Tensor) -> None:
    require_tensor(function, "input", input)
    require_tensor(function, "target", target)
    if input.shape != target.shape:
        same_count = input.numel() == target.numel()
        raise errors.ShapeArgumentError(
            f"{function}: input is {errors.shape_text(input.shape)} but target is "
            f"{errors.shape_text(target.shape)}",
            why="each input needs its own target",
            fix="target.view_as(input)" if same_count else None,
        )
    require_floating(function, "input", input)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return -(p y log sigmoid(x) + (1 - y) log(1 - sigmoid(x))) for scores x, exact for any x.

    Args:
        input: scores, any number.
        target: probabilities in [0, 1].
        weight: factor for each element, broadcast to the input.
        pos_weight: factor p of the positive part, broadcast to the target (per class).

    Shape: input and target alike -> scalar, or the same with reduction='none'.

    Raises:
        ShapeArgumentError: when target and input differ in shape.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.binary_cross_entropy_with_logits(
        ...     torch.tensor([0.]), torch.tensor([1.]))
        tensor(0.6931)
    """
    function = "binary_cross_entropy_with_logits"
    reduction = legacy_reduction(size_average, reduce, reduction)
    _check_binary(function, input, target)
    log_probability = logsigmoid(input)
    if pos_weight is not None:
        _check_broadcast(function, "pos_weight", pos_weight, input)
        log_probability = log_probability * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input - log_probability
    if weight is not None:
        _check_broadcast(function, "weight", weight, input)
        loss = loss * weight
    return named(function, reduce_loss(loss, reduction))


def _check_broadcast(function: str, name: str, value: Tensor, input: Tensor) -> None:
    axes = zip(reversed(value.shape), reversed(input.shape), strict=False)
    if any(n not in (1, m) for n, m in axes):
        raise errors.ShapeError(
            f"{function}: {name} is {errors.shape_text(value.shape)} but input is "
            f"{errors.shape_text(input.shape)}",
            why=f"{name} must broadcast to the input, counted from the last axis",
        )


def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:
    """Return the pointwise Kullback-Leibler divergence, y (log y - x), x being log-probabilities.

    Args:
        input: log-probabilities.
        target: probabilities, or log-probabilities when `log_target`.
        reduction: also 'batchmean', the sum divided by the length of axis 0: the true divergence.

    Shape: input and target alike -> scalar, or the same with reduction='none'.
    """
    if size_average is not None or reduce is not None or reduction != "batchmean":
        if size_average is None and reduce is None and reduction == "mean":
            warnings.warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support "
                "size. 'batchmean' divides only by the batch size, and aligns with the KL div "
                "math definition.",
                stacklevel=2,
            )
        reduction = legacy_reduction(size_average, reduce, reduction)
    _pair("kl_div", input, target)
    require_floating("kl_div", "input", input)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        # 0 log 0 = 0.
        loss = target * target.masked_fill(target == 0, 1).log() - target * input
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.dim() else loss
    return reduce_loss(loss, reduction)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log likelihood of counts y under a Poisson distribution of rate x.

    exp(x) - y x when x is the log of the rate (`log_input`), else x - y log(x + eps). `full` adds
    Stirling's approximation y log y - y + log(2 pi y) / 2 where y > 1.

    Shape: input and target alike -> scalar, or the same with reduction='none'.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    _pair("poisson_nll_loss", input, target)
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        few = target <= 1
        many = target.masked_fill(few, 1)
        stirling = many * many.log() - many + 0.5 * (2 * math.pi * many).log()
        loss = loss + stirling.masked_fill(few, 0)
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return (log v + (x - y)^2 / v) / 2, the negative log likelihood under a normal distribution.

    Args:
        input: expected values x.
        target: samples y.
        var: variances v, 0 or more; as input, without its last axis, or with one axis of length 1.
        full: add the constant log(2 pi) / 2.
        eps: lower limit of v; the gradient is that of the unlimited v.

    Shape: input and target alike -> scalar, or the same with reduction='none'.

    Raises:
        ArgumentError: when a variance is negative, or `var` has none of the shapes above.
    """
    reduction = legacy_reduction(None, None, reduction)
    require_tensor("gaussian_nll_loss", "input", input)
    require_tensor("gaussian_nll_loss", "target", target)
    input, target = _repeated(input, target)
    require_same_shape("gaussian_nll_loss", input, target)
    if isinstance(var, (int, float)):
        variance = input.new_full((1,) * input.dim(), var)
        negative = var < 0
    else:
        variance = _variance_axes(input, var)
        negative = bool((var.detach() < 0).any())
    if negative:
        raise errors.ArgumentError(
            "gaussian_nll_loss: var has negative entry/entries",
            why="a variance is never negative", fix="var=log_variance.exp(), or var=softplus(raw)",
        )
    # PyTorch limits the value only: the gradient passes where the limit holds, too.
    value = variance.detach()
    variance = variance + (value.clamp(min=eps) - value)
    difference = input - target
    loss = 0.5 * (variance.log() + difference * difference / variance)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduce_loss(loss, reduction)


def _repeated(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat axes of length 1, where one of two tensors of as many axes has the other's shape then.

    A column against a row stays what it is, a mistake.
    """
    if input.dim() == target.dim():
        for small, large in ((target, input), (input, target)):
            if all(m in (1, n) for m, n in zip(small.shape, large.shape, strict=True)):
                wide = small.expand(large.shape)
                return (input, wide) if small is target else (wide, target)
    return input, target


def _variance_axes(input: Tensor, var: Tensor) -> Tensor:
    if var.shape == input.shape:
        return var
    if tuple(var.shape) == tuple(input.shape[:-1]):
        return var.unsqueeze(-1)
    if var.dim() == input.dim():
        different = [n for m, n in zip(input.shape, var.shape, strict=True) if m != n]
        if different == [1]:
            return var
    raise errors.ShapeArgumentError(
        f"gaussian_nll_loss: input is {errors.shape_text(input.shape)}, var is "
        f"{errors.shape_text(var.shape)}: var is of incorrect size",
        why="var has the input's shape, or lacks its last axis, or has length 1 in one axis",
    )


record_module(globals())
