"""Modules that hold modules: in a chain, a list or a dictionary."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lampion import errors
from lampion.nn.module import Module, indent
from lampion.nn.watched import WatchedDict

if TYPE_CHECKING:
    from typing import Self


class _Row(Module):
    """Modules in a row, under the names "0", "1", ... (or names given by the user)."""

    def _name_at(self, index: int) -> str:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise errors.IndexRangeError(
                f"index {index} is out of range",
                why=f"this {self._get_name()} holds {len(self)} modules",
                fix=f"an index from {-len(self)} to {len(self) - 1}")
        return list(self._modules)[index]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]
        for name in names:
            delattr(self, name)
        self._modules = WatchedDict(
            (str(i), one) for i, one in enumerate(self._modules.values()))

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def _insert(self, index: int, module: Module) -> None:
        row = list(self._modules.values())
        row.insert(index, module)
        self._modules.update((str(i), one) for i, one in enumerate(row))

    def pop(self, key: int | slice) -> Any:
        """Take the module (or modules) at `key` out and return it."""
        value = self[key]
        del self[key]
        return value

    def __getitem__(self, index: Any) -> Any:
        raise errors.UnsupportedError(f"{self._get_name()} cannot be indexed")


class Sequential(_Row):
    """Modules one after another: the output of each is the input of the next.

    Args:
        args: modules, or one `OrderedDict` of name to module.

    Example:
        >>> import lampion as torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU())
        >>> net
        Sequential(
          (0): Linear(in_features=2, out_features=8, bias=True)
          (1): ReLU()
        )
        >>> net[1]
        ReLU()
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else enumerate(args):
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """Run the modules in their order."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._name_at(index)]

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`."""
        _check_module(module)
        if not -len(self) <= index <= len(self):
            raise errors.IndexRangeError(f"Index out of range: {index}")
        self._insert(index, module)
        return self

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        for module in sequential:
            self.append(module)
        return self

    def __add__(self, other: Sequential) -> Sequential:
        _check_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Self:
        _check_sequential(other)
        return self.extend(list(other))

    def __mul__(self, other: int) -> Sequential:
        _check_times(self, other)
        return Sequential(*(list(self) * other))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Self:
        _check_times(self, other)
        return self.extend(list(self) * (other - 1))


class ModuleList(_Row):
    """A list of modules; what is called, and in which order, is up to the owner.

    Args:
        modules: what to put in.

    Example:
        >>> import lampion as torch
        >>> torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)])
        ModuleList(
          (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
        )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._name_at(index)]

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at `index`."""
        if not 0 <= index <= len(self):
            raise errors.IndexRangeError(f"Index out of range: {index}")
        _check_module(module)
        self._insert(index, module)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        if not isinstance(modules, Iterable):
            raise errors.ArgumentTypeError(
                "ModuleList.extend should be called with an iterable, but got "
                + type(modules).__name__,
                fix="append(module) for one module, extend([...]) for several")
        for module in list(modules):
            self.append(module)
        return self

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList().extend(self).extend(other)

    def __repr__(self) -> str:
        lines = []
        for text, same in groupby(enumerate(repr(one) for one in self), key=lambda pair: pair[1]):
            places = [place for place, _ in same]
            if len(places) == 1:
                line = f"({places[0]}): {text}"
            else:
                line = f"({places[0]}-{places[-1]}): {len(places)} x {text}"
            lines.append("\n  " + indent(line))
        return f"{self._get_name()}({''.join(lines)}" + ("\n)" if lines else ")")


class ModuleDict(Module):
    """A dictionary of modules, in order of insertion.

    Args:
        modules: a mapping of name to module, or pairs of them.

    Example:
        >>> import lampion as torch
        >>> parts = torch.nn.ModuleDict({"act": torch.nn.ReLU()})
        >>> parts["act"]
        ReLU()
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take everything out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take the module under `key` out and return it."""
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Any]:
        """Return (name, module) pairs."""
        return self._modules.items()

    def values(self) -> ValuesView[Any]:
        """Return the modules."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | ModuleDict | Iterable) -> None:
        """Put in the modules of a mapping, or of pairs (name, module)."""
        for key, module in pairs_of(modules, "ModuleDict"):
            self[key] = module


def pairs_of(given: Any, kind: str) -> Iterable[tuple[str, Any]]:
    """Return the (key, value) pairs of a mapping, or check that `given` is made of pairs."""
    if not isinstance(given, Iterable):
        raise errors.ArgumentTypeError(
            f"{kind}.update should be called with an iterable of key/value pairs, but got "
            + type(given).__name__)
    if isinstance(given, Mapping) or hasattr(given, "items"):
        return list(given.items())  # type: ignore[attr-defined]
    pairs = list(given)
    for place, pair in enumerate(pairs):
        if not isinstance(pair, Iterable):
            raise errors.ArgumentTypeError(
                f"{kind} update sequence element #{place} should be Iterable; is"
                + type(pair).__name__)
        if len(pair) != 2:  # type: ignore[arg-type]
            raise errors.ArgumentError(
                f"{kind} update sequence element #{place} has length {len(pair)}; "  # type: ignore
                "2 is required")
    return pairs


def _check_module(module: Any) -> None:
    if not isinstance(module, Module):
        raise errors.ArgumentTypeError(
            f"a {type(module).__name__} is not a Module", fix="an nn.Module")


def _check_sequential(other: Any) -> None:
    if not isinstance(other, Sequential):
        raise errors.ArgumentError(
            f"add operator supports only objects of Sequential class, but {type(other)} is given.",
            fix="nn.Sequential(*first, *others)")


def _check_times(row: Module, other: Any) -> None:
    if not isinstance(other, int):
        raise errors.ArgumentTypeError(
            f"unsupported operand type(s) for *: {type(row)} and {type(other)}")
    if other <= 0:
        raise errors.ArgumentError(f"Non-positive multiplication factor {other} for {type(row)}")
