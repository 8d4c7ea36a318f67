"""Pictures in folders, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from lampion.errors import FileFormatError
from lampion.vision.datasets import vision as base
from lampion.vision.datasets.vision import VisionDataset
from lampion.vision.pictures import read_picture
from lampion.vision.pillow import has_pillow, pillow

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
Loader = Callable[[str], Any]
Samples = list[tuple[str, int]]


class NoClassesError(FileFormatError, FileNotFoundError):
    """A folder without what a data set of folders needs."""


def default_loader(path: str) -> Any:
    """Return the picture of a file in red, green and blue: a PIL image.

    Without Pillow it is an array (height, width, 3), and only PNG, PGM and PPM can be read.
    """
    if has_pillow():
        with open(path, "rb") as stream:
            return pillow("").Image.open(stream).convert("RGB")
    pixels = read_picture(path)
    return pixels if pixels.ndim == 3 else pixels[:, :, None].repeat(3, axis=2)


pil_loader = default_loader


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Tell whether a file's name ends in one of the extensions, in large or small letters."""
    return filename.lower().endswith(extensions)


def is_image_file(filename: str) -> bool:
    """Tell whether a file's name is that of a picture."""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: base.Root) -> tuple[list[str], dict[str, int]]:
    """Return the names of the folders in a folder, sorted, and the number of each.

    Raises:
        FileFormatError: there are none (it is a FileNotFoundError, too).
    """
    names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not names:
        raise NoClassesError(f"Couldn't find any class folder in {os.fspath(directory)}.",
                             why="each class has a folder of its own, with its pictures inside",
                             fix="root/cat/1.png, root/dog/1.png ...")
    return names, {name: number for number, name in enumerate(names)}


def make_dataset(
    directory: base.Root, class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False,
) -> Samples:
    """Return (path, number of the class) of every file below a folder, sorted.

    Args:
        directory: the folder; `~` is the home folder.
        class_to_idx: numbers of the classes; by default of `find_classes`.
        extensions: of the files wanted; or
        is_valid_file: tells of a path whether it is wanted.
        allow_empty: a class may have no files.
    """
    directory = os.path.expanduser(os.fspath(directory))
    if class_to_idx is None:
        class_to_idx = find_classes(directory)[1]
    elif not class_to_idx:
        raise base.ArgumentError("make_dataset: class_to_idx is empty",
                                 why="'class_to_index' must have at least one entry to collect "
                                 "any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise base.ArgumentError("make_dataset: extensions and is_valid_file",
                                 why="Both extensions and is_valid_file cannot be None or not "
                                 "None at the same time")
    endings = (extensions,) if isinstance(extensions, str) else tuple(extensions or ())
    wanted = is_valid_file or (lambda path: has_file_allowed_extension(path, endings))
    samples, found = [], set()
    for name in sorted(class_to_idx):
        for folder, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=True)):
            for file in sorted(files):
                path = os.path.join(folder, file)
                if wanted(path):
                    samples.append((path, class_to_idx[name]))
                    found.add(name)
    empty = sorted(set(class_to_idx) - found)
    if empty and not allow_empty:
        supported = f"Supported extensions are: {', '.join(endings)}" if endings else None
        raise NoClassesError(f"Found no valid file for the classes {', '.join(empty)}.",
                             why=supported, fix="allow_empty=True")
    return samples


class DatasetFolder(VisionDataset):
    """Files in folders, as pairs (sample, number of its class): root/class/anything.ext.

    Args:
        root: the folder that holds one folder for each class.
        loader: called with a path, returns the sample.
        extensions: of the files wanted; or
        is_valid_file: tells of a path whether it is wanted.
        transform: called with each sample.
        target_transform: called with each class number.
        allow_empty: a class may have no files.

    Attributes:
        classes: names of the classes, sorted.
        class_to_idx: the number of each.
        samples: (path, number) of every file.
        targets: all numbers.
    """

    def __init__(self, root: base.Root, loader: Loader,
                 extensions: tuple[str, ...] | None = None, transform: Any = None,
                 target_transform: Any = None, is_valid_file: Callable[[str], bool] | None = None,
                 allow_empty: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file,
                                         allow_empty)
        self.loader, self.extensions = loader, extensions
        self.targets = [number for _, number in self.samples]

    @staticmethod
    def make_dataset(directory: base.Root, class_to_idx: dict[str, int],
                     extensions: tuple[str, ...] | None = None,
                     is_valid_file: Callable[[str], bool] | None = None,
                     allow_empty: bool = False) -> Samples:
        """Return (path, number) of every file; to be replaced for another layout."""
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: base.Root) -> tuple[list[str], dict[str, int]]:
        """Return names and numbers of the classes; to be replaced for another layout."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, number = self.samples[index]
        return self.transformed(self.loader(path), number)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures in folders, as pairs (picture, number of its class): root/cat/1.png.

    Args:
        root: the folder that holds one folder for each class.
        transform: called with each picture, a PIL image (an array where Pillow is missing).
        target_transform: called with each class number.
        loader: called with a path, returns the picture.
        is_valid_file: tells of a path whether it is wanted.
        allow_empty: a class may have no files.

    Example:
        >>> import os, numpy
        >>> from lampion.vision import write_png
        >>> os.makedirs("pets/cat")
        >>> write_png("pets/cat/1.png", numpy.zeros((2, 3), dtype=numpy.uint8))
        >>> pets = ImageFolder("pets")
        >>> pets.classes, len(pets), pets[0][1]
        (['cat'], 1, 0)
    """

    def __init__(self, root: base.Root, transform: Any = None, target_transform: Any = None,
                 loader: Loader = default_loader,
                 is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False,
                 ) -> None:
        super().__init__(root, loader, IMG_EXTENSIONS if is_valid_file is None else None,
                         transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
