"""`torchvision.transforms.v2.functional`: the functions of `functional` and v2's names of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentTypeError
from lampion.functions.creation import adopt
from lampion.tensor import Tensor
from lampion.vision.pillow import is_pil
from lampion.vision.transforms.conversion import kind_text
from lampion.vision.transforms.functional import (
    InterpolationMode,
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    affine,
    autocontrast,
    center_crop,
    convert_image_dtype,
    crop,
    elastic_transform,
    equalize,
    erase,
    five_crop,
    gaussian_blur,
    get_dimensions,
    get_image_size,
    invert,
    normalize,
    pad,
    perspective,
    pil_to_tensor,
    posterize,
    resize,
    resized_crop,
    rgb_to_grayscale,
    rotate,
    solarize,
    ten_crop,
    to_pil_image,
    to_tensor,
)
from lampion.vision.transforms.functional import get_image_num_channels as get_num_channels
from lampion.vision.transforms.functional import hflip as horizontal_flip
from lampion.vision.transforms.functional import vflip as vertical_flip

hflip, vflip, get_image_num_channels = horizontal_flip, vertical_flip, get_num_channels

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue",
    "adjust_saturation", "adjust_sharpness", "affine", "autocontrast", "center_crop",
    "convert_image_dtype", "crop", "elastic_transform", "equalize", "erase", "five_crop",
    "gaussian_blur", "get_dimensions", "get_image_num_channels", "get_image_size",
    "get_num_channels", "get_size", "hflip", "horizontal_flip", "invert", "normalize", "pad",
    "perspective", "pil_to_tensor", "posterize", "resize", "resized_crop", "rgb_to_grayscale",
    "rotate", "solarize", "ten_crop", "to_dtype", "to_grayscale", "to_image", "to_pil_image",
    "to_tensor", "vertical_flip", "vflip",
]

to_grayscale = rgb_to_grayscale


def get_size(inpt: Any) -> list[int]:
    """Return height and width of a picture."""
    return get_dimensions(inpt)[1:]


def to_image(inpt: Any) -> Tensor:
    """Turn a PIL image or an array into a tensor of the same numbers, channels first.

    Shape:
        (height, width) or (height, width, channels) -> (channels, height, width)

    Example:
        >>> import numpy
        >>> to_image(numpy.zeros((4, 6, 3), dtype=numpy.uint8)).shape
        torch.Size([3, 4, 6])
    """
    if isinstance(inpt, Tensor):
        return inpt if inpt.dim() > 2 else inpt[None]
    if is_pil(inpt):
        return pil_to_tensor(inpt)
    if isinstance(inpt, np.ndarray):
        pixels = inpt[:, :, None] if inpt.ndim == 2 else inpt
        return adopt(np.array(np.moveaxis(pixels, -1, 0), order="C"))
    raise ArgumentTypeError(f"to_image: got {kind_text(inpt)}",
                            why="Input can either be a pure Tensor, a numpy array, or a PIL image")


def to_dtype(inpt: Tensor, dtype: dtypes.dtype = dtypes.float32, scale: bool = False) -> Tensor:
    """Change the element type; with `scale` also the range, so that 0 to 255 becomes 0 to 1."""
    return convert_image_dtype(inpt, dtype) if scale else inpt.to(dtype)
