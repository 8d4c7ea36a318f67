"""What a convolution is, axis by axis: which outputs see which taps of the kernel, and where.

Every axis count is brought to three (depth, height, width); missing ones come first, of size 1.
Along an axis, a *phase* is a run of outputs start, start + step, ... whose i-th member reads the
places i * advance + offset of the source, one for each of its taps. A convolution has one phase; a
transposed one of stride s has s of them, each an ordinary convolution with a part of the kernel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

AXES = 3


class Phase(NamedTuple):
    """Outputs of an axis that see the same taps: (tap, offset in the source)."""

    start: int
    step: int
    advance: int
    taps: tuple[tuple[int, int], ...]
    end: int = 1 << 40  # outputs from here on belong to it no more

    def members(self, length: int) -> int:
        """Return how many of the first `length` outputs belong to this phase."""
        return max(0, -((self.start - min(length, self.end)) // self.step))

    def parts(self, source: int, length: int) -> Iterator[Phase]:
        """Divide the first `length` outputs by which taps lie inside a source of that size."""
        count = self.members(length)
        inside = [tuple((tap, place) for tap, place in self.taps
                        if 0 <= place + i * self.advance < source) for i in range(count)]
        begin = 0
        for i in range(1, count + 1):
            if i == count or len(inside[i]) != len(inside[begin]) or inside[i] != inside[begin]:
                moved = tuple((tap, place + begin * self.advance) for tap, place in inside[begin])
                start = self.start + begin * self.step
                yield Phase(start, self.step, self.advance, moved,
                            start + (i - begin) * self.step)
                begin = i


class Shape(NamedTuple):
    """Sizes of a convolution; `source` is what is read, `result` what is written, in space.

    Attributes:
        images, groups: how many.
        inputs, outputs: channels of a group that are read and written.
        source, result, kernel: sizes of the three axes.
        phases: of each axis.
        rank: how many of the axes are the user's.
    """

    images: int
    groups: int
    inputs: int
    outputs: int
    source: tuple[int, ...]
    result: tuple[int, ...]
    kernel: tuple[int, ...]
    phases: tuple[tuple[Phase, ...], ...]
    rank: int

    @property
    def taps(self) -> int:
        return math.prod(self.kernel)

    @property
    def pixels(self) -> int:
        return math.prod(self.result)

    @property
    def band_axis(self) -> int:
        """The first of the user's axes: a part of a result along it is one run of memory."""
        return AXES - self.rank

    def bordered(self, axes: int) -> Shape:
        """Return the same with phases of their own for outputs that see the borders.

        What lies outside is not computed then.

        Args:
            axes: how many, from the first on.
        """
        divided = tuple(
            tuple(part for phase in phases for part in phase.parts(source, result))
            for phases, source, result in zip(self.phases[:axes], self.source, self.result,
                                              strict=False))
        return self._replace(phases=divided + self.phases[axes:])

    def combined(self) -> Iterator[tuple[Phase, ...]]:
        """All combinations of the axes' phases."""
        return itertools.product(*self.phases)


def three(values: Sequence[int], missing: int) -> tuple[int, ...]:
    """Return settings for three axes."""
    return (missing,) * (AXES - len(values)) + tuple(values)


def forward_phases(size, kernel, stride, padding, dilation) -> tuple[tuple[Phase, ...], ...]:
    """Return the phases of a convolution: output o reads o * stride + k * dilation - padding."""
    return tuple(
        (Phase(0, 1, s, tuple((t, t * d - p) for t in range(k))),)
        for k, s, p, d in zip(kernel, stride, padding, dilation, strict=True))


def transposed_phases(size, kernel, stride, padding, dilation) -> tuple[tuple[Phase, ...], ...]:
    """Return the phases of a transposed convolution, which writes `size` places."""
    axes = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        axes.append(tuple(
            Phase(r, s, 1, tuple((t, (r + p - t * d) // s) for t in range(k)
                                 if (r + p - t * d) % s == 0))
            for r in range(min(s, n))))
    return tuple(axes)


class Extent(NamedTuple):
    """The part of the source that outputs 0 .. length of each axis read: start and sizes."""

    first: tuple[int, ...]
    sizes: tuple[int, ...]


def extent(phases: tuple[tuple[Phase, ...], ...], lengths: Sequence[int]) -> Extent:
    """Return the smallest box with all places that the outputs below `lengths` read."""
    first, sizes = [], []
    for axis, length in zip(phases, lengths, strict=True):
        used = [(phase, offset) for phase in axis if phase.members(length)
                for _, offset in phase.taps]
        low = min((offset for _, offset in used), default=0)
        high = max(((phase.members(length) - 1) * phase.advance + offset for phase, offset in used),
                   default=0)
        first.append(low)
        sizes.append(high - low + 1)
    return Extent(tuple(first), tuple(sizes))


class Pitch(NamedTuple):
    """Distances in a box, in elements: of planes, rows, channels and images."""

    plane: int
    row: int
    channel: int
    image: int


def pitch(sizes: Sequence[int], channels: int) -> Pitch:
    """Return the distances in a box of `channels` channels.

    Channels lie an odd number of cache lines apart: otherwise many would share a place in the
    cache.
    """
    row = sizes[2]
    plane = row * sizes[1]
    channel = (-(-plane * sizes[0] // 16) | 1) * 16
    return Pitch(plane, row, channel, channel * channels)


def places(phases: Sequence[Phase], lengths: Sequence[int], distances: Sequence[int]) -> np.ndarray:
    """Return where outputs of a combined phase read their tap of offset 0, in order."""
    return _outer([np.arange(phase.members(length)) * phase.advance * distance
                   for phase, length, distance in zip(phases, lengths, distances, strict=True)])


def outputs(phases: Sequence[Phase], lengths: Sequence[int]) -> np.ndarray:
    """Return the numbers of the outputs of a combined phase among all of `lengths`, in order."""
    distances = (lengths[1] * lengths[2], lengths[2], 1)
    return _outer([(np.arange(phase.members(length)) * phase.step + phase.start) * distance
                   for phase, length, distance in zip(phases, lengths, distances, strict=True)])


def taps(phases: Sequence[Phase], first: Sequence[int], distances: Sequence[int],
         kernel: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each tap of a combined phase its offset in the box and its number."""
    numbers = (kernel[1] * kernel[2], kernel[2], 1)
    offset = _outer([np.array([(o - low) * distance for _, o in phase.taps], np.int64)
                     for phase, low, distance in zip(phases, first, distances, strict=True)])
    number = _outer([np.array([t * n for t, _ in phase.taps], np.int64)
                     for phase, n in zip(phases, numbers, strict=True)])
    return offset, number


def _outer(axes: Sequence[np.ndarray]) -> np.ndarray:
    """Return all sums of one number an axis, the last axis fastest."""
    return (axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]).reshape(-1)
