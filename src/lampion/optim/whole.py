"""A step of an optimizer as one recorded call, however many operations it stands for.

An optimizer whose steps may be recorded so says which numbers they use (`numbers`), apart from the
tensors: when the step is made again with another learning rate or another step count, the program
gets other numbers and is the same. One that says nothing is recorded operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import is_
from typing import TYPE_CHECKING, Any

from lampion.ir import Lifted, mode
from lampion.replay.recorded import recorded

if TYPE_CHECKING:
    from lampion.optim.optimizer import Group, Optimizer
    from lampion.tensor import Tensor


def can_be_whole(optimizer: Optimizer) -> bool:
    """Whether every state is there, and everything that is no tensor is a number."""
    return _operands(None, (optimizer,), {}) is not None


def _stepped(optimizer: Optimizer) -> Iterator[tuple[Group, Tensor]]:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter._gradient is not None:
                yield group, parameter


def _operands(run: Any, args: tuple, kwargs: dict) -> list | None:
    """Return what a step depends on: settings, parameters, gradients, states and numbers."""
    (optimizer,) = args
    operands: list = [type(optimizer)]
    counters = optimizer.counters
    for group in optimizer.param_groups:
        settings = optimizer.settings(group)
        if settings is None or group.get("differentiable"):
            return None
        kept, parameters = optimizer.kept(group), group["params"]
        operands.append((len(parameters), int(bool(group.get("maximize"))), *settings))
        gradients = [parameter._gradient for parameter in parameters]
        operands += gradients
        stepped = [parameter for parameter, gradient in zip(parameters, gradients, strict=True)
                   if gradient is not None]
        operands += stepped
        states = _states(optimizer, stepped) if kept or counters else [{}] * len(stepped)
        try:
            for name in kept:
                operands += [state[name] for state in states]
            counts = [*zip(*[[state[name] for state in states] for name in counters],
                           strict=True)] if counters else [()] * len(stepped)
        except KeyError:
            return None
        seen = set()
        for count, state in zip(counts, states, strict=True):
            if count not in seen:
                seen.add(count)
                for number in optimizer.numbers(state, group).values():
                    if not isinstance(number, (int, float)):
                        return None
                    operands.append(float(number))
    return operands


def _states(optimizer: Optimizer, parameters: list[Tensor]) -> list[dict]:
    """Return the state of each parameter."""
    states = optimizer.state
    if len(states) == len(parameters) and all(map(is_, states, parameters)):
        return [*states.values()]
    return [states[parameter] for parameter in parameters]


def _follow(run: Any, args: tuple, kwargs: dict) -> None:
    """Count the step, in a way that can be taken back."""
    (optimizer,) = args
    if not optimizer.counters:
        return
    counted = [(optimizer.state[parameter], name) for _, parameter in _stepped(optimizer)
               for name in optimizer.counters]
    before = [state[name] for state, name in counted]

    def undo() -> None:
        for (state, name), number in zip(counted, before, strict=True):
            state[name] = number

    if run is not None:
        run.undo.append(undo)
    for state, name in counted:
        state[name] += 1


def step_whole(optimizer: Optimizer) -> None:
    """Update every parameter that has a gradient."""
    lift = _lifting()
    for group in optimizer.param_groups:
        known: dict[tuple, dict] = {}
        for parameter in group["params"]:
            if parameter._gradient is None:
                continue
            state = optimizer.state[parameter] if optimizer.kept(group) else {}
            count = tuple(state[name] for name in optimizer.counters)
            if count not in known:
                known[count] = {name: lift(number) for name, number in
                                optimizer.numbers(state, group).items()}
            optimizer.step_parameter(parameter, group, known[count])


def _lifting() -> Callable[[float], float]:
    """Return what makes numbers into inputs of the recorded call."""
    if mode.noting is None:
        return float
    place = -1

    def lift(number: float) -> float:
        nonlocal place
        place += 1
        return Lifted(number, place)

    return lift


EVERYWHERE = range(1 << 30)
step_whole = recorded(
    step_whole, lifts=EVERYWHERE, operands=_operands, follow=_follow, computes=True)
