"""Where NaN and infinity come from: a step's recorded graph, looked at value by value.

A value is where it was *born* if it has a NaN and nothing that it is computed from has one, or an
infinity and everything that it is computed from is finite. So a mask of -inf that a softmax reads
is left alone, and so is all that a broken value breaks in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import interpret, runtime
from ..errors import ArgumentTypeError, shape_text, user_location
from ..ir import Graph, Value, mode
from ..nn.hooks import register_module_forward_hook, register_module_forward_pre_hook
from ..nn.module import Module
from ..replay.recorded import set_replay
from ..trace import flush


@dataclass(frozen=True, slots=True)
class Birth:
    """Where a value that is not finite was born.

    Attributes:
        kind: "NaN" or "infinity".
        op: the operation; "input" for numbers that came in from outside.
        module: the path of the module that was at work, empty outside of all; of a parameter that
            came in broken, its name.
        line: the user's line, as file:line; None for an input.
        gradient_of: the operation of that line whose gradient this one is a part of; None for one
            that the line itself asks for.
        shape: of the value.
        count: how many of its elements are not finite.
    """

    kind: str
    op: str
    module: str
    line: str | None
    gradient_of: str | None
    shape: tuple[int, ...]
    count: int

    def __str__(self) -> str:
        size = int(np.prod(self.shape))
        who = f" in {self.module}" if self.module else ""
        if self.op == "input":
            return (f"{self.kind}: an input of the step{who} ({shape_text(self.shape)}) has "
                    f"{self.count} of {size} elements that are not finite")
        what = f", a part of the gradient of {self.gradient_of}" if self.gradient_of else ""
        return (f"{self.kind} is born in {self.op}{what}{who}, {self.line}: {self.count} of {size} "
                f"elements ({shape_text(self.shape)})")


class Origin(NamedTuple):
    """Who made a value."""

    module: str
    line: str | None
    gradient_of: str | None


NOBODY = Origin("", None, None)


class _Trace:
    """Notes who makes the values of a step, and finds the first birth in its programs."""

    def __init__(self) -> None:
        self.origins: dict[int, Origin] = {}
        self.modules: list[tuple[Module, str]] = []
        self.parameters: dict[int, str] = {}
        self.birth: Birth | None = None

    # --- while the step is recorded -------------------------------------------------------

    def enter(self, module: Module, args: tuple) -> None:
        """A module is called: its path is seen from the outermost one."""
        root = self.modules[0][0] if self.modules else module
        if root is module:
            for name, parameter in module.named_parameters():
                self.parameters[id(parameter._storage)] = name
        path = next((path for path, part in root.named_modules() if part is module), "")
        self.modules.append((module, path or type(module).__name__))

    def leave(self, module: Module, args: tuple, output: Any) -> None:
        """A module has ended, or an inner one has by an error."""
        while self.modules and self.modules.pop()[0] is not module:
            pass

    def made(self, value: Value) -> None:
        """A value is made."""
        forward = mode.spreading
        if forward is not None:
            found = self.origins.get(forward.order, NOBODY)
            self.origins[value.order] = found._replace(
                gradient_of=forward.op.name if forward.op is not None else None)
        else:
            path = self.modules[-1][1] if self.modules else ""
            self.origins[value.order] = Origin(path, user_location(), None)

    # --- when a program runs --------------------------------------------------------------

    def look(self, graph: Graph, updates: Any, structure: Any,
             arrays: Sequence[np.ndarray]) -> None:
        """Look for the first birth in a program, unless one was found before."""
        if self.birth is not None:
            return
        for value, array in zip(graph.inputs, arrays, strict=True):
            self._look_at_input(value, array)
        states = {v.order: _state(a) for v, a in zip(graph.inputs, arrays, strict=True)}
        for value, array in _computed(graph, arrays):
            if self.birth is not None:
                return
            nan, infinite = states[value.order] = _state(array)
            before = [states[v.order] for v in value.inputs]
            if nan and not any(n for n, _ in before):
                self._found("NaN", value, array)
            elif infinite and not any(n or i for n, i in before):
                self._found("infinity", value, array)

    def _look_at_input(self, value: Value, array: np.ndarray) -> None:
        holder = value.holder() if value.holder is not None else None
        name = self.parameters.get(id(holder), "")
        nan, infinite = _state(array)
        # An infinity may be meant, as in a mask; in a parameter it never is.
        if self.birth is None and (nan or (infinite and name)):
            self.birth = Birth("NaN" if nan else "infinity", "input", name, None, None,
                               value.shape, _count(array))

    def _found(self, kind: str, value: Value, array: np.ndarray) -> None:
        made = self.origins.get(value.order, NOBODY)
        self.birth = Birth(kind, value.op.name, made.module, made.line, made.gradient_of,
                           value.shape, _count(array))


def _computed(graph: Graph, inputs: Sequence[np.ndarray]) -> Iterator[tuple[Value, np.ndarray]]:
    """Compute a graph with NumPy; yield each value with its array, in order."""
    arrays = {v.order: a for v, a in zip(graph.inputs, inputs, strict=True)}
    last = {operand.order: value.order for value in graph.values for operand in value.inputs}
    with np.errstate(all="ignore"):
        for value in graph.values:
            array = interpret.compute(value, [arrays[v.order] for v in value.inputs])
            arrays[value.order] = array
            yield value, array
            for operand in value.inputs:
                if last[operand.order] == value.order:
                    arrays.pop(operand.order, None)


def _state(array: np.ndarray) -> tuple[bool, bool]:
    """Return whether there are NaN, and whether there are infinities."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return False, False
    return bool(np.isnan(array).any()), bool(np.isinf(array).any())


def _count(array: np.ndarray) -> int:
    return int((~np.isfinite(array)).sum())


@contextmanager
def _traced(found: _Trace) -> Iterator[None]:
    """Trace what this thread does in the block."""
    was_replayed = mode.run is not None
    flush()
    set_replay(False)
    handles = (register_module_forward_pre_hook(found.enter),
               register_module_forward_hook(found.leave))
    runtime.observers.append(found.look)
    mode.tracing = found.made
    try:
        yield
        flush()
    finally:
        mode.tracing = None
        runtime.observers.remove(found.look)
        for handle in handles:
            handle.remove()
        if was_replayed:
            set_replay(True)


def first_non_finite(step: Callable[[], Any]) -> Birth | None:
    """Make a step and return where its first NaN or infinity was born; None where all is finite.

    The step is really made: parameters change as it says. Everything is recorded anew and computed
    by NumPy besides, so this takes many times as long as the step.

    Args:
        step: a function without arguments: forward, backward, optimizer.

    Raises:
        ArgumentTypeError: `step` cannot be called.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([0.0, 1.0], requires_grad=True)
        >>> birth = torch.probe.first_non_finite(lambda: (x.sqrt() * 0).sum().backward())
        >>> birth.kind, birth.op, birth.gradient_of
        ('NaN', 'div', 'sqrt')
    """
    if not callable(step):
        raise ArgumentTypeError(
            f"first_non_finite(): a step is a function, not {type(step).__name__}",
            fix="first_non_finite(lambda: train_step(x, y))")
    found = _Trace()
    with _traced(found):
        result = step()  # held until everything that it needs is computed
        flush()
    del result
    return found.birth
