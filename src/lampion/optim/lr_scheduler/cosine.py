"""Cosine annealing, once or with warm restarts."""

from __future__ import annotations

import math

from lampion.errors import ArgumentError
from lampion.optim.lr_scheduler.base import LRScheduler, Rates, values_of
from lampion.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    r"""lr = eta_min + (initial lr - eta_min) (1 + cos(pi epoch / T_max)) / 2

    Args:
        optimizer: whose learning rates are set.
        T_max: number of steps from the initial rate to the smallest; then it rises again.
        eta_min: smallest rate.
        last_epoch: see `LRScheduler`.

    Example:
        >>> import lampion as torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
        >>> optimizer.step()
        >>> schedule.step()
        >>> round(schedule.get_last_lr()[0], 6)
        0.5

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts"
    (2017), equation (5), without the restarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        self._warn_outside_step()
        if self._is_initial:
            return values_of(self.optimizer, "lr")
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        period, low = self.T_max, self.eta_min
        if (self.last_epoch - 1 - period) % (2 * period) == 0:  # it was at its lowest
            rise = 1 - math.cos(math.pi / period)
            return [group["lr"] + (base_lr - low) * rise / 2
                    for base_lr, group in zip(self.base_lrs, self.optimizer.param_groups,
                                              strict=True)]
        ratio = (1 + math.cos(math.pi * self.last_epoch / period)) / (
            1 + math.cos(math.pi * (self.last_epoch - 1) / period))
        return [ratio * (group["lr"] - low) + low for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> Rates:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base_lr - self.eta_min) * height / 2 for base_lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    r"""lr = eta_min + (initial lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2, again and again.

    Args:
        optimizer: whose learning rates are set.
        T_0: steps until the first restart, 1 or more.
        T_mult: by how much each cycle is longer than the last, an integer of 1 or more.
        eta_min: smallest rate.
        last_epoch: see `LRScheduler`.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts"
    (2017), equation (5).
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ArgumentError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ArgumentError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ArgumentError(f"Expected float or int eta_min, but got {eta_min}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        self._warn_outside_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base_lr - self.eta_min) * height / 2 for base_lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:  # type: ignore[override]
        """Go on by one step, or to `epoch`, which may lie between two whole numbers."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            self._jump(epoch)
        self.last_epoch = math.floor(epoch)
        with self._computing():
            rates = self.get_lr()
        self._set(rates)

    def _jump(self, epoch: float) -> None:
        if epoch < 0:
            raise ArgumentError(f"Expected non-negative epoch, but got {epoch}")
        first, growth = self.T_0, self.T_mult
        if epoch < first:
            self.T_i, self.T_cur = first, epoch  # type: ignore[assignment]
        elif growth == 1:
            self.T_cur = epoch % first  # type: ignore[assignment]
        else:
            cycles = int(math.log(epoch / first * (growth - 1) + 1, growth))
            self.T_cur = epoch - first * (growth**cycles - 1) / (growth - 1)  # type: ignore
            self.T_i = first * growth**cycles
