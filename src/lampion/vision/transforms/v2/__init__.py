"""`torchvision.transforms.v2`: the transforms, called with whole samples such as (picture, label).

The picture of a sample is its PIL image, else its first tensor; everything else passes through.
Boxes and masks are not transformed along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lampion import dtypes
from lampion.errors import ArgumentTypeError
from lampion.nn import Module
from lampion.tensor import Tensor
from lampion.vision import chance, transforms
from lampion.vision.transforms import AutoAugmentPolicy, InterpolationMode
from lampion.vision.transforms.mixing import CutMix, MixUp
from lampion.vision.transforms.v2 import functional
from lampion.vision.transforms.v2.structure import on_samples


class Transform(Module):
    """What v2's transforms have in common; one of your own defines `transform(picture)`."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the changed picture."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """Return the sample with its picture changed."""
        return on_samples(lambda picture: self.transform(picture, {}), inputs)


class Compose(transforms.Compose):
    """Calls transforms one after the other, with whole samples.

    Args:
        transforms: callables.

    Example:
        >>> import numpy
        >>> prepare = Compose([ToImage(), ToDtype(dtypes.float32, scale=True)])
        >>> prepare(numpy.array([[0, 255]], dtype=numpy.uint8), 7)
        (tensor([[[0., 1.]]]), 7)
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        super().__init__(transforms)
        if not isinstance(transforms, Sequence):
            raise ArgumentTypeError(f"Compose: got a {type(transforms).__name__}",
                                    why="Argument transforms should be a sequence of callables")

    def __call__(self, *inputs: Any) -> Any:
        for transform in self.transforms:
            outputs = transform(*inputs)
            inputs = outputs if len(inputs) > 1 else (outputs,)
        return inputs if len(inputs) > 1 else inputs[0]


class Lambda(transforms.Lambda):
    """Calls a function with everything in a sample that is of the types given.

    Args:
        lambd: the function.
        types: all types when not given.
    """

    def __init__(self, lambd: Any, *types: type) -> None:
        super().__init__(lambd)
        self.types = types or (object,)

    def __call__(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        return self._changed(sample)

    def _changed(self, sample: Any) -> Any:
        if isinstance(sample, dict):
            return {key: self._changed(entry) for key, entry in sample.items()}
        if isinstance(sample, (tuple, list)):
            return type(sample)(self._changed(entry) for entry in sample)
        return self.lambd(sample) if isinstance(sample, self.types) else sample


class ToImage(Transform):
    """Turns a PIL image or an array into a tensor of the same numbers, channels first."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the tensor."""
        return functional.to_image(inpt)


class ToPureTensor(Transform):
    """Leaves tensors as they are: there is one kind of them here."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return what was given."""
        return inpt


Identity = ToPureTensor


