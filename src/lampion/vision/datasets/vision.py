"""What data sets of pictures have in common: transforms, where files are looked for, checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy

from lampion.data import Dataset
from lampion.errors import ArgumentError, FileFormatError
from lampion.vision.pillow import has_pillow, pillow

Change = Callable[..., Any]
Root = str | os.PathLike[str]


class VisionDataset(Dataset):
    """A data set of pictures in a folder.

    Args:
        root: the folder.
        transforms: called with a picture and its target, returns both.
        transform: called with each picture; its result takes the picture's place.
        target_transform: the same for each target.

    Raises:
        ArgumentError: `transforms` together with one of the others.
    """

    def __init__(self, root: Root | None = None, transforms: Change | None = None,
                 transform: Change | None = None, target_transform: Change | None = None) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ArgumentError(
                f"{type(self).__name__}: transforms together with transform or target_transform",
                why="Only transforms or transform/target_transform can be passed as argument")
        self.root: Any = "" if root is None else os.path.expanduser(os.fspath(root))
        self.transforms = transforms
        self.transform, self.target_transform = transform, target_transform

    def transformed(self, picture: Any, target: Any) -> tuple[Any, Any]:
        """Return picture and target after the transforms."""
        if self.transforms is not None:
            return self.transforms(picture, target)
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def extra_repr(self) -> str:
        """Return a line more for `print`."""
        return ""

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root:
            lines.append(f"Root location: {self.root}")
        lines += [line for line in self.extra_repr().splitlines() if line]
        for name in ("transforms", "transform", "target_transform"):
            if getattr(self, name) is not None:
                lines.append(f"{name}: {getattr(self, name)}".replace("\n", "\n    "))
        return f"Dataset {type(self).__name__}\n" + "\n".join(f"    {line}" for line in lines)


def picture_of(pixels: numpy.ndarray) -> Any:
    """Return pixels (height, width) or (height, width, 3) as a PIL image.

    Without Pillow they stay an array, which `ToTensor` takes.
    """
    return pillow("").Image.fromarray(pixels) if has_pillow() else pixels


def checksum_of(content: bytes, wanted: str) -> str:
    """Return the checksum of bytes, by the method that the wanted one was made with."""
    methods = {32: "md5", 64: "sha256"}
    return hashlib.new(methods[len(wanted)], content, usedforsecurity=False).hexdigest()


def verified(name: str, path: str, content: bytes, wanted: str) -> bytes:
    """Return the content of an original file after comparing its checksum.

    Raises:
        FileFormatError: the file is another one.
    """
    found = checksum_of(content, wanted)
    if found != wanted:
        method = "MD5" if len(wanted) == 32 else "SHA-256"
        raise FileFormatError(
            f"{name}: {path} is damaged, or another file of that name ({len(content):,} bytes)",
            why=f"its {method} is {found}, the original's is {wanted}",
            fix="copy the original file over it")
    return content


def read(path: str) -> bytes:
    """Return a file's content."""
    return Path(path).read_bytes()


def first_existing(paths: Iterable[str]) -> str | None:
    """Return the first path that exists, or None."""
    return next((path for path in paths if os.path.exists(path)), None)


def not_found(name: str, place: str, checksum: str, source: str, download: bool,
              others: Iterable[str] = ()) -> FileFormatError:
    """Return the error that says where a missing file belongs and how to know it.

    Args:
        name: the data set.
        place: where the file belongs.
        checksum: of the original file.
        source: where the original is published.
        download: whether the program asked for a download.
        others: other places that were looked at.
    """
    method = "MD5" if len(checksum) == 32 else "SHA-256"
    looked = "".join(f" (nor {other})" for other in others)
    asked = "download=True: lampion fetches nothing by itself; " if download else ""
    return FileFormatError(
        f"{name}: Dataset not found: there is no file {place}{looked}",
        why=f"{asked}the original has the {method} {checksum}",
        fix=f"put it there yourself, for example: mkdir -p {os.path.dirname(place) or '.'} && "
        f"curl -L -o {place} {source}")
