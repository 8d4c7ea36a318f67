"""Movement ops: elements change place, none is computed."""

from __future__ import annotations

from ..ir import Type, Value, full
from .define import movement, opaque
from .reduction import sum


def _span(length: int, start: int, stop: int, step: int) -> int:
    return max(0, -((start - stop) // step))


def _ravel(place, shape):
    """The number of a place in row-major order."""
    number = 0
    for p, n in zip(place, shape, strict=True):
        number = number * n + p
    return number


def _unravel(number, shape):
    """The place of a number in row-major order."""
    place = []
    for n in reversed(shape):
        place.append(number % n if n > 1 else 0 * number)
        number = number // n if n > 1 else number
    return tuple(reversed(place))


reshape = movement(
    "reshape", "The same elements in row-major order under another shape.",
    meaning=lambda xp, x, shape: xp.reshape(x, shape),
    result=lambda x, shape: Type(shape, x.dtype),
    index=lambda i, x, shape: _unravel(_ravel(i, shape), x.shape),
    grad=lambda g, y, x, shape: (reshape(g, shape=x.shape),),
    samples=((((2, 6),), {"shape": (3, 4)}), (((1,),), {"shape": ()}),
             (((0, 3),), {"shape": (0,)})))


def inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the permutation that undoes `order`."""
    back = [0] * len(order)
    for position, axis in enumerate(order):
        back[axis] = position
    return tuple(back)


permute = movement(
    "permute", "Reorder the axes: result axis k is input axis order[k].",
    meaning=lambda xp, x, order: xp.transpose(x, order),
    result=lambda x, order: Type(tuple(x.shape[k] for k in order), x.dtype),
    index=lambda i, x, order: tuple(i[k] for k in inverse(order)),
    grad=lambda g, y, x, order: (permute(g, order=inverse(order)),),
    samples=((((2, 3, 4),), {"order": (2, 0, 1)}), (((2, 3),), {"order": (1, 0)})))


def _expand_grad(g, y, x, shape):
    axes = tuple(k for k, n in enumerate(x.shape) if n == 1 and shape[k] != 1)
    return (sum(g, axes=axes),)


expand = movement(
    "expand", "Repeat axes of size 1 to the sizes of `shape`.",
    meaning=lambda xp, x, shape: xp.broadcast_to(x, shape),
    result=lambda x, shape: Type(shape, x.dtype),
    index=lambda i, x, shape: tuple(
        p if n == m else 0 for p, n, m in zip(i, x.shape, shape, strict=True)),
    grad=_expand_grad,
    samples=((((3, 1),), {"shape": (3, 4)}), (((1, 1),), {"shape": (2, 3)}),
             (((1, 2),), {"shape": (0, 2)})))


def _slices(start, stop, step):
    return tuple(slice(a, b, c) for a, b, c in zip(start, stop, step, strict=True))


def _slice_result(x: Value, start, stop, step) -> Type:
    return Type(tuple(map(_span, x.shape, start, stop, step)), x.dtype)


slice_ = movement(
    "slice", "Every step-th element from start up to stop, on each axis.",
    meaning=lambda xp, x, start, stop, step: x[_slices(start, stop, step)],
    result=_slice_result,
    index=lambda i, x, start, stop, step: tuple(
        a + p * c for p, a, c in zip(i, start, step, strict=True)),
    grad=lambda g, y, x, start, stop, step: (
        slice_put(full(x.shape, 0, g.dtype), g, start=start, stop=stop, step=step),),
    samples=((((5, 4),), {"start": (1, 0), "stop": (5, 3), "step": (2, 1)}),
             (((3,),), {"start": (2,), "stop": (2,), "step": (1,)})))


def put_into(x, update, start, stop, step):
    """Write the update into x itself, and return it."""
    x[_slices(start, stop, step)] = update
    return x


def _slice_put_meaning(xp, x, update, start, stop, step):
    return put_into(xp.array(x), update, start, stop, step)


slice_put = opaque(
    "slice_put", "x with the elements that `slice` would take replaced by update's.",
    meaning=_slice_put_meaning, kernel="slice_put",
    result=lambda x, update, start, stop, step: x.type,
    grad=lambda g, y, x, update, start, stop, step: (
        slice_put(g, full(update.shape, 0, g.dtype), start=start, stop=stop, step=step),
        slice_(g, start=start, stop=stop, step=step)),
    samples=((((5, 4), (2, 3)), {"start": (1, 0), "stop": (5, 3), "step": (2, 1)}),))

flip = movement(
    "flip", "Reverse the order along axes.",
    meaning=lambda xp, x, axes: xp.flip(x, axes),
    result=lambda x, axes: x.type,
    index=lambda i, x, axes: tuple(
        n - 1 - p if k in axes else p for k, (p, n) in enumerate(zip(i, x.shape, strict=True))),
    grad=lambda g, y, x, axes: (flip(g, axes=axes),),
    samples=((((2, 3),), {"axes": (1,)}), (((2, 3),), {"axes": (0, 1)})))

def _pad_inside(i, x, low, high):
    inside = True
    for p, a, n in zip(i, low, x.shape, strict=True):
        inside = inside & (p >= a) & (p < a + n)
    return inside


pad = movement(
    "pad", "Add `low` zeros before and `high` zeros after each axis.",
    meaning=lambda xp, x, low, high: xp.pad(x, tuple(zip(low, high, strict=True))),
    result=lambda x, low, high: Type(
        tuple(n + a + b for n, a, b in zip(x.shape, low, high, strict=True)), x.dtype),
    index=lambda i, x, low, high: tuple(p - a for p, a in zip(i, low, strict=True)),
    inside=_pad_inside, kernel="pad",
    grad=lambda g, y, x, low, high: (slice_(
        g, start=low, stop=tuple(a + n for a, n in zip(low, x.shape, strict=True)),
        step=(1,) * len(low)),),
    samples=((((2, 3),), {"low": (1, 0), "high": (0, 2)}),))


def _concat_result(*values: Value, axis: int) -> Type:
    shape = list(values[0].shape)
    shape[axis] = 0
    for value in values:
        shape[axis] += value.shape[axis]
    return Type(tuple(shape), values[0].dtype)


def _concat_grad(g, y, *values, axis):
    pieces, begin = [], 0
    for value in values:
        end = begin + value.shape[axis]
        start = tuple(begin if k == axis else 0 for k in range(g.ndim))
        stop = tuple(end if k == axis else n for k, n in enumerate(g.shape))
        pieces.append(slice_(g, start=start, stop=stop, step=(1,) * g.ndim))
        begin = end
    return tuple(pieces)


concat = opaque(
    "concat", "Join along an axis.",
    meaning=lambda xp, *arrays, axis: xp.concatenate(arrays, axis),
    result=_concat_result, grad=_concat_grad, kernel="concat",
    samples=((((2, 3), (2, 1), (2, 0)), {"axis": 1}), (((2,),), {"axis": 0})))


def _window_count(length: int, size: int, step: int, dilation: int) -> int:
    return (length - dilation * (size - 1) - 1) // step + 1


def _windows_meaning(xp, x, axis, size, step, dilation):
    # Indexing with a table of positions keeps this one line for any array library.
    count = _window_count(x.shape[axis], size, step, dilation)
    table = xp.arange(count)[:, None] * step + xp.arange(size)[None, :] * dilation
    return xp.moveaxis(xp.take(x, table, axis=axis), axis + 1, -1)


def _windows_result(x, axis, size, step, dilation):
    count = _window_count(x.shape[axis], size, step, dilation)
    return Type(x.shape[:axis] + (count,) + x.shape[axis + 1:] + (size,), x.dtype)


windows = movement(
    "windows", "Windows of `size` elements, `dilation` apart, every `step` along an axis.",
    meaning=_windows_meaning, result=_windows_result,
    index=lambda i, x, axis, size, step, dilation: (
        *i[:axis], i[axis] * step + i[-1] * dilation, *i[axis + 1:-1]),
    grad=lambda g, y, x, axis, size, step, dilation: (windows_add(
        g, axis=axis, length=x.shape[axis], step=step, dilation=dilation),),
    samples=((((2, 7),), {"axis": 1, "size": 3, "step": 2, "dilation": 1}),
             (((7, 2),), {"axis": 0, "size": 2, "step": 1, "dilation": 3})))


def _windows_add_meaning(xp, g, axis, length, step, dilation):
    count, size = g.shape[axis], g.shape[-1]
    out = xp.zeros(g.shape[:axis] + (length,) + g.shape[axis + 1:-1], g.dtype)
    for k in range(size):
        place = slice(k * dilation, k * dilation + (count - 1) * step + 1, step)
        out[(slice(None),) * axis + (place,)] += g[..., k]
    return out


windows_add = opaque(
    "windows_add", "Add windows back into an axis of `length`: the transpose of `windows`.",
    meaning=_windows_add_meaning, kernel="windows_add",
    result=lambda g, axis, length, step, dilation: Type(
        g.shape[:axis] + (length,) + g.shape[axis + 1:-1], g.dtype),
    grad=lambda gg, y, g, axis, length, step, dilation: (windows(
        gg, axis=axis, size=g.shape[-1], step=step, dilation=dilation),),
    samples=((((2, 3, 3),), {"axis": 1, "length": 7, "step": 2, "dilation": 1}),))
