"""Losses of detectors: focal loss, and one minus the overlaps, box by box."""

from __future__ import annotations

import math

from lampion.autograd import no_grad
from lampion.dtypes import float32
from lampion.errors import ArgumentError
from lampion.functions.elementwise import atan, maximum, minimum, sigmoid
from lampion.nn.functional import binary_cross_entropy_with_logits
from lampion.tensor import Tensor

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss",
           "sigmoid_focal_loss"]


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"reduction={reduction!r}",
                            why="Supported reduction modes: 'none', 'mean', 'sum'")
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" and loss.numel() else loss.sum()


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2,
    reduction: str = "none",
) -> Tensor:
    """Return -alpha_t (1 - p_t)^gamma log(p_t): cross entropy, the easy cases made small.

    Args:
        inputs: scores before the sigmoid, any shape.
        targets: 0 or 1, the same shape.
        alpha: weight of the ones, 0 to 1, that of the zeros is 1 - alpha; -1 for none.
        gamma: 0 or more; how much less easy cases count.
        reduction: "none", "mean" or "sum".

    Raises:
        ArgumentError: alpha or reduction outside of its range.

    Source: Lin et al. 2017, Focal loss for dense object detection, equation 5.

    Example:
        >>> import lampion as torch
        >>> loss = sigmoid_focal_loss(torch.tensor([0.0]), torch.tensor([1.0]))
        >>> round(loss.item(), 4)                               # 0.25 * 0.5^2 * log 2
        0.0433
    """
    if not 0 <= alpha <= 1 and alpha != -1:
        raise ArgumentError(f"sigmoid_focal_loss: alpha={alpha}",
                            why="alpha must be in the range [0,1] or -1 for ignore")
    chance = sigmoid(inputs)
    entropy = binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    right = chance * targets + (1 - chance) * (1 - targets)
    loss = entropy * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction)


def _parts(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor,
                                                                Tensor, Tensor]:
    """Return boxes as floats, IoU, union, and the hull's sides of each pair (one to one)."""
    boxes1, boxes2 = (boxes if boxes.dtype.is_floating_point else boxes.to(float32)
                      for boxes in (boxes1, boxes2))
    sides = (minimum(boxes1[..., 2:], boxes2[..., 2:])
             - maximum(boxes1[..., :2], boxes2[..., :2])).clamp(min=0)
    common = sides[..., 0] * sides[..., 1]
    size1, size2 = boxes1[..., 2:] - boxes1[..., :2], boxes2[..., 2:] - boxes2[..., :2]
    union = size1[..., 0] * size1[..., 1] + size2[..., 0] * size2[..., 1] - common
    hull = (maximum(boxes1[..., 2:], boxes2[..., 2:])
            - minimum(boxes1[..., :2], boxes2[..., :2]))
    return boxes1, boxes2, common / (union + eps), union, hull[..., 0], hull[..., 1]


def generalized_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """Return 1 - GIoU of each box with its target.

    Shape:
        (N, 4), (N, 4) as x1, y1, x2, y2 -> (N,) or scalar

    Source: Rezatofighi et al. 2019, Generalized intersection over union, algorithm 2.
    """
    _, _, iou, union, width, height = _parts(boxes1, boxes2, eps)
    hull = width * height
    return _reduced(1 - (iou - (hull - union) / (hull + eps)), reduction)


def _distance_loss(boxes1: Tensor, boxes2: Tensor, eps: float,
                   ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    boxes1, boxes2, iou, _, width, height = _parts(boxes1, boxes2, eps)
    apart = (((boxes1[..., :2] + boxes1[..., 2:] - boxes2[..., :2] - boxes2[..., 2:]) / 2) ** 2
             ).sum(-1)
    return 1 - iou + apart / (width ** 2 + height ** 2 + eps), iou, boxes1, boxes2


def distance_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """Return 1 - DIoU of each box with its target.

    Shape:
        (N, 4), (N, 4) as x1, y1, x2, y2 -> (N,) or scalar

    Source: Zheng et al. 2020, Distance-IoU loss, equation 7.
    """
    return _reduced(_distance_loss(boxes1, boxes2, eps)[0], reduction)


def complete_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """Return 1 - CIoU of each box with its target.

    Shape:
        (N, 4), (N, 4) as x1, y1, x2, y2 -> (N,) or scalar

    Source: Zheng et al. 2020, Distance-IoU loss, equations 8 to 11.
    """
    loss, iou, boxes1, boxes2 = _distance_loss(boxes1, boxes2, 1e-7)
    slope1, slope2 = (atan((boxes[..., 2] - boxes[..., 0]) / (boxes[..., 3] - boxes[..., 1]))
                      for boxes in (boxes1, boxes2))
    shape = (4 / math.pi ** 2) * (slope2 - slope1) ** 2
    with no_grad():
        weight = shape / (1 - iou + shape + eps)
    return _reduced(loss + weight * shape, reduction)
