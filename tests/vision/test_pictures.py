"""PNG, PGM and PPM: what is written can be read, by others too, and damage is an error."""

import struct
import zlib

import numpy as np
import pytest

from lampion.errors import ArgumentError, FileFormatError, MissingExtraError
from lampion.vision import read_picture, write_png

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (5, 7), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, kind, rows, depth=8, extra=b"", interlaced=0):
    """A PNG file whose filtered rows are given."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(bytes(rows)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def filtered(pixels, filters):
    """Store rows as PNG does, by the definition of the filters: an independent slow truth."""
    height, width, step = pixels.shape
    stored = []
    for y in range(height):
        stored.append(filters[y])
        for x in range(width):
            for c in range(step):
                a = int(pixels[y, x - 1, c]) if x else 0
                b = int(pixels[y - 1, x, c]) if y else 0
                d = int(pixels[y - 1, x - 1, c]) if x and y else 0
                p = a + b - d
                nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - d), 2, d))[2]
                guess = (0, a, b, (a + b) // 2, nearest)[filters[y]]
                stored.append((int(pixels[y, x, c]) - guess) % 256)
    return stored


@pytest.mark.parametrize("picture", [GREY, COLOUR, GREY[:1, :1]], ids=["grey", "colour", "one"])
def test_png_round_trip(tmp_path, picture):
    write_png(tmp_path / "a.png", picture)
    back = read_picture(tmp_path / "a.png")
    assert back.dtype == np.uint8 and np.array_equal(back, picture)


def test_pillow_agrees(tmp_path):
    image = pytest.importorskip("PIL.Image")
    write_png(tmp_path / "a.png", COLOUR)
    assert np.array_equal(np.asarray(image.open(tmp_path / "a.png")), COLOUR)


@pytest.mark.parametrize("step", [1, 3])
def test_all_row_filters(tmp_path, step):
    pixels = RANDOM.integers(0, 256, (10, 6, step), dtype=np.uint8)
    rows = filtered(pixels, [0, 1, 2, 3, 4] * 2)
    (tmp_path / "a.png").write_bytes(png(6, 10, 0 if step == 1 else 2, rows))
    back = read_picture(tmp_path / "a.png")
    assert np.array_equal(back, pixels[:, :, 0] if step == 1 else pixels)


def test_palette_and_transparency(tmp_path):
    palette = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0]))
    (tmp_path / "p.png").write_bytes(png(2, 1, 3, [0, 1, 0], extra=palette))
    assert read_picture(tmp_path / "p.png").tolist() == [[[0, 255, 0], [255, 0, 0]]]
    (tmp_path / "a.png").write_bytes(png(2, 1, 4, [0, 100, 255, 100, 0]))
    assert read_picture(tmp_path / "a.png").tolist() == [[100, 255]]
    (tmp_path / "bad.png").write_bytes(png(1, 1, 3, [0, 7], extra=palette))
    with pytest.raises(FileFormatError, match="palette"):
        read_picture(tmp_path / "bad.png")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"P2\n# a comment\n3 2\n255\n0 1 2 3 4 255\n", [[0, 1, 2], [3, 4, 255]]),
        (b"P2 2 1 15 0 15", [[0, 255]]),
        (b"P5 3 1 255\n\x00\x0a\xff", [[0, 10, 255]]),
        (b"P6 1 1 255\n\x01\x02\x03", [[[1, 2, 3]]]),
        (b"P3 1 1 255 1 2 3", [[[1, 2, 3]]]),
    ],
)
def test_netpbm(tmp_path, content, expected):
    (tmp_path / "a.pgm").write_bytes(content)
    assert read_picture(tmp_path / "a.pgm").tolist() == expected


GOOD = png(2, 2, 0, [0, 1, 2, 0, 3, 4])


@pytest.mark.parametrize(
    "content",
    [
        GOOD[:8],
        GOOD[:40],
        GOOD[:50] + bytes([GOOD[50] ^ 1]) + GOOD[51:],
        png(2, 2, 0, [0, 1, 2]),
        png(100_000, 100_000, 0, [0]),
        png(0, 2, 0, [0, 0]),
        b"P5 3 1 255\n\x00",
        b"P5 3\n",
        b"P2 1 1 255 300",
        b"P2 1 1 255 x",
        b"P5 0 0 255\n",
    ],
)
def test_damaged_files(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(FileFormatError):
        read_picture(tmp_path / "a")


def test_other_formats_name_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtraError, match="Pillow"):
        read_picture(tmp_path / "a.gif")


@pytest.mark.parametrize(
    "picture",
    [GREY.astype(float), GREY[None], np.zeros((2, 2, 4), np.uint8), np.zeros((0, 3), np.uint8)],
)
def test_what_is_not_a_picture(tmp_path, picture):
    with pytest.raises(ArgumentError):
        write_png(tmp_path / "a.png", picture)
