"""LLVM text to native code: what is compiled, what is found again, what is refused."""

from __future__ import annotations

import ctypes

import pytest

from lampion.cpu import cache, jit, target

PLUS = """
define internal i64 @helper(i64 %x) alwaysinline {{
  %y = add i64 %x, {number}
  ret i64 %y
}}
define i64 @plus(i64 %x) {{
  %y = call i64 @helper(i64 %x)
  ret i64 %y
}}
"""


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path, monkeypatch):
    """A cache directory and a memory that no other test has written to."""
    monkeypatch.setenv("LAMPION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(jit, "_libraries", {})
    return tmp_path / "cache"


class Maker:
    """Writes the text of a function that adds a number, and counts how often it is asked to."""

    def __init__(self, number: int):
        self.number, self.calls = number, 0

    def __call__(self) -> str:
        self.calls += 1
        return PLUS.format(number=self.number)


def plus(library: jit.Library, x: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(library.address("plus"))(x)


def test_a_function_is_compiled_and_runs():
    library = jit.library("plus 5", Maker(5))
    assert plus(library, 37) == 42
    assert library.names == ("plus",)


def test_equal_names_in_different_libraries_do_not_collide():
    libraries = [jit.library(f"plus {number}", Maker(number)) for number in range(20)]
    assert [plus(library, 100) for library in libraries] == list(range(100, 120))


def test_memory_answers_the_second_time():
    make = Maker(1)
    assert jit.library("again", make) is jit.library("again", make)
    assert make.calls == 1


def test_disk_answers_a_new_process(monkeypatch):
    jit.library("new process", Maker(2))
    monkeypatch.setattr(jit, "_libraries", {})
    make = Maker(2)
    assert plus(jit.library("new process", make), 1) == 3
    assert make.calls == 0


def test_targets_have_code_of_their_own():
    make = Maker(3)
    generic = jit.library("targets", make, target.named("generic"))
    native = jit.library("targets", make)
    assert generic is not native and make.calls == 2
    assert plus(generic, 1) == plus(native, 1) == 4


def test_text_that_is_wrong_is_an_error_that_names_the_key():
    with pytest.raises(jit.CompileError, match="wrong text"):
        jit.library("wrong text", lambda: "define i64 @f( {")
    assert not cache.entries()


def test_an_unknown_function_is_an_error_and_not_a_crash():
    library = jit.library("known", Maker(4))
    with pytest.raises(jit.CompileError, match="no function 'minus'"):
        library.address("minus")
