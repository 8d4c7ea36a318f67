"""Small helpers that the layer files share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lampion.functions import creation
from lampion.nn.parameter import Parameter


def repeated(value: Any, count: int) -> tuple:
    """Return a tuple as it is, and one number as often as there are axes.

    Example:
        >>> repeated(3, 2), repeated((3, 5), 2)
        ((3, 3), (3, 5))
    """
    return tuple(value) if isinstance(value, Iterable) else (value,) * count


def _ntuple(count: int, name: str = "parse") -> Callable[[Any], tuple]:
    """PyTorch's name for `repeated` with a fixed count."""
    return lambda value: repeated(value, count)


_single, _pair, _triple, _quadruple = (_ntuple(count) for count in (1, 2, 3, 4))


def empty_parameter(shape: int | tuple[int, ...], device: Any, dtype: Any) -> Parameter:
    """Return a parameter whose values are still to be set."""
    return Parameter(creation.empty(shape, device=device, dtype=dtype))
