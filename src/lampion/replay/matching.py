"""Quick tests that a call is a recorded one.

A test is generated from the kinds of the operands, and compiled once for each pattern of kinds:

    s  a tensor that the record knows: the same object
    r  the same, of a tensor that it met in this very call
    l  a tensor from outside that the record meets here: of the same type
    n  a lifted number: a float, whichever
    b  tensors that belong together
    x  tuples, lists and slices of such: equal, and of the same types
    c  anything else: equal, and of the same type

A test that says no proves nothing: the call is then compared by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from operator import is_, itemgetter
from typing import Any

from .. import dtypes
from ..base import TensorBase
from .bundle import Bundle
from .keys import Description
from .seen import Seen

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
        elif isinstance(x, Bundle):
            kinds += "b"
            constants.append(_bundle(x, fresh, met, slot_of))
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
        elif _is_plain(x):
            kinds += "x"
            constants.append(list(x) if type(x) is list else x)
        else:
            return None
    if "b" in kinds and "l" in kinds[kinds.index("b"):]:
        return None  # tensors get their slots in the order of the operands
    if len(kinds) > MANY:
        return _long(kinds, constants)
    if kinds not in _factories:
        _factories[kinds] = _compile(kinds)
    return _factories[kinds](constants)


def _compile(kinds: str) -> Callable:
    """Write and compile the test of a pattern."""
    names = [f"x{k}" for k in range(len(kinds))]
    tests, leaves, repeats = [], [], []  # bundles are met after single tensors
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
        elif kind == "x":
            tests.append(f"equal({x}, {c})")
        elif kind == "b":
            repeats.insert(0, f"{c}({x}, run, slots)")
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
    space: dict[str, Any] = {"same": _same, "equal": _equal}
    exec(compile(text, "<lampion replay>", "exec"), space)
    return space["factory"]


def _is_plain(x: Any) -> bool:
    """Whether a container holds nothing but numbers, strings and containers of these."""
    if type(x) in (tuple, list):
        return all(map(_is_plain, x))
    if type(x) is slice:
        return all(map(_is_plain, (x.start, x.stop, x.step)))
    return type(x) in (int, str, float, bool, type(None), type(Ellipsis))


def _equal(x: Any, constant: Any) -> bool:
    kind = type(constant)
    if type(x) is not kind:
        return False
    if kind is tuple or kind is list:
        return len(x) == len(constant) and all(map(_equal, x, constant))
    if kind is slice:
        return (_equal(x.start, constant.start) and _equal(x.stop, constant.stop)
                and _equal(x.step, constant.step))
    if kind is float:
        return x.hex() == constant.hex()
    return x == constant


def _same(operands: Any, expected: tuple, slots: list) -> bool:
    kind, numbers = expected
    if type(operands) is not kind or len(operands) != len(numbers):
        return False
    return all(x is slots[number] for x, number in zip(operands, numbers, strict=True))


def _long(kinds: str, constants: list) -> Callable:
    """Return the test of a call of many operands: kind by kind."""
    def places(wanted: str) -> list[int]:
        return [place for place, kind in enumerate(kinds) if kind in wanted]

    known, alike, fresh, floats = places("s"), places("a"), places("l"), places("n")
    rest = [(place, kinds[place], constants[place]) for place in places("brmctx")]
    rest.sort(key=lambda item: item[1] != "b")
    pick_known, pick_alike, pick_fresh, pick_floats = map(picker, (known, alike, fresh, floats))
    pick_slots = picker([constants[place] for place in known])
    same = [constants[place] for place in alike]
    seen = Seen([constants[place] for place in fresh])

    def test(operands: list, run: Any) -> bool:
        if len(operands) != len(kinds):
            return False
        slots = run.slots
        if not (all(map(is_, pick_known(operands), pick_slots(slots)))
                and all(map(is_, pick_alike(operands), same))
                and all(map(is_, map(type, pick_floats(operands)), repeat(float)))
                and (not fresh or run.meet_all(pick_fresh(operands), seen, slots))):
            return False
        for place, kind, constant in rest:
            x = operands[place]
            if kind == "b":
                if not constant(x, run, slots):
                    return False
            elif kind == "r":
                if x is not slots[constant]:
                    return False
            elif kind == "m":
                if not _same(x, constant, slots):
                    return False
            elif kind == "x":
                if not _equal(x, constant):
                    return False
            elif type(x) is not type(constant) or x != constant:
                return False
        return True

    return test


def _bundle(bundle: Bundle, fresh: dict[int, tuple], met: set[int], slot_of: Callable) -> Callable:
    """Return the test of tensors that belong together."""
    structure, number = bundle.structure, bundle.number
    new, known, slots_of_known = [], [], []
    for place, tensor in enumerate(bundle.tensors):
        if id(tensor) in fresh and id(tensor) not in met:
            met.add(id(tensor))
            new.append(place)
        else:
            known.append(place)
            slots_of_known.append(slot_of(tensor))
    size, first = len(bundle.tensors), slots_of_known[0] if known else 0
    pick_new, pick_known, pick_slots = picker(new), picker(known), picker(slots_of_known)
    seen = Seen([fresh[id(bundle.tensors[place])] for place in new])
    row = not new and slots_of_known == [*range(first, first + size)]

    def test(x: Any, run: Any, slots: list) -> bool:
        nonlocal number
        if not isinstance(x, Bundle) or x.structure is not structure:
            return False
        tensors = x.tensors
        if not new:
            return ((row and run.bundles.get(x.number) == first)
                    or all(map(is_, tensors, pick_slots(slots))))
        if known:
            return (run.meet_all(pick_new(tensors), seen, slots)
                    and all(map(is_, pick_known(tensors), pick_slots(slots))))
        place = len(slots)
        if not run.meet_all(tensors, seen, slots, x.number == number):
            return False
        number, run.bundles[x.number] = x.number, place
        return True

    return test


def picker(places: list[int]) -> Callable:
    """Return what takes the items at some places out of a list."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda items: tuple(items[place] for place in places)
