"""Quick tests that a call is a recorded one.

A test is generated from the kinds of the operands, and compiled once for each pattern of kinds:

    s  a tensor that the record knows: the same object
    r  the same, of a tensor that it met in this very call
    l  a tensor from outside that the record meets here: of the same type
    n  a lifted number: a float, whichever
    c  anything else: equal, and of the same type

A test that says no proves nothing: the call is then compared by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..base import TensorBase
from .keys import Description

_ALIKE = (bool, type(None), dtypes.dtype, type)  # one object for each value
_SIMPLE = (int, str)
_factories: dict[str, Callable] = {}
MANY = 12


def matcher(operands: list, description: Description, slot_of: Callable,
            lifts: Sequence[int]) -> Callable | None:
    """Return `test(operands, run) -> list of fresh tensors, or None`, where one can be made.

    Args:
        operands: those of the call that was recorded.
        description: how it was described.
        slot_of: gives the slots of tensors that the record knows, those met here included.
        lifts: places of operands that are lifted when they are floats.
    """
    kinds = ""
    constants: list[Any] = []
    fresh = {id(tensor): kind for tensor, kind in description.fresh}
    met: set[int] = set()
    for place, x in enumerate(operands):
        if isinstance(x, TensorBase):
            if id(x) in fresh and id(x) not in met:
                met.add(id(x))
                kinds += "l"
                constants.append(fresh[id(x)])
            else:
                kinds += "r" if id(x) in met else "s"
                constants.append(slot_of(x))
        elif place in lifts and type(x) is float:
            kinds += "n"
            constants.append(None)
        elif isinstance(x, _ALIKE):
            kinds += "a"
            constants.append(x)
        elif type(x) in _SIMPLE or (type(x) is float and x == x and x != 0):
            kinds += "c"
            constants.append(x)
        elif type(x) is tuple and all(type(n) is int for n in x):
            kinds += "t"
            constants.append(x)
        elif type(x) in (list, tuple) and x and all(
                isinstance(t, TensorBase) and id(t) not in fresh for t in x):
            kinds += "m"
            constants.append((type(x), [slot_of(t) for t in x]))
        else:
            return None
    if len(kinds) > MANY:
        return _long(kinds, constants)
    if kinds not in _factories:
        _factories[kinds] = _compile(kinds)
    return _factories[kinds](constants)


def _compile(kinds: str) -> Callable:
    """Write and compile the test of a pattern."""
    names = [f"x{k}" for k in range(len(kinds))]
    tests, leaves, repeats = [], [], []
    for kind, x in zip(kinds, names, strict=True):
        c = x.replace("x", "c")
        if kind == "s":
            tests.append(f"{x} is slots[{c}]")
        elif kind == "r":
            repeats.append(f"{x} is slots[{c}]")
        elif kind == "n":
            tests.append(f"type({x}) is float")
        elif kind == "a":
            tests.append(f"{x} is {c}")
        elif kind in "ct":
            tests.append(f"type({x}) is type({c}) and {x} == {c}")
        elif kind == "m":
            tests.append(f"same({x}, {c}, slots)")
        else:
            leaves.append(f"run.meet({x}, {c}, slots)")
    tests += leaves + repeats
    unpack = f"{', '.join(names)}{',' if len(names) == 1 else ''} = {{}}" if names else ""
    lines = [
        "def factory(constants):",
        "    " + unpack.format("constants").replace("x", "c"),
        "    def test(operands, run):",
        f"        if len(operands) != {len(names)}: return False",
        "        slots = run.slots",
        "        " + unpack.format("operands"),
        f"        return {' and '.join(tests) or 'True'}",
        "    return test",
    ]
    text = "\n".join(lines)
    space: dict[str, Any] = {"same": _same}
    exec(compile(text, "<lampion replay>", "exec"), space)
    return space["factory"]


def _same(operands: Any, expected: tuple, slots: list) -> bool:
    kind, numbers = expected
    if type(operands) is not kind or len(operands) != len(numbers):
        return False
    return all(x is slots[number] for x, number in zip(operands, numbers, strict=True))


def _long(kinds: str, constants: list) -> Callable:
    """Return the test of a call of many operands: a loop."""
    expected = list(zip(kinds, constants, strict=True))

    def test(operands: list, run: Any) -> bool:
        if len(operands) != len(expected):
            return False
        slots = run.slots
        for x, (kind, constant) in zip(operands, expected, strict=True):
            if kind in "sr":
                if x is not slots[constant]:
                    return False
            elif kind == "l":
                if not run.meet(x, constant, slots):
                    return False
            elif kind == "a":
                if x is not constant:
                    return False
            elif kind == "n":
                if type(x) is not float:
                    return False
            elif kind == "m":
                if not _same(x, constant, slots):
                    return False
            elif type(x) is not type(constant) or x != constant:
                return False
        return True

    return test
