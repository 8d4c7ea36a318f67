"""Reading the pickle inside a PyTorch file without executing it.

A pickle is a program for a small stack machine. `Machine` runs those of its instructions that
build plain values. Where the program names a function or a class, it gets a `Name`, an inert
mark; "calling" one looks it up in a fixed table. A name that is not in the table ends the
reading with an error, so a file can neither import nor run anything.

The instructions are described in Python's `pickletools`, which also takes the bytes apart here.
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from lampion.errors import FileFormatError


@dataclass(frozen=True)
class Name:
    """A function, class or constant that a pickle refers to."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


Builder = Callable[..., Any]
MARK = object()


def _new_ordered_dict(pairs: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict(pairs)


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for `_codecs.encode`, by which old pickles write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(encoding)
    return text.encode("latin-1")


PLAIN: dict[Name, Builder] = {
    Name("collections", "OrderedDict"): _new_ordered_dict,
    Name("collections", "Counter"): lambda counts=(): Counter(dict(counts)),
    Name("collections", "defaultdict"): lambda factory=None: {},
    Name("_codecs", "encode"): _encoded,
    **{
        Name(module, kind.__name__): kind
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset, list, dict, tuple, int, float, bool, complex, bytearray)
    },
}


class Machine:
    """Runs one pickle.

    Args:
        builders: what calls of further names give.
        constants: further names that stand for a value by themselves.
        persistent: gives the value of a persistent id.
        source: name of the file in messages.
    """

    def __init__(
        self,
        builders: dict[Name, Builder],
        constants: dict[Name, Any],
        persistent: Callable[[Any], Any],
        source: str,
    ) -> None:
        self.builders = {**PLAIN, **builders}
        self.constants = constants
        self.persistent = persistent
        self.source = source
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        """Read one pickle from `file` and return what it builds."""
        try:
            for opcode, argument, _ in pickletools.genops(file):
                if opcode.name == "STOP":
                    return self.stack.pop()
                self._step(opcode.name, argument)
        except FileFormatError:
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
                AssertionError, MemoryError, RecursionError) as error:
            raise FileFormatError(
                f"{self.source} is cut off or damaged: its list of contents cannot be read "
                f"({error})",
            ) from None
        raise FileFormatError(f"{self.source} is cut off inside its list of contents")

    def _step(self, name: str, argument: Any) -> None:
        if name in LITERALS:
            self.stack.append(argument)
        elif name in FRESH:
            self.stack.append(FRESH[name]())
        elif name in OPERATIONS:
            OPERATIONS[name](self, argument)
        else:
            raise FileFormatError(
                f"{self.source} asks for the pickle instruction {name}",
                why="no PyTorch file of plain values needs it",
            )

    # -- Pieces of the stack ----------------------------------------------------------------------

    def pop_to_mark(self) -> list[Any]:
        """Take everything above the last mark from the stack."""
        for start in range(len(self.stack) - 1, -1, -1):
            if self.stack[start] is MARK:
                entries = self.stack[start + 1:]
                del self.stack[start:]
                return entries
        raise ValueError("no mark")

    def push_tuple(self, count: int) -> None:
        """Replace the last entries by a tuple of them."""
        if len(self.stack) < count:
            raise IndexError("stack")
        entries = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(entries)

    def extend(self, entries: list[Any]) -> None:
        """Put entries into the list or set on top of the stack."""
        target = self.stack[-1]
        if type(target) is list:
            target.extend(entries)
        elif type(target) is set:
            target.update(entries)
        else:
            raise TypeError(f"entries for a {type(target).__name__}")

    def set_items(self, entries: list[Any]) -> None:
        """Put keys and values, one after the other, into the dict on top of the stack."""
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise TypeError(f"items for a {type(target).__name__}")
        target.update(zip(entries[::2], entries[1::2], strict=True))

    # -- Names ------------------------------------------------------------------------------------

    def push_name(self, module: Any, name: Any) -> None:
        """Push what a name stands for: a constant, or an inert mark."""
        found = Name(module, name)
        if found not in self.constants and found not in self.builders:
            raise self.refused(found)
        self.stack.append(self.constants.get(found, found))

    def call(self) -> None:
        """Replace a name and its arguments by what the table gives for them."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or type(arguments) is not tuple:
            raise TypeError("a call of something that is not a name")
        self.stack.append(self.builders[function](*arguments))

    def build(self) -> None:
        """Take the attributes of an object from the stack; only `_metadata` is of use."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, OrderedDict) and isinstance(state, dict):
            if "_metadata" in state:
                target._metadata = state["_metadata"]  # type: ignore[attr-defined]
        elif hasattr(target, "set_pickled_state"):
            target.set_pickled_state(state)
        else:
            raise TypeError(f"attributes of a {type(target).__name__}")

    def refused(self, name: Name) -> FileFormatError:
        """Return the error about a name that is not allowed."""
        return FileFormatError(
            f"{self.source} holds a {name}, which is not a plain value",
            why="lampion reads tensors and plain containers from a PyTorch file and runs no code",
            fix="in the program that made it: torch.save(model.state_dict(), path)",
        )


LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}
FRESH: dict[str, Callable[[], Any]] = {
    "MARK": lambda: MARK, "NONE": lambda: None, "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}


def _nothing(machine: Machine, argument: Any) -> None:
    pass


def _put(machine: Machine, argument: Any) -> None:
    machine.memo[argument] = machine.stack[-1]


def _get(machine: Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[argument])


def _set_item(machine: Machine, argument: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _new_dict(machine: Machine, argument: Any) -> None:
    entries = machine.pop_to_mark()
    machine.stack.append({})
    machine.set_items(entries)


def _stack_name(machine: Machine, argument: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push_name(module, name)


OPERATIONS: dict[str, Callable[[Machine, Any], Any]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.pop_to_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "PUT": _put, "BINPUT": _put, "LONG_BINPUT": _put,
    "MEMOIZE": lambda m, _: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    "GET": _get, "BINGET": _get, "LONG_BINGET": _get,
    "TUPLE": lambda m, _: m.stack.append(tuple(m.pop_to_mark())),
    "TUPLE1": lambda m, _: m.push_tuple(1),
    "TUPLE2": lambda m, _: m.push_tuple(2),
    "TUPLE3": lambda m, _: m.push_tuple(3),
    "LIST": lambda m, _: m.stack.append(m.pop_to_mark()),
    "DICT": _new_dict,
    "FROZENSET": lambda m, _: m.stack.append(frozenset(m.pop_to_mark())),
    "APPEND": lambda m, _: m.extend([m.stack.pop()]),
    "APPENDS": lambda m, _: m.extend(m.pop_to_mark()),
    "ADDITEMS": lambda m, _: m.extend(m.pop_to_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda m, _: m.set_items(m.pop_to_mark()),
    "GLOBAL": lambda m, names: m.push_name(*names.split(" ", 1)),
    "STACK_GLOBAL": _stack_name,
    "REDUCE": lambda m, _: m.call(),
    "NEWOBJ": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.stack.append(m.persistent(m.stack.pop())),
}
