"""Workers: threads that read batches ahead of the training loop.

Threads, not processes: NumPy, image decoders and file reading let other threads run while they
work, samples need no copying from process to process, and a lambda or an open file in a dataset
is no trouble. Each worker has its own queue and gets every n-th batch, so which worker reads
what does not depend on timing.
"""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from lampion.functions.random import give_thread_its_own_generator

Job = tuple[Callable[[Any], Any], "Future[Any]"]


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows about itself.

    Attributes:
        id: number of the worker, from 0.
        num_workers: how many there are.
        seed: differs between workers and epochs; follows the generator of the loader.
        dataset: this worker's own (shallow) copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_here = threading.local()


def be_worker(info: WorkerInfo) -> None:
    """Make this thread a worker: it knows who it is, and what it draws follows its seed."""
    _here.info = info
    give_thread_its_own_generator(info.seed)


def get_worker_info() -> WorkerInfo | None:
    """Return the `WorkerInfo` of the worker this is called in, None in the main program."""
    return getattr(_here, "info", None)


class Workers:
    """Threads that run jobs, each with its own copy of the dataset.

    Args:
        count: number of threads, 1 or more.
        dataset: copied once for every thread.
        init_fn: called as `init_fn(worker_id)` in every thread before its first job.
        seed: worker i gets `seed + i`.
        after: called as `after(worker_id)` when a thread ends.
    """

    def __init__(
        self, count: int, dataset: Any, init_fn: Callable[[int], Any] | None, seed: int,
        after: Callable[[int], Any] | None = None,
    ) -> None:
        self.queues: list[queue.SimpleQueue[Job | None]] = []
        for number in range(count):
            jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
            info = WorkerInfo(number, count, seed + number, _own_copy(dataset))
            # A daemon: a read that never returns must not keep the program from ending. It
            # knows its queue only, so these Workers can be collected while it waits.
            threading.Thread(
                target=_work, args=(jobs, info, init_fn, after), daemon=True,
                name=f"lampion-data-{number}",
            ).start()
            self.queues.append(jobs)

    def submit(self, number: int, job: Callable[[Any], Any]) -> Future[Any]:
        """Queue `job(dataset)` for one worker."""
        future: Future[Any] = Future()
        self.queues[number].put((job, future))
        return future

    def stop(self) -> None:
        """Let every thread end after the jobs it has; cancelled ones are passed over."""
        for jobs in self.queues:
            jobs.put(None)

    def __del__(self) -> None:
        self.stop()


def _own_copy(dataset: Any) -> Any:
    """Copy a dataset so that a worker can set its attributes; what they hold is shared."""
    try:
        return copy.copy(dataset)
    except TypeError:  # it holds something that cannot be copied: share it
        return dataset


def _work(
    jobs: queue.SimpleQueue[Job | None], info: WorkerInfo, init_fn: Callable[[int], Any] | None,
    after: Callable[[int], Any] | None,
) -> None:
    be_worker(info)  # the main program's sequence of random numbers goes on untouched
    failure: BaseException | None = None
    try:
        if init_fn is not None:
            init_fn(info.id)
    except BaseException as error:  # handed to whoever waits for a job
        failure = error
    while (entry := jobs.get()) is not None:
        job, future = entry
        if not future.set_running_or_notify_cancel():
            continue
        try:
            if failure is not None:
                raise failure
            result = job(info.dataset)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        result = None
        del job, future, entry  # while waiting, keep no batch alive
    if after is not None:
        after(info.id)
