"""Transforms as functions, under torchvision's names; on PIL images and on tensors.

A tensor is (..., channels, height, width); whole numbers go from 0 to the largest of their type,
floats from 0 to 1. Sizes are (height, width), places (x, y). Tensors without gradient are computed
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from lampion.functions.creation import adopt
from lampion.tensor import Tensor
from lampion.vision.pillow import is_pil
from lampion.vision.transforms import array_colours as colours
from lampion.vision.transforms import array_geometry as geometry
from lampion.vision.transforms import differentiable
from lampion.vision.transforms import functional_pillow as pil
from lampion.vision.transforms.conversion import (
    convert_image_dtype,
    kind_text,
    normalize,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from lampion.vision.transforms.interpolation import InterpolationMode, interpolation_mode

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue",
    "adjust_saturation", "adjust_sharpness", "affine", "autocontrast", "center_crop",
    "convert_image_dtype", "crop", "elastic_transform", "equalize", "erase", "five_crop",
    "gaussian_blur", "get_dimensions", "get_image_num_channels", "get_image_size", "hflip",
    "invert", "normalize", "pad", "perspective", "pil_to_tensor", "posterize", "resize",
    "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop", "to_grayscale",
    "to_pil_image", "to_tensor", "vflip",
]

PAD_MODES = ("constant", "edge", "reflect", "symmetric")


def _picture(name: str, image: Any, channels: tuple[int, ...] = ()) -> bool:
    """Return True for a tensor and False for a PIL image; refuse anything else."""
    if isinstance(image, Tensor):
        if image.dim() < 2:
            raise ArgumentTypeError(f"{name}: the tensor has {image.dim()} axes",
                                    why="Tensor is not a torch image: (..., channels, height, "
                                    "width)")
        if channels and (image.dim() < 3 or image.shape[-3] not in channels):
            raise ArgumentTypeError(
                f"{name}: the tensor is {tuple(image.shape)}",
                why=f"Input image tensor permitted channel values are {list(channels)}, in the "
                "third axis from the end")
        return True
    if is_pil(image):
        return False
    hint = "ToTensor() first, or PIL.Image.fromarray(array)" if isinstance(
        image, np.ndarray) else "PIL.Image.open(path)"
    raise ArgumentTypeError(f"{name}: got {kind_text(image)}",
                            why="img should be PIL Image or Tensor Image", fix=hint)


def _computed(image: Tensor, function: Callable[..., np.ndarray], *arguments: Any) -> Tensor:
    """Apply an array function to a tensor whose gradient nobody wants."""
    if image.requires_grad:
        raise UnsupportedError(
            f"{function.__name__} of a tensor that needs its gradient",
            why="this transform is for data, no gradient goes through it", fix="image.detach()")
    before = image._read()
    after = function(before, *arguments)
    if after is before:
        return image
    if np.may_share_memory(before, after):
        after = after.copy()
    return adopt(dtypes.round_to(image.dtype, after), image.dtype)


def get_dimensions(img: Any) -> list[int]:
    """Return channels, height and width of a picture."""
    if _picture("get_dimensions", img):
        return [1 if img.dim() == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img: Any) -> list[int]:
    """Return width and height of a picture."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """Return the number of channels of a picture."""
    return get_dimensions(img)[0]


# Geometry --------------------------------------------------------------------------------------


def hflip(img: Any) -> Any:
    """Mirror left and right.

    Example:
        >>> import lampion as torch
        >>> hflip(torch.tensor([[[1, 2, 3]]])).tolist()
        [[[3, 2, 1]]]
    """
    return img.flip(-1) if _picture("hflip", img) else pil.hflip(img)


def vflip(img: Any) -> Any:
    """Mirror top and bottom."""
    return img.flip(-2) if _picture("vflip", img) else pil.vflip(img)


def _new_size(height: int, width: int, size: Any, max_size: int | None) -> tuple[int, int]:
    """Return the new height and width: one number is the shorter edge's, the shape is kept."""
    if isinstance(size, Sequence) and len(size) == 2:
        if max_size is not None:
            raise ArgumentError(f"resize: size={size}, max_size={max_size}",
                                why="max_size should only be passed if size specifies the length "
                                "of the smaller edge")
        return int(size[0]), int(size[1])
    if isinstance(size, Sequence):
        if len(size) != 1:
            raise ArgumentError(f"resize: size={size!r}",
                                why="If size is a sequence, it should have 1 or 2 values")
        size = size[0]
    if size is None and max_size is None:
        raise ArgumentError("resize: size=None", why="max_size must be an integer if size is None")
    short, long = (width, height) if width <= height else (height, width)
    if size is None:
        new_short, new_long = int(max_size * short / long), max_size  # type: ignore[operator]
    else:
        new_short, new_long = int(size), int(size * long / short)
        if max_size is not None:
            if max_size <= size:
                raise ArgumentError(
                    f"resize: max_size={max_size}, size={size}",
                    why="max_size must be strictly greater than the requested size of the "
                    "smaller edge")
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
    new_width, new_height = (
        (new_short, new_long) if width <= height else (new_long, new_short))
    return new_height, new_width  # type: ignore[return-value]


