"""Where Pillow is reached: it is an optional extra, so nothing imports it before it is needed."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from lampion.errors import MissingExtraError


def pillow(wanted_by: str) -> ModuleType:
    """Return the package PIL, its modules Image, ImageColor, ImageDraw ... ready for use.

    Args:
        wanted_by: the name that the message gives when Pillow is not installed.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        import PIL.Image  # the extra `images`
        import PIL.ImageColor
        import PIL.ImageDraw
        import PIL.ImageEnhance
        import PIL.ImageFont
        import PIL.ImageOps
    except ImportError:
        raise MissingExtraError(
            f"{wanted_by} needs Pillow, which is not installed",
            why="Pillow decodes, encodes and draws pictures; lampion does without it otherwise",
            fix="pip install 'lampion[images]'",
        ) from None
    return PIL


@functools.cache
def has_pillow() -> bool:
    """Tell whether Pillow is installed."""
    try:
        pillow("")
    except MissingExtraError:
        return False
    return True


def is_pil(image: Any) -> bool:
    """Tell whether something is a PIL image, without importing Pillow.

    Example:
        >>> is_pil("a path")
        False
    """
    module = sys.modules.get("PIL.Image")  # who holds an image has imported it
    return module is not None and isinstance(image, module.Image)
