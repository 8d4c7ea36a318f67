"""Boxes under torchvision's names: areas, overlaps, conversions, suppression."""

from __future__ import annotations

import math

import numpy

from lampion.autograd import no_grad
from lampion.dtypes import float32
from lampion.errors import ArgumentError, ShapeError, shape_text
from lampion.functions.creation import adopt
from lampion.functions.elementwise import atan, maximum, minimum
from lampion.functions.shape import stack
from lampion.tensor import Tensor
from lampion.vision import detection
from lampion.vision.detection import nms

__all__ = [
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image",
    "complete_box_iou", "distance_box_iou", "generalized_box_iou", "masks_to_boxes", "nms",
    "remove_small_boxes",
]

FORMATS = ("xyxy", "xywh", "cxcywh")


def _check(name: str, boxes: Tensor) -> None:
    if boxes.dim() == 0 or boxes.shape[-1] != 4:
        raise ShapeError(f"{name}: boxes are {shape_text(boxes.shape)}",
                         why="the last axis is one box: four numbers", fix="boxes.reshape(-1, 4)")


def _corners(boxes: Tensor, fmt: str) -> Tensor:
    return boxes if fmt == "xyxy" else box_convert(boxes, fmt, "xyxy")


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """Suppress overlapping boxes within each class alone.

    Shape:
        boxes (N, 4) as x1, y1, x2, y2, scores (N,), idxs (N,) -> numbers kept (K,), the best first

    Args:
        boxes, scores: as for `nms`.
        idxs: the class of each box.
        iou_threshold: a box that overlaps a better one of its class more than this is dropped.
    """
    return detection.batched_nms(boxes, scores, idxs, iou_threshold)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Write boxes in another way.

    Args:
        boxes: (..., 4).
        in_fmt, out_fmt: "xyxy" corners, "xywh" upper left corner and size, "cxcywh" centre and
            size.

    Raises:
        ArgumentError: another format.

    Example:
        >>> import lampion as torch
        >>> box_convert(torch.tensor([[1.0, 2.0, 5.0, 8.0]]), "xyxy", "cxcywh").tolist()
        [[3.0, 5.0, 4.0, 6.0]]
    """
    if in_fmt not in FORMATS or out_fmt not in FORMATS:
        raise ArgumentError(f"box_convert: from {in_fmt!r} to {out_fmt!r}",
                            why=f"Unsupported Bounding Box Conversions: known are {FORMATS}")
    _check("box_convert", boxes)
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    elif in_fmt == "xywh":
        c, d = a + c, b + d
    if out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    elif out_fmt == "xywh":
        c, d = c - a, d - b
    return stack([a, b, c, d], -1)


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Return the area of each box.

    Shape:
        (..., 4) -> (...)

    Example:
        >>> import lampion as torch
        >>> box_area(torch.tensor([[0.0, 0.0, 2.0, 3.0]])).tolist()
        [6.0]
    """
    _check("box_area", boxes)
    x1, y1, x2, y2 = _corners(boxes, fmt).unbind(-1)
    return (x2 - x1) * (y2 - y1)