def resize(
    img: Any, size: Any, interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None, antialias: bool | None = True,
) -> Any:
    """Resample a picture to another size.

    Args:
        img: PIL image or tensor.
        size: (height, width), or one number for the shorter edge; None with `max_size`.
        interpolation: an `InterpolationMode`.
        max_size: what the longer edge must not exceed.
        antialias: widen the kernel when shrinking; PIL images always do.

    Example:
        >>> import lampion as torch
        >>> resize(torch.zeros(3, 20, 30), 10).shape
        torch.Size([3, 10, 15])
    """
    mode = interpolation_mode(interpolation).value
    is_tensor = _picture("resize", img)
    _, height, width = get_dimensions(img)
    new_height, new_width = _new_size(height, width, size, max_size)
    if (new_height, new_width) == (height, width):
        return img
    if new_height < 1 or new_width < 1:
        raise ArgumentError(f"resize: the new size would be {new_height}x{new_width}",
                            why="a picture has at least one pixel")
    if not is_tensor:
        return pil.resize(img, new_height, new_width, mode)
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ArgumentError(f"resize: interpolation {mode!r} of a tensor",
                            why="This interpolation mode is unsupported with Tensor input",
                            fix="InterpolationMode.BILINEAR, or a PIL image")
    antialias = bool(antialias) and mode in ("bilinear", "bicubic")
    if img.requires_grad:
        return differentiable.resize(img, new_height, new_width, mode, antialias)
    return _computed(img, geometry.resize, new_height, new_width, mode, antialias)


def _edges(padding: Any) -> list[int]:
    """Return left, top, right, bottom for one, two or four numbers."""
    if isinstance(padding, int):
        return [padding] * 4
    if not isinstance(padding, (list, tuple)):
        raise ArgumentTypeError(f"pad: padding={padding!r}", why="Got inappropriate padding arg")
    if len(padding) not in (1, 2, 4):
        raise ArgumentError(
            f"pad: padding={padding!r}", why="Padding must be an int or a 1, 2, or 4 element "
            f"tuple, not a {len(padding)} element tuple", fix="(left, top, right, bottom)")
    return [int(value) for value in padding] * (4 // len(padding))


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Add pixels around a picture; negative numbers take away.

    Args:
        img: PIL image or tensor.
        padding: one number, (left and right, top and bottom) or (left, top, right, bottom).
        fill: the colour for "constant", a number or (PIL) one for each channel.
        padding_mode: "constant", "edge" (repeat the last pixel), "reflect" or "symmetric" (mirror
            without or with the last pixel).

    Example:
        >>> import lampion as torch
        >>> pad(torch.tensor([[[1, 2]]]), (1, 0), padding_mode="edge").tolist()
        [[[1, 1, 2, 2]]]
    """
    is_tensor = _picture("pad", img)
    edges = _edges(padding)
    if padding_mode not in PAD_MODES:
        raise ArgumentError(f"pad: padding_mode={padding_mode!r}",
                            why="Padding mode should be either constant, edge, reflect or "
                            "symmetric")
    if not is_tensor:
        return pil.pad(img, edges, fill, padding_mode)
    if isinstance(fill, (list, tuple)) and len(fill) == 1:
        fill = fill[0]
    if not isinstance(fill, (int, float)) and fill is not None:
        raise ArgumentTypeError(f"pad: fill={fill!r}", why="Got inappropriate fill arg: a tensor "
                                "takes one number")
    _, height, width = get_dimensions(img)
    limit = {"reflect": 1, "symmetric": 0}.get(padding_mode)
    if limit is not None and (max(edges[0], edges[2]) > width - limit
                              or max(edges[1], edges[3]) > height - limit):
        raise ArgumentError(f"pad: padding={padding!r} of a picture of {height}x{width}",
                            why=f"{padding_mode} has only the picture's own pixels to mirror")
    if img.requires_grad:
        return differentiable.pad(img, edges, fill or 0, padding_mode)
    return _computed(img, geometry.pad, edges, fill or 0, padding_mode)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Cut out a rectangle; what lies outside of the picture is black."""
    if not _picture("crop", img):
        return pil.crop(img, top, left, height, width)
    if not img.requires_grad:
        return _computed(img, geometry.crop, top, left, height, width)
    _, old_height, old_width = get_dimensions(img)
    return differentiable.pad(img, [-left, -top, left + width - old_width,
                                    top + height - old_height], 0, "constant")


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, (int, float)):
        return int(size), int(size)
    if not isinstance(size, Sequence) or len(size) not in (1, 2):
        raise ArgumentError(f"size={size!r}",
                            why="Please provide only two dimensions (h, w) for size.")
    return int(size[0]), int(size[-1])


