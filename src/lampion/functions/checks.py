"""What the composed network functions share: argument checks, reductions, in-place variants."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lampion import base, errors

if TYPE_CHECKING:
    from lampion.tensor import Tensor


# How to write a conversion to a dtype.
CONVERSIONS = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16"}


def dtype_name(tensor: Tensor) -> str:
    """Return the dtype's name without its library: `float32`."""
    return str(tensor.dtype).rsplit(".", 1)[-1]


def require_tensor(function: str, name: str, value: object) -> None:
    """Raise ArgumentTypeError unless `value` is a tensor."""
    base.require_tensor(value, function, name)


def require_floating(function: str, name: str, value: Tensor, fix: str | None = None) -> None:
    """Raise DTypeError unless `value` holds floating-point numbers."""
    if not value.is_floating_point():
        raise errors.DTypeError(
            f"{function}: `{name}` is {value.dtype}, {errors.shape_text(value.shape)}",
            why="the result is not a whole number, so the input must be floating point",
            fix=fix or f"{name}.float()",
        )


def require_same_dtype(function: str, **tensors: Tensor | None) -> None:
    """Raise DTypeError unless all the given tensors have one dtype."""
    given = [(name, value) for name, value in tensors.items() if value is not None]
    first_name, first = given[0]
    for name, value in given[1:]:
        if value.dtype != first.dtype:
            # NumPy's numbers are float64 and those of images uint8; a model's are float32.
            method = CONVERSIONS.get(dtype_name(value))
            raise errors.DTypeError(
                f"{function}: `{first_name}` is {first.dtype} but `{name}` is {value.dtype}",
                why="all operands must have the same dtype; nothing is converted silently",
                fix=f"{first_name}.{method}()" if method else f"{first_name}.to({name}.dtype)",
            )


def require_same_shape(
    function: str, prediction: Tensor, target: Tensor, name: str = "target"
) -> None:
    """Raise ShapeError unless target and prediction have the same shape.

    PyTorch broadcasts here (with a warning at most), which turns a 32x1 prediction against a
    target of 32 into a loss over 32x32 pairs: a number that goes down and means nothing.
    """
    if prediction.shape == target.shape:
        return
    same_count = prediction.numel() == target.numel()
    text = errors.shape_text
    pairs = _broadcast(prediction.shape, target.shape)
    raise errors.ShapeError(
        f"{function}: input is {text(prediction.shape)} but {name} is {text(target.shape)}",
        why=f"each number of the input needs its own {name}"
        + (f"; broadcasting would silently make {text(pairs)} pairs of them" if pairs else ""),
        fix=_shape_fix(prediction, name) if same_count else f"{name}.expand_as(input), if meant so",
    )


def _shape_fix(prediction: Tensor, name: str) -> str:
    # A last layer with one output gives (N, 1); labels are (N).
    lone = prediction.dim() > 1 and prediction.shape[-1] == 1
    return f"{name}.view_as(input)" + (", or input.squeeze(-1)" if lone else "")


def _broadcast(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """Return the shape to which both broadcast, () when they do not."""
    try:
        return np.broadcast_shapes(tuple(first), tuple(second))
    except ValueError:
        return ()


def sizes(function: str, name: str, value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Return `value` as `count` whole numbers; one number stands for all axes."""
    numbers: Any = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if len(numbers) == 1:
        numbers = numbers * count
    if len(numbers) != count:
        raise errors.ShapeError(
            f"{function}: {name}={value!r} has {len(numbers)} numbers",
            why=f"there are {count} spatial axes: give one number for all of them, or {count}",
        )
    # bool is an int in Python, but `stride=True` is a mistake.
    if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in numbers):
        raise errors.ArgumentTypeError(
            f"{function}: {name}={value!r}", why=f"{name} must be whole numbers",
            fix=f"{name}={_whole(value)}",
        )
    return tuple(operator.index(n) for n in numbers)


def _whole(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value == value else "1"


def axis(function: str, dim: int, ndim: int) -> int:
    """Return `dim` counted from the front, or raise IndexRangeError."""
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise errors.IndexRangeError(
            f"{function}: dim={dim} for a tensor of {ndim} axes",
            why=f"dim must be from {-limit} to {limit - 1}",
        )
    return dim % limit


def named(label: str, result: Tensor) -> Tensor:
    """Return the result, its `grad_fn` named after the function that composed it."""
    if result._tracked:
        result._value.label = label
    return result


def source(input: Tensor, inplace: bool) -> Tensor:
    """Return what to compute from: a copy when the input itself is about to be overwritten."""
    return input.clone() if inplace else input


def store(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """Return `result`, after writing it into `input` when `inplace`."""
    return input.copy_(result) if inplace else result


def check_reduction(reduction: str) -> None:
    """Raise ArgumentError unless `reduction` is 'none', 'mean' or 'sum'."""
    if reduction not in ("none", "mean", "sum"):
        raise errors.ArgumentError(
            f"{reduction!r} is not a valid value for reduction",
            why="reduction says what to do with the losses of all elements",
            fix="reduction='mean', reduction='sum' or reduction='none'",
        )


def legacy_reduction(
    size_average: bool | None, reduce: bool | None, reduction: str
) -> str:
    """Translate PyTorch's old pair `size_average`, `reduce` into `reduction`."""
    if size_average is not None or reduce is not None:
        if reduce is False:
            reduction = "none"
        else:
            reduction = "sum" if size_average is False else "mean"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            stacklevel=3,
        )
    check_reduction(reduction)
    return reduction


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """Apply `reduction` to the losses of all elements."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss
