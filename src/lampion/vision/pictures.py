"""Reads PNG, PGM and PPM pictures and writes PNG, with nothing but the standard library.

Other formats are read by Pillow where it is installed.

PNG: ISO/IEC 15948 (sections 9 and 11); PGM, PPM: the Netpbm formats P2, P3, P5, P6.
"""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy

from lampion.errors import ArgumentError, FileFormatError, MissingExtraError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # PNG colour type -> samples of one pixel
LARGEST = 100_000_000  # pixels: a damaged header must not ask for all memory


def write_png(path: str | os.PathLike[str], picture: numpy.ndarray) -> None:
    """Write a picture as a PNG file.

    Shape: HxW (grey) or HxWx3 (red, green, blue), uint8.

    Raises:
        ArgumentError: another shape or type.

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "dot.png")
        >>> write_png(path, numpy.array([[0, 255]], dtype=numpy.uint8))
        >>> read_picture(path).tolist()
        [[0, 255]]
    """
    picture = numpy.asarray(picture)
    grey = picture.ndim == 2
    if picture.dtype != numpy.uint8 or not (grey or picture.ndim == 3 and picture.shape[2] == 3):
        raise ArgumentError(
            f"write_png: the picture is {picture.shape} of {picture.dtype}",
            why="a picture is HxW (grey) or HxWx3 (colour) of uint8, 0 to 255",
        )
    if picture.size == 0:
        raise ArgumentError(f"write_png: the picture has no pixels, its shape is {picture.shape}")
    height, width = picture.shape[:2]
    rows = numpy.zeros((height, 1 + picture[0].size), dtype=numpy.uint8)  # filter type 0
    rows[:, 1:] = picture.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if grey else 2, 0, 0, 0)
    with open(path, "wb") as stream:
        stream.write(SIGNATURE)
        pixels = zlib.compress(rows.tobytes())
        for kind, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")):
            check = zlib.crc32(kind + data)
            stream.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check))


def read_picture(path: str | os.PathLike[str]) -> numpy.ndarray:
    """Read a picture: HxW (grey) or HxWx3 (red, green, blue), uint8. Transparency becomes white.

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: the file is damaged.
        MissingExtraError: the format needs Pillow, which is not installed.
    """
    with open(path, "rb") as stream:
        content = stream.read()
    if content.startswith(SIGNATURE):
        picture = _read_png(content, os.fspath(path))
        if picture is not None:
            return picture
    elif content[:2] in (b"P2", b"P3", b"P5", b"P6"):
        return _read_netpbm(content, os.fspath(path))
    return _read_with_pillow(content, os.fspath(path))


