"""Activation functions, elementwise and along an axis (softmax and its family).

Gradients at kinks are PyTorch's: a `masked_fill` passes no gradient where it fills, so a function
that is constant on one side is written as a fill with the condition PyTorch uses. The condition
also decides what NaN does: it is written so that NaN is never the filled side.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from lampion import dtypes, errors
from lampion.functions import random
from lampion.functions.checks import axis, named, require_floating, require_tensor, source, store
from lampion.functions.operands import laid_out, row_major
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.dtypes import dtype as DType
    from lampion.tensor import Tensor

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


# Rectifiers ------------------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return the positive part, max(x, 0); the gradient at 0 is 0.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.relu(torch.tensor([-1.0, 0.0, 2.0])).tolist()
        [0.0, 0.0, 2.0]
    """
    require_tensor("relu", "input", input)
    return input.relu_() if inplace else input.relu()


def threshold(
    input: Tensor, threshold: float, value: float, inplace: bool = False
) -> Tensor:
    """Return x where x > threshold, else `value`.

    Shape: any -> same.
    """
    require_tensor("threshold", "input", input)
    x = source(input, inplace)
    result = laid_out(x.masked_fill(x <= threshold, value), x)
    return named("threshold", store(input, result, inplace))


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return x limited to [min_val, max_val]; the gradient is 0 at and outside the limits.

    Shape: any -> same.

    Raises:
        ArgumentError: when min_val > max_val.
    """
    require_tensor("hardtanh", "input", input)
    if input.dtype is dtypes.bool_:
        raise errors.DTypeError("Bool inputs not supported for hardtanh", fix="x.float()")
    if min_val > max_val:
        raise errors.ArgumentError(
            f"hardtanh: min_val={min_val} is above max_val={max_val}",
            why="min_val cannot be greater than max_val",
            fix=f"hardtanh(input, {max_val}, {min_val})",
        )
    x = source(input, inplace)
    return named("hardtanh", store(input, _limit(x, min_val, max_val), inplace))


def _limit(input: Tensor, low: float, high: float) -> Tensor:
    # Not clamp: clamp passes the gradient at the limits, these functions do not.
    if not input.is_floating_point():
        return input.clamp(int(low), int(high))
    limited = input.masked_fill(input <= low, low).masked_fill(input >= high, high)
    return laid_out(limited, input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return min(max(x, 0), 6).

    Shape: any -> same.
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else negative_slope * x.

    Shape: any -> same.
    """
    require_tensor("leaky_relu", "input", input)
    require_floating("leaky_relu", "input", input)
    x = source(input, inplace)
    return named("leaky_relu", store(input, x.where(x > 0, x * negative_slope), inplace))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x where x > 0, else weight * x, with a learnable weight per channel or for all.

    Args:
        input: any shape; channels are axis 1.
        weight: one number, or one per channel.

    Shape: any -> same.

    Raises:
        ShapeError: when the number of weights is neither 1 nor the number of channels.
    """
    require_tensor("prelu", "input", input)
    require_tensor("prelu", "weight", weight)
    if weight.numel() != 1:
        channels = input.shape[1] if input.dim() > 1 else 1
        if weight.dim() != 1 or weight.numel() != channels:
            raise errors.ShapeError(
                f"prelu: input is {errors.shape_text(input.shape)}, weight is "
                f"{errors.shape_text(weight.shape)}",
                why=f"weight needs 1 number, or one for each of the {channels} channels (axis 1)",
                fix=f"nn.PReLU(num_parameters={channels})",
            )
        weight = weight.reshape((1, channels) + (1,) * (input.dim() - 2))
    elif weight.dim() > 1 or input.dim() == 0:
        weight = weight.reshape(())
    positive = input > 0
    # The positive side is blanked first: an infinity there would reach the weight as 0 * inf.
    result = input.where(positive, weight * input.masked_fill(positive, 0))
    return named("prelu_kernel", result)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return x where x > 0, else a * x, with a random slope a for each element when training.

    The slope is uniform in [lower, upper]; when not training it is their middle.

    Shape: any -> same.

    Raises:
        ArgumentError: when lower > upper.
    """
    require_tensor("rrelu", "input", input)
    require_floating("rrelu", "input", input)
    if lower > upper:
        raise errors.ArgumentRangeError(
            f"rrelu: lower={lower} is above upper={upper}",
            why="the slope is drawn between lower and upper",
            fix=f"rrelu(input, lower={upper}, upper={lower})",
        )
    if training:
        slope = random.rand(input.shape, dtype=input.dtype) * (upper - lower) + lower
    else:
        slope = (lower + upper) / 2
    x = source(input, inplace)
    return store(input, x.where(x > 0, x * slope), inplace)


