"""Filling parameters with their first values.

Every function writes into its tensor, without recording a gradient, and returns it. `generator`
is where the random numbers come from; the global one when not given.

A weight of shape (out, in, *kernel) has fan_in = in * kernel elements and
fan_out = out * kernel elements, see `xavier_uniform_` and `kaiming_uniform_`.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable

import numpy as np

from lampion import errors
from lampion.autograd import no_grad
from lampion.functions import creation, random
from lampion.functions.random import Generator
from lampion.tensor import Tensor

LINEAR = ("linear", "conv1d", "conv2d", "conv3d",
          "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance of activations through a nonlinearity.

    Args:
        nonlinearity: "linear", "conv2d", ..., "sigmoid" (1), "tanh" (5/3), "relu" (sqrt 2),
            "leaky_relu" (sqrt(2 / (1 + slope^2))) or "selu" (3/4).
        param: the negative slope of leaky_relu, 0.01 when not given.

    Raises:
        ArgumentError: another name, or a slope that is no number.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.calculate_gain("tanh")
        1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise errors.ArgumentError(
                f"negative_slope {param} not a valid number",
                fix="a number, for example 0.2")
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"sigmoid": 1, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    gains.update(dict.fromkeys(LINEAR, 1))
    if nonlinearity not in gains:
        raise errors.ArgumentError(
            f"Unsupported nonlinearity {nonlinearity}",
            fix=f"one of {', '.join(sorted([*gains, 'leaky_relu']))}")
    return gains[nonlinearity]


@no_grad()
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values drawn evenly from [a, b).

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.uniform_(torch.empty(2, 3), -1, 1).shape
        torch.Size([2, 3])
    """
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values of the normal distribution with this mean and standard deviation.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.normal_(torch.empty(2, 3), std=0.02).shape
        torch.Size([2, 3])
    """
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with values of the normal distribution, drawn again until they are within [a, b].

    Args:
        tensor: what to fill.
        mean, std: of the distribution before it is cut.
        a, b: the smallest and largest value allowed.
        generator: source of the random numbers.

    Example:
        >>> import lampion as torch
        >>> bool((torch.nn.init.trunc_normal_(torch.empty(100)).abs() <= 2).all())
        True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.", stacklevel=2)
    kept = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    if kept > 0.3:
        draw = functools.partial(_draw_normal, mean, std, a, b)
    else:  # most normal values would be thrown away: accept uniform ones by their density
        draw = functools.partial(_draw_by_density, mean, std, a, b)
    result, refused = draw(tensor, generator)
    while bool(refused.any()):
        again, refused_again = draw(tensor, generator)
        result = again.where(refused, result)
        refused = refused & refused_again
    return tensor.copy_(result)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _draw_normal(
    mean: float, std: float, a: float, b: float, like: Tensor, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    values = creation.empty_like(like).normal_(mean, std, generator=generator)
    return values, (values < a) | (values > b)


def _draw_by_density(
    mean: float, std: float, a: float, b: float, like: Tensor, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    values = creation.empty_like(like).uniform_(a, b, generator=generator)
    highest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    log_density = ((values - mean) / std) ** 2 * -0.5 - highest
    chance = creation.empty_like(like).uniform_(0.0, 1.0, generator=generator)
    return values, chance.log() > log_density


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.constant_(torch.empty(2), 0.3)
        tensor([0.3000, 0.3000])
    """
    return tensor.fill_(val)


