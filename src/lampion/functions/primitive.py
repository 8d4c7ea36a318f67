"""Primitive ops with tensors in and out, for functions that compose them (convolution, pools).

Arguments are expected to be checked by the caller: these do not explain themselves.
"""

from __future__ import annotations

from typing import Any

from .. import base, ops
from ..base import TensorBase

Ints = tuple[int, ...]


def convolution(input: TensorBase, weight: TensorBase, stride: Ints, padding: Ints,
                dilation: Ints, groups: int) -> Any:
    """Cross-correlation with symmetric zero padding.

    Shape: (N, C, *spatial), (O, C / groups, *kernel) -> (N, O, *spatial').
    """
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return base.call(ops.convolution.convolution, (input, weight), settings, label="convolution")


def convolution_transpose(input: TensorBase, weight: TensorBase, output_size: Ints, stride: Ints,
                          padding: Ints, dilation: Ints, groups: int) -> Any:
    """The gradient of a convolution for its input, as an operation of its own.

    Shape: (N, O, *spatial'), (O, C / groups, *kernel) -> (N, C, *output_size).
    """
    settings = {"size": output_size, "stride": stride, "padding": padding, "dilation": dilation,
                "groups": groups}
    return base.call(ops.convolution.convolution_input, (input, weight), settings,
                     label="convolution")


def pool_argmax(input: TensorBase, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
                output_size: Ints) -> Any:
    """Positions, in the flattened plane, of the largest element of each window.

    Shape: (N, C, *spatial) -> (N, C, *output_size), int64.
    """
    settings = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
                "out": output_size}
    return base.call(ops.pooling.pool_argmax, (input,), settings)


def max_pool(input: TensorBase, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
             output_size: Ints) -> Any:
    """The largest element of each window.

    Shape: (N, C, *spatial) -> (N, C, *output_size).
    """
    settings = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
                "out": output_size}
    return base.call(ops.pooling.max_pool, (input,), settings)


def pool_sum(input: TensorBase, kernel: Ints, stride: Ints, padding: Ints,
             output_size: Ints) -> Any:
    """The sum of each window, with zeros around the image.

    Shape: (N, C, *spatial) -> (N, C, *output_size).
    """
    settings = {"kernel": kernel, "stride": stride, "padding": padding, "out": output_size}
    return base.call(ops.pooling.pool_sum, (input,), settings)


def windows(input: TensorBase, axis: int, size: int, step: int, dilation: int) -> Any:
    """Windows along an axis as a new last axis (a copy, with a gradient of its own)."""
    settings = {"axis": axis, "size": size, "step": step, "dilation": dilation}
    return base.call(ops.movement.windows, (input,), settings)


def pad(input: TensorBase, low: Ints, high: Ints) -> Any:
    """Zeros added before and after each axis."""
    return base.call(ops.movement.pad, (input,), {"low": low, "high": high},
                     label="constant_pad_nd")
