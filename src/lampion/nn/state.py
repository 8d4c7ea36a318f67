"""Saving a module's state into a dictionary, and loading it back.

A state dictionary maps dotted names to tensors: the parameters and persistent buffers of a module
and of all modules below it.
"""

from __future__ import annotations

import difflib
import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lampion import errors
from lampion.autograd import no_grad
from lampion.nn.hooks import RemovableHandle, add_hook
from lampion.nn.parameter import Parameter, is_lazy
from lampion.tensor import Tensor

if TYPE_CHECKING:
    from lampion.nn.module import Module

EXTRA_STATE = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find, and what it could not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (f"_IncompatibleKeys(missing_keys={self.missing_keys!r}, "
                f"unexpected_keys={self.unexpected_keys!r})")

    def __str__(self) -> str:
        return repr(self)


_IncompatibleKeys = IncompatibleKeys  # PyTorch's name


class StateMethods:
    """The part of `Module` that saves and loads its state."""

    _version = 1
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: OrderedDict[int, Callable]
    _state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_post_hooks: OrderedDict[int, Callable]

    # ---- saving ----

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Return the parameters and persistent buffers, here and below, by dotted name.

        Args:
            args: the three others by position, as old programs give them.
            destination: a dictionary to fill; a new ordered one when not given.
            prefix: put before every name.
            keep_vars: the tensors themselves instead of detached ones that share their memory.

        Example:
            >>> import lampion as torch
            >>> list(torch.nn.Linear(2, 3).state_dict())
            ['weight', 'bias']
        """
        if args:
            warnings.warn(
                "state_dict takes destination, prefix and keep_vars by keyword", FutureWarning,
                stacklevel=2)
            names = ("destination", "prefix", "keep_vars")
            return self.state_dict(**{
                "destination": destination, "prefix": prefix, "keep_vars": keep_vars,
                **dict(zip(names, args, strict=False))})
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            if hook(self, destination, prefix, metadata) is not None:
                raise errors.StateError(
                    "state_dict post-hook must return None",
                    why="the hook changes the dictionary in place",
                    fix="a hook without return")
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Write this module's own state into `destination`; a subclass may write its own way."""
        for name, tensor in itertools.chain(self._parameters.items(), self._persistent_buffers()):
            if tensor is not None:
                destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateMethods.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _persistent_buffers(self) -> list[tuple[str, Tensor | None]]:
        return [(name, buffer) for name, buffer in self._buffers.items()
                if name not in self._non_persistent_buffers_set]

    def get_extra_state(self) -> Any:
        """Return more to keep in the state dictionary; a module with such state defines it."""
        raise errors.StateError(
            f"{type(self).__name__} has no extra state",
            why="get_extra_state() is there for a subclass to define",
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise errors.StateError(
            f"{type(self).__name__} cannot take extra state",
            why="set_extra_state() must be defined together with get_extra_state()",
        )

    # ---- loading ----

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of `state_dict` into the parameters and buffers of the same name.

        Args:
            state_dict: dotted name to tensor.
            strict: every name must exist on both sides.
            assign: take the given tensors (with their element type) instead of copying values.

        Returns:
            `missing_keys` (of this module, not in `state_dict`) and `unexpected_keys`.

        Raises:
            StateDictError: names (when strict) or shapes that do not fit, all of them listed.

        Example:
            >>> import lampion as torch
            >>> a, b = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
            >>> a.load_state_dict(b.state_dict())
            <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise errors.ArgumentTypeError(
                f"Expected state_dict to be dict-like, got {type(state_dict)}.",
                fix="model.load_state_dict(torch.load(file))")
        metadata = getattr(state_dict, "_metadata", None)
        # A copy: a module may change the dictionary while it loads its part.
        state: Any = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata
        keys = IncompatibleKeys([], [])
        problems: list[str] = []
        _load_tree(self, state, "", metadata, assign, keys, problems)
        if strict:
            problems = _key_problems(keys) + problems
        if problems:
            text = "\n\t".join(problems)
            raise errors.StateDictError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{text}",
                why="the keys and shapes of a checkpoint must be those of the module",
                fix=(_close_names(keys) if strict else None) or _advice(keys, problems),
            )
        return keys

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict, strict: bool,
        missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:
        """Load this module's own state, and note what does not fit in the three lists."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                 error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = {name: tensor
               for name, tensor in (*self._parameters.items(), *self._persistent_buffers())
               if tensor is not None}
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                self._load_one(name, key, tensor, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        self._load_extra_state(prefix, state_dict, strict, missing_keys, unexpected_keys)
        if strict:
            unexpected_keys += [
                key for key in state_dict
                if key.startswith(prefix) and key != prefix + EXTRA_STATE
                and not self._expects(key[len(prefix):], own)]

    def _expects(self, key: str, own: dict) -> bool:
        first, dot, _ = key.partition(".")
        return first in self._modules if dot else first in own

    def _load_one(
        self, name: str, key: str, tensor: Tensor, given: Any, assign: bool,
        error_msgs: list[str],
    ) -> None:
        if not isinstance(given, Tensor):
            error_msgs.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(given)}")
            return
        if is_lazy(given):
            if not is_lazy(tensor):
                error_msgs.append(
                    f'"{key}" has no values in the checkpoint: it was saved from a lazy layer '
                    "before its first input")
            return
        if tensor.dim() == 0 and tuple(given.shape) == (1,):
            given = given[0]  # files older than scalars hold one-element vectors
        if given.shape != tensor.shape:
            error_msgs.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from "
                f"checkpoint, the shape in current model is {tensor.shape}.")
            return
        with no_grad():
            if not assign:
                tensor.copy_(given)
                return
            if isinstance(tensor, Parameter):
                if isinstance(given, Parameter):
                    given.requires_grad_(tensor.requires_grad)
                else:
                    given = Parameter(given, requires_grad=tensor.requires_grad)
            setattr(self, name, given)

    def _load_extra_state(
        self, prefix: str, state_dict: Any, strict: bool, missing_keys: list[str],
        unexpected_keys: list[str],
    ) -> None:
        key = prefix + EXTRA_STATE
        if type(self).set_extra_state is not StateMethods.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)

    # ---- hooks ----

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, state_dict, prefix, local_metadata)` after the state is saved."""
        return add_hook(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, prefix, keep_vars)` before the state is saved."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook` before this module's part of a state dictionary is loaded.

        Args:
            hook: called with (module, state_dict, prefix, local_metadata, strict, missing_keys,
                unexpected_keys, error_msgs); it may change the dictionary and the lists.
        """
        return add_hook(self._load_state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable, with_module: bool = False
    ) -> RemovableHandle:
        """Like the public method, for a hook that does not take the module."""
        return self.register_load_state_dict_pre_hook(hook if with_module else _Bare(hook))

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Run `hook(module, incompatible_keys)` after this module and those below are loaded."""
        return add_hook(self._load_state_dict_post_hooks, hook)


