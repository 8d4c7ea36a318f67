"""Pictures of noise, to try a program without data."""

from __future__ import annotations

from typing import Any

from lampion.errors import IndexRangeError
from lampion.functions.random import Generator, randint, randn
from lampion.vision.datasets.vision import VisionDataset, picture_of


class FakeData(VisionDataset):
    """Pictures of noise with random labels, the same ones each time.

    Args:
        size: how many.
        image_size: channels, height, width.
        num_classes: labels go from 0 to num_classes - 1.
        transform: called with each picture, a PIL image (an array where Pillow is missing).
        target_transform: called with each label.
        random_offset: another number gives other pictures.

    Example:
        >>> from lampion.vision import transforms
        >>> data = FakeData(8, (3, 16, 16), transform=transforms.ToTensor())
        >>> len(data), data[0][0].shape
        (8, torch.Size([3, 16, 16]))
    """

    def __init__(self, size: int = 1000, image_size: tuple[int, int, int] = (3, 224, 224),
                 num_classes: int = 10, transform: Any = None, target_transform: Any = None,
                 random_offset: int = 0) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes = size, image_size, num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexRangeError(f"{type(self).__name__} index out of range: {index}",
                                  why=f"it has {len(self)} pictures")
        generator = Generator().manual_seed(index + self.random_offset)
        noise = randn(*self.image_size, generator=generator)
        label = int(randint(0, self.num_classes, (1,), generator=generator).item())
        pixels = ((noise.abs()._read() * 255).astype("int64") % 256).astype("uint8")
        pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
        return self.transformed(picture_of(pixels.copy()), label)

    def __len__(self) -> int:
        return self.size
