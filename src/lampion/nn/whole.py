"""A call of a network of lampion's own layers as one recorded call.

What a `Linear` or a `Sequential` of such layers does follows from a few things: the classes, the
settings (sizes, probabilities, whether it trains), and the tensors that it owns. So where replay
follows a training step, a call of such a module is matched as a whole: are these things as they
were? The layers inside are not called then, as the functions inside `linear` are not.

    parts_of(module)    all that its call depends on besides the arguments, or None

is None for every module that may do something else: another class inside, a hook, an attribute
that is no plain value, a `forward` that was replaced. Such a module is called as ever. What was
found out is used again until anything changes in any of these modules (see watched.py).

A call that was put off and has to be made after all (replay/truth.py) finds the modules as they
were when the user called: `Parts` keeps the attributes of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any
from weakref import ref

from lampion import dtypes
from lampion.nn.hooks import GLOBAL
from lampion.nn.watched import Changes, WatchedDict, WatchedHooks
from lampion.replay.bundle import Bundle, Structure
from lampion.replay.tree import Call
from lampion.tensor import Tensor

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
REGISTRIES = ("_parameters", "_buffers", "_modules")
# Attributes that a call does not depend on.
OTHERS = frozenset((
    "_whole", "_non_persistent_buffers_set", "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
    *HOOKS, *REGISTRIES))
# Attributes that hold lists which nobody changes.
LISTS = frozenset(("_all_weights", "_reversed_padding_repeated_twice"))
PLAIN = (bool, int, str, type(None), dtypes.dtype, dtypes.device)
# So often a call that turned out not to be recordable is tried.
MOST_REFUSALS = 3

# The classes whose calls are matched whole, with the methods that this is true of.
WHOLE: dict[type, tuple] = {}
METHODS = attrgetter("__call__", "forward")
_structures: dict[tuple, Structure] = {}


def enter(classes: Iterable[type]) -> None:
    """Say that a call of these classes follows from their settings, tensors and inputs alone."""
    WHOLE.update((kind, METHODS(kind)) for kind in classes)


class Parts(Bundle):
    """What a call of a module depends on besides its arguments, as of one moment.

    Args:
        module: the module, held weakly.
        structure, tensors: see `Bundle`.
        states: of each module inside, held weakly, its attributes.
        kinds: the classes.
        parameters: the parameters, each once.

    Attributes:
        stamp: the number of changes when this was last found true.
        methods: of each class, the methods that were there.
    """

    __slots__ = ("owner", "states", "kinds", "parameters", "methods", "stamp")

    def __init__(self, module: Any, structure: Structure, tensors: tuple, states: list,
                 kinds: list[type], parameters: list[Tensor]):
        super().__init__(structure, tensors)
        self.owner, self.states, self.kinds = ref(module), states, kinds
        self.parameters = parameters
        self.methods = [WHOLE[kind] for kind in kinds]
        self.stamp = Changes.count

    def hold(self) -> bool:
        """Whether the classes do what they did."""
        return [*map(METHODS, self.kinds)] == self.methods

    def are_old(self) -> bool:
        """Whether some module has other attributes now."""
        if self.stamp == Changes.count:
            return False
        return any((module := reference()) is None or not _alike(module.__dict__, state)
                   for reference, state in self.states)


class Unusable:
    """Says that a module is called as ever, until something changes."""

    __slots__ = ("owner", "stamp")

    def __init__(self, module: Any):
        self.owner, self.stamp = ref(module), Changes.count


def parts_of(module: Any) -> Parts | None:
    """Return what a call of a module depends on, None where it may be anything."""
    known = module.__dict__.get("_whole")
    if known is None or known.stamp != Changes.count or known.owner() is not module:
        known = module.__dict__["_whole"] = _renewed(module, known)
    if type(known) is Unusable or not known.hold():
        return None
    return known if known.structure.refusals < MOST_REFUSALS else None


def _renewed(module: Any, known: Any) -> Parts | Unusable:
    if GLOBAL.forward or GLOBAL.forward_pre or GLOBAL.backward or GLOBAL.backward_pre:
        return Unusable(module)
    if type(known) is Parts and known.owner() is module and not known.are_old():
        known.stamp = Changes.count
        return known
    walk = _Walk()
    if not walk.visit(module):
        return Unusable(module)
    key = tuple(walk.rows)
    structure = _structures.get(key)
    if structure is None:
        if len(_structures) > 4096:
            _structures.clear()
        structure = _structures[key] = Structure(type(module).__name__)
    kinds = [*dict.fromkeys(row[0] for row in walk.rows)]
    parameters = [*{id(x): x for x in walk.parameters}.values()]
    return Parts(module, structure, tuple(walk.tensors), walk.states, kinds, parameters)


class _Walk:
    """A walk over a module and all in it.

    Attributes:
        rows: of each module its class, plain attributes, names of tensors and places of modules.
        tensors: all that they own, in order.
        parameters: the parameters among these.
        states: (module, attributes) of each, the module held weakly.
    """

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.tensors: list[Tensor] = []
        self.parameters: list[Tensor] = []
        self.states: list[tuple[ref, dict]] = []
        self._places: dict[int, int] = {}

    def visit(self, module: Any) -> bool:
        """Take a module in; False where its calls may be anything."""
        own = module.__dict__
        if type(module) not in WHOLE or any(
                type(own.get(name)) is not WatchedHooks or own[name] for name in HOOKS) or any(
                type(own.get(name)) is not WatchedDict for name in REGISTRIES):
            return False
        place = self._places[id(module)] = len(self.rows)
        self.rows.append(None)
        self.states.append((ref(module), _state(own)))
        settings, names, children = [], [], []
        for name, x in own.items():
            if name not in OTHERS:
                setting = _plain(_as_tuple(x) if name in LISTS else x)
                if setting is None:
                    return False
                settings.append((name, setting))
        for registry in ("_parameters", "_buffers"):
            for name, tensor in own[registry].items():
                names.append((name, tensor is not None))
                if tensor is not None:
                    self.tensors.append(tensor)
                    if registry == "_parameters":
                        self.parameters.append(tensor)
        for name, child in own["_modules"].items():
            if child is not None:
                known = self._places.get(id(child))
                if known is not None and self.rows[known] is None:
                    return False  # a module inside itself
                if known is None and not self.visit(child):
                    return False
                children.append((name, self._places[id(child)]))
            else:
                children.append((name, -1))
        self.rows[place] = (type(module), tuple(settings), tuple(names), tuple(children))
        return True


def _plain(x: Any) -> Any:
    """Return what an attribute is compared by, None where it is no plain value."""
    kind = type(x)
    if kind is float:
        return (float, x.hex())
    if kind in PLAIN:
        return (kind, x)
    if kind is tuple:
        items = tuple(map(_plain, x))
        return None if None in items else (tuple, items)
    return None


def _as_tuple(x: Any) -> Any:
    return tuple(map(_as_tuple, x)) if type(x) is list else x


def _state(own: dict) -> dict:
    """Return the attributes of a module, as they are now and stay."""
    state = {name: x for name, x in own.items() if name != "_whole"}
    for name in REGISTRIES:
        state[name] = WatchedDict(own[name])
    return state


def _alike(own: dict, state: dict) -> bool:
    """Whether a module has the attributes that it had."""
    if len(own) - ("_whole" in own) != len(state):
        return False
    for name, old in state.items():
        new = own.get(name)
        if name in REGISTRIES:
            if type(new) is not WatchedDict or len(new) != len(old) or any(
                    new.get(key) is not x for key, x in old.items()):
                return False
        elif new is not old or (name in HOOKS and new):
            return False
    return True


def call_as_it_was(module: Any, parts: Parts, pattern: tuple[int, ...], *flat: Any) -> Any:
    """Call a module that is, for this call, what `parts` says.

    Args:
        pattern, flat: the inputs, see `flattened`.
    """
    inputs = _gathered(pattern, flat) if pattern else flat
    if not parts.are_old():
        return module(*inputs)
    put_back = []
    try:
        for reference, state in parts.states:
            part = reference()
            if part is not None:
                put_back.append((part, part.__dict__))
                object.__setattr__(part, "__dict__", dict(state))
        return module(*inputs)
    finally:
        for part, own in put_back:
            object.__setattr__(part, "__dict__", own)


def flattened(inputs: tuple) -> tuple | None:
    """Return (pattern, *tensors) of inputs that are tensors, None, and tuples or lists of these.

    The pattern has a number for each input: 0 for a tensor or None, 1 + 2 n for a tuple of n,
    2 + 2 n for a list; it is empty where there are neither. None where an input is something else.
    """
    for x in inputs:
        if not isinstance(x, Tensor) and x is not None:
            break
    else:
        return ((), *inputs)
    pattern, flat = [], []
    for x in inputs:
        if isinstance(x, Tensor) or x is None:
            pattern.append(0)
            flat.append(x)
        elif type(x) in (tuple, list):
            pattern.append(2 * len(x) + 1 + (type(x) is list))
            for item in x:
                if not isinstance(item, Tensor) and item is not None:
                    return None
            flat += x
        else:
            return None
    return (tuple(pattern), *flat)


def _gathered(pattern: tuple[int, ...], flat: tuple) -> list:
    inputs, place = [], 0
    for number in pattern:
        if number == 0:
            inputs.append(flat[place])
            place += 1
        else:
            count, kind = (number - 1) // 2, list if number % 2 == 0 else tuple
            inputs.append(kind(flat[place:place + count]))
            place += count
    return inputs


def _operands(run: Any, args: tuple, kwargs: dict) -> list:
    return [*args[2:], args[1]]


CALL = Call(call_as_it_was, operands=_operands)