class _Bare:
    """A hook that does not want the module as its first argument."""

    def __init__(self, hook: Callable) -> None:
        self.hook = hook

    def __call__(self, module: Any, *args: Any) -> Any:
        return self.hook(*args)


def _load_tree(
    module: Any, state: Any, prefix: str, metadata: Any, assign: bool, keys: IncompatibleKeys,
    problems: list[str],
) -> None:
    local = {} if metadata is None else metadata.get(prefix[:-1], {})
    if assign:
        local["assign_to_params_buffers"] = assign
    module._load_from_state_dict(
        state, prefix, local, True, keys.missing_keys, keys.unexpected_keys, problems)
    for name, child in module._modules.items():
        if child is not None:
            below = f"{prefix}{name}."
            part = {key: value for key, value in state.items() if key.startswith(below)}
            _load_tree(child, part, below, metadata, assign, keys, problems)
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, keys) is not None:
            raise errors.StateError(
                "a hook of register_load_state_dict_post_hook returned a value",
                why="it can only change incompatible_keys in place",
            )


def _key_problems(keys: IncompatibleKeys) -> list[str]:
    problems = []
    for title, names in (("Missing", keys.missing_keys), ("Unexpected", keys.unexpected_keys)):
        if names:
            listed = ", ".join(f'"{name}"' for name in names)
            problems.append(f"{title} key(s) in state_dict: {listed}. ")
    return problems


def _advice(keys: IncompatibleKeys, problems: list[str]) -> str:
    """Say what to do about keys without a similar name, or about shapes."""
    if any(problem.startswith("size mismatch") for problem in problems):
        return ("the sizes of the checkpoint when the model is made, or del state[key] and "
                "strict=False")
    if len(keys.missing_keys) == 0:
        return "load_state_dict(state, strict=False) to ignore what is unexpected"
    return "load_state_dict(state, strict=False) to keep the present values of what is missing"


def _close_names(keys: IncompatibleKeys) -> str | None:
    """Say which unexpected key may be meant for which missing one."""
    lines = []
    for name in keys.unexpected_keys:
        close = difflib.get_close_matches(name, keys.missing_keys, n=1)
        if close:
            lines.append(f'"{name}": did you mean "{close[0]}"?')
    if not lines:
        return None
    return "the module's own names, for example\n    " + "\n    ".join(lines)
