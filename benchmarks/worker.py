"""Run one case with one library in this process, and print what was measured as JSON.

    python benchmarks/worker.py lampion lenet5 --seconds 2 --started TIME

`run.py` starts one of these for each measurement, so that no library disturbs another.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import sys
import time
import traceback
import warnings
from typing import Any


def peak() -> float:
    """Return the largest memory this process has had, in MiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def build(torch: Any, options: argparse.Namespace) -> Any:
    """Build the program with its weights."""
    # After the library: what the cases import themselves is not part of its import.
    cases = importlib.import_module("cases")
    torch.manual_seed(0)
    setting = cases.Setting(exact=options.check > 0)
    program = cases.CASES[options.case].build(torch, setting)
    cases.set_weights(torch, program.modules)
    if options.compile:
        for module in program.modules:
            module.compile()
    return program


def timed(step: Any, seconds: float, steps: int | None, busy: bool) -> list[float]:
    """Return the seconds of each step, after a warm-up of a quarter of the time."""
    begin = time.perf_counter()
    first = 0
    while first < 3 or (time.perf_counter() - begin < seconds / 4 and first < 500):
        step()
        first += 1
    single = (time.perf_counter() - begin) / first
    clock = time.thread_time if busy else time.perf_counter
    count = steps or max(5, min(5000, int(seconds / single)))
    times = []
    for _ in range(count):
        start = clock()
        step()
        times.append(clock() - start)
    return times


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Import the library, build the case and run it."""
    start = time.perf_counter()
    torch = importlib.import_module(options.library)
    imported = time.perf_counter() - start
    if options.threads:
        torch.set_num_threads(options.threads)
    importlib.import_module("numpy")
    before = peak()
    program = build(torch, options)
    if options.check:
        return {"losses": [program.step() for _ in range(options.check)]}
    program.step()
    finished = time.time() - options.started if options.started else None
    times = timed(program.step, options.seconds, options.steps, options.busy)
    return {
        "median": statistics.median(times), "fastest": min(times), "steps": len(times),
        "import": imported, "first": finished, "memory": peak() - before, "peak": peak(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=("lampion", "torch"))
    parser.add_argument("case")
    parser.add_argument("--threads", type=int, help="how many the library may use")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to time steps")
    parser.add_argument("--steps", type=int, help="how many steps to time instead")
    parser.add_argument("--busy", action="store_true",
                        help="time what this thread gets of the processor, not the clock")
    parser.add_argument("--check", type=int, default=0, help="only print the losses of N steps")
    parser.add_argument("--compile", action="store_true", help="torch.compile the modules")
    parser.add_argument("--started", type=float, help="time.time() when this process was started")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        result = measure(options)
    except Exception as error:  # a case that a library cannot run is told, not a crash
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