@no_grad()
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.ones_(torch.empty(2))
        tensor([1., 1.])
    """
    return tensor.fill_(1.0)


@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.zeros_(torch.empty(2))
        tensor([0., 0.])
    """
    return tensor.zero_()


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with ones on the diagonal: a linear layer that hands its input on.

    Raises:
        ArgumentError: the tensor has not 2 axes.
    """
    _check_axes(tensor, (2,), "Only tensors with 2 dimensions are supported")
    return tensor.copy_(creation.eye(*tensor.shape, dtype=tensor.dtype))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it hands its input on, as far as channels allow.

    Args:
        tensor: a weight with 3, 4 or 5 axes.
        groups: each group of output channels hands its own input on.
    """
    _check_axes(tensor, (3, 4, 5), "Only tensors with 3, 4, or 5 dimensions are supported")
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups != 0:
        raise errors.ArgumentError(
            "dim 0 must be divisible by groups",
            why=f"{out_channels} output channels are to be split into {groups} groups")
    each = out_channels // groups
    passed = np.arange(min(each, in_channels))
    middle = tuple(size // 2 for size in kernel)
    values = np.zeros(tuple(tensor.shape), np.float32)
    for group in range(groups):
        values[(group * each + passed, passed, *middle)] = 1.0
    return tensor.copy_(creation.from_numpy(values))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many numbers one output element is made of, and one input element goes into."""
    if tensor.dim() < 2:
        raise errors.ArgumentError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
            why=f"a weight has an output and an input axis, this has shape {tuple(tensor.shape)}",
            fix="nn.init.normal_ or nn.init.zeros_ for biases and other vectors")
    out_channels, in_channels, *kernel = tensor.shape
    return in_channels * math.prod(kernel), out_channels * math.prod(kernel)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise errors.ArgumentError(
            f"Mode {mode} not supported, please use one of {modes}",
            fix="mode='fan_in'")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill evenly from [-a, a] with a = gain * sqrt(6 / (fan_in + fan_out)).

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks" (2010), equation 16.

    Example:
        >>> import lampion as torch
        >>> bool(torch.nn.init.xavier_uniform_(torch.empty(3, 3)).abs().max() <= 1)
        True
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill from the normal distribution with std = gain * sqrt(2 / (fan_in + fan_out)).

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.xavier_normal_(torch.empty(3, 5)).shape
        torch.Size([3, 5])

    Source: Glorot, Bengio (2010), equation 12.
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill evenly from [-bound, bound] with bound = gain * sqrt(3 / fan).

    Args:
        tensor: a weight with 2 or more axes.
        a: negative slope of the leaky_relu that follows.
        mode: "fan_in" keeps the variance of activations, "fan_out" that of gradients.
        nonlinearity: what follows the layer, see `calculate_gain`.
        generator: source of the random numbers.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.kaiming_uniform_(torch.empty(3, 5)).shape
        torch.Size([3, 5])

    Source: He et al., "Delving deep into rectifiers" (2015), section 2.2.
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the normal distribution with std = gain / sqrt(fan).

    Arguments and source are those of `kaiming_uniform_`.

    Example:
        >>> import lampion as torch
        >>> torch.nn.init.kaiming_normal_(torch.empty(3, 5), nonlinearity="relu").shape
        torch.Size([3, 5])
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a matrix whose rows (or columns) are at right angles and of length `gain`.

    Axes after the second are counted as one.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks" (2013); evenly distributed after Mezzadri (2006).
    """
    if tensor.dim() < 2:
        raise errors.ArgumentError(
            "Only tensors with 2 or more dimensions are supported",
            why=f"this one has shape {tuple(tensor.shape)}",
            fix="nn.init.normal_ for vectors")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    drawn = creation.empty(rows, columns).normal_(0.0, 1.0, generator=generator)
    values = drawn.numpy().astype(np.float64)
    q, r = np.linalg.qr(values.T if rows < columns else values)
    q = q * np.sign(np.diag(r))
    q = q.T if rows < columns else q
    filled = np.ascontiguousarray(gain * q).reshape(tuple(tensor.shape))
    return tensor.copy_(creation.from_numpy(filled))


@no_grad()
def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with normal values, and set a share of each column to zero.

    Args:
        tensor: with 2 axes.
        sparsity: the share of each column that is zero, 0 to 1; rounded up.
        std: standard deviation of the others.
        generator: source of the random numbers.

    Source: Martens, "Deep learning via Hessian-free optimization" (2010).
    """
    _check_axes(tensor, (2,), "Only tensors with 2 dimensions are supported")
    zeros = math.ceil(sparsity * tensor.shape[0])
    tensor.normal_(0.0, std, generator=generator)
    place = random.rand(*tensor.shape, generator=generator).argsort(dim=0).argsort(dim=0)
    return tensor.masked_fill_(place < zeros, 0.0)


def _check_axes(tensor: Tensor, allowed: tuple[int, ...], text: str) -> None:
    if tensor.dim() not in allowed:
        raise errors.ArgumentError(text, why=f"this one has shape {tuple(tensor.shape)}")


def _old_name(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return `function` under its name without the underscore, with PyTorch's warning."""
    name = function.__name__

    @functools.wraps(function)
    def deprecated(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.",
            FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    return deprecated


uniform = _old_name(uniform_)
normal = _old_name(normal_)
constant = _old_name(constant_)
eye = _old_name(eye_)
dirac = _old_name(dirac_)
xavier_uniform = _old_name(xavier_uniform_)
xavier_normal = _old_name(xavier_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
kaiming_normal = _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)
