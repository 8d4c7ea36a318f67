"""Schedules that multiply: by a function, at milestones, along a line, a power, a polynomial."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError
from lampion.optim.lr_scheduler.base import (
    FactorScheduler,
    LRScheduler,
    Rates,
    saved_function,
    values_of,
)
from lampion.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """lr = initial lr * function(epoch).

    Args:
        optimizer: whose learning rates are set.
        lr_lambda: a function of the step count, or a list of them, one for each group.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import lampion as torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5 ** epoch)
        >>> optimizer.step()
        >>> schedule.step()
        >>> optimizer.param_groups[0]["lr"]
        0.5
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1
    ) -> None:
        count = len(optimizer.param_groups)
        functions = lr_lambda if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(functions) != count:
            raise ArgumentError(f"Expected {count} lr_lambdas, but got {len(functions)}",
                                why="there must be one function for each parameter group")
        for function in functions:
            if not callable(function):
                raise ArgumentTypeError(
                    f"lr_lambda is a {type(function).__name__}", why="it should be a function")
        self.lr_lambdas = list(functions)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state; of the functions only the attributes of callable objects."""
        state = super().state_dict()
        state["lr_lambdas"] = [saved_function(function) for function in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rest = {name: value for name, value in state_dict.items() if name != "lr_lambdas"}
        super().load_state_dict(rest)
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                function.__dict__.update(saved)

    def get_lr(self) -> Rates:
        self._warn_outside_step()
        return [base_lr * function(self.last_epoch)
                for function, base_lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]


class MultiplicativeLR(LambdaLR):
    """lr = present lr * function(epoch), from the first step on."""

    def get_lr(self) -> Rates:
        self._warn_outside_step()
        if self._is_initial:
            return values_of(self.optimizer, "lr")
        return [group["lr"] * function(self.last_epoch) for function, group
                in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)]


class StepLR(FactorScheduler):
    """Multiplies by gamma every `step_size` steps.

    Example:
        >>> import lampion as torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     schedule.step()
        >>> schedule.get_last_lr()
        [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float | None:
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self.gamma if due else None

    def total_factor(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(FactorScheduler):
    """Multiplies by gamma at each of the milestones; one that is named twice counts twice."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float | None:
        if self.last_epoch not in self.milestones:
            return None
        return self.gamma ** self.milestones[self.last_epoch]

    def total_factor(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(FactorScheduler):
    """Multiplies by a factor for the first `total_iters` steps.

    Args:
        factor: 0 to 1.
        total_iters: after how many steps the initial rate returns.
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ArgumentError(f"factor={factor}",
                                why="Constant multiplicative factor expected to be between 0 and 1")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float | None:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else None

    def total_factor(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(FactorScheduler):
    """Goes from start_factor to end_factor of the initial rate along a line.

    Args:
        start_factor: share of the initial rate at the beginning, above 0, at most 1.
        end_factor: share at the end, 0 to 1.
        total_iters: number of steps from one to the other.

    Example:
        >>> import lampion as torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_lr()
        [0.75]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0,
        total_iters: int = 5, last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ArgumentError(f"start_factor={start_factor}", why="Starting multiplicative "
                                "factor expected to be greater than 0 and less or equal to 1")
        if end_factor > 1.0 or end_factor < 0:
            raise ArgumentError(f"end_factor={end_factor}", why="Ending multiplicative factor "
                                "expected to be between 0 and 1")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float | None:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (
            self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def total_factor(self) -> float:
        rise = self.end_factor - self.start_factor
        done = min(self.total_iters, self.last_epoch)
        return self.start_factor + rise * done / self.total_iters


class ExponentialLR(FactorScheduler):
    """Multiplies by gamma at every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float | None:
        return None if self._is_initial else self.gamma

    def total_factor(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(FactorScheduler):
    """lr = initial lr * (1 - epoch / total_iters) ** power, and 0 after total_iters steps."""

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float | None:
        if self._is_initial or self.last_epoch > self.total_iters:
            return None
        left = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return (left / before) ** self.power

    def total_factor(self) -> float:
        done = min(self.total_iters, self.last_epoch)
        return (1.0 - done / self.total_iters) ** self.power
