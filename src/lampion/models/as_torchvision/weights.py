"""torchvision's files of weights: their names, where they belong, and how they are read.

Nothing is fetched. A file that torchvision fetched before, or that was put into the folder by hand,
is used after its checksum was compared.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from lampion.errors import ArgumentError, FileFormatError
from lampion.serialization import load
from lampion.tensor import Tensor
from lampion.vision import transforms

SOURCE = "https://download.pytorch.org/models/"
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours

# Name of the weights -> the files of IMAGENET1K_V1 and _V2; each ends in the first eight digits of
# its SHA-256.
FILES = {
    "AlexNet": ("alexnet-owt-7be5be79.pth",),
    "MobileNet_V2": ("mobilenet_v2-b0353104.pth", "mobilenet_v2-7ebf99e0.pth"),
    "ResNet18": ("resnet18-f37072fd.pth",),
    "ResNet34": ("resnet34-b627a593.pth",),
    "ResNet50": ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"),
    "ResNet101": ("resnet101-63fe2227.pth", "resnet101-cd907fc2.pth"),
    "ResNet152": ("resnet152-394f9c45.pth", "resnet152-f82ba261.pth"),
    "VGG11": ("vgg11-8a719046.pth",),
    "VGG11_BN": ("vgg11_bn-6002323d.pth",),
    "VGG13": ("vgg13-19584684.pth",),
    "VGG13_BN": ("vgg13_bn-abd245e5.pth",),
    "VGG16": ("vgg16-397923af.pth",),
    "VGG16_BN": ("vgg16_bn-6c64b313.pth",),
    "VGG19": ("vgg19-dcbb9e9d.pth",),
    "VGG19_BN": ("vgg19_bn-c79401a0.pth",),
    "ViT_B_16": ("vit_b_16-c867db91.pth",),
}


@dataclass(frozen=True)
class Weights:
    """One file of weights.

    Args:
        file: its name.
        resize_size: to which the shorter edge of a picture is brought before 224x224 are cut out.
    """

    file: str
    resize_size: int = 256

    @property
    def url(self) -> str:
        """Where the file is published."""
        return SOURCE + self.file


class WeightsEnum(Enum):
    """The files of one architecture, as torchvision's enumerations of weights."""

    @classmethod
    def verify(cls, wanted: Any) -> Any:
        """Return the member that is meant: by itself, its name, or "DEFAULT"; None for None.

        Raises:
            ArgumentError: there is no such one.
        """
        if wanted is None or wanted is False:
            return None
        if isinstance(wanted, cls):
            return wanted
        name = str(wanted).rpartition(".")[2] if isinstance(wanted, str) else ""
        if wanted is True:
            name = "IMAGENET1K_V1"  # the older pretrained=True
        if name not in cls.__members__:
            raise ArgumentError(f"weights={wanted!r}",
                                why=f"{cls.__name__} has {', '.join(cls.__members__)}",
                                fix="weights='DEFAULT'")
        return cls[name]

    @property
    def url(self) -> str:
        """Where the file is published."""
        return self.value.url

    @property
    def transforms(self) -> Callable[..., Any]:
        """What prepares a picture, when called."""
        size = self.value.resize_size
        return lambda: prepared(size)

    def get_state_dict(self, progress: bool = True, check_hash: bool = True) -> dict[str, Any]:
        """Return the weights in the file on this machine.

        Raises:
            FileFormatError: there is no file, or it is another one.
        """
        folder = checkpoints()
        path = os.path.join(folder, self.value.file)
        digits = re.findall(r"-([0-9a-f]{8})\.pth$", path)[0]
        if not os.path.exists(path):
            raise FileFormatError(
                f"{type(self).__name__}.{self.name}: there is no file {path}",
                why="lampion fetches nothing by itself; the SHA-256 of the original begins with "
                f"{digits}",
                fix=f"mkdir -p {folder} && curl -L -o {path} {self.url}")
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if not found.startswith(digits):
            raise FileFormatError(
                f"{path} is damaged, or another file of that name",
                why=f"its SHA-256 begins with {found[:8]}, the original's with {digits}",
                fix="copy the original file over it")
        return load(path, weights_only=True)


def checkpoints() -> str:
    """Return the folder where PyTorch keeps files of weights."""
    cache = os.environ.get("XDG_CACHE_HOME", os.path.join("~", ".cache"))
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return os.path.join(os.path.expanduser(home), "hub", "checkpoints")


def prepared(resize_size: int = 256, crop_size: int = 224) -> transforms.Compose:
    """Return what ImageNet's networks want of a picture: size, middle, numbers, colours."""
    def to_numbers(picture: Any) -> Any:
        if not isinstance(picture, Tensor):
            picture = transforms.functional.pil_to_tensor(picture)
        return transforms.functional.convert_image_dtype(picture)

    return transforms.Compose([
        transforms.Resize(resize_size), transforms.CenterCrop(crop_size),
        transforms.Lambda(to_numbers), transforms.Normalize(list(MEAN), list(SPREAD))])


def enumeration(name: str) -> Any:
    """Return the enumeration of the files of an architecture.

    Example:
        >>> enumeration("ResNet50").DEFAULT.url
        'https://download.pytorch.org/models/resnet50-11ad3fa6.pth'
    """
    members = {f"IMAGENET1K_V{number}": Weights(file, 256 if number == 1 else 232)
               for number, file in enumerate(FILES[name], 1)}
    members["DEFAULT"] = list(members.values())[-1]
    make: Any = WeightsEnum
    return make(f"{name}_Weights", members, module="lampion.models.as_torchvision")
