"""Protocol buffers by hand: fields of a message as bytes, and back.

A message is a row of fields, each a key (number and kind) and a value. Four kinds are needed:
whole numbers of variable length, 8 bytes, 4 bytes, and bytes with their length in front.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import numpy as np

from ...errors import FileFormatError

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """Return a whole number in groups of seven bits, the lowest first; negative ones as 64 bits.

    Example:
        >>> varint(300).hex(), len(varint(-1))
        ('ac02', 10)
    """
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def whole(field: int, number: int) -> bytes:
    """Return a field that holds a whole number, a truth value or an enumeration."""
    return varint(field << 3 | VARINT) + varint(int(number))


def double(field: int, number: float) -> bytes:
    """Return a field that holds a number of 8 bytes."""
    return varint(field << 3 | EIGHT) + struct.pack("<d", number)


def single(field: int, number: float) -> bytes:
    """Return a field that holds a number of 4 bytes; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return varint(field << 3 | FOUR) + np.float32(number).astype("<f4").tobytes()


def text(field: int, content: str | bytes) -> bytes:
    """Return a field that holds text, bytes, or another message.

    Example:
        >>> text(1, "ab").hex()
        '0a026162'
    """
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | BYTES) + varint(len(content)) + content


def doubles(field: int, numbers: Iterable[float]) -> bytes:
    """Return a field that holds numbers of 8 bytes, packed."""
    return text(field, np.asarray(numbers, "<f8").tobytes())


def mapping(field: int, entries: dict[str, bytes]) -> bytes:
    """Return the fields of a map from names to messages."""
    return b"".join(text(field, text(1, name) + text(2, value))
                    for name, value in entries.items())


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (number, value) of each field; numbers of 4 and 8 bytes as bytes.

    Raises:
        FileFormatError: the message ends within a field, or has a field of another kind.

    Example:
        >>> list(fields(whole(2, 300) + text(3, "a")))
        [(2, 300), (3, b'a')]
    """
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _read_varint(message, place)
            yield key >> 3, value - (1 << 64) if value >> 63 else value
            continue
        if kind == BYTES:
            size, place = _read_varint(message, place)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise FileFormatError(f"a field of kind {kind}, which no event has")
        if place + size > len(message):
            raise FileFormatError("a message that ends within a field")
        yield key >> 3, message[place:place + size]
        place += size


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if place >= len(message):
            raise FileFormatError("a message that ends within a number")
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
