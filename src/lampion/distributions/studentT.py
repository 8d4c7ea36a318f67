"""Student's t-distribution."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch

from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import _standard_normal, broadcast_all

__all__ = ["StudentT"]


class StudentT(Distribution):
    """A normal number over the root of a chi-squared one.

    Formula: density proportional to (1 + ((x - loc) / scale)^2 / df)^(-(df + 1) / 2)

    Args:
        df: degrees of freedom, above 0.
        loc: the median.
        scale: above 0.

    Example:
        >>> StudentT(4.0).variance
        tensor(2.)
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real,
                       "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0,
                 validate_args: bool | None = None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(StudentT, batch_shape, _instance, df=0, loc=0, scale=0)
        new._chi2 = self._chi2.expand(batch_shape)
        return new

    @property
    def mean(self) -> Any:
        """loc for df > 1, else NaN."""
        return self.loc.masked_fill(self.df <= 1, torch.nan)

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Any:
        """scale^2 df / (df - 2) for df > 2; infinite for df > 1, else NaN."""
        finite = self.scale.square() * self.df / (self.df - 2)
        return torch.where(self.df > 2, finite, torch.where(
            self.df > 1, torch.full_like(finite, torch.inf), torch.full_like(finite, torch.nan)))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draw a normal number and a chi-squared one."""
        shape = self._extended_shape(sample_shape)
        normal = _standard_normal(shape, self.df.dtype)
        return self.loc + self.scale * normal * torch.rsqrt(
            self._chi2.rsample(sample_shape) / self.df)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        y = (value - self.loc) / self.scale
        scale = (self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
                 + torch.lgamma(0.5 * self.df) - torch.lgamma(0.5 * (self.df + 1.0)))
        return -0.5 * (self.df + 1.0) * torch.log1p(y**2.0 / self.df) - scale

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        half = 0.5 * self.df
        beta = torch.lgamma(half) + math.lgamma(0.5) - torch.lgamma(0.5 * (self.df + 1))
        return (self.scale.log() + 0.5 * (self.df + 1) * (
            torch.digamma(0.5 * (self.df + 1)) - torch.digamma(half))
            + 0.5 * self.df.log() + beta)
