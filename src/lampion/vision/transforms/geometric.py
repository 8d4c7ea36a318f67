"""Transforms that move pixels: sizes, crops, flips, turns; and erasing and blurring."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.functions.creation import empty, tensor
from lampion.functions.random import rand
from lampion.functions.shape import cat
from lampion.nn import Module
from lampion.tensor import Tensor
from lampion.vision import chance
from lampion.vision.transforms import functional as F
from lampion.vision.transforms.interpolation import InterpolationMode, interpolation_mode

BILINEAR, NEAREST = InterpolationMode.BILINEAR, InterpolationMode.NEAREST


def size_pair(size: Any, what: str = "size") -> tuple[int, int]:
    """Return (height, width) for one number or two."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if not isinstance(size, Sequence) or len(size) not in (1, 2):
        raise ArgumentError(f"{what}={size!r}",
                            why="Please provide only two dimensions (h, w) for size.")
    return int(size[0]), int(size[-1])


def plus_and_minus(value: Any, name: str) -> tuple[float, float]:
    """Return the range from -value to value, or the two numbers given."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ArgumentError(f"{name}={value}",
                                why=f"If {name} is a single number, it must be positive.")
        return -float(value), float(value)  # type: ignore[arg-type]
    pair(value, name)
    return float(value[0]), float(value[1])


def pair(value: Any, name: str) -> None:
    """Refuse what is not a sequence of two."""
    if not isinstance(value, (Sequence, Tensor)):
        raise ArgumentTypeError(f"{name}={value!r}", why=f"{name} should be a sequence of "
                                "length 2.")
    if len(value) != 2:
        raise ArgumentError(f"{name}={value!r}", why=f"{name} should be a sequence of length 2.")


class Picturing(Module):
    """A transform with settings to show."""

    shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        def text(value: Any) -> Any:
            return value.value if isinstance(value, InterpolationMode) else value

        settings = ", ".join(f"{name}={text(getattr(self, name))}" for name in self.shown)
        return f"{type(self).__name__}({settings})"


class Resize(Picturing):
    """Resamples a picture to a size.

    Args:
        size: (height, width), or one number for the shorter edge.
        interpolation: an `InterpolationMode`.
        max_size: what the longer edge must not exceed.
        antialias: widen the kernel when shrinking a tensor; PIL images always do.

    Example:
        >>> import lampion as torch
        >>> Resize(8)(torch.zeros(3, 16, 32)).shape
        torch.Size([3, 8, 16])
    """

    shown: tuple[str, ...] = ("size", "interpolation", "max_size", "antialias")

    def __init__(self, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None,
                 antialias: bool | None = True) -> None:
        super().__init__()
        if isinstance(size, str) or not (size is None or isinstance(size, (int, Sequence))):
            raise ArgumentTypeError(f"Resize: size={size!r}",
                                    why="Size should be int or sequence")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ArgumentError(f"Resize: size={size!r}",
                                why="If size is a sequence, it should have 1 or 2 values")
        self.size, self.max_size = size, max_size
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        """Return the resized picture."""
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Picturing):
    """Cuts out the middle; a picture that is too small is padded with black.

    Args:
        size: (height, width), or one number for both.
    """

    shown: tuple[str, ...] = ("size",)

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = size_pair(size)

    def forward(self, img: Any) -> Any:
        """Return the middle."""
        return F.center_crop(img, self.size)


class Pad(Picturing):
    """Adds pixels around a picture.

    Args:
        padding: one number, (left and right, top and bottom) or (left, top, right, bottom).
        fill: the colour for "constant".
        padding_mode: "constant", "edge", "reflect" or "symmetric".
    """

    shown: tuple[str, ...] = ("padding", "fill", "padding_mode")

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        if not isinstance(padding, (numbers.Number, tuple, list)):
            raise ArgumentTypeError(f"Pad: padding={padding!r}",
                                    why="Got inappropriate padding arg")
        if padding_mode not in F.PAD_MODES:
            raise ArgumentError(f"Pad: padding_mode={padding_mode!r}",
                                why=f"it is one of {', '.join(F.PAD_MODES)}")
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ArgumentError(f"Pad: padding={padding!r}", why="Padding must be an int or a 1, "
                                f"2, or 4 element tuple, not a {len(padding)} element tuple")
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img: Any) -> Any:
        """Return the padded picture."""
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class RandomCrop(Picturing):
    """Cuts out a part at a random place.

    Args:
        size: (height, width), or one number for both.
        padding: pixels to add before, as for `Pad`.
        pad_if_needed: pad a picture that is too small.
        fill, padding_mode: as for `Pad`.
    """

    shown: tuple[str, ...] = ("size", "padding")

    def __init__(self, size: Any, padding: Any = None, pad_if_needed: bool = False,
                 fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        self.size = size_pair(size)
        self.padding, self.pad_if_needed = padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return top, left, height and width of a random part."""
        _, height, width = F.get_dimensions(img)
        wanted_height, wanted_width = output_size
        if height < wanted_height or width < wanted_width:
            raise ArgumentError(
                f"RandomCrop: the size is {wanted_height}x{wanted_width}, the picture "
                f"{height}x{width}",
                why="Required crop size is larger than the input image size",
                fix="RandomCrop(size, pad_if_needed=True)")
        if (height, width) == output_size:
            return 0, 0, height, width
        top = chance.whole(0, height - wanted_height + 1)
        left = chance.whole(0, width - wanted_width + 1)
        return top, left, wanted_height, wanted_width

    def forward(self, img: Any) -> Any:
        """Return a random part."""
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))


