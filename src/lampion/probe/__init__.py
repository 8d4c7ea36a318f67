"""Probes: what every value of a training looks like, step by step, and where a NaN was born.

    with probe.watch(model, optimizer) as watch:
        train()
        print(watch.latest["fc1 activation"])

    print(probe.first_non_finite(step))
"""

from __future__ import annotations

from ..errors import ArgumentError, ArgumentTypeError
from ..nn.module import Module
from ..optim.optimizer import Optimizer
from .birth import Birth, first_non_finite
from .record import Probe, Record, Series
from .watch import Watch

__all__ = ["Birth", "Probe", "Record", "Series", "Watch", "first_non_finite", "watch"]


def watch(model: Module, optimizer: Optimizer | None = None, *, activations: bool = True,
          gradients: bool = True, parameters: bool = True, updates: bool = True, every: int = 1,
          keep: int = 1000) -> Watch:
    """Return what watches a training inside its `with` block.

    Every module's result, the gradient that flows back to it, every parameter, its gradient and
    what a step adds to it are counted and summed in the step's own program. They are called by the
    module's or parameter's path and the role: "fc1 activation", "fc1 gradient", "fc1.weight
    parameter", "fc1.weight gradient", "fc1.weight update"; a module called again before
    gradients go back is "fc1#2". Where several passes add up their gradients for one step, the last
    pass counts. The training computes the same numbers as without.

    Args:
        model: the modules that are looked at. A result that is a view of numbers looked at already
            (`Flatten`), or no floating tensor, is left out.
        optimizer: whose steps count, and whose parameters' updates are looked at. Without one,
            parameters' gradients and updates are left out, and a call of the model begins a step,
            unless the gradients of the call before have still to go back.
        activations, gradients, parameters, updates: the roles that are looked at.
        every: look at each so many steps only; 1 or more.
        keep: how many steps `history` goes back; 1 or more.

    Raises:
        ArgumentTypeError: the model is no Module, or the optimizer no Optimizer.
        ArgumentError: `every` or `keep` is below 1.

    Example:
        >>> import lampion as torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with torch.probe.watch(model, optimizer) as watch:
        ...     for _ in range(3):
        ...         optimizer.zero_grad()
        ...         model(torch.ones(2, 3)).sum().backward()
        ...         optimizer.step()
        >>> watch.latest["1 activation"].count, len(watch.history("0.weight update").mean)
        (8, 3)
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError(f"watch(): a model is a Module, not {type(model).__name__}",
                                fix="probe.watch(model, optimizer)")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"watch(): an optimizer is an Optimizer, not {type(optimizer).__name__}",
            fix="probe.watch(model, optimizer)")
    for name, number in (("every", every), ("keep", keep)):
        if number < 1:
            raise ArgumentError(f"watch(): {name} is {number}", why="it counts steps, 1 or more")
    return Watch(model, optimizer, activations, gradients, parameters, updates, every, keep)
