"""Integrals and slopes of sampled functions."""

from __future__ import annotations

from typing import Any

from .. import base
from ..base import TensorBase
from ..errors import ShapeError, StateError, shape_text
from ..replay.recorded import record_module
from . import elementwise as e
from . import reduction
from . import shape as s
from .operands import normalize_dim, normalize_dims


def _means(y: TensorBase, axis: int) -> Any:
    n = y._shape[axis]
    return e.div(e.add(s.narrow(y, axis, 1, n - 1), s.narrow(y, axis, 0, n - 1)), 2)


def _widths(name: str, y: TensorBase, x: TensorBase, axis: int) -> Any:
    if len(x._shape) == 1 and x._shape[0] != y._shape[axis]:
        raise ShapeError(f"{name}: There must be one `x` value for each sample point: x is "
                         f"{shape_text(x._shape)}, y {shape_text(y._shape)}")
    if len(x._shape) == 1:
        gaps = e.sub(s.narrow(x, 0, 1, x._shape[0] - 1), s.narrow(x, 0, 0, x._shape[0] - 1))
        return s.reshape(gaps, *[-1 if k == axis else 1 for k in range(len(y._shape))])
    lead = len(y._shape) - len(x._shape)
    place = axis - lead
    return e.sub(s.narrow(x, place, 1, x._shape[place] - 1),
                 s.narrow(x, place, 0, x._shape[place] - 1))


def _areas(name: str, y: TensorBase, x: Any, dx: Any, dim: int) -> tuple[Any, int]:
    base.require_tensor(y, name, "y")
    axis = normalize_dim(dim, len(y._shape), name)
    if y._shape[axis] == 0:
        return y, axis
    means = _means(y, axis)
    width = dx if x is None else _widths(name, y, x, axis)
    if isinstance(width, bool) or (isinstance(dx, bool) and x is None):
        raise StateError(f"{name}: Currently, we only support dx as a real number")
    made = e.mul(means, width)
    return made, len(made._shape) - len(y._shape) + axis


