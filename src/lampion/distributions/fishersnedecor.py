"""The F-distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .distribution import Distribution
from .gamma import Gamma
from .utils import broadcast_all

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The ratio of two chi-squared numbers, each over its degrees of freedom.

    Args:
        df1, df2: degrees of freedom, above 0.

    Example:
        >>> FisherSnedecor(2.0, 4.0).mean
        tensor(2.)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None):
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2)
        super().__init__(self.df1.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(FisherSnedecor, batch_shape, _instance, df1=0, df2=0)
        new._gamma1, new._gamma2 = (g.expand(batch_shape) for g in (self._gamma1, self._gamma2))
        return new

    @property
    def mean(self) -> Any:
        """df2 / (df2 - 2) for df2 > 2, else NaN."""
        mean = self.df2 / (self.df2 - 2)
        return mean.masked_fill(self.df2 <= 2, torch.nan)

    @property
    def mode(self) -> Any:
        """The most probable number, for df1 > 2, else NaN."""
        mode = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return mode.masked_fill(self.df1 <= 2, torch.nan)

    @property
    def variance(self) -> Any:
        """The variance, for df2 > 4, else NaN."""
        less = self.df2 - 2
        found = 2 * self.df2.square() * (self.df1 + less) / (
            self.df1 * less.square() * (self.df2 - 4))
        return found.masked_fill(self.df2 <= 4, torch.nan)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draw two gamma numbers and divide."""
        tiny = torch.finfo(self.df1.dtype).tiny
        below = self._gamma2.rsample(sample_shape).clamp(min=tiny)
        return (self._gamma1.rsample(sample_shape) / below).clamp(min=tiny)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        one, two = self.df1 * 0.5, self.df2 * 0.5
        ratio = self.df1 / self.df2
        return ((one + two).lgamma() - one.lgamma() - two.lgamma() + one * ratio.log()
                + (one - 1) * value.log() - (one + two) * torch.log1p(ratio * value))
