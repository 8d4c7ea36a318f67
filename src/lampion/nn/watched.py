"""Dictionaries of a module that count their changes, all together.

What was found out about modules (see whole.py) is true as long as the count is what it was.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


class Changes:
    """How many changes there were: of parts, hooks and settings of lampion's own layers."""

    count = 0


def _counting(kind: type, name: str) -> Any:
    method = getattr(kind, name)

    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        Changes.count += 1
        return method(self, *args, **kwargs)

    change.__name__ = name
    return change


class WatchedDict(dict):
    """The parameters, buffers or modules of a module."""

    def __reduce__(self) -> tuple:  # a copy or a saved one is a plain dictionary
        return dict, (dict(self),)

    def copy(self) -> dict:
        return dict(self)


class WatchedHooks(OrderedDict):
    """The hooks of one kind of a module."""

    def __reduce__(self) -> tuple:
        return OrderedDict, (list(self.items()),)


for _kind in (WatchedDict, WatchedHooks):
    for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem",
                  "setdefault", "update"):
        setattr(_kind, _name, _counting(_kind, _name))
WatchedHooks.move_to_end = _counting(OrderedDict, "move_to_end")  # type: ignore[method-assign]
