"""Hooks: functions of the user's that run before or after something of ours.

A table of hooks is an ordered dict from a number to a function; `HookHandle` takes one out again.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

Hooks = OrderedDict[int, Callable[..., Any]]
_numbers = itertools.count()


class HookHandle:
    """What registering a hook returns: `remove()` takes the hook out again.

    Example:
        >>> table = OrderedDict()
        >>> with register_hook(table, print):
        ...     len(table)
        1
        >>> len(table)
        0
    """

    def __init__(self, hooks: Hooks, number: int):
        self.hooks = hooks
        self.id = number

    def remove(self) -> None:
        """Take the hook out of its table; a second call does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def register_hook(hooks: Hooks, hook: Callable[..., Any], prepend: bool = False) -> HookHandle:
    """Put `hook` at the end of the table, or in front when `prepend`."""
    number = next(_numbers)
    hooks[number] = hook
    if prepend:
        hooks.move_to_end(number, last=False)
    return HookHandle(hooks, number)
