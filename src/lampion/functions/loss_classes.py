"""Losses for class labels: cross entropy and its family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lampion import errors
from lampion.base import check_known
from lampion.functions.activation import log_softmax, logsigmoid
from lampion.functions.checks import (
    dtype_name,
    legacy_reduction,
    named,
    reduce_loss,
    require_floating,
    require_same_shape,
    require_tensor,
)
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None,
    size_average: bool | None = None, ignore_index: int = -100, reduce: bool | None = None,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:
    """Return -log softmax(x)[y], the loss of scores x against the right class y.

    Args:
        input: scores of C classes along axis 1 (axis 0 for a single sample), not probabilities.
        target: class indices 0 ... C-1 (int64), or class probabilities of the input's shape.
        weight: one factor for each class; the mean divides by the sum of the factors used.
        ignore_index: label whose places do not count (with class indices only).
        label_smoothing: share in [0, 1] of the target spread evenly over all classes.

    Shape: (N, C, ...) and (N, ...) or (N, C, ...); or (C) and () or (C) -> scalar, or with
    reduction='none' the shape of the labels.

    Raises:
        DTypeError: when labels are not int64.
        ShapeArgumentError, ShapeError: when the labels' shape does not fit.
        IndexRangeError: when a label is outside 0 ... C-1.

    Example:
        >>> import lampion as torch
        >>> scores = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
        >>> round(torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1])).item(), 4)
        0.6931
    """
    function = "cross_entropy"
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor(function, "input", input)
    require_tensor(function, "target", target)
    require_floating(function, "input", input)
    if not 0 <= label_smoothing <= 1:
        raise errors.ArgumentRangeError(
            f"cross_entropy: label_smoothing={label_smoothing}",
            why="it is a share of the target, from 0.0 to 1.0", fix="label_smoothing=0.1",
        )
    if input.dim() == 0:
        raise errors.ShapeArgumentError(
            "cross_entropy: input is a scalar", why="it needs one score for each class",
        )
    classes = input.shape[0] if input.dim() == 1 else input.shape[1]
    _check_weight(function, input, weight, classes)
    if input.shape == target.shape:
        if ignore_index >= 0:
            raise errors.StateError(
                f"cross_entropy: ignore_index={ignore_index} with class probabilities as target",
                why="ignore_index is not supported for floating point target: it names a label",
                fix="rows of zeros in target, for samples that do not count")
        return _against_probabilities(input, target, weight, reduction, label_smoothing)
    _check_labels(function, input, target, ignore_index)
    if label_smoothing == 0:
        return _likelihood(input, target, weight, ignore_index, reduction, scores=True)
    log_probability = log_softmax(input, _class_axis(input))
    return _smoothed(log_probability, target, weight, ignore_index, reduction, label_smoothing)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None,
    size_average: bool | None = None, ignore_index: int = -100, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return -x[y], the negative log likelihood of class y given log-probabilities x.

    Args:
        input: log-probabilities of C classes along axis 1, e.g. from `log_softmax`.
        target: class indices 0 ... C-1 (int64).
        weight: one factor for each class; the mean divides by the sum of the factors used.
        ignore_index: label whose places do not count.

    Shape: (N, C, ...) and (N, ...), or (C) and () -> scalar, or with reduction='none' the shape
    of the labels.

    Raises:
        DTypeError, ShapeArgumentError, ShapeError, IndexRangeError: as in `cross_entropy`.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.nll_loss(torch.tensor([[-0.5, -1.5]]), torch.tensor([1]))
        tensor(1.5000)
    """
    function = "nll_loss"
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor(function, "input", input)
    require_tensor(function, "target", target)
    require_floating(function, "input", input)
    if input.dim() == 0:
        raise errors.ShapeArgumentError(
            "nll_loss: input is a scalar", why="it needs one log-probability for each class",
        )
    _check_weight(
        function, input, weight, input.shape[0] if input.dim() == 1 else input.shape[1])
    _check_labels(function, input, target, ignore_index)
    return _likelihood(input, target, weight, ignore_index, reduction)


def _class_axis(input: Tensor) -> int:
    return 0 if input.dim() == 1 else 1


def _likelihood(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str,
    scores: bool = False,
) -> Tensor:
    """The loss of log-probabilities, or of scores."""
    dim = _class_axis(input)
    if input.dim() == 1 and target.dim() == 1:
        target = target.squeeze(0)
    ignored = target == ignore_index
    label = target.masked_fill(ignored, 0)
    chosen = input.gather(dim, label.unsqueeze(dim))
    if scores and input.numel():
        # log_softmax, of the label alone: the other classes' results are never stored.
        largest = input.detach().amax(dim, keepdim=True)
        chosen = chosen - largest - (input - largest).exp().sum(dim, keepdim=True).log()
    loss = -chosen.squeeze(dim)
    if weight is None:
        loss = loss.masked_fill(ignored, 0)
        count = (~ignored).sum().to(loss.dtype)
    else:
        factor = weight[label]
        # Filled, not multiplied by 0: an ignored place may hold an infinity.
        loss = (loss * factor).masked_fill(ignored, 0)
        count = factor.masked_fill(ignored, 0).sum()
    reduced = loss.sum() / count if reduction == "mean" else reduce_loss(loss, reduction)
    return named("nll_loss", reduced)


