"""Batch normalisation folded into the layer before it, for prediction.

    W' = W gamma / sqrt(var + eps)        b' = (b - mean) gamma / sqrt(var + eps) + beta
"""

from __future__ import annotations

import copy
from typing import Any

from lampion import errors
from lampion.functions import creation, elementwise
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.tensor import Tensor


def fuse_conv_bn_weights(
    conv_w: Tensor, conv_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float,
    bn_w: Tensor | None, bn_b: Tensor | None, transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a convolution that does the normalisation as well.

    Args:
        conv_w, conv_b: of the convolution.
        bn_rm, bn_rv, bn_eps: running mean, running variance, and what is added to it.
        bn_w, bn_b: scale and shift; None for 1 and 0.
        transpose: a transposed convolution.
    """
    shape = [1] * conv_w.dim()
    shape[1 if transpose else 0] = -1
    scale, shift = _affine(bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    bias = creation.zeros_like(bn_rm) if conv_b is None else conv_b
    return (Parameter((conv_w * scale.reshape(shape)).detach(), conv_w.requires_grad),
            Parameter((bias * scale + shift).detach(), bias.requires_grad))


def fuse_linear_bn_weights(
    linear_w: Tensor, linear_b: Tensor | None, bn_rm: Tensor, bn_rv: Tensor, bn_eps: float,
    bn_w: Tensor | None, bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Return weight and bias of a linear layer that does the normalisation as well."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _affine(mean: Tensor, variance: Tensor, eps: float, weight: Tensor | None,
            bias: Tensor | None) -> tuple[Tensor, Tensor]:
    scale = elementwise.rsqrt(variance + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    return scale, shift if bias is None else shift + bias


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """Return a convolution that gives what `bn(conv(x))` gives in evaluation mode.

    Args:
        conv: a convolution; it stays as it is.
        bn: a batch normalisation with running statistics.
        transpose: a transposed convolution.

    Raises:
        StateError: one of them is in training mode.

    Example:
        >>> import lampion as torch
        >>> conv, bn = torch.nn.Conv2d(1, 2, 3).eval(), torch.nn.BatchNorm2d(2).eval()
        >>> x = torch.ones(1, 1, 4, 4)
        >>> one = torch.nn.utils.fuse_conv_bn_eval(conv, bn)
        >>> torch.testing.assert_close(one(x), bn(conv(x)))
    """
    return _fused(conv, bn, transpose)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """Return a linear layer that gives what `bn(linear(x))` gives in evaluation mode."""
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise errors.ShapeError("To fuse, linear.out_features == bn.num_features or "
                                f"bn.num_features == 1: {linear.out_features}, {bn.num_features}")
    return _fused(linear, bn, False)


def _fused(layer: Any, bn: Any, transpose: bool) -> Any:
    if layer.training or bn.training:
        raise errors.StateError("Fusion only for eval!", why="in training the statistics are the "
                                "batch's own", fix="model.eval()")
    made: Module = copy.deepcopy(layer)
    made.weight, made.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias,
        transpose)
    return made