# Exponential units -----------------------------------------------------------------------------


def _exponential_unit(input: Tensor, alpha: float, scale: float, rate: float) -> Tensor:
    # exp of the positive side may overflow, and inf * 0 would spoil its gradient: blank it.
    # NaN is on the positive side, where its gradient is one.
    positive = ~(input <= 0)
    blank = input.masked_fill(positive, 0)
    if rate != 1:
        blank = blank * rate
    negative = blank.expm1() * (alpha * scale)
    return (input if scale == 1 else input * scale).where(positive, negative)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where x > 0, else alpha * (exp(x) - 1).

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.elu(torch.tensor([-1., 1.]))
        tensor([-0.6321,  1.0000])

    Source: Clevert et al. 2015, https://arxiv.org/abs/1511.07289
    """
    require_tensor("elu", "input", input)
    require_floating("elu", "input", input)
    x = source(input, inplace)
    return named("elu", store(input, _exponential_unit(x, alpha, 1, 1), inplace))


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return scale * (max(x, 0) + min(0, alpha * (exp(x) - 1))), the self-normalizing unit.

    Shape: any -> same.
    Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
    """
    require_tensor("selu", "input", input)
    require_floating("selu", "input", input)
    x = source(input, inplace)
    return named("elu", store(input, _exponential_unit(x, SELU_ALPHA, SELU_SCALE, 1), inplace))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)).

    Shape: any -> same.

    Raises:
        ArgumentRangeError: when alpha is 0.
    """
    require_tensor("celu", "input", input)
    require_floating("celu", "input", input)
    if alpha == 0:
        raise errors.ArgumentRangeError(
            "celu: alpha=0", why="x / alpha must exist", fix="alpha=1.0, or relu(input)"
        )
    x = source(input, inplace)
    return named("celu", store(input, _exponential_unit(x, alpha, 1, 1 / alpha), inplace))


# Smooth units ----------------------------------------------------------------------------------


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x * P(Z <= x) for a standard normal Z, exactly or by its tanh approximation.

    Exact: x/2 * (1 + erf(x / sqrt(2))).
    approximate='tanh': x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.gelu(torch.tensor([0., 1.]))
        tensor([0.0000, 0.8413])

    Source: Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
    """
    require_tensor("gelu", "input", input)
    require_floating("gelu", "input", input)
    if approximate == "none":
        return named("gelu", input * 0.5 * (1 + (input * math.sqrt(0.5)).erf()))
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (input + 0.044715 * (input * input * input))
        return named("gelu", input * 0.5 * (1 + inner.tanh()))
    raise errors.ArgumentRangeError(
        f"gelu: approximate={approximate!r}", why="there are two ways to compute gelu",
        fix="gelu(input, approximate='tanh'), or approximate='none'",
    )


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * sigmoid(x), also called swish.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.silu(torch.tensor([0., 1.]))
        tensor([0.0000, 0.7311])
    """
    require_tensor("silu", "input", input)
    require_floating("silu", "input", input)
    x = source(input, inplace)
    return named("silu", store(input, x * x.sigmoid(), inplace))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * tanh(softplus(x)).

    Shape: any -> same.
    Source: Misra 2019, https://arxiv.org/abs/1908.08681
    """
    require_tensor("mish", "input", input)
    require_floating("mish", "input", input)
    x = source(input, inplace)
    return named("mish", store(input, x * softplus(x).tanh(), inplace))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.softplus(torch.tensor([0.]))
        tensor([0.6931])
    """
    require_tensor("softplus", "input", input)
    require_floating("softplus", "input", input)
    scaled = input if beta == 1 else input * beta
    linear = scaled > threshold
    # max(z, 0) + log(1 + exp(-|z|)): nothing overflows, in half precision neither.
    positive = scaled > 0
    curve = scaled.masked_fill(~positive, 0) + scaled.where(~positive, -scaled).exp().log1p()
    return named("softplus", input.where(linear, curve if beta == 1 else curve / beta))


def softsign(input: Tensor) -> Tensor:
    """Return x / (1 + |x|).

    Shape: any -> same.
    """
    require_tensor("softsign", "input", input)
    return input / (input.abs() + 1)


def sigmoid(input: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x)).

    Shape: any -> same.
    """
    require_tensor("sigmoid", "input", input)
    return input.sigmoid()


