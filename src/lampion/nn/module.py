"""`Module`: the base of every layer and every network.

A module keeps what it owns in three dictionaries: `_parameters`, `_buffers` and `_modules`.
Assigning a `Parameter`, a `Buffer` or a `Module` to an attribute registers it there. What is done
with them lives beside this file: `tree` walks over them, `state` saves and loads them,
`conversion` changes their element types, `hooks` runs functions around a call.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from typing import Any

from lampion import errors
from lampion.ir import mode
from lampion.nn import whole
from lampion.nn.conversion import ConversionMethods
from lampion.nn.hooks import GLOBAL, HookMethods
from lampion.nn.parameter import Buffer, Parameter
from lampion.nn.state import StateMethods
from lampion.nn.tree import TreeMethods
from lampion.nn.watched import Changes, WatchedDict, WatchedHooks
from lampion.tensor import Tensor

HOOK_DICTIONARIES = (
    "_backward_pre_hooks", "_backward_hooks",
    "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks", "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)


class Module(TreeMethods, StateMethods, HookMethods, ConversionMethods):
    """Base class of all layers and networks: a function with parameters.

    A subclass calls `super().__init__()`, assigns its parts to attributes and defines `forward`.

    Example:
        >>> import lampion as torch
        >>> class Twice(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layer = torch.nn.Linear(3, 3)
        ...     def forward(self, x):
        ...         return self.layer(self.layer(x))
        >>> net = Twice()
        >>> net
        Twice(
          (layer): Linear(in_features=3, out_features=3, bias=True)
        )
        >>> net(torch.zeros(2, 3)).shape
        torch.Size([2, 3])
    """

    call_super_init = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # With call_super_init the arguments go on to a class mixed in after this one.
        if not self.call_super_init and (args or kwargs):
            raise errors.ArgumentTypeError(_too_many_arguments(self, args, kwargs))
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = WatchedDict()
        own["_buffers"] = WatchedDict()
        own["_non_persistent_buffers_set"] = set()
        own["_modules"] = WatchedDict()
        for name in HOOK_DICTIONARIES:
            own[name] = WatchedHooks() if name in whole.HOOKS else OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ---- calling ----

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it, and is called as `module(...)`."""
        raise errors.UnsupportedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function',
            fix="def forward(self, x): ... in the class; mind the spelling and the indentation")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if type(self) in whole.WHOLE and not kwargs:
            run = mode.run
            if run is not None:
                parts, flat = whole.parts_of(self), whole.flattened(args)
                if parts is not None and flat is not None:
                    return run.call(whole.CALL, (self, parts, *flat), kwargs)
        try:
            if (self._forward_hooks or self._forward_pre_hooks or self._backward_hooks
                    or self._backward_pre_hooks or GLOBAL.forward or GLOBAL.forward_pre
                    or GLOBAL.backward or GLOBAL.backward_pre):
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except errors.LampionError as error:
            _note_layer(error, self)
            raise

    # ---- registering ----

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None keeps the place free.

        Raises:
            MissingAttributeError: `super().__init__()` was not called yet.
            NameTakenError: the name is empty, has a dot or belongs to something else.
            ArgumentTypeError: `param` is no Parameter.
        """
        self._check_ready("_parameters", "parameter")
        self._check_name(name, "parameter", self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise errors.ArgumentTypeError(
                f"cannot assign '{_type_name(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)",
                fix=f"nn.Parameter({name})")
        if param is not None and param.grad_fn is not None:
            raise errors.ArgumentError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'",
                why="a parameter is where values begin, not the result of an operation",
                fix=f"compute '{name}' from another parameter in forward()")
        for hook in GLOBAL.parameter_registration.values():
            new = hook(self, name, param)
            param = param if new is None else new
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the state but is not trained.

        Args:
            name: without a dot.
            tensor: None keeps the place free.
            persistent: whether it is part of `state_dict()`.

        Raises:
            MissingAttributeError: `super().__init__()` was not called yet.
            NameTakenError: the name is empty, has a dot or belongs to something else.
            ArgumentTypeError: `tensor` is no Tensor.
        """
        self._check_ready("_buffers", "buffer")
        self._check_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise errors.ArgumentTypeError(
                f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)",
                fix=f"register_buffer({name!r}, torch.tensor(...))")
        for hook in GLOBAL.buffer_registration.values():
            new = hook(self, name, tensor)
            tensor = tensor if new is None else new
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under `name`; None keeps the place free.

        Raises:
            NameTakenError: the name is empty, has a dot or belongs to something else.
            ArgumentTypeError: `module` is no Module.
        """
        self._check_ready("_modules", "module")
        if module is not None and not isinstance(module, Module):
            raise errors.ArgumentTypeError(
                f"{_type_name(module)} is not a Module subclass",
                fix="an object of a class that derives from nn.Module, for example nn.ReLU()")
        self._check_name(name, "module", self._modules)
        self._set_module(name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Do the same as `add_module`."""
        self.add_module(name, module)

    def _set_module(self, name: str, module: Module | None) -> None:
        for hook in GLOBAL.module_registration.values():
            new = hook(self, name, module)
            module = module if new is None else new
        self._modules[name] = module

    def _check_ready(self, dictionary: str, kind: str) -> None:
        if dictionary not in self.__dict__:
            raise errors.MissingAttributeError(
                f"{type(self).__name__}: cannot assign {kind} before Module.__init__() call",
                why="Module.__init__ makes the places where parameters and modules are kept",
                fix="super().__init__() as the first line of __init__")

    def _check_name(self, name: Any, kind: str, own: dict) -> None:
        if not isinstance(name, str):
            raise errors.ArgumentTypeError(
                f"{kind} name should be a string. Got {_type_name(name)}")
        if "." in name:
            raise errors.NameTakenError(
                f'{kind} name can\'t contain ".", got: {name}',
                why="a dot separates the names of nested modules",
                fix=name.replace('.', '_'))
        if name == "":
            raise errors.NameTakenError(f'{kind} name can\'t be empty string ""')
        if name not in own and hasattr(self, name):
            raise errors.NameTakenError(
                f"attribute '{name}' already exists",
                why=f"{self._get_name()} has a method or attribute of this name",
                fix=f"another name, for example '{name}_'")

    # ---- attributes ----

    def __getattr__(self, name: str) -> Any:
        # Python asks here only after it found nothing in the ordinary places.
        own = self.__dict__
        for dictionary in ("_parameters", "_buffers", "_modules"):
            if dictionary in own and name in own[dictionary]:
                return own[dictionary][name]
        raise AttributeError(
            f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._check_ready("_parameters", "parameters")
            self._forget(name, but="_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._check_ready("_modules", "module")
            self._check_slot(name, "_parameters", value, "parameter", "torch.nn.Parameter")
            self._forget(name, but="_modules")
            self._set_module(name, value)
        elif name in own.get("_parameters", ()):
            self._check_slot(name, "_parameters", value, "parameter", "torch.nn.Parameter")
            self.register_parameter(name, None)
        elif name in own.get("_modules", ()):
            self._check_slot(name, "_modules", value, "child module", "torch.nn.Module")
            self._set_module(name, None)
        elif isinstance(value, Buffer) or name in own.get("_buffers", ()):
            self._check_ready("_buffers", "buffer")
            self._assign_buffer(name, value)
        else:
            if type(self) in whole.WHOLE or name == "__class__":
                self._change(name)
            super().__setattr__(name, value)

    def _change(self, name: str) -> None:
        """Say that a call of this module may do something else from now on."""
        Changes.count += 1
        if name == "__class__" and mode.run is not None:
            mode.run.materialise()  # a call that was put off would be made by the new class

    def _check_slot(self, name: str, dictionary: str, value: Any, kind: str, wanted: str) -> None:
        if value is not None and name in self.__dict__.get(dictionary, ()):
            raise errors.ArgumentTypeError(
                f"cannot assign '{_type_name(value)}' as {kind} '{name}' "
                f"({wanted} or None expected)",
                fix="nn.Parameter(tensor), or copy_() under torch.no_grad() to keep the parameter"
                if kind == "parameter" else None)

    def _assign_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise errors.ArgumentTypeError(
                f"cannot assign '{_type_name(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)",
                fix=f"self.{name} = torch.tensor(...)")
        persistent = (value.persistent if isinstance(value, Buffer)
                      else name not in self._non_persistent_buffers_set)
        # A subclass may define register_buffer without the last argument.
        if (type(self).register_buffer is Module.register_buffer
                or "persistent" in inspect.signature(self.register_buffer).parameters):
            self.register_buffer(name, value, persistent)
        else:
            self.register_buffer(name, value)

    def _forget(self, name: str, but: str) -> None:
        """Take `name` out of every place except the dictionary `but`."""
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        for dictionary in ("_parameters", "_buffers", "_modules"):
            if dictionary != but:
                self.__dict__[dictionary].pop(name, None)

    def __delattr__(self, name: str) -> None:
        for dictionary in (self._parameters, self._buffers, self._modules):
            if name in dictionary:
                del dictionary[name]  # type: ignore[attr-defined]
                self._non_persistent_buffers_set.discard(name)
                return
        self._change(name)
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = [*dir(type(self)), *self.__dict__,
                 *self._parameters, *self._modules, *self._buffers]
        return sorted(name for name in names if not name[0].isdigit())

    def __getstate__(self) -> dict:
        return {name: x for name, x in self.__dict__.items() if name != "_whole"}

    def __setstate__(self, state: dict) -> None:
        own = self.__dict__
        own.update(state)
        for name in HOOK_DICTIONARIES:
            hooks = own.get(name, {})
            own[name] = WatchedHooks(hooks) if name in whole.HOOKS else OrderedDict(hooks)
        for name in whole.REGISTRIES:
            if type(own.get(name)) is dict:
                own[name] = WatchedDict(own[name])
        own.setdefault("_non_persistent_buffers_set", set())

    # ---- printing ----

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what stands between the brackets of the printed module."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {indent(repr(module))}"
                       for name, module in self._modules.items()]
        if not child_lines and len(extra_lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(extra_lines + child_lines) + "\n)"


def indent(text: str) -> str:
    """Move every line but the first two columns to the right."""
    first, *rest = text.split("\n")
    return "\n".join([first, *("  " + line if line.strip() else "" for line in rest)])


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _too_many_arguments(module: Module, args: tuple, kwargs: dict) -> str:
    start = f"{type(module).__name__}.__init__()"
    if kwargs:
        return f"{start} got an unexpected keyword argument '{next(iter(kwargs))}'"
    return f"{start} takes 1 positional argument but {len(args) + 1} were given"


def _note_layer(error: errors.LampionError, module: Module) -> None:
    """Write into `error` the path of the layer it came from, as seen from `module`.

    Called by every module the error passes, from the inside out: each has to find only the name
    of the module before it, and puts that name in front.
    """
    before, path, kind = getattr(error, "passed", (None, "", module._get_name()))
    if before is not None:
        name = next((name for name, part in module.named_modules() if part is before), "")
        if not name:  # the same module again, or one that was only handed in
            return
        path = f"{name}.{path}" if path else name
    error.passed = (module, path, kind)  # type: ignore[attr-defined]
    error.layer = f"{path} ({kind})" if path else kind
