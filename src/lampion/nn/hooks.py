"""Functions that a user hangs on a module: around its call and around its backward pass.

A hook is kept in an ordered dictionary under the number of its handle; removing the handle
removes the hook. The order of one call is

    global forward pre-hooks, forward pre-hooks, forward, global forward hooks, forward hooks

and, for the backward hooks, see `lampion.nn.backward_hooks`.
"""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lampion import errors
from lampion.nn.backward_hooks import BackwardHook
from lampion.nn.watched import WatchedHooks
from lampion.tensor import Tensor


class RemovableHandle:
    """Stands for one registered hook; `remove()` (or leaving a `with` block) takes it away.

    Args:
        hooks_dict: where the hook is kept.
        extra_dict: dictionaries with remarks about the hook that go away together with it.
    """

    next_id = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extra = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(one) for one in extra if one is not None)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = reference()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def __getstate__(self):
        return self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref)

    def __setstate__(self, state) -> None:
        hooks, self.id, extra = state
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(one) for one in extra if one is not None)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)


def add_hook(
    hooks: OrderedDict, hook: Callable, *, prepend: bool = False,
    marks: tuple[tuple[OrderedDict, bool], ...] = (),
) -> RemovableHandle:
    """Keep `hook` in `hooks`, first or last, with a mark in each dictionary that asks for one."""
    handle = RemovableHandle(hooks, extra_dict=[mark for mark, _ in marks])
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    for mark, wanted in marks:
        if wanted:
            mark[handle.id] = True
    return handle


class GlobalHooks:
    """The hooks that run for every module."""

    def __init__(self) -> None:
        self.forward: OrderedDict[int, Callable] = WatchedHooks()
        self.forward_with_kwargs: OrderedDict[int, bool] = OrderedDict()
        self.forward_always_called: OrderedDict[int, bool] = OrderedDict()
        self.forward_pre: OrderedDict[int, Callable] = WatchedHooks()
        self.backward: OrderedDict[int, Callable] = WatchedHooks()
        self.backward_pre: OrderedDict[int, Callable] = WatchedHooks()
        self.parameter_registration: OrderedDict[int, Callable] = OrderedDict()
        self.buffer_registration: OrderedDict[int, Callable] = OrderedDict()
        self.module_registration: OrderedDict[int, Callable] = OrderedDict()


