"""A small single-shot detector: boxes and classes from one look at the picture.

Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg: SSD: single shot multibox detector, 2016 (figure 2;
equations 1 to 4). As in YOLOv3 (Redmon and Farhadi 2018) the network between is plain convolutions;
what is done with boxes is in `lampion.vision.detection`.
"""

from __future__ import annotations

from collections.abc import Sequence

import lampion as torch
from lampion import nn
from lampion.errors import ShapeError, shape_text
from lampion.nn import functional as F
from lampion.vision.detection import (
    batched_nms,
    box_iou,
    centre_to_corners,
    decode_boxes,
    encode_boxes,
)


def anchor_boxes(
    size: int, scale: float | Sequence[float], ratios: Sequence[float] = (1.0, 2.0, 0.5)
) -> torch.Tensor:
    """Return the anchors of a map of size x size places, as corners in parts of the picture.

    Shape:
        (size * size * len(ratios), 4): row by row, place by place, ratio by ratio; with several
        scales so many times as many, scale by scale within a place

    Args:
        size: places in each direction.
        scale: square root of an anchor's area, in parts of the picture, 0 to 1; or several.
        ratios: width / height of the anchors of a place.

    Source: Liu et al. 2016, section 2.2, "Choosing scales and aspect ratios".

    Example:
        >>> anchor_boxes(1, 0.5, (1.0,)).tolist()
        [[0.25, 0.25, 0.75, 0.75]]
    """
    rows = []
    for y in range(size):
        for x in range(size):
            for side in _several(scale):
                for ratio in ratios:
                    rows.append([(x + 0.5) / size, (y + 0.5) / size,
                                 side * ratio**0.5, side / ratio**0.5])
    return centre_to_corners(torch.tensor(rows))


def _several(scale: float | Sequence[float]) -> Sequence[float]:
    return (scale,) if isinstance(scale, int | float) else scale


def _down(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True), nn.MaxPool2d(2))


