"""Normalizations: over the batch, the features, groups of channels, or a vector's length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.autograd import no_grad
from lampion.dtypes import finfo
from lampion.functions.checks import named, require_floating, require_tensor
from lampion.functions.padding import pad
from lampion.functions.pooling import window_sum
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def _channel_shape(input: Tensor) -> tuple[int, ...]:
    """The shape that lays one number for each channel along axis 1."""
    return (1, input.shape[1]) + (1,) * (input.dim() - 2)


def _check_channels(function: str, channels: int, **given: Tensor | None) -> None:
    for name, value in given.items():
        if value is not None and tuple(value.shape) != (channels,):
            raise errors.ShapeError(
                f"{function}: the input has {channels} channels (axis 1) but {name} is "
                f"{errors.shape_text(value.shape)}",
                why=f"{name} should contain {channels} elements, one for each channel",
            )


def _update(running: Tensor | None, present: Tensor, momentum: float) -> None:
    if running is not None:
        with no_grad():
            mixed = running * (1 - momentum) + present.detach() * momentum
            running.copy_(mixed)


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, per channel.

    Args:
        input: channels along axis 1.
        running_mean, running_var: one number for each channel. When training they are updated in
            place: (1 - momentum) * running + momentum * present (with the unbiased variance);
            otherwise they are the mean and variance used.
        weight, bias: one number for each channel.
        training: use the mean and (biased) variance of this batch.
        momentum: share of the present batch in the update.
        eps: added to the variance.

    Shape: (N, C, ...) -> same.

    Raises:
        ShapeError: when a per-channel tensor does not have C numbers.
        ShapeArgumentError: when training with one value per channel.
    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167
    """
    function = "batch_norm"
    require_tensor(function, "input", input)
    if input.dim() == 1 and not input.numel():
        return input.clone()  # nothing, of no channels
    if input.dim() < 2:
        raise errors.ShapeError(
            f"batch_norm: input is {errors.shape_text(input.shape)}",
            why="channels are axis 1, so it needs two axes or more", fix="input.unsqueeze(0)",
        )
    require_floating(function, "input", input)
    _check_channels(
        function, input.shape[1], running_mean=running_mean, running_var=running_var,
        weight=weight, bias=bias,
    )
    shape = _channel_shape(input)
    if eps < 0:
        raise errors.ArgumentError(f"batch_norm eps must be non-negative, but got {eps}")
    if not training:
        return _by_running_statistics(
            function, input, running_mean, running_var, weight, bias, eps)
    if eps <= 0:
        raise errors.ArgumentError(
            f"batch_norm eps must be positive during training, but got {eps}",
            why="channels of equal numbers would be divided by 0", fix="eps=1e-5")
    count = input.numel() // max(input.shape[1], 1)
    _check_batch(function, input, count)
    axes = (0, *range(2, input.dim()))
    mean = input.mean(axes, keepdim=True)
    centered = input - mean
    variance = (centered * centered).mean(axes, keepdim=True)
    if count:  # a batch of nothing leaves the statistics as they are
        _update(running_mean, mean.reshape((-1,)), momentum)
        _update(running_var, variance.reshape((-1,)) * (count / max(count - 1, 1)), momentum)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight.reshape(shape)
    result = centered * scale
    result = result if bias is None else result + bias.reshape(shape)
    return named("native_batch_norm", result)


def _check_batch(function: str, input: Tensor, count: int) -> None:
    if count == 1:
        raise errors.ShapeArgumentError(
            f"{function}: input is {errors.shape_text(input.shape)}, one value per channel",
            why="Expected more than 1 value per channel when training: the variance of one "
            "value is 0",
            fix="model.eval() for single samples, or DataLoader(..., drop_last=True)",
        )