def logsigmoid(input: Tensor) -> Tensor:
    """Return log(sigmoid(x)) = min(x, 0) - log(1 + exp(-|x|)), exact for any x.

    Shape: any -> same.
    """
    require_tensor("logsigmoid", "input", input)
    require_floating("logsigmoid", "input", input)
    # where instead of min and abs: at 0 those have gradients (1, 0), the sum must be 1/2.
    negative = input < 0
    minus_magnitude = input.where(negative, -input)
    result = input.masked_fill(~negative, 0) - minus_magnitude.exp().log1p()
    return named("log_sigmoid", result)


def tanh(input: Tensor) -> Tensor:
    """Return the hyperbolic tangent.

    Shape: any -> same.
    """
    require_tensor("tanh", "input", input)
    return input.tanh()


def tanhshrink(input: Tensor) -> Tensor:
    """Return x - tanh(x).

    Shape: any -> same.
    """
    require_tensor("tanhshrink", "input", input)
    return input - input.tanh()


# Piecewise linear units ------------------------------------------------------------------------


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return min(max(x + 3, 0), 6) / 6.

    Shape: any -> same.
    """
    require_tensor("hardsigmoid", "input", input)
    require_floating("hardsigmoid", "input", input)
    x = source(input, inplace)
    return named("hardsigmoid", store(input, _limit(x + 3, 0.0, 6.0) / 6, inplace))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * min(max(x + 3, 0), 6) / 6.

    Shape: any -> same.
    Source: Howard et al. 2019, https://arxiv.org/abs/1905.02244
    """
    require_tensor("hardswish", "input", input)
    require_floating("hardswish", "input", input)
    x = source(input, inplace)
    return named("hardswish", store(input, x * _limit(x + 3, 0.0, 6.0) / 6, inplace))


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x where |x| > lambd, else 0.

    Shape: any -> same.
    """
    require_tensor("hardshrink", "input", input)
    require_floating("hardshrink", "input", input)
    result = input.masked_fill((input >= -lambd) & (input <= lambd), 0)
    return named("hardshrink", laid_out(result, input))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x moved towards 0 by lambd, and 0 where |x| <= lambd.

    Shape: any -> same.

    Raises:
        ArgumentRangeError: when lambd is negative.
    """
    require_tensor("softshrink", "input", input)
    require_floating("softshrink", "input", input)
    if lambd < 0:
        raise errors.ArgumentRangeError(
            f"softshrink: lambd={lambd}", why="lambd must be 0 or more", fix=f"lambd={-lambd}"
        )
    return named("softshrink", input - input.clamp(-lambd, lambd))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return a * sigmoid(b), where a and b are the two halves of the input along `dim`.

    Shape: (..., 2n, ...) -> (..., n, ...).

    Raises:
        ShapeError: when the axis has an odd length.
    """
    require_tensor("glu", "input", input)
    require_floating("glu", "input", input)
    if input.dim() == 0:
        raise errors.ShapeError("glu: input is a scalar", why="glu halves one axis of its input")
    dim = axis("glu", dim, input.dim())
    if input.shape[dim] % 2:
        raise errors.ShapeError(
            f"glu: axis {dim} of the input {errors.shape_text(input.shape)} has length "
            f"{input.shape[dim]}",
            why="glu halves this axis, so its length must be even",
        )
    value, gate = input.chunk(2, dim)
    return named("glu", value * gate.sigmoid())


# Softmax family --------------------------------------------------------------------------------


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Return exp(x) / sum(exp(x)) along `dim`: positive numbers whose sum is 1.

    Args:
        input: any shape; -inf gives probability 0, a row of nothing but -inf gives NaN.
        dim: the axis whose entries compete.
        dtype: convert the input to this dtype first.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.softmax(torch.zeros(1, 4), dim=1).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    shifted, dim = _shifted("softmax", input, dim, _stacklevel, dtype)
    power = shifted.exp()
    return named("softmax", row_major(power / power.sum(dim, keepdim=True)))


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Return log(softmax(x)) = x - max - log(sum(exp(x - max))), without overflow or log(0).

    Args:
        input: any shape.
        dim: the axis whose entries compete.
        dtype: convert the input to this dtype first.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.log_softmax(torch.zeros(2), dim=0)
        tensor([-0.6931, -0.6931])
    """
    shifted, dim = _shifted("log_softmax", input, dim, _stacklevel, dtype)
    result = shifted - shifted.exp().sum(dim, keepdim=True).log()
    return named("log_softmax", row_major(result))


