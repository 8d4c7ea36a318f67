"""Many pictures side by side in one PNG file, and boxes drawn into a picture."""

import numpy as np

from lampion.vision import write_png


def sheet(pictures, columns=10, scale=1, gap=2, frames=None):
    """Return one picture of many (N x H x W or N x H x W x 3, uint8), left to right, row by row.

    frames gives each picture the colour of its surrounding: a list of (red, green, blue).
    """
    pictures = np.asarray(pictures).repeat(scale, 1).repeat(scale, 2)
    if pictures.ndim == 3 and frames is not None:
        pictures = np.stack([pictures] * 3, axis=3)
    count, height, width = pictures.shape[:3]
    rows = -(-count // columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, *pictures.shape[3:])
    whole = np.full(shape, 40, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        if frames is not None:
            whole[top - gap : top + height + gap, left - gap : left + width + gap] = frames[index]
        whole[top : top + height, left : left + width] = picture
    return whole


def write_sheet(path, pictures, **settings):
    """Write a `sheet` as a PNG file."""
    write_png(path, sheet(pictures, **settings))


def to_bytes(pictures):
    """Return a tensor of pictures (N x C x H x W, 0 to 1) as uint8: N x H x W or N x H x W x 3."""
    values = (255 * pictures.detach().float().clamp(0, 1)).round().numpy().astype(np.uint8)
    return values[:, 0] if values.shape[1] == 1 else values.transpose(0, 2, 3, 1)


def draw_box(picture, box, colour, width=1):
    """Draw a frame into a picture (H x W x 3): box is x1, y1, x2, y2 in pixels."""
    height, breadth = picture.shape[:2]
    x1, x2 = (int(np.clip(round(x), 0, breadth - 1)) for x in (box[0], box[2]))
    y1, y2 = (int(np.clip(round(y), 0, height - 1)) for y in (box[1], box[3]))
    picture[y1 : y1 + width, x1 : x2 + 1] = colour
    picture[max(y2 - width + 1, 0) : y2 + 1, x1 : x2 + 1] = colour
    picture[y1 : y2 + 1, x1 : x1 + width] = colour
    picture[y1 : y2 + 1, max(x2 - width + 1, 0) : x2 + 1] = colour
