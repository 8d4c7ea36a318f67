"""Embeddings: rows of a table picked by whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.autograd import no_grad
from lampion.base import check_known, own
from lampion.functions import creation
from lampion.functions.checks import dtype_name, require_tensor
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    import numpy as np

    from lampion.tensor import Tensor


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return vectors that are 1 at the given class and 0 elsewhere.

    Args:
        tensor: classes 0 ... num_classes - 1 (int64).
        num_classes: length of the vectors; the largest class + 1 when -1.

    Shape: (...) -> (..., num_classes), int64.

    Raises:
        DTypeError: when the classes are not int64.
        ArgumentRangeError: when a class is negative or not below num_classes.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.one_hot(torch.tensor([1, 0]), 3).tolist()
        [[0, 1, 0], [1, 0, 0]]
    """
    require_tensor("one_hot", "tensor", tensor)
    if dtype_name(tensor) != "int64":
        raise errors.DTypeError(
            f"one_hot: tensor is {tensor.dtype}, {errors.shape_text(tensor.shape)}",
            why="one_hot is only applicable to index tensor of type LongTensor (torch.int64)",
            fix="tensor.long()",
        )
    if num_classes == 0 or num_classes < -1:
        raise errors.ArgumentRangeError(
            f"one_hot: num_classes={num_classes}", why="num_classes should be positive (or -1)"
        )
    if tensor.numel() == 0:
        if num_classes == -1:
            raise errors.ArgumentRangeError(
                "one_hot: tensor is empty and num_classes is not given",
                why="Can not infer total number of classes from empty tensor.",
                fix="one_hot(tensor, num_classes)",
            )
        return tensor.new_zeros((*tensor.shape, num_classes))
    if num_classes == -1:
        num_classes = int(tensor.max()) + 1

    def check(classes: np.ndarray) -> None:
        low, high = int(classes.min()), int(classes.max())
        if low < 0:
            raise errors.ArgumentRangeError(
                f"one_hot: the smallest class is {low}", why="Class values must be non-negative.")
        if high >= num_classes:
            raise errors.ArgumentRangeError(
                f"one_hot: the largest class is {high}, num_classes={num_classes}",
                why="Class values must be smaller than num_classes.",
                fix=f"num_classes={high + 1}")

    check_known(tensor, check)
    # What is not known yet is checked when it is computed: scatter refuses wrong positions.
    zeros = creation.zeros((*tensor.shape, num_classes), dtype=tensor.dtype)
    return zeros.scatter(-1, tensor.unsqueeze(-1), 1)


def _check_table(function: str, input: Tensor, weight: Tensor) -> None:
    require_tensor(function, "input", input)
    require_tensor(function, "weight", weight)
    if dtype_name(input) not in ("int64", "int32"):
        raise errors.DTypeError(
            f"{function}: input (the indices) is {input.dtype}, "
            f"{errors.shape_text(input.shape)}",
            why="indices of rows are whole numbers of dtype torch.int64 or torch.int32",
            fix="input.long()",
        )
    if weight.dim() != 2:
        raise errors.ShapeError(
            f"{function}: weight is {errors.shape_text(weight.shape)}",
            why="'weight' must be 2-D, rows times features",
        )
    rows, width = weight.shape
    check_known(input, lambda values: _check_rows(function, values, rows, width))


