"""`lampion info`: what lampion runs on, for bug reports."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator

import numpy

from lampion import runtime
from lampion.cpu import ahead, cache, target
from lampion.errors import LampionError
from lampion.version import __version__, torch_interface

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUIRED = ("numpy", "llvmlite", "safetensors")
EXTRAS = {"pillow": "images", "matplotlib": "plot"}
ORACLE = "torch"
# What the choices of runtime.py mean.
BACKENDS = {"auto": "native code, and NumPy for small graphs", "native": "native code",
            "numpy": "NumPy"}


def main(arguments: argparse.Namespace) -> int:
    """Print one `name: value` line for each fact."""
    rows = list(facts())
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name + ':':<{width + 1}} {value}")
    return 0


def facts() -> Iterator[tuple[str, str]]:
    """Yield what a bug report needs, in the order of reading."""
    yield "lampion", f"{__version__} in {PACKAGE} (follows PyTorch {torch_interface})"
    yield "python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}"
    for name in REQUIRED:
        yield name, version(name) or "MISSING: pip install lampion"
    for name, extra in EXTRAS.items():
        yield name, version(name) or f"not installed (pip install 'lampion[{extra}]')"
    yield "processor", processor()
    yield "vector sets", " ".join(vector_sets()) or "none found"
    yield "processors", f"{usable_processors()} usable of {os.cpu_count()}"
    yield "backend", BACKENDS[runtime.engine]
    if runtime.engine != "numpy":
        yield from native_code()
    settings = [f"{key}={value}" for key, value in sorted(os.environ.items()) if is_setting(key)]
    yield "settings", " ".join(settings) or "none in the environment"
    yield "torch", version(ORACLE) or "not installed (only the tests use it)"
    yield "executable", sys.executable


def native_code() -> Iterator[tuple[str, str]]:
    """Yield which instructions code is made for, and where it is found instead of made."""
    try:
        chosen = target.host()
    except LampionError as error:
        yield "instructions", f"unknown: {error.what}"
        return
    yield "instructions", f"{chosen.name}, {8 * chosen.vector_bytes} bits in a vector"
    entries = cache.entries()
    size = sum(about.st_size for _, about in entries) / 1e6
    yield "kernels", (f"{ahead.count(chosen)} in the package, {len(entries)} "
                      f"({size:.1f} MB) in {cache.directory() or 'no cache'}")


def version(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None: nothing is imported."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith(("model name", "Model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine() or "unknown"


def vector_sets() -> list[str]:
    """Return the vector instruction sets of this machine, as NumPy found them."""
    found = numpy.show_config(mode="dicts") or {}
    names = found.get("SIMD Extensions", {})
    return [*names.get("baseline", []), *names.get("found", [])]


def usable_processors() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_setting(key: str) -> bool:
    """Tell whether an environment variable can change what lampion does or how fast."""
    return key.startswith("LAMPION_") or key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
