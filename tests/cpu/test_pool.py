"""Every job is done exactly once, whoever does it, whatever happens around."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import re
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lampion.cpu import jit, pool, pool_native, target
from lampion.threads import get_num_threads, set_num_threads

SOURCE = Path(__file__).resolve().parents[2] / "src"
PARKINGS = ["none"] if os.name != "posix" else (
    ["futex", "condition", "none"] if pool.PARKING == "futex" else ["condition", "none"])
WITH_WORKERS = [parking for parking in PARKINGS if parking != "none"]
needs_workers = pytest.mark.skipif(not WITH_WORKERS, reason="no threads on this system")

KERNEL = """
define void @{name}(ptr %args, i64 %begin, i64 %end) {{
entry:
  br label %job
job:
  %j = phi i64 [ %begin, %entry ], [ %k, %job ]
  {body}
  %k = add i64 %j, 1
  %more = icmp slt i64 %k, %end
  br i1 %more, label %job, label %done
done:
  ret void
}}
"""
# Adds 1 to the job's own place, without care for others who might do the same job.
COUNT = """
  %place = getelementptr i64, ptr %args, i64 %j
  %old = load i64, ptr %place
  %new = add i64 %old, 1
  store i64 %new, ptr %place
"""
# Writes half of the smallest normal number: a denormal, or 0 where those are flushed.
HALVE = """
  %x = load volatile float, ptr @smallest
  %y = fmul float %x, 5.0e-1
  %place = getelementptr float, ptr %args, i64 %j
  store float %y, ptr %place
"""
DAWDLE = "call void @dawdle(i64 500)"
HELPERS = """
@smallest = internal global float 0x3810000000000000

; Some microseconds.
define internal void @dawdle(i64 %times) {
entry:
  br label %wait
wait:
  %i = phi i64 [ 0, %entry ], [ %n, %wait ]
  %n = add i64 %i, 1
  fence seq_cst
  %again = icmp slt i64 %n, %times
  br i1 %again, label %wait, label %done
done:
  ret void
}

; Opens many regions, closer together than Python can.
define void @repeat(ptr %run, ptr %control, ptr %kernel, ptr %args, i64 %jobs, i64 %times) {
entry:
  br label %region
region:
  %i = phi i64 [ 0, %entry ], [ %k, %region ]
  call void %run(ptr %control, ptr %kernel, ptr %args, i64 %jobs)
  %k = add i64 %i, 1
  %more = icmp slt i64 %k, %times
  br i1 %more, label %region, label %done
done:
  ret void
}
"""
FLUSH = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)

define void @set_mode(i64 %mode) {
  %place = alloca i32
  %narrow = trunc i64 %mode to i32
  store i32 %narrow, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret void
}
define i64 @mode() {
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %mode = load i32, ptr %place
  %wide = zext i32 %mode to i64
  ret i64 %wide
}
"""


def kernels() -> str:
    return HELPERS + "".join(KERNEL.format(name=name, body=body) for name, body in (
        ("count", COUNT), ("slowly", DAWDLE + COUNT), ("halve", DAWDLE + HALVE)))


@pytest.fixture(scope="module")
def code():
    return jit.library("kernels of the tests of the pool", kernels)


@pytest.fixture(params=PARKINGS)
def workers(request):
    """A pool of its own, with every way to sleep that this system has."""
    made = pool.Pool(request.param)
    yield made
    made.close()


def repeat(workers: pool.Pool, code: jit.Library, kernel: str, counts: np.ndarray, jobs: int,
           times: int) -> None:
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64)
    prototype(code.address("repeat"))(
        workers.entry, workers.control, code.address(kernel), counts.ctypes.data, jobs, times)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_job_exactly_once(workers, code, threads):
    workers.resize(threads)
    draw = random.Random(threads)
    counts, expected = np.zeros(512, np.int64), np.zeros(512, np.int64)
    for _ in range(300):
        jobs = draw.choice((0, 1, 2, 3, 7, 16, 100, 500))
        times = draw.choice((1, 2, 30))
        repeat(workers, code, draw.choice(("count", "slowly")), counts, jobs, times)
        expected[:jobs] += times
        if draw.random() < 0.2:  # long enough to fall asleep, or nearly
            time.sleep(draw.choice((0.0, 1e-4, 2e-4, 1e-3)))
    np.testing.assert_array_equal(counts, expected)