def _check_rows(function: str, values: np.ndarray, rows: int, width: int) -> None:
    if values.size and (values.min() < 0 or values.max() >= rows):
        wrong = int(values.max() if values.max() >= rows else values.min())
        raise errors.IndexRangeError(
            f"{function}: index {wrong} is out of range in a table of {rows} rows "
            f"({rows}x{width})",
            why=f"indices go from 0 to {rows - 1}",
            fix=f"nn.Embedding({wrong + 1}, {width})" if wrong >= rows else None,
        )


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:
    """Return the rows of a table.

    Args:
        input: indices of rows (int64 or int32).
        weight: the table.
        padding_idx: a row that gets no gradient; negative counts from the end.
        max_norm: rows that are used and longer than this are shortened to it, in the table.
        norm_type: order of that norm.
        scale_grad_by_freq: divide a row's gradient by how often the input uses the row.
        sparse: accepted; the gradient has the table's shape all the same.

    Shape: (...) and (rows, D) -> (..., D).

    Raises:
        DTypeError: when the indices are not whole numbers.
        IndexRangeError: when an index is outside the table.

    Example:
        >>> import lampion as torch
        >>> torch.nn.functional.embedding(torch.tensor([1, 0]), torch.eye(2)).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    _check_table("embedding", input, weight)
    padding_idx = _padding_row(weight, padding_idx)
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    flat = input.reshape((-1,))
    rows = weight.index_select(0, flat)
    if scale_grad_by_freq:
        rows = _per_use(rows, flat, weight.shape[0])
    if padding_idx is not None:
        rows = rows.detach().where((flat == padding_idx).unsqueeze(-1), rows)
    return own(rows.reshape((*input.shape, weight.shape[1])))


def _padding_row(weight: Tensor, padding_idx: int | None) -> int | None:
    if padding_idx is None:
        return None
    rows = weight.shape[0]
    if not -rows <= padding_idx < rows:
        raise errors.ArgumentError(
            f"embedding: padding_idx={padding_idx} in a table of {rows} rows",
            why="Padding_idx must be within num_embeddings",
        )
    return padding_idx % rows


def _shorten(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten the rows that are used to `max_norm`, in place and outside of the gradient."""
    with no_grad():
        index = input.reshape((-1,))
        rows = weight.index_select(0, index)
        length = rows.norm(norm_type, 1, keepdim=True)
        shorter = rows * (max_norm / (length + 1e-7))
        # A row that is used twice is written twice with the same numbers.
        weight.index_copy_(0, index, shorter.where(length > max_norm, rows))


def _per_use(rows: Tensor, index: Tensor, count: int) -> Tensor:
    """Return the rows with their gradients divided by how often each is used."""
    ones = creation.ones(index.shape, dtype=rows.dtype)
    uses = creation.zeros((count,), dtype=rows.dtype).index_add(0, index, ones)
    share = rows / uses.index_select(0, index).unsqueeze(-1)
    return share + (rows.detach() - share.detach())


# Bags ------------------------------------------------------------------------------------------


