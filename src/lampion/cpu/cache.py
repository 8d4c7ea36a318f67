"""Compiled code on disk, by content: many processes, crashes and full disks cannot hurt it.

An entry is one file, named by the digest of what it was made from, with a digest of all its bytes
in front. It is written to a temporary file and renamed, so a reader sees a whole entry or none;
an entry that is damaged, or that belongs to another user, counts as absent and is replaced.
Every trouble (no home, no rights, no space) means no cache, never an error. Entries that were not
used for longest go when the directory grows over its bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
import time
from pathlib import Path

BOUND = 256 << 20  # bytes, of all entries together
MAGIC = b"lampion object 1\n"
DIGEST = 32  # bytes, at the start of an entry after MAGIC
SUFFIX = ".object"
TEMPORARY = ".writing"
# The time of last use is written at most this often, and a temporary file that is older than this
# was left by a process that was killed. Seconds.
GRAIN = 3600.0
# Where systems keep what can be made again, below the user's home.
CACHES = {"win32": ("AppData", "Local"), "darwin": ("Library", "Caches")}
# One write in this many looks whether the directory has grown over its bound.
TRIM_EVERY = 64


def digest(*parts: bytes) -> bytes:
    """Return a digest of a list of byte strings."""
    total = hashlib.blake2b(digest_size=DIGEST)
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()


def directory() -> Path | None:
    """Return where entries are kept: LAMPION_CACHE or the user's cache; None when it is off."""
    chosen = os.environ.get("LAMPION_CACHE")
    if chosen:
        return None if chosen == "off" else Path(chosen)
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
    place = os.environ.get(variable)
    if place and os.path.isabs(place):
        return Path(place) / "lampion"
    home = os.path.expanduser("~")
    # A user without a home gets none from us.
    return Path(home, *CACHES.get(sys.platform, (".cache",)), "lampion") if (
        os.path.isabs(home) and os.path.isdir(home)) else None


def path_of(name: str) -> Path | None:
    """Return the file of an entry, None when there is no cache."""
    place = directory()
    return None if place is None else place / (name + SUFFIX)


def load(name: str) -> bytes | None:
    """Return the content of an entry, None when there is no whole one that can be trusted."""
    path = path_of(name)
    if path is None:
        return None
    try:
        with open(path, "rb", opener=_opener) as file:
            about = os.fstat(file.fileno())
            if not _trusted(about):
                return None
            data = file.read()
    except OSError:
        return None
    if time.time() - about.st_mtime > GRAIN:
        with contextlib.suppress(OSError):
            os.utime(path)
    start = len(MAGIC) + DIGEST
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        return None
    content = data[start:]
    # The name is part of the digest: an entry that was renamed is not mistaken for another.
    return content if digest(name.encode(), content) == data[len(MAGIC) : start] else None


def store(name: str, content: bytes) -> bool:
    """Write an entry; return whether it was written."""
    path = path_of(name)
    if path is None:
        return False
    temporary = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(suffix=TEMPORARY, dir=path.parent)
        with open(descriptor, "wb") as file:
            file.write(MAGIC + digest(name.encode(), content) + content)
        os.replace(temporary, path)
        temporary = None
    except OSError:
        return False
    finally:
        if temporary is not None:
            _remove(Path(temporary))
    if digest(name.encode())[0] % TRIM_EVERY == 0:
        trim()
    return True


def entries() -> list[tuple[Path, os.stat_result]]:
    """Return the entries, the least recently used first."""
    return sorted(_files(SUFFIX), key=lambda entry: entry[1].st_mtime)


def trim(bound: int = BOUND) -> None:
    """Remove what was not used for longest until the entries take no more than `bound` bytes."""
    for path, about in _files(TEMPORARY):
        if time.time() - about.st_mtime > GRAIN:
            _remove(path)
    found = entries()
    excess = sum(about.st_size for _, about in found) - bound
    for path, about in found:
        if excess <= 0:
            break
        _remove(path)
        excess -= about.st_size


def _files(suffix: str) -> list[tuple[Path, os.stat_result]]:
    place = directory()
    found = []
    try:
        with os.scandir(place) if place is not None else contextlib.nullcontext(()) as listing:
            for item in listing:
                if item.name.endswith(suffix):
                    with contextlib.suppress(OSError):  # another process removed it meanwhile
                        found.append((Path(item.path), item.stat(follow_symlinks=False)))
    except OSError:
        return []
    return found


def _opener(path: str, flags: int) -> int:
    """Open without waiting: a pipe may lie where an entry is expected."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _trusted(about: os.stat_result) -> bool:
    """Whether only this user, or the system's administrator, can have written a file."""
    if not stat.S_ISREG(about.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return about.st_uid in (os.getuid(), 0) and not about.st_mode & 0o022
