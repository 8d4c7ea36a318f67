"""Pictures in files, as tensors (channels, height, width) of uint8, under torchvision's names."""

from __future__ import annotations

import io
import os
from enum import Enum
from pathlib import Path
from typing import Any

import numpy

from lampion.dtypes import uint8
from lampion.errors import ArgumentError, FileFormatError
from lampion.functions.creation import adopt
from lampion.tensor import Tensor
from lampion.vision.pictures import read_picture
from lampion.vision.pillow import has_pillow, pillow

__all__ = [
    "ImageReadMode", "decode_image", "decode_jpeg", "decode_png", "decode_webp", "encode_jpeg",
    "encode_png", "read_file", "read_image", "write_file", "write_jpeg", "write_png",
]


class ImageReadMode(Enum):
    """In which colours a picture is wanted; UNCHANGED is as it is in the file."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}
Path_ = str | os.PathLike[str]


def read_file(path: Path_) -> Tensor:
    """Return the bytes of a file as a tensor of uint8."""
    return adopt(numpy.frombuffer(Path(path).read_bytes(), numpy.uint8).copy())


def write_file(filename: Path_, data: Tensor) -> None:
    """Write a tensor of bytes into a file."""
    Path(filename).write_bytes(_bytes("write_file", data))


def _bytes(name: str, data: Tensor) -> bytes:
    if data.dtype != uint8 or data.dim() != 1:
        raise ArgumentError(f"{name}: the tensor is {tuple(data.shape)} of {data.dtype}",
                            why="Expected a non empty 1-dimensional tensor of uint8")
    return data._read().tobytes()


def _mode(mode: Any) -> str | None:
    wanted = ImageReadMode[mode.upper()] if isinstance(mode, str) else ImageReadMode(mode)
    return MODES.get(wanted.name)


def _decoded(stream: Any, mode: Any, apply_exif_orientation: bool, name: str) -> Tensor:
    library = pillow("decode_image")
    try:
        with library.Image.open(stream) as image:
            if apply_exif_orientation:
                image = library.ImageOps.exif_transpose(image)
            wanted = _mode(mode)
            if wanted is None and image.mode not in ("L", "LA", "RGB", "RGBA"):
                has_alpha = image.mode == "PA" or "transparency" in image.info
                grey = image.mode in ("1", "I", "F", "I;16")
                wanted = "L" if grey else "RGBA" if has_alpha else "RGB"
            pixels = numpy.array(image if wanted in (None, image.mode) else image.convert(wanted))
    except (library.UnidentifiedImageError, OSError, SyntaxError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FileFormatError(f"{name}: not a picture that can be read ({error})") from None
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return adopt(numpy.array(pixels, order="C"))


def decode_image(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False,
) -> Tensor:
    """Return the picture in a tensor of a file's bytes, or in the file of a path.

    Args:
        input: (bytes,) of uint8, or a path.
        mode: an `ImageReadMode`, or its name.
        apply_exif_orientation: turn it as the camera says.

    Shape:
        -> (channels, height, width), uint8

    Raises:
        FileFormatError: no picture.
        MissingExtraError: Pillow is not installed.
    """
    if not isinstance(input, Tensor):
        return read_image(input, mode, apply_exif_orientation)
    stream = io.BytesIO(_bytes("decode_image", input))
    return _decoded(stream, mode, apply_exif_orientation, "decode_image")


decode_png = decode_jpeg = decode_webp = decode_image


def read_image(
    path: Path_, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False,
) -> Tensor:
    """Return the picture in a file.

    Without Pillow, PNG, PGM and PPM files of 8 bits are read, in grey or in colour.

    Args:
        path: the file.
        mode: an `ImageReadMode`, or its name.
        apply_exif_orientation: turn it as the camera says.

    Shape:
        -> (channels, height, width), uint8

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: it is no picture.
    """
    if has_pillow():
        with open(path, "rb") as stream:
            return _decoded(stream, mode, apply_exif_orientation, os.fspath(path))
    pixels = read_picture(path)
    wanted = _mode(mode)
    if wanted in ("LA", "RGBA") or wanted == "L" and pixels.ndim == 3:
        pillow(f"read_image(..., mode={wanted})")
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if wanted == "RGB" and len(pixels) == 1:
        pixels = pixels.repeat(3, axis=0)
    return adopt(numpy.array(pixels, order="C"))


def _encoded(name: str, input: Tensor, **options: Any) -> bytes:
    if input.dtype != uint8 or input.dim() != 3 or input.shape[0] not in (1, 3):
        raise ArgumentError(f"{name}: the picture is {tuple(input.shape)} of {input.dtype}",
                            why="Input tensor dtype should be uint8, its shape (1 or 3, height, "
                            "width)", fix=f"{name}(convert_image_dtype(picture, torch.uint8), ...)")
    pixels = input._read()
    pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    stream = io.BytesIO()
    image = pillow(name).Image.fromarray(numpy.ascontiguousarray(pixels))
    image.save(stream, **options)
    return stream.getvalue()


def _level(compression_level: int) -> int:
    if not 0 <= compression_level <= 9:
        raise ArgumentError(f"compression_level={compression_level}",
                            why="Compression level should be between 0 and 9")
    return compression_level


def _quality(quality: int) -> int:
    if not 1 <= quality <= 100:
        raise ArgumentError(f"quality={quality}",
                            why="Image quality should be a positive number between 1 and 100")
    return quality


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """Return the bytes of a PNG file; compression_level is from 0 (large) to 9 (slow)."""
    content = _encoded("encode_png", input, format="PNG", compress_level=_level(compression_level))
    return adopt(numpy.frombuffer(content, numpy.uint8).copy())


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """Return the bytes of a JPEG file; quality is from 1 to 100."""
    content = _encoded("encode_jpeg", input, format="JPEG", quality=_quality(quality))
    return adopt(numpy.frombuffer(content, numpy.uint8).copy())


def write_png(input: Tensor, filename: Path_, compression_level: int = 6) -> None:
    """Write a picture (1 or 3, height, width) of uint8 as a PNG file."""
    Path(filename).write_bytes(_encoded("write_png", input, format="PNG",
                                        compress_level=_level(compression_level)))


def write_jpeg(input: Tensor, filename: Path_, quality: int = 75) -> None:
    """Write a picture (1 or 3, height, width) of uint8 as a JPEG file."""
    Path(filename).write_bytes(_encoded("write_jpeg", input, format="JPEG",
                                        quality=_quality(quality)))
