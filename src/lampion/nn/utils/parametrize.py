"""Parametrizations: a parameter that is computed from others whenever it is read.

`register_parametrization(layer, "weight", Symmetric())` moves the parameter to
`layer.parametrizations.weight.original`; `layer.weight` becomes `Symmetric()(original)`, so
gradients and optimizers act on the original. Assigning to `layer.weight` goes through
`right_inverse`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from lampion import errors
from lampion.autograd import no_grad
from lampion.nn.container import ModuleDict, ModuleList
from lampion.nn.module import Module
from lampion.nn.parameter import Parameter
from lampion.tensor import Tensor


class _Cache:
    """Values computed inside `cached()`."""

    def __init__(self) -> None:
        self.depth = 0
        self.values: dict[tuple[int, str], Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Iterator[None]:
    """Inside, every parametrized tensor is computed once."""
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values = {}


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and the tensors it is computed from.

    These are `original`, or `original0`, `original1`, ... where the first parametrization's
    `right_inverse` returns several.

    Args:
        modules: the parametrizations, applied in this order.
        original: the tensor as it was.
        unsafe: shape and element type may change.
    """

    def __init__(
        self, modules: Sequence[Module], original: Tensor, unsafe: bool = False
    ) -> None:
        if not modules:
            raise errors.ArgumentError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.detach()
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                new = _inverse_or_same(module, new)
        self.is_tensor = isinstance(new, Tensor)
        if self.is_tensor:
            _check_kept("right_inverse", original, new, shape=False)
            if new is not original:
                original.data = new.data
            _register(self, "original", original)
            self.ntensors = 1
        else:
            self._register_several(new, original)
        if not unsafe:
            _check_kept("the parametrization", before, self())

    def _register_several(self, new: Any, original: Tensor) -> None:
        if not isinstance(new, Sequence) or not all(isinstance(one, Tensor) for one in new):
            raise errors.ArgumentError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}.")
        self.ntensors = len(new)
        for place, one in enumerate(new):
            if isinstance(original, Parameter):
                one = Parameter(one, original.requires_grad)
            _register(self, f"original{place}", one)

    def originals(self) -> list[Tensor]:
        """Return what the tensor is computed from."""
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor becomes `value`."""
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise errors.StateError(
                        f"parametrization {type(module).__name__} does not implement "
                        "right_inverse.",
                        why="assigning to the parametrized tensor needs it")
                new = module.right_inverse(new)
            news = [new] if self.is_tensor else list(new)
            if len(news) != self.ntensors:
                raise errors.ArgumentError(
                    "'right_inverse' must return a sequence of tensors of length "
                    f"{self.ntensors}. Got a sequence of length {len(news)}.")
            for original, one in zip(self.originals(), news, strict=True):
                _check_kept("right_inverse", original, one, shape=False)
                original.data = one.data

    def forward(self) -> Tensor:
        """Compute the parametrized tensor."""
        first, *others = list(self)
        value = first(*self.originals())
        for module in others:
            value = module(value)
        return value


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a parameter or buffer be computed by `parametrization` whenever it is read.

    Args:
        module: what has the tensor.
        tensor_name: of the parameter or buffer.
        parametrization: its forward computes the tensor; its `right_inverse`, if there is one,
            goes back.
        unsafe: shape and element type may change, and nothing is checked.

    Raises:
        ArgumentError: there is no such tensor, or shape or element type change.

    Example:
        >>> import lampion as torch
        >>> class Positive(torch.nn.Module):
        ...     def forward(self, x):
        ...         return x.abs()
        >>> layer = torch.nn.Linear(4, 4)
        >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", Positive())
        >>> bool((layer.weight >= 0).all())
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_another(module, tensor_name, parametrization)
        row = module.parametrizations[tensor_name]
        row.append(parametrization)
        row.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        row = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_own_class(module)
            module.parametrizations = ModuleDict()
        setattr(type(module), tensor_name, _property_of(tensor_name))
        module.parametrizations[tensor_name] = row
    else:
        raise errors.ArgumentError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'")
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Say whether this tensor (or any, without a name) is parametrized."""
    rows = getattr(module, "parametrizations", None)
    if not isinstance(rows, ModuleDict):
        return False
    return len(rows) > 0 if tensor_name is None else tensor_name in rows


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make the tensor an ordinary one again.

    Args:
        module: what has the tensor.
        tensor_name: its name.
        leave_parametrized: keep the computed value; else the original's.

    Raises:
        ArgumentError: it is not parametrized, or there are several originals to choose from.
    """
    if not is_parametrized(module, tensor_name):
        raise errors.ArgumentError(
            f"Module {module} does not have a parametrization on {tensor_name}",
            fix=f"one of {list(getattr(module, 'parametrizations', ()))}")
    row = module.parametrizations[tensor_name]
    if not row.is_tensor and not leave_parametrized:
        raise errors.ArgumentError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors.")
    if row.is_tensor:
        result = row.original
        if leave_parametrized:
            with no_grad():
                result.data = getattr(module, tensor_name).data
    else:
        value = getattr(module, tensor_name)
        result = Parameter(value) if value.requires_grad else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, result)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class that the module had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def _give_own_class(module: Module) -> None:
    """Give the module a class of its own, which can hold the properties."""
    ordinary = type(module)

    def refuse(self: Module) -> None:
        raise errors.StateError(
            "Serialization of parametrized modules is only supported through state_dict()",
            fix="torch.save(module.state_dict(), file)")

    def copied(self: Module, memo: dict) -> Module:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__ = deepcopy(self.__dict__, memo)
        return twin

    module.__class__ = type(
        f"Parametrized{ordinary.__name__}", (ordinary,),
        {"__getstate__": refuse, "__deepcopy__": copied})


def _property_of(name: str) -> property:
    def read(self: Module) -> Tensor:
        if not _cache.depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache.values:
            _cache.values[key] = self.parametrizations[name]()
        return _cache.values[key]

    def write(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _inverse_or_same(module: Module, value: Any) -> Any:
    try:
        return module.right_inverse(value) if hasattr(module, "right_inverse") else value
    except NotImplementedError:
        return value


def _check_another(module: Module, name: str, parametrization: Module) -> None:
    """Check that a further parametrization keeps shape and element type, there and back."""
    before = getattr(module, name)
    after = parametrization(before)
    _check_kept("the parametrization", before, after)
    _check_kept("right_inverse", before, _inverse_or_same(parametrization, after))


def _check_kept(what: str, before: Tensor, after: Any, shape: bool = True) -> None:
    if not isinstance(after, Tensor):
        raise errors.ArgumentError(
            f"{what} must return a tensor. Got {type(after).__name__}.")
    kinds: list[tuple[str, Any, Any]] = [("dtype", before.dtype, after.dtype)]
    if shape:
        kinds.append(("shape", before.shape, after.shape))
    for kind, old, new in kinds:
        if old != new:
            raise errors.ArgumentError(
                f"{what} may not change the {kind} of the tensor, unless the `unsafe` flag is "
                f"enabled: it was {old} and became {new}")
