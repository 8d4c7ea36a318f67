"""Calling a module with other tensors in the place of its parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lampion import errors
from lampion.nn.module import Module
from lampion.tensor import Tensor

Tensors = Mapping[str, Tensor]


def functional_call(
    module: Module, parameter_and_buffer_dicts: Tensors | Sequence[Tensors], args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:
    """Call a module with the given tensors instead of its own.

    Args:
        module: what to call; it is left as it was.
        parameter_and_buffer_dicts: dotted name to tensor, or several such dictionaries.
        args: positional arguments of the call; one that is no tuple is the only argument.
        kwargs: keyword arguments of the call.
        tie_weights: a tensor given for one name of a shared parameter stands for all its names.
        strict: every parameter and buffer must be given, and nothing else; without it, names
            that do not exist are passed over.

    Returns:
        What the call returns; gradients flow to the given tensors.

    Raises:
        ArgumentError: different tensors for two names of a shared parameter, or the same name in
            two dictionaries.
        StateDictError: names that do not fit, when strict.

    Example:
        >>> import lampion as torch
        >>> layer = torch.nn.Linear(1, 1)
        >>> tensors = {"weight": torch.tensor([[2.0]]), "bias": torch.tensor([1.0])}
        >>> torch.nn.utils.stateless.functional_call(layer, tensors, torch.tensor([3.0]))
        tensor([7.])
    """
    given = _merged(parameter_and_buffer_dicts)
    if strict:
        _check_names(module, given)
    if tie_weights:
        given = _tied(module, given)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given):
        return module(*args, **(kwargs or {}))


def _merged(dictionaries: Tensors | Sequence[Tensors]) -> dict[str, Tensor]:
    if isinstance(dictionaries, Mapping):
        return dict(dictionaries)
    merged: dict[str, Tensor] = {}
    for one in dictionaries:
        repeated = sorted(merged.keys() & one.keys())
        if repeated:
            raise errors.ArgumentError(
                f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous")
        merged.update(one)
    return merged


def _all_tensors(module: Module) -> list[tuple[str, Tensor]]:
    """List every parameter and buffer under every name that it has."""
    return [*module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False)]


def _check_names(module: Module, given: dict[str, Tensor]) -> None:
    own = {name for name, _ in _all_tensors(module)}
    missing, unexpected = sorted(own - given.keys()), sorted(given.keys() - own)
    if missing or unexpected:
        raise errors.StateDictError(
            f"functional_call of {type(module).__name__}: missing keys {missing}, unexpected keys "
            f"{unexpected}",
            why="with strict=True every parameter and buffer must be given",
            fix="strict=False to keep the module's own tensors where none is given")


def _tied(module: Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensor of one name of a shared parameter to its other names too."""
    names: dict[int, list[str]] = {}
    for name, tensor in _all_tensors(module):
        names.setdefault(id(tensor), []).append(name)
    result = dict(given)
    for group in names.values():
        chosen = [given[name] for name in group if name in given]
        if any(one is not chosen[0] for one in chosen):
            raise errors.ArgumentError(
                f"functional_call got multiple values for keys {group}, which are tied.",
                why="they are names of one parameter",
                fix="tie_weights=False to treat them as different ones")
        if chosen:
            result.update(dict.fromkeys(group, chosen[0]))
    return result


@contextmanager
def _replaced(module: Module, tensors: dict[str, Tensor]) -> Iterator[None]:
    """Inside, the module's dictionaries hold the given tensors."""
    before = []
    try:
        for path, tensor in tensors.items():
            parent, _, name = path.rpartition(".")
            place = _place_of(module, parent, name)
            if place is not None:
                before.append((place, name, place[name]))
                place[name] = tensor
        yield
    finally:
        for place, name, own in reversed(before):
            place[name] = own


def _place_of(module: Module, parent: str, name: str) -> Any:
    """Return the dictionary that holds this tensor; None for names that do not exist."""
    owner = dict(module.named_modules(remove_duplicate=False)).get(parent)
    if owner is None:
        return None
    return next((d for d in (owner._parameters, owner._buffers) if name in d), None)
