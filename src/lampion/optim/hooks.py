"""Hooks of optimizers: functions of the user's that run around `step`, saving and loading.

A table of hooks is an ordered dict from the number of a handle to a function.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lampion.errors import StateError
from lampion.nn.hooks import RemovableHandle
from lampion.trace import flush

Hooks = OrderedDict[int, Callable[..., Any]]
_global_pre_hooks: Hooks = OrderedDict()
_global_post_hooks: Hooks = OrderedDict()


def register_hook(
    hooks: Hooks, hook: Callable[..., Any], prepend: bool = False
) -> RemovableHandle:
    """Put `hook` at the end of the table, or in front when `prepend`.

    Example:
        >>> table = OrderedDict()
        >>> with register_hook(table, print):
        ...     len(table)
        1
        >>> len(table)
        0
    """
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer."""
    return register_hook(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return register_hook(_global_post_hooks, hook)


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a `step` method: hooks around it, and everything pending runs at its end."""

    @functools.wraps(step)
    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._inside_step:  # a subclass's step calls the step it inherits
            return step(self, *args, **kwargs)
        self._inside_step = self._opt_called = True
        try:
            call = (self, *args), kwargs
            for hook in (*_global_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
                changed = hook(self, *call)
                if changed is not None:
                    call = _checked_call(changed)
            result = step(*call[0], **call[1])
            for hook in (*self._optimizer_step_post_hooks.values(), *_global_post_hooks.values()):
                hook(self, *call)
        finally:
            self._inside_step = False
        flush()
        return result

    return hooked


def _checked_call(changed: Any) -> tuple[Any, Any]:
    if isinstance(changed, tuple) and len(changed) == 2:
        return changed
    raise StateError(
        f"a step pre-hook returned {changed!r}",
        why="it must return None, or a tuple (args, kwargs) that replaces the arguments of step",
    )