class RandomHorizontalFlip(Picturing):
    """Mirrors left and right with a probability.

    Args:
        p: probability, 0 to 1.
    """

    shown: tuple[str, ...] = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """Return the picture or its mirror image."""
        return F.hflip(img) if chance.fraction() < self.p else img


class RandomVerticalFlip(RandomHorizontalFlip):
    """Mirrors top and bottom with a probability.

    Args:
        p: probability, 0 to 1.
    """

    def forward(self, img: Any) -> Any:
        """Return the picture or its mirror image."""
        return F.vflip(img) if chance.fraction() < self.p else img


class RandomResizedCrop(Picturing):
    """Cuts out a part of random size, shape and place and brings it to one size.

    Args:
        size: (height, width) of the result, or one number for both.
        scale: from which to which part of the picture's area.
        ratio: from which to which width / height.
        interpolation, antialias: as for `Resize`.

    Source: Szegedy et al. 2015, Going deeper with convolutions, section 6.
    """

    shown: tuple[str, ...] = ("size", "scale", "ratio", "interpolation", "antialias")

    def __init__(self, size: Any, scale: Sequence[float] = (0.08, 1.0),
                 ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0), interpolation: Any = BILINEAR,
                 antialias: bool | None = True) -> None:
        super().__init__()
        self.size = size_pair(size)
        pair(scale, "scale")
        pair(ratio, "ratio")
        self.scale, self.ratio, self.antialias = scale, ratio, antialias
        self.interpolation = interpolation_mode(interpolation)

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float],
                   ) -> tuple[int, int, int, int]:
        """Return top, left, height and width of a random part."""
        _, height, width = F.get_dimensions(img)
        low, high = math.log(ratio[0]), math.log(ratio[1])
        for _ in range(10):
            area = height * width * chance.between(scale[0], scale[1])
            shape = math.exp(chance.between(low, high))
            w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < w <= width and 0 < h <= height:
                top = chance.whole(0, height - h + 1)
                return top, chance.whole(0, width - w + 1), h, w
        # No luck: the largest part of the middle with an allowed shape.
        w, h = width, height
        if width / height < min(ratio):
            h = round(width / min(ratio))
        elif width / height > max(ratio):
            w = round(height * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        """Return a random part in the size asked for."""
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, self.antialias)


