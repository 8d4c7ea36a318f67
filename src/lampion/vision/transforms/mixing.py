"""Mixing the pictures of a batch and their labels: MixUp and CutMix."""

from __future__ import annotations

import math
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.nn import Module
from lampion.nn import functional as F
from lampion.tensor import Tensor
from lampion.vision import chance


class _Mixing(Module):
    """What both have in common: the share, the labels, the order of calls."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None,
                 labels_getter: Any = "default") -> None:
        super().__init__()
        if alpha <= 0:
            raise ArgumentError(f"{type(self).__name__}: alpha={alpha}",
                                why="the beta distribution needs a number above 0")
        self.alpha, self.num_classes, self.labels_getter = float(alpha), num_classes, labels_getter

    def forward(self, *inputs: Any) -> Any:
        """Return the batch (pictures, labels) mixed; the labels become probabilities."""
        batch = inputs if len(inputs) > 1 else inputs[0]
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise ArgumentTypeError(
                f"{type(self).__name__}: got {type(batch).__name__}",
                why="it mixes a batch of pictures together with their labels",
                fix="mix(images, labels)")
        images = batch[0]
        labels = batch[1] if self.labels_getter == "default" else self.labels_getter(batch)
        self._check(images, labels)
        place = next((k for k, entry in enumerate(batch) if entry is labels), None)
        if place is None:
            raise ArgumentError(f"{type(self).__name__}: labels_getter returned something else",
                                why="it must return an entry of the batch")
        mixed, share = self.mix(images, chance.beta(self.alpha, self.alpha))
        result = list(batch)
        result[0], result[place] = mixed, self._mixed_labels(labels, share)
        return type(batch)(result)

    def _check(self, images: Any, labels: Any) -> None:
        name = type(self).__name__
        if not isinstance(images, Tensor) or images.dim() != 4:
            raise ArgumentError(f"{name}: the pictures are not a batch of four axes",
                                why="Expected a batched input: (batch, channels, height, width)",
                                fix="mix after the DataLoader, or in its collate_fn")
        if not isinstance(labels, Tensor) or labels.dim() not in (1, 2):
            raise ArgumentError(f"{name}: the labels are not a tensor of one or two axes",
                                why="labels are class numbers (batch,) or probabilities "
                                "(batch, classes)")
        if labels.dim() == 1 and self.num_classes is None:
            raise ArgumentError(f"{name}: labels are class numbers and num_classes is not given",
                                why="their probabilities need to know how many there are",
                                fix=f"{name}(num_classes=10)")
        if labels.shape[0] != images.shape[0]:
            raise ArgumentError(f"{name}: {images.shape[0]} pictures, {labels.shape[0]} labels",
                                why="each picture has one label")

    def _mixed_labels(self, labels: Tensor, share: float) -> Tensor:
        if labels.dim() == 1:
            labels = F.one_hot(labels, num_classes=self.num_classes or -1)
        if not labels.dtype.is_floating_point:
            labels = labels.float()
        return labels.roll(1, 0) * (1.0 - share) + labels * share

    def mix(self, images: Tensor, share: float) -> tuple[Tensor, float]:
        """Return the mixed pictures, and the share that is left of each."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes})"


class MixUp(_Mixing):
    """Blends each picture of a batch, and its label, with the one before it.

    x' = share * x + (1 - share) * x_before, share ~ Beta(alpha, alpha).

    Args:
        alpha: above 0; 1 makes all shares alike, less makes shares near 0 and 1 likelier.
        num_classes: how many classes there are, when labels are class numbers.
        labels_getter: a function that finds the labels in a batch; the second entry by default.

    Shape:
        (N, C, H, W), labels (N,) or (N, classes) -> (N, C, H, W), (N, classes)

    Source: Zhang et al. 2018, mixup: beyond empirical risk minimization, section 2.

    Example:
        >>> import lampion as torch
        >>> images, labels = MixUp(num_classes=3)(torch.ones(2, 1, 4, 4), torch.tensor([0, 2]))
        >>> images.shape, labels.shape, round(labels.sum().item(), 4)
        (torch.Size([2, 1, 4, 4]), torch.Size([2, 3]), 2.0)
    """

    def mix(self, images: Tensor, share: float) -> tuple[Tensor, float]:
        """Return the blended pictures and the share."""
        return images.roll(1, 0) * (1.0 - share) + images * share, share


class CutMix(_Mixing):
    """Pastes a rectangle of each picture into the next; labels are mixed by area.

    Args:
        alpha: above 0, of the share's distribution Beta(alpha, alpha).
        num_classes: how many classes there are, when labels are class numbers.
        labels_getter: a function that finds the labels in a batch; the second entry by default.

    Shape:
        (N, C, H, W), labels (N,) or (N, classes) -> (N, C, H, W), (N, classes)

    Source: Yun et al. 2019, CutMix: regularization strategy to train strong classifiers with
    localizable features, section 3.1.
    """

    def mix(self, images: Tensor, share: float) -> tuple[Tensor, float]:
        """Return the pictures with their rectangles, and the share that is left of each."""
        height, width = images.shape[-2:]
        x, y = chance.whole(0, width), chance.whole(0, height)
        half = 0.5 * math.sqrt(1.0 - share)
        half_width, half_height = int(half * width), int(half * height)
        left, right = max(x - half_width, 0), min(x + half_width, width)
        top, bottom = max(y - half_height, 0), min(y + half_height, height)
        mixed = images.clone()
        if top < bottom and left < right:
            mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return mixed, 1.0 - (right - left) * (bottom - top) / (width * height)
