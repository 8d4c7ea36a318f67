"""The processor that kernels are compiled for.

    host()           the processor of this machine, or what LAMPION_CPU names instead
    named("avx2")    a smaller instruction set that this machine also has: for tests

The vector width follows from the instruction set: 64 bytes with AVX-512, 32 with AVX2, else 16
(SSE2, NEON).
"""

from __future__ import annotations

import functools
import importlib
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError, MissingExtraError

X86 = ("x86_64", "amd64")
# What LLVM must find before vectors of that width are used: kernels need more than the first step
# of each instruction set.
AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma")
AVX2 = ("avx2", "fma", "f16c", "bmi2")
USUAL_CACHE = 1 << 20  # bytes


class Target(NamedTuple):
    """An instruction set.

    Attributes:
        name: LLVM's name of the processor.
        features: LLVM's list of features, "+avx2,-avx512f,...".
        vector_bytes: the width of a vector register in bytes.
        registers: the number of vector registers.
    """

    name: str
    features: str
    vector_bytes: int
    registers: int

    def lanes(self, itemsize: int) -> int:
        """Return how many elements of `itemsize` bytes a vector register holds."""
        return self.vector_bytes // itemsize


@functools.cache
def llvm() -> Any:
    """Return llvmlite's binding, loaded and set up for this machine on the first call."""
    try:
        binding = importlib.import_module("llvmlite.binding")
    except ImportError as error:
        raise MissingExtraError(
            "the native engine needs llvmlite, which cannot be imported",
            why=str(error), fix="pip install llvmlite",
        ) from error
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()
    return binding


@functools.cache
def host() -> Target:
    """Return the target of this process: the machine's, or what LAMPION_CPU names."""
    return named(os.environ.get("LAMPION_CPU") or "host")


@functools.cache
def named(name: str) -> Target:
    """Return a target by name.

    Args:
        name: "host", or "generic", "avx2", "avx512" for that and nothing more.

    Raises:
        ArgumentError: for another name, or one that this machine does not have.
    """
    found = _host_features()
    x86 = platform.machine().lower() in X86
    if name == "host":
        if x86 and all(feature in found for feature in AVX512):
            width, registers = 64, 32
        elif x86 and all(feature in found for feature in AVX2):
            width, registers = 32, 16
        else:
            width, registers = 16, (16 if x86 else 32)
        return Target(llvm().get_host_cpu_name(), _flat_features(), width, registers)
    if name == "generic":
        return Target("x86-64" if x86 else "generic", "", 16, 16 if x86 else 32)
    if x86 and name == "avx2" and all(feature in found for feature in AVX2):
        return Target("haswell", "", 32, 16)
    if x86 and name == "avx512" and all(feature in found for feature in AVX512):
        return Target("skylake-avx512", "", 64, 32)
    raise ArgumentError(
        f"there is no target {name!r} on this machine",
        why="known are host, generic, and on x86 avx2 and avx512 where the processor has them",
        fix="unset LAMPION_CPU, or LAMPION_CPU=generic",
    )


@functools.cache
def second_level_cache() -> int:
    """Return the bytes of a core's second-level cache; a common size where the system is silent."""
    place = Path("/sys/devices/system/cpu/cpu0/cache/index2")
    try:
        size = (place / "size").read_text().strip()
        known = (place / "level").read_text().strip() == "2"
        return int(size.removesuffix("K")) * 1024 if known else USUAL_CACHE
    except (OSError, ValueError):
        return USUAL_CACHE


@functools.cache
def _host_features() -> frozenset[str]:
    return frozenset(part[1:] for part in _flat_features().split(",") if part.startswith("+"))


@functools.cache
def _flat_features() -> str:
    try:
        return str(llvm().get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot look at this processor: the name alone must do
        return ""
