"""Arrays as pictures: bytes (height, width, channels)."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError, ShapeArgumentError

CHANNELS = (1, 3, 4)


def _arranged(array: np.ndarray, dataformats: str, wanted: str) -> np.ndarray:
    """Bring the axes into an order; raise where they are not those that were named."""
    names = dataformats.upper()
    if len(set(names)) != len(names) or set(names) - set("NCHW"):
        raise ArgumentError(f"dataformats={dataformats!r}", why="it names each axis of N, C, H, W "
                            "once", fix='"CHW", "HWC" or "HW"')
    if array.ndim != len(names):
        raise ShapeArgumentError(
            "size of input tensor and input format are different. tensor shape: "
            f"{tuple(array.shape)}, input_format: {dataformats}",
            fix="dataformats with a letter for each axis")
    missing = [axis for axis in wanted if axis not in names]
    array = array.reshape(array.shape + (1,) * len(missing))
    names += "".join(missing)
    if sorted(names) != sorted(wanted):
        raise ArgumentError(f"dataformats={dataformats!r}", fix=f'one of the axes "{wanted}"')
    return array.transpose([names.index(axis) for axis in wanted])


def _bytes(array: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as bytes; bytes as they are; one channel as three."""
    if array.shape[-1] not in CHANNELS:
        raise ShapeArgumentError(f"a picture has 1, 3 or 4 channels, got {array.shape[-1]}",
                                 fix='dataformats="HWC" where the channels come last')
    if array.dtype != np.uint8:
        array = np.clip(np.nan_to_num(array.astype(np.float64)) * 255, 0, 255).astype(np.uint8)
    return np.repeat(array, 3, -1) if array.shape[-1] == 1 else array


def pixels(array: np.ndarray, dataformats: str) -> np.ndarray:
    """Return a picture.

    Example:
        >>> pixels(np.ones((1, 2, 4)), "CHW").shape
        (2, 4, 3)
    """
    return _bytes(_arranged(array, dataformats, "HWC"))


def grid(array: np.ndarray, dataformats: str, columns: int = 8) -> np.ndarray:
    """Return several pictures as one, `columns` in a row.

    Example:
        >>> grid(np.ones((3, 1, 2, 4)), "NCHW").shape
        (2, 12, 3)
    """
    images = _bytes(_arranged(array, dataformats, "NHWC"))
    count, height, width, channels = images.shape
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    canvas = np.zeros((rows * columns, height, width, channels), np.uint8)
    canvas[:count] = images
    canvas = canvas.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return canvas.reshape(rows * height, columns * width, channels)


def with_boxes(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return a picture with red frames of one pixel."""
    found = image.copy()
    height, width = found.shape[:2]
    red = np.array([255, 0, 0, 255], np.uint8)[:found.shape[2]]
    for left, top, right, bottom in np.asarray(boxes).reshape(-1, 4).astype(int):
        left, right = np.clip((left, right), 0, width - 1)
        top, bottom = np.clip((top, bottom), 0, height - 1)
        found[[top, bottom], left:right + 1] = red
        found[top:bottom + 1, [left, right]] = red
    return found
