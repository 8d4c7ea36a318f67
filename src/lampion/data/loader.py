"""DataLoader: batches of a dataset, read ahead by workers, always in the same order."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Generic, TypeVar

from lampion.data.collate import default_collate, default_convert
from lampion.data.dataset import IterableDataset
from lampion.data.process import WorkerProcess
from lampion.data.reading import Ended, Fetch, Reader
from lampion.data.sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed
from lampion.data.worker import WorkerInfo, Workers
from lampion.errors import ArgumentError, StateError
from lampion.functions.random import Generator

T_co = TypeVar("T_co", covariant=True)


class Fixed:
    """An attribute that is set once, because the loader's samplers are built from it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, loader: Any, owner: type | None = None) -> Any:
        return self if loader is None else loader.__dict__[self.name]

    def __set__(self, loader: Any, value: Any) -> None:
        if self.name in loader.__dict__:
            raise ArgumentError(
                f"setting {self.name} of a DataLoader",
                why=f"{self.name} attribute should not be set after DataLoader is initialized",
                fix="a new DataLoader",
            )
        loader.__dict__[self.name] = value


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches.

    The batches and their order are the same for any number of workers.

    Args:
        dataset: a map-style dataset (index and length) or an `IterableDataset`.
        batch_size: samples in a batch, 1 or more; None gives the samples one by one.
        shuffle: a new random order in every epoch.
        sampler: order of the indices; instead of `shuffle`.
        batch_sampler: lists of indices; instead of batch_size, shuffle, sampler, drop_last.
        num_workers: threads (or processes, see multiprocessing_context) that read ahead; 0 reads
            in the main program when asked.
        collate_fn: makes a batch from a list of samples.
        pin_memory, pin_memory_device: accepted and without effect, there is no other memory.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a worker's batch; 0 waits forever.
        worker_init_fn: called as `worker_init_fn(worker_id)` in every worker at its start.
        multiprocessing_context: makes workers processes: "fork", "spawn", "forkserver" or a
            context of multiprocessing. Worth it where reading a sample is much Python and little
            decoding or NumPy; batches are copied from process to process.
        generator: where chance comes from; the default generator when not given.
        prefetch_factor: batches read ahead per worker, 1 or more (default 2).
        persistent_workers: keep the workers, with their datasets, from epoch to epoch.
        in_order: accepted; batches always come in order.

    Raises:
        ArgumentError: arguments outside their range, or that exclude each other.

    Example:
        >>> import lampion as torch
        >>> data = torch.utils.data.TensorDataset(torch.arange(5), torch.arange(5) * 10)
        >>> for x, y in torch.utils.data.DataLoader(data, batch_size=2):
        ...     print(x.tolist(), y.tolist())
        [0, 1] [0, 10]
        [2, 3] [20, 30]
        [4] [40]
    """

    dataset = Fixed()
    batch_size = Fixed()
    sampler = Fixed()
    batch_sampler = Fixed()
    drop_last = Fixed()
    persistent_workers = Fixed()

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers,
                       multiprocessing_context)
        streams = isinstance(dataset, IterableDataset)
        if streams:
            _check_stream(shuffle, sampler, batch_sampler)
        _check_batching(batch_size, bool(shuffle), sampler, batch_sampler, drop_last)
        if sampler is None and not streams:
            sampler = (RandomSampler(dataset, generator=generator) if shuffle
                       else SequentialSampler(dataset))
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        elif batch_size is not None:
            indices = itertools.repeat(None) if sampler is None else sampler
            batch_sampler = BatchSampler(indices, batch_size, drop_last)  # type: ignore[arg-type]
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.generator, self.pin_memory = generator, pin_memory
        self.pin_memory_device, self.in_order = pin_memory_device, in_order
        self.multiprocessing_context = _context(multiprocessing_context)
        self.prefetch_factor = prefetch_factor or (2 if num_workers else None)
        self.persistent_workers = persistent_workers
        self.collate_fn = collate_fn or (
            default_convert if batch_sampler is None else default_collate)
        self._workers: Workers | None = None  # those that persist
        self._processes: list[WorkerProcess] = []  # those last started
        self._promised: int | None = None  # what len() said about a stream

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        length = self._promised = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0 and self.timeout != 0:
            raise ArgumentError(
                f"timeout={self.timeout} with num_workers=0",
                why="without workers there is nobody to wait for", fix="num_workers=1",
            )
        batches = self._read_here() if self.num_workers == 0 else self._read_ahead()
        return self._counted(batches) if isinstance(self.dataset, IterableDataset) else batches

    def _counted(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Warn when a stream gives more than its length promised."""
        for count, batch in enumerate(batches, 1):
            if self._promised is not None and count > self._promised:
                warnings.warn(
                    f"Length of IterableDataset {self.dataset} was reported to be "
                    f"{self._promised} (when accessing len(dataloader)), but {count} samples "
                    "have been fetched. With several workers each must read its own share, "
                    "see get_worker_info().",
                    stacklevel=2,
                )
            yield batch

    # -- Reading ----------------------------------------------------------------------------------

    def _tasks(self) -> Iterator[Any]:
        """Give what is to be read: an index, a list of indices, or for a stream its batch size."""
        if not isinstance(self.dataset, IterableDataset):
            return iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        return itertools.repeat(self.batch_size)

    def _reader(self) -> Reader:
        return Reader(self.collate_fn, self.drop_last, self.batch_sampler is not None)

    def _read_here(self) -> Iterator[Any]:
        tasks = self._tasks()
        draw_seed(self.generator)  # as with workers, so that chance goes on in the same way
        fetch = self._reader().fetch(self.dataset)
        for task in tasks:
            batch = fetch(task)
            if batch is Ended:
                return
            yield batch

    def _read_ahead(self) -> Iterator[Any]:
        tasks = self._tasks()
        workers = self._started_workers(draw_seed(self.generator))
        reader = self._reader()
        fetches: dict[int, Fetch] = {}  # each worker makes its own, and alone uses it
        active = deque(range(self.num_workers))
        pending: deque[tuple[int, Future[Any]]] = deque()

        def send() -> None:
            for task in itertools.islice(tasks, 1):
                pending.append((active[0], workers.submit(
                    active[0], self._job(reader, fetches, active[0], task))))
                active.rotate(-1)

        try:
            for _ in range((self.prefetch_factor or 2) * self.num_workers):
                send()
            while pending:
                number, future = pending.popleft()
                batch = self._result(number, future)
                if batch is not Ended:
                    send()
                    yield batch
                elif number in active:
                    active.remove(number)
                if not active and not pending:
                    return
                if batch is Ended and active:
                    send()
        finally:  # also when the loop over the batches is left early
            for _, future in pending:
                future.cancel()
            if not self.persistent_workers:
                workers.stop()

    def _job(self, reader: Reader, fetches: dict[int, Fetch], number: int, task: Any,
             ) -> Callable[[Any], Any]:
        processes = self._processes

        def job(dataset: Any) -> Any:
            if number not in fetches:
                if processes:
                    processes[number].begin()
                    fetches[number] = processes[number].read
                else:
                    fetches[number] = reader.fetch(dataset)
            return fetches[number](task)

        return job

    def _started_workers(self, seed: int) -> Workers:
        if self._workers is not None:
            return self._workers
        if self.multiprocessing_context is None:
            workers = Workers(self.num_workers, self.dataset, self.worker_init_fn, seed)
        else:
            self._processes = processes = [
                WorkerProcess(self.multiprocessing_context,
                              WorkerInfo(number, self.num_workers, seed + number, self.dataset),
                              self.worker_init_fn, self._reader())
                for number in range(self.num_workers)]
            workers = Workers(self.num_workers, None, None, seed,
                              lambda number: processes[number].close())
        if self.persistent_workers:
            self._workers = workers
        return workers

    def _result(self, number: int, future: Future[Any]) -> Any:
        try:
            return future.result(self.timeout or None)
        except FutureTimeout:
            if future.done():  # the dataset's own TimeoutError
                raise
            raise StateError(
                f"DataLoader timed out after {self.timeout} seconds",
                why=f"worker {number} has not finished its batch",
                fix="a longer timeout, or fewer samples per batch",
            ) from None


