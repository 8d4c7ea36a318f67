"""How fast is a training step or a prediction, beside PyTorch's?

    python benchmarks/run.py [--quick] [--case NAME] [--steps N] [--markdown FILE]

Every case of `cases/` is written once and run by both libraries. Each measurement is a process of
its own; the libraries take turns, so that a slow minute of the machine hits both. A process warms
up, then times steps one by one, the loss read at each; the median counts, over all rounds.

PyTorch runs with one thread and with all; the faster one counts. It runs once more with a malloc
that keeps its memory, which makes it faster and larger: glibc's own way returns and fetches it at
every step. Memory is what the process grows by after the import, at its peak.

On a machine with other work, --busy lets both use one thread and counts the time that it gets of
the processor.

"first step" is from the start of the process to the end of the first step: for lampion with an
empty cache of compiled code (cold) and with what the process before left there (warm).

Before anything is timed both libraries make a few steps from the same weights without random
numbers of their own, and the losses must agree.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cases import CASES, Case
from report import Row, inserted, markdown, text

HERE = Path(__file__).resolve().parent
# What keeps glibc from returning memory to the system between steps.
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_MMAP_THRESHOLD_": str(1 << 40),
        "MALLOC_TOP_PAD_": str(64 << 20)}
CHECKED_STEPS = 5
TOLERANCE = 5e-4


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1)


def worker(library: str, case: str, *arguments: str, extra: dict[str, str] | None = None
           ) -> dict[str, Any]:
    """Run a case in a process of its own and return what it measured."""
    source = HERE.parent / "src"
    path = os.pathsep.join(filter(None, (str(source), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, **(extra or {})}
    # Installed libraries have their byte code beside them; a first step must not compile Python.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, str(HERE / "worker.py"), library, case, *arguments,
               "--started", repr(time.time())]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = result.stdout.strip().splitlines()
    if result.returncode != 0 or not lines:
        return {"error": (result.stderr.strip().splitlines() or ["no output"])[-1]}
    return json.loads(lines[-1])


def agreement(case: str) -> str:
    """Return why the losses of both libraries differ, "" where they agree."""
    found = {library: worker(library, case, "--check", str(CHECKED_STEPS))
             for library in ("torch", "lampion")}
    for library, result in found.items():
        if "error" in result:
            return f"{library}: {result['error']}"
    pairs = list(zip(found["lampion"]["losses"], found["torch"]["losses"], strict=True))
    for step, (ours, theirs) in enumerate(pairs, 1):
        # Training is chaotic: a difference of the last bit may double at each step.
        if not math.isclose(ours, theirs, rel_tol=TOLERANCE * 2 ** step, abs_tol=1e-5):
            return f"losses differ at step {step}: {ours:.6g}, PyTorch {theirs:.6g}"
    return ""


def ways(busy: bool) -> dict[str, list[str]]:
    """Return PyTorch's numbers of threads, and the arguments for each; none if it is missing."""
    if importlib.util.find_spec("torch") is None:
        return {}
    threads = {1} if busy else {1, processors()}
    return {f"threads {n}": ["--threads", str(n)] for n in sorted(threads)}


def rounds(case: str, options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Return what the processes of all rounds measured, by way."""
    length = ["--seconds", str(options.seconds)]
    if options.steps:
        length += ["--steps", str(options.steps)]
    own = ["--busy", "--threads", "1"] if options.busy else []
    length += own[:1]
    peers = ways(options.busy)
    found: dict[str, list[dict[str, Any]]] = {}

    def run(way: str, library: str, *arguments: str, **extra: str) -> None:
        found.setdefault(way, []).append(
            worker(library, case, *length, *arguments, extra=extra))

    with tempfile.TemporaryDirectory() as cache:
        for _ in range(options.rounds):
            for way, arguments in peers.items():
                run(way, "torch", *arguments)
            if peers:
                # The other ways take the number of threads that is faster so far.
                best = min(peers, key=lambda way: min(
                    r.get("fastest", math.inf) for r in found[way]))
                run("kept", "torch", *peers[best], **KEPT)
                if options.compile:
                    run("compiled", "torch", "--compile", *peers[best])
            single = {"OMP_NUM_THREADS": "1"} if options.busy else {}
            run("lampion", "lampion", *own[1:], LAMPION_CACHE=cache, **single)
    return found


def measure(case: Case, options: argparse.Namespace) -> Row:
    """Measure one case in turns."""
    row = Row(case.name, case.text, case.training, case.reference)
    if ways(False) and not options.no_check:
        row.trouble = agreement(case.name)
        if row.trouble:
            return row
    for way, results in rounds(case.name, options).items():
        errors = [r["error"] for r in results if "error" in r]
        if not errors:
            row.add(way, results)
        elif way != "compiled":
            row.trouble = f"{way}: {errors[0]}"
    return row


def chosen(wishes: Sequence[str]) -> list[Case]:
    """Return the cases that the command line names; all for none."""
    names = [name for name in CASES
             if not wishes or any(fnmatch.fnmatch(name, wish) for wish in wishes)]
    if not names:
        sys.exit(f"no case is called {' or '.join(wishes)}; there are: {', '.join(CASES)}")
    return [CASES[name] for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", help="only this one (* and ? match any text)")
    parser.add_argument("--quick", action="store_true", help="one short round, no comparison")
    parser.add_argument("--seconds", type=float, default=2.0, help="of steps in each process")
    parser.add_argument("--steps", type=int, help="how many steps to time instead")
    parser.add_argument("--rounds", type=int, default=3, help="turns of all processes")
    parser.add_argument("--busy", action="store_true", help="one thread, and its own time")
    parser.add_argument("--no-check", action="store_true", help="do not compare losses first")
    parser.add_argument("--compile", action="store_true", help="run torch.compile, too")
    parser.add_argument("--markdown", type=Path,
                        help="write the table to this file, between its marks if it has them")
    parser.add_argument("--json", type=Path, help="write all figures to this file, too")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds, options.no_check = 0.3, 1, True
    cases = chosen(options.case or ())
    if options.list:
        for case in cases:
            print(f"{case.name:<22}{case.text}")
        return
    rows = []
    for case in cases:
        rows.append(measure(case, options))
        print(text(rows[-1:], heading=len(rows) == 1), flush=True)
    print(text([], summary=rows))
    if options.markdown:
        page = options.markdown.read_text("utf-8") if options.markdown.exists() else ""
        options.markdown.write_text(inserted(page, markdown(rows)), encoding="utf-8")
    if options.json:
        figures = [row.figures() for row in rows]
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
