"""Linear and bilinear maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lampion import base, errors
from lampion.functions.checks import named, require_same_dtype, require_tensor
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x W^T + b along the last axis.

    Args:
        input: x, features along the last axis.
        weight: W, one row of input features for each output feature (or one row alone).
        bias: b, one number for each output feature.

    Shape: (..., in), (out, in), (out) -> (..., out).

    Raises:
        ShapeError: when the features of input and weight differ in number.
        DTypeError: when the operands differ in dtype.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0]])).tolist()
        [[3.0]]
    """
    require_tensor("linear", "input", input)
    require_tensor("linear", "weight", weight)
    require_same_dtype("linear", input=input, weight=weight, bias=bias)
    _check_linear(input, weight, bias)
    if weight.dim() == 1:
        result = input.matmul(weight)
        return result if bias is None else result + bias
    if input.dim() <= 2:
        result = input.matmul(weight.t())
        return result if bias is None else named("addmm", result + bias)
    # One product for all rows, not one for each batch.
    leading = tuple(input.shape[:-1])
    rows = input.reshape((math.prod(leading), input.shape[-1]))
    result = base.own(rows.matmul(weight.t()).reshape((*leading, weight.shape[0])))
    return result if bias is None else result + bias


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    text = errors.shape_text
    if weight.dim() not in (1, 2) or input.dim() == 0:
        raise errors.ShapeError(
            f"linear: input is {text(input.shape)}, weight is {text(weight.shape)}",
            why="input is (..., in) and weight is (out, in)",
        )
    features = weight.shape[-1]
    if input.shape[-1] != features:
        per_sample = math.prod(input.shape[1:])
        fix = f"nn.Linear({input.shape[-1]}, {weight.shape[0]})"
        if input.dim() > 2 and per_sample == features:
            fix = "input.flatten(1) before the layer"
        elif input.dim() == 2 and weight.dim() == 2 and input.shape[-1] == weight.shape[0]:
            fix = f"{fix}, or weight.t()"
        raise errors.ShapeError(
            f"linear: input is {text(input.shape)} but weight is {text(weight.shape)} (out x in); "
            "mat1 and mat2 shapes cannot be multiplied",
            why=f"the layer takes in_features={features} numbers along the last axis, the input "
            f"has {input.shape[-1]}",
            fix=fix,
        )
    if bias is not None and weight.dim() == 2 and tuple(bias.shape) not in (
        (weight.shape[0],), (1,), ()
    ):
        raise errors.ShapeError(
            f"linear: weight is {text(weight.shape)} (out x in) but bias is {text(bias.shape)}",
            why=f"bias holds one number for each of the {weight.shape[0]} output features",
        )


def bilinear(
    input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Return x1^T W_k x2 + b_k for each output feature k.

    Shape: (..., in1), (..., in2), (out, in1, in2), (out) -> (..., out).

    Raises:
        ShapeError: when features or leading axes do not fit.
        DTypeError: when the operands differ in dtype.
    """
    require_same_dtype("bilinear", input1=input1, input2=input2, weight=weight, bias=bias)
    text = errors.shape_text
    fits = (
        weight.dim() == 3 and input1.dim() and input2.dim()
        and input1.shape[:-1] == input2.shape[:-1]
        and (input1.shape[-1], input2.shape[-1]) == tuple(weight.shape[1:])
    )
    if not fits:
        raise errors.ShapeError(
            f"bilinear: input1 is {text(input1.shape)}, input2 is {text(input2.shape)}, weight "
            f"is {text(weight.shape)}",
            why="they must be (..., in1), (..., in2) and (out, in1, in2)",
        )
    out, in1, in2 = weight.shape
    leading = tuple(input1.shape[:-1])
    rows = math.prod(leading)
    half = input1.reshape((rows, in1)).matmul(weight.permute(1, 0, 2).reshape((in1, out * in2)))
    result = half.reshape((rows, out, in2)).matmul(input2.reshape((rows, in2, 1)))
    result = result.reshape((*leading, out))
    return result if bias is None else result + bias


record_module(globals())
