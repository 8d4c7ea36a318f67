"""How long does `import lampion` take, beside `import torch` and `import numpy`?

    python benchmarks/import_time.py [--rounds 15]

Each import runs in a process of its own, the libraries by turns, after one unmeasured round that
warms the disk cache. What is measured is the import alone, inside the process, with
`time.perf_counter`; the median and the fastest of all rounds are shown.
"""

import argparse
import importlib.metadata
import statistics
import subprocess
import sys

LIBRARIES = ("numpy", "lampion", "torch")
PROGRAM = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def seconds(library):
    """Import a library in a new process; return the seconds, or None when it is not installed."""
    command = [sys.executable, "-c", PROGRAM.format(library)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        if "ModuleNotFoundError" in result.stderr:
            return None
        sys.exit(result.stderr)
    return float(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds

    present = [library for library in LIBRARIES if seconds(library) is not None]
    times = {library: [] for library in present}
    for _ in range(rounds):
        for library in present:
            times[library].append(seconds(library))

    print(f"seconds for one import, {rounds} rounds by turns, Python {sys.version.split()[0]}\n")
    print(f"{'':<20}{'median':>10}{'fastest':>10}")
    for library, values in times.items():
        try:
            name = f"{library} {importlib.metadata.version(library)}"
        except importlib.metadata.PackageNotFoundError:
            name = library
        print(f"{name:<20}{statistics.median(values):>10.3f}{min(values):>10.3f}")
    if "torch" in times:
        ratio = statistics.median(times["torch"]) / statistics.median(times["lampion"])
        print(f"\nimport lampion is {ratio:.1f} times as fast as import torch (medians)")
    else:
        print("\ntorch is not installed: nothing to compare with")


if __name__ == "__main__":
    main()
