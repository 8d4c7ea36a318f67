"""Run many random programs: `python -m tests.programs --count 100000 --seed 0 --jobs 2`.

Each distinct failure is reported once, as a script that runs alone. With `--state FILE` the work
done is remembered, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from contextlib import nullcontext
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import torch

from .check import Verdict, check
from .grow import grow_from_seed
from .minimise import minimise
from .observe import Raised
from .program import Program, script
from .templates import KINDS
from .wrong import mistaken

CHUNK = 250
SECONDS_FOR_ONE = 60


class TooLong(Exception):
    """A program did not end in time."""


def _alarm(signum: int, frame: Any) -> None:
    raise TooLong(f"no end after {SECONDS_FOR_ONE} s")


def _quiet() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)


def examine(program: Program, module: Any, mistake: str = "") -> Verdict:
    """Check one program under a time limit."""
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(SECONDS_FOR_ONE)
    try:
        return check(program, torch, module,
                     partial(mistaken, torch, mistake) if mistake else nullcontext)
    finally:
        signal.alarm(0)


def describe_failure(verdict: Verdict, module: Any, library: str, mistake: str) -> dict[str, Any]:
    """Minimise a failure and write it down."""
    assert verdict.difference is not None
    group = verdict.difference.group

    def fails(candidate: Program) -> bool:
        again = examine(candidate, module, mistake)
        return again.difference is not None and again.difference.group == group

    small = minimise(verdict.program, fails)
    final = examine(small, module, mistake)
    difference = final.difference or verdict.difference
    culprit = difference.kind or small.statements[-1].kind if small.statements else ""
    return {
        "what": group[0], "message": group[1], "culprit": culprit, "detail": difference.detail,
        "seed": verdict.program.seed, "statements": len(small),
        "script": script(small, final.raising(), library),
    }


Task = tuple[int, int, str, str]


def survive(task: Task) -> dict[str, Any]:
    """Run a chunk in a process of its own: a crash is a failure of one program, not the end."""
    start, stop, library, mistake = task
    context = multiprocessing.get_context("fork")
    current = context.Value("q", start)
    crashes: dict[str, dict[str, Any]] = {}
    while True:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(
            target=_send_chunk, args=(sender, (start, stop, library, mistake), current))
        process.start()
        sender.close()
        try:
            result = receiver.recv()
        except EOFError:
            result = None
        process.join()
        if result is not None:
            result["failures"].update(crashes)
            result["range"] = list(task[:2])
            return result
        crashes[f"crash {current.value}"] = failure_of_machinery(
            "crash", f"the process ended with code {process.exitcode}", current.value,
            f"see it with --print --count 1 --seed {current.value}")
        start = current.value + 1


def _send_chunk(sender: Any, task: Task, current: Any) -> None:
    sender.send(run_chunk(task, current))


def failure_of_machinery(what: str, message: str, seed: int, detail: str) -> dict[str, Any]:
    return {"what": what, "message": message, "culprit": "", "detail": detail, "seed": seed,
            "statements": 0, "script": "", "times": 1}


def run_chunk(task: Task, current: Any = None) -> dict[str, Any]:
    """Run the programs of a range of seeds.

    Args:
        task: first seed, end, library under test, mistake to make (wrong.py).
        current: shared number that tells which seed is being run.
    """
    start, stop, library, mistake = task
    _quiet()
    module = importlib.import_module(library)
    counts: dict[str, Counter[str]] = {
        "ran": Counter(), "raised": Counter(), "accepted": Counter(), "other": Counter()}
    failures: dict[str, dict[str, Any]] = {}
    for seed in range(start, stop):
        if current is not None:
            current.value = seed
        try:
            verdict = examine(grow_from_seed(seed, torch), module, mistake)
            _count(verdict, counts)
            if verdict.difference:
                key = " | ".join([*verdict.difference.group, verdict.difference.kind])
                if key in failures:
                    failures[key]["times"] += 1
                else:
                    failures[key] = describe_failure(verdict, module, library, mistake)
                    failures[key]["times"] = 1
        except Exception as error:
            failures[f"machinery: {error!r}"] = failure_of_machinery(
                "machinery", repr(error), seed, traceback.format_exc())
    return {"range": [start, stop], "failures": failures,
            "counts": {name: dict(counter) for name, counter in counts.items()}}


def _count(verdict: Verdict, counts: dict[str, Counter[str]]) -> None:
    for event in verdict.reference.events:
        name = "raised" if isinstance(event.outcome, Raised) else "ran"
        if event.outcome != "skipped":
            counts[name][event.statement.kind] += 1
    counts["accepted"].update(verdict.accepted)
    counts["other"].update({
        "programs": 1, "statements": len(verdict.program), "failing": bool(verdict.difference),
        "ill-conditioned": verdict.ill_conditioned,
        "skipped": sum(event.outcome == "skipped" for event in verdict.reference.events)})


class Report:
    """What is known after the chunks done so far; kept in a file where one is named."""

    def __init__(self, path: Path | None):
        self.path = path
        self.done: list[list[int]] = []
        self.failures: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("ran", "raised", "accepted", "other")}
        if path and path.exists():
            known = json.loads(path.read_text())
            self.done, self.failures = known["done"], known["failures"]
            self.counts = {name: Counter(items) for name, items in known["counts"].items()}

    def add(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        """Add a chunk's result; return the failures not seen before."""
        self.done.append(result["range"])
        for name, items in result["counts"].items():
            self.counts[name].update(items)
        new = []
        for failure in result["failures"].values():
            key = f"{failure['what']} | {failure['message']} | {failure['culprit']}"
            if key in self.failures:
                self.failures[key]["times"] += failure["times"]
            else:
                self.failures[key] = failure
                new.append(failure)
        self._save()
        return new

    def _save(self) -> None:
        if self.path:
            text = json.dumps({"done": self.done, "failures": self.failures, "counts": self.counts})
            temporary = self.path.with_suffix(".part")
            temporary.write_text(text)
            os.replace(temporary, self.path)

    def left(self, start: int, count: int) -> list[tuple[int, int]]:
        """Return the ranges of seeds that are still to do."""
        known = {tuple(pair) for pair in self.done}
        edges = range(start, start + count, CHUNK)
        pairs = [(edge, min(edge + CHUNK, start + count)) for edge in edges]
        return [pair for pair in pairs if pair not in known]

    def progress(self, begin: float) -> str:
        other = self.counts["other"]
        return (f"{other['programs']} programs, {other['failing']} failing in "
                f"{len(self.failures)} ways, {other['ill-conditioned']} ill-conditioned, "
                f"{time.monotonic() - begin:.0f} s")

    def coverage(self) -> str:
        """Write how often each kind of statement ran, and what never did."""
        ran, raised, other = self.counts["ran"], self.counts["raised"], self.counts["other"]
        total, failed = sum(ran.values()), sum(raised.values())
        rows = sorted(KINDS, key=lambda kind: ran[kind])
        table = [f"{ran[kind]:8d} {raised[kind]:8d}  {kind}" for kind in rows]
        return "\n".join([
            "     ran   raised  kind", *table,
            f"never ran: {sum(not ran[kind] for kind in KINDS)} of {len(KINDS)} kinds",
            f"raising statements: {100 * failed / max(total + failed, 1):.1f} %, "
            f"skipped: {other['skipped']}",
            f"mean length: {other['statements'] / max(other['programs'], 1):.1f} statements",
            f"accepted differences: {dict(self.counts['accepted'])}"])


