"""MNIST and the sets in its format: FashionMNIST and KMNIST."""

from __future__ import annotations

import gzip
import os
import zlib
from typing import Any, ClassVar

import numpy

from lampion.errors import FileFormatError
from lampion.functions.creation import from_numpy
from lampion.tensor import Tensor
from lampion.vision import mnist
from lampion.vision.datasets import vision as base
from lampion.vision.datasets.vision import VisionDataset


class MNIST(VisionDataset):
    """70,000 handwritten digits of 28x28 pixels, as pairs (picture, label).

    The four original files, compressed or not, are read from `root/MNIST/raw`, `root/mnist` or
    `root`; their checksums are compared. A picture is a PIL image (mode L), or where Pillow is not
    installed an array, which `ToTensor` takes as well.

    Args:
        root: the folder.
        train: True for the 60,000 training digits, False for the 10,000 test digits.
        transform: called with each picture.
        target_transform: called with each label, an int from 0 to 9.
        download: accepted; nothing is fetched. A missing file's error says where it belongs.

    Attributes:
        data: all pictures, Nx28x28, uint8.
        targets: all labels, N, int64.

    Raises:
        FileFormatError: a file is missing or is not the original.

    Source: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document
    recognition.

    Example:
        >>> from lampion.vision import datasets, transforms
        >>> digits = datasets.MNIST("data", train=False,        # doctest: +SKIP
        ...                         transform=transforms.ToTensor())
        >>> digits[0][0].shape                                  # doctest: +SKIP
        torch.Size([1, 28, 28])
    """

    source: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    # Checksum of each compressed file, and of what it holds where that is known.
    checksums: ClassVar[dict[str, tuple[str, str]]] = {
        "train-images-idx3-ubyte.gz": (
            mnist.CHECKSUMS["train-images-idx3-ubyte.gz"],
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        "train-labels-idx1-ubyte.gz": (
            mnist.CHECKSUMS["train-labels-idx1-ubyte.gz"],
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        "t10k-images-idx3-ubyte.gz": (
            mnist.CHECKSUMS["t10k-images-idx3-ubyte.gz"],
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        "t10k-labels-idx1-ubyte.gz": (
            mnist.CHECKSUMS["t10k-labels-idx1-ubyte.gz"],
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    }
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six",
        "7 - seven", "8 - eight", "9 - nine",
    ]

    def __init__(self, root: base.Root, train: bool = True, transform: Any = None,
                 target_transform: Any = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train, self._download = train, download
        part = "train" if train else "t10k"
        self.data = from_numpy(self._array(f"{part}-images-idx3-ubyte.gz"))
        self.targets = from_numpy(
            self._array(f"{part}-labels-idx1-ubyte.gz").astype(numpy.int64))

    @property
    def data(self) -> Any:
        """All pictures; another tensor or array of the kind can be put in their place."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data, self._pictures = value, _lent(value)

    @property
    def targets(self) -> Any:
        """All labels; another tensor, array or list of the kind can be put in their place."""
        return self._targets

    @targets.setter
    def targets(self, value: Any) -> None:
        self._targets, self._labels = value, _lent(value)

    @property
    def raw_folder(self) -> str:
        """Where the files belong."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class name."""
        return {name: number for number, name in enumerate(self.classes)}

    def _array(self, name: str) -> numpy.ndarray:
        """Return the array in one of the files."""
        folders = [self.raw_folder, os.path.join(self.root, type(self).__name__.lower()),
                   self.root]
        bare = name.removesuffix(".gz")
        compressed, plain = self.checksums[name]
        path = base.first_existing(os.path.join(folder, file)
                                   for folder in folders for file in (name, bare))
        if path is None:
            raise base.not_found(type(self).__name__, os.path.join(self.raw_folder, name),
                                 compressed, self.source + name, self._download,
                                 [os.path.join(folder, name) for folder in folders[1:]])
        content = base.read(path)
        if path.endswith(".gz"):
            base.verified(type(self).__name__, path, content, compressed)
        elif plain:
            base.verified(type(self).__name__, path, content, plain)
        try:
            return mnist.read_idx(content)
        except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileFormatError(f"{path}: {error}") from None

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        picture = base.picture_of(self._pictures[int(index)])
        return self.transformed(picture, int(self._labels[int(index)]))

    def extra_repr(self) -> str:
        """Return which part it is."""
        return f"Split: {'Train' if self.train else 'Test'}"


def _lent(value: Any) -> numpy.ndarray:
    """Return an array that sees what is written to `value`."""
    return value.numpy() if isinstance(value, Tensor) else numpy.asarray(value)


class FashionMNIST(MNIST):
    """70,000 pictures of clothes of 28x28 pixels, in MNIST's format; the same arguments.

    The files are read from `root/FashionMNIST/raw`, `root/fashionmnist` or `root`.

    Source: Xiao, Rasul, Vollgraf 2017, Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms.
    """

    source: ClassVar[str] = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    checksums: ClassVar[dict[str, tuple[str, str]]] = {
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    }
    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """70,000 handwritten Japanese characters of 28x28 pixels, in MNIST's format.

    The files are read from `root/KMNIST/raw`, `root/kmnist` or `root`; the same arguments.

    Source: Clanuwat et al. 2018, Deep learning for classical Japanese literature.
    """

    source: ClassVar[str] = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
    checksums: ClassVar[dict[str, tuple[str, str]]] = {
        "train-images-idx3-ubyte.gz": ("bdb82020997e1d708af4cf47b453dcf7", ""),
        "train-labels-idx1-ubyte.gz": ("e144d726b3acfaa3e44228e80efcd344", ""),
        "t10k-images-idx3-ubyte.gz": ("5c965bf0a639b31b8f53240b1b52f4d7", ""),
        "t10k-labels-idx1-ubyte.gz": ("7320c461ea6c1c855c0b718fb2a4b134", ""),
    }
    classes: ClassVar[list[str]] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
