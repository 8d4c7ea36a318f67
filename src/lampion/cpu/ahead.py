"""Code that came with the package: what common networks need, compiled when the wheel was built.

    load(tag, target)          the entry of a key, None where the package does not have it
    write(path, entries)       the file of one target

A file holds, after MAGIC and the length of the table, the table (tag -> begin and end of a
compressed entry) and the entries. Tags are digests of a key and of all sources that turn it into
code, so the file of another version of lampion is never used by mistake. An installation from a
working copy has no such files, and compiles all by itself.
"""

from __future__ import annotations

import functools
import json
import platform
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

from .target import Target

MAGIC = b"lampion ahead 1\n"
ROOM = Path(__file__).parent / "compiled"
LENGTH = 8  # bytes, of the length of the table


def path_of(target: Target, room: Path | None = None) -> Path:
    """Return the file of a target, in the package or in another directory."""
    return (room or ROOM) / f"{sys.platform}-{platform.machine().lower()}-{target.name}.bin"


def load(tag: str, target: Target) -> bytes | None:
    """Return the entry of a tag, None where the package has none that is whole."""
    if target.features:
        return None  # made for exactly one processor
    table, data = _content(path_of(target))
    place = table.get(tag)
    if place is None:
        return None
    try:
        return zlib.decompress(data[place[0]:place[1]])
    except zlib.error:
        return None


def count(target: Target) -> int:
    """Return how many entries the package has for a target."""
    return len(_content(path_of(target))[0])


def write(path: Path, entries: Mapping[str, bytes]) -> None:
    """Write a file of entries, by their tags."""
    table: dict[str, tuple[int, int]] = {}
    data = bytearray()
    for tag, entry in sorted(entries.items()):
        packed = zlib.compress(entry, 9)
        table[tag] = (len(data), len(data) + len(packed))
        data += packed
    head = json.dumps(table).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MAGIC + len(head).to_bytes(LENGTH, "little") + head + data)


@functools.cache
def _content(path: Path) -> tuple[dict[str, list[int]], bytes]:
    """Return the table of a file and its entries; nothing where it is missing or damaged."""
    try:
        whole = path.read_bytes()
        start = len(MAGIC) + LENGTH
        if whole[:len(MAGIC)] != MAGIC:
            return {}, b""
        end = start + int.from_bytes(whole[len(MAGIC):start], "little")
        return json.loads(whole[start:end]), whole[end:]
    except (OSError, ValueError):
        return {}, b""
