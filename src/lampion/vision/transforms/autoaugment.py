"""Augmentation by policies: AutoAugment, RandAugment, TrivialAugment, AugMix."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np

from lampion.errors import ArgumentError
from lampion.functions.creation import adopt
from lampion.functions.random import rand, randint
from lampion.tensor import Tensor
from lampion.vision import chance
from lampion.vision.transforms import functional as F
from lampion.vision.transforms.geometric import BILINEAR, NEAREST, Picturing
from lampion.vision.transforms.interpolation import interpolation_mode


class AutoAugmentPolicy(Enum):
    """For which data a policy was found."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# Two operations in a row: name, probability, strength from 0 to 9 (- where there is none).
# Source: Cubuk et al. 2019, AutoAugment: learning augmentation policies from data, tables 7 to 9.
POLICIES = {
    "imagenet": """
        Posterize .4 8 Rotate .6 9, Solarize .6 5 AutoContrast .6 -, Equalize .8 - Equalize .6 -,
        Posterize .6 7 Posterize .6 6, Equalize .4 - Solarize .2 4, Equalize .4 - Rotate .8 8,
        Solarize .6 3 Equalize .6 -, Posterize .8 5 Equalize 1 -, Rotate .2 3 Solarize .6 8,
        Equalize .6 - Posterize .4 6, Rotate .8 8 Color .4 0, Rotate .4 9 Equalize .6 -,
        Equalize 0 - Equalize .8 -, Invert .6 - Equalize 1 -, Color .6 4 Contrast 1 8,
        Rotate .8 8 Color 1 2, Color .8 8 Solarize .8 7, Sharpness .4 7 Invert .6 -,
        ShearX .6 5 Equalize 1 -, Color .4 0 Equalize .6 -, Equalize .4 - Solarize .2 4,
        Solarize .6 5 AutoContrast .6 -, Invert .6 - Equalize 1 -, Color .6 4 Contrast 1 8,
        Equalize .8 - Equalize .6 -""",
    "cifar10": """
        Invert .1 - Contrast .2 6, Rotate .7 2 TranslateX .3 9, Sharpness .8 1 Sharpness .9 3,
        ShearY .5 8 TranslateY .7 9, AutoContrast .5 - Equalize .9 -, ShearY .2 7 Posterize .3 7,
        Color .4 3 Brightness .6 7, Sharpness .3 9 Brightness .7 9, Equalize .6 - Equalize .5 -,
        Contrast .6 7 Sharpness .6 5, Color .7 7 TranslateX .5 8, Equalize .3 - AutoContrast .4 -,
        TranslateY .4 3 Sharpness .2 6, Brightness .9 6 Color .2 8, Solarize .5 2 Invert 0 -,
        Equalize .2 - AutoContrast .6 -, Equalize .2 - Equalize .6 -, Color .9 9 Equalize .6 -,
        AutoContrast .8 - Solarize .2 8, Brightness .1 3 Color .7 0,
        Solarize .4 5 AutoContrast .9 -, TranslateY .9 9 TranslateY .7 9,
        AutoContrast .9 - Solarize .8 3, Equalize .8 - Invert .1 -,
        TranslateY .7 9 AutoContrast .9 -""",
    "svhn": """
        ShearX .9 4 Invert .2 -, ShearY .9 8 Invert .7 -, Equalize .6 - Solarize .6 6,
        Invert .9 - Equalize .6 -, Equalize .6 - Rotate .9 3, ShearX .9 4 AutoContrast .8 -,
        ShearY .9 8 Invert .4 -, ShearY .9 5 Solarize .2 6, Invert .9 - AutoContrast .8 -,
        Equalize .6 - Rotate .9 3, ShearX .9 4 Solarize .3 3, ShearY .8 8 Invert .7 -,
        Equalize .9 - TranslateY .6 6, Invert .9 - Equalize .6 -, Contrast .3 3 Rotate .8 4,
        Invert .8 - TranslateY 0 2, ShearY .7 6 Solarize .4 8, Invert .6 - Rotate .8 4,
        ShearY .3 7 TranslateX .9 3, ShearX .1 6 Invert .6 -, Solarize .7 2 TranslateY .6 7,
        ShearY .8 4 Invert .8 -, ShearX .7 9 TranslateY .8 3, ShearY .8 5 AutoContrast .7 -,
        ShearX .7 2 Invert .1 -""",
}
SIGNED = ("ShearX ShearY TranslateX TranslateY Rotate Brightness Color Contrast Sharpness").split()
ENHANCED = ("Brightness", "Color", "Contrast", "Sharpness")
Strengths = dict[str, "list[float] | None"]


def policy(name: str) -> list[list[tuple[str, float, int | None]]]:
    """Return the pairs of operations of a policy.

    Example:
        >>> policy("cifar10")[0]
        [('Invert', 0.1, None), ('Contrast', 0.2, 6)]
    """
    pairs = []
    for text in POLICIES[name].split(","):
        words = text.split()
        pairs.append([(words[k], float(words[k + 1]), None if words[k + 2] == "-" else
                       int(words[k + 2])) for k in (0, 3)])
    return pairs