GLOBAL = GlobalHooks()


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Run `hook(module, args)` before every module's forward."""
    return add_hook(GLOBAL.forward_pre, hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run `hook(module, args, output)` after every module's forward."""
    marks = (
        (GLOBAL.forward_with_kwargs, with_kwargs), (GLOBAL.forward_always_called, always_call)
    )
    return add_hook(GLOBAL.forward, hook, marks=marks)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Run `hook(module, grad_output)` when the gradient of any module's output is known."""
    return add_hook(GLOBAL.backward_pre, hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Run `hook(module, grad_input, grad_output)` when any module's input gradient is known."""
    return add_hook(GLOBAL.backward, hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Run `hook(module, name, parameter)` at every registration; its result replaces it."""
    return add_hook(GLOBAL.parameter_registration, hook)


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Run `hook(module, name, buffer)` at every registration; its result replaces it."""
    return add_hook(GLOBAL.buffer_registration, hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Run `hook(module, name, submodule)` at every registration; its result replaces it."""
    return add_hook(GLOBAL.module_registration, hook)


class HookMethods:
    """The part of `Module` that registers and runs hooks."""

    _forward_hooks: OrderedDict[int, Callable]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Callable]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: OrderedDict[int, Callable]
    _backward_pre_hooks: OrderedDict[int, Callable]

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, args)` before `forward`; a result replaces the arguments.

        Args:
            hook: returns None, one argument or a tuple of arguments. With `with_kwargs` it is
                called as `hook(module, args, kwargs)` and returns None or `(args, kwargs)`.
            prepend: run before the hooks that are there already.
            with_kwargs: hand the keyword arguments to the hook as well.

        Example:
            >>> import lampion as torch
            >>> layer = torch.nn.Identity()
            >>> handle = layer.register_forward_pre_hook(lambda module, args: args[0] * 2)
            >>> layer(torch.tensor([1.0, 2.0]))
            tensor([2., 4.])
            >>> handle.remove()
        """
        marks = ((self._forward_pre_hooks_with_kwargs, with_kwargs),)
        return add_hook(self._forward_pre_hooks, hook, prepend=prepend, marks=marks)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Run `hook(module, args, output)` after `forward`; a result replaces the output.

        Args:
            hook: with `with_kwargs` it is called as `hook(module, args, kwargs, output)`.
            prepend: run before the hooks that are there already.
            with_kwargs: hand the keyword arguments to the hook as well.
            always_call: run it even when `forward` raises.

        Example:
            >>> import lampion as torch
            >>> layer = torch.nn.Identity()
            >>> handle = layer.register_forward_hook(lambda module, args, output: output + 1)
            >>> layer(torch.tensor([1.0]))
            tensor([2.])
        """
        marks = (
            (self._forward_hooks_with_kwargs, with_kwargs),
            (self._forward_hooks_always_called, always_call),
        )
        return add_hook(self._forward_hooks, hook, prepend=prepend, marks=marks)

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, grad_output)` when the output's gradient is known.

        A result replaces the gradient of the output.
        """
        return add_hook(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Run `hook(module, grad_input, grad_output)` when the input's gradient is known.

        A result replaces the gradient of the input. Inputs that are no tensors, or are given by
        keyword, have the gradient None.
        """
        return add_hook(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """Not there: PyTorch's old hook sees the gradients of the last operation only.

        Raises:
            UnsupportedError: always.
        """
        raise errors.UnsupportedError(
            "Module.register_backward_hook is not there",
            why="it hands over the gradients of the module's last operation, not of the module",
            fix="module.register_full_backward_hook(hook)",
        )

    def _call_with_hooks(self, args: tuple, kwargs: dict) -> Any:
        """Call `forward` with every hook around it."""
        called: set[int] = set()
        result = None
        try:
            if GLOBAL.forward_pre or self._forward_pre_hooks:
                args, kwargs = self._run_forward_pre_hooks(args, kwargs)
            around = self._backward_hook()
            if around:
                args = around.watch_inputs(args)
            result = self.forward(*args, **kwargs)  # type: ignore[attr-defined]
            for number, hook, with_kwargs, _ in self._all_forward_hooks():
                called.add(number)
                new = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
                result = result if new is None else new
            if around:
                if not isinstance(result, (Tensor, tuple)):
                    warnings.warn(
                        "For backward hooks to be called, module output should be a Tensor or a"
                        f" tuple of Tensors but received {type(result)}", stacklevel=3)
                result = around.watch_outputs(result)
            return result
        except Exception:
            self._run_always_called_hooks(args, kwargs, result, called)
            raise

    def _backward_hook(self) -> BackwardHook | None:
        """Return what runs the backward hooks of this call, where there are any."""
        if not (GLOBAL.backward or GLOBAL.backward_pre or self._backward_hooks
                or self._backward_pre_hooks):
            return None
        return BackwardHook(self, (*GLOBAL.backward.values(), *self._backward_hooks.values()),
                            (*GLOBAL.backward_pre.values(), *self._backward_pre_hooks.values()))

    def _run_forward_pre_hooks(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        for hook in GLOBAL.forward_pre.values():
            args = _as_arguments(hook(self, args), args)
        for number, hook in list(self._forward_pre_hooks.items()):
            if number not in self._forward_pre_hooks_with_kwargs:
                args = _as_arguments(hook(self, args), args)
                continue
            new = hook(self, args, kwargs)
            if new is None:
                continue
            if not (isinstance(new, tuple) and len(new) == 2):
                raise errors.StateError(
                    "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {new}.",
                    fix="return args, kwargs")
            args, kwargs = new
        return args, kwargs

    def _all_forward_hooks(self) -> list[tuple[int, Callable, bool, bool]]:
        """List (number, hook, takes keyword arguments, runs always), global hooks first."""
        return [
            (number, hook, number in GLOBAL.forward_with_kwargs,
             number in GLOBAL.forward_always_called)
            for number, hook in GLOBAL.forward.items()
        ] + [
            (number, hook, number in self._forward_hooks_with_kwargs,
             number in self._forward_hooks_always_called)
            for number, hook in self._forward_hooks.items()
        ]

    def _run_always_called_hooks(
        self, args: tuple, kwargs: dict, result: Any, called: set[int]
    ) -> None:
        """After an exception: run what must run always and did not; its own errors only warn."""
        for number, hook, with_kwargs, always in self._all_forward_hooks():
            if not always or number in called:
                continue
            try:
                new = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
                result = result if new is None else new
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error}", stacklevel=4)


def _as_arguments(new: Any, args: tuple) -> tuple:
    if new is None:
        return args
    return new if isinstance(new, tuple) else (new,)
