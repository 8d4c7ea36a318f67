"""Probes of a training step: a few numbers of every value that a training passes through.

    forward      behind each module: its activation is looked at, and its gradient gets a carrier
    backward     makes the statistics of the gradients, as gradients of the carriers
    step         before it: parameters and their gradients; after it: what was added to them, and
                 everything of the step in one small tensor, which the step's own flush computes

Everything is part of the step's own program, so it is recorded and replayed with the step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, StateError, user_location
from ..functions.creation import tensor
from ..functions.statistics import (
    NUMBERS,
    collected,
    copies,
    observed,
    statistics,
    statistics_of,
)
from ..ir import mode
from ..nn import activation
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..replay.recorded import forget_gradients
from ..tensor import Tensor
from .record import Probe, Record, Series, record, series

# Where bounded functions are flat: less than about 5 % of their slope is left.
LIMITS: dict[type, tuple[float | None, float | None]] = {
    activation.Tanh: (-0.97, 0.97), activation.Sigmoid: (0.0125, 0.9875),
    activation.Softsign: (-0.8, 0.8),
}


class Frame(NamedTuple):
    """The statistics of one step: row by row those of the probes."""

    step: int
    probes: tuple[Probe, ...]
    numbers: Tensor


class Watch(Mapping[str, Record]):
    """Watches a training; made by `watch`, and used in a `with` block.

    As a mapping it is `latest`.

    Attributes:
        step: the number of the step that is being made, from 0.
    """

    def __init__(self, model: Module, optimizer: Optimizer | None, activations: bool,
                 gradients: bool, parameters: bool, updates: bool, every: int, keep: int):
        self.model, self.optimizer, self.every, self.step = model, optimizer, every, 0
        self._activations, self._gradients = activations, gradients
        self._parameters, self._updates = parameters, updates
        self._handles: list[Any] = []
        self._frames: deque[Frame] = deque(maxlen=keep)
        self._carriers: dict[str, Tensor] = {}
        self._probes: dict[str, Probe] = {}
        self._layouts: dict[tuple[str, ...], tuple[Probe, ...]] = {}
        self._before: list[Tensor] = []
        self._of_model: dict[str, Tensor] = {}
        self._known: dict[str, tuple[str, str]] = {}
        self._begin()

    # --- the block -----------------------------------------------------------------------------

    def __enter__(self) -> Watch:
        if self._handles:
            raise StateError("this watch is in use already", fix="probe.watch(model) once more")
        self._handles.append(self.model.register_forward_pre_hook(self._on_begin))
        for path, module in self.model.named_modules():
            self._handles.append(module.register_forward_hook(_Behind(self, path, module)))
        if self.optimizer is not None:
            self._handles.append(self.optimizer.register_step_pre_hook(self._on_step))
            self._handles.append(self.optimizer.register_step_post_hook(self._on_stepped))
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    # --- forward -------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Forget what was noted since the last step was collected."""
        self._found: dict[str, Tensor] = {}
        self._flowing: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}
        self.last: Tensor | None = None  # what was looked at last in this forward pass

    def _on_begin(self, module: Module, args: tuple) -> None:
        if self.optimizer is None and self._found:
            self._collect()
        if self._flowing:
            forget_gradients([*self._flowing.values()])
        self._begin()

    @property
    def is_due(self) -> bool:
        """Whether this step is looked at."""
        return self.step % self.every == 0

    def look(self, path: str, x: Tensor, limits: tuple[float | None, float | None]) -> Tensor:
        """Look at an activation; return the tensor to go on with."""
        path = self._numbered(path)
        activation, gradient = self._names(path)
        if self._gradients and x._tracked and mode.grad:
            carrier = self._carriers.get(gradient)
            if carrier is None:
                carrier = self._carriers[gradient] = tensor(
                    np.zeros(len(NUMBERS)), requires_grad=True)
            self._note(gradient, path, "gradient", x, False)
            self._flowing[gradient] = carrier
            x, found = observed(x, carrier, *limits)
        elif self._activations:
            found = statistics(x, *limits)
        if self._activations:
            self._note(activation, path, "activation", x, limits != (None, None))
            self._found[activation] = found
        return x

    def _numbered(self, path: str) -> str:
        """Return the path with the number of the call, where a module is called again."""
        count = self._calls[path] = self._calls.get(path, 0) + 1
        return path if count == 1 else f"{path}#{count}"

    def _names(self, path: str) -> tuple[str, str]:
        names = self._known.get(path)
        if names is None:
            start = f"{path} " if path else ""
            names = self._known[path] = (f"{start}activation", f"{start}gradient")
        return names

    def _note(self, name: str, path: str, role: str, x: Tensor, bounded: bool) -> None:
        known = self._probes.get(name)
        if known is None or known.shape != x._shape:
            line = user_location() if known is None else known.line
            self._probes[name] = Probe(name, path, role, line, tuple(x._shape), bounded)
            self._layouts.clear()

    # --- the step ------------------------------------------------------------------------------

    def _on_step(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        self._before = []
        if not self.is_due:
            return
        named = self._named()
        self._take(named, "parameter" if self._parameters else None)
        if self._gradients:
            self._take({n: p.grad for n, p in named.items() if p.grad is not None}, "gradient")
        if self._updates and named:
            self._before = copies([*named.values()])

    def _on_stepped(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        if self.is_due:
            if self._before:
                self._take(self._named(), "update", self._before)
            self._collect()
        self._begin()
        self._before = []
        self.step += 1

    def _named(self) -> dict[str, Tensor]:
        """The parameters, as they were when they were first looked at."""
        if not self._of_model:
            self._of_model = dict(self.model.named_parameters())
        return self._of_model

    def _take(self, tensors: Mapping[str, Tensor], role: str | None,
              others: list[Tensor] | None = None) -> None:
        """Look at tensors of a role, or at their differences from others."""
        if role is None or not tensors:
            return
        found = statistics_of([*tensors.values()], others or [])
        for (path, x), numbers in zip(tensors.items(), found, strict=True):
            name = f"{path} {role}"
            self._note(name, path, role, x, False)
            self._found[name] = numbers

    def _collect(self) -> None:
        """Put everything that was found in this step into one tensor."""
        found = dict(self._found)
        for name, carrier in self._flowing.items():
            gradient = carrier.grad
            if gradient is not None:
                found[name] = gradient
        if self._parameters and self.optimizer is None:
            named = self._named()
            for name, numbers in zip(named, statistics_of([*named.values()]), strict=True):
                self._note(f"{name} parameter", name, "parameter", named[name], False)
                found[f"{name} parameter"] = numbers
        if not found:
            return
        names = tuple(found)
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._layouts[names] = tuple(self._probes[name] for name in names)
        self._frames.append(Frame(self.step, layout, collected([*found.values()])))
        if self._flowing:
            # What is not held any more need not be written out.
            forget_gradients([*self._flowing.values()])
        self._begin()
        if self.optimizer is None:
            self.step += 1

    # --- what was seen -------------------------------------------------------------------------

    @property
    def latest(self) -> Mapping[str, Record]:
        """The records of the last step, by name: "features.0 activation", "fc1.weight update"."""
        if self.optimizer is None and self._found:
            self._collect()
        if not self._frames:
            return {}
        frame = self._frames[-1]
        rows = frame.numbers.numpy()
        return {p.name: record(p, row) for p, row in zip(frame.probes, rows, strict=True)}

    def history(self, name: str) -> Series:
        """Return a value's statistics over the steps that are kept, as arrays.

        Raises:
            ArgumentError: no value of that name was seen.
        """
        steps, rows, probe = [], [], None
        for frame in self._frames:
            for place, known in enumerate(frame.probes):
                if known.name == name:
                    probe = known
                    steps.append(frame.step)
                    rows.append(frame.numbers.numpy()[place])
        if probe is None:
            seen = ", ".join(sorted(self._probes)) or "none yet"
            raise ArgumentError(f"no value is called {name!r}", why=f"seen were: {seen}")
        return series(probe, steps, np.array(rows))

    def __getitem__(self, name: str) -> Record:
        return self.latest[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.latest)

    def __len__(self) -> int:
        return len(self.latest)

    def __str__(self) -> str:
        return "\n".join(map(str, self.latest.values()))


class _Behind:
    """Runs behind a module, and looks at what it hands out."""

    def __init__(self, watch: Watch, path: str, module: Module):
        self.watch, self.path = watch, path
        self.limits = LIMITS.get(type(module), (None, None))
        # What a module of others hands out, or one that does nothing, was looked at already.
        self.changes_in_place = bool(getattr(module, "inplace", False))

    def __call__(self, module: Module, args: tuple, output: Any) -> Any:
        if not self.watch.is_due:
            return None
        output = self._seen(self.path, output)
        if not self.path:
            self.watch.last = None
        return output

    def _seen(self, path: str, output: Any) -> Any:
        if type(output) in (tuple, list):
            return type(output)(self._seen(f"{path}[{k}]", x) for k, x in enumerate(output))
        if not isinstance(output, Tensor) or not output._dtype.is_floating_point:
            return output
        if output is self.watch.last and not self.changes_in_place:
            return output
        # A view shows numbers that were looked at where they were made.
        if not output._is_view:
            output = self.watch.last = self.watch.look(path, output, self.limits)
        return output
