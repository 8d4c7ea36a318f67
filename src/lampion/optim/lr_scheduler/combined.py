"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.optim.lr_scheduler.base import LRScheduler, set_value, values_of
from lampion.optim.lr_scheduler.plateau import ReduceLROnPlateau
from lampion.optim.optimizer import Optimizer


class CombinedScheduler(LRScheduler):
    """What both kinds share: the checks, and saving the parts."""

    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[Any], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for index, scheduler in enumerate(schedulers):
            kind = type(scheduler).__name__
            if not hasattr(scheduler, "optimizer"):
                raise ArgumentTypeError(
                    f"{name}: the scheduler at index {index} is a {kind}",
                    why="it should have `optimizer` as its attribute",
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{name}: ReduceLROnPlateau at index {index}",
                    why="its step() needs the measure, which the others' do not",
                )
            if scheduler.optimizer is not optimizer:
                raise ArgumentError(
                    f"{name}: the {kind} at index {index} belongs to another optimizer",
                    why=f"{name} expects all schedulers to belong to the same optimizer",
                )

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with that of every part."""
        state = super().state_dict()
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rest = {name: value for name, value in state_dict.items() if name != "_schedulers"}
        super().load_state_dict(rest)
        for scheduler, saved in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(saved)


class SequentialLR(CombinedScheduler):
    """One schedule after the other, changing at the milestones.

    Args:
        optimizer: whose learning rates are set.
        schedulers: schedules of that optimizer.
        milestones: steps at which the next one begins; one less than schedules.

    Example:
        >>> import lampion as torch
        >>> from lampion.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> parts = [ConstantLR(optimizer, 0.5, total_iters=9), ExponentialLR(optimizer, 0.5)]
        >>> schedule = SequentialLR(optimizer, parts, milestones=[1])
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [1.0]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        if not schedulers:
            raise ArgumentError("SequentialLR expects at least one scheduler")
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"{len(schedulers)} schedulers with {len(milestones)} milestones",
                why="there is one milestone between each two schedulers",
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Every part took its first step when it was made: undo these, and take the first one's.
        for group in optimizer.param_groups:
            set_value(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back one step of a schedule and of all schedules inside it."""
        scheduler = self if sched is None else sched
        if hasattr(scheduler, "_schedulers"):
            for inner in scheduler._schedulers:
                self.recursive_undo(inner)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go on by one step of the schedule whose turn it is."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(CombinedScheduler):
    """Several schedules that all act at every step.

    Args:
        schedulers: schedules of one optimizer.
        optimizer: that optimizer; taken from the first schedule when not given.
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if not schedulers:
            raise ArgumentError("ChainedScheduler expects at least one scheduler")
        if optimizer is None:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._check(schedulers, optimizer)  # type: ignore[arg-type]
        self._schedulers = schedulers
        self.optimizer = optimizer  # type: ignore[assignment]
        self._last_lr = values_of(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Go on by one step of every schedule."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = values_of(self.optimizer, "lr")
