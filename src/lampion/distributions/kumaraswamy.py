"""The Kumaraswamy distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .uniform import Uniform
from .utils import broadcast_all, euler_constant

__all__ = ["Kumaraswamy"]


def _moment(a: Any, b: Any, n: int) -> Any:
    return torch.exp(b.log() + torch.lgamma(1 + n / a) + torch.lgamma(b)
                     - torch.lgamma(1 + n / a + b))


class Kumaraswamy(TransformedDistribution):
    """A number between 0 and 1, much as a beta number, with simple formulas.

    Formula: P(X <= x) = 1 - (1 - x^a)^b with a = concentration1, b = concentration0

    Args:
        concentration1, concentration0: a and b, above 0.

    Example:
        >>> Kumaraswamy(1.0, 1.0).mean
        tensor(0.5000)
    """

    arg_constraints = {"concentration1": constraints.positive,
                       "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True  # type: ignore[assignment]

    def __init__(self, concentration1: Any, concentration0: Any,
                 validate_args: bool | None = None):
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        base = Uniform(torch.full_like(self.concentration0, 0),
                       torch.full_like(self.concentration0, 1), validate_args=validate_args)
        super().__init__(base, [
            PowerTransform(exponent=self.concentration0.reciprocal()), AffineTransform(1.0, -1.0),
            PowerTransform(exponent=self.concentration1.reciprocal())],
            validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._get_checked_instance(Kumaraswamy, _instance)
        new.concentration1 = self.concentration1.expand(batch_shape)
        new.concentration0 = self.concentration0.expand(batch_shape)
        return super().expand(batch_shape, new)

    @property
    def mean(self) -> Any:
        """The first moment."""
        return _moment(self.concentration1, self.concentration0, 1)

    @property
    def mode(self) -> Any:
        """The most probable number, where both concentrations are above 1; else NaN."""
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1) / (a * b - 1)) ** a.reciprocal()
        return mode.masked_fill((b < 1) | (a < 1), torch.nan)

    @property
    def variance(self) -> Any:
        """The second moment less the first one squared."""
        return _moment(self.concentration1, self.concentration0, 2) - self.mean.square()

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        a, b = self.concentration1, self.concentration0
        harmonic = torch.digamma(b + 1) + euler_constant
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic - torch.log(a) - torch.log(b)
