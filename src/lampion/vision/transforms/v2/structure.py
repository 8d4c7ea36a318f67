"""How v2's transforms find the picture in a sample such as (picture, label)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lampion.errors import UnsupportedError
from lampion.tensor import Tensor
from lampion.vision.pillow import is_pil


def leaves(sample: Any) -> list[Any]:
    """Return what a sample of nested tuples, lists and dicts is made of."""
    if isinstance(sample, dict):
        return [leaf for entry in sample.values() for leaf in leaves(entry)]
    if isinstance(sample, (tuple, list)):
        return [leaf for entry in sample for leaf in leaves(entry)]
    return [sample]


def picture_of(sample: Any) -> Any:
    """Return the picture of a sample: its PIL image, else its first tensor, else None.

    Raises:
        UnsupportedError: several PIL images.

    Example:
        >>> picture_of(({"label": 3}, "a name")) is None
        True
    """
    found = leaves(sample)
    images = [leaf for leaf in found if is_pil(leaf)]
    if len(images) > 1:
        raise UnsupportedError(f"a sample with {len(images)} PIL images",
                               why="a transform changes one picture of a sample, and which of "
                               "them is the picture and which a mask is not said",
                               fix="transform(picture), and for the mask functional's functions "
                               "with the parameters of get_params")
    return next(iter(images or (leaf for leaf in found if isinstance(leaf, Tensor))), None)


def replaced(sample: Any, old: Any, change: Callable[[Any], Any]) -> Any:
    """Return the sample with one leaf changed, all else as it is."""
    if sample is old:
        return change(sample)
    if isinstance(sample, dict):
        return {key: replaced(entry, old, change) for key, entry in sample.items()}
    if isinstance(sample, (tuple, list)):
        entries = [replaced(entry, old, change) for entry in sample]
        if isinstance(sample, tuple) and hasattr(sample, "_fields"):
            return type(sample)(*entries)
        return type(sample)(entries)
    return sample


def on_samples(change: Callable[[Any], Any], inputs: tuple[Any, ...]) -> Any:
    """Change the picture in what a transform was called with."""
    sample = inputs if len(inputs) > 1 else inputs[0]
    picture = picture_of(sample)
    if picture is None:
        picture = leaves(sample)[0]  # an array for ToImage; others refuse it
    return replaced(sample, picture, change)
