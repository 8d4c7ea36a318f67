"""Runs the examples and checks what they reach.

    python examples/check.py                 every example in full (some minutes each), as a table
    python examples/check.py char_lstm gpt   only these
    python examples/check.py --quick         shortened: seconds each

An example's figure must be on the right side of its threshold, which leaves room for another seed
and another machine. The tests run the quick versions.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Check:
    """What an example must reach: its figure at most, or at least, so much.

    name is the file without .py; figure is the text before the number in its line `figure`;
    better is "lower" or "higher"; full and quick are thresholds.
    """

    name: str
    figure: str
    better: str
    full: float
    quick: float

    def passes(self, value, quick):
        threshold = self.quick if quick else self.full
        return value <= threshold if self.better == "lower" else value >= threshold


CHECKS = [
    Check("lenet5", "test accuracy", "higher", 98.5, 94.5),
    Check("perceptron", "XOR with a hidden layer, rows right", "higher", 4, 4),
    Check("vae", "test loss", "lower", 109, 165),
    Check("dqn", "mean return", "higher", 400, 60),
    Check("dcgan", "score", "higher", 3, 1.6),
    Check("ddpm", "test error of the noise", "lower", 0.06, 0.25),
    Check("resnet_small", "test accuracy", "higher", 64, 35),
    Check("transfer", "test accuracy, all layers trained", "higher", 70, 40),
    Check("blood_cells", "mAP at 0.5", "higher", 0.78, 0.25),
    Check("char_lstm", "validation loss", "lower", 1.6, 2.7),
    Check("gpt", "validation loss", "lower", 1.96, 2.7),
    Check("classify_names", "test accuracy", "higher", 80, 70),
    Check("makemore", "validation loss", "lower", 2.05, 2.4),
    Check("seq2seq", "perplexity with attention bahdanau", "lower", 4.3, 20),
    Check("translate", "perplexity", "lower", 4.0, 20),
    Check("word_vectors", "neighbours told from random words", "higher", 67, 60),
    Check("sentiment", "test accuracy", "higher", 78, 64),
    Check("anomalies", "windows found", "higher", 4, 4),
    Check("forecast", "test MSE", "lower", 0.33, 0.38),
]


def run(check, quick, folder=None):
    """Run one example; return its whole output and the number in its figure.

    Raises:
        RuntimeError: it failed, or printed no such figure.
    """
    command = [sys.executable, str(EXAMPLES / f"{check.name}.py"), *(["--quick"] if quick else [])]
    source = os.pathsep.join([str(EXAMPLES.parent / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    if result.returncode != 0:
        raise RuntimeError(f"{check.name} failed:\n{result.stderr or result.stdout}")
    found = re.search(rf"^figure     {re.escape(check.figure)} (-?[\d.]+)", result.stdout, re.M)
    if found is None:
        raise RuntimeError(f"{check.name} printed no figure {check.figure!r}:\n{result.stdout}")
    return result.stdout, float(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [check.name for check in CHECKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="shortened: seconds each")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")

    failed = []
    print("example               figure                              must be        seconds")
    for check in CHECKS:
        if options.names and check.name not in options.names:
            continue
        started = time.perf_counter()
        sign = "<=" if check.better == "lower" else ">="
        must = f"{sign} {check.quick if options.quick else check.full:g}"
        try:
            _, value = run(check, options.quick)
        except RuntimeError as error:
            failed.append(check.name)
            print(f"{check.name:<21} {error}")
            continue
        good = check.passes(value, options.quick)
        if not good:
            failed.append(check.name)
        print(f"{check.name:<21} {check.figure + f' {value:g}':<35} {must:<14} "
              f"{time.perf_counter() - started:>5.0f}   {'' if good else 'NOT REACHED'}",
              flush=True)
    if failed:
        sys.exit(f"{len(failed)} of the examples failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
