"""Workers as processes, for datasets whose Python code keeps the threads from running at once.

Each process has a thread beside it (`worker.Workers`), which hands it tasks and waits for batches.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lampion.data.reading import Reader
from lampion.data.worker import WorkerInfo, be_worker
from lampion.errors import StateError
from lampion.threads import set_num_threads

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

BEGIN = "begin"  # a new pass over the dataset


class WorkerProcess:
    """A process that reads batches.

    Args:
        context: how it is started: a context of multiprocessing.
        info: its number, seed and dataset.
        init_fn: called as `init_fn(worker_id)` at its start.
        reader: how tasks are read.
    """

    def __init__(self, context: Any, info: WorkerInfo, init_fn: Callable[[int], Any] | None,
                 reader: Reader) -> None:
        self.number = info.id
        self._here, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(there, info, init_fn, reader), daemon=True,
            name=f"lampion-data-{info.id}")
        self._process.start()
        there.close()

    def begin(self) -> None:
        """Start a new pass over the dataset."""
        self._send((BEGIN, None))

    def read(self, task: Any) -> Any:
        """Return the batch of a task.

        Raises:
            StateError: the process has ended.
        """
        self._send(("read", task))
        try:
            batch, error, text = self._here.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if error is None:
            return batch
        error.add_note(f"  in DataLoader worker process {self.number}, where the call was\n{text}")
        raise error

    def _send(self, message: Any) -> None:
        try:
            self._here.send(message)
        except (BrokenPipeError, ConnectionResetError, OSError):
            raise self._ended() from None

    def _ended(self) -> StateError:
        self._process.join(1)
        return StateError(
            f"DataLoader worker process {self.number} (pid {self._process.pid}) exited "
            f"unexpectedly with exit code {self._process.exitcode}",
            why="it was ended from outside, or by an error that Python cannot catch",
            fix="num_workers=0 shows such an error in the main program")

    def close(self) -> None:
        """Let the process end."""
        self._here.close()
        self._process.join(1)


def _serve(there: Connection, info: WorkerInfo, init_fn: Callable[[int], Any] | None,
           reader: Reader) -> None:
    """Read what is asked for until nobody asks any more: the life of a worker process."""
    set_num_threads(1)
    random.seed(info.seed)
    np.random.seed(info.seed % 2**32)
    be_worker(info)
    failure: tuple[Any, Any, str] | None = None
    fetch: Any = None
    try:
        if init_fn is not None:
            init_fn(info.id)
    except Exception as error:
        failure = _failed(error)
    while True:
        try:
            kind, task = there.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return
        if kind == BEGIN:
            fetch = None
            continue
        try:
            if fetch is None:
                fetch = reader.fetch(info.dataset)
            answer = failure or (fetch(task), None, "")
        except KeyboardInterrupt:
            return
        except Exception as error:
            answer = _failed(error)
        try:
            there.send(answer)
        except (BrokenPipeError, OSError):
            return
        except Exception as error:  # the batch, or the error, cannot be pickled
            there.send(_failed(StateError(
                f"what worker process {info.id} read cannot be sent: {error}",
                why="batches go from process to process by pickle",
                fix="a collate_fn that returns tensors, or threads (no multiprocessing_context)")))


def _failed(error: Exception) -> tuple[Any, Any, str]:
    text = "".join(traceback.format_exception(error)).rstrip()
    return None, error, "\n".join(f"    {line}" for line in text.splitlines())
