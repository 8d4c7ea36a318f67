"""From PIL images and arrays to tensors and back, and from one element type to another."""

from __future__ import annotations

from typing import Any

import numpy as np

from lampion import dtypes
from lampion.errors import ArgumentError, ArgumentTypeError, StateError
from lampion.functions.creation import adopt, as_tensor
from lampion.tensor import Tensor
from lampion.vision.pillow import is_pil, pillow
from lampion.vision.transforms import array_colours

# Pillow's mode -> the type of its numbers.
MODE_TYPES = {"I": np.int32, "I;16": np.uint16, "F": np.float32}
PILLOW_CHANNELS = {1: ("L", "1", "I;16", "I", "F"), 2: ("LA",), 3: ("RGB", "YCbCr", "HSV"),
                   4: ("RGBA", "CMYK", "RGBX")}


def kind_text(image: Any) -> str:
    """Name what was given, for messages."""
    return f"a {type(image).__module__}.{type(image).__name__}"


def to_tensor(pic: Any) -> Tensor:
    """Turn a PIL image or an array into a float32 tensor from 0 to 1.

    Arrays of uint8 and the PIL modes L, LA, P, RGB, RGBA, CMYK, YCbCr, 1 are divided by 255; other
    types keep their numbers.

    Shape:
        (height, width) or (height, width, channels) -> (channels, height, width)

    Raises:
        ArgumentTypeError: neither a PIL image nor an array.
        ArgumentError: an array without two or three axes.

    Example:
        >>> import numpy
        >>> to_tensor(numpy.array([[0, 255]], dtype=numpy.uint8))
        tensor([[[0., 1.]]])
    """
    if isinstance(pic, np.ndarray):
        pixels = pic
    elif is_pil(pic):
        pixels = _pillow_array(pic)
        if pic.mode == "1":
            pixels = pixels * np.uint8(255)
    else:
        raise ArgumentTypeError(
            f"to_tensor: got {kind_text(pic)}", why="pic should be PIL Image or ndarray",
            fix="leave ToTensor out, the picture is a tensor already" if isinstance(pic, Tensor)
            else "PIL.Image.open(path)",
        )
    if pixels.ndim not in (2, 3):
        raise ArgumentError(f"to_tensor: the array has {pixels.ndim} axes",
                            why="pic should be 2/3 dimensional: height, width and channels")
    channels_first = _channels_first(pixels)
    if pixels.dtype == np.uint8:
        kind = dtypes.get_default_dtype()
        number = kind.array.type
        return adopt(np.divide(channels_first, number(255), dtype=kind.array), kind)
    return adopt(np.array(channels_first, order="C"))


def pil_to_tensor(pic: Any) -> Tensor:
    """Turn a PIL image into a tensor of the numbers that it holds, mostly uint8 from 0 to 255.

    Shape:
        image of a size -> (channels, height, width)

    Raises:
        ArgumentTypeError: not a PIL image.
    """
    if not is_pil(pic):
        raise ArgumentTypeError(f"pil_to_tensor: got {kind_text(pic)}",
                                why="pic should be PIL Image", fix="as_tensor(array)")
    return adopt(np.array(_channels_first(_pillow_array(pic)), order="C"))


def _pillow_array(pic: Any) -> np.ndarray:
    pixels = np.array(pic, MODE_TYPES.get(pic.mode), copy=True)
    # Not every type of an image is one of tensors.
    if pixels.dtype == np.uint16:
        return pixels.astype(np.int32)
    return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """Turn a tensor or an array into a PIL image.

    Floating-point tensors count from 0 to 1; what lies outside is not kept.

    Args:
        pic: tensor (channels, height, width) or (height, width), or array (height, width) or
            (height, width, channels).
        mode: Pillow's mode; chosen by type and number of channels when not given.

    Raises:
        ArgumentError: more than four channels, another number of axes, a mode that does not fit.
        ArgumentTypeError: neither tensor nor array, or a type that Pillow does not have.
        MissingExtraError: Pillow is not installed.
    """
    library = pillow("to_pil_image")
    if isinstance(pic, Tensor):
        pixels = _tensor_pixels(pic, mode)
    elif isinstance(pic, np.ndarray):
        pixels = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise ArgumentTypeError(f"to_pil_image: got {kind_text(pic)}",
                                why="pic should be Tensor or ndarray")
    if pixels.ndim != 3:
        raise ArgumentError(f"to_pil_image: the picture has {pixels.ndim} axes",
                            why="pic should be 2/3 dimensional", fix="one picture of the batch")
    channels = pixels.shape[2]
    if not 1 <= channels <= 4:
        raise ArgumentError(f"to_pil_image: {channels} channels",
                            why="pic should not have > 4 channels")
    if channels == 1:
        found = {"uint8": "L", "int16": "I;16", "uint16": "I;16", "int32": "I",
                 "float32": "F"}.get(pixels.dtype.name)
        allowed: tuple[str, ...] = (found,) if found else ()
        pixels = pixels[:, :, 0]
    else:
        found = {2: "LA", 3: "RGB", 4: "RGBA"}[channels] if pixels.dtype == np.uint8 else None
        allowed = PILLOW_CHANNELS[channels]
    if mode is not None and mode not in allowed:
        raise ArgumentError(f"to_pil_image: mode {mode!r} for {channels} channels of "
                            f"{pixels.dtype}", why=f"Only modes {allowed} are supported for it")
    if found is None:
        raise ArgumentTypeError(f"to_pil_image: {channels} channels of {pixels.dtype}",
                                why="Input type is not supported by Pillow",
                                fix="to_pil_image(picture.to(torch.uint8))")
    if (mode or found) == found:
        return library.Image.fromarray(np.ascontiguousarray(pixels))
    height, width = pixels.shape[:2]
    return library.Image.frombytes(mode, (width, height), np.ascontiguousarray(pixels).tobytes())