def _context(wanted: Any) -> Any:
    """Return the context of multiprocessing that is meant."""
    if not isinstance(wanted, str):
        return wanted
    known = multiprocessing.get_all_start_methods()
    if wanted not in known:
        raise ArgumentError(
            f"multiprocessing_context={wanted!r}",
            why=f"multiprocessing_context option should specify a valid start method in {known}")
    return multiprocessing.get_context(wanted)


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool,
    multiprocessing_context: Any,
) -> None:
    if num_workers < 0:
        raise ArgumentError(f"num_workers={num_workers}", why="it should be non-negative",
                            fix="num_workers=0 to read in the main program")
    if timeout < 0:
        raise ArgumentError(f"timeout={timeout}", why="timeout option should be non-negative")
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ArgumentError(f"prefetch_factor={prefetch_factor}",
                            why="at least one batch per worker must be under way")
    needs = {
        "prefetch_factor": prefetch_factor is not None,
        "persistent_workers": persistent_workers,
        "multiprocessing_context": multiprocessing_context is not None,
    }
    for name, given in needs.items():
        if given and num_workers == 0:
            raise ArgumentError(f"{name} with num_workers=0", why=f"{name} needs num_workers > 0")


def _check_stream(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(
                f"DataLoader with IterableDataset: {name}={value!r}",
                why="a stream decides itself about its order", fix=f"leave out {name}",
            )


def _check_batching(
    batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    if sampler is not None and shuffle:
        raise ArgumentError("sampler together with shuffle=True",
                            why="sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ArgumentError(
                "batch_sampler together with other options",
                why="batch_sampler option is mutually exclusive with batch_size, shuffle, "
                "sampler, and drop_last",
            )
    elif batch_size is None and drop_last:
        raise ArgumentError(
            "batch_size=None together with drop_last=True",
            why="batch_size=None gives samples one by one, so no batch can be too small",
        )
