"""Boxes: overlap, suppression, offsets from anchors, and how well a detector finds things.

A box is (x1, y1, x2, y2): its left, upper, right and lower edge, in pixels or parts of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from lampion.errors import ArgumentError, ShapeError, shape_text
from lampion.functions.creation import as_tensor, tensor
from lampion.functions.elementwise import exp, log, maximum, minimum
from lampion.functions.shape import cat
from lampion.tensor import Tensor


def _check(name: str, boxes: Tensor) -> None:
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise ShapeError(f"{name}: boxes are {shape_text(boxes.shape)}",
                         why="a row is one box: x1, y1, x2, y2", fix="boxes.reshape(-1, 4)")


def box_area(boxes: Tensor) -> Tensor:
    """Return (x2 - x1)(y2 - y1) of each box.

    Shape:
        (N, 4) -> (N,)

    Raises:
        ShapeError: another shape.

    Example:
        >>> import lampion as torch
        >>> box_area(torch.tensor([[0.0, 0.0, 2.0, 3.0]])).tolist()
        [6.0]
    """
    _check("box_area", boxes)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return intersection over union of every box of the one set with every box of the other.

    Two boxes without area have 0, not NaN.

    Shape:
        (N, 4), (M, 4) -> (N, M), 0 to 1

    Raises:
        ShapeError: another shape.

    Source: Everingham et al. 2010, The PASCAL visual object classes (VOC) challenge, equation 4.

    Example:
        >>> import lampion as torch
        >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]])
        >>> [round(x, 4) for x in box_iou(boxes, boxes)[0].tolist()]
        [1.0, 0.3333]
    """
    _check("box_iou", boxes1)
    _check("box_iou", boxes2)
    upper = maximum(boxes1[:, None, :2], boxes2[None, :, :2])
    lower = minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    sides = (lower - upper).clamp(min=0)
    common = sides[:, :, 0] * sides[:, :, 1]
    union = box_area(boxes1)[:, None] + box_area(boxes2)[None] - common
    return (common / union).masked_fill(union == 0, 0.0)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Keep the best box, drop those that overlap it, and so on: non-maximum suppression.

    Shape:
        boxes (N, 4), scores (N,) -> numbers of the boxes kept (K,), the best first

    Args:
        iou_threshold: a box whose overlap with a better one is larger than this is dropped,
            0 to 1.

    Raises:
        ShapeError: another shape, or scores that are not one for each box.

    Source: Felzenszwalb, Girshick, McAllester, Ramanan 2010, Object detection with
    discriminatively trained part-based models, section 7.2.

    Example:
        >>> import lampion as torch
        >>> boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2.1], [5, 5, 6, 6]])
        >>> nms(boxes, torch.tensor([0.8, 0.9, 0.1]), 0.5).tolist()
        [1, 2]
    """
    _check("nms", boxes)
    if scores.shape != boxes.shape[:1]:
        raise ShapeError(f"nms: boxes are {shape_text(boxes.shape)}, scores "
                         f"{shape_text(scores.shape)}", why="every box has one score")
    corners, best = boxes.detach()._read(), scores.detach()._read()
    waiting = numpy.argsort(-best, kind="stable")
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    kept = []
    while len(waiting):
        first, waiting = waiting[0], waiting[1:]
        kept.append(first)
        # Only one row of the table of overlaps at a time: it is large where boxes are many.
        sides = (numpy.minimum(corners[first, 2:], corners[waiting, 2:])
                 - numpy.maximum(corners[first, :2], corners[waiting, :2])).clip(min=0)
        common = sides[:, 0] * sides[:, 1]
        with numpy.errstate(divide="ignore", invalid="ignore"):  # boxes without area stay
            overlap = common / (area[first] + area[waiting] - common)
        waiting = waiting[~(overlap > iou_threshold)]
    return as_tensor(numpy.array(kept, dtype=numpy.int64))


def batched_nms(boxes: Tensor, scores: Tensor, classes: Tensor, iou_threshold: float) -> Tensor:
    """Suppress within each class alone.

    Shape:
        boxes (N, 4), scores (N,), classes (N,) -> numbers of the boxes kept (K,), the best first

    Args:
        iou_threshold: as for `nms`.

    Example:
        >>> import lampion as torch
        >>> boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]])
        >>> batched_nms(boxes, torch.tensor([0.8, 0.9]), torch.tensor([0, 1]), 0.5).tolist()
        [1, 0]
    """
    if boxes.shape[0] == 0:
        return nms(boxes, scores, iou_threshold)
    # Each class is moved to a place of its own, where no other class's boxes are.
    size = boxes.max() - boxes.min() + 1
    return nms(boxes + (classes.to(boxes.dtype) * size)[:, None], scores, iou_threshold)


def corners_to_centre(boxes: Tensor) -> Tensor:
    """Return (centre x, centre y, width, height) of boxes (x1, y1, x2, y2).

    Shape:
        (N, 4) -> (N, 4)

    Example:
        >>> import lampion as torch
        >>> corners_to_centre(torch.tensor([[0.0, 0.0, 2.0, 4.0]])).tolist()
        [[1.0, 2.0, 2.0, 4.0]]
    """
    _check("corners_to_centre", boxes)
    return cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)


def centre_to_corners(boxes: Tensor) -> Tensor:
    """Return (x1, y1, x2, y2) of boxes (centre x, centre y, width, height).

    Shape:
        (N, 4) -> (N, 4)

    Example:
        >>> import lampion as torch
        >>> centre_to_corners(torch.tensor([[1.0, 2.0, 2.0, 4.0]])).tolist()
        [[0.0, 0.0, 2.0, 4.0]]
    """
    _check("centre_to_corners", boxes)
    return cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], dim=1)


def encode_boxes(boxes: Tensor, anchors: Tensor, variances: Sequence[float] = (0.1, 0.2),
                 ) -> Tensor:
    """Return what a detector must say so that an anchor becomes a box.

    The centre's offset in units of the anchor's size, and the logarithm of the ratio of sizes,
    divided by the variances.

    Shape:
        boxes (N, 4), anchors (N, 4), both as corners -> (N, 4)

    Args:
        variances: of the centre and of the size.

    Source: Girshick et al. 2014, Rich feature hierarchies, equations 6 to 9; Liu et al. 2016,
    SSD, equation 2.

    Example:
        >>> import lampion as torch
        >>> anchor = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
        >>> encode_boxes(anchor + 1, anchor, (1.0, 1.0)).tolist()
        [[0.5, 0.5, 0.0, 0.0]]
    """
    box, anchor = corners_to_centre(boxes), corners_to_centre(anchors)
    centre = (box[:, :2] - anchor[:, :2]) / anchor[:, 2:] / variances[0]
    return cat([centre, log(box[:, 2:] / anchor[:, 2:]) / variances[1]], dim=1)


def decode_boxes(offsets: Tensor, anchors: Tensor, variances: Sequence[float] = (0.1, 0.2),
                 ) -> Tensor:
    """Return the boxes that a detector means: the inverse of `encode_boxes`.

    Shape:
        offsets (N, 4), anchors (N, 4) as corners -> boxes (N, 4) as corners

    Args:
        variances: as for `encode_boxes`.

    Example:
        >>> import lampion as torch
        >>> anchor = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
        >>> decode_boxes(torch.tensor([[0.5, 0.5, 0.0, 0.0]]), anchor, (1.0, 1.0)).tolist()
        [[1.0, 1.0, 3.0, 3.0]]
    """
    anchor = corners_to_centre(anchors)
    centre = anchor[:, :2] + offsets[:, :2] * variances[0] * anchor[:, 2:]
    return centre_to_corners(
        cat([centre, anchor[:, 2:] * exp(offsets[:, 2:] * variances[1])], dim=1))


def average_precision(recall: Sequence[float], precision: Sequence[float]) -> float:
    """Return the area under precision over recall, precision made to fall only.

    Args:
        recall: of growing numbers of detections, 0 to 1, rising.
        precision: of the same, 0 to 1.

    Raises:
        ArgumentError: they differ in number.

    Source: Everingham et al. 2015, The PASCAL visual object classes challenge: a retrospective,
    section 3.4 (the area, in use since 2010).

    Example:
        >>> average_precision([0.5, 0.5, 1.0], [1.0, 0.5, 0.75])
        0.875
    """
    if len(recall) != len(precision):
        raise ArgumentError(f"average_precision: {len(recall)} recalls, "
                            f"{len(precision)} precisions", why="they belong together in pairs")
    envelope = numpy.maximum.accumulate(numpy.asarray(precision, dtype=float)[::-1])[::-1]
    steps = numpy.diff(numpy.asarray(recall, dtype=float), prepend=0.0)
    return float((steps * envelope).sum())


def mean_average_precision(
    predictions: Sequence[dict[str, Tensor]], targets: Sequence[dict[str, Tensor]],
    iou_threshold: float = 0.5,
) -> tuple[float, dict[int, float]]:
    """Return the mean over classes of average precision, and that of each class.

    Detections of a class are taken from all pictures, the best first. One is right if the box of
    its class that it overlaps most in its picture has an overlap of at least `iou_threshold` and
    was not found before; each further detection of the same box is wrong.

    Args:
        predictions: for each picture `boxes` (N, 4), `scores` (N,), `labels` (N,).
        targets: for each picture `boxes` (M, 4), `labels` (M,).
        iou_threshold: 0.5 for PASCAL VOC; the mean over 0.5, 0.55 .. 0.95 is COCO's.

    Raises:
        ArgumentError: predictions and targets are not for the same pictures.

    Source: Everingham et al. 2010, The PASCAL visual object classes (VOC) challenge, section 4.2.

    Example:
        >>> import lampion as torch
        >>> truth = {"boxes": torch.tensor([[0.0, 0, 2, 2]]), "labels": torch.tensor([3])}
        >>> mean_average_precision([{**truth, "scores": torch.tensor([0.9])}], [truth])
        (1.0, {3: 1.0})
    """
    if len(predictions) != len(targets):
        raise ArgumentError(f"mean_average_precision: {len(predictions)} predictions, "
                            f"{len(targets)} targets", why="there is one of each for a picture")
    classes = sorted({label for target in targets for label in target["labels"].tolist()})
    each = {label: _class_precision(predictions, targets, label, iou_threshold)
            for label in classes}
    return (sum(each.values()) / len(each) if each else 0.0), each


def _class_precision(predictions, targets, label: int, iou_threshold: float) -> float:
    detections: list[tuple[float, bool]] = []
    count = 0
    for prediction, target in zip(predictions, targets):
        truth = target["boxes"].numpy()[target["labels"].numpy() == label]
        chosen = prediction["labels"].numpy() == label
        count += len(truth)
        detections += _judge(prediction["boxes"].numpy()[chosen],
                             prediction["scores"].numpy()[chosen], truth, iou_threshold)
    detections.sort(key=lambda detection: -detection[0])
    right = numpy.cumsum([is_right for _, is_right in detections])
    return average_precision(list(right / count), list(right / numpy.arange(1, len(right) + 1)))


def _judge(boxes, scores, truth, iou_threshold: float) -> list[tuple[float, bool]]:
    """Return score and verdict for the detections of one class in one picture."""
    if len(truth) == 0 or len(boxes) == 0:
        return [(float(score), False) for score in scores]
    overlap = box_iou(tensor(boxes), tensor(truth)).numpy()
    found: set[int] = set()
    verdicts = []
    for place in numpy.argsort(-scores, kind="stable").tolist():
        best = int(overlap[place].argmax())
        is_right = overlap[place, best] >= iou_threshold and best not in found
        if is_right:
            found.add(best)
        verdicts.append((float(scores[place]), bool(is_right)))
    return verdicts