def test_sizes_change_between_regions(workers, code):
    counts = np.zeros(64, np.int64)
    for number in range(60):
        workers.resize(1 + number % 4)
        repeat(workers, code, "slowly", counts, 64, 5)
    assert (counts == 300).all()


@needs_workers
def test_workers_do_work(code):
    """The regions are long and many: a pool that leaves all to the caller is found out."""
    workers = pool.Pool()
    workers.resize(2)
    me = threading.get_native_id()
    assert workers.threads == 2
    counts = np.zeros(4096, np.int64)
    before = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID), time.process_time()
    for _ in range(20):
        repeat(workers, code, "slowly", counts, 4096, 2)
    mine = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) - before[0]
    everyone = time.process_time() - before[1]
    workers.close()
    assert (counts == 40).all() and me == threading.get_native_id()
    assert everyone - mine > 0.1 * mine


def test_threads_of_python_do_not_disturb_each_other(code):
    """They all use the one pool of the process; whoever finds it taken works alone."""
    wrong = []

    def work() -> None:
        counts = np.zeros(200, np.int64)
        for _ in range(200):
            pool.run(code.address("slowly"), counts.ctypes.data, 200)
        if not (counts == 200).all():
            wrong.append(counts)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(30):
        pool.prepare().resize(1 + number % 3)
    for thread in threads:
        thread.join()
    assert not wrong


def test_set_num_threads_is_heard(code):
    before = get_num_threads()
    counts = np.zeros(32, np.int64)
    try:
        for threads in (3, 1, 2):
            set_num_threads(threads)
            pool.run(code.address("count"), counts.ctypes.data, 32)
            assert pool.prepare().threads == (threads if WITH_WORKERS else 1)
    finally:
        set_num_threads(before)
    assert (counts == 3).all()


@needs_workers
@pytest.mark.parametrize("parking", WITH_WORKERS)
def test_idle_workers_use_no_processor(code, parking):
    workers = pool.Pool(parking)
    workers.resize(3)
    counts = np.zeros(100, np.int64)
    repeat(workers, code, "slowly", counts, 100, 10)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    used = time.process_time() - before
    workers.close()
    assert used < 0.1


@needs_workers
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="x86 only")
def test_workers_round_as_the_caller_does():
    """Denormals are flushed to zero in all jobs or in none."""
    made = jit.library("kernels with a mode", lambda: kernels() + FLUSH)
    set_mode = ctypes.CFUNCTYPE(None, ctypes.c_int64)(made.address("set_mode"))
    mode = ctypes.CFUNCTYPE(ctypes.c_int64)(made.address("mode"))()
    workers = pool.Pool()
    workers.resize(3)
    results = np.ones(2000, np.float32)
    try:
        for flush in (True, False, True, False):
            results[:] = 1
            set_mode(mode | 0x8040 if flush else mode & ~0x8040)
            workers.run(made.address("halve"), results.ctypes.data, len(results))
            set_mode(mode)
            assert (results.view(np.int32) == (0 if flush else 1 << 22)).all()
    finally:
        set_mode(mode)
        workers.close()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.parametrize("parking", ["futex", "condition"])
def test_the_text_is_right_for_other_processors(machine, parking):
    """It can be compiled, where this LLVM has the processor; it runs on this one only."""
    if parking == "futex" and machine not in pool_native.FUTEX:
        pytest.skip("no futex there")
    binding = target.llvm()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    # llvmlite reads inline assembly only for the machine it runs on.
    text = re.sub(r"call void asm .*", "fence seq_cst", pool_native.text(machine, parking))
    text = re.sub(r"call i64 asm .*", "add i64 0, 0", text)
    module = binding.parse_assembly(text, binding.create_context())
    module.verify()
    try:
        chosen = binding.Target.from_triple(f"{machine}-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("LLVM was built without this processor")
    module.triple = f"{machine}-unknown-linux-gnu"
    machine_code = chosen.create_target_machine().emit_assembly(module)
    assert "pthread_create" in machine_code and "resize:" in machine_code


# Programs of their own: forks, exits, signals.

PROGRAM = """
import ctypes, os, signal, sys, threading, time
from pathlib import Path
import numpy as np
from lampion.cpu import jit, pool
from lampion.threads import set_num_threads, get_num_threads
set_num_threads(3)
code = jit.library("kernels of the tests of the pool", lambda: Path({kernels!r}).read_text())
slowly = code.address("slowly")

def work(times=20, jobs=300):
    counts = np.zeros(jobs, np.int64)
    for _ in range(times):
        pool.run(slowly, counts.ctypes.data, jobs)
    assert (counts == times).all(), counts

work()
"""


@pytest.fixture
def program(tmp_path):
    """Runs a program to its end; a pool with workers is there when it begins."""
    text = tmp_path / "kernels.ll"
    text.write_text(kernels())

    def execute(body: str, expect: int = 0) -> str:
        source = PROGRAM.format(kernels=str(text)) + textwrap.dedent(body)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source], capture_output=True, text=True,
            timeout=60, env={**os.environ, "PYTHONPATH": str(SOURCE)})
        assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    return execute


