"""Padding: growing (or cutting) the last axes of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lampion import errors
from lampion.functions import creation, indexing, primitive
from lampion.functions.checks import require_tensor
from lampion.functions.shape import cat
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Add elements before and after the last axes.

    Args:
        input: any shape; (N, C, ...) or (C, ...) when the mode is not 'constant'.
        pad: (before, after) of the last axis, then of the one before it, and so on; a negative
            number cuts elements off.
        mode: 'constant' adds `value`, 'reflect' mirrors without repeating the edge, 'replicate'
            repeats the edge, 'circular' goes on from the other side.
        value: what 'constant' adds, 0 when None.

    Shape: (..., n) -> (..., before + n + after).

    Raises:
        ShapeError: when `pad` has an odd length, more pairs than axes, or reaches too far.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.pad(torch.tensor([1, 2, 3]), (1, 2)).tolist()
        [0, 1, 2, 3, 0, 0]
    """
    require_tensor("pad", "input", input)
    pad = tuple(int(amount) for amount in pad)
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        raise errors.ShapeError(
            f"pad: pad={pad} for an input of shape {errors.shape_text(input.shape)}",
            why="pad holds two numbers (before, after) for each axis, the last axis first; "
            f"an input of {input.dim()} axes takes at most {2 * input.dim()}",
        )
    # pairs[0] belongs to the last axis.
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    _check_lengths(input, pairs, pad)
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    extend = EXTEND.get(mode)
    if extend is None:
        raise errors.UnsupportedError(
            f"pad: mode={mode!r}", why=f"modes are 'constant', {', '.join(map(repr, EXTEND))}"
        )
    if value:
        raise errors.ArgumentError(
            f"pad: mode={mode!r} with value={value}",
            why=f'Padding mode "{mode}" doesn\'t take in value argument',
        )
    if not len(pairs) + 1 <= input.dim() <= len(pairs) + 2 or len(pairs) > 3:
        raise errors.UnsupportedError(
            f"pad: mode={mode!r}, pad={pad} for an input of shape "
            f"{errors.shape_text(input.shape)}",
            why=f"mode {mode!r} pads all spatial axes of a (N, C, ...) or (C, ...) input: two "
            "numbers for each of 1 to 3 spatial axes",
        )
    for i, (before, after) in enumerate(pairs):
        if before or after:
            input = extend(input, input.dim() - 1 - i, before, after)
    return input


def _check_lengths(input: Tensor, pairs: list[tuple[int, int]], pad: tuple[int, ...]) -> None:
    for i, (before, after) in enumerate(pairs):
        length = input.shape[input.dim() - 1 - i]
        cut = -min(before, 0) - min(after, 0)
        if length + before + after < 0 or cut > length:
            raise errors.ShapeError(
                f"pad: pad={pad} cuts {cut} elements off axis {input.dim() - 1 - i} of "
                f"{errors.shape_text(input.shape)}",
                why=f"the axis has length {length}",
            )


def _constant(input: Tensor, pairs: list[tuple[int, int]], value: float) -> Tensor:
    for i, (before, after) in enumerate(pairs):
        if before < 0 or after < 0:
            dim = input.dim() - 1 - i
            start = max(-before, 0)
            input = input.narrow(dim, start, input.shape[dim] - start - max(-after, 0))
    grow = [(max(before, 0), max(after, 0)) for before, after in pairs]
    if not any(before or after for before, after in grow):
        return input.clone()
    if value == 0:
        kept = [(0, 0)] * (input.dim() - len(grow))
        low, high = zip(*kept, *reversed(grow), strict=True)
        return primitive.pad(input, low, high)
    for i, (before, after) in enumerate(grow):
        dim = input.dim() - 1 - i
        sides = [_block(input, dim, before, value), input, _block(input, dim, after, value)]
        input = cat([side for side in sides if side is not None], dim)
    return input


def _block(input: Tensor, dim: int, length: int, value: float) -> Tensor | None:
    shape = list(input.shape)
    shape[dim] = length
    return input.new_full(shape, value) if length else None


def _joined(input: Tensor, dim: int, before: Tensor | None, after: Tensor | None) -> Tensor:
    return cat([part for part in (before, input, after) if part is not None], dim)


def _picked(input: Tensor, dim: int, before: int, after: int, rule: Callable) -> Tensor:
    """The elements at `rule(place)`, for each place of the result counted from the input's first.

    This is how a side that is cut fits beside one that grows.
    """
    if input.shape[dim] + before + after == 0:
        raise errors.ShapeError(
            f"pad: padding ({before}, {after}) of axis {dim} with length {input.shape[dim]}",
            why="input is too small: nothing would be left of the axis")
    places = rule(np.arange(-before, input.shape[dim] + after))
    return indexing.index_select(input, dim, creation.tensor(places))


def _reflect(input: Tensor, dim: int, before: int, after: int) -> Tensor:
    length = input.shape[dim]
    if max(before, after) >= length:
        raise errors.ShapeError(
            f"pad: mode='reflect', padding ({before}, {after}) of axis {dim} with length {length}",
            why="Padding size should be less than the corresponding input dimension: the edge "
            "itself is not repeated",
            fix="mode='replicate', or a smaller padding",
        )
    if before < 0 or after < 0:
        return _picked(input, dim, before, after,
                       lambda k: length - 1 - np.abs(length - 1 - np.abs(k)))
    left = input.narrow(dim, 1, before).flip(dim) if before else None
    right = input.narrow(dim, length - 1 - after, after).flip(dim) if after else None
    return _joined(input, dim, left, right)


def _replicate(input: Tensor, dim: int, before: int, after: int) -> Tensor:
    length = input.shape[dim]
    if length == 0:
        raise errors.ShapeError(
            f"pad: mode='replicate', axis {dim} of {errors.shape_text(input.shape)} is empty",
            why="there is no edge to repeat",
        )
    if before < 0 or after < 0:
        return _picked(input, dim, before, after, lambda k: np.clip(k, 0, length - 1))

    def repeated(start: int, count: int) -> Tensor:
        shape = list(input.shape)
        shape[dim] = count
        return input.narrow(dim, start, 1).expand(shape)

    left = repeated(0, before) if before else None
    right = repeated(length - 1, after) if after else None
    return _joined(input, dim, left, right)


def _circular(input: Tensor, dim: int, before: int, after: int) -> Tensor:
    if before < 0 or after < 0:
        kept = input.shape[dim] + min(before, 0) + min(after, 0)
        input = input.narrow(dim, max(-before, 0), kept)
        before, after = max(before, 0), max(after, 0)
    length = input.shape[dim]
    if max(before, after) > length:
        raise errors.ShapeError(
            f"pad: mode='circular', padding ({before}, {after}) of axis {dim} with length {length}",
            why="Padding value causes wrapping around more than once",
        )
    left = input.narrow(dim, length - before, before) if before else None
    right = input.narrow(dim, 0, after) if after else None
    return _joined(input, dim, left, right)


EXTEND = {"reflect": _reflect, "replicate": _replicate, "circular": _circular}


record_module(globals())
