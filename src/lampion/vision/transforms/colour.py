"""Transforms that change colours and brightness."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.vision import chance
from lampion.vision.transforms import functional as F
from lampion.vision.transforms.geometric import Picturing

Range = tuple[float, float]


class ColorJitter(Picturing):
    """Changes brightness, contrast, saturation and hue by random factors, in random order.

    Args:
        brightness, contrast, saturation: factors from max(0, 1 - value) to 1 + value, or
            (lowest, highest), 0 or more.
        hue: shift from -value to value, or (lowest, highest), within -0.5 to 0.5.
    """

    shown: tuple[str, ...] = ("brightness", "contrast", "saturation", "hue")

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0,
                 hue: Any = 0) -> None:
        super().__init__()
        self.brightness = _range(brightness, "brightness")
        self.contrast = _range(contrast, "contrast")
        self.saturation = _range(saturation, "saturation")
        self.hue = _range(hue, "hue", 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(
        brightness: Sequence[float] | None, contrast: Sequence[float] | None,
        saturation: Sequence[float] | None, hue: Sequence[float] | None,
    ) -> tuple[Any, float | None, float | None, float | None, float | None]:
        """Return the order and the four factors, None for what is left alone."""
        order = chance.order(4)
        factors = [None if limits is None else chance.between(limits[0], limits[1])
                   for limits in (brightness, contrast, saturation, hue)]
        return order, *factors  # type: ignore[return-value]

    def forward(self, img: Any) -> Any:
        """Return the picture in other colours."""
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation,
                                          self.hue)
        changes: tuple[Callable[[Any, float], Any], ...] = (
            F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for number in order:
            factor = factors[number]
            if factor is not None:
                img = changes[number](img, factor)
        return img


def _range(value: Any, name: str, centre: float = 1.0, bound: Range = (0.0, float("inf")),
           ) -> Range | None:
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ArgumentError(f"ColorJitter: {name}={value}",
                                why=f"If {name} is a single number, it must be non negative.")
        low, high = centre - float(value), centre + float(value)  # type: ignore[arg-type]
        if name != "hue":
            low = max(low, 0.0)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise ArgumentTypeError(f"ColorJitter: {name}={value!r}",
                                why=f"{name} should be a single number or a list/tuple with "
                                "length 2.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ArgumentError(f"ColorJitter: {name}={value}",
                            why=f"{name} values should be between {bound}")
    return None if low == high == centre else (low, high)


class Grayscale(Picturing):
    """Returns the greys.

    Args:
        num_output_channels: 1, or 3 equal ones.
    """

    shown: tuple[str, ...] = ("num_output_channels",)

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        """Return the greys."""
        return F.rgb_to_grayscale(img, self.num_output_channels)


class RandomGrayscale(Picturing):
    """Returns the greys with a probability, with as many channels as the picture had.

    Args:
        p: probability, 0 to 1.
    """

    shown: tuple[str, ...] = ("p",)

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """Return the picture or its greys."""
        channels = F.get_image_num_channels(img)
        return F.rgb_to_grayscale(img, channels) if chance.fraction() < self.p else img


class RandomInvert(Picturing):
    """Returns the negative with a probability.

    Args:
        p: probability, 0 to 1.
    """

    shown: tuple[str, ...] = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def change(self, img: Any) -> Any:
        """Return the changed picture."""
        return F.invert(img)

    def forward(self, img: Any) -> Any:
        """Return the picture, changed or not."""
        return self.change(img) if chance.fraction() < self.p else img


class RandomPosterize(RandomInvert):
    """Keeps only the upper bits of each pixel, with a probability.

    Args:
        bits: 0 to 8.
        p: probability, 0 to 1.
    """

    shown: tuple[str, ...] = ("bits", "p")

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def change(self, img: Any) -> Any:
        """Return the posterized picture."""
        return F.posterize(img, self.bits)


class RandomSolarize(RandomInvert):
    """Inverts the pixels at or above a threshold, with a probability.

    Args:
        threshold: 0 to 255 for uint8, 0 to 1 for floats.
        p: probability, 0 to 1.
    """

    shown: tuple[str, ...] = ("threshold", "p")

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def change(self, img: Any) -> Any:
        """Return the solarized picture."""
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(RandomInvert):
    """Makes a picture smoother or sharper, with a probability.

    Args:
        sharpness_factor: 0 smooth, 1 as it is, 2 twice as sharp.
        p: probability, 0 to 1.
    """

    shown: tuple[str, ...] = ("sharpness_factor", "p")

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def change(self, img: Any) -> Any:
        """Return the sharper picture."""
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(RandomInvert):
    """Stretches each channel to the whole range, with a probability.

    Args:
        p: probability, 0 to 1.
    """

    def change(self, img: Any) -> Any:
        """Return the picture with all its contrast."""
        return F.autocontrast(img)


class RandomEqualize(RandomInvert):
    """Evens out each channel's histogram, with a probability.

    Args:
        p: probability, 0 to 1.
    """

    def change(self, img: Any) -> Any:
        """Return the equalized picture."""
        return F.equalize(img)
