"""Connectionist temporal classification: the loss of a label sequence without known timing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lampion import errors
from lampion.functions import creation
from lampion.functions.checks import (
    check_reduction,
    dtype_name,
    require_floating,
    require_tensor,
)
from lampion.functions.shape import cat, stack
from lampion.replay.recorded import record_module

if TYPE_CHECKING:
    from lampion.tensor import Tensor

NEVER = float("-inf")


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int], blank: int = 0, reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return -log of the probability that the outputs, with repeats and blanks left out, spell
    the targets.

    Args:
        log_probs: log-probabilities of C classes at T times, from `log_softmax`.
        targets: labels (int64 or int32), one row for each sample, or all one after the other.
        input_lengths: how many times of each sample count.
        target_lengths: how many labels each sample has.
        blank: the class that stands for no label.
        reduction: 'mean' divides each loss by its number of labels, then averages.
        zero_infinity: count a sample whose labels do not fit into its times as 0.

    Shape: (T, N, C), (N, S) or (sum of lengths), (N), (N) -> scalar, or (N); without N: (T, C),
    (S), () and () -> scalar.

    Raises:
        ShapeError: when shapes or lengths do not fit.
        DTypeError: when labels are not whole numbers.
    Source: Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf
    """
    check_reduction(reduction)
    require_tensor("ctc_loss", "log_probs", log_probs)
    require_tensor("ctc_loss", "targets", targets)
    require_floating("ctc_loss", "log_probs", log_probs)
    batched = log_probs.dim() == 3
    if log_probs.dim() == 2:
        log_probs = log_probs.unsqueeze(1)
    times, counts = _numbers(input_lengths), _numbers(target_lengths)
    _check(log_probs, targets, times, counts, blank)
    labels = _rows(targets, counts, batched, blank)
    loss = -_log_likelihood(log_probs, labels, times, counts, blank)
    if zero_infinity:
        loss = loss.masked_fill(loss == float("inf"), 0)
    loss = loss + _unnormalized(log_probs, times, loss if zero_infinity else None)
    if reduction == "mean":
        divisor = creation.tensor([max(n, 1) for n in counts], dtype=loss.dtype)
        return (loss / divisor).mean()
    if reduction == "sum":
        return loss.sum()
    return loss if batched else loss.squeeze(0)


def _numbers(lengths: Tensor | Sequence[int]) -> list[int]:
    if isinstance(lengths, Sequence):
        return [int(n) for n in lengths]
    return [int(n) for n in lengths.reshape((-1,)).tolist()]


def _rows(targets: Tensor, counts: list[int], batched: bool, blank: int) -> Tensor:
    """Return one row of labels for each sample, blanks behind its end."""
    longest = max(counts, default=0)
    inside = [[k < n for k in range(longest)] for n in counts]
    if targets.dim() == 2 or not batched:
        rows = targets.reshape((len(counts), -1)).narrow(1, 0, longest)
    else:
        starts = [sum(counts[:i]) for i in range(len(counts))]
        last = max(targets.shape[0] - 1, 0)
        places = [[min(start + k, last) for k in range(longest)] for start in starts]
        rows = targets.index_select(0, _table(places, longest).reshape((-1,)))
        rows = rows.reshape((len(counts), longest))
    mask = creation.tensor(inside).reshape((len(counts), longest))
    return rows.long().masked_fill(mask.logical_not(), blank)


def _table(rows: list[list[int]], width: int) -> Tensor:
    return creation.tensor(rows, dtype=creation.arange(0).dtype).reshape((len(rows), width))


def _log_sum(*terms: Tensor) -> Tensor:
    """Return log(exp(a) + exp(b) + ...), with gradient 0 where all are -inf."""
    parts = stack(terms)
    top = parts.detach().amax(0)
    top = top.masked_fill(top == NEVER, 0)
    total = (parts - top).exp().sum(0)
    none = total == 0
    return total.masked_fill(none, 1).log().masked_fill(none, NEVER) + top


def _shifted(alpha: Tensor, by: int) -> Tensor:
    front = alpha.new_full((alpha.shape[0], by), NEVER)
    return cat([front, alpha.narrow(1, 0, alpha.shape[1] - by)], 1)


