"""Colours of pictures as NumPy arrays (..., channels, height, width): 1 channel or red-green-blue.

The rules are those of torchvision's tensors, which differ by roundings from Pillow's.
"""

from __future__ import annotations

import numpy as np

from lampion.vision.transforms.array_geometry import in_floats, smoothed

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601


def largest(kind: np.dtype) -> int:
    """Return what full brightness is in a type: its largest number, 1 for floats."""
    return int(np.iinfo(kind).max) if kind.kind in "iu" else 1


def convert(pixels: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Return pixels in another type with their range of brightness: 0 to 255 becomes 0 to 1."""
    old, new = pixels.dtype, kind
    if old == new:
        return pixels
    if old.kind == "f":
        if new.kind == "f":
            return pixels.astype(new)
        # Just below one more than the largest number: every number gets the same share of 0 to 1.
        return (pixels * old.type(largest(new) + 1.0 - 1e-3)).astype(new)
    if new.kind == "f":
        return pixels.astype(new) / new.type(largest(old))
    if largest(old) > largest(new):
        return (pixels // ((largest(old) + 1) // (largest(new) + 1))).astype(new)
    return pixels.astype(new) * ((largest(new) + 1) // (largest(old) + 1))


def grey(pixels: np.ndarray, channels: int = 1) -> np.ndarray:
    """Return 0.2989 red + 0.587 green + 0.114 blue, in one or three equal channels."""
    if pixels.shape[-3] == 3:
        weights = [np.float32(weight) for weight in LUMA]
        if pixels.dtype == np.float64:
            weights = list(LUMA)  # type: ignore[arg-type]
        total = sum(pixels[..., k, :, :] * weight for k, weight in enumerate(weights))
        pixels = np.asarray(total).astype(pixels.dtype)[..., None, :, :]
    return np.repeat(pixels, channels, axis=-3) if channels > 1 else pixels


def blend(pixels: np.ndarray, other: np.ndarray | float, ratio: float) -> np.ndarray:
    """Return ratio * pixels + (1 - ratio) * other, kept within the range of the type."""
    values = in_floats(pixels)
    number = values.dtype.type
    mixed = number(ratio) * values + number(1.0 - ratio) * np.asarray(other, values.dtype)
    return mixed.clip(0, largest(pixels.dtype)).astype(pixels.dtype)


def brightness(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Blend with black."""
    return blend(pixels, 0.0, factor)


def contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the mean of the greys."""
    return blend(pixels, in_floats(grey(pixels)).mean((-3, -2, -1), keepdims=True), factor)


def saturation(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the greys."""
    return pixels if pixels.shape[-3] == 1 else blend(pixels, grey(pixels), factor)


def sharpness(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Blend with a smoothed picture."""
    small = min(pixels.shape[-2:]) <= 2
    return pixels if small else blend(pixels, smoothed(pixels), factor)


def hue(pixels: np.ndarray, shift: float) -> np.ndarray:
    """Turn the colours by a part of the colour circle, -0.5 to 0.5."""
    if pixels.shape[-3] == 1:
        return pixels
    angle, strength, value = hsv(convert(pixels, np.dtype(np.float32)))
    turned = rgb(np.mod(angle + np.float32(shift), np.float32(1)), strength, value)
    return convert(turned, pixels.dtype)


def hsv(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hue, saturation and value, each 0 to 1, of red, green and blue.

    Source: Smith 1978, Color gamut transform pairs.
    """
    red, green, blue = (pixels[..., k, :, :] for k in range(3))
    high, low = pixels.max(-3), pixels.min(-3)
    flat, span = high == low, high - low
    strength = span / np.where(flat, np.float32(1), high)
    below = np.where(flat, np.float32(1), span)
    from_red, from_green, from_blue = ((high - part) / below for part in (red, green, blue))
    angle = np.where(high == red, from_blue - from_green,
                     np.where(high == green, 2 + from_red - from_blue, 4 + from_green - from_red))
    return np.fmod(angle / np.float32(6) + np.float32(1), np.float32(1)), strength, high


def rgb(angle: np.ndarray, strength: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return red, green and blue: the inverse of `hsv`."""
    sector = np.floor(angle * 6)
    rest = angle * 6 - sector
    p = (value * (1 - strength)).clip(0, 1)
    q = (value * (1 - strength * rest)).clip(0, 1)
    t = (value * (1 - strength * (1 - rest))).clip(0, 1)
    number = sector.astype(np.int64) % 6
    return np.stack([
        np.choose(number, (value, q, p, p, t, value)),
        np.choose(number, (t, value, value, q, p, p)),
        np.choose(number, (p, p, t, value, value, q)),
    ], axis=-3)


def gamma(pixels: np.ndarray, power: float, gain: float) -> np.ndarray:
    """Return gain * pixels ** power, with brightness from 0 to 1."""
    values = pixels if pixels.dtype.kind == "f" else convert(pixels, np.dtype(np.float32))
    return convert((gain * values ** values.dtype.type(power)).clip(0, 1).astype(values.dtype),
                   pixels.dtype)


def invert(pixels: np.ndarray) -> np.ndarray:
    """Return full brightness minus the pixels."""
    return pixels.dtype.type(largest(pixels.dtype)) - pixels


def solarize(pixels: np.ndarray, threshold: float) -> np.ndarray:
    """Invert the pixels at or above a threshold."""
    return np.where(pixels >= threshold, invert(pixels), pixels)


def posterize(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Keep the upper bits of each pixel."""
    return pixels & np.uint8(256 - 2 ** (8 - bits) & 255)


def autocontrast(pixels: np.ndarray) -> np.ndarray:
    """Stretch each channel from its darkest and lightest pixel to the whole range."""
    values = in_floats(pixels)
    bound = largest(pixels.dtype)
    low, high = values.min((-2, -1), keepdims=True), values.max((-2, -1), keepdims=True)
    flat = high == low
    scale = np.where(flat, np.float32(1), bound / np.where(flat, np.float32(1), high - low))
    result = (values - np.where(flat, np.float32(0), low)) * scale.astype(values.dtype)
    return result.clip(0, bound).astype(pixels.dtype)


def equalize(pixels: np.ndarray) -> np.ndarray:
    """Spread each channel's brightness so that its histogram is as even as can be."""
    flat = pixels.reshape(-1, *pixels.shape[-2:])
    return np.stack([_equalized(channel) for channel in flat]).reshape(pixels.shape)


def _equalized(channel: np.ndarray) -> np.ndarray:
    counts = np.bincount(channel.reshape(-1), minlength=256)
    step = int(counts[counts != 0][:-1].sum()) // 255
    if step == 0:
        return channel
    table = (np.cumsum(counts) + step // 2) // step
    return np.concatenate([[0], table[:-1]]).clip(0, 255).astype(np.uint8)[channel]
