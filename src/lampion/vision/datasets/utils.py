"""`torchvision.datasets.utils`: checksums and archives; what would fetch a file says so."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zipfile
from typing import Any, NoReturn

from lampion.errors import FileFormatError, UnsupportedError

Path = str | os.PathLike[str]


def calculate_md5(fpath: Path, chunk_size: int = 1024 * 1024) -> str:
    """Return the MD5 of a file."""
    found = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as stream:
        while part := stream.read(chunk_size):
            found.update(part)
    return found.hexdigest()


def check_md5(fpath: Path, md5: str, **kwargs: Any) -> bool:
    """Tell whether a file has an MD5."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: Path, md5: str | None = None) -> bool:
    """Tell whether a file is there, and has an MD5 where one is given."""
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def extract_archive(from_path: Path, to_path: Path | None = None, remove_finished: bool = False,
                    ) -> str:
    """Unpack a .zip, .tar, .tar.gz, .tar.xz or .gz file; return where it was unpacked to.

    Args:
        from_path: the file.
        to_path: the folder; by default the file's own.
        remove_finished: remove the file afterwards.

    Raises:
        FileFormatError: no such archive, or one that would write outside of the folder.
    """
    source = os.fspath(from_path)
    folder = os.path.dirname(source) if to_path is None else os.fspath(to_path)
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            _inside(source, folder, archive.namelist())
            archive.extractall(folder)
    elif tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            members = [member for member in archive.getmembers() if member.isreg()
                       or member.isdir()]
            _inside(source, folder, [member.name for member in members])
            archive.extractall(folder, members)
    elif source.endswith(".gz"):
        folder = os.path.join(folder, os.path.basename(source)[:-3])
        with gzip.open(source) as packed, open(folder, "wb") as plain:
            shutil.copyfileobj(packed, plain)
    else:
        raise FileFormatError(f"{source}: no archive that can be unpacked",
                              why="known are zip, tar (gz, bz2, xz) and gz")
    if remove_finished:
        os.remove(source)
    return folder


def _inside(source: str, folder: str, names: list[str]) -> None:
    root = os.path.realpath(folder or ".")
    for name in names:
        place = os.path.realpath(os.path.join(root, name))
        if os.path.commonpath([root, place]) != root:
            raise FileFormatError(f"{source}: the archive would write {name!r}",
                                  why="that lies outside of the folder it is unpacked to")


def download_url(url: str, root: Path, filename: str | None = None, md5: str | None = None,
                 **kwargs: Any) -> None:
    """Do nothing where the file is there already.

    Raises:
        UnsupportedError: it is not; nothing is fetched.
    """
    path = os.path.join(root, filename or os.path.basename(url))
    if not check_integrity(path, md5):
        refuse(url, path, md5)


def download_and_extract_archive(url: str, download_root: Path, extract_root: Path | None = None,
                                 filename: str | None = None, md5: str | None = None,
                                 remove_finished: bool = False) -> None:
    """Unpack an archive that is there already.

    Raises:
        UnsupportedError: it is not; nothing is fetched.
    """
    name = filename or os.path.basename(url)
    download_url(url, download_root, name, md5)
    extract_archive(os.path.join(download_root, name), extract_root or download_root,
                    remove_finished)


def refuse(url: str, path: str, md5: str | None) -> NoReturn:
    """Say that nothing is fetched, and what to do instead."""
    raise UnsupportedError(
        f"there is no file {path}" + (f" with the MD5 {md5}" if md5 else ""),
        why="lampion fetches nothing by itself",
        fix=f"mkdir -p {os.path.dirname(path) or '.'} && curl -L -o {path} {url}")
