"""The log of a record that is followed: what has been put off, and can still be done."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import Storage, TensorBase
from ..ir import Value
from .tree import Entry, Plan


class Logged(NamedTuple):
    """A call that was matched and not made."""

    entry: Entry
    args: list
    kwargs: dict
    numbers: Any
    draws: Any


class Flushed(NamedTuple):
    """A flush after which the record went on."""

    tensor: TensorBase | None
    mask: tuple[bool, ...]
    plan: Plan
    arrays: list[np.ndarray]


class Deferred(NamedTuple):
    """What a storage held before a write that is not done yet."""

    storage: Storage
    value: Value
    version: int