def _strengths(bins: int, shear: float, across: float, down: float, turn: float, colour: float,
               bits_lost: int) -> Strengths:
    """Return the strengths that each operation can have, weakest first; None for one without."""
    def up_to(highest: float) -> list[float]:
        return np.linspace(0.0, highest, bins, dtype=np.float32).tolist()

    lost = np.rint(np.arange(bins, dtype=np.float32) / np.float32((bins - 1) / bits_lost))
    return {
        "ShearX": up_to(shear), "ShearY": up_to(shear),
        "TranslateX": up_to(across), "TranslateY": up_to(down), "Rotate": up_to(turn),
        **{name: up_to(colour) for name in ENHANCED},
        "Posterize": (8 - lost).tolist(),
        "Solarize": np.linspace(255.0, 0.0, bins, dtype=np.float32).tolist(),
        "AutoContrast": None, "Equalize": None,
    }


def apply(img: Any, name: str, strength: float, interpolation: Any, fill: Any) -> Any:
    """Return a picture after the operation of a name."""
    shear, move, center = [0.0, 0.0], [0, 0], None
    if name in ("ShearX", "ShearY"):
        # Pillow shears by a factor about the upper left corner, `affine` by an angle.
        shear["XY".index(name[-1])] = math.degrees(math.atan(strength))
        center = [0, 0]
    elif name in ("TranslateX", "TranslateY"):
        move["XY".index(name[-1])] = int(strength)
    elif name == "Rotate":
        return F.rotate(img, strength, interpolation, fill=fill)
    elif name in ENHANCED:
        change = {"Brightness": F.adjust_brightness, "Color": F.adjust_saturation,
                  "Contrast": F.adjust_contrast, "Sharpness": F.adjust_sharpness}[name]
        return change(img, 1.0 + strength)
    elif name == "Posterize":
        return F.posterize(img, int(strength))
    elif name == "Solarize":
        return F.solarize(img, strength)
    else:
        return {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Invert": F.invert,
                "Identity": lambda picture: picture}[name](img)
    return F.affine(img, 0.0, move, 1.0, shear, interpolation, fill, center)


def _fill_for(img: Any, fill: Any) -> Any:
    if isinstance(img, Tensor) and isinstance(fill, (int, float)):
        return [float(fill)] * F.get_image_num_channels(img)
    return fill


