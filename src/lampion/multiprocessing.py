"""`torch.multiprocessing`: Python's own, and `spawn`. Tensors travel as copies."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing import (
    Barrier,
    Event,
    Lock,
    Manager,
    Pipe,
    Pool,
    Process,
    Queue,
    Semaphore,
    SimpleQueue,
    Value,
    cpu_count,
    current_process,
    freeze_support,
    get_all_start_methods,
    get_context,
    get_start_method,
    set_start_method,
)
from typing import Any

from lampion.errors import ArgumentError, StateError

__all__ = [
    "Barrier", "Event", "Lock", "Manager", "Pipe", "Pool", "Process", "Queue", "Semaphore",
    "SimpleQueue", "SpawnContext", "Value", "cpu_count", "current_process", "freeze_support",
    "get_all_sharing_strategies", "get_all_start_methods", "get_context", "get_sharing_strategy",
    "get_start_method", "set_sharing_strategy", "set_start_method", "spawn",
]


def get_all_sharing_strategies() -> set[str]:
    """Return the ways in which processes share tensors: none, they are copied."""
    return {"file_system"}


def get_sharing_strategy() -> str:
    """Return "file_system"; see `set_sharing_strategy`."""
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """Accept "file_system" or "file_descriptor": tensors are copied either way."""
    if new_strategy not in ("file_system", "file_descriptor"):
        raise ArgumentError(f"set_sharing_strategy: {new_strategy!r}", fix='"file_system"')


class SpawnContext:
    """The processes that `spawn(join=False)` started.

    Args:
        processes: they.
    """

    def __init__(self, processes: list[Any]):
        self.processes = processes

    def pids(self) -> list[int]:
        """Return the processes' numbers."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for all; False where some still run after `timeout` seconds.

        Raises:
            StateError: one of them ended with an error; the others are stopped.
        """
        for process in self.processes:
            process.join(timeout)
        for k, process in enumerate(self.processes):
            if process.exitcode:
                for other in self.processes:
                    other.terminate()
                raise StateError(f"process {k} terminated with exit code {process.exitcode}",
                                 why="its own error stands above, on the error stream")
        return all(process.exitcode is not None for process in self.processes)


def spawn(fn: Callable[..., Any], args: tuple = (), nprocs: int = 1, join: bool = True,
          daemon: bool = False, start_method: str = "spawn") -> SpawnContext | None:
    """Call `fn(k, *args)` in nprocs processes, with k from 0 on.

    Args:
        fn: a function of a module.
        nprocs: how many processes.
        join: wait for all of them.
        daemon: they end with this process.
        start_method: "spawn", "fork" or "forkserver".

    Raises:
        StateError: one of them ended with an error.
    """
    context = multiprocessing.get_context(start_method)
    processes = []
    for k in range(nprocs):
        process = context.Process(target=fn, args=(k, *args), daemon=daemon)  # type: ignore[attr-defined]
        process.start()
        processes.append(process)
    started = SpawnContext(processes)
    if not join:
        return started
    started.join()
    return None
