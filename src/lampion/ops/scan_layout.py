"""How a scan's several results lie in the one array that it gives back.

The array is flat. First come the carried states: of a state whose history is kept all its values,
from the initial one to the last, in the order of time; of another one only the last. Then come the
outputs, each stacked over time. Every part, and the states before or after all steps, is a
contiguous window: it can be read and written where it lies, without a copy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..body import Body
from ..ir import Type, Value, VerifyError


class Window(NamedTuple):
    """A contiguous part of a flat array, and the shape in which it is read."""

    start: int
    shape: tuple[int, ...]


class Scan(NamedTuple):
    """The settings of a scan.

    The body's parameters are the carried states, then what is read anew at each step, then what
    stays the same; its results are the states' next values, then the outputs.

    Attributes:
        body: one step.
        states: how many states are carried.
        steps: how many inputs are stacked over time (axis 0), one row for each step.
        length: how many steps.
        reverse: start with the last row and go to the first.
        kept: for each state whether its whole history is given back.
    """

    body: Body
    states: int
    steps: int
    length: int
    reverse: bool
    kept: tuple[bool, ...]

    @property
    def parts(self) -> list[Window]:
        """The windows of the states, then of the outputs."""
        found, start = [], 0
        for number, kind in enumerate(self.body.result_types):
            if number >= self.states:
                shape: tuple[int, ...] = (self.length, *kind.shape)
            else:
                shape = (self.length + 1, *kind.shape) if self.kept[number] else kind.shape
            found.append(Window(start, shape))
            start += math.prod(shape)
        return found

    @property
    def size(self) -> int:
        """The number of elements of the whole array."""
        last = self.parts[-1]
        return last.start + math.prod(last.shape)

    def rows(self, state: int, first: int, count: int) -> Window:
        """Return the window of `count` rows of a kept state's history."""
        start, shape = self.parts[state]
        return Window(start + first * math.prod(shape[1:]), (count, *shape[1:]))

    def before(self, state: int) -> Window:
        """Return the window of a kept state before each step, in the order of time."""
        return self.rows(state, 1 if self.reverse else 0, self.length)

    def after(self, state: int) -> Window:
        """Return the window of a kept state after each step, in the order of time."""
        return self.rows(state, 0 if self.reverse else 1, self.length)

    def last(self, state: int) -> Window:
        """Return the window of a state after the last step that is made."""
        if not self.kept[state]:
            return self.parts[state]
        start, shape = self.rows(state, 0 if self.reverse else self.length, 1)
        return Window(start, shape[1:])

    def output(self, number: int) -> Window:
        """Return the window of an output stacked over time."""
        return self.parts[self.states + number]

    def check(self, inputs: tuple[Value, ...]) -> Type:
        """Return the type of the result; raises VerifyError where inputs and body do not fit."""
        body, given = self.body, [v.type for v in inputs]
        expected = list(body.parameters)
        for k in range(self.states, self.states + self.steps):
            expected[k] = Type((self.length, *expected[k].shape), expected[k].dtype)
        if given != expected:
            raise VerifyError(
                f"scan: inputs are {', '.join(map(str, given))}",
                why=f"the body takes {', '.join(map(str, expected))} (stacked over time)")
        results = body.result_types
        if results[: self.states] != body.parameters[: self.states]:
            raise VerifyError("scan: a state changes its type from one step to the next")
        if len({t.dtype for t in results}) != 1 or len(self.kept) != self.states:
            raise VerifyError("scan: all states and outputs have one element type")
        return Type((self.size,), results[0].dtype)
