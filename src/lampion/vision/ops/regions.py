"""Cutting regions of any size out of feature maps, all brought to one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from lampion.errors import ArgumentError, IndexRangeError, ShapeError, shape_text
from lampion.functions.creation import adopt
from lampion.functions.linalg import matmul
from lampion.nn import Module
from lampion.tensor import Tensor

__all__ = ["RoIAlign", "RoIPool", "roi_align", "roi_pool"]


def _regions(name: str, input: Tensor, boxes: Any) -> numpy.ndarray:
    """Return rows (number of the picture, x1, y1, x2, y2) as an array."""
    if input.dim() != 4:
        raise ShapeError(f"{name}: input is {shape_text(input.shape)}",
                         why="feature maps have four axes: (N, C, H, W)")
    if isinstance(boxes, Tensor):
        if boxes.dim() != 2 or boxes.shape[1] != 5:
            raise ShapeError(f"{name}: boxes are {shape_text(boxes.shape)}",
                             why="The boxes tensor shape is not correct as Tensor[K, 5]: the "
                             "number of the picture, x1, y1, x2, y2", fix="a list of (L, 4)")
        rows = boxes.detach()._read()
    else:
        for entry in boxes:
            if entry.dim() != 2 or entry.shape[1] != 4:
                raise ShapeError(f"{name}: boxes of a picture are {shape_text(entry.shape)}",
                                 why="The shape of the tensor in the boxes list is not correct "
                                 "as List[Tensor[L, 4]]")
        parts = [numpy.concatenate([numpy.full((len(entry), 1), number, numpy.float64),
                                    entry.detach()._read()], 1)
                 for number, entry in enumerate(boxes)]
        rows = numpy.concatenate(parts) if parts else numpy.zeros((0, 5))
    rows = rows.astype(numpy.float64)
    if len(rows) and not (0 <= rows[:, 0].min() and rows[:, 0].max() < input.shape[0]):
        raise IndexRangeError(f"{name}: a box of picture {int(rows[:, 0].max())}",
                              why=f"input has {input.shape[0]} pictures, counted from 0")
    return rows


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _tent_weights(start: float, length: float, bins: int, samples: int, size: int) -> numpy.ndarray:
    """Return (bins, size): how much each place counts in the mean of each bin's samples.

    A sample between two places counts both, by its distance; one outside by more than a whole
    place counts nothing.
    """
    step = length / bins
    count = samples if samples > 0 else max(int(numpy.ceil(step)), 0)
    weights = numpy.zeros((bins, size))
    if count == 0:
        return weights
    inside = (numpy.arange(count) + 0.5) * step / count
    places = start + step * numpy.arange(bins)[:, None] + inside
    share = ((places >= -1) & (places <= size)) / count
    places = places.clip(0, size - 1)
    low = numpy.floor(places).astype(int)
    rows = numpy.broadcast_to(numpy.arange(bins)[:, None], low.shape)
    numpy.add.at(weights, (rows, low), share * (low + 1 - places))
    numpy.add.at(weights, (rows, numpy.minimum(low + 1, size - 1)), share * (places - low))
    return weights


def roi_align(
    input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0,
    sampling_ratio: int = -1, aligned: bool = False,
) -> Tensor:
    """Cut regions out of feature maps: each bin is the mean of samples between the places.

    The means along the two axes are two small matrices, so that a region is W_y input W_x^T, and
    its gradient two products as well.

    Shape:
        (N, C, H, W), K boxes -> (K, C, *output_size)

    Args:
        input: the feature maps.
        boxes: (K, 5): the number of the picture, x1, y1, x2, y2; or a list of (L, 4), one for each
            picture.
        output_size: height and width of the result, or one number for both.
        spatial_scale: size of the feature maps over the size that the boxes are for.
        sampling_ratio: samples in a bin along each axis; as many as it has places if not above 0.
        aligned: shift by half a place, as the boxes' pixels are squares around their centres.

    Raises:
        ShapeError: another shape.
        IndexRangeError: the number of a picture that is not there.

    Source: He et al. 2017, Mask R-CNN, section 3.

    Example:
        >>> import lampion as torch
        >>> image = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> box = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])
        >>> roi_align(image, box, 2, aligned=True).tolist()
        [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    rows = _regions("roi_align", input, boxes)
    high, wide = _pair(output_size)
    height, width = input.shape[2:]
    down: numpy.ndarray = numpy.zeros((len(rows), high, height))
    across: numpy.ndarray = numpy.zeros((len(rows), wide, width))
    offset = 0.5 if aligned else 0.0
    for number, (_, x1, y1, x2, y2) in enumerate(rows):
        left, top = x1 * spatial_scale - offset, y1 * spatial_scale - offset
        region_width, region_height = (x2 - x1) * spatial_scale, (y2 - y1) * spatial_scale
        if not aligned:
            region_width, region_height = max(region_width, 1.0), max(region_height, 1.0)
        down[number] = _tent_weights(top, region_height, high, sampling_ratio, height)
        across[number] = _tent_weights(left, region_width, wide, sampling_ratio, width)
    pictures = adopt(rows[:, 0].astype(numpy.int64))
    kind = input.dtype.array
    maps = input.index_select(0, pictures)
    y, x = adopt(down.astype(kind), input.dtype), adopt(across.astype(kind), input.dtype)
    return matmul(matmul(y[:, None], maps), x[:, None].transpose(-1, -2))


def roi_pool(input: Tensor, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Tensor:
    """Cut regions out of feature maps: each bin is the largest of the places in it.

    Shape:
        (N, C, H, W), K boxes -> (K, C, *output_size)

    Args:
        input: the feature maps.
        boxes: (K, 5): the number of the picture, x1, y1, x2, y2; or a list of (L, 4), one for each
            picture.
        output_size: height and width of the result, or one number for both.
        spatial_scale: size of the feature maps over the size that the boxes are for.

    Source: Girshick 2015, Fast R-CNN, section 2.1.
    """
    rows = _regions("roi_pool", input, boxes)
    high, wide = _pair(output_size)
    values = input.detach()._read()
    count, channels, height, width = values.shape
    best = numpy.zeros((len(rows), channels, high, wide), numpy.int64)
    filled = numpy.zeros((len(rows), 1, high, wide), bool)
    for number, row in enumerate(rows):
        picture = int(row[0])
        # Half is rounded away from 0, as in C.
        places = numpy.trunc(row[1:] * spatial_scale + numpy.copysign(0.5, row[1:])).astype(int)
        left, top, right, bottom = places.tolist()
        y_edges = _bins(top, max(bottom - top + 1, 1), high, height)
        x_edges = _bins(left, max(right - left + 1, 1), wide, width)
        for i, (y0, y1) in enumerate(y_edges):
            for j, (x0, x1) in enumerate(x_edges):
                if y0 < y1 and x0 < x1:
                    part = values[picture, :, y0:y1, x0:x1].reshape(channels, -1)
                    y, x = numpy.divmod(part.argmax(1), x1 - x0)
                    best[number, :, i, j] = (y0 + y) * width + x0 + x
                    filled[number, :, i, j] = True
    maps = input.reshape(count, channels, height * width)
    chosen = maps.index_select(0, adopt(rows[:, 0].astype(numpy.int64))).gather(
        2, adopt(best.reshape(len(rows), channels, high * wide)))
    chosen = chosen.reshape(len(rows), channels, high, wide)
    return chosen if filled.all() else chosen * adopt(filled.astype(values.dtype), input.dtype)


def _bins(start: int, length: int, bins: int, size: int) -> list[tuple[int, int]]:
    step = numpy.float32(length) / numpy.float32(bins)
    edges = []
    for number in range(bins):
        first = int(numpy.floor(number * step)) + start
        last = int(numpy.ceil((number + 1) * step)) + start
        edges.append((min(max(first, 0), size), min(max(last, 0), size)))
    return edges


class RoIAlign(Module):
    """`roi_align` as a layer; the same arguments."""

    def __init__(self, output_size: Any, spatial_scale: float, sampling_ratio: int,
                 aligned: bool = False) -> None:
        super().__init__()
        if spatial_scale <= 0:
            raise ArgumentError(f"RoIAlign: spatial_scale={spatial_scale}",
                                why="it is the ratio of two sizes, above 0")
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the regions."""
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio,
                         self.aligned)

    def extra_repr(self) -> str:
        """Return the settings for `print`."""
        return (f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
                f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}")


class RoIPool(Module):
    """`roi_pool` as a layer; the same arguments."""

    def __init__(self, output_size: Any, spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the regions."""
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        """Return the settings for `print`."""
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"
