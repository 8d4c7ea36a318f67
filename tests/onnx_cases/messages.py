"""Reads ONNX files: protocol buffers, by hand, as far as the cases need them.

A message is a row of fields: a key (number of the field, kind of what follows) and a value. The
numbers of the fields are those of onnx.proto (https://github.com/onnx/onnx).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# TensorProto.DataType -> NumPy's type.
TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_,
         11: np.float64}


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a whole number and where it ends: seven bits a byte, the low ones first."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def fields(data: bytes) -> dict[int, list[Any]]:
    """Return the values of a message by field: whole numbers, or bytes."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value: Any
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def whole_numbers(values: list[Any]) -> list[int]:
    """Return repeated whole numbers, which may be packed into one value."""
    numbers: list[int] = []
    for value in values:
        if isinstance(value, int):
            numbers.append(signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            numbers.append(signed(number))
    return numbers


def text(message: dict[int, list[Any]], number: int) -> str:
    return message.get(number, [b""])[0].decode()


def tensor(data: bytes) -> np.ndarray | list[bytes]:
    """Read a TensorProto; a list of bytes for text."""
    message = fields(data)
    shape, kind = whole_numbers(message.get(1, [])), message[2][0]
    if kind == 8:
        return message.get(6, [])
    dtype = np.dtype(TYPES[kind])
    if 9 in message:
        return np.frombuffer(message[9][0], dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    stored = {1: 4, 11: 10, 7: 7}.get(kind, 5)  # the field with the numbers of this type
    if kind in (1, 11):
        code = "f4" if kind == 1 else "f8"
        return np.frombuffer(b"".join(message.get(stored, [])), f"<{code}").astype(
            dtype).reshape(shape)
    return np.array(whole_numbers(message.get(stored, [])), dtype).reshape(shape)


def sequence(data: bytes) -> list[np.ndarray]:
    """Read a SequenceProto of tensors."""
    return [tensor(item) for item in fields(data).get(3, [])]


def attribute(data: bytes) -> tuple[str, Any]:
    """Read an AttributeProto: its name and what it holds."""
    message = fields(data)
    readers = {
        1: lambda: struct.unpack("<f", message[2][0])[0],
        2: lambda: signed(message.get(3, [0])[0]),
        3: lambda: message[4][0].decode(),
        4: lambda: tensor(message[5][0]),
        6: lambda: list(np.frombuffer(b"".join(message[7]), "<f4")),
        7: lambda: whole_numbers(message.get(8, [])),
        8: lambda: [value.decode() for value in message.get(9, [])],
    }
    return text(message, 1), readers[message[20][0]]()


@dataclass
class Node:
    """One operation of a graph."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


@dataclass
class Model:
    """A graph, its weights by name, and the version of the operators it means."""

    nodes: list[Node]
    weights: dict[str, np.ndarray]
    inputs: list[tuple[str, bool]] = field(default_factory=list)  # name, is a sequence
    outputs: list[tuple[str, bool]] = field(default_factory=list)
    version: int = 1


def value_info(data: bytes) -> tuple[str, bool]:
    message = fields(data)
    return text(message, 1), 4 in fields(message[2][0])


def model(data: bytes) -> Model:
    """Read a ModelProto."""
    message = fields(data)
    graph = fields(message[7][0])
    nodes = []
    for item in graph.get(1, []):
        node = fields(item)
        nodes.append(Node(
            text(node, 4), [name.decode() for name in node.get(1, [])],
            [name.decode() for name in node.get(2, [])],
            dict(attribute(one) for one in node.get(5, []))))
    weights = {text(fields(item), 8): tensor(item) for item in graph.get(5, [])}
    versions = [fields(item) for item in message.get(8, [])]
    return Model(
        nodes, weights,
        [info for info in map(value_info, graph.get(11, [])) if info[0] not in weights],
        [value_info(item) for item in graph.get(12, [])],
        max(whole_numbers(item[2])[0] for item in versions if not text(item, 1)))
