"""Functions that PyTorch builds its layers on, with the intermediate results they hand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import base, dtypes, ir
from ..errors import StateError
from . import dropout as _dropout
from . import elementwise as e
from . import normalization, reduction, vision
from . import shape as s
from .creation import empty_strided

if TYPE_CHECKING:
    from ..tensor import Tensor


def _moments(x: Tensor, axes: Any, eps: float) -> tuple[Any, Any]:
    """The mean along axes, and 1 / sqrt(variance + eps)."""
    mean = reduction.mean(x, axes, True)
    centered = e.sub(x, mean)
    variance = reduction.mean(e.mul(centered, centered), axes, True)
    return mean, e.rsqrt(e.add(variance, eps))


def native_layer_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None,
                      bias: Tensor | None, eps: float) -> tuple:
    """`layer_norm`, with the means and the inverse standard deviations.

    Shape: (*, *normalized_shape) -> the same, and twice (*, 1, ...).

    Example:
        >>> import lampion as torch
        >>> torch.native_layer_norm(torch.ones(2, 3), (3,), None, None, 1e-5)[1]
        tensor([[1.],
                [1.]])
    """
    made = normalization.layer_norm(input, normalized_shape, weight, bias, eps)
    axes = tuple(range(len(input._shape) - len(tuple(normalized_shape)), len(input._shape)))
    return (made, *(x.detach() for x in _moments(input, axes, eps)))


def native_group_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None,
                      N: int, C: int, HxW: int, group: int, eps: float) -> tuple:
    """`group_norm`, with the means and the inverse standard deviations of the groups.

    Shape: (N, C, *) -> the same, and twice (N, group).

    Args:
        N, C, HxW: samples, channels and elements of a channel.
        group: how many groups the channels make.
    """
    made = normalization.group_norm(input, group, weight, bias, eps)
    rows = s.reshape(input, N, group, C * HxW // group)
    return (made, *(s.squeeze(x, -1) for x in _moments(rows, -1, eps)))


def native_batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None,
                      running_mean: Tensor | None, running_var: Tensor | None,
                      training: bool, momentum: float, eps: float) -> tuple:
    """`batch_norm`, with the means and the inverse standard deviations used while training.

    Shape: (N, C, *) -> the same, and twice (C), or empty outside training.
    """
    made = normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return (made, *(base.wrap(ir.full((0,), 0, input._dtype)) for _ in range(2)))
    axes = (0, *range(2, len(input._shape)))
    return (made, *(s.reshape(x, -1).detach() for x in _moments(input, axes, eps)))


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple:
    """`dropout`, with the mask of the elements that it kept.

    Example:
        >>> import lampion as torch
        >>> torch.native_dropout(torch.ones(2), 0.5, False)[1]
        tensor([True, True])
    """
    if not train:
        return e.clone(input), base.wrap(ir.full(tuple(input._shape), True, dtypes.bool_))
    ones = base.wrap(ir.full(tuple(input._shape), 1, input._dtype))
    kept = e.ne(_dropout.dropout(ones, p, True), 0)
    return e.mul(e.mul(input, kept), 0.0 if p == 1 else 1 / (1 - p)), kept


_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int,
                 align_corners: bool) -> Any:
    """`nn.functional.grid_sample` with numbers for the modes.

    Args:
        interpolation_mode: 0 bilinear, 1 nearest, 2 bicubic.
        padding_mode: 0 zeros, 1 border, 2 reflection.
    """
    return vision.grid_sample(input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode],
                              align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None,
                   device: Any = None, requires_grad: bool = False) -> Any:
    """A tensor, not meant to be read yet, whose axes lie in memory in a given order.

    Args:
        physical_layout: the axes from the outermost in memory to the innermost.

    Example:
        >>> import lampion as torch
        >>> torch.empty_permuted((2, 3, 5), (0, 2, 1)).stride()
        (15, 1, 3)
    """
    rank = len(size)
    if len(physical_layout) != rank:
        raise StateError("Number of dimensions in size does not match the length of the "
                         f"physical_layout; i.e. len(size) = {rank} is not equal to "
                         f"len(physical_layout) = {len(physical_layout)}")
    if any(not 0 <= axis < rank for axis in physical_layout):
        raise StateError(f"Dimension out of range (expected to be between 0 and {rank - 1}): "
                         f"{tuple(physical_layout)}")
    if len(set(physical_layout)) != rank:
        raise StateError(f"Duplicate dim not allowed: {tuple(physical_layout)}")
    stride, step = [0] * rank, 1
    for axis in reversed(physical_layout):
        stride[axis] = step
        step *= max(size[axis], 1)
    return empty_strided(size, stride, dtype=dtype, device=device, requires_grad=requires_grad)
