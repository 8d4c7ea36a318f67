"""Making functions recorded ones."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import getrefcount
from types import FunctionType
from typing import Any

from .. import dtypes
from ..casting import casting
from ..ir import mode
from . import gradients
from .run import Run
from .tree import Call

run = Run()


def recorded(function: Callable, lifts: Sequence[int] = (), operands: Callable | None = None,
             follow: Callable | None = None, computes: bool = False) -> Any:
    """Return a function whose calls are matched against the record; see `Call`."""
    call = Call(function, lifts, operands, follow, computes)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run = mode.run
        if run is None:
            return function(*args, **kwargs)
        if not run.slow and not kwargs:
            # What `run.call` does, for the most frequent kind of call, in one place.
            node = run.node
            entry = node.next
            if entry is not None and entry.call is call:
                made = entry.only
                if made is not None and entry.grad is mode.grad and entry.matches is not None:
                    slots = run.slots
                    size, single = len(slots), entry.single
                    try:
                        if (len(args) == 1 and args[0] is slots[single] if single >= 0
                                else entry.matches(args, run)):
                            tensor = made.spare
                            if (tensor is None or getrefcount(tensor) != 3 or tensor.__dict__
                                    or tensor.__weakref__ is not None or (
                                        (made.is_rare or tensor._promise is None
                                         or tensor._promise.run is None)
                                        and not run.take_back(tensor, made))):
                                tensor = made.spare = run.new(made)
                            lifts = entry.lifts
                            numbers = [args[place] for place in lifts] if lifts else None
                            run.log.append((entry, [*args], kwargs, numbers, None))
                            slots.append(tensor)
                            run.made.append(tensor)
                            run.node = entry.node
                            return tensor
                    except BaseException:  # an interruption, at any of these lines
                        run.undo_call(node, entry, size)
                        raise
                    if len(slots) != size:
                        run.retreat(size)
        return run.call(call, args, kwargs)

    return wrapper


forget_gradients = recorded(
    gradients.forget_gradients, operands=lambda run, args, kwargs: [],
    follow=gradients.follow_forgetting)


def _set_autocast(kind: dtypes.dtype | None) -> None:
    mode.autocast = kind


def _follow_autocast(run: Run, args: tuple, kwargs: dict) -> None:
    mode.autocast = args[0]


# A call of the record itself, so that what a call does follows from those before it.
set_autocast = recorded(_set_autocast, follow=_follow_autocast)


def record_module(names: dict[str, Any], but: Iterable[str] = (),
                  lifts: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Record the public functions that a module defines.

    Args:
        names: the module's `globals()`.
        but: functions that are left out: they read numbers, so that only what they call is
            recorded, or change what a tensor looks at.
        lifts: for each function, the places of arguments whose numbers are inputs.
    """
    wrapped: dict[int, Any] = {}
    for name, function in list(names.items()):
        if (isinstance(function, FunctionType) and not name.startswith("_") and name not in but
                and function.__module__ == names["__name__"]
                and function.__code__.co_name != "wrapper"):
            if id(function) not in wrapped:
                wrapped[id(function)] = recorded(
                    casting(function), (lifts or {}).get(name, ()))
            names[name] = wrapped[id(function)]


def set_replay(enabled: bool) -> None:
    """Switch replay on or off (it is on), for the thread that calls.

    Without replay every call is made: slower, and with the same numbers.

    Example:
        >>> import lampion as torch
        >>> torch.set_replay(False)
        >>> torch.set_replay(True)
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if not enabled and mode.run is not None:
        run.materialise()
    run.forget()
    mode.run = run if enabled else None


def forget() -> None:
    """Drop every record: something changed that records do not know of."""
    run.materialise()
    run.forget()


dtypes.on_default_change.append(forget)


def explain_recompiles() -> list[tuple[str, str]]:
    """Return the user's line and the reason of each time that a call was not the recorded one.

    Example:
        >>> import lampion as torch
        >>> isinstance(torch.explain_recompiles(), list)
        True
    """
    return run.reasons.words()
