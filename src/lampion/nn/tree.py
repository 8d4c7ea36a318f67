"""Walking over a module's parts, and what is done to all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lampion import errors
from lampion.nn import whole
from lampion.nn.parameter import Parameter
from lampion.replay.recorded import forget_gradients
from lampion.tensor import Tensor

if TYPE_CHECKING:
    from typing import Self

    from lampion.nn.module import Module


class TreeMethods:
    """The part of `Module` that finds and visits parameters, buffers and submodules."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    # ---- visiting ----

    def _named_members(
        self, get_members_fn: Callable, prefix: str = "", recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        """Yield (dotted name, member) over the members of this module and those below it."""
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse else [(prefix, self)]
        )
        for module_prefix, module in modules:
            for name, member in get_members_fn(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield (f"{module_prefix}.{name}" if module_prefix else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter), each parameter once.

        Args:
            prefix: put before every name.
            recurse: also those of submodules.
            remove_duplicate: yield a shared parameter under its first name only.

        Example:
            >>> import lampion as torch
            >>> [name for name, _ in torch.nn.Sequential(torch.nn.Linear(2, 3)).named_parameters()]
            ['0.weight', '0.bias']
        """
        yield from self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield every parameter once, in the order of registration."""
        parts: Any = whole.parts_of(self) if recurse and type(self) in whole.WHOLE else None
        if parts is not None:
            yield from parts.parameters
            return
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield (dotted name, buffer), each buffer once."""
        yield from self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield every buffer once, in the order of registration."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) of the modules directly below, each module once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the modules directly below, each once."""
        for _, module in self.named_children():
            yield module

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Yield (dotted name, module): this one under `prefix`, then all below, depth first.

        Args:
            memo: modules that count as seen already.
            prefix: the name of this module.
            remove_duplicate: yield a shared module under its first name only.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Any]:
        """Yield this module and all below it, depth first, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    # ---- looking up ----

    def get_submodule(self, target: str) -> Any:
        """Return the module with this dotted name; the empty name is this module itself.

        Raises:
            MissingAttributeError: a part of the name does not exist or is not a module.
        """
        module: Any = self
        for part in target.split(".") if target else []:
            _check_has(module, part)
            module = getattr(module, part)
            if not isinstance(module, TreeMethods):
                raise errors.MissingAttributeError(f"`{part}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` in the place with this dotted name.

        Args:
            target: for example `"features.0"`; the part before the last dot must exist.
            module: what to put there.
            strict: the place must hold a module already.
        """
        if target == "":
            raise errors.ArgumentError("Cannot set the submodule without a target name!")
        if not isinstance(module, TreeMethods):
            raise errors.ArgumentError(f"`module` is not an nn.Module, found {type(module)}")
        parent_name, _, name = target.rpartition(".")
        parent = self.get_submodule(parent_name)
        if strict:
            _check_has(parent, name)
        if hasattr(parent, name) and not isinstance(getattr(parent, name), TreeMethods):
            raise errors.MissingAttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter with this dotted name.

        Raises:
            MissingAttributeError: there is none.
        """
        parent_name, _, name = target.rpartition(".")
        parent = self.get_submodule(parent_name)
        _check_has(parent, name)
        parameter = getattr(parent, name)
        if not isinstance(parameter, Parameter):
            raise errors.MissingAttributeError(f"`{name}` is not an nn.Parameter")
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer with this dotted name.

        Raises:
            MissingAttributeError: there is none.
        """
        parent_name, _, name = target.rpartition(".")
        parent = self.get_submodule(parent_name)
        _check_has(parent, name)
        if name not in parent._buffers:
            raise errors.MissingAttributeError(f"`{name}` is not a buffer")
        return parent._buffers[name]

    # ---- doing something to all ----

    def apply(self, fn: Callable[[Any], None]) -> Self:
        """Call `fn` on every module below, then on this one.

        Example:
            >>> import lampion as torch
            >>> net = torch.nn.Sequential(torch.nn.Identity())
            >>> _ = net.apply(lambda module: print(type(module).__name__))
            Identity
            Sequential
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training mode (dropout on, batch statistics) here and below.

        Args:
            mode: False for evaluation mode.
        """
        if not isinstance(mode, bool):
            raise errors.ArgumentError(
                "training mode is expected to be boolean",
                fix="model.train() or model.eval()")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode (dropout off, running statistics) here and below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say for every parameter whether it takes a gradient."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every parameter's gradient, or set it to zero.

        Args:
            set_to_none: False keeps the gradient tensors and fills them with zeros.
        """
        if set_to_none:
            forget_gradients(list(self.parameters()))
            return
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad.detach_()
                parameter.grad.zero_()


def _check_has(module: Any, name: str) -> None:
    if not hasattr(module, name):
        raise errors.MissingAttributeError(
            f"{module._get_name()} has no attribute `{name}`",
            fix=f"one of {[*module._modules, *module._parameters, *module._buffers]}")
