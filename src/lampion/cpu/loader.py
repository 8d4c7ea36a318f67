"""Compiled code into memory, without LLVM: a library of 170 MB is not loaded to place some bytes.

    load(code)      object file -> addresses of its functions by name; None where LLVM has to do it

LLVM's large code model leaves little to do: sections are copied side by side, and absolute 64-bit
addresses are written where the object asks for them. What this does not know (another format or
processor, another kind of address, data that are written to) is left to LLVM's own linker.

Memory is first written, then made executable: it is never both. Code stays for the life of the
process, and threads may be in it to the end, so nothing is ever given back.

Source: System V Application Binary Interface, AMD64 Architecture Processor Supplement, chapter 4.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
import struct
import sys
from typing import Any, NamedTuple

from .target import X86

# An ELF file of 64 bits, little-endian, of version 1; relocatable, for x86-64.
MAGIC, KIND, MACHINE = b"\x7fELF\x02\x01\x01", 1, 62
# Kinds of sections (EMPTY has no bytes in the file), and their flags.
SYMBOLS, RELOCATIONS, UNWINDING, EMPTY = 2, 4, 0x70000001, 8
WRITTEN, NEEDED, THREADS_OWN = 1, 2, 0x400
ABSOLUTE = 1  # R_X86_64_64
CHUNK = 1 << 20  # bytes that are asked for at a time


class Section(NamedTuple):
    """An entry of the table of sections."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int


class Symbol(NamedTuple):
    """An entry of the table of symbols."""

    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


class Unknown(Exception):
    """Something that this loader does not do."""


def load(code: bytes) -> dict[str, int] | None:
    """Return the addresses of an object's functions, None where LLVM has to load it."""
    if not sys.platform.startswith("linux") or platform.machine().lower() not in X86:
        return None
    try:
        return _Object(code).place()
    except (Unknown, struct.error, LookupError, ValueError, OSError, AttributeError):
        return None


class _Object:
    """An object file, section by section."""

    def __init__(self, code: bytes):
        kind, machine = struct.unpack_from("<HH", code, 16)
        if not code.startswith(MAGIC) or (kind, machine) != (KIND, MACHINE):
            raise Unknown("no object file of this processor")
        self.code = code
        start, = struct.unpack_from("<Q", code, 40)
        count, = struct.unpack_from("<H", code, 60)
        self.sections = [Section(*struct.unpack_from("<IIQQQQIIQQ", code, start + 64 * k))
                         for k in range(count)]
        tables = [s for s in self.sections if s.kind == SYMBOLS]
        if len(tables) != 1:
            raise Unknown("no table of symbols")
        self.names = self.sections[tables[0].link].offset
        self.symbols = [Symbol(*entry) for entry in struct.iter_unpack(
            "<IBBHQQ", self._bytes(tables[0]))]

    def place(self) -> dict[str, int]:
        """Copy what is needed to memory, and write the addresses that it asks for."""
        places, size = self._layout()
        start = _room(size)
        image = bytearray(size)
        for k, offset in places.items():
            section = self.sections[k]
            if section.kind != EMPTY:
                image[offset:offset + section.size] = self._bytes(section)
        for section in self.sections:
            if section.kind == RELOCATIONS and section.info in places:
                self._write(section, image, start, places)
        ctypes.memmove(start, bytes(image), size)
        _make_executable(start, size)
        return {self._name(symbol): start + places[symbol.section] + symbol.value
                for symbol in self.symbols
                if symbol.info & 15 == 2 and symbol.info >> 4 and symbol.section in places}

    def _layout(self) -> tuple[dict[int, int], int]:
        """Return where each section that is needed begins, and the size of all."""
        places, size = {}, 0
        for k, section in enumerate(self.sections):
            if not section.flags & NEEDED or not section.size or section.kind == UNWINDING:
                continue
            if section.flags & (WRITTEN | THREADS_OWN):
                raise Unknown("data that are written to")
            size = -(-size // max(section.alignment, 1)) * max(section.alignment, 1)
            places[k] = size
            size += section.size
        return places, size

    def _write(self, section: Section, image: bytearray, start: int,
               places: dict[int, int]) -> None:
        base, room = places[section.info], self.sections[section.info].size
        for offset, info, addend in struct.iter_unpack("<QQq", self._bytes(section)):
            if info & 0xffffffff != ABSOLUTE or offset + 8 > room:
                raise Unknown("another kind of address")
            address = self._address(self.symbols[info >> 32], start, places) + addend
            struct.pack_into("<Q", image, base + offset, address)

    def _address(self, symbol: Symbol, start: int, places: dict[int, int]) -> int:
        if symbol.section in places:
            return start + places[symbol.section] + symbol.value
        if symbol.section:
            raise Unknown("a symbol that is nowhere")
        return _outside(self._name(symbol))

    def _bytes(self, section: Section) -> bytes:
        found = self.code[section.offset:section.offset + section.size]
        if len(found) != section.size:
            raise Unknown("a file that is cut off")
        return found

    def _name(self, symbol: Symbol) -> str:
        begin = self.names + symbol.name
        return self.code[begin:self.code.index(0, begin)].decode()


@functools.cache
def _system() -> Any:
    """Return the process's own libraries."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                             ctypes.c_int, ctypes.c_long)
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return library


@functools.cache
def _outside(name: str) -> int:
    """Return the address of a function of the system, such as memcpy."""
    address = ctypes.cast(getattr(_system(), name), ctypes.c_void_p).value
    if not address:
        raise Unknown(f"no function {name}")
    return address


_free = {"start": 0, "end": 0}


def _room(size: int) -> int:
    """Return the address of so many bytes, in pages that nothing else lies in."""
    size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    if _free["end"] - _free["start"] < size:
        length = max(CHUNK, size)
        # Not by Python's mmap, which would unmap it while threads still wait in it at the end.
        start = _system().mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE,
                               mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        if start in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "no memory for code")
        _free.update(start=start, end=start + length)
    start = _free["start"]
    _free["start"] += size
    return start


def _make_executable(start: int, size: int) -> None:
    size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    if _system().mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "memory that may be executed is refused here")
