"""Checks of numbers that never force a computation.

A check of parameters or samples looks at numbers that are known already. What is still to be
computed is not checked: a training step would be split in two by it. So a wrong constant is found
at once, and NaN logits of a network are found where they were made (`lampion.probe`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import base, interpret
from ..autograd import no_grad
from ..ir import Graph, leaf, mode
from ..tensor import Tensor
from ..trace import aside


def known_numbers(tensor: Tensor) -> np.ndarray | None:
    """Return the numbers of a tensor if they are computed, else None."""
    promise = tensor._promise
    if promise is not None:
        return None if promise.array is None else tensor._read()
    storage = tensor._storage
    if storage.deferred is not None or storage.read().data is None:
        return None
    return tensor._read()


def tensors_in(thing: Any) -> Iterator[Tensor]:
    """Every tensor that an object holds, and the objects in it."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, (list, tuple)):
        for item in thing:
            yield from tensors_in(item)
    elif type(thing).__module__.startswith(__package__):
        yield from tensors_in(list(vars(thing).values()))


def holds(check: Callable[[Tensor], Tensor], value: Tensor, owner: Any = None) -> bool:
    """Whether `check(value)` is true everywhere, as far as the numbers are known.

    Args:
        owner: what else the check reads: an object whose tensors must be known, too.

    Example:
        >>> import lampion as torch
        >>> holds(lambda x: x > 0, torch.tensor([1.0, -1.0]))
        False
    """
    numbers = known_numbers(value)
    if numbers is None or any(known_numbers(t) is None for t in tensors_in(owner)):
        return True
    if getattr(owner, "plain", False):
        return bool(np.all(check(numbers)))  # type: ignore[arg-type]
    run, mode.run = mode.run, None
    try:
        with no_grad(), aside():
            found = check(base.wrap(leaf(numbers, value._dtype)))._value
        answer = found.data
        if answer is None:  # small: not worth a program
            (answer,) = interpret.run(Graph([found]))
        return bool(np.all(answer))
    finally:
        mode.run = run
