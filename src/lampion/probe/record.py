"""What a probe says of one value at one step, and over many steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Probe(NamedTuple):
    """A value that is looked at in every step.

    Attributes:
        name: the module's or the parameter's path and the role: "fc1.weight gradient".
        path: of the module or parameter; empty for the model itself.
        role: "activation", "gradient", "parameter" or "update".
        line: the user's line that made it: where the module was called.
        shape: of the value.
        bounded: whether it has limits at which it saturates.
    """

    name: str
    path: str
    role: str
    line: str | None
    shape: tuple[int, ...]
    bounded: bool


@dataclass(frozen=True, slots=True)
class Record:
    """The statistics of one value: of its finite elements, but for the first two counts.

    Attributes:
        name, role, line, shape: as in `Probe`.
        count: how many elements there are.
        non_finite: how many of them are NaN or infinite.
        zeros: how many are zero.
        mean, std: average, and standard deviation around it (of all, not of a sample).
        minimum, maximum: the extremes.
        saturated: the share of elements at the limits of a bounded activation, in [0, 1]; NaN for
            a value without limits.
    """

    name: str
    role: str
    line: str | None
    shape: tuple[int, ...]
    count: int
    non_finite: int
    zeros: int
    mean: float
    std: float
    minimum: float
    maximum: float
    saturated: float

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "scalar"
        share = self.zeros / self.count if self.count else 0.0
        broken = f", {self.non_finite} NaN or infinite" if self.non_finite else ""
        full = "" if np.isnan(self.saturated) else f", {self.saturated:.1%} saturated"
        return (f"{self.name} ({shape}): mean {self.mean:.4g}, std {self.std:.4g}, in "
                f"[{self.minimum:.4g}, {self.maximum:.4g}], {share:.1%} zeros{full}{broken}")


class Series(NamedTuple):
    """The same over the steps that are kept, oldest first: one array for each number."""

    steps: np.ndarray
    non_finite: np.ndarray
    zeros: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    saturated: np.ndarray


def series(probes: list[Probe], steps: list[int], rows: np.ndarray) -> Series:
    """Turn statistics into averages and shares.

    Formula: mean = sum / n, std = sqrt(squares / n - mean^2), n the number of finite elements.

    Args:
        probes: what each row is of: one value, whose shape may change from step to step.
        rows: the statistics, one row a step.
    """
    count = np.array([np.prod(probe.shape) for probe in probes], float)
    non_finite, zeros, saturated, total, squares, low, high = rows.T
    with np.errstate(all="ignore"):
        n = np.where(count > non_finite, count - non_finite, np.nan)
        mean = total / n
        std = np.sqrt(np.maximum(squares / n - mean * mean, 0.0))
        # One number everywhere has no spread; the difference above has rounding errors.
        std = np.where(low == high, 0.0, std)
        share = np.where([probe.bounded for probe in probes], saturated / n, np.nan)
    none = np.isnan(n)
    return Series(np.array(steps), non_finite.astype(np.int64), zeros.astype(np.int64), mean, std,
                  np.where(none, np.nan, low), np.where(none, np.nan, high), share)


def record(probe: Probe, row: np.ndarray) -> Record:
    """Return what one row of statistics says."""
    found = series([probe], [0], row.reshape(1, -1))
    return Record(
        probe.name, probe.role, probe.line, probe.shape, int(np.prod(probe.shape)),
        int(found.non_finite[0]), int(found.zeros[0]), float(found.mean[0]), float(found.std[0]),
        float(found.minimum[0]), float(found.maximum[0]), float(found.saturated[0]))
