"""Access: a chain of movement ops read as offset and strides into the value it starts from."""

from __future__ import annotations

from typing import NamedTuple

from .. import strides
from ..ir import Value


class Access(NamedTuple):
    """Where the elements of a value lie in the memory of another one, in elements."""

    source: Value
    offset: int
    strides: tuple[int, ...]


def _reshape(access: Access, x: Value, value: Value) -> Access | None:
    found = strides.view(x.shape, access.strides, value.shape)
    return None if found is None else access._replace(strides=found)


def _permute(access: Access, x: Value, value: Value) -> Access:
    return access._replace(strides=tuple(access.strides[k] for k in value.settings["order"]))


def _expand(access: Access, x: Value, value: Value) -> Access:
    return access._replace(strides=tuple(
        s if n == m else 0 for s, n, m in zip(access.strides, x.shape, value.shape, strict=True)))


def _slice(access: Access, x: Value, value: Value) -> Access:
    start, step = value.settings["start"], value.settings["step"]
    offset = access.offset + sum(a * s for a, s in zip(start, access.strides, strict=True))
    return Access(access.source, offset, tuple(
        s * c for s, c in zip(access.strides, step, strict=True)))


def _flip(access: Access, x: Value, value: Value) -> Access:
    axes = value.settings["axes"]
    offset = access.offset + sum((x.shape[k] - 1) * access.strides[k] for k in axes)
    return Access(access.source, offset, tuple(
        -s if k in axes else s for k, s in enumerate(access.strides)))


def _windows(access: Access, x: Value, value: Value) -> Access:
    axis, step = value.settings["axis"], value.settings["step"]
    own = access.strides[axis]
    moved = (*access.strides[:axis], own * step, *access.strides[axis + 1:])
    return access._replace(strides=(*moved, own * value.settings["dilation"]))


def _section(access: Access, x: Value, value: Value) -> Access:
    own = access.strides[0]
    offset = access.offset + value.settings["start"] * own
    return Access(access.source, offset, tuple(s * own for s in strides.contiguous(value.shape)))


STEPS = {"reshape": _reshape, "permute": _permute, "expand": _expand, "slice": _slice,
         "flip": _flip, "windows": _windows, "section": _section}


def access(value: Value) -> Access:
    """Return how a value is read: through all movement ops that need no copy.

    A movement that needs one (a pad, a reshape across gaps) is the source itself.
    """
    chain = []
    source = value
    while source.op is not None and source.data is None and source.op.name in STEPS:
        chain.append(source)
        source = source.inputs[0]
    found = Access(source, 0, strides.contiguous(source.shape))
    for moved in reversed(chain):
        following = STEPS[moved.op.name](found, moved.inputs[0], moved)
        # Where a copy is needed, reading begins anew at its result.
        found = following or Access(moved, 0, strides.contiguous(moved.shape))
    return found
