"""The cache on disk: nothing that happens to it makes a wrong answer, an error or a crash."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lampion.cpu import cache, jit, target

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights and signals of POSIX")

# Compiles some functions x + number, all in one cache, and checks what each answers.
WORKER = """
import ctypes, sys
from lampion.cpu import jit

TEXT = "define i64 @plus(i64 %x) {{ %y = add i64 %x, {0} ret i64 %y }}"
asked = []
for number in map(int, sys.argv[1:]):
    def text(number=number):
        asked.append(number)
        return TEXT.format(number).replace("{ %y", "{\\n%y").replace(" ret", "\\nret")
    code = jit.library(f"plus {number}", text)
    answer = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("plus"))(1000)
    assert answer == 1000 + number, (number, answer)
print(len(asked))
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A cache that no other test has written to."""
    monkeypatch.setenv("LAMPION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(jit, "_libraries", {})
    return tmp_path / "cache"


def start(*numbers: int, **settings) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WORKER, *map(str, numbers)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings)


def compiled(*numbers: int, **settings) -> int:
    """Return how many functions a new process had to compile; all its answers are right."""
    process = start(*numbers, **settings)
    answer, trouble = process.communicate(timeout=120)
    assert process.returncode == 0, trouble
    return int(answer)


@pytest.fixture(scope="module", autouse=True)
def sources():
    """Subprocesses import the lampion that is under test."""
    with pytest.MonkeyPatch.context() as patch:
        room = Path(cache.__file__).parents[2]
        patch.setenv("PYTHONPATH", f"{room}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        yield


def test_processes_that_compile_the_same_at_once():
    processes = [start(*numbers) for numbers in (range(12), range(6, 18), range(11, -1, -1))]
    for process in processes:
        answer, trouble = process.communicate(timeout=120)
        assert process.returncode == 0 and int(answer) <= 12, trouble
    assert len(cache.entries()) == 18
    assert compiled(*range(18)) == 0


def test_a_process_that_is_killed_leaves_whole_entries_or_none(place):
    dice = random.Random(0)
    numbers = range(40)
    for _ in range(4):
        process = start(*numbers)
        before = len(cache.entries())
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and (
                len(cache.entries()) < before + 5):
            time.sleep(0.002)
        time.sleep(dice.random() * 0.02)
        process.kill()
        process.communicate()
        shorter = [entry for entry, _ in cache.entries()
                   if cache.load(entry.name.removesuffix(cache.SUFFIX)) is None]
        assert not shorter
    assert compiled(*numbers) <= 40
    assert compiled(*numbers) == 0


def test_what_killed_processes_left_goes(place):
    cache.store("kept", b"code")
    left, recent = place / f"old{cache.TEMPORARY}", place / f"new{cache.TEMPORARY}"
    for path in (left, recent):
        path.write_bytes(b"half")
    os.utime(left, (1, 1))
    cache.trim()
    assert not left.exists() and recent.exists() and cache.load("kept") == b"code"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3] ^= 4
    path.write_bytes(data)


def foreign(path: Path) -> None:
    path.write_bytes(b"\x7fELF" + bytes(5000))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def writable_by_all(path: Path) -> None:
    path.chmod(0o666)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def other_entry(path: Path) -> None:
    """A whole entry under the name of another one."""
    cache.store("another", b"other code")
    shutil.copy(cache.path_of("another"), path)


def of_another_user(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only an administrator can give files away")
    os.chown(path, 12345, 12345)


HARM = [truncated, flipped, foreign, empty, pipe, writable_by_all, link_to_nothing, other_entry,
        of_another_user]


@pytest.mark.parametrize("harm", HARM)
def test_a_harmed_entry_counts_as_absent_and_is_replaced(harm):
    cache.store("one", b"code" * 1000)
    path = cache.path_of("one")
    harm(path)
    assert cache.load("one") is None
    assert cache.store("one", b"code" * 1000)
    assert cache.load("one") == b"code" * 1000
    assert stat.S_ISREG(path.lstat().st_mode)


def test_harmed_entries_are_compiled_again_and_never_run():
    assert compiled(1, 2, 3) == 3
    for (path, _), harm in zip(cache.entries(), (truncated, flipped, foreign), strict=True):
        harm(path)
    assert compiled(1, 2, 3) == 3
    assert compiled(1, 2, 3) == 0


def test_a_directory_in_the_place_of_an_entry_means_no_entry():
    cache.path_of("one").mkdir(parents=True)
    assert cache.load("one") is None
    assert not cache.store("one", b"code")
    assert not list(cache.directory().glob(f"*{cache.TEMPORARY}"))
    cache.trim(0)


def test_a_file_in_the_place_of_the_directory_means_no_cache(place):
    place.write_bytes(b"")
    assert compiled(1, 2) == 2
    assert place.read_bytes() == b""


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_no_space(monkeypatch, trouble, place):
    def replace(source, destination):
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(os, "replace", replace)
    assert not cache.store("one", b"code")
    assert cache.load("one") is None
    assert not list(place.iterdir())


def test_a_limit_on_the_size_of_files(place):
    """A write that the system cuts short, as a full disk does."""
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    assert compiled(1, 2, preexec_fn=limited) == 2
    assert not cache.entries() and not list(place.glob(f"*{cache.TEMPORARY}"))
    assert compiled(1, 2) == 2


def test_a_directory_that_must_not_be_written(place):
    assert compiled(1) == 1
    place.chmod(0o500)
    try:
        # An administrator may write all the same.
        assert compiled(1, 2) == 1
        assert os.getuid() == 0 or len(cache.entries()) == 1
    finally:
        place.chmod(0o700)


def test_other_users_cannot_read_or_write_the_cache(place):
    cache.store("one", b"code")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not stat.S_IMODE(cache.path_of("one").stat().st_mode) & 0o077


@pytest.mark.parametrize("home", ["/nonexistent/home", "relative"])
def test_without_a_home_there_is_no_cache(monkeypatch, home):
    for name in ("LAMPION_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    assert cache.directory() is None
    assert not cache.store("one", b"code")
    assert cache.load("one") is None and not cache.entries()
    cache.trim()


def test_off_means_off(monkeypatch):
    monkeypatch.setenv("LAMPION_CACHE", "off")
    assert cache.directory() is None
    assert compiled(1, 2) == 2
    assert compiled(1, 2) == 2
    assert not Path("off").exists()


def test_the_entries_unused_for_longest_go():
    for number in range(10):
        cache.store(str(number), bytes(1000))
        os.utime(cache.path_of(str(number)), (number, number))
    assert cache.load("0") is not None  # which counts as use
    cache.trim(4500)
    kept = {path.name.removesuffix(cache.SUFFIX) for path, _ in cache.entries()}
    assert kept == {"0", "7", "8", "9"}


def test_the_bound_is_looked_at_now_and_then(monkeypatch):
    monkeypatch.setattr(cache.trim, "__defaults__", (50_000,))
    for number in range(400):
        cache.store(str(number), bytes(1000))
    assert sum(about.st_size for _, about in cache.entries()) < 400_000


def test_code_for_other_processors_has_another_name():
    def make():
        return "define i64 @one() {\n ret i64 1\n}"

    targets = {target.named("generic"), target.named("host"), target.named("native")}
    with contextlib.ExitStack() as stack:
        for name in target.sets():
            targets.add(stack.enter_context(target.pretending(name)))
    for each in targets:
        jit.library("one", make, each)
    assert len(cache.entries()) == len(targets)


def test_a_set_of_instructions_needs_every_feature(monkeypatch):
    """A processor, or a virtual machine, that lacks one feature of a level gets the level below."""
    if "avx2" not in target.sets():
        pytest.skip("another kind of processor")
    for missing, expected in (("avx512cd", "x86-64-v3"), ("movbe", "x86-64"), ("fma", "x86-64"),
                              ("sha", "x86-64-v4")):
        monkeypatch.setattr(target, "_host_features",
                            lambda missing=missing: frozenset(target.AVX512) - {missing})
        target.named.cache_clear()
        assert target.named("host").name == expected
    target.named.cache_clear()


def test_a_signal_in_the_middle_of_a_write(monkeypatch, place):
    def replace(source, destination):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        cache.store("one", b"code")
    assert cache.load("one") is None
    assert not list(place.iterdir())
