"""A batch of sequences of different length, step after step without the padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lampion import autograd, errors
from lampion.dtypes import bool_, int64
from lampion.functions import creation
from lampion.tensor import Tensor


class PaddedRows(NamedTuple):
    """Sequences with their padding, the longest first.

    steps is (T, N, *), with zeros where there is no step; sizes says how many of the sequences have
    a first step, a second, ...; it may be shorter than T. mask is `mask_of` them.
    """

    steps: Tensor
    sizes: list[int]
    mask: Tensor


class PackedSequence_(NamedTuple):  # noqa: N801 - PyTorch's name
    """The fields of a PackedSequence."""

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """The steps of several sequences, made by `pack_padded_sequence` and `pack_sequence`.

    The steps stay in their padded rows until somebody asks for `data`: recurrent layers and
    `pad_packed_sequence` take the rows. The sum of the lengths differs from batch to batch, and a
    program for every sum would be compiled.

    Attributes:
        data: (sum of lengths, *): the first step of all sequences, then the second, ...
        batch_sizes: how many sequences have a first step, a second, ...
        sorted_indices: the order in which the sequences stand, the longest first; None where
            they came in this order.
        unsorted_indices: the order that undoes it.
        rows: the steps with their padding, as long as nobody asked for data.
    """

    rows: PaddedRows | None
    _data: Any

    def __new__(
        cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        made = super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)
        made._data, made.rows = data, None
        return made

    @classmethod
    def of_rows(
        cls, rows: PaddedRows, batch_sizes: Tensor, sorted_indices: Tensor | None,
        unsorted_indices: Tensor | None,
    ) -> PackedSequence:
        """Return the steps of padded rows, which stay as they are."""
        made = cls(None, batch_sizes, sorted_indices, unsorted_indices)
        made.rows = rows
        return made

    @property
    def data(self) -> Tensor:  # type: ignore[override]
        """The steps that there are. Whoever holds them may change them, so the rows end here."""
        if self.rows is not None:
            with autograd.set_grad_enabled(self.rows.steps.requires_grad):
                self._data = unpadded(self.rows.steps, self.rows.sizes)
            self.rows = None
        return self._data

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> PackedSequence:  # type: ignore[override]
        return cls(*iterable)

    @property
    def fields(self) -> tuple[Any, ...]:
        """What was given: data is None where there are only rows."""
        return super().__getitem__(slice(None))

    def __iter__(self) -> Iterator[Any]:
        return iter((self.data, *self.fields[1:]))

    def __getitem__(self, place: Any) -> Any:
        return tuple(self)[place]

    def __repr__(self) -> str:
        fields = zip(self._fields, self)
        return f"PackedSequence({', '.join(f'{name}={value!r}' for name, value in fields)})"

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return the same with its data converted (see Tensor.to)."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return it on the processor, where it is."""
        return self

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Raise: there is no such device."""
        return self.to("cuda")

    def double(self) -> PackedSequence:
        """Return it with data in float64."""
        return self.to(self.data.double().dtype)

    def float(self) -> PackedSequence:
        """Return it with data in float32."""
        return self.to(self.data.float().dtype)

    def half(self) -> PackedSequence:
        """Return it with data in float16."""
        return self.to(self.data.half().dtype)

    def long(self) -> PackedSequence:
        """Return it with data in int64."""
        return self.to(self.data.long().dtype)

    def int(self) -> PackedSequence:
        """Return it with data in int32."""
        return self.to(self.data.int().dtype)

    def pin_memory(self) -> PackedSequence:
        """Return it: memory needs no pinning here."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def is_pinned(self) -> bool:
        """Return False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the order that undoes another one.

    Shape:
        (N) -> (N), int64

    Example:
        >>> import lampion as torch
        >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def sizes_of_steps(lengths: Sequence[int]) -> list[int]:
    """Return how many of the sequences have a first step, a second, ..."""
    return [sum(length > step for length in lengths) for step in range(max(lengths))]


def lengths_of(sizes: Sequence[int]) -> list[int]:
    """Return the lengths of the sequences, the longest first."""
    return [sum(size > k for size in sizes) for k in range(sizes[0])]


def table_of(array: np.ndarray) -> Tensor:
    """Return positions as a tensor."""
    return creation.tensor(array, dtype=int64)


def mask_of(batch_sizes: Sequence[int], length: int | None = None) -> Tensor:
    """Return where a sequence has a step.

    Shape:
        T numbers -> (T, N, 1) bool
    """
    sizes = np.array(batch_sizes)
    mask = np.zeros((length or len(sizes), sizes[0], 1), bool)
    mask[: len(sizes), :, 0] = np.arange(sizes[0]) < sizes[:, None]
    # No view of a tensor that nobody holds: a step with such a view is not replayed.
    return creation.tensor(mask, dtype=bool_)


def packed_positions(sizes: Sequence[int], batch: int) -> np.ndarray:
    """Return the places, in (T * batch) rows, of the steps that there are."""
    return np.concatenate([step * batch + np.arange(size) for step, size in enumerate(sizes)])


def padded(data: Tensor, sizes: Sequence[int], length: int | None = None) -> Tensor:
    """Return packed data step by step; where there is no step stands the first one.

    Shape:
        (sum of lengths, *) -> (T, N, *)
    """
    steps = length or len(sizes)
    table = np.zeros(steps * sizes[0], np.int64)
    table[packed_positions(sizes, sizes[0])] = np.arange(sum(sizes))
    rows = data.index_select(0, table_of(table))
    return rows.reshape((steps, sizes[0], *data.shape[1:]))


def unpadded(padded_data: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the steps that there are.

    Shape:
        (T, N, *) -> (sum of lengths, *)
    """
    steps, batch = padded_data.shape[:2]
    rows = padded_data.reshape((steps * batch, *padded_data.shape[2:]))
    return rows.index_select(0, table_of(packed_positions(sizes, batch)))


def check_lengths(lengths: Tensor, rows: Tensor, sorted_: bool) -> list[int]:
    """Return the lengths as numbers; raises where they do not fit the padded batch."""
    if lengths.dim() != 1:
        raise errors.ShapeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{lengths.dim()}D {lengths.dtype}", fix="one length for each sequence")
    found = lengths.tolist()
    steps, batch = rows.shape[:2]
    if rows.numel() == 0:
        raise errors.ShapeError(
            f"Cannot pack empty tensors: the input is {errors.shape_text(rows.shape)}")
    if len(found) != batch:
        raise errors.ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(found)} "
            f"(batch_size={batch})", why="each sequence has one length",
            fix="batch_first=True, if the batch is the first axis")
    if min(found) <= 0:
        raise errors.StateError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            f"that is <= 0: {min(found)}", fix="leave empty sequences out")
    if sorted_ and found != sorted(found, reverse=True):
        raise errors.StateError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True",
            fix="enforce_sorted=False, which sorts the sequences and puts them back at the end")
    if max(found) > steps:
        raise errors.ShapeError(
            f"a sequence of length {max(found)} in a batch padded to {steps}",
            why="no sequence is longer than the padded batch")
    return found
