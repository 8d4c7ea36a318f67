"""The gradients that arrive at a scan's windows, sorted by what they belong to."""

from __future__ import annotations

import math

from ..ir import Cotangents, Value, registry
from .scan_layout import Scan, Window


def read(flat: Value, window: Window) -> Value:
    """Return a window of what a scan gave back."""
    return registry["section"](flat, start=window.start, shape=window.shape)


def arrived(setup: Scan, g: Value | Cotangents) -> Arrived:
    """Sort the gradient of a scan's result, or those of its windows."""
    found = Arrived(setup)
    windows = g if isinstance(g, Cotangents) else {w: read(g, w) for w in setup.parts}
    for (start, shape), share in windows.items():
        if 0 not in shape:
            found.take(Window(start, shape), share)
    return found


class Arrived:
    """What arrived.

    Attributes:
        seeds: for each state the gradient of its last value, or None.
        firsts: for each state the gradients of its initial value, which a history contains.
        after: for each state the gradients of its values after each step, stacked, or None.
        outputs: for each output its gradient, stacked, or None.
    """

    def __init__(self, setup: Scan):
        states, count = setup.states, len(setup.body.results)
        self.setup = setup
        self.seeds: list[Value | None] = [None] * states
        self.firsts: list[list[Value]] = [[] for _ in range(states)]
        self.after: list[Value | None] = [None] * states
        self.outputs: list[Value | None] = [None] * (count - states)

    def present(self) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """Return which of `after` and of `outputs` there are."""
        return (tuple(g is not None for g in self.after),
                tuple(g is not None for g in self.outputs))

    def take(self, window: Window, g: Value) -> None:
        """Put the gradient of a window where it belongs."""
        setup = self.setup
        part = max(k for k, w in enumerate(setup.parts)
                   if w.start <= window.start and 0 not in w.shape)
        if part >= setup.states:
            _add(self.outputs, part - setup.states, g)
        elif window == setup.last(part):
            _add(self.seeds, part, g)
        elif window == setup.after(part):
            _add(self.after, part, g)
        else:
            self._take_rows(part, window, g)

    def _take_rows(self, state: int, window: Window, g: Value) -> None:
        """Split rows of a history into the initial value and the values after steps."""
        setup = self.setup
        begin, whole = setup.parts[state]
        first = (window.start - begin) // math.prod(whole[1:])
        count = window.shape[0]
        initial = setup.length if setup.reverse else 0
        if first <= initial < first + count:
            row = _cut(g, initial - first, 1)
            self.firsts[state].append(registry["reshape"](row, shape=whole[1:]))
            # The initial value is the first or the last row of any window that has it.
            g = _cut(g, 0 if setup.reverse else 1, count - 1)
            first, count = first + (0 if setup.reverse else 1), count - 1
        if count:
            low = first - (0 if setup.reverse else 1)
            rest = (0,) * (g.ndim - 1)
            _add(self.after, state, registry["pad"](
                g, low=(low, *rest), high=(setup.length - count - low, *rest)))


def _add(places: list[Value | None], k: int, g: Value) -> None:
    held = places[k]
    places[k] = g if held is None else held + g


def _cut(g: Value, first: int, count: int) -> Value:
    return registry["slice"](
        g, start=(first, *(0,) * (g.ndim - 1)), stop=(first + count, *g.shape[1:]),
        step=(1,) * g.ndim)
