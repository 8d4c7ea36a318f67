"""Saving and loading: safetensors underneath, any nesting of containers above.

A file holds values and never code: loading runs nothing. A plain dictionary of tensors, such as
a model's `state_dict()`, is stored under its own keys, so every program that reads safetensors
can read it. What the containers are is written as JSON beside it (see `tree`), with a checksum.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, BinaryIO

import numpy as np

from lampion.errors import ArgumentTypeError, FileFormatError
from lampion.serialization import files, safetensors_files, torch_files
from lampion.serialization.safetensors_files import Stored
from lampion.serialization.tree import Decoder, Encoder, from_stored
from lampion.tensor import Tensor

STRUCTURE, CHECKSUM = "lampion", "lampion.crc32"
VERSION = 1
START = 64  # bytes that are enough to tell any format


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: Any = None,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Save an object to a file, so that a crash leaves the old file or the new one.

    Tensors that share all their memory are stored once and loaded as one tensor; a part of
    another tensor is stored by itself.

    Args:
        obj: tensors, numbers, strings, bytes, None, dtypes, sizes, NumPy numbers and arrays, in
            any nesting of dict, OrderedDict, list, tuple and set.
        f: a path, or an object with a `write` method.
        pickle_module, pickle_protocol: accepted and without effect, there is no pickle.

    Raises:
        ArgumentTypeError: something that cannot be saved, with the way to it.
        StateError: the directory does not exist.

    Example:
        >>> import io
        >>> import lampion as torch
        >>> file = io.BytesIO()
        >>> torch.save({"epoch": 3, "weights": [torch.ones(2)]}, file)
        >>> _ = file.seek(0)
        >>> torch.load(file)
        {'epoch': 3, 'weights': [tensor([1., 1.])]}
    """
    encoder = Encoder()
    try:
        structure = encoder.encode(obj)
        text = json.dumps({"version": VERSION, "object": structure}, separators=(",", ":"))
    except RecursionError:
        raise ArgumentTypeError(
            "an object nested too deeply to be saved", why="Python's recursion limit is reached",
            fix="a flat list or dict",
        ) from None
    metadata = {STRUCTURE: text, CHECKSUM: _checksum(text, encoder.tensors)}
    with files.opened(f, "wb") as file:
        safetensors_files.write(file, encoder.tensors, metadata)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = True,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Load what `save` saved, another program's safetensors file, or a PyTorch file.

    Nothing in the file is executed, whatever the file says.

    Args:
        f: a path, or an object with a `read` method.
        map_location: device for the tensors; there is only the CPU.
        weights_only, mmap, pickle_module, pickle_load_args: accepted and without effect: code is
            never loaded.

    Returns:
        The object; for another program's safetensors file a dict from names to tensors.

    Raises:
        FileFormatError: the file is cut off, damaged, or something else; the message says what.
        FileNotFoundError: there is no such file.
    """
    source = files.label(f)
    with files.opened(f, "rb") as file:
        start = _first_bytes(file)
        if torch_files.is_torch_file(start):
            loaded = torch_files.read(file, start, source)
        else:
            files.refuse_foreign(start, source)
            loaded = _restored(*safetensors_files.read(file, start, source), source)
    return loaded if map_location is None else _moved(loaded, map_location)


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Do nothing: no class of a program is ever loaded, so none needs to be allowed."""


def _first_bytes(file: BinaryIO) -> bytes:
    start = b""
    while len(start) < START and (piece := file.read(START - len(start))):
        start += piece
    return start


def _checksum(text: str, tensors: dict[str, Stored]) -> str:
    """Return a checksum of the structure, the names, types and shapes, and the elements."""
    stored = sorted(tensors.items())  # by name: in the file they are in the package's order
    table = [[name, kind, list(array.shape)] for name, (kind, array) in stored]
    crc = zlib.crc32(json.dumps([text, table]).encode())
    for _, (_, array) in stored:
        if array.nbytes:
            crc = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, crc)
    return f"{crc:08x}"


def _restored(tensors: dict[str, Stored], metadata: dict[str, str], source: str) -> Any:
    text = metadata.get(STRUCTURE)
    if text is None and CHECKSUM not in metadata:  # another program's
        return {name: from_stored(*stored) for name, stored in tensors.items()}
    if text is None or metadata.get(CHECKSUM) != _checksum(text, tensors):
        raise FileFormatError(
            f"{source} is damaged: its checksum does not fit its content",
            why="some bytes changed after it was written", fix="copy or download it again",
        )
    try:
        content = json.loads(text)
        version, structure = content["version"], content["object"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileFormatError(f"{source} is damaged: its structure cannot be read") from None
    if version != VERSION:
        raise FileFormatError(
            f"{source} was written in version {version} of the format",
            why=f"this lampion reads version {VERSION}", fix="pip install --upgrade lampion",
        )
    return Decoder(tensors, source).decode(structure)


def _moved(value: Any, place: Any) -> Any:
    """Check `map_location` as PyTorch would: another device than the CPU cannot be had."""
    if callable(place) or isinstance(place, dict) or str(place) == "cpu":
        return value
    if isinstance(value, Tensor):
        return value.to(place)
    if isinstance(value, dict):
        for key in value:
            value[key] = _moved(value[key], place)
    elif isinstance(value, list):
        value[:] = [_moved(entry, place) for entry in value]
    elif isinstance(value, tuple) and type(value) is tuple:
        return tuple(_moved(entry, place) for entry in value)
    return value
