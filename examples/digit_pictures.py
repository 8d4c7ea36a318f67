"""Pictures of digits: as text for the terminal, as one sheet with captions, cut out of a photo."""

import numpy as np

SHADES = " .:-=+*#%@"
GREEN, RED, GREY = (60, 200, 90), (240, 90, 80), (150, 150, 150)

# 5x7 letters; each row is five bits.
FONT = {
    "0": "0E 11 13 15 19 11 0E",
    "1": "04 0C 04 04 04 04 0E",
    "2": "0E 11 01 02 04 08 1F",
    "3": "1F 02 04 02 01 11 0E",
    "4": "02 06 0A 12 1F 02 02",
    "5": "1F 10 1E 01 01 11 0E",
    "6": "06 08 10 1E 11 11 0E",
    "7": "1F 01 02 04 08 08 08",
    "8": "0E 11 11 0E 11 11 0E",
    "9": "0E 11 11 0F 01 02 0C",
    "r": "00 00 16 19 10 10 10",
    "e": "00 00 0E 11 1F 10 0E",
    "a": "00 00 0E 01 0F 11 0F",
    "d": "01 01 0F 11 11 11 0F",
    "s": "00 00 0F 10 0E 01 1E",
    " ": "00 00 00 00 00 00 00",
}


def as_text(picture):
    """Return a picture (HxW, 0 to 255) as lines of text, every second row of pixels a line.

    >>> print(as_text(np.array([[0, 255], [0, 255]])))
     @
    """
    rows = picture[: len(picture) // 2 * 2].reshape(-1, 2, picture.shape[1]).mean(1)
    levels = (rows * (len(SHADES) - 1) / 255).round().astype(int)
    return "\n".join("".join(SHADES[level] for level in row) for row in levels)


def contact_sheet(pictures, truth, predicted, columns=10, scale=3):
    """Return one colour picture: each digit, below it what it is (green) and was read as (red)."""
    side = pictures.shape[1] * scale
    cell_height, cell_width = side + 24, side + 12
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * cell_height, columns * cell_width, 3), 24, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * cell_height + 6, index % columns * cell_width + 6
        large = picture.repeat(scale, 0).repeat(scale, 1)
        sheet[top : top + side, left : left + side] = large[:, :, None]
        write(sheet, top + side + 3, left, str(truth[index]), GREEN)
        write(sheet, top + side + 3, left + 16, "read as", GREY, scale=1)
        write(sheet, top + side + 3, left + 62, str(predicted[index]), RED)
    return sheet


def write(sheet, top, left, text, colour, scale=2):
    """Draw text into a picture, its upper left corner at (top, left)."""
    top += 0 if scale == 2 else 5
    for letter in text:
        lines = [int(line, 16) for line in FONT[letter].split()]
        ink = np.array([[line >> (4 - bit) & 1 for bit in range(5)] for line in lines], dtype=bool)
        ink = ink.repeat(scale, 0).repeat(scale, 1)
        place = sheet[top : top + ink.shape[0], left : left + ink.shape[1]]
        place[ink[: place.shape[0], : place.shape[1]]] = colour
        left += 6 * scale


def as_mnist(picture):
    """Return any picture of one digit (HxW or HxWx3, 0 to 255) as MNIST has them: 28x28, uint8.

    As MNIST was made: light ink on black, the digit fitted into 20x20, its centre of mass in the
    middle of 28x28. A 28x28 picture on black is left as it is.
    """
    grey = picture.astype(float)
    if grey.ndim == 3:
        grey = grey @ [0.299, 0.587, 0.114]
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 127:
        grey = 255 - grey  # dark ink on light paper
    if grey.shape == (28, 28):
        return grey.round().astype(np.uint8)
    grey = (grey - np.median(border if np.median(border) <= 127 else 255 - border)).clip(0)
    if grey.max() < 16:
        raise SystemExit("the picture is empty: no digit stands out from the paper")
    rows, columns = np.nonzero(grey > grey.max() / 4)
    digit = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = 20 / max(digit.shape)
    height, width = (max(1, round(size * scale)) for size in digit.shape)
    digit = resize(digit, height, width) * (255 / grey.max())
    weight = digit.sum()
    middle_row = (digit.sum(1) @ np.arange(height)) / weight
    middle_column = (digit.sum(0) @ np.arange(width)) / weight
    top = int(np.clip(round(13.5 - middle_row), 0, 28 - height))
    left = int(np.clip(round(13.5 - middle_column), 0, 28 - width))
    result = np.zeros((28, 28), dtype=np.uint8)
    result[top : top + height, left : left + width] = digit.clip(0, 255).round()
    return result


def resize(picture, height, width):
    """Return a picture of another size; each new pixel is the mean of the area it covers."""
    return areas(picture.shape[0], height) @ picture @ areas(picture.shape[1], width).T


def areas(old, new):
    """Return the matrix that averages `old` pixels into `new` ones."""
    edges = np.arange(new + 1) * old / new
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(old)
    overlap = np.minimum(high, pixels + 1) - np.maximum(low, pixels)
    return overlap.clip(0) / (high - low)
