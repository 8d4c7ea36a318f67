"""How pixels between pixels are found."""

from __future__ import annotations

from enum import Enum
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError

PILLOW_NUMBERS = {
    "nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5,
    "nearest-exact": 0,
}


class InterpolationMode(Enum):
    """How pixels between pixels are found; BOX, HAMMING and LANCZOS are for PIL images only.

    Example:
        >>> InterpolationMode("bilinear")
        <InterpolationMode.BILINEAR: 'bilinear'>
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


def interpolation_mode(interpolation: Any) -> InterpolationMode:
    """Return the mode for a mode or for Pillow's number of it.

    Raises:
        ArgumentError: a number that Pillow does not have.
        ArgumentTypeError: neither a mode nor a number.
    """
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int):  # Pillow's enumeration counts as int
        for name, number in PILLOW_NUMBERS.items():
            if number == interpolation:
                return InterpolationMode(name)
        raise ArgumentError(f"interpolation={interpolation}", why="Pillow has the numbers 0 to 5",
                            fix="InterpolationMode.BILINEAR")
    raise ArgumentTypeError(
        f"interpolation={interpolation!r}",
        why="Argument interpolation should be a InterpolationMode or a corresponding Pillow "
        "integer constant",
        fix="InterpolationMode.BILINEAR",
    )