def show(failure: dict[str, Any]) -> str:
    return (f"\n=== {failure['what']}: {failure['message']}\n    at: {failure['culprit']}   "
            f"(seed {failure['seed']})\n{failure['detail']}\n--- script\n{failure['script']}")


def main(arguments: list[str] | None = None) -> int:
    """Run programs, print failures as they are found, and return 1 if there were any."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs", description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--module", default="lampion", help="the library under test")
    parser.add_argument("--mistake", default="", help="make PyTorch wrong (wrong.py)")
    parser.add_argument("--state", type=Path, help="remember the work done in this file")
    parser.add_argument("--coverage", action="store_true", help="print how often each kind ran")
    parser.add_argument("--print", action="store_true", help="only print the programs")
    options = parser.parse_args(arguments)
    _quiet()
    if options.print:
        for seed in range(options.seed, options.seed + options.count):
            print(f"# seed {seed}\n{grow_from_seed(seed, torch)}\n")
        return 0
    report = Report(options.state)
    tasks = [(low, high, options.module, options.mistake)
             for low, high in report.left(options.seed, options.count)]
    begin = time.monotonic()
    with ThreadPool(options.jobs) as pool:
        for result in pool.imap_unordered(survive, tasks):
            for failure in report.add(result):
                print(show(failure), flush=True)
            print(report.progress(begin), file=sys.stderr, flush=True)
    if options.coverage:
        print(report.coverage())
    print(report.progress(begin))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
