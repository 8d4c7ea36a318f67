"""Statements whose result PyTorch itself leaves undefined are skipped in both libraries.

A guard looks at the namespace of PyTorch's run just before a statement, so that it stays right when
statements before it are deleted. It returns True where the statement may run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from .observe import attempt, tensors_in
from .program import Statement, names_in

# Holds in every integer type a program uses.
TAME = 100
# Shapes whose writes are checked address by address.
OVERLAP_LIMIT = 2_000

Guard = Callable[[Statement, Mapping[str, Any]], bool]


@lru_cache(maxsize=20_000)
def _expression(source: str) -> CodeType:
    return compile(source, "<guard>", "eval")


def _value(source: str, namespace: Mapping[str, Any]) -> Any:
    return eval(_expression(source), dict(namespace))


def _mentioned(statement: Statement, namespace: Mapping[str, Any]) -> list[Any]:
    module = namespace["torch"]
    return [
        tensor for name in names_in(statement.source)
        for tensor in tensors_in(namespace.get(name), module)
    ]


def tame(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """Floating values that become integers must fit: the cast of nan or 1e30 is undefined."""
    tensors = _mentioned(statement, namespace)
    unsigned = "uint8" in statement.source or any(
        str(tensor.dtype) == "torch.uint8" for tensor in tensors)
    lowest = 0 if unsigned else -TAME
    for tensor in tensors:
        if tensor.dtype.is_floating_point and tensor.numel():
            low, high = tensor.min().item(), tensor.max().item()
            if not (low >= lowest and high <= TAME):
                return False
    numbers = [namespace.get(name) for name in names_in(statement.source)]
    return all(lowest <= n <= TAME for n in numbers if isinstance(n, float))


def distinct(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """Sorting and selecting need distinct values: the order of equal ones is undefined."""
    return all(
        len(set(map(str, tensor.flatten().tolist()))) == tensor.numel()
        for tensor in _mentioned(statement, namespace)
    )


def addresses(tensor: Any) -> set[int]:
    """Return the storage offsets that a tensor's elements live at."""
    offsets = {tensor.storage_offset()}
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        offsets = {offset + i * stride for offset in offsets for i in range(size)}
    return offsets


def separate(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """A write must not meet its own source half-way, nor one address twice.

    PyTorch raises for some such writes and leaves the others undefined.
    """
    target = attempt(_value, statement.target, namespace)
    module = namespace["torch"]
    if not isinstance(target, module.Tensor) or target.numel() > OVERLAP_LIMIT:
        return True
    if target.is_inference() and not module.is_inference_mode_enabled():
        return False  # PyTorch refuses the write after it is done
    mine = addresses(target)
    if len(mine) < target.numel():
        return 0 in target.stride()  # refused, or harmless; windows that overlap are not noticed
    for source in statement.operands:
        for other in tensors_in(attempt(_value, source, namespace), module):
            if _meets(other, target) and addresses(other) & mine and not (
                    dense(other) and dense(target)):
                return False
    return True


def dense(tensor: Any) -> bool:
    """Return whether the elements fill one block of memory: PyTorch notices only such overlaps."""
    offsets = addresses(tensor)
    return not offsets or len(offsets) == tensor.numel() == max(offsets) - min(offsets) + 1


def _meets(other: Any, target: Any) -> bool:
    """Return whether two tensors share a storage, other than by being the same view of it."""
    where = [
        (t.storage_offset(), tuple(t.shape), t.stride(), t.untyped_storage().data_ptr())
        for t in (other, target)
    ]
    return where[0][3] == where[1][3] and where[0] != where[1]


def hookable(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """A hook on a view whose base was written, or on a view of a leaf, may crash PyTorch.

    Looking at grad_fn first makes it notice the write.
    """
    tensors = [
        tensor for source in (statement.target, *statement.operands)
        for tensor in tensors_in(attempt(_value, source, namespace), namespace["torch"])]
    return not any(
        tensor.requires_grad and tensor._is_view() and (
            tensor._base.is_leaf or tensor.grad_fn is None)
        for tensor in tensors)


def alone(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """No other variable looks at the memory: what PyTorch says of views made before a base began
    to require a gradient is an accident.
    """
    module = namespace["torch"]
    mine = _mentioned(statement, namespace)
    everything = [t for value in namespace.values() for t in tensors_in(value, module)]
    places = [t.untyped_storage().data_ptr() for t in everything if t.numel()]
    return all(places.count(t.untyped_storage().data_ptr()) <= 1 for t in mine)


def unrepeated(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """masked_fill_ on repeated elements is deprecated in PyTorch, not refused."""
    target = attempt(_value, statement.target, namespace)
    return not isinstance(target, namespace["torch"].Tensor) or 0 not in target.stride()


GUARDS: dict[str, Guard] = {
    "tame": tame, "distinct": distinct, "separate": separate, "hookable": hookable,
    "alone": alone, "unrepeated": unrepeated}


def allow(statement: Statement, namespace: Mapping[str, Any]) -> bool:
    """Return whether all guards of a statement let it run."""
    return all(
        attempt(GUARDS[name], statement, namespace) is True for name in statement.guards)