class AutoAugment(Picturing):
    """Applies a random pair of operations out of a policy that was found by search.

    Args:
        policy: an `AutoAugmentPolicy`.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.

    Shape:
        PIL image or uint8 tensor of 1 or 3 channels -> the same

    Source: Cubuk et al. 2019, AutoAugment: learning augmentation policies from data.
    """

    shown = ("policy", "fill")

    def __init__(self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
                 interpolation: Any = NEAREST, fill: Any = None) -> None:
        super().__init__()
        if not isinstance(policy, AutoAugmentPolicy):
            raise ArgumentError(f"The provided policy {policy} is not recognized.",
                                fix="AutoAugmentPolicy.CIFAR10")
        self.policy, self.fill = policy, fill
        self.interpolation = interpolation_mode(interpolation)
        self.policies = _policies(policy.value)

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Return the number of a pair, two numbers to compare with its probabilities, two signs."""
        return chance.whole(0, transform_num), rand((2,)), randint(2, (2,))

    def forward(self, img: Any) -> Any:
        """Return the augmented picture."""
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        number, drawn, signs = self.get_params(len(self.policies))
        known = _strengths(10, 0.3, 150.0 / 331.0 * width, 150.0 / 331.0 * height, 30.0, 0.9, 4)
        for (name, likely, level), luck, sign in zip(self.policies[number], drawn.tolist(),
                                                     signs.tolist()):
            if luck <= likely:
                levels = known.get(name)
                strength = 0.0 if level is None or levels is None else levels[level]
                if name in SIGNED and sign == 0:
                    strength = -strength
                img = apply(img, name, strength, self.interpolation, fill)
        return img


_policies = policy  # AutoAugment has an argument of that name


class RandAugment(Picturing):
    """Applies some operations out of fourteen, all of one strength.

    Args:
        num_ops: how many in a row.
        magnitude: strength, 0 to num_magnitude_bins - 1.
        num_magnitude_bins: number of strengths.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.

    Shape:
        PIL image or uint8 tensor of 1 or 3 channels -> the same

    Source: Cubuk et al. 2020, RandAugment: practical automated data augmentation with a reduced
    search space.
    """

    shown = ("num_ops", "magnitude", "num_magnitude_bins", "interpolation", "fill")

    def __init__(self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
                 interpolation: Any = NEAREST, fill: Any = None) -> None:
        super().__init__()
        if not 0 <= magnitude < num_magnitude_bins:
            raise ArgumentError(f"RandAugment: magnitude={magnitude}",
                                why=f"it goes from 0 to num_magnitude_bins - 1 = "
                                f"{num_magnitude_bins - 1}")
        self.num_ops, self.magnitude = num_ops, magnitude
        self.num_magnitude_bins, self.fill = num_magnitude_bins, fill
        self.interpolation = interpolation_mode(interpolation)

    def forward(self, img: Any) -> Any:
        """Return the augmented picture."""
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        known = {"Identity": None, **_strengths(
            self.num_magnitude_bins, 0.3, 150.0 / 331.0 * width, 150.0 / 331.0 * height, 30.0,
            0.9, 4)}
        for _ in range(self.num_ops):
            img = _drawn(img, known, lambda levels: levels[self.magnitude], self.interpolation,
                         fill)
        return img


class TrivialAugmentWide(Picturing):
    """Applies one operation of a random strength, from nothing to very strong.

    Args:
        num_magnitude_bins: number of strengths.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.

    Shape:
        PIL image or uint8 tensor of 1 or 3 channels -> the same

    Source: Mueller, Hutter 2021, TrivialAugment: tuning-free yet state-of-the-art data
    augmentation.
    """

    shown = ("num_magnitude_bins", "interpolation", "fill")

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = NEAREST,
                 fill: Any = None) -> None:
        super().__init__()
        self.num_magnitude_bins, self.fill = num_magnitude_bins, fill
        self.interpolation = interpolation_mode(interpolation)

    def forward(self, img: Any) -> Any:
        """Return the augmented picture."""
        known = {"Identity": None, **_strengths(self.num_magnitude_bins, 0.99, 32.0, 32.0, 135.0,
                                                0.99, 6)}
        return _drawn(img, known, lambda levels: levels[chance.whole(0, len(levels))],
                      self.interpolation, _fill_for(img, self.fill))


def _drawn(img: Any, known: Strengths, choose: Any, interpolation: Any, fill: Any) -> Any:
    """Apply an operation drawn by chance, of a strength that `choose` takes from its levels."""
    name = list(known)[chance.whole(0, len(known))]
    levels = known[name]
    strength = 0.0 if levels is None else choose(levels)
    if name in SIGNED and chance.whole(0, 2):
        strength = -strength
    return apply(img, name, strength, interpolation, fill)


class AugMix(Picturing):
    """Mixes a picture with several of its augmentations, each made by a chain of operations.

    x' = m x + (1 - m) sum_i w_i chain_i(x); m ~ Beta(alpha, alpha), w ~ Dirichlet(alpha, ...).

    Args:
        severity: strongest operations, 1 to 10.
        mixture_width: number of chains.
        chain_depth: operations in a chain; 1 to 3 by chance when negative.
        alpha: of both distributions, above 0.
        all_ops: also those that change brightness, contrast, colour and sharpness.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.

    Shape:
        PIL image or uint8 tensor of 1 or 3 channels -> the same

    Source: Hendrycks et al. 2020, AugMix: a simple data processing method to improve robustness
    and uncertainty, algorithm 1.
    """

    shown = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops", "interpolation",
             "fill")

    def __init__(self, severity: int = 3, mixture_width: int = 3, chain_depth: int = -1,
                 alpha: float = 1.0, all_ops: bool = True, interpolation: Any = BILINEAR,
                 fill: Any = None) -> None:
        super().__init__()
        if not 1 <= severity <= 10:
            raise ArgumentError(f"AugMix: severity={severity}",
                                why="The severity must be between [1, 10].")
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops, self.fill = alpha, all_ops, fill
        self.interpolation = interpolation_mode(interpolation)

    def forward(self, orig_img: Any) -> Any:
        """Return the mixed picture."""
        image = orig_img if isinstance(orig_img, Tensor) else F.pil_to_tensor(orig_img)
        fill = _fill_for(image, self.fill)
        _, height, width = F.get_dimensions(image)
        known = _strengths(10, 0.3, width / 3.0, height / 3.0, 30.0, 0.9, 4)
        known["Posterize"] = [bits - 4 for bits in known["Posterize"] or ()]
        if not self.all_ops:
            known = {name: levels for name, levels in known.items() if name not in ENHANCED}
        # Each picture of a batch has its own shares: a column for each.
        count = image.shape[0] if image.dim() == 4 else 1
        mixed = [chance.dirichlet([self.alpha] * 2) for _ in range(count)]
        shares = [chance.dirichlet([self.alpha] * self.mixture_width) for _ in range(count)]

        def column(numbers: list[float]) -> np.ndarray:
            shape = (count, 1, 1, 1) if image.dim() == 4 else (1,) * image.dim()
            return np.array(numbers, np.float32).reshape(shape)

        mix = column([m[0] for m in mixed]) * image._read()
        for chain in range(self.mixture_width):
            part = image
            depth = self.chain_depth if self.chain_depth > 0 else chance.whole(1, 4)
            for _ in range(depth):
                part = _drawn(part, known, lambda levels: levels[chance.whole(0, self.severity)],
                              self.interpolation, fill)
            mix += column([m[1] * w[chain] for m, w in zip(mixed, shares)]) * part._read()
        result = adopt(mix.astype(image.dtype.array))
        return result if isinstance(orig_img, Tensor) else F.to_pil_image(result)
