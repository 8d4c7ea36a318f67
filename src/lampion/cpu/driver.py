"""The driver: native code that runs the calls of a program one after another.

    execute(program, begin, end)     calls begin..end; returns 1 after a fault, else 0

`program` is a table of whole numbers (see `Word`). Before the first call, addresses are brought up
to date: each buffer (the arena, an input, an output) has a list of the argument slots that point
into it, and the list is worked off only when the buffer has moved since the last time. Buffers are
given as a Python list of NumPy arrays, whose own address of their elements is read here: asking
NumPy for it from Python would take longer than running a small program.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from enum import IntEnum

import numpy as np

from . import jit
from .kernel_text import Function, Module
from .target import host


class Word(IntEnum):
    """The words of a program's table."""

    BUFFERS = 0  # address of the array objects' addresses, a word for each buffer
    BOUND = 1  # address of the element addresses that slots hold now, a word for each buffer
    COUNT = 2  # how many buffers there are
    STARTS = 3  # address of where each buffer's list begins, and where the last one ends
    PLACES = 4  # address of the lists: pairs (address of a slot, offset in bytes)
    CALLS = 5  # address of the calls, CALL words each
    FAULT = 6  # address of the word that faults are noted in
    CONTROL = 7  # the pool's control block
    ENTRY = 8  # the pool's function that runs a call on all threads


CALL = 4  # words: function, arguments, jobs, whether it can fault


@functools.cache
def data_offset() -> int:
    """Return where in a NumPy array object the address of its elements stands, in bytes."""
    probe = np.empty(3, np.uint8)
    wanted = probe.ctypes.data
    for offset in range(object.__basicsize__, sys.getsizeof(probe) - 3, 8):
        if ctypes.c_void_p.from_address(id(probe) + offset).value == wanted:
            return offset
    raise RuntimeError("NumPy arrays do not look as expected")


def address_of_items(items: list) -> int:
    """Return where a list keeps the addresses of its items, for as long as its length stays."""
    address = ctypes.c_void_p.from_address(id(items) + list.__basicsize__ - 16).value
    if address is None or ctypes.c_void_p.from_address(address).value != id(items[0]):
        raise RuntimeError("Python's lists do not look as expected")
    return address


@functools.cache
def execute() -> Callable[[int, int, int], int]:
    """Return the driver's native function."""
    offset = data_offset()
    library = jit.library(f"driver {offset}", lambda: _text(offset))
    signature = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    return signature(library.address("execute"))


def _text(offset: int) -> str:
    module = Module(host())
    f = module.function("execute", ["ptr %program", "i64 %begin", "i64 %end"], returns="i64")

    def word(which: Word, kind: str) -> str:
        return f.load(kind, f.at("%program", int(which), "i64"), 8)

    _bind(f, word, offset)
    calls, fault = word(Word.CALLS, "ptr"), word(Word.FAULT, "ptr")
    control, entry = word(Word.CONTROL, "ptr"), word(Word.ENTRY, "ptr")
    f.store("i64", 0, fault)
    place = f.variable("i64", "%begin")
    with f.while_below(place, "%end") as number:
        call = f.at(calls, f.multiply(number, CALL), "i64")
        function, arguments = f.load("ptr", call), f.load("ptr", f.at(call, 1, "i64"))
        jobs, careful = f.load("i64", f.at(call, 2, "i64")), f.load("i64", f.at(call, 3, "i64"))
        several = f.compare("sgt", jobs, 1)
        with f.when(several):
            f.call(entry, [f"ptr {control}", f"ptr {function}", f"ptr {arguments}", f"i64 {jobs}"])
        with f.when(f.value(f"xor i1 {several}, true")):
            f.call(function, [f"ptr {arguments}", "i64 0", f"i64 {jobs}"])
        with f.when(f.compare("ne", careful, 0)), \
                f.when(f.compare("ne", f.load("i64", fault), 0)):
            f.store("i64", "%end", place)
        f.store("i64", f.add(f.load("i64", place), 1), place)
    f.done(f.load("i64", fault))
    return module.text()


def _bind(f: Function, word: Callable[[Word, str], str], offset: int) -> None:
    """Write the part that brings the slots of moved buffers up to date."""
    buffers, bound = word(Word.BUFFERS, "ptr"), word(Word.BOUND, "ptr")
    starts, places = word(Word.STARTS, "ptr"), word(Word.PLACES, "ptr")
    with f.loop(0, word(Word.COUNT, "i64")) as k:
        array = f.load("ptr", f.at(buffers, k, "ptr"), 8)
        address = f.load("i64", f.at(array, offset, "i8"), 8)
        before = f.at(bound, k, "i64")
        with f.when(f.compare("ne", address, f.load("i64", before))):
            f.store("i64", address, before)
            first = f.load("i64", f.at(starts, k, "i64"))
            last = f.load("i64", f.at(starts, f.add(k, 1), "i64"))
            with f.loop(first, last) as n:
                pair = f.at(places, f.multiply(n, 2), "i64")
                slot = f.load("ptr", pair)
                inside = f.load("i64", f.at(pair, 1, "i64"))
                f.store("i64", f.add(address, inside), slot)