class FiveCrop(Picturing):
    """Returns the four corners and the middle, a tuple of five pictures.

    Args:
        size: (height, width), or one number for both.
    """

    shown: tuple[str, ...] = ("size",)

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = size_pair(size)

    def forward(self, img: Any) -> tuple[Any, ...]:
        """Return five pictures."""
        return F.five_crop(img, self.size)


class TenCrop(FiveCrop):
    """Returns the five crops of a picture and of its mirror image.

    Args:
        size: (height, width), or one number for both.
        vertical_flip: mirror top and bottom instead of left and right.
    """

    shown: tuple[str, ...] = ("size", "vertical_flip")

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> tuple[Any, ...]:
        """Return ten pictures."""
        return F.ten_crop(img, self.size, self.vertical_flip)


def _fill_for(img: Any, fill: Any) -> Any:
    """Return a fill for each channel of a tensor; a PIL image's is left alone."""
    if not isinstance(img, Tensor):
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * F.get_image_num_channels(img)
    return None if fill is None else [float(value) for value in fill]


def _checked_fill(fill: Any) -> Any:
    if fill is None:
        return 0
    if not isinstance(fill, (Sequence, numbers.Number)):
        raise ArgumentTypeError(f"fill={fill!r}",
                                why="Fill should be either a sequence or a number.")
    return fill


class RandomRotation(Picturing):
    """Turns a picture by a random angle.

    Args:
        degrees: from -degrees to degrees, or (lowest, highest), counter-clockwise.
        interpolation: an `InterpolationMode`.
        expand: make the result large enough for all of the picture.
        center: (x, y) that stays where it is; the middle when not given.
        fill: the colour where there is no picture.
    """

    shown: tuple[str, ...] = ("degrees", "interpolation", "expand")

    def __init__(self, degrees: Any, interpolation: Any = NEAREST, expand: bool = False,
                 center: Sequence[float] | None = None, fill: Any = 0) -> None:
        super().__init__()
        self.degrees = plus_and_minus(degrees, "degrees")
        if center is not None:
            pair(center, "center")
        self.interpolation = interpolation_mode(interpolation)
        self.expand, self.center, self.fill = expand, center, _checked_fill(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Return a random angle."""
        return chance.between(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        """Return the turned picture."""
        fill = _fill_for(img, self.fill)
        return F.rotate(img, self.get_params(self.degrees), self.interpolation, self.expand,
                        self.center, fill)


class RandomAffine(Picturing):
    """Turns, moves, scales and shears a picture by chance.

    Args:
        degrees: from -degrees to degrees, or (lowest, highest).
        translate: largest move, as parts (0 to 1) of width and height.
        scale: (smallest, largest), above 0.
        shear: from -shear to shear degrees along x; or two numbers for x; or four for x and y.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.
        center: (x, y) instead of the middle.
    """

    shown: tuple[str, ...] = ("degrees", "translate", "scale", "shear")

    def __init__(self, degrees: Any, translate: Sequence[float] | None = None,
                 scale: Sequence[float] | None = None, shear: Any = None,
                 interpolation: Any = NEAREST, fill: Any = 0,
                 center: Sequence[float] | None = None) -> None:
        super().__init__()
        self.degrees = plus_and_minus(degrees, "degrees")
        if translate is not None:
            pair(translate, "translate")
            if any(not 0.0 <= part <= 1.0 for part in translate):
                raise ArgumentError(f"RandomAffine: translate={translate}",
                                    why="translation values should be between 0 and 1")
        if scale is not None:
            pair(scale, "scale")
            if any(value <= 0 for value in scale):
                raise ArgumentError(f"RandomAffine: scale={scale}",
                                    why="scale values should be positive")
        self.shear: tuple[float, ...] | None = None
        if isinstance(shear, Sequence) and len(shear) == 4:
            self.shear = tuple(float(value) for value in shear)
        elif shear is not None:
            self.shear = plus_and_minus(shear, "shear")
        if center is not None:
            pair(center, "center")
        self.translate, self.scale, self.center = translate, scale, center
        self.interpolation, self.fill = interpolation_mode(interpolation), _checked_fill(fill)

    @staticmethod
    def get_params(
        degrees: Sequence[float], translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None, shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Return angle, move, scale and shear; img_size is (width, height)."""
        angle = chance.between(degrees[0], degrees[1])
        move = (0, 0)
        if translate is not None:
            right, down = float(translate[0] * img_size[0]), float(translate[1] * img_size[1])
            move_x = int(round(chance.between(-right, right)))
            move = (move_x, int(round(chance.between(-down, down))))
        scale = 1.0 if scale_ranges is None else chance.between(scale_ranges[0], scale_ranges[1])
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = chance.between(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = chance.between(shears[2], shears[3])
        return angle, move, scale, (shear_x, shear_y)

    def forward(self, img: Any) -> Any:
        """Return the transformed picture."""
        _, height, width = F.get_dimensions(img)
        angle, move, scale, shear = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height])
        return F.affine(img, angle, list(move), scale, list(shear), self.interpolation,
                        _fill_for(img, self.fill), self.center)


