"""The processor that kernels are compiled for.

    host()           the instruction set of this machine, or what LAMPION_CPU names instead
    named("avx2")    a smaller instruction set that this machine also has: for tests

Code is compiled for an instruction set, not for one model of a processor: so it can be kept in the
package, and the same program gives the same bits on all processors of that set. The vector width
follows from the set: 64 bytes with AVX-512, 32 with AVX2, else 16 (SSE2, NEON).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError, MissingExtraError

X86 = ("x86_64", "amd64")
# The features of LLVM's x86-64-v3 and x86-64-v4: the processor must have every one, since LLVM may
# use any. A virtual machine may hide some of those that the real processor has.
AVX2 = ("avx2", "avx", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe", "popcnt", "sse4.2", "cx16",
        "sahf", "xsave")
AVX512 = (*AVX2, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
# What Linux calls otherwise than LLVM.
LINUX_NAMES = {"abm": "lzcnt", "bmi1": "bmi", "sse4_2": "sse4.2", "lahf_lm": "sahf"}
USUAL_CACHE = 1 << 20  # bytes
_assumed: list[Target] = []  # by `pretending`


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


def host() -> Target:
    """Return the target of this process: the machine's, or what LAMPION_CPU names."""
    return _assumed[0] if _assumed else _chosen()


@functools.cache
def _chosen() -> Target:
    return named(os.environ.get("LAMPION_CPU") or "host")


@functools.cache
def named(name: str) -> Target:
    """Return a target by name.

    Args:
        name: "host" for the widest instruction set that this machine has; "native" for exactly
            its processor; "generic", "avx2", "avx512" for that and nothing more.

    Raises:
        ArgumentError: for another name, or one that this machine does not have.
    """
    known = sets()
    if name == "host":
        return known[_widest()]
    if name == "native":
        return known[_widest()]._replace(name=llvm().get_host_cpu_name(), features=_flat_features())
    if name == "generic" or (name in known and _has(name)):
        return known[name]
    raise ArgumentError(
        f"there is no target {name!r} on this machine",
        why="known are host, native, generic, and on x86 avx2 and avx512 where the processor has "
            "them",
        fix="unset LAMPION_CPU, or LAMPION_CPU=generic",
    )


def sets() -> dict[str, Target]:
    """Return the instruction sets of this kind of processor by name, the widest last."""
    if platform.machine().lower() not in X86:
        return {"generic": Target("generic", "", 16, 32)}
    return {"generic": Target("x86-64", "", 16, 16), "avx2": Target("x86-64-v3", "", 32, 16),
            "avx512": Target("x86-64-v4", "", 64, 32)}


def _has(name: str) -> bool:
    needed = {"avx2": AVX2, "avx512": AVX512}.get(name, ())
    return all(feature in _host_features() for feature in needed)


def _widest() -> str:
    return [name for name in sets() if _has(name)][-1]


@contextlib.contextmanager
def pretending(name: str) -> Iterator[Target]:
    """Compile for an instruction set that this machine may lack: nothing native may run."""
    chosen = sets()[name]
    before = _assumed[:]
    _assumed[:] = [chosen]
    try:
        yield chosen
    finally:
        _assumed[:] = before


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
    """Return the processor's features by LLVM's names: from Linux if it tells, else from LLVM."""
    return _linux_features() or frozenset(
        part[1:] for part in _flat_features().split(",") if part.startswith("+"))


def _linux_features() -> frozenset[str]:
    """Return what Linux says of an x86 processor; nothing elsewhere. LLVM need not be loaded."""
    if platform.machine().lower() not in X86:
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return frozenset(LINUX_NAMES.get(flag, flag) for flag in flags)


@functools.cache
def _flat_features() -> str:
    try:
        return str(llvm().get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot look at this processor: the name alone must do
        return ""