def _log_likelihood(
    log_probs: Tensor, labels: Tensor, times: list[int], counts: list[int], blank: int
) -> Tensor:
    """Run the forward recursion (equations 6 and 7) over blank, label, blank, label, ... blank."""
    steps, samples = log_probs.shape[:2]
    blanks = labels * 0 + blank
    path = stack([blanks, labels], -1).flatten(1)
    path = cat([path, labels.new_full((samples, 1), blank)], 1)
    states = path.shape[1]
    emitted = log_probs.gather(2, path.unsqueeze(0).expand((steps, samples, states)))
    # A label may follow another one directly, unless they are equal.
    skips = cat([creation.zeros((samples, min(2, states)), dtype=path.dtype) == 1,
                 (path[:, 2:] != path[:, :-2]) & (path[:, 2:] != blank)], 1)
    late = creation.arange(states) > 1
    alpha = emitted[0].masked_fill(late, NEVER)
    lengths = creation.tensor(times).unsqueeze(-1)
    for t in range(1, max(times, default=0)):
        terms = [alpha]
        if states > 1:
            terms.append(_shifted(alpha, 1))
        if states > 2:
            terms.append(_shifted(alpha, 2).masked_fill(~skips, NEVER))
        alpha = (_log_sum(*terms) + emitted[t]).where(lengths > t, alpha)
    last = _table([[2 * n, max(2 * n - 1, 0)] for n in counts], 2)
    ends = alpha.gather(1, last)
    # Without labels there is one end only.
    one_end = creation.tensor([[False, n == 0] for n in counts]).reshape((samples, 2))
    ends = ends.masked_fill(one_end, NEVER)
    likelihood = _log_sum(ends[:, 0], ends[:, 1])
    # No time at all spells the empty sequence and nothing else.
    nothing = creation.tensor([n == 0 for n in times])
    certain = creation.tensor([0.0 if n == 0 else NEVER for n in counts], dtype=alpha.dtype)
    return certain.where(nothing, likelihood)


def _unnormalized(log_probs: Tensor, times: list[int], finite: Tensor | None) -> Tensor:
    """Return a term of value 0 whose gradient is exp(log_probs).

    PyTorch's gradient is the one that log_softmax would pass on; this is the difference to the
    gradient of the formula, and vanishes behind a log_softmax.
    """
    steps = creation.arange(log_probs.shape[0]).unsqueeze(-1)
    beyond = (steps >= creation.tensor(times)).unsqueeze(-1)
    mass = log_probs.exp().masked_fill(beyond, 0).sum((0, 2))
    term = mass - mass.detach()
    return term if finite is None else term.masked_fill(finite == 0, 0)


def _check(
    log_probs: Tensor, targets: Tensor, times: list[int], counts: list[int], blank: int
) -> None:
    text = errors.shape_text
    if log_probs.dim() != 3:
        raise errors.ShapeError(
            f"ctc_loss: log_probs is {text(log_probs.shape)}",
            why="it must be (times, samples, classes), or (times, classes) for one sample",
        )
    steps, samples, classes = log_probs.shape
    if dtype_name(targets) not in ("int64", "int32"):
        raise errors.DTypeError(
            f"ctc_loss: targets is {targets.dtype}",
            why="labels are whole numbers of dtype torch.int64 or torch.int32",
            fix="targets.long()",
        )
    if not 0 <= blank < classes:
        raise errors.ArgumentRangeError(
            f"ctc_loss: blank={blank}", why=f"blank must be in label range, 0 to {classes - 1}"
        )
    if len(times) != samples or len(counts) != samples:
        raise errors.ShapeError(
            f"ctc_loss: log_probs is {text(log_probs.shape)} ({samples} samples, axis 1), with "
            f"{len(times)} input_lengths and {len(counts)} target_lengths",
            why="each sample has one input length and one target length",
            fix="log_probs.transpose(0, 1), if samples come first",
        )
    if min(times + counts, default=0) < 0 or max(times, default=0) > steps:
        raise errors.ShapeError(
            f"ctc_loss: input_lengths go from {min(times)} to {max(times)}, target_lengths from "
            f"{min(counts)} to {max(counts)}, for {steps} times",
            why=f"Expected input_lengths to have value at most {steps}, and no negative length",
        )
    room = targets.shape[-1] if targets.dim() else 0
    needed = sum(counts) if targets.dim() == 1 else max(counts, default=0)
    fits = room == needed if targets.dim() == 1 and samples > 1 else room >= needed
    if targets.dim() not in (1, 2) or not fits or (
        targets.dim() == 2 and targets.shape[0] != samples
    ):
        raise errors.ShapeError(
            f"ctc_loss: targets is {text(targets.shape)}, target_lengths={counts}",
            why=f"targets is ({samples}, longest target) or ({sum(counts)}), all targets one "
            "after the other",
        )


record_module(globals())