def _overlap(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union, and the union, of every box with every box."""
    _check("box_iou", boxes1)
    _check("box_iou", boxes2)
    if not boxes1.dtype.is_floating_point:
        boxes1 = boxes1.to(float32)
    if not boxes2.dtype.is_floating_point:
        boxes2 = boxes2.to(float32)
    upper = maximum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    lower = minimum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = (lower - upper).clamp(min=0)
    common = sides[..., 0] * sides[..., 1]
    union = box_area(boxes1)[..., :, None] + box_area(boxes2)[..., None, :] - common
    return (common / union).masked_fill(union == 0, 0.0), union


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Return intersection over union of every box of the one set with every box of the other.

    Two boxes without area have 0 (torchvision: NaN).

    Shape:
        (..., N, 4), (..., M, 4) -> (..., N, M), 0 to 1

    Example:
        >>> import lampion as torch
        >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]])
        >>> [round(x, 4) for x in box_iou(boxes, boxes)[0].tolist()]
        [1.0, 0.3333]
    """
    return _overlap(_corners(boxes1, fmt), _corners(boxes2, fmt))[0]


def _hull(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return width and height of the smallest box around each pair."""
    upper = minimum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    lower = maximum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    return (lower - upper).clamp(min=0)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return IoU minus the part of the smallest box around both that neither fills.

    Shape:
        (..., N, 4), (..., M, 4) -> (..., N, M), -1 to 1

    Source: Rezatofighi et al. 2019, Generalized intersection over union, algorithm 1.
    """
    iou, union = _overlap(boxes1, boxes2)
    sides = _hull(boxes1, boxes2)
    area = sides[..., 0] * sides[..., 1]
    return iou - (area - union) / area


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return IoU minus the squared distance of the centres over the hull's squared diagonal.

    Shape:
        (..., N, 4), (..., M, 4) -> (..., N, M)

    Source: Zheng et al. 2020, Distance-IoU loss, equation 6.
    """
    sides = _hull(boxes1, boxes2)
    centre1 = (boxes1[..., :2] + boxes1[..., 2:]) / 2
    centre2 = (boxes2[..., :2] + boxes2[..., 2:]) / 2
    apart = ((centre1[..., :, None, :] - centre2[..., None, :, :]) ** 2).sum(-1)
    return box_iou(boxes1, boxes2) - apart / ((sides ** 2).sum(-1) + eps)


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return the distance IoU, less a term for different shapes.

    Shape:
        (..., N, 4), (..., M, 4) -> (..., N, M)

    Source: Zheng et al. 2020, Distance-IoU loss, equations 8 to 10.
    """
    slope1, slope2 = (atan((boxes[..., 2] - boxes[..., 0]) / (boxes[..., 3] - boxes[..., 1]))
                      for boxes in (boxes1, boxes2))
    shape = (4 / math.pi ** 2) * (slope1[..., :, None] - slope2[..., None, :]) ** 2
    with no_grad():
        weight = shape / (1 - box_iou(boxes1, boxes2) + shape + eps)
    return distance_box_iou(boxes1, boxes2, eps) - weight * shape


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut boxes off at the picture's edges.

    Args:
        boxes: (..., 4) as x1, y1, x2, y2.
        size: height and width.

    Example:
        >>> import lampion as torch
        >>> clip_boxes_to_image(torch.tensor([[-1.0, 2.0, 9.0, 9.0]]), (5, 7)).tolist()
        [[0.0, 2.0, 7.0, 5.0]]
    """
    _check("clip_boxes_to_image", boxes)
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Return the numbers of the boxes with both sides at least `min_size`.

    Shape:
        (N, 4) -> (K,)
    """
    _check("remove_small_boxes", boxes)
    places = boxes.detach()._read()
    large = ((places[:, 2:] - places[:, :2]) >= min_size).all(1)
    return adopt(numpy.flatnonzero(large).astype(numpy.int64))


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Return the smallest box around each mask.

    Shape:
        (N, height, width) -> (N, 4) as x1, y1, x2, y2: its first and last column and row

    Raises:
        ArgumentError: a mask without any True.

    Example:
        >>> import lampion as torch
        >>> masks_to_boxes(torch.tensor([[[0, 0, 0], [0, 1, 1]]])).tolist()
        [[1.0, 1.0, 2.0, 1.0]]
    """
    if masks.dim() != 3:
        raise ShapeError(f"masks_to_boxes: masks are {shape_text(masks.shape)}",
                         why="there is one mask (height, width) for each thing", fix="masks[None]")
    parts = masks.detach()._read() != 0
    boxes = numpy.zeros((len(parts), 4), numpy.float32)
    for number, part in enumerate(parts):
        y, x = numpy.nonzero(part)
        if len(x) == 0:
            raise ArgumentError(f"masks_to_boxes: mask {number} is empty",
                                why="there is no box around nothing",
                                fix="masks[masks.flatten(1).any(1)]")
        boxes[number] = x.min(), y.min(), x.max(), y.max()
    return adopt(boxes)
