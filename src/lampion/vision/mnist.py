"""MNIST: 70,000 handwritten digits, read from the four original files.

LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any

import numpy

from lampion.data import Dataset
from lampion.errors import FileFormatError
from lampion.functions.creation import from_numpy
from lampion.tensor import Tensor

# name -> SHA-256 of the original file
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}
UNSIGNED_BYTE = 8


class MNIST(Dataset):
    """The MNIST digits as a data set of pairs (picture, label).

    A picture is a 1x28x28 float32 tensor, 0 (paper) to 1 (ink); a label is an int, 0 to 9.

    Args:
        root: the folder with the four original `.gz` files.
        train: True for the 60,000 training digits, False for the 10,000 test digits.
        transform: called with each picture; its result takes the picture's place.
        target_transform: the same for each label.

    Attributes:
        data: all pictures, Nx28x28, uint8, 0 to 255.
        targets: all labels, N, int64.

    Raises:
        FileFormatError: a file is missing, or its SHA-256 is not the original's.

    Example:
        >>> digits = MNIST("data/mnist", train=False)           # doctest: +SKIP
        >>> picture, label = digits[0]                          # doctest: +SKIP
        >>> picture.shape, label                                # doctest: +SKIP
        (torch.Size([1, 28, 28]), 7)
    """

    classes = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ):
        pictures, labels = load(root, train)
        self.data: Tensor = from_numpy(pictures)
        self.targets: Tensor = from_numpy(labels)
        self.train, self.transform, self.target_transform = train, transform, target_transform
        self._pictures, self._labels = pictures, labels

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture: Any = from_numpy(self._pictures[index][None].astype(numpy.float32) / 255)
        label: Any = int(self._labels[index])
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return picture, label


def load(root: str | os.PathLike[str], train: bool = True) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return pictures (Nx28x28, uint8) and labels (N, int64) as NumPy arrays.

    Args:
        root: the folder with the four original `.gz` files.
        train: True for the 60,000 training digits, False for the 10,000 test digits.

    Raises:
        FileFormatError: a file is missing, or its SHA-256 is not the original's.
    """
    part = "train" if train else "t10k"
    pictures = read_idx(checked(root, f"{part}-images-idx3-ubyte.gz"))
    labels = read_idx(checked(root, f"{part}-labels-idx1-ubyte.gz"))
    return pictures, labels.astype(numpy.int64)


def checked(root: str | os.PathLike[str], name: str) -> bytes:
    """Return the content of an original MNIST file, after comparing its checksum."""
    path = os.path.join(root, name)
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except FileNotFoundError:
        raise FileFormatError(
            f"MNIST: there is no file {path}",
            why=f"the data set is the four files {', '.join(CHECKSUMS)}",
            fix='MNIST("data/mnist"), the folder of that name in lampion\'s repository',
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != CHECKSUMS[name]:
        raise FileFormatError(
            f"MNIST: {path} is damaged, or another file of that name ({len(content):,} bytes)",
            why=f"its SHA-256 is {found}, the original's is {CHECKSUMS[name]}",
            fix="copy the original file over it",
        )
    return content


def read_idx(content: bytes) -> numpy.ndarray:
    """Return the array in an IDX file (unsigned bytes), gzip-compressed or not.

    Layout: two zero bytes, element type, number of axes; each axis as a big-endian 32-bit integer;
    the elements in row-major order.

    Raises:
        FileFormatError: the bytes are not an IDX file of unsigned bytes.

    Example:
        >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + b"abc").tolist()
        [97, 98, 99]
    """
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise FileFormatError(f"IDX file: the gzip data is damaged ({error})") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise FileFormatError(
            f"IDX file: unexpected first bytes {content[:4].hex(' ')}",
            why="an IDX file of unsigned bytes starts with 00 00 08 and the number of axes",
        )
    axes = content[3]
    header = 4 + 4 * axes
    if len(content) < header:
        raise FileFormatError(f"IDX file: {len(content)} bytes, the header alone has {header}")
    shape = numpy.frombuffer(content, ">u4", axes, offset=4).astype(int)
    expected = header + int(shape.prod())
    if len(content) != expected:
        raise FileFormatError(
            f"IDX file: {len(content):,} bytes where its header promises {expected:,}"
        )
    return numpy.frombuffer(content, numpy.uint8, offset=header).reshape(shape).copy()