class ToDtype(Transform):
    """Changes the element type.

    Args:
        dtype: the new type.
        scale: change the range too, so that uint8 0 to 255 becomes float 0 to 1.
    """

    def __init__(self, dtype: dtypes.dtype, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, dtypes.dtype):
            raise ArgumentTypeError(f"ToDtype: dtype={dtype!r}",
                                    why="one type is for the sample's picture",
                                    fix="ToDtype(torch.float32, scale=True)")
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the picture in the new type."""
        if not isinstance(inpt, Tensor):
            return inpt
        return functional.to_dtype(inpt, self.dtype, self.scale)


class GaussianNoise(Transform):
    """Adds normal noise to a floating-point tensor.

    Args:
        mean: mean of the noise.
        sigma: its standard deviation, 0 or more.
        clip: keep the result from 0 to 1.
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the noisy picture."""
        if not isinstance(inpt, Tensor) or not inpt.dtype.is_floating_point:
            raise ArgumentTypeError("GaussianNoise: the picture is no floating-point tensor",
                                    fix="ToDtype(torch.float32, scale=True) before it")
        noisy = inpt + (inpt.new_empty(inpt.shape).normal_() * self.sigma + self.mean)
        return noisy.clamp(0, 1) if self.clip else noisy


class _Chosen:
    """Calls with whole samples, for transforms made of others."""

    transforms: Sequence[Any]

    def _run(self, chosen: Sequence[Any], inputs: tuple[Any, ...]) -> Any:
        return Compose(list(chosen))(*inputs)


class RandomApply(_Chosen, transforms.RandomApply):
    """Calls all transforms with a probability, else none.

    Args:
        transforms: in a row.
        p: probability, 0 to 1.
    """

    def forward(self, *inputs: Any) -> Any:
        """Return the sample, transformed or not."""
        return self._run(self.transforms if chance.fraction() < self.p else [], inputs)


class RandomChoice(_Chosen, transforms.RandomChoice):
    """Calls one of the transforms.

    Args:
        transforms: to choose from.
        p: how likely each is; all alike when not given.
    """

    def __call__(self, *inputs: Any) -> Any:
        number = chance.chosen(self.p or [1.0] * len(self.transforms))
        return self._run([self.transforms[number]], inputs)


class RandomOrder(_Chosen, transforms.RandomOrder):
    """Calls all transforms, in random order."""

    def __call__(self, *inputs: Any) -> Any:
        return self._run([self.transforms[k] for k in chance.order(len(self.transforms))], inputs)


def _with_samples(base: type) -> Any:
    """Return a transform of the same name that is called with whole samples."""
    name = "forward" if issubclass(base, Module) else "__call__"
    change = getattr(base, name)

    def run(self: Any, *inputs: Any) -> Any:
        return on_samples(lambda picture: change(self, picture), inputs)

    run.__doc__ = "Return the sample with its picture changed."
    return type(base.__name__, (base,), {name: run, "__doc__": base.__doc__,
                                         "__module__": __name__})


AugMix = _with_samples(transforms.AugMix)
AutoAugment = _with_samples(transforms.AutoAugment)
CenterCrop = _with_samples(transforms.CenterCrop)
ColorJitter = _with_samples(transforms.ColorJitter)
ConvertImageDtype = _with_samples(transforms.ConvertImageDtype)
ElasticTransform = _with_samples(transforms.ElasticTransform)
FiveCrop = _with_samples(transforms.FiveCrop)
GaussianBlur = _with_samples(transforms.GaussianBlur)
Grayscale = _with_samples(transforms.Grayscale)
LinearTransformation = _with_samples(transforms.LinearTransformation)
Normalize = _with_samples(transforms.Normalize)
PILToTensor = _with_samples(transforms.PILToTensor)
Pad = _with_samples(transforms.Pad)
RandAugment = _with_samples(transforms.RandAugment)
RandomAdjustSharpness = _with_samples(transforms.RandomAdjustSharpness)
RandomAffine = _with_samples(transforms.RandomAffine)
RandomAutocontrast = _with_samples(transforms.RandomAutocontrast)
RandomCrop = _with_samples(transforms.RandomCrop)
RandomEqualize = _with_samples(transforms.RandomEqualize)
RandomErasing = _with_samples(transforms.RandomErasing)
RandomGrayscale = _with_samples(transforms.RandomGrayscale)
RandomHorizontalFlip = _with_samples(transforms.RandomHorizontalFlip)
RandomInvert = _with_samples(transforms.RandomInvert)
RandomPerspective = _with_samples(transforms.RandomPerspective)
RandomPosterize = _with_samples(transforms.RandomPosterize)
RandomResizedCrop = _with_samples(transforms.RandomResizedCrop)
RandomRotation = _with_samples(transforms.RandomRotation)
RandomSolarize = _with_samples(transforms.RandomSolarize)
RandomVerticalFlip = _with_samples(transforms.RandomVerticalFlip)
Resize = _with_samples(transforms.Resize)
TenCrop = _with_samples(transforms.TenCrop)
ToPILImage = _with_samples(transforms.ToPILImage)
ToTensor = _with_samples(transforms.ToTensor)
TrivialAugmentWide = _with_samples(transforms.TrivialAugmentWide)

__all__ = [
    "AugMix", "AutoAugment", "AutoAugmentPolicy", "CenterCrop", "ColorJitter", "Compose",
    "ConvertImageDtype", "CutMix", "ElasticTransform", "FiveCrop", "GaussianBlur",
    "GaussianNoise", "Grayscale", "Identity", "InterpolationMode", "Lambda",
    "LinearTransformation", "MixUp", "Normalize", "PILToTensor", "Pad", "RandAugment",
    "RandomAdjustSharpness", "RandomAffine", "RandomApply", "RandomAutocontrast", "RandomChoice",
    "RandomCrop", "RandomEqualize", "RandomErasing", "RandomGrayscale", "RandomHorizontalFlip",
    "RandomInvert", "RandomOrder", "RandomPerspective", "RandomPosterize", "RandomResizedCrop",
    "RandomRotation", "RandomSolarize", "RandomVerticalFlip", "Resize", "TenCrop", "ToDtype",
    "ToImage", "ToPILImage", "ToPureTensor", "ToTensor", "Transform", "TrivialAugmentWide",
    "functional",
]
