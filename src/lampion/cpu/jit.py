"""LLVM text to native code: compiled once per key, kept in memory and on disk.

    code = jit.library("add float32 contiguous", make_ir)
    code.address("add")     # of `void @add(ptr %args, i64 %begin, i64 %end)`

The key must say all that the text depends on, apart from the target and lampion's own sources,
which are added here. `make_ir` is called only when neither memory, nor the package
(`ahead`), nor the user's cache has the key.

Compiled code is placed into memory by `loader`, or by one LLVM engine where that cannot do it, and
stays for the life of the process, so addresses stay valid. Functions of different libraries may
have the same name: their symbols get the key's digest. LLVM is not even loaded as long as nothing
has to be compiled.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import LampionError
from ..version import __version__
from . import ahead, cache, loader
from .target import Target, host, llvm

# LLVM's passes before code generation. Kernels are written as they should run; a full pipeline
# costs several times as much and does not make them faster.
FUNCTION_PASSES = ("sroa", "instruction_combine", "simplify_cfg")
TAG = 20  # letters of a digest in the symbols of a library
CODEGEN_LEVEL = 2  # at 0 the code is four times slower; 3 costs more and gains nothing

_lock = threading.RLock()
_libraries: dict[tuple[str, Target], Library] = {}


class CompileError(LampionError, RuntimeError):
    """LLVM text that LLVM does not accept: a mistake in lampion."""


class Library:
    """The functions of one key, ready to be called."""

    def __init__(self, key: str, tag: str, names: list[str], symbols: Mapping[str, int]):
        self.key = key
        self.names = tuple(names)
        self._tag = tag
        self._addresses = {name: symbols[symbol] for name in names
                           if (symbol := f"{name}.{tag}") in symbols}

    def address(self, name: str) -> int:
        """Return the address of a function."""
        found = self._addresses.get(name)
        if found is None:
            if name not in self.names:
                raise CompileError(f"there is no function {name!r} in the library {self.key!r}",
                                   why=f"it has {', '.join(self.names)}")
            with _lock:
                found = _engine().get_function_address(f"{name}.{self._tag}")
            self._addresses[name] = found
        return found

    def __repr__(self) -> str:
        return f"Library({self.key!r}: {', '.join(self.names)})"


def library(key: str, make_ir: Callable[[], str], target: Target | None = None) -> Library:
    """Return the compiled functions of a key, from memory, files or, at last, the compiler.

    Args:
        key: says all that the text depends on.
        make_ir: writes the LLVM text; its defined functions that are not `internal` or `private`
            can be called.
        target: the instruction set, the host's if not given.

    Raises:
        CompileError: when LLVM does not accept the text.
    """
    target = target or host()
    found = _libraries.get((key, target))
    if found is None:
        with _lock:
            found = _libraries.get((key, target))
            if found is None:
                found = _make(key, make_ir, target)
                _libraries[key, target] = found
    return found


def _make(key: str, make_ir: Callable[[], str], target: Target) -> Library:
    parts = [key.encode(), _sources(), "|".join(target[:2]).encode()]
    tag = cache.digest(*parts).hex()[:TAG]
    name = cache.digest(*parts, _compiler()).hex()
    entry = ahead.load(tag, target) or cache.load(name)
    if entry is None:
        about, code = _compile(make_ir(), tag, target, key)
        cache.store(name, json.dumps({**about, "tag": tag}).encode() + b"\n" + code)
    else:
        head, _, code = entry.partition(b"\n")
        about = json.loads(head)
    symbols = loader.load(code)
    if symbols is None:
        engine = _engine()
        engine.add_object_file(llvm().ObjectFileRef.from_data(code))
        engine.finalize_object()
    return Library(key, tag, about["names"], symbols or {})


def _compile(text: str, tag: str, target: Target, key: str) -> tuple[dict[str, Any], bytes]:
    """Return the names that the text defines, and native code whose symbols have the tag."""
    binding = llvm()
    machine = _machine(target)
    try:
        module = binding.parse_assembly(text, binding.create_context())
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        module.verify()
    except RuntimeError as error:
        raise CompileError(f"LLVM does not accept the text of {key!r}", why=str(error)) from error
    names = []
    for function in module.functions:
        if not function.is_declaration and function.linkage.name == "external":
            names.append(function.name)
            function.name = f"{function.name}.{tag}"
    _optimise(module, machine)
    return {"names": names}, machine.emit_object(module)


def _optimise(module: Any, machine: Any) -> None:
    binding = llvm()
    options = binding.create_pipeline_tuning_options(speed_level=1)
    builder = binding.create_pass_builder(machine, options)
    inliner = binding.create_new_module_pass_manager()
    inliner.add_always_inliner_pass()
    inliner.run(module, builder)
    passes = binding.create_new_function_pass_manager()
    for name in FUNCTION_PASSES:
        getattr(passes, f"add_{name}_pass")()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)


def assembly(text: str, target: Target | None = None) -> str:
    """Return the machine code of LLVM text as assembler: to look for spilled registers."""
    binding = llvm()
    with _lock:
        machine = _machine(target or host())
        module = binding.parse_assembly(text, binding.create_context())
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        _optimise(module, machine)
        return str(machine.emit_assembly(module))


@functools.cache
def _machine(target: Target) -> Any:
    binding = llvm()
    return binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=target.name, features=target.features, opt=CODEGEN_LEVEL, jit=True)


@functools.cache
def _engine() -> Any:
    """Return the one engine, empty at first; it is never taken down."""
    binding = llvm()
    binding.check_jit_execution()
    target = host()
    machine = binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        cpu=target.name, features=target.features, opt=CODEGEN_LEVEL, jit=True)
    module = binding.parse_assembly("", binding.create_context())
    module.triple = machine.triple
    return binding.create_mcjit_compiler(module, machine)


@functools.cache
def _sources() -> bytes:
    """Return a digest of what turns a key into LLVM text, and of how that is compiled."""
    room = Path(__file__).parent
    parts = [__version__, sys.platform, platform.machine().lower(), str(FUNCTION_PASSES),
             str(CODEGEN_LEVEL)]
    sources = [*sorted(room.rglob("*.py")), *sorted((room.parent / "ops").glob("*.py"))]
    return cache.digest(*(part.encode() for part in parts),
                        *(path.read_bytes() for path in sources))


@functools.cache
def _compiler() -> bytes:
    """Return which LLVM compiles here. What came with the package may be from another one."""
    return str(importlib.import_module("llvmlite").__version__).encode()


def _fork_in_child() -> None:
    """Let go of a lock that another thread of the parent may have held."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    # No compilation is under way at the moment of the fork, in any thread.
    os.register_at_fork(before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release(),
                        after_in_child=_fork_in_child)
