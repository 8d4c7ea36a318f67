"""Memory order as PyTorch defines it: strides of results, and which reshapes can be views.

lampion's values have no memory order of their own. A Tensor still carries PyTorch's strides, in
elements, because programs can see them: `stride()`, `is_contiguous()`, and which `view()` raises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Shape = tuple[int, ...]


def contiguous(shape: Shape) -> Shape:
    """Return the strides of row-major order.

    Example:
        >>> contiguous((2, 3, 4))
        (12, 4, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def is_contiguous(shape: Shape, strides: Shape) -> bool:
    """Whether elements lie in row-major order without gaps."""
    if 0 in shape:
        return True
    expected = 1
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1:
            if stride != expected:
                return False
            expected *= n
    return True


def is_dense(shape: Shape, strides: Shape) -> bool:
    """Whether the elements fill one block of memory, in whatever order of axes."""
    expected = 1
    for stride, n in sorted((s, n) for n, s in zip(shape, strides, strict=True) if n != 1):
        if n == 0:
            return True
        if stride != expected:
            return False
        expected *= n
    return True


def is_channels_last(shape: Shape, strides: Shape) -> bool:
    """Whether strides of images (N, C, H, W) or volumes go through the channels first.

    Example:
        >>> is_channels_last((2, 3, 4, 5), (60, 1, 15, 3))
        True
    """
    if len(shape) not in (4, 5) or strides[1] == 0:
        return False
    least = 0
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        if shape[axis] == 0 or strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * max(shape[axis], 1)
    return True


def channels_last(shape: Shape) -> Shape:
    """Return the strides of memory without gaps that goes through the channels first.

    Example:
        >>> channels_last((2, 3, 4, 5))
        (60, 1, 15, 3)
    """
    order = (1, *range(len(shape) - 1, 1, -1), 0)
    return _steps(shape, order)


def overlaps(shape: Shape, strides: Shape) -> bool:
    """Whether some axis repeats one element (an expanded tensor)."""
    return any(s == 0 and n > 1 for n, s in zip(shape, strides, strict=True)) and 0 not in shape


def meet(one: tuple[Shape, Shape, int], two: tuple[Shape, Shape, int]) -> bool:
    """Whether two different views surely share elements: both are dense and their ranges meet.

    Args:
        one, two: (shape, strides, offset) of views of the same memory.
    """
    if any(0 in shape or not is_dense(shape, strides) for shape, strides, _ in (one, two)):
        return False
    (a, b), (c, d) = ((offset, offset + math.prod(shape)) for shape, _, offset in (one, two))
    if (a, b) == (c, d):
        return one[1] != two[1]
    return a < d and c < b


def view(shape: Shape, strides: Shape, target: Shape) -> Shape | None:
    """Return the strides of `shape` seen as `target` without a copy, or None if it needs one."""
    if 0 in shape:
        return strides if shape == target else contiguous(target)
    if not shape:
        return (1,) * len(target)
    result = [0] * len(target)
    place = len(target) - 1
    chunk = strides[-1]
    elements, seen = 1, 1
    for axis in range(len(shape) - 1, -1, -1):
        elements *= shape[axis]
        # A chunk of axes that lie next to each other ends here.
        if axis == 0 or (shape[axis - 1] != 1 and strides[axis - 1] != elements * chunk):
            while place >= 0 and (seen < elements or target[place] == 1):
                result[place] = seen * chunk
                seen *= target[place]
                place -= 1
            if seen != elements:
                return None
            if axis > 0:
                chunk = strides[axis - 1]
                elements = seen = 1
    return tuple(result) if place == -1 else None


def _should_swap(first: int, second: int, operands: Sequence[tuple[Shape, Shape]]) -> int:
    for shape, strides in operands:
        a, b = strides[first], strides[second]
        if a == 0 or b == 0:
            continue
        if a != b:
            return -1 if a < b else 1
        if shape[first] > shape[second]:
            return 1
    return 0


def _broadcast(shape: Shape, operand: tuple[Shape, Shape]) -> tuple[Shape, Shape]:
    own, strides = operand
    lead = len(shape) - len(own)
    wide = tuple(
        0 if n == 1 and full != 1 else s
        for n, s, full in zip(own, strides, shape[lead:], strict=True)
    )
    return shape, (0,) * lead + wide


def elementwise(shape: Shape, operands: Sequence[tuple[Shape, Shape]]) -> Shape:
    """Return the strides PyTorch gives the result of an elementwise operation.

    Args:
        shape: shape of the result.
        operands: (shape, strides) of each tensor operand.
    """
    if all(own == shape and is_contiguous(own, s) for own, s in operands):
        return contiguous(shape)
    first = operands[0][1]
    if all(own == shape and s == first for own, s in operands) and is_dense(shape, first):
        return first
    result = _steps(shape, _fastest_first(shape, operands))
    if 0 in shape:
        return tuple(max(s, 1) for s in result) if math.prod(shape) else contiguous(shape)
    return result


def looped(shape: Shape, operands: Sequence[tuple[Shape, Shape]]) -> Shape:
    """Return the strides of a result that PyTorch fills in a loop over unlike operands.

    Args:
        shape: shape of the result.
        operands: (shape, strides) of each operand; a stride of 0 has no say in the order.
    """
    if 0 in shape and all(own == shape for own, _ in operands):
        return contiguous(shape)
    order = _fastest_first(shape, operands)
    if order == list(range(len(shape) - 1, -1, -1)):
        return contiguous(shape)
    return _steps(shape, order)


def _fastest_first(shape: Shape, operands: Sequence[tuple[Shape, Shape]]) -> list[int]:
    """Sort axes by stride, fastest first; earlier operands decide (TensorIterator's rule)."""
    wide = [_broadcast(shape, operand) for operand in operands]
    order = list(range(len(shape) - 1, -1, -1))
    for start in range(1, len(order)):
        moving = start
        for place in range(start - 1, -1, -1):
            verdict = _should_swap(order[place], order[moving], wide)
            if verdict > 0:
                order[place], order[moving] = order[moving], order[place]
                moving = place
            elif verdict < 0:
                break
    return order


def _steps(shape: Shape, order: Sequence[int]) -> Shape:
    """Return the strides of memory without gaps whose axes follow `order`, fastest first."""
    result, step = [0] * len(shape), 1
    for axis in order:
        result[axis] = step
        step *= shape[axis]
    return tuple(result)
