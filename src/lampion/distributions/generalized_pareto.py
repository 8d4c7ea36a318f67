"""The generalized Pareto distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """What lies beyond a threshold: exponential, Pareto and uniform tails in one family.

    Formula: P(X > x) = (1 + concentration z)^(-1 / concentration) with z = (x - loc) / scale, and
    exp(-z) for concentration 0

    Args:
        loc: the threshold.
        scale: above 0.
        concentration: 0 for an exponential tail, above for a heavier one, below for a bounded one.

    Example:
        >>> GeneralizedPareto(0.0, 1.0, 0.5).mean
        tensor(2.)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive,
                       "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any,
                 validate_args: bool | None = None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        return self._expanded(GeneralizedPareto, batch_shape, _instance, loc=0, scale=0,
                              concentration=0)

    def _parts(self) -> tuple:
        """Where the concentration is 0, and the concentration with a 1 there."""
        zero = torch.isclose(self.concentration, torch.zeros_like(self.concentration))
        return zero, torch.where(zero, torch.ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draw by the inverse of the cumulative distribution."""
        return self.icdf(torch.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, safe = self._parts()
        power = 1 / safe + 1
        curved = torch.where(power == 0, torch.zeros_like(z), power * torch.log1p(safe * z))
        return -self.scale.log() - torch.where(zero, z, curved)

    def log_survival_function(self, value: Any) -> Any:
        """Return ln P(X > value)."""
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, safe = self._parts()
        return torch.where(zero, -z, -torch.log1p(safe * z) / safe)

    def log_cdf(self, value: Any) -> Any:
        """Return ln P(X <= value)."""
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    def cdf(self, value: Any) -> Any:
        """Return the probability of at most a value."""
        return torch.exp(self.log_cdf(value))

    def icdf(self, value: Any) -> Any:
        """Return the value below which a share lies."""
        zero, safe = self._parts()
        log = torch.log1p(-value)
        curved = self.loc + self.scale / safe * torch.expm1(-safe * log)
        return torch.where(zero, self.loc - self.scale * log, curved)

    @property
    def mean(self) -> Any:
        """loc + scale / (1 - concentration) for concentration < 1, else NaN."""
        found = self.loc + self.scale / (1 - self.concentration)
        return found.masked_fill(self.concentration >= 1, torch.nan)

    @property
    def variance(self) -> Any:
        """The variance for concentration < 1/2, else NaN."""
        c = self.concentration
        found = self.scale**2 / ((1 - c) ** 2 * (1 - 2 * c))
        return found.masked_fill(c >= 0.5, torch.nan)

    def entropy(self) -> Any:
        """Return ln(scale) + concentration + 1."""
        return torch.log(self.scale) + self.concentration + 1

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """From loc on; bounded above where the concentration is negative."""
        upper = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, torch.where(
            self.concentration < 0, upper, torch.full_like(upper, torch.inf)))