def softmax_of(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """`torch.softmax` and `Tensor.softmax`: the axis must be given.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.softmax(torch.tensor([0., 0., 0.]), dim=0)
        tensor([0.3333, 0.3333, 0.3333])
    """
    return softmax(input, dim, dtype=dtype)


def log_softmax_of(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """`torch.log_softmax` and `Tensor.log_softmax`: the axis must be given.

    Shape: any -> same.
    """
    return log_softmax(input, dim, dtype=dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Return softmax(-x) along `dim`.

    Shape: any -> same.
    """
    require_tensor("softmin", "input", input)
    return softmax(-input, dim, _stacklevel + 1, dtype)


def _shifted(
    name: str, input: Tensor, dim: int | None, stacklevel: int, dtype: DType | None
) -> tuple[Tensor, int]:
    """Return the input minus its largest entry along the axis, and the axis."""
    require_tensor(name, "input", input)
    if dim is None:
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. "
            "Change the call to include dim=X as an argument.",
            stacklevel=stacklevel + 1,
        )
        dim = 0 if input.dim() in (0, 1, 3) else 1
    dim = axis(name, dim, input.dim())
    if dtype is not None:
        input = input.to(dtype)
    require_floating(name, "input", input)
    if input.numel() == 0:
        return input, dim
    # Detached: the shift cancels out of the result, so it carries no gradient.
    return input - input.detach().amax(dim, keepdim=True), dim


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Sample from the Gumbel-softmax distribution: softmax((logits + Gumbel noise) / tau).

    Args:
        logits: unnormalized log probabilities, any shape.
        tau: temperature, above 0.
        hard: return one-hot vectors, with the gradient of the soft sample (straight-through).
        eps: has no effect, kept for PyTorch's signature.
        dim: the axis of the choices.

    Shape: any -> same.
    Source: Jang et al. 2016, https://arxiv.org/abs/1611.01144
    """
    require_tensor("gumbel_softmax", "logits", logits)
    require_floating("gumbel_softmax", "logits", logits)
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    # rand may be 0 but never 1, so 1 - rand is in (0, 1] and its log is finite; the smallest
    # exponential sample is then 0, whose log is not, hence the floor.
    waiting = -(1 - random.rand(logits.shape, dtype=logits.dtype)).log()
    gumbels = -waiting.clamp(min=1e-30).log()
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = soft.detach().argmax(dim, keepdim=True)
    one_hot = soft.detach().mul(0).scatter(dim, index, 1.0)
    return one_hot - soft.detach() + soft


# In-place names --------------------------------------------------------------------------------


def relu_(input: Tensor) -> Tensor:
    """In-place `relu`."""
    return relu(input, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place `threshold`."""
    return globals()["threshold"](input, threshold, value, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place `hardtanh`."""
    return hardtanh(input, min_val, max_val, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place `elu`."""
    return elu(input, alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """In-place `selu`."""
    return selu(input, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place `celu`."""
    return celu(input, alpha, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place `leaky_relu`."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """In-place `rrelu`."""
    return rrelu(input, lower, upper, training, inplace=True)


record_module(globals())