class RandomPerspective(Picturing):
    """Moves the four corners towards the middle by chance, with a probability.

    Args:
        distortion_scale: how far, as a part (0 to 1) of half the size.
        p: probability, 0 to 1.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.
    """

    shown: tuple[str, ...] = ("p",)

    def __init__(self, distortion_scale: float = 0.5, p: float = 0.5,
                 interpolation: Any = BILINEAR, fill: Any = 0) -> None:
        super().__init__()
        self.p, self.distortion_scale = p, distortion_scale
        self.interpolation, self.fill = interpolation_mode(interpolation), _checked_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float,
                   ) -> tuple[list[list[int]], list[list[int]]]:
        """Return the corners and where they go."""
        far_x = int(distortion_scale * (width // 2)) + 1
        far_y = int(distortion_scale * (height // 2)) + 1
        upper_left = [chance.whole(0, far_x), chance.whole(0, far_y)]
        upper_right = [chance.whole(width - far_x, width), chance.whole(0, far_y)]
        lower_right = [chance.whole(width - far_x, width), chance.whole(height - far_y, height)]
        lower_left = [chance.whole(0, far_x), chance.whole(height - far_y, height)]
        corners = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return corners, [upper_left, upper_right, lower_right, lower_left]

    def forward(self, img: Any) -> Any:
        """Return the picture, seen from elsewhere or not."""
        fill = _fill_for(img, self.fill)
        if chance.fraction() < self.p:
            _, height, width = F.get_dimensions(img)
            start, end = self.get_params(width, height, self.distortion_scale)
            return F.perspective(img, start, end, self.interpolation, fill)
        return img


class RandomErasing(Picturing):
    """Writes over a random rectangle of a tensor, with a probability.

    Args:
        p: probability, 0 to 1.
        scale: from which to which part of the picture's area.
        ratio: from which to which height / width.
        value: the number to write, one for each channel, or "random" for normal noise.
        inplace: write into the tensor itself.

    Source: Zhong et al. 2020, Random erasing data augmentation, algorithm 1.
    """

    shown: tuple[str, ...] = ("p", "scale", "ratio", "value", "inplace")

    def __init__(self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33),
                 ratio: Sequence[float] = (0.3, 3.3), value: Any = 0, inplace: bool = False,
                 ) -> None:
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise ArgumentTypeError(f"RandomErasing: value={value!r}",
                                    why="Argument value should be either a number or str or a "
                                    "sequence")
        if isinstance(value, str) and value != "random":
            raise ArgumentError(f"RandomErasing: value={value!r}",
                                why="If value is str, it should be 'random'")
        pair(scale, "scale")
        pair(ratio, "ratio")
        if scale[0] < 0 or scale[1] > 1:
            raise ArgumentError(f"RandomErasing: scale={scale}",
                                why="Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ArgumentError(f"RandomErasing: p={p}",
                                why="Random erasing probability should be between 0 and 1")
        self.p, self.scale, self.ratio = p, scale, ratio
        self.value, self.inplace = value, inplace

    @staticmethod
    def get_params(img: Tensor, scale: Sequence[float], ratio: Sequence[float],
                   value: list[float] | None = None) -> tuple[int, int, int, int, Tensor]:
        """Return top, left, height, width and what is written; None writes noise."""
        channels, height, width = img.shape[-3:]
        low, high = math.log(ratio[0]), math.log(ratio[1])
        for _ in range(10):
            area = height * width * chance.between(scale[0], scale[1])
            shape = math.exp(chance.between(low, high))
            h, w = int(round(math.sqrt(area * shape))), int(round(math.sqrt(area / shape)))
            if not (h < height and w < width):
                continue
            if value is None:
                written = empty((channels, h, w)).normal_()
            else:
                written = tensor(value)[:, None, None]
            top = chance.whole(0, height - h + 1)
            return top, chance.whole(0, width - w + 1), h, w, written
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        """Return the picture, with a hole or without."""
        if chance.fraction() >= self.p:
            return img
        value: list[float] | None = None
        if isinstance(self.value, (int, float)):
            value = [float(self.value)]
        elif isinstance(self.value, (tuple, list)):
            value = [float(number) for number in self.value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ArgumentError(
                f"RandomErasing: value={self.value}",
                why="If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)")
        return F.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)


class GaussianBlur(Picturing):
    """Blurs with a bell curve of random width.

    Args:
        kernel_size: odd number of pixels, or (across, down).
        sigma: width in pixels, or (smallest, largest), above 0.
    """

    shown: tuple[str, ...] = ("kernel_size", "sigma")

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = size_pair(kernel_size, "kernel_size")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ArgumentError(f"GaussianBlur: kernel_size={kernel_size}",
                                why="Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            sigma = (sigma, sigma)
        pair(sigma, "sigma")
        if not 0.0 < sigma[0] <= sigma[1]:
            raise ArgumentError(f"GaussianBlur: sigma={sigma}", why="sigma values should be "
                                "positive and of the form (min, max)")
        self.sigma = (float(sigma[0]), float(sigma[1]))

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Return a random width."""
        return chance.between(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        """Return the blurred picture."""
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, list(self.kernel_size), [sigma, sigma])


class ElasticTransform(Picturing):
    """Moves every pixel by a smooth random field.

    Args:
        alpha: how far, in pixels, along x and y.
        sigma: how smooth, in pixels, along x and y.
        interpolation: an `InterpolationMode`.
        fill: the colour where there is no picture.

    Source: Simard, Steinkraus, Platt 2003, Best practices for convolutional neural networks,
    section 2.
    """

    shown: tuple[str, ...] = ("alpha", "sigma", "interpolation", "fill")

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = BILINEAR,
                 fill: Any = 0) -> None:
        super().__init__()
        both = [[float(value)] * 2 if isinstance(value, numbers.Number)  # type: ignore[arg-type]
                else [float(value[0]), float(value[-1])] for value in (alpha, sigma)]
        self.alpha, self.sigma = both
        self.interpolation, self.fill = interpolation_mode(interpolation), _checked_fill(fill)

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """Return a random displacement (1, height, width, 2); size is (height, width)."""
        fields = []
        for far, smooth, length in zip(alpha, sigma, size):
            field = rand(1, 1, *size) * 2 - 1
            if smooth > 0.0:
                count = int(8 * smooth + 1)
                count += 1 - count % 2
                field = F.gaussian_blur(field, [count, count], [smooth, smooth])
            fields.append(field * far / length)
        return cat(fields, 1).permute(0, 2, 3, 1)

    def forward(self, img: Any) -> Any:
        """Return the picture as if drawn on rubber."""
        _, height, width = F.get_dimensions(img)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(img, displacement, self.interpolation,
                                   _fill_for(img, self.fill))