def trapezoid(y: TensorBase, x: TensorBase | None = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The integral along an axis by the trapezoidal rule.

    Shape: (*, n) -> (*).

    Args:
        x: where the samples lie; by default `dx` apart.
        dx: the distance of neighbours, 1 by default.
        dim: the axis.

    Example:
        >>> import lampion as torch
        >>> torch.trapezoid(torch.tensor([1., 2., 3.]))
        tensor(4.)
    """
    areas, axis = _areas("trapezoid", y, x, 1 if dx is None else dx, dim)
    if not y._shape[axis]:
        return reduction.sum(areas, axis)
    return reduction.sum(areas, axis)


trapz = trapezoid


def cumulative_trapezoid(y: TensorBase, x: TensorBase | None = None, *, dx: Any = None,
                         dim: int = -1) -> Any:
    """The running integral along an axis by the trapezoidal rule: one sample fewer."""
    areas, axis = _areas("cumulative_trapezoid", y, x, 1 if dx is None else dx, dim)
    return reduction.cumsum(areas, axis)


def _slope(input: TensorBase, spacing: Any, axis: int, order: int) -> Any:
    n = input._shape[axis]

    def cut(x: Any, start: int, length: int) -> Any:
        return s.narrow(x, axis if len(x._shape) > 1 else 0, start, length)

    if not isinstance(spacing, TensorBase):
        inner = e.div(e.sub(cut(input, 2, n - 2), cut(input, 0, n - 2)), 2 * spacing)
        if order == 1:
            first = e.div(e.sub(cut(input, 1, 1), cut(input, 0, 1)), spacing)
            last = e.div(e.sub(cut(input, n - 1, 1), cut(input, n - 2, 1)), spacing)
        else:
            first = e.div(e.add(e.mul(cut(input, 0, 1), -3.0), e.sub(
                e.mul(cut(input, 1, 1), 4.0), cut(input, 2, 1))), 2 * spacing)
            last = e.div(e.add(e.mul(cut(input, n - 1, 1), 3.0), e.sub(
                cut(input, n - 3, 1), e.mul(cut(input, n - 2, 1), 4.0))), 2 * spacing)
        return s.cat([first, inner, last], axis)
    shape = [-1 if k == axis else 1 for k in range(len(input._shape))]
    gaps = s.reshape(e.sub(s.narrow(spacing, 0, 1, n - 1), s.narrow(spacing, 0, 0, n - 1)), shape)
    left, right = s.narrow(gaps, axis, 0, n - 2), s.narrow(gaps, axis, 1, n - 2)
    both = e.add(left, right)
    a = e.neg(e.div(right, e.mul(left, both)))
    b = e.div(e.sub(right, left), e.mul(left, right))
    c = e.div(left, e.mul(right, both))
    inner = e.add(e.add(e.mul(a, cut(input, 0, n - 2)), e.mul(b, cut(input, 1, n - 2))),
                  e.mul(c, cut(input, 2, n - 2)))
    d1, d2 = s.narrow(gaps, axis, 0, 1), s.narrow(gaps, axis, 1, 1) if n > 2 else None
    e1, e2 = s.narrow(gaps, axis, n - 2, 1), s.narrow(gaps, axis, n - 3, 1) if n > 2 else None
    if order == 1:
        first = e.div(e.sub(cut(input, 1, 1), cut(input, 0, 1)), d1)
        last = e.div(e.sub(cut(input, n - 1, 1), cut(input, n - 2, 1)), e1)
    else:
        first = _edge([cut(input, k, 1) for k in (0, 1, 2)], d1, d2, -1)
        last = _edge([cut(input, k, 1) for k in (n - 1, n - 2, n - 3)], e1, e2, 1)
    return s.cat([first, inner, last], axis)


def _edge(points: list[Any], near: Any, far: Any, sign: int) -> Any:
    """The slope at an end from three points, of second order."""
    both = e.add(near, far)
    a = e.div(e.add(near, both), e.mul(near, both))
    b = e.div(both, e.mul(near, far))
    c = e.div(near, e.mul(far, both))
    made = e.add(e.sub(e.mul(a, points[0]), e.mul(b, points[1])), e.mul(c, points[2]))
    return made if sign > 0 else e.neg(made)


def gradient(input: TensorBase, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> list:
    """The slopes of a sampled function along each axis, by central differences.

    Args:
        spacing: the distance of neighbours, or one for each axis, or their places as vectors.
        dim: the axes; None for all.
        edge_order: 1 or 2, how exact the slopes at the ends are.

    Returns:
        One tensor of the input's shape for each axis.
    """
    spacing = 1 if spacing is None else spacing
    dims = normalize_dims(dim, len(base.require_tensor(input, "gradient")._shape), "gradient")
    if edge_order not in (1, 2):
        raise StateError("torch.gradient only supports edge_order=1 and edge_order=2.")
    many = isinstance(spacing, (list, tuple))
    if many and len(spacing) != len(dims):
        raise StateError(f"torch.gradient expected spacing to be unspecified, a scalar or a list "
                         f"of length equal to 'dim' argument, got {len(spacing)} for {len(dims)}")
    spacings = list(spacing) if many else [spacing] * len(dims)
    for axis, given in zip(dims, spacings, strict=True):
        if input._shape[axis] < edge_order + 1:
            raise StateError("torch.gradient expected each dimension size to be at least "
                             f"edge_order+1, got {input._shape[axis]}")
        if isinstance(given, TensorBase) and given._shape != (input._shape[axis],):
            raise StateError("torch.gradient expected each element of spacing to have the length "
                             f"of its dimension, got {shape_text(given._shape)}")
    x = input if input._dtype.is_floating_point else e.div(input, 1)
    found = [_slope(x, given, axis, edge_order)
             for axis, given in zip(dims, spacings, strict=True)]
    return found


record_module(globals())