def _read_with_pillow(content: bytes, path: str) -> numpy.ndarray:
    try:
        from PIL import Image, UnidentifiedImageError  # the extra `images`
    except ImportError:
        raise MissingExtraError(
            f"{path}: only 8-bit PNG, PGM and PPM are read without Pillow",
            fix="pip install 'lampion[images]'",
        ) from None
    try:
        with Image.open(io.BytesIO(content)) as image:
            grey = image.mode in ("1", "L", "I;16", "I")
            return numpy.asarray(image.convert("L" if grey else "RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise FileFormatError(f"{path}: not a picture that can be read ({error})") from None


def _read_png(content: bytes, path: str) -> numpy.ndarray | None:
    """Return the picture; None for the rarer kinds (interlaced, 1, 2, 4 or 16 bits)."""
    chunks = _png_chunks(content, path)
    if len(chunks.get(b"IHDR", b"")) != 13 or b"IDAT" not in chunks:
        raise FileFormatError(f"{path}: the PNG file has no header or no pixels")
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or interlaced or kind not in CHANNELS:
        return None
    if not 0 < width * height <= LARGEST:
        raise FileFormatError(f"{path}: the PNG header says {width}x{height} pixels")
    channels = CHANNELS[kind]
    expected = height * (1 + width * channels)
    try:
        data = zlib.decompressobj().decompress(chunks[b"IDAT"], expected)
    except zlib.error as error:
        raise FileFormatError(f"{path}: the PNG data is damaged ({error})") from None
    if len(data) != expected:
        raise FileFormatError(f"{path}: the PNG data is cut short")
    pixels = _unfilter(data, height, width, channels).reshape(height, width, channels)
    if kind == 3:
        palette = numpy.frombuffer(chunks.get(b"PLTE", b""), numpy.uint8).reshape(-1, 3)
        if pixels.max() >= len(palette):
            raise FileFormatError(f"{path}: the PNG palette lacks colours that the picture uses")
        return palette[pixels[:, :, 0]]
    if channels in (2, 4):
        opacity = pixels[:, :, -1:].astype(numpy.float32) / 255
        pixels = (pixels[:, :, :-1] * opacity + 255 * (1 - opacity)).round().astype(numpy.uint8)
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _png_chunks(content: bytes, path: str) -> dict[bytes, bytes]:
    chunks: dict[bytes, bytes] = {}
    position = len(SIGNATURE)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        kind = content[position + 4 : position + 8]
        data = content[position + 8 : position + 8 + length]
        check = content[position + 8 + length : position + 12 + length]
        if check != struct.pack(">I", zlib.crc32(kind + data)):
            raise FileFormatError(f"{path}: the PNG file is damaged in its part {kind!r}")
        chunks[kind] = chunks.get(kind, b"") + data
        position += 12 + length
    return chunks


def _unfilter(data: bytes, height: int, width: int, step: int) -> numpy.ndarray:
    """Undo the row filters: each row was stored as a difference from its neighbours."""
    stored = numpy.frombuffer(data, numpy.uint8).reshape(height, 1 + width * step)
    rows = numpy.zeros((height + 1, step + width * step), dtype=numpy.uint8)  # zeros above, left
    for row in range(height):
        kind, line = stored[row, 0], stored[row, 1:]
        above, out = rows[row], rows[row + 1]
        if kind == 0:
            out[step:] = line
        elif kind == 2:
            out[step:] = line + above[step:]
        elif kind == 1:
            out[step:] = line.reshape(width, step).cumsum(0, dtype=numpy.uint8).reshape(-1)
        else:
            _unfilter_by_pixel(kind, line, above, out, step)
    return rows[1:, step:]


def _unfilter_by_pixel(
    kind: int, line: numpy.ndarray, above: numpy.ndarray, out: numpy.ndarray, step: int
) -> None:
    up, result = above.tolist(), out.tolist()
    for index, value in enumerate(line.tolist(), start=step):
        a, b, c = result[index - step], up[index], up[index - step]
        if kind == 3:
            guess = (a + b) // 2
        else:  # Paeth: whichever neighbour is nearest to a + b - c
            to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            guess = a if to_a <= to_b and to_a <= to_c else b if to_b <= to_c else c
        result[index] = (value + guess) & 255
    out[:] = result


def _read_netpbm(content: bytes, path: str) -> numpy.ndarray:
    numbers: list[int] = []
    position = 2
    while len(numbers) < 3:
        while content[position : position + 1].isspace():
            position += 1
        if content[position : position + 1] == b"#":
            position = content.find(b"\n", position) + 1 or len(content)
            continue
        start = position
        while content[position : position + 1].isdigit():
            position += 1
        if start == position:
            raise FileFormatError(f"{path}: the header needs width, height and largest value")
        numbers.append(int(content[start:position]))
    width, height, largest = numbers
    channels = 3 if content[:2] in (b"P3", b"P6") else 1
    count = width * height * channels
    if not 0 < count <= LARGEST or not 0 < largest < 256:
        raise FileFormatError(f"{path}: {width}x{height} pixels of 0 to {largest}: not supported")
    try:
        if content[:2] in (b"P5", b"P6"):
            samples = numpy.frombuffer(content, numpy.uint8, count, offset=position + 1)
        else:
            words = content[position:].split()[:count]
            samples = numpy.array([int(word) for word in words], dtype=numpy.uint8)
        shape = (height, width, 3) if channels == 3 else (height, width)
        pixels = samples.reshape(shape).astype(numpy.float32) * (255 / largest)
    except (ValueError, OverflowError):
        raise FileFormatError(f"{path}: the pixels are cut short or out of range") from None
    return pixels.clip(0, 255).round().astype(numpy.uint8)
