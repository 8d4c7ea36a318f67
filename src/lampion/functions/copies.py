"""Views as copies, and copies with what a view shows replaced.

`x_copy` is what `x` shows, in memory of its own. `x_scatter` is the whole tensor with `src` written
where `x` looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import base
from ..base import TensorBase
from ..errors import PositionRangeError, ShapeError, shape_text
from ..ir import registry
from ..replay.recorded import record_module
from . import elementwise as e
from . import shape as s


def _copy(view: Callable, name: str) -> Callable:
    def function(input: TensorBase, *args: Any, **keywords: Any) -> Any:
        made = view(input, *args, **keywords)
        if isinstance(made, tuple):
            return tuple(e.clone(x) for x in made)
        return e.clone(made).contiguous()

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"What `{view.__name__}` shows, in memory of its own."
    return function


alias_copy = _copy(lambda input: input, "alias_copy")
as_strided_copy = _copy(s.as_strided, "as_strided_copy")
diagonal_copy = _copy(s.diagonal, "diagonal_copy")
detach_copy = _copy(lambda input: input.detach(), "detach_copy")
expand_copy = _copy(s.expand, "expand_copy")
permute_copy = _copy(s.permute, "permute_copy")
select_copy = _copy(s.select, "select_copy")
squeeze_copy = _copy(s.squeeze, "squeeze_copy")
t_copy = _copy(s.t, "t_copy")
transpose_copy = _copy(s.transpose, "transpose_copy")
unbind_copy = _copy(s.unbind, "unbind_copy")
unfold_copy = _copy(s.unfold, "unfold_copy")
unsqueeze_copy = _copy(s.unsqueeze, "unsqueeze_copy")
split_copy = _copy(s.split, "split_copy")
split_with_sizes_copy = _copy(s.split, "split_with_sizes_copy")


def view_copy(input: TensorBase, *size: Any) -> Any:
    """What `view` shows, in memory of its own."""
    return e.clone(s.view(input, *size)).contiguous()


def narrow_copy(input: TensorBase, dim: int, start: Any, length: int) -> Any:
    """What `narrow` shows, in memory of its own."""
    rank = len(base.require_tensor(input, "narrow_copy")._shape)
    if not -rank <= dim < rank:
        raise PositionRangeError(f"narrow_copy: Expected dim < {rank}, got {dim}")
    return e.clone(s.narrow(input, dim, start, length)).contiguous()


# --- writing through a view of a copy ------------------------------------------------------------


def _written(name: str, input: TensorBase, src: TensorBase, view: Callable) -> Any:
    base.require_tensor(input, name), base.require_tensor(src, name, "src")
    whole = base.wrap(registry["copy"](input._value))
    place = view(whole)
    if tuple(place._shape) != tuple(src._shape):
        raise ShapeError(f"{name}: expected src to have a size equal to the slice of self. src "
                         f"size = {shape_text(src._shape)}, slice size = "
                         f"{shape_text(place._shape)}")
    place.copy_(src)
    return whole


def select_scatter(input: TensorBase, src: TensorBase, dim: int, index: int) -> Any:
    """A copy of input with src in the place of one slice.

    Shape: (*), (*) without dim -> (*).

    Example:
        >>> import lampion as torch
        >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 0)
        tensor([[1., 1.],
                [0., 0.]])
    """
    return _written("select_scatter", input, src, lambda x: s.select(x, dim, index))


def slice_scatter(input: TensorBase, src: TensorBase, dim: int = 0, start: int | None = None,
                  end: int | None = None, step: int = 1) -> Any:
    """A copy of input with src in the place of a range of slices.

    Args:
        start, end, step: the range on axis dim, as Python slices count.
    """
    def view(x: Any) -> Any:
        return x[(slice(None),) * (dim % len(x._shape)) + (slice(start, end, step),)]

    return _written("slice_scatter", input, src, view)


def diagonal_scatter(input: TensorBase, src: TensorBase, offset: int = 0, dim1: int = 0,
                     dim2: int = 1) -> Any:
    """A copy of input with src as a diagonal."""
    return _written("diagonal_scatter", input, src,
                    lambda x: s.diagonal(x, offset, dim1, dim2))


def as_strided_scatter(input: TensorBase, src: TensorBase, size: Any, stride: Any,
                       storage_offset: int | None = None) -> Any:
    """A copy of input with src where `as_strided` looks."""
    return _written("as_strided_scatter", input, src,
                    lambda x: s.as_strided(x, size, stride, storage_offset))


record_module(globals())
