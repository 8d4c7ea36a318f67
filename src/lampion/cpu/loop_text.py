"""The text of a loop: a function that does jobs begin..end of a `Form`."""

from __future__ import annotations

from ..kernel import Loop, Store
from .builder import Builder
from .elements import HALVES
from .kernel_text import Module
from .loop_form import Form
from .loop_inner import InnerLanes
from .loop_outer import OuterLanes
from .target import Target


def lanes_of(loop: Loop, target: Target) -> int:
    """Return how many elements a vector has: as many of the widest type as a register holds."""
    widest = 4
    for _, _, s in loop.statements():
        if not isinstance(s, Store):
            widest = max(widest, 4 if s.dtype in HALVES else s.dtype.itemsize)
    return target.lanes(widest)


def write(form: Form, lanes: int, target: Target, name: str) -> str:
    """Return the module with the function `name(args, begin, end)`."""
    module = Module(target)
    b = Builder(module, name, lanes)
    if form.blocks is None:
        InnerLanes(b, form).write()
    else:
        OuterLanes(b, form, form.blocks).write()
    return module.text()
