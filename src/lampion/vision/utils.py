"""Showing pictures: many in one grid, in a file, with boxes, masks and points drawn on them."""

from __future__ import annotations

import colorsys
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy

from lampion.dtypes import uint8
from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.functions.creation import adopt
from lampion.functions.shape import cat, stack
from lampion.tensor import Tensor
from lampion.vision import chance
from lampion.vision.pictures import write_png
from lampion.vision.pillow import pillow
from lampion.vision.transforms.functional import convert_image_dtype, pil_to_tensor, to_pil_image

__all__ = ["draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "make_grid",
           "save_image"]


def make_grid(
    tensor: Any, nrow: int = 8, padding: int = 2, normalize: bool = False,
    value_range: tuple[float, float] | None = None, scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Put pictures side by side in one.

    Shape:
        (N, C, H, W), a list of (C, H, W), or one picture -> (C, rows, columns); one channel
        becomes three

    Args:
        tensor: the pictures.
        nrow: how many in a row.
        padding: pixels between them.
        normalize: bring the numbers to 0 to 1.
        value_range: what becomes 0 and 1; the smallest and the largest when not given.
        scale_each: normalize each picture alone.
        pad_value: colour between the pictures.

    Example:
        >>> import lampion as torch
        >>> make_grid(torch.zeros(5, 3, 4, 6), nrow=3).shape
        torch.Size([3, 14, 26])
    """
    if not isinstance(tensor, Tensor):
        wrong = tensor if not isinstance(tensor, list) else next(
            (entry for entry in tensor if not isinstance(entry, Tensor)), None)
        if wrong is not None:
            raise ArgumentTypeError(f"make_grid: got a {type(wrong).__name__}",
                                    why="tensor or list of tensors expected",
                                    fix="make_grid(images)")
        tensor = stack(tensor, 0)
    if tensor.dim() not in (2, 3, 4):
        raise ArgumentError(f"make_grid: the tensor has {tensor.dim()} axes",
                            why="a batch of pictures has four: (N, C, H, W)")
    images = tensor.detach()
    if images.dim() == 2:
        images = images[None]
    images = images[None] if images.dim() == 3 else images
    if images.shape[1] == 1:
        images = cat([images] * 3, 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise ArgumentTypeError(f"make_grid: value_range={value_range!r}",
                                    why="value_range has to be a tuple (min, max) if specified")
        images = (stack([_normalized(image, value_range) for image in images]) if scale_each
                  else _normalized(images, value_range))
    pixels = images._read()
    count, channels, height, width = pixels.shape
    if count == 1:
        return images[0]
    columns = min(nrow, count)
    rows = -(-count // columns)
    grid = numpy.full((channels, rows * (height + padding) + padding,
                       columns * (width + padding) + padding), pad_value, pixels.dtype)
    for number, picture in enumerate(pixels):
        top = number // columns * (height + padding) + padding
        left = number % columns * (width + padding) + padding
        grid[:, top:top + height, left:left + width] = picture
    return adopt(grid, images.dtype)


def _normalized(images: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = value_range or (float(images.min()), float(images.max()))
    return (images.clamp(low, high) - low) / max(high - low, 1e-5)


def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """Write a picture, or many as a grid, into a file.

    Args:
        tensor: as for `make_grid`, 0 to 1.
        fp: path or open file.
        format: the file's format; by the path's ending when not given. PNG files at a path need no
            Pillow.
        kwargs: as for `make_grid`.
    """
    grid = make_grid(tensor, **kwargs)
    pixels = (grid._read() * 255 + 0.5).clip(0, 255).astype(numpy.uint8).transpose(1, 2, 0)
    if isinstance(fp, (str, os.PathLike)) and format is None and os.fspath(fp).endswith(".png"):
        write_png(fp, pixels)
        return
    pillow("save_image").Image.fromarray(numpy.ascontiguousarray(pixels)).save(fp, format=format)


def _checked_image(name: str, image: Any) -> None:
    if not isinstance(image, Tensor):
        raise ArgumentTypeError(f"{name}: got a {type(image).__name__}", why="Tensor expected")
    if image.dtype != uint8 and not image.dtype.is_floating_point:
        raise ArgumentError(f"{name}: the picture is {image.dtype}",
                            why="The image dtype must be uint8 or float")
    if image.dim() != 3:
        raise ArgumentError(f"{name}: the picture has {image.dim()} axes",
                            why="Pass individual images, not batches", fix=f"{name}(images[0])")
    if image.shape[0] not in (1, 3):
        raise ArgumentError(f"{name}: the picture has {image.shape[0]} channels",
                            why="Only grayscale and RGB images are supported")


def _colours(colors: Any, count: int) -> list[tuple[int, ...]]:
    """Return a colour for each thing: the one given, those given, or some of all hues."""
    if colors is None:
        start = chance.fraction()
        return [tuple(int(255 * part) for part in colorsys.hsv_to_rgb(
            (start + number / max(count, 1)) % 1, 1, 1)) for number in range(count)]
    if isinstance(colors, list):
        if len(colors) < count:
            raise ArgumentError(f"{len(colors)} colors for {count} things to draw",
                                why="Number of colors must be equal or larger than the number of "
                                "objects")
        chosen = colors[:count]
    elif isinstance(colors, (str, tuple)):
        chosen = [colors] * count
    else:
        raise ArgumentError(f"colors={colors!r}", why="colors must be a tuple or a string, or a "
                            "list thereof")
    library = pillow("colors")
    return [library.ImageColor.getrgb(color) if isinstance(color, str) else tuple(color)
            for color in chosen]


def _canvas(image: Tensor) -> Any:
    """Return the picture in colour for Pillow to draw on."""
    image = cat([image] * 3, 0) if image.shape[0] == 1 else image
    return to_pil_image(image if image.dtype == uint8 else convert_image_dtype(image, uint8))


def _drawn(canvas: Any, image: Tensor) -> Tensor:
    return convert_image_dtype(pil_to_tensor(canvas), image.dtype)


def draw_bounding_boxes(
    image: Tensor, boxes: Tensor, labels: Sequence[str | None] | None = None, colors: Any = None,
    fill: bool = False, width: int = 1, font: str | None = None, font_size: int | None = None,
    label_colors: Any = None, label_background_colors: Any = None, fill_labels: bool = False,
) -> Tensor:
    """Draw boxes, and their labels, on a picture.

    Shape:
        image (1 or 3, H, W), boxes (N, 4) -> (3, H, W)

    Args:
        image: uint8, or floats from 0 to 1.
        boxes: x1, y1, x2, y2 in pixels.
        labels: a text for each box.
        colors: one for all ("red", (255, 0, 0)), a list, or all hues when not given.
        fill: shade the boxes.
        width: of the lines, in pixels.
        font: path of a font, with font_size in points; else Pillow's own.
        label_colors, label_background_colors: as colors; of the text, and of its background with
            fill_labels.

    Raises:
        ArgumentError: another shape or type, boxes that are no corners, too few labels.
        MissingExtraError: Pillow is not installed.
    """
    _checked_image("draw_bounding_boxes", image)
    places = boxes.detach().to("cpu")._read()
    if places.ndim != 2 or places.shape[1] != 4:
        raise ArgumentError(f"draw_bounding_boxes: boxes are {tuple(boxes.shape)}",
                            why="a row is one box: x1, y1, x2, y2", fix="boxes.reshape(-1, 4)")
    if (places[:, 0] > places[:, 2]).any() or (places[:, 1] > places[:, 3]).any():
        raise ArgumentError("draw_bounding_boxes: a box's right or lower edge lies before its "
                            "left or upper one", why="Boxes need to be in (xmin, ymin, xmax, "
                            "ymax) format", fix="ops.box_convert(boxes, 'xywh', 'xyxy')")
    count = len(places)
    if count == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    if labels is not None and len(labels) != count:
        raise ArgumentError(f"draw_bounding_boxes: {count} boxes, {len(labels)} labels",
                            why="Number of boxes and labels mismatch",
                            fix="specify a label for each box")
    library = pillow("draw_bounding_boxes")
    lines = _colours(colors, count)
    texts = _colours(label_colors or "black", count) if label_colors or fill_labels else lines
    behind = _colours(label_background_colors, count) if label_background_colors else lines
    letters = (library.ImageFont.load_default() if font is None
               else library.ImageFont.truetype(font, font_size or 10))
    canvas = _canvas(image)
    draw = library.ImageDraw.Draw(canvas, "RGBA" if fill else None)
    for number, box in enumerate(places.astype(int).tolist()):
        shade = (*lines[number][:3], 100) if fill else None
        draw.rectangle(box, width=width, outline=lines[number], fill=shade)
        text = labels[number] if labels is not None else None
        if text is not None:
            corner = (box[0] + width + 1, box[1] + width + 1)
            if fill_labels:
                left, top, right, bottom = draw.textbbox(corner, text, font=letters)
                draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=behind[number])
            draw.text(corner, text, fill=texts[number], font=letters)
    return _drawn(canvas, image)


def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Any = None,
                            ) -> Tensor:
    """Colour parts of a picture.

    Shape:
        image (1 or 3, H, W), masks (N, H, W) or (H, W) of bool -> (3, H, W)

    Args:
        image: uint8, or floats from 0 to 1.
        masks: True where a thing is; where several are, the colour is black.
        alpha: how much of the colour, 0 to 1.
        colors: one for all, a list, or all hues when not given.

    Raises:
        ArgumentError: another shape or type.

    Example:
        >>> import lampion as torch
        >>> mask = torch.tensor([[True, False]])
        >>> draw_segmentation_masks(torch.zeros(3, 1, 2), mask, 0.5, (255, 0, 0))[0].tolist()
        [[0.5, 0.0]]
    """
    _checked_image("draw_segmentation_masks", image)
    parts = masks.detach()._read()
    parts = parts[None] if parts.ndim == 2 else parts
    if parts.ndim != 3 or parts.dtype != numpy.bool_ or parts.shape[1:] != image.shape[1:]:
        raise ArgumentError(f"draw_segmentation_masks: masks are {tuple(masks.shape)} of "
                            f"{masks.dtype}, the picture {tuple(image.shape)}",
                            why="masks must be of shape (H, W) or (N, H, W) and of dtype bool",
                            fix="masks > 0.5")
    if len(parts) == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
    before = image.detach()._read()
    before = numpy.repeat(before, 3, 0) if len(before) == 1 else before
    after = before.copy()
    full = 255 if image.dtype == uint8 else 1.0
    for part, colour in zip(parts, _colours(colors, len(parts))):
        exact = numpy.array(colour[:3], numpy.float32)[:, None] / 255 * full
        after[:, part] = exact.astype(after.dtype)
    after[:, parts.sum(0) > 1] = 0  # whose it is cannot be seen
    mixed = before * (1 - alpha) + after * alpha
    return adopt(mixed.astype(before.dtype), image.dtype)


def draw_keypoints(
    image: Tensor, keypoints: Tensor, connectivity: Sequence[tuple[int, int]] | None = None,
    colors: Any = None, radius: int = 2, width: int = 3, visibility: Tensor | None = None,
) -> Tensor:
    """Draw points, and lines between them, on a picture.

    Shape:
        image (1 or 3, H, W), keypoints (things, points, 2) -> (3, H, W)

    Args:
        image: uint8, or floats from 0 to 1.
        keypoints: x, y in pixels.
        connectivity: pairs of points with a line between them.
        colors: one colour for all points ("red" or (255, 0, 0)).
        radius: of the points, in pixels.
        width: of the lines, in pixels.
        visibility: (things, points), True for points to draw.
    """
    _checked_image("draw_keypoints", image)
    if keypoints.dim() != 3 or keypoints.shape[2] != 2:
        raise ArgumentError(f"draw_keypoints: keypoints are {tuple(keypoints.shape)}",
                            why="keypoints must be of shape (num_instances, K, 2)")
    library = pillow("draw_keypoints")
    colour = _colours(colors or "red", 1)[0]
    canvas = _canvas(image)
    draw = library.ImageDraw.Draw(canvas)
    seen = None if visibility is None else visibility.reshape(keypoints.shape[:2]).tolist()
    for thing, points in enumerate(keypoints.tolist()):
        visible = [True] * len(points) if seen is None else seen[thing]
        for (x, y), shown in zip(points, visible):
            if shown:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
        for first, second in connectivity or ():
            if visible[first] and visible[second]:
                draw.line((*points[first], *points[second]), width=width)
    return _drawn(canvas, image)
