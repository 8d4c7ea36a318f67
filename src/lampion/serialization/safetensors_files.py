"""Writing and reading safetensors: named arrays in a file, nothing that could be executed.

    8 bytes    length n of the header, little-endian
    n bytes    JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
               and, under "__metadata__", strings of the writer's choice
    the rest   the elements, little-endian, without holes or overlaps

The package safetensors writes the format, and reads and checks it (importing it takes a
millisecond). What is done here is what it cannot do:

- its `serialize_file` puts a file of its own in the place of ours, with other rights and not
  forced to the disk, so `serialize` gives the bytes and `files.replacing` writes them;
- its `deserialize` wants the bytes of one whole object, and an open file may be a pipe or hold
  other objects behind this one, so where the object ends is read from the header;
- its `deserialize` does not return the metadata, and its `safe_open`, which does, wants a path
  and has no bfloat16 for NumPy;
- it takes any byte for a bool.

See https://github.com/huggingface/safetensors for the format's own description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

import numpy as np
import safetensors

from lampion.errors import FileFormatError, UnsupportedError

# bfloat16 has no NumPy type: its bits travel as uint16. C128 is read from PyTorch's files only.
KINDS = {
    "BOOL": np.dtype(np.bool_), "U8": np.dtype(np.uint8), "I8": np.dtype(np.int8),
    "I16": np.dtype("<i2"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"), "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"), "U16": np.dtype("<u2"), "U32": np.dtype("<u4"),
    "U64": np.dtype("<u8"), "C64": np.dtype("<c8"), "C128": np.dtype("<c16"),
}
LARGEST_HEADER = 100_000_000  # the package's limit
PIECE = 1 << 24  # bytes asked for at a time: a wrong length must not ask for all memory

Stored = tuple[str, np.ndarray]  # kind, elements


def write(file: BinaryIO, tensors: Mapping[str, Stored], metadata: Mapping[str, str]) -> None:
    """Write arrays; those with larger elements are put first, so that all are aligned."""
    # The package is given addresses: `arrays` keeps the memory at them.
    arrays = {name: np.asarray(array, KINDS[kind], order="C")
              for name, (kind, array) in tensors.items()}
    entries = {
        name: safetensors.TensorSpec(
            dtype="bfloat16" if kind == "BF16" else KINDS[kind].name,
            shape=arrays[name].shape, data_ptr=arrays[name].ctypes.data,
            data_len=arrays[name].nbytes)
        for name, (kind, _) in tensors.items()
    }
    try:
        content = safetensors.serialize(entries, metadata=dict(metadata))
    except safetensors.SafetensorError as error:
        raise UnsupportedError(
            f"the safetensors format cannot hold this object: {error}",
            why=f"its header, with all that is no tensor, has at most {LARGEST_HEADER} bytes",
            fix="tensors instead of long lists of numbers",
        ) from None
    file.write(content)


def read(file: BinaryIO, start: bytes, source: str) -> tuple[dict[str, Stored], dict[str, str]]:
    """Read the arrays and the metadata of a file.

    Args:
        file: positioned behind `start`; it is read to the end of the object and no further.
        start: the first bytes of the file, 8 at least, already taken from it.
        source: name of the file in messages.

    Raises:
        FileFormatError: the file is cut off, damaged, or of another format.
    """
    size = 8 + int.from_bytes(start[:8], "little")
    if size > 8 + LARGEST_HEADER:
        _damaged(source, f"it announces a header of {size - 8} bytes")
    content = _read_up_to(file, start, size, source, "header")
    header = _parsed(content[8:size])
    content = _read_up_to(file, content, size + _end_of_elements(header), source, "elements")
    try:
        entries = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        _damaged(source, str(error).removeprefix("Error while deserializing: "))
    metadata = header.get("__metadata__") or {}
    return {name: _checked(name, entry, source) for name, entry in entries}, metadata


def _parsed(text: bytes) -> dict[str, Any]:
    """Return the header; of one that is no JSON object nothing, as the package then refuses it."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _end_of_elements(header: dict[str, Any]) -> int:
    """Return how many bytes of elements the header announces, skipping entries that make no sense.

    The package refuses those later, as it does any hole or overlap.
    """
    ends = [0]
    for name, entry in header.items():
        if name != "__metadata__" and isinstance(entry, dict):
            match entry.get("data_offsets"):
                case [_, int(end)]:
                    ends.append(end)
    return max(ends)


def _read_up_to(file: BinaryIO, given: bytes, size: int, source: str, what: str) -> bytes:
    """Return `given` and what follows it in the file, `size` bytes together."""
    pieces, missing = [given], size - len(given)
    while missing > 0:
        piece = file.read(min(missing, PIECE))
        if not piece:
            raise FileFormatError(
                f"{source} is cut off: it ends inside its {what}",
                why="it was not written or copied to its end", fix="copy or download it again",
            )
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _checked(name: str, entry: dict[str, Any], source: str) -> Stored:
    kind = entry["dtype"]
    if kind not in KINDS:
        raise FileFormatError(
            f"{source}: tensor {name!r} has elements of type {kind}",
            why=f"supported are {', '.join(KINDS)}",
        )
    elements = np.frombuffer(entry["data"], KINDS[kind])  # a bytearray of its own
    if kind == "BOOL" and elements.size and elements.view(np.uint8).max() > 1:
        _damaged(source, f"tensor {name!r} has bool elements that are neither 0 nor 1")
    try:
        return kind, elements.reshape(entry["shape"])
    except ValueError as error:
        _damaged(source, f"tensor {name!r}: {error}")


def _damaged(source: str, how: str) -> NoReturn:
    raise FileFormatError(
        f"{source} is not a file that lampion can read, or it is damaged: {how}",
        why="the safetensors format was expected",
    )
