"""Compile what common networks need, for the package.

    python compile_ahead.py DIRECTORY [NETWORK ...]

The networks are those of the benchmarks, all if none is named. Each makes a few training steps
without doing them: every program is planned and compiled, and its results are zeros. So code can be
compiled for processors that this machine does not have. `setup.py` runs this when a wheel is built;
no C compiler takes part.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import lampion
from lampion import runtime
from lampion.cpu import ahead, cache, driver, pool, target
from lampion.cpu.program import Program

sys.path.insert(0, str(Path(__file__).resolve().parent / "benchmarks"))

from cases import CASES, Setting  # noqa: E402 - the path is known from here on

STEPS = 2  # the first one has no state of the optimizer yet
MOST = 2 << 20  # bytes, of all files together


def only_compile() -> None:
    """From now on, programs are compiled and make zeros."""
    def run(self, arrays, take=None):
        structure = self.structure
        if structure.native and structure.program is None:
            structure.program = Program(self.graph, self.updates)
        return [np.zeros(v.shape, v.dtype.array) for v in self.graph.outputs]

    runtime.Prepared.run = run


def optimizers() -> None:
    """Train a network of two layers with every common optimizer."""
    for make in (lambda p: lampion.optim.SGD(p, 0.1),
                 lambda p: lampion.optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-4),
                 lambda p: lampion.optim.Adam(p), lambda p: lampion.optim.AdamW(p)):
        network = lampion.nn.Sequential(
            lampion.nn.Linear(8, 128), lampion.nn.ReLU(), lampion.nn.Linear(128, 10))
        optimizer = make(network.parameters())
        for _ in range(STEPS):
            optimizer.zero_grad()
            outputs = network(lampion.ones(64, 8))
            labels = lampion.zeros(64, dtype=lampion.int64)
            lampion.nn.functional.cross_entropy(outputs, labels).backward()
            optimizer.step()


def compiled(name: str, networks: Iterable[str]) -> dict[str, bytes]:
    """Return the entries of networks for an instruction set, by tag."""
    runtime._structures.clear()
    lampion.set_replay(True)  # forgets the programs that were made for another instruction set
    driver.execute.cache_clear()
    with tempfile.TemporaryDirectory() as place, target.pretending(name):
        os.environ["LAMPION_CACHE"] = place
        ahead.ROOM = Path(place) / "none"  # what an earlier build made does not count
        pool.code()
        for network in networks:
            program = CASES[network].build(lampion, Setting())
            for _ in range(STEPS):
                program.step()
        optimizers()
        found = [cache.load(path.name.removesuffix(cache.SUFFIX)) for path, _ in cache.entries()]
    return {json.loads(entry.partition(b"\n")[0])["tag"]: entry for entry in found if entry}


def main(directory: str, *networks: str) -> None:
    """Write the files of all instruction sets of this kind of processor."""
    only_compile()
    total = 0
    for name, chosen in target.sets().items():
        if name == "generic" and len(target.sets()) > 1:
            continue  # on x86: slow anyway, and rare
        path = ahead.path_of(chosen, Path(directory))
        entries = compiled(name, networks or CASES)
        ahead.write(path, entries)
        total += path.stat().st_size
        print(f"{path.name}: {len(entries)} entries, {path.stat().st_size / 1024:.0f} kB")
        if not entries:
            raise SystemExit(f"nothing was compiled for {chosen.name}")
    if total > MOST:
        raise SystemExit(f"compiled code takes {total} bytes, more than {MOST}")


if __name__ == "__main__":
    main(*sys.argv[1:])
