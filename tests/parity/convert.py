"""PyTorch's tensors, and everything that arguments are made of, as lampion's."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import lampion

TYPES = {
    getattr(torch, name): getattr(lampion, name)
    for name in ("float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 "
                 "uint64 bool").split()
}
PLAIN = (str, int, float, bool, type(None), slice, range, np.ndarray, np.generic, type(Ellipsis))
MOST_AXES = 64  # of an array of NumPy's


class NoCounterpart(Exception):
    """Something that lampion has no counterpart of, such as a complex tensor."""


def tensor(given: torch.Tensor) -> Any:
    """A tensor of the same numbers, type and need of gradients."""
    if given.dtype not in TYPES:
        raise NoCounterpart(f"{given.dtype} tensors")
    if given.layout is not torch.strided or given.device.type != "cpu" or given.is_quantized:
        raise NoCounterpart(f"{given.layout} tensors on {given.device}")
    if given.dim() > MOST_AXES:
        raise NoCounterpart(f"tensors of {given.dim()} axes")
    wide = given.detach().float() if given.dtype is torch.bfloat16 else given.detach()
    made = lampion.from_numpy(wide.contiguous().numpy().copy()).to(TYPES[given.dtype])
    if given.untyped_storage().resizable():
        made = made.clone()  # NumPy does not share it, so it can be given another size
    made = made.reshape(tuple(given.shape))
    return made.detach().requires_grad_() if given.requires_grad else made


def seen_memory(given: torch.Tensor, known: dict[Any, Any]) -> Any:
    """The counterpart of a tensor without gradients: one memory becomes one memory.

    It looks at its memory as `given` does, so that what must not overlap overlaps here, too.
    """
    if given.layout is not torch.strided or given.device.type != "cpu" or given.is_neg() or (
            given._is_zerotensor() or given.dim() > MOST_AXES or given.dtype not in TYPES):
        return tensor(given)
    memory = given.untyped_storage()
    size, key = memory.nbytes() // given.element_size(), (memory.data_ptr(), given.dtype)
    if key not in known and size == given.numel() and given.is_contiguous():
        known[key] = tensor(given)
        return known[key]
    if key not in known:
        if size < given.numel() and 0 not in given.stride():
            raise NoCounterpart("tensors whose memory was taken away")
        known[key] = tensor(torch.as_strided(given, (size,), (1,), 0))
    return lampion.as_strided(known[key], tuple(given.shape), given.stride(),
                              given.storage_offset())


def function(given: Callable) -> Callable:
    """A Python function with lampion in the place of torch."""
    names = {"torch": lampion, "F": lampion.nn.functional, "nn": lampion.nn}
    changed = {k: v for k, v in names.items() if k in given.__globals__}  # type: ignore[attr-defined]
    copy = types.FunctionType(
        given.__code__, {**given.__globals__, **changed}, given.__name__,  # type: ignore[attr-defined]
        given.__defaults__, given.__closure__)  # type: ignore[attr-defined]
    copy.__kwdefaults__ = given.__kwdefaults__  # type: ignore[attr-defined]
    return copy


def find(path: str) -> Any:
    """What lampion has under a dotted name, None where it has nothing."""
    place: Any = lampion
    for part in path.split("."):
        place = getattr(place, part, None)
        if place is None:
            return None
    return place


def _named(given: Any) -> Any:
    """The counterpart of a function or class of PyTorch, found by its name."""
    name = getattr(given, "__name__", "")
    for path in (f"nn.functional.{name}", name, f"nn.{name}"):
        found = find(path) if name else None
        if found is not None:
            return found
    raise NoCounterpart(f"{given!r}")


def value(given: Any, known: dict[Any, Any] | None = None) -> Any:
    """The counterpart of any argument; one tensor given twice becomes one tensor."""
    known = {} if known is None else known
    if isinstance(given, torch.Tensor):
        if id(given) not in known:
            if isinstance(given, torch.nn.Parameter):
                made = lampion.nn.Parameter(
                    tensor(given.detach()), requires_grad=given.requires_grad)
            else:
                made = tensor(given) if given.requires_grad else seen_memory(given, known)
            known[id(given)] = made
        return known[id(given)]
    if isinstance(given, torch.dtype):
        if given not in TYPES:
            raise NoCounterpart(f"{given}")
        return TYPES[given]
    if isinstance(given, torch.device):
        if given.type != "cpu":
            raise NoCounterpart(f"{given}")
        return lampion.device(str(given))
    if isinstance(given, (torch.layout, torch.memory_format)):
        found = find(str(given).removeprefix("torch."))
        if found is None:
            raise NoCounterpart(f"{given}")
        return found
    if isinstance(given, complex):
        raise NoCounterpart("complex numbers")
    return _structure(given, known)


def _structure(given: Any, known: dict[Any, Any]) -> Any:
    if isinstance(given, torch.Size):
        return lampion.Size(given)
    if isinstance(given, tuple) and hasattr(given, "_fields"):
        return type(given)(*(value(x, known) for x in given))
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        fields = {f.name: value(getattr(given, f.name), known) for f in dataclasses.fields(given)}
        return _named(type(given))(**fields)
    if isinstance(given, (list, tuple)):
        return type(given)(value(x, known) for x in given)
    if isinstance(given, dict):
        return {k: value(v, known) for k, v in given.items()}
    if isinstance(given, PLAIN):
        return given
    if isinstance(given, (types.FunctionType, types.BuiltinFunctionType, type)):
        return _named(given)
    raise NoCounterpart(f"{type(given).__name__}")


def leaves(given: Any) -> list[Any]:
    """The tensors in a structure that collect gradients, in order."""
    if hasattr(given, "requires_grad"):
        return [given] if given.requires_grad else []
    if isinstance(given, dict):
        return [t for v in given.values() for t in leaves(v)]
    if isinstance(given, (list, tuple)):
        return [t for v in given for t in leaves(v)]
    return []