def test_exit_with_workers_awake(program):
    assert program("work(1)") == ""


def test_exit_with_workers_asleep(program):
    assert program("time.sleep(0.01)") == ""


def test_exit_while_a_thread_of_python_uses_the_pool(program):
    assert program("""
        threading.Thread(target=lambda: [work() for _ in range(10 ** 9)], daemon=True).start()
        time.sleep(0.1)
    """) == ""


def test_exit_by_an_exception(program):
    assert "ZeroDivisionError" in program("work(1); 1 / 0", expect=1)


def test_work_in_the_last_moments(program):
    """Functions that run at the exit, registered before and after the pool's own, and destructors.

    The destructors run when modules, NumPy among them, have lost their names.
    """
    assert program("""
        import array, atexit
        atexit.register(work)
        class Late:
            counts = array.array("q", bytes(800))
            def __del__(self, run=pool.run, kernel=slowly, place=counts.buffer_info()[0],
                        counts=counts, write=os.write, sum=sum):
                run(kernel, place, 100)
                write(1, b"%d " % sum(counts))
        early, sys.late = Late(), Late()
    """).split() == ["100", "200"]


@needs_workers
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork(program):
    """Children and grandchildren have workers of their own; nobody warns of threads."""
    out = program("""
        for depth in range(3):
            work(2)
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
                assert status == 0, status
                break
            work()
            assert pool.prepare().threads == 3
        work()
        print("done", flush=True)
        os._exit(0)
    """)
    assert out.split() == ["done"] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_while_another_thread_uses_the_pool(program):
    program("""
        import warnings
        warnings.simplefilter("ignore")  # of threads of Python: there is one, by intent
        stop = []
        def other():
            while not stop:
                work(3)
        thread = threading.Thread(target=other)
        thread.start()
        for _ in range(20):
            child = os.fork()
            if not child:
                work(2)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            work(1)
        stop.append(1)
        thread.join()
    """)


@needs_workers
def test_signals_go_to_python_and_may_use_the_pool(program):
    """A handler that runs kernels and changes the number of threads, anywhere in the loop."""
    assert program("""
        handled = []
        def handle(*_):
            handled.append(1)
            set_num_threads(1 + len(handled) % 3)
            work(1, 50)
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        while len(handled) < 100:
            work(2)
        signal.setitimer(signal.ITIMER_REAL, 0)
    """) == ""


@needs_workers
def test_interruptions_leave_the_pool_whole(program):
    assert program("""
        class Stop(Exception): pass
        def handle(*_):
            raise Stop
        signal.signal(signal.SIGALRM, handle)
        stops = 0
        while stops < 150:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                while True:
                    set_num_threads(1 + stops % 3)
                    pool.run(slowly, np.zeros(50, np.int64).ctypes.data, 50)
                    set_num_threads(3)
            except Stop:
                stops += 1
        set_num_threads(3)
        work()
        assert pool.prepare().threads == 3
    """) == ""


@needs_workers
def test_a_system_without_threads_to_give(program):
    """Fewer workers than asked for, and no error."""
    program("""
        import resource
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
        set_num_threads(200)
        work()
        assert 1 <= pool.prepare().threads < 200, pool.prepare().threads
    """)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity")
def test_affinity_is_respected(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
         " from lampion.threads import get_num_threads; print(get_num_threads())"],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": ""})
    assert done.stdout.strip() == "1", done.stderr
