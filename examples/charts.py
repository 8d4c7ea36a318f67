"""Curves and maps as PNG files: by matplotlib where it is installed, else drawn pixel by pixel.

Without matplotlib (`pip install 'lampion[plot]'`) a picture has no text: what the colours and rows
mean is printed instead.
"""

import numpy as np

from lampion.vision import write_png

COLOURS = [(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
           (140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207)]
NAMES = "blue orange green red purple brown pink grey olive cyan".split()


def figure(width, height):
    """Return an empty matplotlib figure, or None where there is no matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    return Figure((width, height), layout="constrained")


def lines(path, curves, title="", x_label="", y_label="", marks=()):
    """Draw curves: {name: y} or {name: (x, y)}; marks are spans (from, to) shaded red."""
    curves = {
        name: curve if isinstance(curve, tuple) else (np.arange(len(curve)), curve)
        for name, curve in curves.items()
    }
    picture = figure(8, 4)
    if picture is None:
        _plain_lines(path, curves, marks)
        return
    axes = picture.subplots()
    for start, end in marks:
        axes.axvspan(start, end, color="red", alpha=0.2, linewidth=0)
    for name, (x, y) in curves.items():
        axes.plot(x, y, label=name, linewidth=1.2)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    if len(curves) > 1:
        axes.legend()
    picture.savefig(path, dpi=100)


def heat_map(path, values, rows, columns, title="", x_label="", y_label=""):
    """Draw a matrix: the larger, the brighter; rows and columns are the captions."""
    values = np.asarray(values)
    picture = figure(2.5 + 0.35 * len(columns), 2 + 0.3 * len(rows))
    if picture is None:
        levels = np.asarray(values, dtype=float) - np.min(values)
        grey = (255 * levels / max(levels.max(), 1e-12)).round().astype(np.uint8)
        write_png(path, grey.repeat(24, 0).repeat(24, 1))
        print(f"{path}: rows {', '.join(rows)}; columns {', '.join(columns)}")
        return
    axes = picture.subplots()
    axes.imshow(values, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    picture.savefig(path, dpi=100)


def points(path, places, captions, title=""):
    """Draw captions at their places (N x 2)."""
    places = np.asarray(places)
    picture = figure(8, 8)
    if picture is None:
        sheet = np.full((600, 600, 3), 255, dtype=np.uint8)
        low, high = places.min(0), places.max(0)
        spots = (10 + 580 * (places - low) / np.maximum(high - low, 1e-12)).astype(int)
        for x, y in spots:
            sheet[598 - y : 602 - y, x - 2 : x + 2] = COLOURS[0]
        write_png(path, sheet)
        print(f"{path}: {', '.join(captions)}")
        return
    axes = picture.subplots()
    axes.scatter(*places.T, s=4)
    for caption, place in zip(captions, places):
        axes.annotate(caption, place, fontsize=8)
    axes.set(title=title, xticks=[], yticks=[])
    picture.savefig(path, dpi=100)


def _plain_lines(path, curves, marks, width=800, height=400, edge=10):
    """Draw curves without text; say which colour is which."""
    xs = np.concatenate([np.asarray(x, dtype=float) for x, _ in curves.values()])
    ys = np.concatenate([np.asarray(y, dtype=float) for _, y in curves.values()])
    ys = ys[np.isfinite(ys)]

    def across(x):
        scale = (width - 2 * edge - 1) / max(np.ptp(xs), 1e-12)
        return edge + (np.asarray(x, dtype=float) - xs.min()) * scale

    def down(y):
        scale = (height - 2 * edge - 1) / max(np.ptp(ys), 1e-12)
        return height - edge - 1 - (np.asarray(y, dtype=float) - ys.min()) * scale

    sheet = np.full((height, width, 3), 255, dtype=np.uint8)
    for start, end in marks:
        left, right = across([start, end]).round().astype(int).clip(0, width)
        sheet[:, left : right + 1] = (255, 210, 210)
    for number, (x, y) in enumerate(curves.values()):
        steps = np.arange(0, max(len(x) - 1, 1), 1 / 16)  # 16 dots from one point to the next
        column = np.interp(steps, np.arange(len(x)), across(x)).round()
        row = np.interp(steps, np.arange(len(x)), down(y)).round()
        drawn = np.isfinite(row)
        row, column = row[drawn].astype(int), column[drawn].astype(int)
        for shift in (0, 1):
            sheet[row + shift, column] = COLOURS[number % len(COLOURS)]
    write_png(path, sheet)
    named = (f"{NAMES[number % len(NAMES)]} {name}" for number, name in enumerate(curves))
    print(f"{path}: x {xs.min():g} to {xs.max():g}, y {ys.min():.4g} to {ys.max():.4g}; "
          f"{', '.join(named)}")
