"""PyTorch's own test inventory against lampion: `python -m tests.parity`.

    python -m tests.parity                          everything, as a table
    python -m tests.parity --only linalg --jobs 2   entries whose name contains "linalg"
    python -m tests.parity --report parity.txt      the table goes into a file as well

Needs PyTorch, and the repository as the working directory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

try:
    import torch
except ImportError:
    sys.exit("parity: PyTorch is not installed here, and it is what lampion is compared with:\n"
             "        python -m pip install torch==2.13.0")

from . import inventory, modules, operators, optimizers
from .known import KNOWN
from .outcome import ABSENT, FAILED, OUTSIDE, PASSED, Outcome, one_line

LISTS = {"op_db": inventory.operators, "module_db": inventory.modules,
         "optim_db": inventory.optimizers}
SECONDS_FOR_ONE = 90


class TooLong(Exception):
    """An entry did not end in time."""


def _alarm(signum: int, frame: Any) -> None:
    raise TooLong(f"no end after {SECONDS_FOR_ONE} s")


def _examine(task: tuple[str, str, int]) -> tuple[str, Outcome]:
    kind, name, limit = task
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(SECONDS_FOR_ONE)
    try:
        if kind == "op_db":
            return kind, operators.examine(name, inventory.operators()[name], limit)
        if kind == "module_db":
            return kind, modules.examine(name, inventory.modules()[name])
        return kind, optimizers.examine(name, inventory.optimizers()[name])
    except Exception as error:
        return kind, Outcome(name, FAILED, one_line(error))
    finally:
        signal.alarm(0)


def _tasks(only: list[str], kinds: list[str], limit: int) -> list[tuple[str, str, int]]:
    found = []
    for kind in kinds:
        for name in LISTS[kind]():
            if not only or any(part in name for part in only):
                found.append((kind, name, limit))
    return found


def _work(tasks: list[tuple[str, str, int]], pipe: Any) -> None:
    for task in tasks:
        pipe.send(_examine(task))
    pipe.close()


def _survive(tasks: list[tuple[str, str, int]], show: bool) -> list[tuple[str, Outcome]]:
    """Run tasks in a process of their own; an entry that ends it has failed, and no other one."""
    fork = multiprocessing.get_context("fork")
    found: list[tuple[str, Outcome]] = []
    while len(found) < len(tasks):
        ours, theirs = fork.Pipe(duplex=False)
        process = fork.Process(target=_work, args=(tasks[len(found):], theirs))
        process.start()
        theirs.close()
        try:
            while len(found) < len(tasks):
                found.append(ours.recv())
                if show:
                    print(f"\r{len(found)} of {len(tasks)}", end="", file=sys.stderr, flush=True)
        except EOFError:
            process.join()
            kind, name, _ = tasks[len(found)]
            found.append((kind, Outcome(name, FAILED, f"the process ended: {process.exitcode}")))
        process.join()
        ours.close()
    return found


def _run(tasks: list[tuple[str, str, int]], jobs: int) -> list[tuple[str, Outcome]]:
    if jobs < 2:
        return _survive(tasks, sys.stderr.isatty())
    shares = [tasks[k::jobs] for k in range(jobs)]
    with ThreadPoolExecutor(jobs) as threads:
        parts = list(threads.map(lambda k: _survive(shares[k], not k and sys.stderr.isatty()),
                                 range(jobs)))
    return [parts[k % jobs][k // jobs] for k in range(len(tasks))]


def _table(found: list[tuple[str, Outcome]]) -> str:
    lines = []
    for kind in LISTS:
        outcomes = [o for k, o in found if k == kind]
        if not outcomes:
            continue
        inside = [o for o in outcomes if o.status != OUTSIDE]
        counts = {s: sum(o.status == s for o in outcomes)
                  for s in (PASSED, FAILED, ABSENT, OUTSIDE)}
        share = 100 * counts[PASSED] / max(1, len(inside))
        lines.append(
            f"{kind}: {counts[PASSED]} of {len(inside)} entries pass ({share:.1f} %); "
            f"{counts[FAILED]} fail, {counts[ABSENT]} are absent; "
            f"{counts[OUTSIDE]} of {len(outcomes)} are outside the scope")
        right, tried = sum(o.right for o in inside), sum(o.tried for o in inside)
        lines.append(f"  {right} of {tried} single comparisons agree "
                     f"({100 * right / max(1, tried):.2f} %)")
        for status in (FAILED, ABSENT, OUTSIDE):
            for o in outcomes:
                if o.status == status:
                    part = f" {o.right}/{o.tried}" if o.tried else ""
                    lines.append(f"  {status:8}{o.name}{part}  {o.reason}")
                    if o.name in KNOWN and status != OUTSIDE:
                        lines.append(f"           known: {KNOWN[o.name]}")
    return "\n".join(lines)


def main() -> None:
    """Run the chosen entries and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity")
    parser.add_argument("--only", nargs="*", default=[], help="parts of the entries' names")
    parser.add_argument("--list", nargs="*", default=list(LISTS), choices=list(LISTS),
                        help="which lists")
    parser.add_argument("--samples", type=int, default=60,
                        help="samples of each operator and element type (default 60)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--report", type=Path, help="a file for the table")
    chosen = parser.parse_args()
    start = time.monotonic()
    text = _table(_run(_tasks(chosen.only, chosen.list, chosen.samples), chosen.jobs))
    print(text)
    print(f"PyTorch {torch.__version__}, {time.monotonic() - start:.0f} s")
    if chosen.report:
        chosen.report.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
