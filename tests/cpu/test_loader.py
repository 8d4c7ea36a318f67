"""Objects placed into memory without LLVM: the same functions, and nothing when in doubt."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lampion.cpu import jit, loader, target

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine().lower() not in target.X86,
    reason="objects of this system are placed by LLVM")

TEXT = """
declare double @fmod(double, double)
@table = private constant [4 x double] [double 1.5, double 2.5, double 3.5, double 4.5]
define internal double @rest(double %x) noinline {
  %y = call double @fmod(double %x, double 0x4008CCCCCCCCCCCD)
  ret double %y
}
define double @function(double %x, i64 %k) {
  %p = getelementptr double, ptr @table, i64 %k
  %t = load double, ptr %p
  %r = call double @rest(double %x)
  %s = fadd double %r, %t
  ret double %s
}
define i64 @other(i64 %k) {
  ret i64 %k
}
"""
WRITTEN = """
@count = global i64 40
define i64 @next() {
  %old = load i64, ptr @count
  %new = add i64 %old, 1
  store i64 %new, ptr @count
  ret i64 %new
}
"""
PROGRAM = """
import sys
import numpy
import lampion as torch
x = torch.tensor(numpy.arange(12.).reshape(3, 4)).requires_grad_()
(x.exp() @ x.T).sum().backward()
assert numpy.isfinite(x.grad.numpy()).all()
print("llvmlite.binding" in sys.modules)
"""


def compiled(text: str) -> bytes:
    return jit._compile(text, "tag", target.host(), "test")[1]


def function(address: int):
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_int64)(address)


def test_constants_calls_and_functions_of_the_system():
    found = loader.load(compiled(TEXT))
    assert found is not None and set(found) == {"function.tag", "other.tag"}
    call = function(found["function.tag"])
    for k in range(4):
        assert call(10.0, k) == 10.0 % 3.1 + k + 1.5
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(found["other.tag"])(7) == 7


def test_objects_lie_beside_each_other():
    code = compiled(TEXT)
    found = [loader.load(code) for _ in range(300)]  # more than one piece of memory
    calls = [function(f["function.tag"]) for f in found if f is not None]
    assert len(calls) == 300
    assert {call(1.0, 1) for call in calls} == {3.5}


def rights(address: int) -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if start <= address < end:
            return line.split()[1][:3]
    return "none"


def test_code_cannot_be_written_to():
    found = loader.load(compiled(TEXT))
    assert found is not None
    assert [rights(address) for address in found.values()] == ["r-x", "r-x"]
    assert rights(loader._free["start"]) in ("rw-", "none")


def test_what_is_written_to_is_left_to_llvm(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMPION_CACHE", str(tmp_path))
    assert loader.load(compiled(WRITTEN)) is None
    address = jit.library("written", lambda: WRITTEN).address("next")
    call = ctypes.CFUNCTYPE(ctypes.c_int64)(address)
    assert [call(), call()] == [41, 42]


def test_an_unknown_function_is_left_to_llvm():
    assert loader.load(compiled(TEXT.replace("fmod", "fmodulo"))) is None


def test_damaged_objects_are_refused():
    code = compiled(TEXT)
    for end in range(0, len(code), 7):
        loader.load(code[:end])  # whatever is missing: never a crash
    assert loader.load(code[:100]) is None
    assert loader.load(b"\xcf\xfa\xed\xfe" + code[4:]) is None  # the format of another system
    assert loader.load(code[:18] + b"\xb7\x00" + code[20:]) is None  # of another processor


def test_a_process_with_compiled_code_does_not_load_llvm(tmp_path):
    environment = {**os.environ, "LAMPION_CACHE": str(tmp_path), "LAMPION_ENGINE": "native",
                   "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    answers = [subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True,
                              capture_output=True, text=True).stdout.strip() for _ in range(2)]
    assert answers == ["True", "False"]


def test_linux_and_llvm_name_the_same_features():
    known = target._linux_features()
    flat = target._flat_features().split(",")
    for feature in target.AVX512:
        assert (feature in known) == (f"+{feature}" in flat)
