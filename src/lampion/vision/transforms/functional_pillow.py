"""The PIL images' side of `functional`: Pillow does the work, with torchvision's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lampion.errors import ArgumentError
from lampion.vision.pillow import pillow
from lampion.vision.transforms.interpolation import PILLOW_NUMBERS

WITHOUT_COLOUR = {"L", "1", "I", "F"}


def fill_colour(image: Any, fill: Any) -> Any:
    """Return a fill for every band of the image, in the type that Pillow wants."""
    bands = len(image.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and bands > 1:
        fill = (fill,) * bands
    if isinstance(fill, (list, tuple)):
        if len(fill) not in (1, bands):
            raise ArgumentError(
                f"fill={fill!r} for an image of mode {image.mode}",
                why="The number of elements in 'fill' does not match the number of channels of "
                f"the image ({len(fill)} != {bands})",
            )
        fill = tuple(fill) * (bands if len(fill) == 1 else 1)
        return fill if image.mode == "F" else tuple(int(value) for value in fill)
    return fill if image.mode == "F" else int(fill)


def hflip(image: Any) -> Any:
    """Mirror left and right."""
    return image.transpose(pillow("hflip").Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(image: Any) -> Any:
    """Mirror top and bottom."""
    return image.transpose(pillow("vflip").Image.Transpose.FLIP_TOP_BOTTOM)


def resize(image: Any, height: int, width: int, mode: str) -> Any:
    """Resample; Pillow widens its kernels when it shrinks."""
    return image.resize((width, height), PILLOW_NUMBERS[mode])


def crop(image: Any, top: int, left: int, height: int, width: int) -> Any:
    """Cut out a rectangle; what lies outside of the image is 0."""
    return image.crop((left, top, left + width, top + height))


def pad(image: Any, edges: Sequence[int], fill: Any, mode: str) -> Any:
    """Add pixels (or take them away) at the left, top, right and bottom edge."""
    library = pillow("pad")
    palette = image.getpalette() if image.mode == "P" else None
    if mode == "constant":
        padded = library.ImageOps.expand(image, tuple(edges), fill_colour(image, fill))
    else:
        left, top, right, bottom = edges
        image = image.crop((max(-left, 0), max(-top, 0), image.width - max(-right, 0),
                            image.height - max(-bottom, 0)))
        pixels = np.asarray(image)
        around = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
        around += [(0, 0)] * (pixels.ndim - 2)
        padded = library.Image.fromarray(
            np.pad(pixels, around, mode=mode))  # type: ignore[call-overload]
    if palette is not None:
        padded.putpalette(palette)
    return padded


def rotate(image: Any, angle: float, mode: str, expand: bool, center: Any, fill: Any) -> Any:
    """Turn, counter-clockwise."""
    return image.rotate(angle, PILLOW_NUMBERS[mode], expand, center,
                        fillcolor=fill_colour(image, fill))


def affine(image: Any, matrix: Sequence[float], mode: str, fill: Any) -> Any:
    """Draw each new pixel from where the matrix says."""
    transform = pillow("affine").Image.Transform.AFFINE
    return image.transform(image.size, transform, matrix, PILLOW_NUMBERS[mode],
                           fillcolor=fill_colour(image, fill))


def perspective(image: Any, coefficients: Sequence[float], mode: str, fill: Any) -> Any:
    """Draw each new pixel from where the perspective says."""
    transform = pillow("perspective").Image.Transform.PERSPECTIVE
    return image.transform(image.size, transform, coefficients, PILLOW_NUMBERS[mode],
                           fillcolor=fill_colour(image, fill))


def brightness(image: Any, factor: float) -> Any:
    """Blend with black."""
    return pillow("adjust_brightness").ImageEnhance.Brightness(image).enhance(factor)


def contrast(image: Any, factor: float) -> Any:
    """Blend with the mean grey."""
    return pillow("adjust_contrast").ImageEnhance.Contrast(image).enhance(factor)


def saturation(image: Any, factor: float) -> Any:
    """Blend with the greys."""
    return pillow("adjust_saturation").ImageEnhance.Color(image).enhance(factor)


def sharpness(image: Any, factor: float) -> Any:
    """Blend with a smoothed image."""
    return pillow("adjust_sharpness").ImageEnhance.Sharpness(image).enhance(factor)


def hue(image: Any, shift: float) -> Any:
    """Turn the colours by a part of the colour circle."""
    if image.mode in WITHOUT_COLOUR:
        return image
    library = pillow("adjust_hue")
    angle, strength, value = image.convert("HSV").split()
    turned = np.array(angle, np.uint8) + np.int32(shift * 255).astype(np.uint8)  # round the circle
    bands = (library.Image.fromarray(turned), strength, value)
    return library.Image.merge("HSV", bands).convert(image.mode)


def gamma(image: Any, power: float, gain: float) -> Any:
    """Return gain * pixels ** power, with brightness from 0 to 1."""
    table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, power)) for value in range(256)]
    return image.convert("RGB").point(table * 3).convert(image.mode)


def grey(image: Any, channels: int) -> Any:
    """Return the greys, in one band or in three equal ones."""
    image = image.convert("L")
    return image if channels == 1 else pillow("to_grayscale").Image.merge("RGB", [image] * 3)


def invert(image: Any) -> Any:
    """Return full brightness minus the pixels."""
    return pillow("invert").ImageOps.invert(image)


def posterize(image: Any, bits: int) -> Any:
    """Keep the upper bits of each pixel."""
    return pillow("posterize").ImageOps.posterize(image, bits)


def solarize(image: Any, threshold: float) -> Any:
    """Invert the pixels at or above a threshold."""
    return pillow("solarize").ImageOps.solarize(image, threshold)


def autocontrast(image: Any) -> Any:
    """Stretch each band from its darkest and lightest pixel to the whole range."""
    return pillow("autocontrast").ImageOps.autocontrast(image)


def equalize(image: Any) -> Any:
    """Spread each band's brightness evenly."""
    return pillow("equalize").ImageOps.equalize(image)
