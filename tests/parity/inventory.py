"""The three lists of PyTorch's test suite, by name."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
import unittest
import warnings
from typing import Any


def _module(name: str) -> Any:
    if "expecttest" not in sys.modules and importlib.util.find_spec("expecttest") is None:
        # PyTorch's test tools derive a class from this package's one; nothing here uses it.
        stand_in: Any = types.ModuleType("expecttest")
        stand_in.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stand_in
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"torch.testing._internal.{name}")


@functools.cache
def operators() -> dict[str, Any]:
    """The entries of op_db; a variant's name stands in brackets."""
    found = {}
    for entry in _module("common_methods_invocations").op_db:
        variant = f" ({entry.variant_test_name})" if entry.variant_test_name else ""
        found[entry.name + variant] = entry
    return found


@functools.cache
def modules() -> dict[str, Any]:
    """The entries of module_db, under the modules' names."""
    return {entry.name: entry for entry in _module("common_modules").module_db}


@functools.cache
def optimizers() -> dict[str, Any]:
    """The entries of optim_db, under the optimizers' names."""
    return {entry.name: entry for entry in _module("common_optimizers").optim_db}
