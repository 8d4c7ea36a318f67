"""The safetensors format: named arrays in a file, nothing that could be executed.

    8 bytes    length n of the header, little-endian
    n bytes    JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
               and, under "__metadata__", strings of the writer's choice
    the rest   the elements, little-endian, without holes or overlaps

See https://github.com/huggingface/safetensors for the format's own description.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

import numpy as np

from lampion.errors import FileFormatError, UnsupportedError

# bfloat16 has no NumPy type: its bits travel as uint16.
KINDS = {
    "BOOL": np.dtype(np.bool_), "U8": np.dtype(np.uint8), "I8": np.dtype(np.int8),
    "I16": np.dtype("<i2"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"), "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
LARGEST_HEADER = 100_000_000  # the limit of the format's other readers

Stored = tuple[str, np.ndarray]  # kind, elements


def bytes_of(array: np.ndarray) -> memoryview:
    """Return the elements as bytes, without copying if they lie in order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def header_of(tensors: Mapping[str, Stored], metadata: Mapping[str, str]) -> bytes:
    """Return the length and the header, filled up with blanks so that elements are aligned."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    start = 0
    for name, (kind, array) in tensors.items():
        header[name] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise UnsupportedError(
            f"a file header of {len(text)} bytes", why=f"the format allows {LARGEST_HEADER}",
            fix="tensors instead of long lists of numbers",
        )
    return len(text).to_bytes(8, "little") + text


def write(file: BinaryIO, tensors: Mapping[str, Stored], metadata: Mapping[str, str]) -> None:
    """Write arrays; those with larger elements should come first, so that all are aligned."""
    file.write(header_of(tensors, metadata))
    for _, array in tensors.values():
        if array.nbytes:
            file.write(bytes_of(array))


def read(file: BinaryIO, start: bytes, source: str) -> tuple[dict[str, Stored], dict[str, str]]:
    """Read the arrays and the metadata of a file.

    Args:
        file: positioned behind `start`.
        start: the first bytes of the file, 8 at least, already taken from it.
        source: name of the file in messages.

    Raises:
        FileFormatError: the file is cut off, damaged, or of another format.
    """
    size = int.from_bytes(start[:8], "little")
    if size > LARGEST_HEADER:
        _damaged(source, f"it announces a header of {size} bytes")
    taken = start[8:8 + size]
    text = taken + _read_exactly(file, size - len(taken), source, "header")
    table, metadata = _parse_header(text, source)
    rest = start[8 + size:]
    tensors: dict[str, Stored] = {}
    for name, kind, shape, _ in table:
        array = np.empty(shape, KINDS[kind])
        if array.nbytes:
            view = bytes_of(array)
            given, rest = rest[:len(view)], rest[len(view):]
            view[:len(given)] = given
            _fill(file, view[len(given):], source, name)
        if kind == "BOOL" and array.size and array.view(np.uint8).max() > 1:
            _damaged(source, f"tensor {name!r} has bool elements that are neither 0 nor 1")
        tensors[name] = kind, array
    return tensors, metadata


def _parse_header(text: bytes, source: str) -> tuple[list[Any], dict[str, str]]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        _damaged(source, "its header is not JSON")
    if not isinstance(header, dict):
        _damaged(source, "its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())):
        _damaged(source, "its metadata are not strings")
    table = [(name, *_checked_entry(name, entry, source)) for name, entry in header.items()]
    table.sort(key=lambda entry: entry[3])
    position = 0
    for name, _, _, (begin, end) in table:
        if begin != position:
            _damaged(source, f"the elements of tensor {name!r} do not start at byte {position}")
        position = end
    return table, metadata


def _checked_entry(name: str, entry: Any, source: str) -> tuple[str, tuple[int, ...], list[int]]:
    try:
        kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        begin, end = offsets
        numbers = [*shape, begin, end]
    except (TypeError, KeyError, ValueError):
        _damaged(source, f"the entry of tensor {name!r} is incomplete")
    if not all(type(number) is int and number >= 0 for number in numbers):
        _damaged(source, f"tensor {name!r} has shape {shape} and offsets {offsets}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FileFormatError(
            f"{source}: tensor {name!r} has elements of type {kind}",
            why=f"supported are {', '.join(KINDS)}",
        )
    if math.prod(shape) * KINDS[kind].itemsize != end - begin or len(shape) > 64:
        _damaged(source, f"tensor {name!r} of shape {shape} does not fit into bytes {begin}-{end}")
    return kind, tuple(shape), offsets


def _read_exactly(file: BinaryIO, count: int, source: str, what: str) -> bytes:
    pieces = []
    while count > 0:
        piece = file.read(min(count, 1 << 24))  # a wrong length must not ask for all memory
        if not piece:
            _cut_off(source, what)
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _fill(file: BinaryIO, view: memoryview, source: str, name: str) -> None:
    """Read into memory that is there already, directly where the file can do that."""
    readinto = getattr(file, "readinto", None)
    while len(view):
        if readinto is not None:
            count = readinto(view)
        else:
            piece = file.read(min(len(view), 1 << 24))
            count = len(piece)
            view[:count] = piece
        if not count:
            _cut_off(source, f"tensor {name!r}")
        view = view[count:]


def _cut_off(source: str, what: str) -> NoReturn:
    raise FileFormatError(
        f"{source} is cut off: it ends inside {what}",
        why="it was not written or copied to its end", fix="copy or download it again",
    )


def _damaged(source: str, how: str) -> NoReturn:
    raise FileFormatError(
        f"{source} is not a file that lampion can read, or it is damaged: {how}",
        why="the safetensors format was expected",
    )
