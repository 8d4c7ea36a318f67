"""CIFAR-10 and CIFAR-100, read from the Python archive or from the binary one.

Krizhevsky: Learning multiple layers of features from tiny images, 2009.
"""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from typing import Any, ClassVar

import numpy

from lampion.errors import FileFormatError
from lampion.vision.datasets import vision as base
from lampion.vision.datasets.vision import VisionDataset

PIXELS = 3 * 32 * 32
# What the pickles of these archives are made of. Any other name in them is refused: unpickling
# could run anything.
ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
           ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise FileFormatError(f"CIFAR: the file asks for {module}.{name}",
                                  why="a batch of CIFAR holds arrays, lists and text only")
        return super().find_class(module, name)


def unpickled(content: bytes, path: str) -> dict[str, Any]:
    """Return the dict in a file of the Python archive.

    Raises:
        FileFormatError: it is damaged, or asks for more than arrays.
    """
    try:
        entry = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, AttributeError,
            TypeError) as error:
        raise FileFormatError(f"CIFAR: {path} is damaged ({error})") from None
    if not isinstance(entry, dict):
        raise FileFormatError(f"CIFAR: {path} holds a {type(entry).__name__}, not a dict")
    return entry


class CIFAR10(VisionDataset):
    """60,000 colour pictures of 32x32 pixels in ten classes, as pairs (picture, label).

    Read from the folder `cifar-10-batches-py` in `root`, or from the archive
    `cifar-10-python.tar.gz` there, unpacked or not; or from `cifar-10-batches-bin` or
    `cifar-10-binary.tar.gz`. Checksums are compared. A picture is a PIL image, or where Pillow is
    not installed an array, which `ToTensor` takes as well.

    Args:
        root: the folder.
        train: True for the 50,000 training pictures, False for the 10,000 test pictures.
        transform: called with each picture.
        target_transform: called with each label, an int from 0 to 9.
        download: accepted; nothing is fetched. A missing file's error says where it belongs.

    Attributes:
        data: all pictures, Nx32x32x3, uint8.
        targets: all labels, a list.
        classes: their names.

    Raises:
        FileFormatError: a file is missing or is not the original.
    """

    base_folder: ClassVar[str] = "cifar-10-batches-py"
    archive: ClassVar[tuple[str, str]] = ("cifar-10-python.tar.gz",
                                          "c58f30108f718f92721af3b95e74349a")
    binary_folder: ClassVar[str] = "cifar-10-batches-bin"
    binary_archive: ClassVar[tuple[str, str]] = ("cifar-10-binary.tar.gz",
                                                 "c32a1d4ab5d03f1284b67883e8d87530")
    train_list: ClassVar[list[tuple[str, str]]] = [
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    ]
    test_list: ClassVar[list[tuple[str, str]]] = [
        ("test_batch", "40351d587109b95175f43aff81a1287e")]
    meta: ClassVar[tuple[str, str]] = ("batches.meta", "5ff9c542aee3614f3951f8cda6e48888")
    meta_key: ClassVar[str] = "label_names"
    binary_meta: ClassVar[str] = "batches.meta.txt"
    labels_key: ClassVar[str] = "labels"
    label_bytes: ClassVar[int] = 1
    # Pictures in a file of the binary archive: of training, and of the test.
    counts: ClassVar[dict[bool, int]] = {True: 10_000, False: 10_000}

    def __init__(self, root: base.Root, train: bool = True, transform: Any = None,
                 target_transform: Any = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self.data: Any
        self.targets: list[int]
        self.classes: list[str]
        self._load(download)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}

    def _load(self, download: bool) -> None:
        files = self.train_list if self.train else self.test_list
        places = [os.path.join(self.root, name) for name in (
            self.base_folder, self.archive[0], self.binary_folder, self.binary_archive[0])]
        found = base.first_existing(places)
        if found is None:
            place = places[1]
            raise base.not_found(type(self).__name__, place, self.archive[1],
                                 f"https://www.cs.toronto.edu/~kriz/{self.archive[0]}", download,
                                 [places[0], *places[2:]])
        if found in places[:2]:
            contents = self._contents(found, self.base_folder, [*files, self.meta])
            batches = [unpickled(contents[name], name) for name, _ in files]
            pixels = [numpy.asarray(batch["data"]) for batch in batches]
            self.targets = [int(label) for batch in batches for label in batch[self.labels_key]]
            self.classes = list(unpickled(contents[self.meta[0]], self.meta[0])[self.meta_key])
        else:
            names = [(f"{name}.bin", "") for name, _ in files]
            contents = self._contents(found, self.binary_folder, [*names, (self.binary_meta, "")])
            rows = [self._rows(contents[name], name) for name, _ in names]
            pixels = [part[:, self.label_bytes:] for part in rows]
            self.targets = [int(label) for part in rows for label in part[:, self.label_bytes - 1]]
            self.classes = contents[self.binary_meta].decode().split()
        whole = numpy.concatenate(pixels).reshape(-1, 3, 32, 32)
        self.data = numpy.ascontiguousarray(whole.transpose(0, 2, 3, 1))

    def _contents(self, path: str, folder: str, files: list[tuple[str, str]]) -> dict[str, bytes]:
        """Return the content of each file, out of the folder or the archive."""
        name = type(self).__name__
        if os.path.isdir(path):
            contents = {}
            for file, checksum in files:
                place = os.path.join(path, file)
                if not os.path.exists(place):
                    raise FileFormatError(f"{name}: there is no file {place}",
                                          why="the folder is not complete",
                                          fix=f"unpack {self.archive[0]} again")
                contents[file] = base.read(place)
                if checksum:
                    base.verified(name, place, contents[file], checksum)
            return contents
        whole = base.read(path)
        known = dict([self.archive, self.binary_archive])[os.path.basename(path)]
        base.verified(name, path, whole, known)
        contents = {}
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            for file, _ in files:
                member = archive.extractfile(f"{folder}/{file}")
                assert member is not None, file
                contents[file] = member.read()
        return contents

    def _rows(self, content: bytes, path: str) -> numpy.ndarray:
        row, count = self.label_bytes + PIXELS, self.counts[self.train]
        if len(content) != row * count:
            raise FileFormatError(
                f"{type(self).__name__}: {path} has {len(content):,} bytes",
                why=f"{count:,} pictures of {row:,} bytes are {row * count:,}")
        return numpy.frombuffer(content, numpy.uint8).reshape(-1, row)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        return self.transformed(base.picture_of(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        """Return which part it is."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """60,000 colour pictures of 32x32 pixels in a hundred classes; the same arguments.

    Read from `cifar-100-python`, `cifar-100-python.tar.gz`, `cifar-100-binary` or
    `cifar-100-binary.tar.gz` in `root`.
    """

    base_folder: ClassVar[str] = "cifar-100-python"
    archive: ClassVar[tuple[str, str]] = ("cifar-100-python.tar.gz",
                                          "eb9058c3a382ffc7106e4002c42a8d85")
    binary_folder: ClassVar[str] = "cifar-100-binary"
    binary_archive: ClassVar[tuple[str, str]] = ("cifar-100-binary.tar.gz",
                                                 "03b5dce01913d631647c71ecec9e9cb8")
    train_list: ClassVar[list[tuple[str, str]]] = [("train", "16019d7e3df5f24257cddd939b257f8d")]
    test_list: ClassVar[list[tuple[str, str]]] = [("test", "f0ef6b0ae62326f3e7ffdfab6717acfc")]
    meta: ClassVar[tuple[str, str]] = ("meta", "7973b15100ade9c7d40fb424638fde48")
    meta_key: ClassVar[str] = "fine_label_names"
    binary_meta: ClassVar[str] = "fine_label_names.txt"
    labels_key: ClassVar[str] = "fine_labels"
    label_bytes: ClassVar[int] = 2  # the coarse label, then the fine one
    counts: ClassVar[dict[bool, int]] = {True: 50_000, False: 10_000}
