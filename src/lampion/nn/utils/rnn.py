"""Sequences of different length in one tensor."""

from __future__ import annotations

from collections.abc import Iterable

from lampion import errors
from lampion.dtypes import int64
from lampion.functions import creation, shape
from lampion.nn import functional as F
from lampion.nn.utils.packed import (
    PackedSequence,
    PaddedRows,
    check_lengths,
    invert_permutation,
    lengths_of,
    mask_of,
    padded,
    sizes_of_steps,
)
from lampion.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

# Rows are cut behind the longest sequence, up to a multiple of this: few different shapes, because
# each has a program of its own.
STEPS = 8


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | list[int], batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Take the padding out of a batch of sequences.

    Shape:
        (T, N, *), or (N, T, *) with batch_first; N lengths -> a PackedSequence

    Args:
        input: the padded sequences.
        lengths: of each sequence, in [1, T]; reading a tensor of them runs the pending work.
        batch_first: the batch is the first axis.
        enforce_sorted: raise unless the longest sequence stands first and so on; False sorts.

    Raises:
        ShapeError: number or size of the lengths do not fit the input.
        StateError: a length is not positive, or they are not sorted.

    Example:
        >>> import lampion as torch
        >>> rows = torch.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
        >>> packed = torch.nn.utils.rnn.pack_padded_sequence(
        ...     rows, [2, 1, 3], batch_first=True, enforce_sorted=False)
        >>> packed.data, packed.batch_sizes
        (tensor([4, 1, 3, 5, 2, 6]), tensor([3, 2, 1]))
    """
    given = creation.as_tensor(lengths, dtype=int64)
    x = input.transpose(0, 1) if batch_first else input
    input.size(1)  # raises where there is no second axis
    found = check_lengths(given, x, enforce_sorted)
    order = None
    if not enforce_sorted:
        given, order = given.sort(descending=True)
        x = x.index_select(1, order)
        found = sorted(found, reverse=True)
    sizes = sizes_of_steps(found)
    steps = min(x.size(0), -(-len(sizes) // STEPS) * STEPS)
    mask = mask_of(sizes, steps)
    # Zeros, because not even infinities of the padding may reach a gradient.
    rows = PaddedRows(x[:steps].masked_fill(~_for(x, mask), 0), sizes, mask)
    return PackedSequence.of_rows(rows, creation.tensor(sizes, dtype=int64), order, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Put the padding back: the inverse of `pack_padded_sequence`.

    Shape:
        a PackedSequence -> (T, N, *), or (N, T, *) with batch_first, and N lengths

    Args:
        sequence: packed sequences.
        batch_first: the batch is the first axis of the output.
        padding_value: what is put.
        total_length: T; None for the longest sequence's length.

    Raises:
        ArgumentError: `total_length` is shorter than a sequence.
    """
    rows = sequence.rows
    sizes = sequence.batch_sizes.tolist() if rows is None else rows.sizes
    steps = len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise errors.ArgumentError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {len(sizes)}")
    if rows is None:
        data = padded(sequence.data, sizes, steps)
    elif steps <= rows.steps.size(0):
        data = rows.steps[:steps]
    else:
        missing = steps - rows.steps.size(0)
        data = F.pad(rows.steps, (*[0, 0] * (rows.steps.dim() - 1), 0, missing))
    if rows is not None and rows.mask.size(0) == steps:
        mask = rows.mask
    else:
        mask = mask_of(sizes, steps)
    data = data.masked_fill(~_for(data, mask), padding_value)
    lengths = creation.tensor(lengths_of(sizes), dtype=int64)
    if sequence.unsorted_indices is not None:
        data = data.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return (data.transpose(0, 1) if batch_first else data), lengths


def _for(x: Tensor, mask: Tensor) -> Tensor:
    """Return a mask (T, N, 1) with as many axes as x."""
    return mask.reshape((*mask.shape[:2], *(1,) * (x.dim() - 2)))


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different length.

    Shape:
        N sequences (L_i, *) -> a PackedSequence

    Args:
        sequences: with equal sizes after the first axis.
        enforce_sorted: see `pack_padded_sequence`.

    Example:
        >>> import lampion as torch
        >>> sequences = [torch.tensor([1, 2, 3]), torch.tensor([4])]
        >>> torch.nn.utils.rnn.pack_sequence(sequences).data
        tensor([1, 4, 2, 3])
    """
    lengths = [sequence.size(0) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences that were packed, in the order in which they came.

    Example:
        >>> import lampion as torch
        >>> packed = torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
        >>> torch.nn.utils.rnn.unpack_sequence(packed)
        [tensor([1, 2]), tensor([3])]
    """
    rows, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(rows, lengths, batch_first=True)


def pad_sequence(
    sequences: Tensor | Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Bring sequences to the length of the longest and stack them.

    Shape:
        B sequences (L_i, *) -> (longest, B, *), or (B, longest, *) with batch_first

    Args:
        sequences: with equal sizes after the first axis.
        batch_first: the batch is the first axis of the output.
        padding_value: what is put.
        padding_side: "right" (after) or "left" (before).

    Example:
        >>> import lampion as torch
        >>> sequences = [torch.tensor([1, 2, 3]), torch.tensor([4])]
        >>> torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        tensor([[1, 2, 3],
                [4, 0, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise errors.StateError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}")
    if padding_side not in ("left", "right"):
        raise errors.ArgumentError(
            f"padding_side should be one of 'left' or 'right' but got {padding_side}",
            fix="padding_side='right'")
    rows = list(sequences)
    if not rows:
        raise errors.StateError(
            "received an empty list of sequences",
            why="there is no sequence to take the shape from")
    longest = max(row.shape[0] for row in rows)
    padded = []
    for row in rows:
        missing = longest - row.shape[0]
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        padded.append(F.pad(row, (*[0, 0] * (row.dim() - 1), *sides), value=padding_value))
    return shape.stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Take the sequences out of what `pad_sequence` made.

    Args:
        padded_sequences: (longest, B, *), or (B, longest, *) with batch_first.
        lengths: (B) lengths; reading them runs the pending work.
        batch_first: see there.
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(rows, lengths.tolist(), strict=True)]
