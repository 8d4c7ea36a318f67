"""Threads that wait in native code for jobs: starting a kernel on all of them takes a microsecond.

    pool.run(address, args, jobs)      # returns when every job was done exactly once

Workers are threads of the operating system that never enter Python: they need no interpreter lock,
cannot raise, and a fork or the interpreter's exit ends them first. A worker waits by watching one
word of memory for about 150 microseconds, then sleeps in the kernel until it is woken.

A *region* is one call of `run`. The control block's epoch is odd while a region is open. Workers
and the caller take blocks of jobs from a shared counter until none is left; the caller then closes
the region and waits until no worker is inside. A worker may see the epoch late, so it first
announces itself (busy), then reads the epoch again, and only touches the region when that is odd.
The caller reads `busy` after closing: a worker that it does not see there did not see the region
open, and so has taken nothing.

One region at a time: a second thread of Python that calls `run` meanwhile, and any call after the
interpreter has begun to exit, does all jobs by itself. Results do not depend on who does a job, so
this can never be seen in the numbers.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from ..threads import available_threads, get_num_threads
from . import jit, pool_native

SPIN_SECONDS = 150e-6
# How long to wait for a region of another thread to end before a fork or the exit. Seconds.
STOP_PATIENCE = 2.0
# Signals belong to the interpreter's threads, except those that a fault raises in its own thread.
FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT")
MACHINE = platform.machine().lower()
if os.name != "posix":
    PARKING = "none"
else:
    has_futex = sys.platform == "linux" and MACHINE in pool_native.FUTEX
    PARKING = "futex" if has_futex else "condition"


def code(parking: str = PARKING) -> jit.Library:
    """Return the native side of pools."""
    return jit.library(f"pool {MACHINE} {parking}", lambda: pool_native.text(MACHINE, parking))


class Pool:
    """A control block and the workers that watch it.

    Attributes:
        threads: how many threads a region uses, the caller's included.
        asked: the number of threads that `resize` was last asked for.
        control: the address of the control block.
        entry: the address of `void run(ptr control, ptr function, ptr args, i64 jobs)`, for
            native programs.
    """

    def __init__(self, parking: str = PARKING):
        self.threads, self.asked = 1, 1
        self._parking = parking
        self._block = ctypes.create_string_buffer(pool_native.SIZE + 128)
        # Should a worker outlive the interpreter, its words must not be freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._block))
        self.control = (ctypes.addressof(self._block) + 127) // 128 * 128
        self._code = code(parking)
        self.entry = self._code.address("run")
        pointer, integer = ctypes.c_void_p, ctypes.c_int64
        self._run = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, integer)(self.entry)
        if parking != "none":
            self._resize = ctypes.CFUNCTYPE(integer, pointer, integer, integer)(
                self._code.address("resize"))
            self._ticks = ctypes.CFUNCTYPE(integer)(self._code.address("frequency"))()
            self.forget()

    def run(self, address: int, args: int, jobs: int) -> None:
        """Call `void function(ptr args, i64 begin, i64 end)` until jobs 0..jobs are done."""
        self._run(self.control, address, args, jobs)

    def resize(self, threads: int) -> None:
        """Let regions use this many threads from now on; quietly fewer where the system refuses.

        Nothing happens while another thread of Python uses the pool: the next call does it.
        """
        wanted = min(threads - 1, pool_native.MOST)
        if self._parking == "none":
            self.asked = threads
            return
        # Threads without a processor of their own must not keep one busy by waiting.
        spin = SPIN_SECONDS if threads <= available_threads() else 0.0
        # One native call ends and starts all: nothing can come between.
        with _without_signals():
            workers = self._resize(self.control, wanted, int(self._ticks * spin))
        if workers >= 0:
            self.threads, self.asked = workers + 1, threads
            self._name(workers)

    def close(self) -> None:
        """End the workers. The pool works on serially, until it is resized."""
        deadline = time.monotonic() + STOP_PATIENCE
        self.asked = 0
        while self.threads > 1 and self.asked != 1 and time.monotonic() < deadline:
            self.resize(1)
            if self.asked != 1:
                time.sleep(1e-4)

    def forget(self) -> None:
        """In the child of a fork: there are no workers, whatever the words of the parent say."""
        self.threads, self.asked = 1, 1
        if self._parking == "none":
            return
        if self._parking == "condition":
            process = ctypes.CDLL(None)
            for name in ("mutex", "cond"):
                place = self.control + 8 * pool_native.WORDS[name]
                ctypes.memset(place, 0, 128)
                getattr(process, f"pthread_{name}_init")(ctypes.c_void_p(place), None)
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._code.address("forget"))(self.control)

    def _name(self, workers: int) -> None:
        """Give the workers names, which `top -H` and debuggers show."""
        if sys.platform == "linux":
            name = ctypes.CDLL(None).pthread_setname_np
            handles = self.control + 8 * pool_native.WORDS["handles"]
            for number, handle in enumerate((ctypes.c_void_p * workers).from_address(handles)):
                name(ctypes.c_void_p(handle), f"lampion-{number + 1}".encode())


_state: dict[str, Any] = {"pool": None, "closed": False}
_creating = threading.Lock()


def run(address: int, args: int, jobs: int, *, _state: dict[str, Any] = _state) -> None:
    """Do jobs 0..jobs of a kernel on `lampion.get_num_threads()` threads.

    Args:
        address: a native `void kernel(ptr args, i64 begin, i64 end)`, which does jobs begin..end.
        args: the address of the kernel's table of arguments.
        jobs: the number of jobs, each worth some microseconds at least.
    """
    # `_state` is bound to the function: destructors may run when modules have lost their names.
    pool = _state["pool"] if _state["closed"] and _state["pool"] else prepare()
    pool.run(address, args, jobs)


def prepare() -> Pool:
    """Return the pool of this process, with as many workers as the user wants now."""
    pool = _state["pool"] or _create()
    if pool.asked != get_num_threads() and not _state["closed"]:
        pool.resize(get_num_threads())
    return pool


def _create() -> Pool:
    with _creating:
        if _state["pool"] is None:
            _state["pool"] = Pool()
        return _state["pool"]


@contextlib.contextmanager
def _without_signals() -> Iterator[None]:
    """Threads that are started inside get no signals: those are for the interpreter's threads."""
    faults = {getattr(signal, name) for name in FAULTS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _before_fork() -> None:
    if _state["pool"] is not None:
        _state["pool"].close()


def _after_fork_in_child() -> None:
    global _creating
    _creating = threading.Lock()
    if _state["pool"] is not None:
        _state["pool"].forget()


@atexit.register
def _at_exit() -> None:
    # Whatever runs later, destructors for instance, does its jobs by itself.
    _state["closed"] = True
    if _state["pool"] is not None:
        _state["pool"].close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
