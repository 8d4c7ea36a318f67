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

    def factor(self) -> float | None:
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

    def factor(self) -> float | None:
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
        self.__dict__["factor"] = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        self._warn_outside_step()
        share = self.__dict__["factor"]
        factor = {0: share, self.total_iters: 1.0 / share if share else None}.get(self.last_epoch)
        if self.last_epoch == 0:
            factor = share
        if factor is None:
            return values_of(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def total_factor(self) -> float:
        share = self.__dict__["factor"]
        return share + (self.last_epoch >= self.total_iters) * (1 - share)