def _tensor_pixels(pic: Tensor, mode: str | None) -> np.ndarray:
    if pic.dim() not in (2, 3):
        raise ArgumentError(f"to_pil_image: the tensor has {pic.dim()} axes",
                            why="pic should be 2/3 dimensional", fix="one picture of the batch")
    pixels = pic.detach()._read()
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels.transpose(1, 2, 0)
    if pixels.dtype.kind == "f" and mode != "F":
        return (pixels * 255).astype(np.uint8)
    return pixels


def convert_image_dtype(image: Tensor, dtype: dtypes.dtype = dtypes.float32) -> Tensor:
    """Change a picture's element type together with its range: uint8 0 to 255 is float 0 to 1.

    Args:
        image: a tensor of any shape.
        dtype: the new type.

    Raises:
        ArgumentTypeError: not a tensor.
        StateError: float32 to int32 or int64, float64 to int64: too coarse for that many steps.

    Example:
        >>> import lampion as torch
        >>> convert_image_dtype(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([0.0000, 0.2000, 1.0000])
    """
    if not isinstance(image, Tensor):
        raise ArgumentTypeError(f"convert_image_dtype: got {kind_text(image)}",
                                why="Input img should be Tensor Image", fix="PILToTensor() first")
    if image.dtype == dtype:
        return image
    if image.dtype.is_floating_point and dtype.is_floating_point:
        return image.to(dtype)
    coarse = {"float32": ("int32", "int64"), "float64": ("int64",)}
    if dtype.name in coarse.get(image.dtype.name, ()):
        raise StateError(
            f"The cast from {image.dtype} to {dtype} cannot be performed safely.",
            why="a float does not have that many steps between 0 and 1", fix="dtype=torch.uint8")
    if dtype.name == "bool" or image.dtype.name == "bool":
        return image.to(dtype)
    result = array_colours.convert(image.detach()._read(), dtype.array)
    return adopt(dtypes.round_to(dtype, result), dtype)


def normalize(
    tensor: Tensor, mean: Any, std: Any, inplace: bool = False
) -> Tensor:
    """Return (picture - mean) / std, channel by channel.

    Shape:
        (..., channels, height, width) -> the same

    Args:
        tensor: a floating-point picture.
        mean, std: one number for each channel, or one for all; std is not 0.
        inplace: write into the tensor.

    Raises:
        ArgumentTypeError: not a floating-point tensor.
        ArgumentError: fewer than three axes, or a std of 0.

    Example:
        >>> import lampion as torch
        >>> normalize(torch.ones(1, 1, 2), [0.5], [0.25])
        tensor([[[2., 2.]]])
    """
    if not isinstance(tensor, Tensor):
        raise ArgumentTypeError(
            f"normalize: got {kind_text(tensor)}", why="img should be Tensor Image",
            fix="Compose([ToTensor(), Normalize(mean, std)])")
    if not tensor.dtype.is_floating_point:
        raise ArgumentTypeError(
            f"normalize: the tensor is {tensor.dtype}",
            why="Input tensor should be a float tensor: 0.5 has no place among whole numbers",
            fix="convert_image_dtype(tensor, torch.float32) first")
    if tensor.dim() < 3:
        raise ArgumentError(f"normalize: the tensor has {tensor.dim()} axes",
                            why="Expected tensor to be a tensor image of size (..., C, H, W)")
    kind = tensor.dtype.array
    centre, spread = (
        np.asarray(value._read() if isinstance(value, Tensor) else value, kind)
        for value in (mean, std))
    if (spread == 0).any():
        raise ArgumentError(f"normalize: std={std}",
                            why=f"std evaluated to zero after conversion to {tensor.dtype}, "
                            "leading to division by zero")
    centre, spread = (value.reshape(-1, 1, 1) if value.ndim == 1 else value
                      for value in (centre, spread))
    channels = tensor.shape[-3]
    for name, value in (("mean", centre), ("std", spread)):
        if value.ndim == 3 and value.shape[0] not in (1, channels) and channels != 1:
            raise ArgumentError(
                f"normalize: {name} has {value.shape[0]} numbers, the picture {channels} channels",
                why="each channel needs its own number, or one number is for all",
                fix=f"{name}=[{', '.join(['0.5'] * channels)}]")
    if inplace:
        return tensor.sub_(as_tensor(centre)).div_(as_tensor(spread))
    if tensor.requires_grad:
        return (tensor - as_tensor(centre)) / as_tensor(spread)
    result = (tensor._read() - centre) / spread
    return adopt(dtypes.round_to(tensor.dtype, result), tensor.dtype)
