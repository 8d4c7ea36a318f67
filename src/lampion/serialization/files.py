"""Writing a file so that a crash leaves the old one or the new one; telling formats apart."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from lampion.errors import ArgumentTypeError, FileFormatError, StateError
from lampion.serialization.safetensors_files import LARGEST_HEADER

Path = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` at the end, whole or not at all.

    The bytes go to a temporary file in the same directory, are forced to the disk, and the file
    is renamed; then the directory is forced to the disk too. A symbolic link is followed. What
    is not an ordinary file (a pipe, a device) is written directly.
    """
    target = os.path.realpath(path)
    directory, name = os.path.split(target)
    if not os.path.isdir(directory):
        raise StateError(
            f"Parent directory {directory} does not exist.",
            fix=f"os.makedirs({directory!r}, exist_ok=True)",
        )
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as file:  # raises for a directory
            yield file
        return
    temporary = os.path.join(directory, f".{name[:200]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if os.path.exists(target):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _force_directory(directory)


def _force_directory(directory: str) -> None:
    """Force a rename to the disk, where the system lets directories be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened(target: Any, mode: str) -> Iterator[BinaryIO]:
    """Open a path ("rb" or "wb"), or pass on a file-like object as it is."""
    needed = "read" if mode == "rb" else "write"
    if isinstance(target, (str, os.PathLike)):
        with open(target, "rb") if mode == "rb" else replacing(target) as file:
            yield file
    elif hasattr(target, needed):
        yield target
    else:
        raise ArgumentTypeError(
            f"a {type(target).__name__} as file",
            why=f"it must be a path, or an object with a {needed} method",
        )


def label(target: Any) -> str:
    """Return the name of a file in messages."""
    if isinstance(target, (str, os.PathLike)):
        return os.fspath(target)
    return str(getattr(target, "name", f"the {type(target).__name__}"))


# The pickle of PyTorch's magic number, which follows two bytes or more of pickle version.
LEGACY_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
KNOWN: list[tuple[Callable[[bytes], bool], str]] = [
    (lambda start: start[:2] == b"\x80\x02" or start[:1] == b"\x80" and start[1:2] <= b"\x05",
     "a Python pickle, which could run code when it is read"),
    (lambda start: start.startswith(b"\x93NUMPY"), "a NumPy array (.npy); use numpy.load"),
    (lambda start: start.startswith(b"\x89HDF"), "an HDF5 file"),
    (lambda start: start.startswith(b"GGUF"), "a GGUF file"),
    (lambda start: start.startswith(b"\x1f\x8b"), "a gzip archive; unpack it first"),
    (lambda start: start.startswith(b"version https://git-lfs"),
     "a Git LFS pointer, not the file itself; run `git lfs pull`"),
    (lambda start: start.lstrip()[:1] == b"<", "a web page; the download failed"),
]


def refuse_foreign(start: bytes, source: str) -> None:
    """Raise FileFormatError that says what the file is, if that is known."""
    size = int.from_bytes(start[:8], "little")
    if start[8:9] == b"{" and size <= LARGEST_HEADER:
        return  # safetensors; the length may begin like another format's mark
    if not start:
        raise FileFormatError(f"{source} is empty", why="nothing was ever written to it")
    for fits, what in KNOWN:
        if fits(start):
            raise FileFormatError(
                f"{source} is {what}", why="lampion reads safetensors and PyTorch's .pt files")
    if len(start) < 8:
        raise FileFormatError(f"{source} is cut off: it has {len(start)} bytes",
                              why="8 bytes and a header are the least")
    if start[8:9] not in (b"{", b""):
        raise FileFormatError(
            f"{source} is not a file that lampion can read",
            why="it is neither safetensors nor a PyTorch file",
        )
