"""Datasets: where samples come from, and how datasets are put together from others."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from lampion.errors import ArgumentError, IndexRangeError, UnsupportedError
from lampion.functions.creation import adopt
from lampion.functions.random import Generator, randperm
from lampion.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)
Batch = Callable[[Sequence[int]], list[Any] | None]


class Dataset(Generic[T_co]):
    """A collection of samples that are asked for by index.

    A dataset of one's own defines `__getitem__(index)` and `__len__()`. It may also define
    `__getitems__(indices)`, which returns the samples of a whole batch as a list.

    Example:
        >>> import lampion as torch
        >>> class Squares(torch.utils.data.Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, index):
        ...         return index ** 2
        >>> [batch.tolist() for batch in torch.utils.data.DataLoader(Squares(), batch_size=3)]
        [[0, 1, 4], [9]]
    """

    def __getitem__(self, index: Any) -> T_co:
        raise UnsupportedError(
            f"{type(self).__name__} has no __getitem__",
            why="subclasses of Dataset should implement __getitem__",
        )

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """A stream of samples: defines `__iter__` instead of `__getitem__`.

    With several workers each of them iterates over its own copy; `get_worker_info()` tells
    `__iter__` which share of the stream is this worker's.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise UnsupportedError(
            f"{type(self).__name__} has no __iter__",
            why="subclasses of IterableDataset should implement __iter__",
        )

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples that are the rows of tensors: sample i is (tensors[0][i], tensors[1][i], ...).

    A `DataLoader` with the default collate function reads whole batches from it at once.

    Args:
        tensors: tensors whose first axes have the same size.

    Example:
        >>> import lampion as torch
        >>> data = torch.utils.data.TensorDataset(torch.arange(6).reshape(3, 2), torch.arange(3))
        >>> [entry.tolist() for entry in data[1]]
        [[2, 3], 1]
    """

    def __init__(self, *tensors: Tensor) -> None:
        sizes = [len(tensor) for tensor in tensors]
        if len(set(sizes)) != 1:
            raise ArgumentError(
                f"TensorDataset of tensors with {sizes} rows" if sizes else "TensorDataset()",
                why="there must be a tensor, and all tensors must have the same number of rows",
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, indices: Sequence[int]) -> list[Any] | None:
        """Return what collating the samples would: the rows `indices` of every tensor.

        None when that is not possible (no plain numbers, or a tensor that needs its gradient).
        """
        numbers = np.asarray(indices)
        if numbers.ndim != 1 or numbers.size == 0 or numbers.dtype.kind not in "iu":
            return None
        if any(tensor.requires_grad for tensor in self.tensors):
            return None
        try:
            return [adopt(np.take(tensor._read(), numbers, axis=0), tensor.dtype)
                    for tensor in self.tensors]
        except IndexError:
            size = len(self)
            wrong = next(n for n in numbers.tolist() if not -size <= n < size)
            raise IndexRangeError(
                f"index {wrong} of a dataset with {size} samples",
                why=f"indices go from 0 to {size - 1}",
            ) from None


class StackDataset(Dataset[Any]):
    """Samples put together from several datasets: a tuple of their samples, or a dict.

    Args:
        args: datasets of the same length; a sample is a tuple.
        kwargs: named datasets of the same length; a sample is a dict.

    Example:
        >>> import lampion as torch
        >>> torch.utils.data.StackDataset(image=[1, 2], text=["a", "b"])[1]
        {'image': 2, 'text': 'b'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError(
                f"StackDataset with {len(args)} positional and {len(kwargs)} named datasets",
                why="give at least one dataset, either all by position or all by name",
            )
        self.datasets: Any = args or kwargs
        lengths = [len(dataset) for dataset in (args or kwargs.values())]
        if len(set(lengths)) != 1:
            raise ArgumentError(
                f"StackDataset of datasets with {lengths} samples",
                why="all datasets must have the same length",
            )
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        if isinstance(self.datasets, dict):
            columns = [_items(dataset, indices) for dataset in self.datasets.values()]
            return [dict(zip(self.datasets, row, strict=True))
                    for row in zip(*columns, strict=True)]
        return list(zip(*(_items(dataset, indices) for dataset in self.datasets), strict=True))

    def __len__(self) -> int:
        return self._length


def _items(dataset: Any, indices: list[int]) -> list[Any]:
    if not callable(getattr(dataset, "__getitems__", None)):
        return [dataset[index] for index in indices]
    items = dataset.__getitems__(indices)
    if len(items) != len(indices):
        raise ArgumentError(
            f"{type(dataset).__name__}.__getitems__ returned {len(items)} samples "
            f"for {len(indices)} indices",
            why="it must return one sample per index",
        )
    return items


class ConcatDataset(Dataset[T_co]):
    """Several datasets one after the other.

    Example:
        >>> import lampion as torch
        >>> torch.utils.data.ConcatDataset([[1, 2], [3]])[2]
        3
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise ArgumentError(
                "ConcatDataset does not support IterableDataset",
                why="a stream has no indices", fix="ChainDataset(datasets)",
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Sequence[Any]) -> list[int]:
        """Return the running totals of the lengths."""
        return list(itertools.accumulate(len(entry) for entry in sequence))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < 0:
            if -idx > len(self):
                raise ArgumentError(
                    f"index {idx} of a dataset with {len(self)} samples",
                    why="absolute value of index should not exceed dataset length",
                )
            idx += len(self)
        if idx >= len(self):
            raise IndexRangeError(f"index {idx} of a dataset with {len(self)} samples")
        number = bisect.bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[number - 1] if number else 0
        return self.datasets[number][idx - start]


class ChainDataset(IterableDataset[Any]):
    """Several streams one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise ArgumentError(
                    f"ChainDataset over a {type(dataset).__name__}",
                    why="ChainDataset only supports IterableDataset",
                    fix="ConcatDataset(datasets)",
                )
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset[T_co]):
    """The samples of a dataset at chosen indices, in the order of those.

    Example:
        >>> import lampion as torch
        >>> subset = torch.utils.data.Subset("abcd", [3, 1])
        >>> subset[0], len(subset)
        ('d', 2)
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        cls = type(self)
        if (cls.__getitem__ is not Subset.__getitem__
                and cls.__getitems__ is Subset.__getitems__):
            raise UnsupportedError(
                f"{cls.__name__} overrides __getitem__ but not __getitems__",
                why="a DataLoader reads whole batches through __getitems__",
                fix="def __getitems__(self, indices): return [self[index] for index in indices]",
            )
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> T_co:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        chosen = [self.indices[index] for index in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)
        return [self.dataset[index] for index in chosen]

    def __len__(self) -> int:
        return len(self.indices)


def whole_batch(dataset: Any) -> Batch | None:
    """Return a function that reads a collated batch at once, if the dataset allows it.

    It does when it is a `TensorDataset`, or a `Subset` of one; a class that changes how samples
    are read is left to the general way.
    """
    cls = type(dataset)
    if isinstance(dataset, TensorDataset):
        plain = cls.__getitem__ is TensorDataset.__getitem__ and not hasattr(cls, "__getitems__")
        return dataset.batch if plain else None
    if isinstance(dataset, Subset) and cls.__getitems__ is Subset.__getitems__:
        read = whole_batch(dataset.dataset)
        if read is not None:
            return lambda indices: read([dataset.indices[index] for index in indices])
    return None


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[Any]]:
    """Split a dataset by chance into parts that do not overlap.

    Args:
        dataset: anything with a length and an index.
        lengths: sizes that add up to the length, or fractions that add up to 1. What rounding
            down of the fractions leaves over goes to the first parts, one each.
        generator: where the permutation comes from; the default one when not given.

    Raises:
        ArgumentError: the lengths do not add up, or a fraction lies outside 0 to 1.

    Example:
        >>> import lampion as torch
        >>> [len(part) for part in torch.utils.data.random_split(range(10), [0.75, 0.25])]
        [8, 2]
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _lengths_of_fractions(total, lengths)
    if sum(lengths) != total:
        raise ArgumentError(
            f"random_split of {total} samples into {list(lengths)}, {sum(lengths)} in all",
            why="the sum of the lengths must equal the length of the dataset, or fractions be 1",
            fix="random_split(data, [0.8, 0.2])",
        )
    indices = randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, indices[int(end - length):int(end)])
            for end, length in zip(ends, lengths, strict=True)]


def _lengths_of_fractions(total: int, fractions: Sequence[float]) -> list[int]:
    for index, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ArgumentError(f"Fraction at index {index} is {fraction}, not between 0 and 1")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for extra in range(total - sum(lengths)):
        lengths[extra % len(lengths)] += 1
    for index, length in enumerate(lengths):
        if length == 0:
            warnings.warn(
                f"Length of split at index {index} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return lengths