def center_crop(img: Any, output_size: Any) -> Any:
    """Cut out the middle; a picture that is too small is padded with black.

    Example:
        >>> import lampion as torch
        >>> center_crop(torch.arange(9).reshape(1, 3, 3), 1).item()
        4
    """
    height, width = _pair(output_size)
    _, old_height, old_width = get_dimensions(img)
    if width > old_width or height > old_height:
        wide, high = max(width - old_width, 0), max(height - old_height, 0)
        img = pad(img, [wide // 2, high // 2, (wide + 1) // 2, (high + 1) // 2], fill=0)
        _, old_height, old_width = get_dimensions(img)
        if (width, height) == (old_width, old_height):
            return img
    top, left = round((old_height - height) / 2.0), round((old_width - width) / 2.0)
    return crop(img, top, left, height, width)


def resized_crop(
    img: Any, top: int, left: int, height: int, width: int, size: Any,
    interpolation: Any = InterpolationMode.BILINEAR, antialias: bool | None = True,
) -> Any:
    """Cut out a rectangle and bring it to a size."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img: Any, size: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Return the upper left, upper right, lower left, lower right corner and the middle."""
    height, width = _pair(size)
    _, old_height, old_width = get_dimensions(img)
    if width > old_width or height > old_height:
        raise ArgumentError(f"five_crop: size is {height}x{width}, the picture "
                            f"{old_height}x{old_width}",
                            why="Requested crop size is bigger than input size")
    right, bottom = old_width - width, old_height - height
    corners = [crop(img, top, left, height, width)
               for top, left in ((0, 0), (0, right), (bottom, 0), (bottom, right))]
    return (*corners, center_crop(img, [height, width]))  # type: ignore[return-value]


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """Return the five crops of the picture and of its mirror image."""
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)


def _fills(img: Any, fill: Any) -> list[float] | None:
    """Return one number for each channel of a tensor."""
    if fill is None:
        return None
    channels = get_dimensions(img)[0]
    fills = [float(value) for value in fill] if isinstance(fill, (list, tuple)) else [float(fill)]
    if len(fills) not in (1, channels):
        raise ArgumentError(f"fill={fill!r}", why="The number of elements in 'fill' cannot "
                            f"broadcast to match the number of channels of the image ("
                            f"{len(fills)} != {channels})")
    return fills * (channels if len(fills) == 1 else 1)


def _drawn(img: Tensor, grid: np.ndarray, mode: str, fill: Any) -> Tensor:
    """Draw a tensor through a grid."""
    if mode not in ("nearest", "bilinear"):
        raise ArgumentError(f"interpolation {mode!r} of a tensor",
                            why="This interpolation mode is unsupported with Tensor input",
                            fix="InterpolationMode.BILINEAR, or a PIL image")
    fills = _fills(img, fill)
    if img.requires_grad:
        return differentiable.sample(img, grid, mode, fills)
    return _computed(img, geometry.sample, grid, mode, fills)


def _number(img: Tensor) -> type:
    return np.float64 if img.dtype == dtypes.float64 else np.float32


def rotate(
    img: Any, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
    center: Sequence[float] | None = None, fill: Any = None,
) -> Any:
    """Turn a picture counter-clockwise.

    Args:
        img: PIL image or tensor.
        angle: in degrees.
        interpolation: an `InterpolationMode`.
        expand: make the result large enough for all of the picture; goes with the middle only.
        center: (x, y) that stays where it is; the middle when not given.
        fill: the colour where there is no picture.
    """
    mode = interpolation_mode(interpolation).value
    if not isinstance(angle, (int, float)):
        raise ArgumentTypeError(f"rotate: angle={angle!r}",
                                why="Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise ArgumentTypeError(f"rotate: center={center!r}",
                                why="Argument center should be a sequence")
    if not _picture("rotate", img):
        return pil.rotate(img, angle, mode, expand, center, fill)
    _, height, width = get_dimensions(img)
    middle = (0.0, 0.0) if center is None else (center[0] - width * 0.5, center[1] - height * 0.5)
    matrix = geometry.inverse_affine_matrix(middle, -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    new = geometry.rotated_size(matrix, width, height) if expand else (height, width)
    return _drawn(img, geometry.affine_grid(matrix, (height, width), new, _number(img)), mode, fill)


def _shears(shear: Any) -> list[float]:
    if isinstance(shear, (int, float)):
        return [float(shear), 0.0]
    if not isinstance(shear, (list, tuple)):
        raise ArgumentTypeError(f"affine: shear={shear!r}",
                                why="Shear should be either a single value or a sequence of two")
    if len(shear) not in (1, 2):
        raise ArgumentError(f"affine: shear={shear!r}",
                            why="Shear should be a sequence containing two values")
    return [float(shear[0]), float(shear[-1])]


def affine(
    img: Any, angle: float, translate: Sequence[float], scale: float, shear: Any,
    interpolation: Any = InterpolationMode.NEAREST, fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Turn, move, scale and shear a picture, its middle staying in place.

    Args:
        img: PIL image or tensor.
        angle: in degrees, clockwise.
        translate: pixels to the right and down.
        scale: above 0.
        shear: in degrees, along x or along x and y.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.
        center: (x, y) instead of the middle.
    """
    mode = interpolation_mode(interpolation).value
    if not isinstance(angle, (int, float)):
        raise ArgumentTypeError(f"affine: angle={angle!r}",
                                why="Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise ArgumentTypeError(f"affine: translate={translate!r}",
                                why="Argument translate should be a sequence")
    if len(translate) != 2:
        raise ArgumentError(f"affine: translate={translate!r}",
                            why="Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ArgumentError(f"affine: scale={scale}", why="Argument scale should be positive")
    shears = _shears(shear)
    _, height, width = get_dimensions(img)
    if not _picture("affine", img):
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = geometry.inverse_affine_matrix(middle, angle, translate, scale, shears)
        return pil.affine(img, matrix, mode, fill)
    middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = geometry.inverse_affine_matrix(
        middle, angle, [float(value) for value in translate], scale, shears)
    size = (height, width)
    return _drawn(img, geometry.affine_grid(matrix, size, size, _number(img)), mode, fill)


def perspective(
    img: Any, startpoints: Sequence[Sequence[int]], endpoints: Sequence[Sequence[int]],
    interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None,
) -> Any:
    """Draw a picture so that four of its points come to lie on four others.

    Args:
        img: PIL image or tensor.
        startpoints, endpoints: four (x, y) each: upper left, upper right, lower right, lower left.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.
    """
    mode = interpolation_mode(interpolation).value
    rows, wanted = [], []
    for (x, y), (start_x, start_y) in zip(endpoints, startpoints):
        rows += [[x, y, 1, 0, 0, 0, -start_x * x, -start_x * y],
                 [0, 0, 0, x, y, 1, -start_y * x, -start_y * y]]
        wanted += [start_x, start_y]
    solution = np.linalg.lstsq(np.array(rows, float), np.array(wanted, float), rcond=None)[0]
    coefficients = solution.astype(np.float32).tolist()
    if not _picture("perspective", img):
        return pil.perspective(img, coefficients, mode, fill)
    _, height, width = get_dimensions(img)
    grid = geometry.perspective_grid(coefficients, (height, width), _number(img))
    return _drawn(img, grid, mode, fill)


def elastic_transform(
    img: Any, displacement: Tensor, interpolation: Any = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Move every pixel by its own displacement.

    Args:
        img: PIL image or tensor.
        displacement: (1, height, width, 2), x and y; 2 is the whole width or height.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.
    """
    mode = interpolation_mode(interpolation).value
    if not isinstance(displacement, Tensor):
        raise ArgumentTypeError(f"elastic_transform: displacement is {kind_text(displacement)}",
                                why="Argument displacement should be a Tensor")
    is_tensor = _picture("elastic_transform", img)
    picture = img if is_tensor else pil_to_tensor(img)
    _, height, width = get_dimensions(picture)
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ArgumentError(
            f"elastic_transform: displacement is {tuple(displacement.shape)}",
            why=f"Argument displacement expected to have shape (1, {height}, {width}, 2)")
    grid = geometry.identity_grid((height, width)) + displacement.detach()._read()[0]
    result = _drawn(picture, grid, mode, fill)
    return result if is_tensor else to_pil_image(result, img.mode)


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blur with a bell curve; edges are mirrored.

    Args:
        img: PIL image or tensor.
        kernel_size: odd number of pixels, or (across, down).
        sigma: width of the bell in pixels, or (across, down); by default
            0.3 ((size - 1) / 2 - 1) + 0.8.
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2 or any(size % 2 == 0 or size < 0 for size in sizes):
        raise ArgumentError(f"gaussian_blur: kernel_size={kernel_size!r}",
                            why="kernel_size should have odd and positive integers, one or two")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in sizes]
    elif isinstance(sigma, (int, float)):
        sigma = [float(sigma)] * 2
    sigmas = [float(value) for value in sigma]
    sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    if len(sigmas) != 2 or any(value <= 0 for value in sigmas):
        raise ArgumentError(f"gaussian_blur: sigma={sigma!r}",
                            why="sigma should have positive values, one or two")
    is_tensor = _picture("gaussian_blur", img)
    picture = img if is_tensor else pil_to_tensor(img)
    _, height, width = get_dimensions(picture)
    if sizes[0] // 2 >= width or sizes[1] // 2 >= height:
        raise ArgumentError(f"gaussian_blur: kernel_size={kernel_size!r} of a picture of "
                            f"{height}x{width}", why="half a kernel must fit into the picture")
    if picture.requires_grad:
        return differentiable.gaussian_blur(picture, sizes, sigmas)
    result = _computed(picture, geometry.gaussian_blur, sizes, sigmas)
    return result if is_tensor else to_pil_image(result, img.mode)


def erase(
    img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False
) -> Tensor:
    """Write a value (or a tensor of that size) over a rectangle of a tensor.

    Args:
        img: (..., channels, height, width).
        i, j: row and column of the upper left corner.
        h, w: height and width.
        v: what is written.
        inplace: write into the tensor itself.
    """
    if not isinstance(img, Tensor):
        raise ArgumentTypeError(f"erase: got {kind_text(img)}",
                                why="img should be Tensor Image", fix="ToTensor() first")
    result = img if inplace else img.clone()
    result[..., i:i + h, j:j + w] = v
    return result


# Colours ---------------------------------------------------------------------------------------


def _factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ArgumentError(f"{name} is {factor}", why="it is not non-negative",
                            fix="1 leaves the picture as it is, 0 takes all away")


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Make a picture darker (below 1, 0 is black) or brighter.

    Example:
        >>> import lampion as torch
        >>> adjust_brightness(torch.tensor([[[0.2, 0.8]]]), 2.0).tolist()
        [[[0.4000000059604645, 1.0]]]
    """
    _factor("brightness_factor", brightness_factor)
    if not _picture("adjust_brightness", img, (1, 3)):
        return pil.brightness(img, brightness_factor)
    if img.requires_grad:
        return differentiable.blend(img, 0.0, brightness_factor)
    return _computed(img, colours.brightness, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Bring a picture nearer to (below 1, 0 is flat) or further from its mean grey."""
    _factor("contrast_factor", contrast_factor)
    if not _picture("adjust_contrast", img, (1, 3)):
        return pil.contrast(img, contrast_factor)
    if img.requires_grad:
        return differentiable.contrast(img, contrast_factor)
    return _computed(img, colours.contrast, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Make a picture paler (below 1, 0 is grey) or more colourful."""
    _factor("saturation_factor", saturation_factor)
    if not _picture("adjust_saturation", img, (1, 3)):
        return pil.saturation(img, saturation_factor)
    if img.requires_grad:
        return differentiable.saturation(img, saturation_factor)
    return _computed(img, colours.saturation, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turn all colours by a part of the colour circle, from -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ArgumentError(f"hue_factor is {hue_factor}", why="it is not in [-0.5, 0.5]")
    if not _picture("adjust_hue", img, (1, 3)):
        return pil.hue(img, hue_factor)
    return _computed(img, colours.hue, hue_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """Return gain * picture ** gamma, brightness counted from 0 to 1."""
    if gamma < 0:
        raise ArgumentError(f"gamma is {gamma}",
                            why="Gamma should be a non-negative real number")
    if not _picture("adjust_gamma", img, (1, 3)):
        return pil.gamma(img, gamma, gain)
    return _computed(img, colours.gamma, gamma, gain)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Make a picture smoother (below 1) or sharper."""
    _factor("sharpness_factor", sharpness_factor)
    if not _picture("adjust_sharpness", img, (1, 3)):
        return pil.sharpness(img, sharpness_factor)
    return _computed(img, colours.sharpness, sharpness_factor)


def _outputs(channels: int) -> None:
    if channels not in (1, 3):
        raise ArgumentError(f"num_output_channels={channels}",
                            why="num_output_channels should be either 1 or 3")


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return the greys of a PIL image, in one band or in three equal ones."""
    _outputs(num_output_channels)
    if _picture("to_grayscale", img):
        raise ArgumentTypeError("to_grayscale: got a tensor", why="Input should be PIL Image",
                                fix="rgb_to_grayscale(img)")
    return pil.grey(img, num_output_channels)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Return 0.2989 red + 0.587 green + 0.114 blue, in one or three equal channels."""
    _outputs(num_output_channels)
    if not _picture("rgb_to_grayscale", img, (1, 3)):
        return pil.grey(img, num_output_channels)
    if img.requires_grad:
        return differentiable.grey(img, num_output_channels)
    return _computed(img, colours.grey, num_output_channels)


def invert(img: Any) -> Any:
    """Return the negative."""
    if not _picture("invert", img, (1, 3)):
        return pil.invert(img)
    return _computed(img, colours.invert)


def _bytes_only(name: str, img: Tensor) -> None:
    if img.dtype != dtypes.uint8:
        raise ArgumentTypeError(f"{name}: the tensor is {img.dtype}",
                                why="Only torch.uint8 image tensors are supported",
                                fix="convert_image_dtype(img, torch.uint8)")


def posterize(img: Any, bits: int) -> Any:
    """Keep the upper 0 to 8 bits of each pixel."""
    if not 0 <= bits <= 8:
        raise ArgumentError(f"posterize: bits={bits}",
                            why="The number if bits should be between 0 and 8")
    if not _picture("posterize", img, (1, 3)):
        return pil.posterize(img, bits)
    _bytes_only("posterize", img)
    return _computed(img, colours.posterize, bits)


def solarize(img: Any, threshold: float) -> Any:
    """Invert the pixels that are at or above a threshold."""
    if not _picture("solarize", img, (1, 3)):
        return pil.solarize(img, threshold)
    if threshold > colours.largest(img.dtype.array):
        raise ArgumentTypeError(f"solarize: threshold={threshold} for {img.dtype}",
                                why="Threshold should be less than bound of img.")
    return _computed(img, colours.solarize, threshold)


def autocontrast(img: Any) -> Any:
    """Stretch each channel from its darkest and lightest pixel to the whole range."""
    if not _picture("autocontrast", img, (1, 3)):
        return pil.autocontrast(img)
    return _computed(img, colours.autocontrast)


def equalize(img: Any) -> Any:
    """Spread each channel's brightness so that its histogram is as even as can be."""
    if not _picture("equalize", img, (1, 3)):
        return pil.equalize(img)
    _bytes_only("equalize", img)
    return _computed(img, colours.equalize)
