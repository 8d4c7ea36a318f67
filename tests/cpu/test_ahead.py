"""Code that comes with the package: it is found, it is right, and nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lampion.cpu import ahead, target

ROOT = Path(__file__).resolve().parents[2]
# A training step of the network that was compiled, with an empty cache of its own.
STEP = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "benchmarks")!r})
import lampion
from cases import CASES, Setting
from lampion.cpu import ahead, cache
if len(sys.argv) > 1:
    ahead.ROOM = Path(sys.argv[1])
lampion.manual_seed(0)
program = CASES["xor"].build(lampion, Setting())
print(len(cache.entries()), [program.step() for _ in range(3)], len(cache.entries()))
"""


def output(*words: str, **environment: str) -> list[str]:
    paths = f"{Path(ahead.__file__).parents[2]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = subprocess.run([sys.executable, *words], text=True, capture_output=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": paths, **environment}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """The files of one small network, for all instruction sets of this kind of processor."""
    place = tmp_path_factory.mktemp("compiled")
    output(str(ROOT / "compile_ahead.py"), str(place), "xor")
    return place


def step(tmp_path: Path, *words: str) -> tuple[str, int]:
    """Return the losses of some steps, and how many entries had to be compiled for them."""
    (line,) = output("-c", STEP, *words, LAMPION_CACHE=str(tmp_path / "cache"))
    before, rest = line.split(" ", 1)
    losses, after = rest.rsplit(" ", 1)
    return losses, int(after) - int(before)


def test_a_network_of_the_package_needs_no_compiler(room, tmp_path):
    without, some = step(tmp_path / "one")
    found, none = step(tmp_path / "two", str(room))
    assert some > 0 and none == 0
    assert found == without  # the same bits


def test_every_instruction_set_has_a_file(room):
    names = set(target.sets()) - ({"generic"} if len(target.sets()) > 1 else set())
    assert {path.name for path in room.iterdir()} == {
        ahead.path_of(target.sets()[name]).name for name in names}


@pytest.mark.parametrize("harm", [
    lambda data: b"", lambda data: data[:40], lambda data: data[:-100],
    lambda data: bytes(len(data)), lambda data: data[:30] + b"\xff" * 8 + data[38:],
    lambda data: data[:-50] + bytes(50)])
def test_a_damaged_file_is_not_believed(room, tmp_path, harm):
    chosen = target.host()
    whole = ahead.path_of(chosen, room).read_bytes()
    ahead.path_of(chosen, tmp_path).write_bytes(harm(whole))
    losses, _ = step(tmp_path, str(tmp_path))
    assert losses == step(tmp_path, str(room))[0]


def test_a_missing_directory_is_no_error(tmp_path):
    assert step(tmp_path, str(tmp_path / "nowhere"))[1] > 0


def test_entries_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "ROOM", tmp_path)
    entries = {"a": b"", "b": np.random.default_rng(0).bytes(1000)}
    chosen = target.Target("some", "", 16, 16)
    ahead.write(ahead.path_of(chosen), entries)
    assert {tag: ahead.load(tag, chosen) for tag in entries} == entries
    assert ahead.load("c", chosen) is None
    # Code for exactly one processor is never taken from the package.
    assert ahead.load("a", chosen._replace(features="+sse2")) is None
