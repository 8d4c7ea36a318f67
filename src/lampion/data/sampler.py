"""Samplers: in which order a dataset is read, and how indices are grouped into batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from lampion import dtypes
from lampion.errors import ArgumentError, ArgumentTypeError, StateError, UnsupportedError
from lampion.functions.creation import as_tensor
from lampion.functions.random import Generator, multinomial, randint, randperm

T_co = TypeVar("T_co", covariant=True)
LARGEST_SEED = 2**63 - 1


def draw_seed(generator: Generator | None = None) -> int:
    """Draw a seed from `generator`, or from the default one."""
    return int(randint(0, LARGEST_SEED, (1,), generator=generator).item())


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ArgumentError(
            f"{name}={value!r}", why=f"{name} should be a positive integer value",
            fix=f"{name}=32",
        )


class Sampler(Generic[T_co]):
    """An order of indices: defines `__iter__`, and `__len__` where the length is known.

    Example:
        >>> import lampion as torch
        >>> class Backwards(torch.utils.data.Sampler):
        ...     def __iter__(self):
        ...         return iter([2, 1, 0])
        >>> loader = torch.utils.data.DataLoader("abc", batch_size=3, sampler=Backwards())
        >>> list(loader)
        [['c', 'b', 'a']]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise UnsupportedError(f"{type(self).__name__} has no __iter__")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... up to the length of the data."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order.

    Args:
        data_source: what is sampled from.
        replacement: draw each index afresh, so that one may come again.
        num_samples: how many to draw, 1 or more; the length of the data when not given.
        generator: where chance comes from; a new one seeded by the default one when not given.

    Example:
        >>> import lampion as torch
        >>> sorted(torch.utils.data.RandomSampler(range(4)))
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise ArgumentTypeError(f"replacement={replacement!r}", why="it should be a boolean")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ArgumentError(
                f"num_samples={self.num_samples}",
                why="num_samples should be a positive integer value; an empty dataset gives 0",
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives; follows the data when that grows."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        generator = self.generator
        if generator is None:
            generator = Generator()
            generator.manual_seed(draw_seed())
        size, wanted = len(self.data_source), self.num_samples
        while wanted > 0:
            if self.replacement:
                drawn = randint(0, size, (wanted,), generator=generator).tolist()
            else:
                drawn = randperm(size, generator=generator).tolist()[:wanted]
            yield from drawn
            wanted -= len(drawn)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, each once."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for position in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given weights, which need not add up to one.

    Args:
        weights: one number per sample, 0 or more.
        num_samples: how many to draw, 1 or more.
        replacement: whether an index may come again.
        generator: where chance comes from; the default one when not given.

    Example:
        >>> import lampion as torch
        >>> list(torch.utils.data.WeightedRandomSampler([0, 1, 0], 3))
        [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_count("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ArgumentError(f"replacement={replacement!r}", why="it should be a boolean value")
        self.weights = as_tensor(weights, dtype=dtypes.float64)
        if self.weights.dim() != 1:
            raise ArgumentError(
                f"weights of shape {tuple(self.weights.shape)}",
                why="weights should be a 1d sequence",
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        ).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices of another sampler.

    Args:
        sampler: any iterable of indices.
        batch_size: indices in a list, 1 or more.
        drop_last: leave out a last list that is not full.

    Example:
        >>> import lampion as torch
        >>> list(torch.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_count("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ArgumentError(f"drop_last={drop_last!r}", why="it should be a boolean value")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


class DistributedSampler(Sampler[int]):
    """The share of the indices that one of several processes reads.

    Every process gets the same number: indices are repeated from the beginning to fill up, or
    left out at the end with `drop_last`.

    Args:
        dataset: what is sampled from.
        num_replicas: number of processes.
        rank: number of this process, from 0.
        shuffle: a new random order in every epoch told to `set_epoch`.
        seed: the same in all processes.
        drop_last: leave out what does not divide.

    Raises:
        StateError: `num_replicas` or `rank` is not given; there is no process group to ask.
        ArgumentError: a rank outside 0 to num_replicas - 1.

    Example:
        >>> from lampion.utils.data.distributed import DistributedSampler
        >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise StateError(
                "DistributedSampler without num_replicas and rank",
                why="it requires a process group to ask, and lampion runs in one process",
                fix="DistributedSampler(dataset, num_replicas=1, rank=0)",
            )
        if not 0 <= rank < num_replicas:
            raise ArgumentError(f"Invalid rank {rank}",
                                why=f"rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0
        size = len(dataset)
        self.num_samples = size // num_replicas if drop_last else -(-size // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        indices = list(range(size))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = randperm(size, generator=generator).tolist()
        while indices and len(indices) < self.total_size:
            indices += indices[:self.total_size - len(indices)]
        return iter(indices[self.rank:self.total_size:self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the random order of an epoch; to be called before each, in every process."""
        self.epoch = epoch