def _smoothed(
    log_probability: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int,
    reduction: str, label_smoothing: float,
) -> Tensor:
    dim = _class_axis(log_probability)
    classes = log_probability.shape[dim]
    ignored = target == ignore_index
    sharp = _likelihood(log_probability, target, weight, ignore_index, reduction)
    weighted = log_probability
    if weight is not None:
        weighted = weighted * _along_classes(weight, log_probability)
    even = -weighted.sum(dim).masked_fill(ignored, 0)
    if reduction == "mean":
        used = ~ignored
        if weight is None:
            count = used.sum().to(even.dtype)
        else:
            count = weight[target.masked_fill(ignored, 0)].masked_fill(ignored, 0).sum()
        even = even.sum() / count
    else:
        even = reduce_loss(even, reduction)
    return sharp * (1 - label_smoothing) + even * (label_smoothing / classes)


def _against_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    if not target.is_floating_point():
        raise errors.DTypeError(
            f"cross_entropy: target is {target.dtype} and has the input's shape, "
            f"{errors.shape_text(target.shape)}",
            why="a target of the input's shape holds class probabilities, which are floating "
            "point; class indices have no class axis",
            fix="target.argmax(1) for one-hot labels, or target.float()",
        )
    dim = _class_axis(input)
    classes = input.shape[dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    product = log_softmax(input, dim) * target
    if weight is not None:
        product = product * _along_classes(weight, input)
    if reduction == "mean":
        return -product.sum() / (input.numel() / classes if classes else 0.0)
    return -product.sum() if reduction == "sum" else -product.sum(dim)


def _along_classes(weight: Tensor, input: Tensor) -> Tensor:
    return weight.reshape((-1,) + (1,) * (input.dim() - 2)) if input.dim() > 2 else weight


# Checks of labels ------------------------------------------------------------------------------


def _check_weight(function: str, input: Tensor, weight: Tensor | None, classes: int) -> None:
    if weight is not None and weight.dtype != input.dtype:
        raise errors.DTypeError(
            f"{function}: expected scalar type {dtype_name(input)} but found "
            f"{dtype_name(weight)}: the weight has another type than the input",
            fix="weight.to(input.dtype)")
    if weight is not None and tuple(weight.shape) != (classes,):
        raise errors.ShapeError(
            f"{function}: weight is {errors.shape_text(weight.shape)}, the input has {classes} "
            "classes",
            why="weight holds one factor for each class", fix=f"torch.ones({classes})",
        )


def _check_labels(
    function: str, input: Tensor, target: Tensor, ignore_index: int | None
) -> None:
    """Raise unless `target` holds one valid class index for each place of the input."""
    classes = input.shape[_class_axis(input)]
    expected = () if input.dim() == 1 else (input.shape[0], *input.shape[2:])
    given = tuple(target.shape)
    if given != expected and not (input.dim() == 1 and given == (1,)):
        raise _wrong_label_shape(function, input, target, expected)
    if dtype_name(target) not in ("int64", "uint8"):
        raise errors.DTypeError(
            f"{function}: target is {target.dtype}, {errors.shape_text(given)}",
            why="class labels are whole numbers of dtype torch.int64 (torch.long)",
            fix="target.long()",
        )
    check_known(target, lambda values: _check_label_values(
        function, values, classes, ignore_index))


def _check_label_values(
    function: str, values: np.ndarray, classes: int, ignore_index: int | None
) -> None:
    # As whole numbers without sign, negative labels are large: one comparison finds both.
    if values.dtype == np.int64 and (values.view(np.uint64) < classes).all():
        return
    wrong = (values < 0) | (values >= classes)
    if ignore_index is not None:
        wrong &= values != ignore_index
    if not wrong.any():
        return
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    label = int(values[place])
    where = f" (target[{', '.join(map(str, place))}])" if place else ""
    ignored_label = ignore_index is not None and ignore_index >= 0
    raise errors.IndexRangeError(
        f"{function}: Target {label} is out of bounds{where}",
        why=f"the input has {classes} classes, so labels go from 0 to {classes - 1}"
        + (f" (or are ignore_index={ignore_index})" if ignored_label else ""),
        fix=_label_fix(values, label, classes),
    )


def _label_fix(values: np.ndarray, label: int, classes: int) -> str:
    if label < 0:
        return f"ignore_index={label}, if these places shall not count"
    # Labels that count from 1 are the usual reason.
    if values.max() == classes and values.min() >= 1:
        return "target - 1"
    return f"a last layer with {int(values.max()) + 1} outputs, or other labels"


def _wrong_label_shape(
    function: str, input: Tensor, target: Tensor, expected: tuple[int, ...]
) -> errors.ShapeError:
    what = (
        f"{function}: input is {errors.shape_text(input.shape)} but target is "
        f"{errors.shape_text(target.shape)}"
    )
    given = tuple(target.shape)
    if input.dim() > 1 and (not given or given[0] != input.shape[0]):
        size = given[0] if given else "no"
        return errors.ShapeArgumentError(
            what, why=f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({size}): one label for each sample",
            fix="input and target from the same batch, or the axis of samples first in both",
        )
    if target.numel() == int(np.prod(expected)):
        shape = ", ".join(map(str, expected))
        fix = "target.squeeze(1)" if given == (*expected, 1) and len(expected) == 1 else None
        return errors.ShapeError(
            what, why=f"Expected target size ({shape}): class indices have no class axis",
            fix=fix or f"target.reshape({shape})",
        )
    return errors.ShapeError(
        what, why=f"labels have the input's shape without its class axis: "
        f"{errors.shape_text(expected)}",
        fix="target.argmax(1)" if len(given) == input.dim() else None,
    )


# Several labels for each sample ----------------------------------------------------------------


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return the binary cross entropy of C scores against C yes/no labels, averaged over classes.

    Args:
        input: scores.
        target: 1 for the classes that apply, else 0.
        weight: one factor for each class.

    Shape: (..., C) twice -> scalar, or (...) with reduction='none'.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor("multilabel_soft_margin_loss", "input", input)
    require_tensor("multilabel_soft_margin_loss", "target", target)
    require_same_shape("multilabel_soft_margin_loss", input, target)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduce_loss(loss.sum(-1) / input.shape[-1], reduction)


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:
    """Return sum over i != y of max(0, margin - x[y] + x[i])^p / C, the hinge loss for C classes.

    Args:
        input: scores.
        target: class indices (int64).
        p: 1 or 2.
        weight: one factor for each class.

    Shape: (N, C) and (N), or (C) and () -> scalar, or the labels' shape with reduction='none'.
    """
    function = "multi_margin_loss"
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor(function, "input", input)
    require_tensor(function, "target", target)
    if p not in (1, 2):
        raise errors.ArgumentError(f"{function}: p={p}", why="only p == 1 and p == 2 supported")
    if input.dim() == 0:
        input, target = input.reshape((1,)), target.reshape((1,))
        single = reduction == "none"
        found = multi_margin_loss(input, target, p, margin, weight, reduction=reduction)
        return found.reshape(()) if single else found
    if input.dim() not in (1, 2):
        raise errors.ShapeError(
            f"{function}: input is {errors.shape_text(input.shape)}",
            why="it must be (samples, classes), or (classes) for one sample",
        )
    if weight is not None and weight.dim() != 1:
        raise errors.ShapeArgumentError(
            f"{function}: weight is {errors.shape_text(weight.shape)}",
            why="weight must be one-dimensional, one factor for each class",
        )
    classes = input.shape[-1]
    _check_weight(function, input, weight, classes)
    _check_labels(function, input, target, ignore_index=None)
    if input.dim() == 1:
        target = target.reshape(())
    label = target.unsqueeze(-1)
    gap = margin - input.gather(-1, label) + input
    gap = gap.masked_fill(gap <= 0, 0).scatter(-1, label, 0.0)
    if p == 2:
        gap = gap * gap
    if weight is not None:
        gap = gap * weight[label]
    return reduce_loss(gap.sum(-1) / classes, reduction)


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return sum over labels j and other classes i of max(0, 1 - (x[j] - x[i])) / C.

    Args:
        input: scores.
        target: class indices (int64); in each row those before the first -1 count.

    Shape: (N, C) twice, or (C) twice -> scalar, or (N) or () with reduction='none'.
    """
    function = "multilabel_margin_loss"
    reduction = legacy_reduction(size_average, reduce, reduction)
    require_tensor(function, "input", input)
    require_tensor(function, "target", target)
    require_same_shape(function, input, target)
    if input.dim() == 0:
        input, target = input.reshape((1,)), target.reshape((1,))
    counts = (target >= 0).to(input.dtype).cumprod(-1)
    label = target.clamp(min=0)
    is_label = (counts * 0).scatter_add(-1, label, counts) > 0
    gap = 1 - input.gather(-1, label).unsqueeze(-1) + input.unsqueeze(-2)
    unused = (counts == 0).unsqueeze(-1) | is_label.unsqueeze(-2) | (gap <= 0)
    gap = gap.masked_fill(unused, 0)
    return reduce_loss(gap.sum((-2, -1)) / input.shape[-1], reduction)


record_module(globals())
