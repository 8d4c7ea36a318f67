"""Files: replaced whole or not at all, and damage is noticed."""

import io
import os
import random
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

import lampion

SAVER = """
import sys
import lampion
path, number = sys.argv[1], 0
while True:
    number += 1
    lampion.save({"number": number, "x": lampion.full((40_000,), float(number))}, path)
    print(number, flush=True)
"""


def content(path):
    loaded = lampion.load(path)
    values = np.unique(loaded["x"].numpy())
    assert values.tolist() == [loaded["number"]]
    return loaded["number"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_saver_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "checkpoint.pt"
    command = [sys.executable, "-c", SAVER, path]
    chance = random.Random(0)
    package = os.path.dirname(os.path.dirname(lampion.__file__))
    environment = {**os.environ, "PYTHONPATH": package}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as saver:
        for _ in range(3):  # it has started
            announced = int(saver.stdout.readline())
        for _ in range(20):
            time.sleep(chance.random() * 0.01)
            saver.send_signal(signal.SIGSTOP)  # stands still: look at what a crash would leave
            assert content(path) >= announced
            saver.send_signal(signal.SIGCONT)
        time.sleep(chance.random() * 0.02)
        saver.kill()
        rest = [int(line) for line in saver.stdout.read().split()]
    last = (rest or [announced])[-1]
    assert content(path) in (last, last + 1)
    lampion.save({"number": -1, "x": lampion.full((3,), -1.0)}, path)
    assert content(path) == -1


def test_an_error_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    lampion.save([1], path)

    def full_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        lampion.save([2], path)
    assert os.listdir(tmp_path) == ["checkpoint.pt"]
    assert lampion.load(path) == [1]


def test_file_and_directory_reach_the_disk_around_the_renaming(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def noting_fsync(descriptor):
        kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        events.append(kind)
        fsync(descriptor)

    def noting_replace(source, target):
        assert os.path.dirname(source) == os.path.dirname(target)
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting_replace)
    lampion.save([1], tmp_path / "x.pt")
    assert events == ["file", "rename", "directory"]


def test_rights_of_the_file(tmp_path):
    path = tmp_path / "x.pt"
    before = os.umask(0o027)
    try:
        lampion.save(1, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    lampion.save(2, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "latest.pt"
    link.symlink_to(tmp_path / "real" / "x.pt")
    lampion.save(1, link)
    assert link.is_symlink() and lampion.load(tmp_path / "real" / "x.pt") == 1


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lampion.save(1, "here.pt")
    assert lampion.load("here.pt") == lampion.load(tmp_path / "here.pt") == 1
    with pytest.raises(RuntimeError, match="Parent directory .* does not exist"):
        lampion.save(1, tmp_path / "no" / "x.pt")
    with pytest.raises(FileNotFoundError):
        lampion.load("missing.pt")
    with pytest.raises(IsADirectoryError):
        lampion.load(tmp_path)
    with pytest.raises(IsADirectoryError):
        lampion.save(1, tmp_path)


# -- Damage ---------------------------------------------------------------------------------------


def example():
    file = io.BytesIO()
    lampion.save({"w": lampion.arange(12).reshape(3, 4), "b": [lampion.tensor([True, False])],
                  "epoch": 3, 5: (1.5, b"x", {1, 2}, float("nan"))}, file)
    return file.getvalue()


def load_bytes(data):
    return lampion.load(io.BytesIO(data))


def test_every_damaged_byte_is_noticed():
    whole = example()
    for position in range(len(whole)):
        for change in (1, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= change
            with pytest.raises(RuntimeError):
                load_bytes(bytes(damaged))


def test_every_cut_is_noticed():
    whole = example()
    for length in range(len(whole)):
        with pytest.raises(RuntimeError, match="empty|cut off|damaged"):
            load_bytes(whole[:length])


def test_random_bytes():
    chance = random.Random(1)
    for _ in range(300):
        with pytest.raises(RuntimeError):
            load_bytes(chance.randbytes(chance.randrange(200)))


def with_header(text):
    header = text.encode()
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize("header, rest", [
    ('{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"\0" * 4),
    ('{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b"\0" * 4),
    ('{"x":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', b"\0" * 4),
    ('{"x":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}', b"\0" * 4),
    ('{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"\0" * 8),
    ('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', b"\0" * 4),
    ('{"x":{"dtype":"F32","shape":[1]}}', b"\0" * 4),
    ('{"x":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
    ('{"x":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}',
     b""),
    ('{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}', b""),
    ('{"x":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', b"\2"),
    ('{"x":1}', b""),
    ('{"__metadata__":{"a":1}}', b""),
    ('{"__metadata__":[]}', b""),
    ('{"x":' + "[" * 100_000, b""),
    ("{]", b""),
])
def test_a_header_that_lies(header, rest):
    with pytest.raises((RuntimeError, MemoryError)):
        load_bytes(with_header(header) + rest)


@pytest.mark.parametrize("start, message", [
    (b"", "is empty"),
    (b"\x80\x04\x95\x00\x00\x00\x00", "is a Python pickle"),
    (b"\x93NUMPY\x01\x00", "numpy.load"),
    (b"\x89HDF\r\n\x1a\n0000", "HDF5"),
    (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00", "gzip"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
    (b"<!DOCTYPE html><html>", "a web page"),
    (b"GGUF\x03\0\0\0\0\0", "GGUF"),
    (b"hello world, this is no model", "neither safetensors nor a PyTorch file"),
])
def test_other_files_are_named(start, message, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(start)
    with pytest.raises(RuntimeError, match=message) as caught:
        lampion.load(path)
    assert "model.pt" in str(caught.value)


def test_a_file_whose_length_looks_like_a_pickle():
    """The header's length is 640, so the file begins with the bytes of a pickle."""
    other = pytest.importorskip("safetensors.numpy")
    for fill in range(400, 700):
        data = other.save({"x": np.ones(1, np.float32)}, metadata={"note": "n" * fill})
        if data[:2] == b"\x80\x02":
            assert load_bytes(data)["x"].tolist() == [1]
            return
    pytest.fail("no such file made")


def test_a_newer_version_of_the_format(monkeypatch):
    from lampion import serialization

    file = io.BytesIO()
    monkeypatch.setattr(serialization, "VERSION", 99)
    lampion.save(1, file)
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="version 99"):
        load_bytes(file.getvalue())