def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
    sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, mean or maximum of bags of rows; an empty bag gives zeros.

    Args:
        input: indices of rows: one bag a row, or all bags one after the other with `offsets`.
        weight: the table.
        offsets: where in a one-axis input each bag begins.
        max_norm, norm_type, scale_grad_by_freq, sparse: as in `embedding`.
        mode: 'sum', 'mean' or 'max'.
        per_sample_weights: a factor for each index, with mode 'sum'.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that is left out of the bags.

    Shape: (B, n), or (n) with offsets (B); weight (rows, D) -> (B, D).

    Raises:
        ShapeArgumentError: when input, offsets or weight have the wrong number of axes.
        ArgumentError: for combinations of settings that do not go together.
    """
    _check_bags(input, weight, offsets, mode, per_sample_weights, scale_grad_by_freq, sparse)
    _check_table("embedding_bag", input, weight)
    padding_idx = _padding_row(weight, padding_idx)
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    flat = input.reshape((-1,))
    rows = weight.index_select(0, flat)
    if scale_grad_by_freq:
        rows = _per_use(rows, flat, weight.shape[0])
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape((-1, 1))
    used = (flat == flat) if padding_idx is None else (flat != padding_idx)
    if offsets is None:
        starts = list(range(0, flat.shape[0], max(input.shape[1], 1)))
        starts = starts or [0] * input.shape[0]
    else:
        starts = _starts(offsets, flat.shape[0])
        if include_last_offset:
            starts = starts[:-1]
    if mode == "max":
        return _bag_maximum(rows, used, starts)
    return _bag_sum(rows, used, starts, mean=mode == "mean")


def _check_bags(
    input: Tensor, weight: Tensor, offsets: Tensor | None, mode: str,
    per_sample_weights: Tensor | None, scale_grad_by_freq: bool, sparse: bool,
) -> None:
    function, text = "embedding_bag", errors.shape_text
    require_tensor(function, "input", input)
    require_tensor(function, "weight", weight)
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise errors.ShapeArgumentError(
            f"{function}: input is {text(input.shape)}, per_sample_weights is "
            f"{text(per_sample_weights.shape)}",
            why="each index has its own weight",
        )
    if weight.dim() != 2 or input.dim() not in (1, 2):
        raise errors.ShapeArgumentError(
            f"{function}: input is {text(input.shape)}, weight is {text(weight.shape)}",
            why="input has to be 1D or 2D and weight has to be a 2D Tensor",
        )
    if (offsets is None) != (input.dim() == 2) or (offsets is not None and offsets.dim() != 1):
        given = "None" if offsets is None else text(offsets.shape)
        raise errors.ShapeArgumentError(
            f"{function}: input is {text(input.shape)}, offsets is {given}",
            why="an input of one axis needs offsets (a 1D Tensor) that say where each bag begins; "
            "if input is 2D, then offsets has to be None",
        )
    if mode not in ("sum", "mean", "max"):
        raise errors.ArgumentError(
            f"{function}: mode={mode!r}", why="mode has to be one of sum, mean or max"
        )
    if mode == "max" and (scale_grad_by_freq or sparse):
        raise errors.ArgumentError(
            f"{function}: mode='max' with scale_grad_by_freq={scale_grad_by_freq}, "
            f"sparse={sparse}",
            why="max mode does not support scaling the gradient by the frequency, nor sparse "
            "weights",
        )
    if per_sample_weights is not None and mode != "sum":
        raise errors.UnsupportedError(
            f"{function}: per_sample_weights with mode={mode!r}",
            why="per_sample_weights is only supported for mode='sum'", fix="mode='sum'",
        )


def _starts(offsets: Tensor, count: int) -> list[int]:
    starts = [int(start) for start in offsets.tolist()]
    if starts and (starts[0] != 0 or starts[-1] > count):
        raise errors.ArgumentRangeError(
            f"embedding_bag: offsets go from {starts[0]} to {starts[-1]}, input holds {count} "
            "indices",
            why="offsets[0] has to be 0, and the last offset at most the number of indices",
        )
    return starts


def _bag_sum(rows: Tensor, used: Tensor, starts: Sequence[int], mean: bool) -> Tensor:
    count, bags = rows.shape[0], len(starts)
    ends = [*starts[1:], count]
    bag_of = [b for b in range(bags) for _ in range(starts[b], ends[b])]
    bag = creation.tensor(bag_of, dtype=creation.arange(0).dtype)
    rows = rows.masked_fill(~used.unsqueeze(-1), 0)
    total = creation.zeros((bags, rows.shape[1]), dtype=rows.dtype).index_add(0, bag, rows)
    if not mean:
        return total
    sizes = creation.zeros((bags,), dtype=rows.dtype).index_add(0, bag, used.to(rows.dtype))
    return total / sizes.clamp(min=1).unsqueeze(-1)


def _bag_maximum(rows: Tensor, used: Tensor, starts: Sequence[int]) -> Tensor:
    count, bags = rows.shape[0], len(starts)
    ends = [*starts[1:], count]
    longest = max((end - start for start, end in zip(starts, ends, strict=True)), default=0)
    if not longest:
        return creation.zeros((bags, rows.shape[1]), dtype=rows.dtype)
    places = [[min(start + k, count - 1) for k in range(longest)] for start in starts]
    inside = [[start + k < end for k in range(longest)]
              for start, end in zip(starts, ends, strict=True)]
    table = creation.tensor(places)
    valid = creation.tensor(inside) & used.index_select(0, table.reshape((-1,))).reshape(
        (bags, longest))
    padded = rows.index_select(0, table.reshape((-1,))).reshape((bags, longest, rows.shape[1]))
    candidates = padded.masked_fill(~valid.unsqueeze(-1), float("-inf"))
    best = candidates.detach().argmax(1, keepdim=True)
    empty = ~valid.any(1).unsqueeze(-1)
    return candidates.gather(1, best).squeeze(1).masked_fill(empty, 0)


record_module(globals())
