"""Transforms of tensors that need their gradient: the same arithmetic, recorded.

A picture that is data takes the NumPy way (`array_geometry`, `array_colours`); one that is being
optimised, or that passes a `Normalize` or `Resize` inside of a network, takes this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lampion.functions.creation import tensor
from lampion.functions.shape import cat
from lampion.nn import functional as F
from lampion.tensor import Tensor
from lampion.vision.transforms.array_colours import LUMA
from lampion.vision.transforms.array_geometry import gaussian_kernel

MODES = {"edge": "replicate", "reflect": "reflect", "constant": "constant"}


def _in_batches(image: Tensor) -> Tensor:
    return image.reshape(-1, *image.shape[-3:]) if image.dim() != 4 else image


def resize(image: Tensor, height: int, width: int, mode: str, antialias: bool) -> Tensor:
    """Resample both axes."""
    shape = image.shape
    planes = image.reshape(1, -1, *shape[-2:])
    aligned = None if mode.startswith("nearest") else False
    planes = F.interpolate(planes, (height, width), mode=mode, align_corners=aligned,
                           antialias=antialias)
    return planes.reshape(*shape[:-2], height, width)


def pad(image: Tensor, edges: Sequence[int], fill: float, mode: str) -> Tensor:
    """Add pixels (or take them away) at the edges."""
    left, top, right, bottom = edges
    if mode == "symmetric":
        rows, columns = (
            np.pad(np.arange(image.shape[axis]), around, mode="symmetric").tolist()
            for axis, around in ((-2, (top, bottom)), (-1, (left, right))))
        return image.index_select(-2, tensor(rows)).index_select(-1, tensor(columns))
    planes = image.reshape(1, -1, *image.shape[-2:])
    value = {"value": fill} if mode == "constant" else {}
    planes = F.pad(planes, [left, right, top, bottom], mode=MODES[mode], **value)
    return planes.reshape(*image.shape[:-2], *planes.shape[-2:])


def sample(image: Tensor, grid: np.ndarray, mode: str, fill: Sequence[float] | None) -> Tensor:
    """See the picture through a grid."""
    batch = _in_batches(image)
    count = batch.shape[0]
    places = tensor(grid, dtype=image.dtype)[None].expand(count, *grid.shape)
    if fill is not None:
        batch = cat([batch, batch.new_ones((count, 1, *batch.shape[2:]))], dim=1)
    batch = F.grid_sample(batch, places, mode=mode, padding_mode="zeros", align_corners=False)
    if fill is not None:
        batch, inside = batch[:, :-1], batch[:, -1:]
        if mode == "nearest":
            inside = (inside >= 0.5).to(image.dtype)
        colour = tensor(list(fill), dtype=image.dtype).reshape(1, -1, 1, 1)
        batch = batch * inside + (1 - inside) * colour
    return batch.reshape(*image.shape[:-2], *grid.shape[:2])


def gaussian_blur(image: Tensor, size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Blur along both axes."""
    planes = image.reshape(-1, 1, *image.shape[-2:])
    half = [size[0] // 2, size[0] // 2, size[1] // 2, size[1] // 2]
    across, down = (
        tensor(gaussian_kernel(count, width, image.dtype.array.type), dtype=image.dtype)
        for count, width in zip(size, sigma))
    kernel = down[:, None] * across[None, :]
    planes = F.conv2d(F.pad(planes, half, mode="reflect"), kernel[None, None])
    return planes.reshape(image.shape)


def grey(image: Tensor, channels: int) -> Tensor:
    """Return the greys, in one or three channels."""
    if image.shape[-3] == 3:
        image = sum(image[..., k:k + 1, :, :] * LUMA[k] for k in range(3))  # type: ignore
    return cat([image] * channels, dim=-3) if channels > 1 else image


def blend(image: Tensor, other: Any, ratio: float) -> Tensor:
    """Return ratio * image + (1 - ratio) * other, kept from 0 to 1."""
    return (ratio * image + (1.0 - ratio) * other).clamp(0, 1)


def contrast(image: Tensor, factor: float) -> Tensor:
    """Blend with the mean of the greys."""
    return blend(image, grey(image, 1).mean((-3, -2, -1), keepdim=True), factor)


def saturation(image: Tensor, factor: float) -> Tensor:
    """Blend with the greys."""
    return image if image.shape[-3] == 1 else blend(image, grey(image, 1), factor)
