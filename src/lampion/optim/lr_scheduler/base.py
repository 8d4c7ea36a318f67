"""LRScheduler: what every learning-rate schedule has in common.

A schedule writes `group["lr"]` of every parameter group of an optimizer: once when it is made
and again at each `step()`. `get_lr()` computes the new values from `last_epoch`, the number of
steps so far. Most schedules multiply the present value by a factor, so that several of them can
act on one optimizer.
"""

from __future__ import annotations

import contextlib
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from lampion.optim.optimizer import Optimizer
from lampion.optim.settings import scalar
from lampion.tensor import Tensor

Rates = list[Any]  # a float, or a tensor where group["lr"] is one

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available."
)
ORDER_WARNING = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in "
    "the opposite order: `optimizer.step()` before `lr_scheduler.step()`. Failure to do this "
    "will result in skipping the first value of the learning rate schedule."
)


def values_of(optimizer: Optimizer, key: str) -> Rates:
    """Return `group[key]` of every group; tensors as copies."""
    return [_copied(group[key]) for group in optimizer.param_groups]


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def set_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Set `group[key]`; a tensor keeps its identity and is filled."""
    if isinstance(group[key], Tensor):
        group[key].fill_(scalar(value))
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> Rates:
    """Return one value for each group, from one value for all or a list."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ArgumentError(
            f"{name} has {len(values)} values, param_groups has {count}",
            why=f"{name} must have the same length as optimizer.param_groups",
        )
    return [_copied(entry) for entry in values]


def check_optimizer(optimizer: Any) -> None:
    """Raise unless it is an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(f"{type(optimizer).__name__} is not an Optimizer")


def saved_function(function: Any) -> dict[str, Any] | None:
    """Return the attributes of a callable object; nothing is saved of a plain function."""
    return None if isinstance(function, types.FunctionType) else function.__dict__.copy()


class LRScheduler:
    """Base of all learning-rate schedules.

    Args:
        optimizer: whose learning rates are set.
        last_epoch: -1 to begin; a step count to go on from there, when the optimizer's state
            with "initial_lr" was loaded.

    Example:
        >>> import lampion as torch
        >>> class Halving(torch.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [base_lr / 2 ** self.last_epoch for base_lr in self.base_lrs]
        >>> weight = torch.zeros(1, requires_grad=True)
        >>> optimizer = torch.optim.SGD([weight], lr=1.0)
        >>> schedule = Halving(optimizer)
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.5]
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        if last_epoch == -1:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", _copied(group["lr"]))
        else:
            for index, group in enumerate(optimizer.param_groups):
                if "initial_lr" not in group:
                    raise KeyError(
                        f"param 'initial_lr' is not specified in param_groups[{index}] when "
                        "resuming scheduler with last_epoch >= 0; load the optimizer's state "
                        "first, or leave last_epoch out for a new run"
                    )
        self.base_lrs = values_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        optimizer.watch_order()
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the first values."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> Rates:
        """Return the learning rates that belong to `last_epoch`."""
        raise UnsupportedError(f"{type(self).__name__} has no get_lr",
                               why="a schedule defines get_lr()")

    def get_last_lr(self) -> Rates:
        """Return the learning rates set by the last step."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on by one step; to be called after `optimizer.step()`."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(ORDER_WARNING, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed_form: Callable[[], Rates] | None = getattr(self, "_get_closed_form_lr", None)
        with self._computing():
            rates = self.get_lr() if epoch is None or closed_form is None else closed_form()
        self._set(rates)

    def _set(self, rates: Rates) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_value(group, "lr", rate)
        self._last_lr = values_of(self.optimizer, "lr")

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`.", UserWarning, stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` returned."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The old name of `LRScheduler`."""


class FactorScheduler(LRScheduler):
    """A schedule that multiplies the learning rates by a factor at some of its steps.

    Subclasses define `step_factor()`, and `total_factor()` for a jump to a given epoch.
    """

    def step_factor(self) -> float | None:
        """Return what the present rates are multiplied by at `last_epoch`; None for nothing."""
        raise NotImplementedError

    def total_factor(self) -> float:
        """Return what the initial rates are multiplied by at `last_epoch`."""
        raise NotImplementedError

    def get_lr(self) -> Rates:
        self._warn_outside_step()
        factor = self.step_factor()
        if factor is None:
            return values_of(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> Rates:
        factor = self.total_factor()
        return [base_lr * factor for base_lr in self.base_lrs]
