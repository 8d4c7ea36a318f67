"""Dropout: random elements or channels are left out while training."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import random
from lampion.functions.checks import require_floating, require_tensor, source, store
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

# The value at which SELU saturates: what alpha dropout puts in the place of an element.
SELU_FLOOR = 1.7580993408473766


def _check(function: str, input: Tensor, p: float) -> None:
    require_tensor(function, "input", input)
    if not 0.0 <= p <= 1.0:
        raise errors.ArgumentError(
            f"{function}: dropout probability has to be between 0 and 1, but got {p}",
            why="p is the share of elements that are left out",
            fix=f"p={p / 100:g}" if 2 <= p <= 100 else "p=0.5",
        )


def _dropped(input: Tensor, p: float, mask_shape: tuple[int, ...]) -> Tensor:
    """Fill the dropped places with 0 and scale up the rest, so that the mean stays."""
    if p == 1:
        return input * 0
    # What is kept is stored as one byte an element, for the backward pass as well.
    kept = random.chosen(mask_shape, p).logical_not()
    return input * (kept.to(input.dtype) * (1 / (1 - p)))


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set each element to 0 with probability p, and multiply the others by 1 / (1 - p).

    Args:
        input: any shape.
        p: probability of leaving an element out, from 0 to 1.
        training: when False the input is returned as it is.
        inplace: write the result into the input.

    Shape: any -> same.

    Raises:
        ArgumentError: when p is outside [0, 1].
    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.dropout(torch.ones(3), training=False).tolist()
        [1.0, 1.0, 1.0]
    """
    _check("dropout", input, p)
    if not training or p == 0:
        return input
    require_floating("dropout", "input", input)
    return store(input, _dropped(source(input, inplace), p, tuple(input.shape)), inplace)


def _channel_dropout(
    function: str, input: Tensor, p: float, training: bool, inplace: bool, channel_axis: int
) -> Tensor:
    """Drop everything behind the channel axis together."""
    if not training or p == 0:
        return input
    require_floating(function, "input", input)
    if input.dim() < 2:
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(input.shape)}",
            why="Feature dropout requires at least 2 dimensions in the input",
            fix="dropout(input)",
        )
    kept = channel_axis + 1
    mask_shape = tuple(input.shape[:kept]) + (1,) * (input.dim() - kept)
    return store(input, _dropped(source(input, inplace), p, mask_shape), inplace)


def _warn_axes(function: str, input: Tensor, usual: tuple[int, int], what: str) -> None:
    if input.dim() not in usual:
        warnings.warn(
            f"{function}: Received a {input.dim()}-D input to {function}, which is deprecated and "
            f"will result in an error in a future release. To retain the behavior and silence "
            f"this warning, please use dropout instead. Note that {function} exists to provide "
            f"channel-wise dropout on inputs with {what}.",
            stacklevel=3,
        )


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of signals to 0 with probability p; scale the others by 1 / (1 - p).

    Shape: (N, C, L) or (C, L) -> same.

    Raises:
        ArgumentError: when p is outside [0, 1].
        ShapeError: when the input has neither two nor three axes.
    """
    _check("dropout1d", input, p)
    if input.dim() not in (2, 3):
        raise errors.ShapeError(
            f"dropout1d: input is {errors.shape_text(input.shape)}",
            why=f"Expected 2D or 3D input, but received a {input.dim()}D input: samples, "
            "channels, places",
            fix="dropout(input), to leave out single elements",
        )
    return _channel_dropout("dropout1d", input, p, training, inplace, input.dim() - 2)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of images to 0 with probability p; scale the others by 1 / (1 - p).

    Shape: (N, C, H, W) -> same. As in PyTorch, three axes mean (N, C, L).
    Source: Tompson et al. 2015, https://arxiv.org/abs/1411.4280
    """
    _check("dropout2d", input, p)
    _warn_axes("dropout2d", input, (3, 4), "2 spatial dimensions, a channel dimension, and an "
               "optional batch dimension (i.e. 3D or 4D inputs)")
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3-D input to dropout2d and assuming that channel-wise 1-D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L).",
            stacklevel=2,
        )
    return _channel_dropout("dropout2d", input, p, training, inplace, 1)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of volumes to 0 with probability p; scale the others by 1 / (1 - p).

    Shape: (N, C, D, H, W) or (C, D, H, W) -> same.
    """
    require_tensor("dropout3d", "input", input)
    _check("dropout3d", input, p)
    _warn_axes("dropout3d", input, (4, 5), "3 spatial dimensions, a channel dimension, and an "
               "optional batch dimension (i.e. 4D or 5D inputs)")
    return _channel_dropout(
        "dropout3d", input, p, training, inplace, 1 if input.dim() == 5 else 0)


def _alpha_dropped(input: Tensor, p: float, mask_shape: tuple[int, ...]) -> Tensor:
    if p == 1:
        return input * 0
    dropped = random.chosen(mask_shape, p)
    # This scale and shift give mean 0 and variance 1 back (for inputs that have them).
    scale = 1 / math.sqrt((SELU_FLOOR * SELU_FLOOR * p + 1) * (1 - p))
    return input.masked_fill(dropped, -SELU_FLOOR) * scale + SELU_FLOOR * scale * p


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for SELU networks: dropped elements take SELU's lowest value, then mean and
    variance are restored.

    Shape: any -> same.
    Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
    """
    _check("alpha_dropout", input, p)
    if not training or p == 0:
        return input
    require_floating("alpha_dropout", "input", input)
    return store(input, _alpha_dropped(source(input, inplace), p, tuple(input.shape)), inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels.

    Shape: (N, C, ...) -> same.
    """
    _check("feature_alpha_dropout", input, p)
    if not training or p == 0:
        return input
    require_floating("feature_alpha_dropout", "input", input)
    if input.dim() < 2:
        raise errors.ShapeError(
            f"feature_alpha_dropout: input is {errors.shape_text(input.shape)}",
            why="Feature dropout requires at least 2 dimensions in the input",
        )
    mask_shape = tuple(input.shape[:2]) + (1,) * (input.dim() - 2)
    return store(input, _alpha_dropped(source(input, inplace), p, mask_shape), inplace)


def dropout_(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """In-place `dropout`."""
    return dropout(input, p, training, inplace=True)


def alpha_dropout_(input: Tensor, p: float = 0.5, training: bool = False) -> Tensor:
    """In-place `alpha_dropout`."""
    return alpha_dropout(input, p, training, inplace=True)


def feature_alpha_dropout_(input: Tensor, p: float = 0.5, training: bool = False) -> Tensor:
    """In-place `feature_alpha_dropout`."""
    return feature_alpha_dropout(input, p, training, inplace=True)


record_module(globals())