class SingleShotDetector(nn.Module):
    """Convolutions that halve the picture; on the last two sizes, a class and an offset an anchor.

    Shape:
        (N, in_channels, image_size, image_size) -> scores (N, A, num_classes + 1), offsets
        (N, A, 4), for the A anchors in `anchors`; class 0 is background.

    Args:
        num_classes: kinds of things.
        image_size: height and width; a multiple of 16.
        in_channels: channels of the picture.
        width: channels of the first convolution.
        scales: of the anchors on the finer and the coarser map: a number each, or several.
        ratios: width / height of the anchors of a place.

    Raises:
        ShapeError: a picture of another size.

    Source: Liu et al. 2016, figure 2.

    Example:
        >>> import lampion as torch
        >>> model = SingleShotDetector(num_classes=2, image_size=32, width=4)
        >>> scores, offsets = model(torch.zeros(1, 3, 32, 32))
        >>> scores.shape, offsets.shape, model.anchors.shape
        (torch.Size([1, 60, 3]), torch.Size([1, 60, 4]), torch.Size([60, 4]))
    """

    anchors: torch.Tensor

    def __init__(
        self, num_classes: int, image_size: int = 64, in_channels: int = 3, width: int = 16,
        scales: Sequence[float | Sequence[float]] = (0.25, 0.5),
        ratios: Sequence[float] = (1.0, 2.0, 0.5),
    ) -> None:
        super().__init__()
        if image_size % 16:
            raise ShapeError(f"SingleShotDetector: image_size is {image_size}",
                             why="the picture is halved four times", fix="a multiple of 16")
        self.num_classes, self.image_size = num_classes, image_size
        self.fine = nn.Sequential(
            _down(in_channels, width), _down(width, 2 * width), _down(2 * width, 4 * width))
        self.coarse = _down(4 * width, 8 * width)
        channels = (4 * width, 8 * width)
        counts = [len(ratios) * len(_several(scale)) for scale in scales]
        self.classes = nn.ModuleList(
            nn.Conv2d(c, count * (num_classes + 1), kernel_size=3, padding=1)
            for c, count in zip(channels, counts))
        self.offsets = nn.ModuleList(
            nn.Conv2d(c, count * 4, kernel_size=3, padding=1) for c, count in zip(channels, counts))
        maps = [anchor_boxes(image_size // step, scale, ratios)
                for step, scale in zip((8, 16), scales)]
        self.register_buffer("anchors", torch.cat(maps))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if x.shape[-2:] != (self.image_size, self.image_size):
            raise ShapeError(f"SingleShotDetector: the pictures are {shape_text(x.shape)}",
                             why=f"its anchors are for {self.image_size}x{self.image_size} pixels")
        fine = self.fine(x)
        maps = (fine, self.coarse(fine))

        def joined(heads: nn.ModuleList, width: int) -> torch.Tensor:
            parts = [head(map).permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
                     for head, map in zip(heads, maps)]
            return torch.cat(parts, dim=1)

        return joined(self.classes, self.num_classes + 1), joined(self.offsets, 4)

    @torch.no_grad()
    def detect(
        self, x: torch.Tensor, score_threshold: float = 0.5, iou_threshold: float = 0.45
    ) -> list[dict[str, torch.Tensor]]:
        """Return `boxes` (K, 4), `scores` (K,) and `labels` (K,) for each picture, the best first.

        Args:
            score_threshold: the least probability of a class, 0 to 1.
            iou_threshold: overlap from which the less probable of two boxes is dropped.
        """
        scores, offsets = self(x)
        results = []
        for score, offset in zip(torch.softmax(scores, dim=2), offsets):
            best, label = score[:, 1:].max(dim=1)
            chosen = best >= score_threshold
            boxes = decode_boxes(offset, self.anchors)[chosen]
            best, label = best[chosen], label[chosen] + 1
            kept = batched_nms(boxes, best, label, iou_threshold)
            results.append({"boxes": boxes[kept], "scores": best[kept], "labels": label[kept]})
        return results


def match_anchors(
    anchors: torch.Tensor, boxes: torch.Tensor, labels: torch.Tensor, iou_threshold: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """Say what each anchor should have found: a class (0: background) and an offset.

    An anchor answers for the box that it overlaps most, if by `iou_threshold`; and every box has
    at least the anchor that overlaps it most.

    Shape:
        anchors (A, 4), boxes (M, 4), labels (M,), from 1 -> classes (A,), offsets (A, 4)

    Source: Liu et al. 2016, section 2.2, "Matching strategy".

    Example:
        >>> import lampion as torch
        >>> anchors = anchor_boxes(2, 0.5, (1.0,))
        >>> boxes = torch.tensor([[0.0, 0.0, 0.4, 0.4]])
        >>> match_anchors(anchors, boxes, torch.tensor([7]))[0].tolist()
        [7, 0, 0, 0]
    """
    if boxes.shape[0] == 0:
        return torch.zeros(len(anchors), dtype=torch.long), torch.zeros(len(anchors), 4)
    overlap = box_iou(anchors, boxes)
    value, box = overlap.max(dim=1)
    for number, anchor in enumerate(overlap.argmax(dim=0).tolist()):
        value[anchor], box[anchor] = 1.0, number
    classes = torch.where(value >= iou_threshold, labels[box], torch.zeros_like(box))
    return classes, encode_boxes(boxes[box], anchors)


def multibox_loss(
    scores: torch.Tensor, offsets: torch.Tensor, classes: torch.Tensor, wanted: torch.Tensor,
    negative_ratio: int = 3,
) -> torch.Tensor:
    """Return (cross-entropy + smooth L1 of the offsets of matched anchors) / matched anchors.

    Of the anchors that should say background, only the worst `negative_ratio` for each matched
    one count: there are far too many of them.

    Shape:
        scores (N, A, C + 1), offsets (N, A, 4), classes (N, A), wanted (N, A, 4) -> scalar

    Source: Liu et al. 2016, equations 1 to 3 and "Hard negative mining".
    """
    positive = classes > 0
    each = F.cross_entropy(scores.transpose(1, 2), classes, reduction="none")
    # The rank of each anchor among the background ones by how wrong it is.
    wrong = each.detach().masked_fill(positive, -1.0)
    rank = wrong.argsort(dim=1, descending=True).argsort(dim=1)
    hard = rank < negative_ratio * positive.sum(dim=1, keepdim=True)
    confidence = (each * (positive | (hard & ~positive))).sum()
    distance = F.smooth_l1_loss(offsets, wanted, reduction="none").sum(dim=2)
    return (confidence + (distance * positive).sum()) / positive.sum().clamp(min=1)
