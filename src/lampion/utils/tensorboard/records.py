"""Files of records: length, checksum of the length, data, checksum of the data.

The checksum is CRC-32C (Castagnoli), turned and shifted so that a checksum of data that holds
checksums is no special case.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord ("TFRecords format details")
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import numpy as np

from ...errors import FileFormatError

POLYNOMIAL = 0x82F63B78
# From this length on, pieces are worked on side by side.
LONG, PIECES = 1 << 14, 512


def _table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(POLYNOMIAL), table >> 1)
    return table


TABLE = _table()
_NUMBERS: list[int] = TABLE.tolist()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    register, first = 0xFFFFFFFF, 0
    if len(data) >= LONG:
        size = len(data) // PIECES
        first = size * PIECES
        register = _side_by_side(np.frombuffer(data, np.uint8, first).reshape(PIECES, size),
                                 register)
    for byte in data[first:]:
        register = _NUMBERS[(register ^ byte) & 255] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


def _side_by_side(pieces: np.ndarray, register: int) -> int:
    """The register after all pieces: each begins with 0, and the ones before are shifted past."""
    count, size = pieces.shape
    registers = np.zeros(count, np.uint32)
    for column in np.ascontiguousarray(pieces.T):
        registers = TABLE[(registers ^ column) & 255] ^ (registers >> np.uint32(8))
    past = _past_zeros(size)
    for piece in registers.tolist():
        register = _times(past, register) ^ piece
    return register


def _times(columns: list[int], register: int) -> int:
    found = 0
    for bit, column in enumerate(columns):
        if register >> bit & 1:
            found ^= column
    return found


def _past_zeros(size: int) -> list[int]:
    """The linear map that `size` bytes of 0 make of a register, by its columns."""
    one = [_NUMBERS[(1 << bit) & 255] ^ ((1 << bit) >> 8) for bit in range(32)]
    found = [1 << bit for bit in range(32)]
    while size:
        if size & 1:
            found = [_times(one, column) for column in found]
        one = [_times(one, column) for column in one]
        size >>= 1
    return found


def masked(data: bytes) -> int:
    """Return the checksum as it stands in a file."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Return data as a record."""
    length = struct.pack("<Q", len(data))
    return (length + struct.pack("<I", masked(length)) + data
            + struct.pack("<I", masked(data)))


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Yield the data of each record of a file.

    A file that is still being written may end within a record: what is whole is yielded.

    Raises:
        FileFormatError: a checksum that is wrong.

    Example:
        >>> with open("one.records", "wb") as file:
        ...     _ = file.write(record(b"hello"))
        >>> list(read_records("one.records"))
        [b'hello']
    """
    with open(path, "rb") as file:
        while True:
            head = file.read(12)
            if len(head) < 12:
                return
            (length,) = struct.unpack("<Q", head[:8])
            if struct.unpack("<I", head[8:])[0] != masked(head[:8]):
                raise FileFormatError(f"{os.fspath(path)}: a record whose length is damaged")
            data = file.read(length + 4)
            if len(data) < length + 4:
                return
            if struct.unpack("<I", data[length:])[0] != masked(data[:length]):
                raise FileFormatError(f"{os.fspath(path)}: a record that is damaged")
            yield data[:length]
