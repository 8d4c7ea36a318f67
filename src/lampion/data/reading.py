"""How a task of the loader is read from a dataset: an index, a list of them, a part of a stream."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lampion.data.collate import collate_tensor_fn, default_collate, default_collate_fn_map
from lampion.data.dataset import IterableDataset, whole_batch
from lampion.tensor import Tensor

Fetch = Callable[[Any], Any]
SHOWN = 8  # indices of a batch that an error names


class Ended:
    """What is read where a worker's stream has no more samples."""


@dataclass(frozen=True)
class Reader:
    """What reading needs to know of a loader; it can be sent to another process.

    Args:
        collate_fn: makes a batch from a list of samples.
        drop_last: leave out a last batch of a stream that is not full.
        batched: tasks are lists of indices; else single ones.
    """

    collate_fn: Callable[[Any], Any]
    drop_last: bool
    batched: bool

    def fetch(self, dataset: Any) -> Fetch:
        """Return the function that reads one task from a dataset."""
        if isinstance(dataset, IterableDataset):
            samples = iter(dataset)
            return lambda size: _from_stream(samples, size, self.drop_last, self.collate_fn)
        if not self.batched:
            return lambda index: self.collate_fn(_sample(dataset, index))
        plain = (self.collate_fn is default_collate
                 and default_collate_fn_map.get(Tensor) is collate_tensor_fn)
        read_batch = whole_batch(dataset) if plain else None
        return lambda indices: _from_map(dataset, indices, read_batch, self.collate_fn)


def _sample(dataset: Any, index: Any) -> Any:
    try:
        return dataset[index]
    except Exception as error:
        error.add_note(f"  in sample {index!r} of {type(dataset).__name__}")
        raise


def _from_map(
    dataset: Any, indices: Any, read_batch: Callable[[Any], Any] | None,
    collate_fn: Callable[[Any], Any],
) -> Any:
    if read_batch is not None and (batch := read_batch(indices)) is not None:
        return batch
    try:
        if callable(getattr(dataset, "__getitems__", None)):
            samples = dataset.__getitems__(indices)
        else:
            samples = [_sample(dataset, index) for index in indices]
        return collate_fn(samples)
    except Exception as error:
        error.add_note(f"  in the batch of samples {_named(indices)} of {type(dataset).__name__}")
        raise


def _named(indices: Any) -> str:
    try:
        first = [int(index) for index in itertools.islice(indices, SHOWN)]
        more = f" and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
    except (TypeError, ValueError):
        return repr(indices)[:100]
    return ", ".join(map(str, first)) + more


def _from_stream(
    samples: Iterator[Any], size: int | None, drop_last: bool, collate_fn: Callable[[Any], Any]
) -> Any:
    if size is None:
        for sample in samples:
            return collate_fn(sample)
        return Ended
    batch = list(itertools.islice(samples, size))
    if not batch or (drop_last and len(batch) < size):
        return Ended
    return collate_fn(batch)
