"""Probes of a training step: a few numbers of every value that a training passes through.

    forward      behind each module: its activation is looked at, and its gradient gets a carrier
    backward     makes the statistics of the gradients, as gradients of the carriers
    step         before it: parameters and their gradients; after it: what was added to them, and
                 everything of the step in one small tensor, which the step's own flush computes

Everything is part of the step's own program, so it is recorded and replayed with the step.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
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
Limits = tuple[float | None, float | None]
NO_LIMITS: Limits = (None, None)
LIMITS: dict[type, Limits] = {
    activation.Tanh: (-0.97, 0.97), activation.Sigmoid: (0.0125, 0.9875),
    activation.Softsign: (-0.8, 0.8),
}


class Place(NamedTuple):
    """Where a module's result is looked at, and its gradient."""

    activation: Probe
    gradient: Probe
    shape: tuple[int, ...]
    carrier: Tensor


class Frame(NamedTuple):
    """The statistics of one step: row by row those of the probes."""

    step: int
    probes: tuple[tuple[Probe, ...], ...]
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
        self._is_on = False
        self._handles: list[Any] = []
        self._behind: list[Any] = []
        self._frames: deque[Frame] = deque(maxlen=keep)
        self._places: dict[tuple[str, int], Place] = {}
        self._probes: dict[str, Probe] = {}
        self._named: dict[str, Tensor] = {}
        self._hooks: list[tuple[Module, _Behind]] = []
        self._begin()

    # --- the block -----------------------------------------------------------------------------

    def __enter__(self) -> Watch:
        if self._is_on:
            raise StateError("this watch is in use already", fix="probe.watch(model) once more")
        self._is_on = True
        self._begin()
        self._named = dict(self.model.named_parameters())
        self._hooks = [(module, _Behind(self, path, module))
                       for path, module in self.model.named_modules()]
        if self.optimizer is None:
            self._handles.append(self.model.register_forward_pre_hook(self._on_call))
        else:
            self._handles.append(self.model.register_forward_pre_hook(self._on_forward))
            self._handles.append(self.optimizer.register_step_pre_hook(self._on_step))
            self._handles.append(self.optimizer.register_step_post_hook(self._on_stepped))
        self._prepare()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.optimizer is None and self._is_due:
            self._finish()
        self._is_on = False
        for handle in self._handles + self._behind:
            handle.remove()
        self._handles, self._behind, self._hooks = [], [], []

    @property
    def _is_due(self) -> bool:
        return self.step % self.every == 0

    def _prepare(self) -> None:
        """Put hooks behind the modules for a step that is looked at, and for no other."""
        if self._is_due and not self._behind:
            self._behind = [module.register_forward_hook(hook) for module, hook in self._hooks]
        elif not self._is_due and self._behind:
            for handle in self._behind:
                handle.remove()
            self._behind = []

    # --- forward -------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Forget what was noted since the last step was finished."""
        self._found: list[tuple[list[Probe], Tensor]] = []
        self._flowing: list[Place] = []
        self._calls: dict[str, int] = {}
        self._before: list[Tensor] = []
        self.last: Tensor | None = None  # what was looked at last in this forward pass

    def _goes_on(self) -> bool:
        """Whether a call of the model belongs to the same pass as the calls before.

        So it is where nothing has gone back from those: one backward pass may come for all.
        """
        return bool(self._flowing) and all(p.carrier.grad is None for p in self._flowing)

    def _on_call(self, module: Module, args: tuple) -> None:
        """Without an optimizer, a call of the model ends the step before."""
        if (self._calls or self.step % self.every) and not self._goes_on():
            self._finish()
            self.step += 1
            self._prepare()

    def _on_forward(self, module: Module, args: tuple) -> None:
        # What no step followed was a validation, or a pass whose gradients add up with the next.
        if not self._goes_on():
            self._forget_gradients()
            self._begin()

    def _forget_gradients(self) -> None:
        if self._flowing:
            forget_gradients([place.carrier for place in self._flowing])

    def look(self, path: str, x: Tensor, limits: Limits) -> Tensor:
        """Look at an activation; return the tensor to go on with."""
        count = self._calls[path] = self._calls.get(path, 0) + 1
        place = self._places.get((path, count))
        if place is None or place.shape != x._shape:
            place = self._places[path, count] = self._place(path, count, x, limits, place)
        if self._gradients and x._tracked and mode.grad:
            self._flowing.append(place)
            if place.carrier.grad is not None:  # of a graph that was walked once more
                forget_gradients([place.carrier])
            return observed(x, place.carrier, *limits)
        if self._activations:
            self._found.append(([place.activation], statistics(x, *limits)))
        return x

    def _place(self, path: str, count: int, x: Tensor, limits: Limits, old: Place | None) -> Place:
        numbered = path if count == 1 else f"{path}#{count}"
        activation = self._probe(numbered, "activation", x, limits != NO_LIMITS)
        gradient = self._probe(numbered, "gradient", x)
        carrier = tensor(np.zeros(2 * len(NUMBERS)), requires_grad=True) if old is None else (
            old.carrier)
        return Place(activation, gradient, x._shape, carrier)

    def _probe(self, path: str, role: str, x: Tensor, bounded: bool = False) -> Probe:
        name = f"{path} {role}" if path else role
        known = self._probes.get(name)
        if known is None or known.shape != x._shape:
            line = user_location() if known is None else known.line
            known = self._probes[name] = Probe(name, path, role, line, tuple(x._shape), bounded)
        return known

    # --- the step ------------------------------------------------------------------------------

    def _on_step(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        if not self._is_due:
            return
        if self._parameters:
            self._take("parameter", self._named)
        if self._gradients:
            gradients = {name: p.grad for name, p in self._named.items()}
            self._take("gradient", {n: g for n, g in gradients.items() if g is not None})
        if self._updates and self._named:
            self._before = copies([*self._named.values()])

    def _on_stepped(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        if self._is_due:
            if self._before:
                self._take("update", self._named, self._before)
            self._finish()
        self.step += 1
        self._prepare()

    def _take(self, role: str, tensors: Mapping[str, Tensor], others: Sequence[Tensor] = (),
              ) -> None:
        """Look at tensors of a role, or at their differences from others."""
        if tensors:
            probes = [self._probe(path, role, x) for path, x in tensors.items()]
            lists = ([*tensors.values()], [*others]) if others else ([*tensors.values()],)
            self._found.append((probes, statistics_of(*lists)))

    def _finish(self) -> None:
        """Put everything that was found in this step into one tensor."""
        if self.optimizer is None and self._parameters and self._calls:
            self._take("parameter", self._named)
        groups, tensors = [], []
        for place in self._flowing:
            if place.carrier._gradient is not None:
                groups.append((place.activation, place.gradient))
                tensors.append(place.carrier._gradient)
        for probes, numbers in self._found:
            groups.append(tuple(probes))
            tensors.append(numbers)
        if tensors:
            self._frames.append(Frame(self.step, tuple(groups), collected(tensors)))
        self._forget_gradients()
        self._begin()

    # --- what was seen -------------------------------------------------------------------------

    @property
    def latest(self) -> Mapping[str, Record]:
        """The records of the last step, by name: "features.0 activation", "fc1.weight update"."""
        if self.optimizer is None and self._calls:
            self._finish()
        if not self._frames:
            return {}
        frame = self._frames[-1]
        return {probe.name: record(probe, row) for probe, row in self._rows(frame)}

    def _rows(self, frame: Frame) -> Iterator[tuple[Probe, np.ndarray]]:
        """Yield the probes of a step and their numbers."""
        for probe, row in zip(itertools.chain(*frame.probes), frame.numbers.numpy(), strict=True):
            if self._activations or probe.role != "activation":
                yield probe, row

    def history(self, name: str) -> Series:
        """Return a value's statistics over the steps that are kept, as arrays.

        Raises:
            ArgumentError: no value of that name was seen.
        """
        found = [(frame.step, probe, row) for frame in self._frames
                 for probe, row in self._rows(frame) if probe.name == name]
        if not found:
            seen = ", ".join(sorted(self._probes)) or "none yet"
            raise ArgumentError(f"no value is called {name!r}", why=f"seen were: {seen}")
        return series([probe for _, probe, _ in found], [step for step, _, _ in found],
                      np.array([row for _, _, row in found]))

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
        self.limits = LIMITS.get(type(module), NO_LIMITS)
        # What a module of others hands out, or one that does nothing, was looked at already.
        self.changes_in_place = bool(getattr(module, "inplace", False))

    def __call__(self, module: Module, args: tuple, output: Any) -> Any:
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
