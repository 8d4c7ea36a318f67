"""Nested tuples, lists and dictionaries of tensors, taken apart and put together again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def is_tree(x: Any) -> bool:
    """Whether x is a container that is looked into."""
    return isinstance(x, (tuple, list)) or type(x) in (dict, OrderedDict)


def leaves(tree: Any) -> list:
    """Return what a nested container holds, from left to right.

    Example:
        >>> leaves({"a": (1, 2), "b": [3]})
        [1, 2, 3]
    """
    if isinstance(tree, (tuple, list)):
        return [x for item in tree for x in leaves(item)]
    if is_tree(tree):
        return [x for item in tree.values() for x in leaves(item)]
    return [tree]


def rebuild(tree: Any, new: Iterable) -> Any:
    """Return a container like `tree` that holds other things.

    Example:
        >>> rebuild({"a": (1, 2), "b": [3]}, "xyz")
        {'a': ('x', 'y'), 'b': ['z']}
    """
    return _rebuild(tree, iter(new))


def _rebuild(tree: Any, new: Iterator) -> Any:
    if isinstance(tree, (tuple, list)):
        items = [_rebuild(item, new) for item in tree]
        if isinstance(tree, tuple) and getattr(tree, "_fields", None) is not None:
            return type(tree)(*items)
        return tuple(items) if isinstance(tree, tuple) else items
    if is_tree(tree):
        return type(tree)((key, _rebuild(item, new)) for key, item in tree.items())
    return next(new)


def convert(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a container like `tree` with `function` applied to all that it holds.

    Example:
        >>> convert(str, [1, (2,)])
        ['1', ('2',)]
    """
    return rebuild(tree, [function(x) for x in leaves(tree)])


def spread(prefix: Any, tree: Any) -> list | None:
    """Return for each leaf of `tree` the part of `prefix` that stands over it; None if none does.

    Example:
        >>> spread((0, None), ([1, 2], 3))
        [0, 0, None]
    """
    if not is_tree(prefix):
        return [prefix] * len(leaves(tree))
    if isinstance(prefix, (tuple, list)):
        if not isinstance(tree, (tuple, list)) or len(prefix) != len(tree):
            return None
        pairs: Any = zip(prefix, tree, strict=True)
    else:
        if not is_tree(tree) or isinstance(tree, (tuple, list)) or set(prefix) != set(tree):
            return None
        pairs = [(prefix[key], item) for key, item in tree.items()]
    found = []
    for part, item in pairs:
        below = spread(part, item)
        if below is None:
            return None
        found.extend(below)
    return found