def _by_running_statistics(
    function: str, input: Tensor, mean: Tensor | None, variance: Tensor | None,
    weight: Tensor | None, bias: Tensor | None, eps: float,
) -> Tensor:
    if mean is None or variance is None:
        raise errors.StateError(
            f"{function}: training=False without running_mean and running_var",
            why="outside training the running statistics are what is used",
            fix=f"{function}(input, None, None, training=True) for those of this batch",
        )
    shape = _channel_shape(input)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    shift = -mean * scale
    if bias is not None:
        shift = shift + bias
    return named("native_batch_norm", input * scale.reshape(shape) + shift.reshape(shape))


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, per sample and channel.

    Args:
        input: samples along axis 0, channels along axis 1.
        running_mean, running_var: updated with the mean over the samples, as in `batch_norm`.
        weight, bias: one number for each channel.
        use_input_stats: use each sample's own mean and variance, else the running ones.
        momentum: share of the present batch in the update.
        eps: added to the variance.

    Shape: (N, C, ...) -> same.

    Raises:
        ShapeArgumentError: when a channel holds one value.
    Source: Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022
    """
    function = "instance_norm"
    require_tensor(function, "input", input)
    require_floating(function, "input", input)
    if input.dim() < 2:
        raise errors.ShapeError(
            f"instance_norm: input is {errors.shape_text(input.shape)}",
            why="it must be (samples, channels, ...)",
        )
    _check_channels(
        function, input.shape[1], running_mean=running_mean, running_var=running_var,
        weight=weight, bias=bias,
    )
    if not use_input_stats:
        return _by_running_statistics(
            function, input, running_mean, running_var, weight, bias, eps)
    count = math.prod(input.shape[2:])
    if count == 1:
        raise errors.ShapeArgumentError(
            f"instance_norm: input is {errors.shape_text(input.shape)}",
            why="Expected more than 1 spatial element when training: the variance of one value "
            "is 0",
        )
    axes = tuple(range(2, input.dim()))
    mean = input.mean(axes, keepdim=True)
    centered = input - mean
    variance = (centered * centered).mean(axes, keepdim=True)
    _update(running_mean, mean.mean(0).reshape((-1,)), momentum)
    unbiased = count / max(count - 1, 1)
    _update(running_var, variance.mean(0).reshape((-1,)) * unbiased, momentum)
    result = centered * (variance + eps).rsqrt()
    return _affine(result, weight, bias, _channel_shape(input))


def _affine(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...] | None = None
) -> Tensor:
    if weight is not None:
        x = x * (weight if shape is None else weight.reshape(shape))
    if bias is not None:
        x = x + (bias if shape is None else bias.reshape(shape))
    return x


def _feature_axes(
    function: str, input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None,
    bias: Tensor | None = None,
) -> tuple[int, ...]:
    """Return the axes to normalize over, after checking that the shapes fit."""
    require_tensor(function, "input", input)
    require_floating(function, "input", input)
    if isinstance(normalized_shape, int):
        raise errors.ArgumentTypeError(
            f"{function}: normalized_shape={normalized_shape}",
            why="it is the shape of the last axes, a tuple or list",
            fix=f"normalized_shape=({normalized_shape},)",
        )
    shape = tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape):]) != shape:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(input.shape)}, "
            f"normalized_shape={list(shape)}",
            why=f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}]",
            fix=f"normalized_shape={list(input.shape[-max(len(shape), 1):])}",
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and tuple(value.shape) != shape:
            raise errors.ShapeError(
                f"{function}: {name} is {errors.shape_text(value.shape)}, "
                f"normalized_shape={list(shape)}",
                why=f"Expected {name} to be of same shape as normalized_shape",
            )
    return tuple(range(input.dim() - len(shape), input.dim()))


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over the last axes.

    Args:
        input: features along the last axes.
        normalized_shape: the shape of the axes to normalize over.
        weight, bias: of that shape.
        eps: added to the (biased) variance.

    Shape: (..., *normalized_shape) -> same.

    Raises:
        ShapeError: when the last axes, weight or bias have another shape.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.layer_norm(torch.tensor([[1., 3.]]), (2,))
        tensor([[-1.0000,  1.0000]])

    Source: Ba et al. 2016, https://arxiv.org/abs/1607.06450
    """
    axes = _feature_axes("layer_norm", input, normalized_shape, weight, bias)
    centered = input - input.mean(axes, keepdim=True)
    variance = (centered * centered).mean(axes, keepdim=True)
    result = _affine(centered * (variance + eps).rsqrt(), weight, bias)
    return named("native_layer_norm", result)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) * weight over the last axes.

    Args:
        input: features along the last axes.
        normalized_shape: the shape of the axes to normalize over.
        weight: of that shape.
        eps: added to the mean square; the dtype's machine epsilon when None.

    Shape: (..., *normalized_shape) -> same.
    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467
    """
    axes = _feature_axes("rms_norm", input, normalized_shape, weight)
    if eps is None:
        eps = finfo(input.dtype).eps
    return _affine(input * ((input * input).mean(axes, keepdim=True) + eps).rsqrt(), weight, None)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over groups of channels.

    Args:
        input: channels along axis 1.
        num_groups: number of groups; divides the number of channels.
        weight, bias: one number for each channel.
        eps: added to the (biased) variance.

    Shape: (N, C, ...) -> same.

    Raises:
        ShapeError: when the channels cannot be grouped or weight or bias do not have C numbers.
        ShapeArgumentError: when a group holds one value.
    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494
    """
    function = "group_norm"
    require_tensor(function, "input", input)
    if input.dim() < 2:
        raise errors.ShapeError(
            f"group_norm: input is {errors.shape_text(input.shape)}",
            why="Expected at least 2 dimensions for input tensor: samples and channels",
        )
    require_floating(function, "input", input)
    channels = input.shape[1]
    if num_groups < 1 or channels % num_groups:
        divisors = [n for n in range(1, channels + 1) if channels % n == 0]
        raise errors.ShapeError(
            f"group_norm: input is {errors.shape_text(input.shape)} ({channels} channels), "
            f"num_groups={num_groups}",
            why="Expected number of channels in input to be divisible by num_groups",
            fix=f"num_groups one of {divisors}",
        )
    _check_channels(function, channels, weight=weight, bias=bias)
    _check_batch(function, input, input.numel() // max(num_groups, 1))
    groups = input.reshape((input.shape[0], num_groups, -1)) if input.numel() else input
    if not input.numel():
        return input.clone()
    centered = groups - groups.mean(2, keepdim=True)
    variance = (centered * centered).mean(2, keepdim=True)
    result = (centered * (variance + eps).rsqrt()).reshape(input.shape)
    return named("native_group_norm", _affine(result, weight, bias, _channel_shape(input)))


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta.

    Shape: (N, C, ...) -> same.

    Raises:
        ShapeArgumentError: when the input has less than three axes.
    """
    require_tensor("local_response_norm", "input", input)
    if input.dim() < 3:
        raise errors.ShapeArgumentError(
            f"local_response_norm: input is {errors.shape_text(input.shape)}",
            why="Expected 3D or higher dimensionality input: samples, channels, places",
        )
    if not input.numel():
        return input
    squares = input * input
    around = [0, 0] * (input.dim() - 2) + [size // 2, (size - 1) // 2]
    mean = window_sum(pad(squares, around), 1, size, 1, input.shape[1]) / size
    return input / (mean * alpha + k).pow(beta)


def normalize(
    input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12,
    out: Tensor | None = None,
) -> Tensor:
    """Return x / max(|x|_p, eps): vectors of length 1 along `dim`.

    Args:
        input: any shape.
        p: order of the norm.
        dim: the axis (or axes) of the vectors.
        eps: lower limit of the length.
        out: write the result here; then nothing is recorded for gradients.

    Shape: any -> same.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]])).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    require_tensor("normalize", "input", input)
    length = input.norm(p, dim, keepdim=True).clamp(min=eps)
    result = input / length
    return result if out is None else out.copy_(result)


record_module(globals())
