"""Sequences of different length in one tensor."""

from __future__ import annotations

from collections.abc import Iterable

from lampion import errors
from lampion.functions import shape
from lampion.nn import functional as F
from lampion.tensor import Tensor


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
