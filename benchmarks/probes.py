"""What do probes add to a training step?

    python benchmarks/probes.py [--case NAME ...] [--rounds N] [--seconds S]

Each measurement is a process of its own that makes the steps of one case on one thread, without
probes or with some; they take turns. What counts is the processor time of the thread: in each
process the median over its steps, over the rounds the median of those and, in brackets, the
lowest. The kinds of probes are activations with their gradients, all roles, and all roles at every
tenth step (the mean of ten steps).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent.parent / "src"))
KINDS: dict[str, dict[str, Any] | None] = {
    "without": None,
    "activations and gradients": {"parameters": False, "updates": False},
    "all": {},
    "all, every tenth step": {"every": 10},
}
GROUP = 10  # steps that are timed together


def measure(case: str, kind: str, seconds: float) -> float:
    """Return the seconds of a step."""
    from cases import CASES, Setting, set_weights

    import lampion as torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    program = CASES[case].build(torch, Setting())
    set_weights(torch, program.modules)
    found: list[Any] = []
    handle = torch.optim.optimizer.register_optimizer_step_post_hook(
        lambda optimizer, args, kwargs: found.append(optimizer))
    program.step()
    handle.remove()
    settings = KINDS[kind]
    if settings is not None:
        torch.probe.watch(program.modules[0], found[0], **settings).__enter__()
    for _ in range(2 * GROUP):
        program.step()
    times: list[float] = []
    while sum(times) < seconds:
        begin = time.thread_time()
        for _ in range(GROUP):
            program.step()
        times.append(time.thread_time() - begin)
    return statistics.median(times) / GROUP


def child(case: str, kind: str, seconds: float) -> float:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE), "--one", case, kind, "--seconds", str(seconds)],
        check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", help="lenet5 and gpt if not given")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time, each")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "KIND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.seconds)))
        return
    for case in options.case or ["lenet5", "gpt"]:
        found: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(options.rounds):
            for kind in KINDS:
                found[kind].append(child(case, kind, options.seconds))
        middle, best = statistics.median(found["without"]), min(found["without"])
        for kind, times in found.items():
            print(f"{case:10} {kind:28} {statistics.median(times) * 1e3:8.3f} ms "
                  f"{statistics.median(times) / middle - 1:+7.1%}   "
                  f"({min(times) * 1e3:.3f} ms, {min(times) / best - 1:+.1%})", flush=True)


if __name__ == "__main__":
    main()
