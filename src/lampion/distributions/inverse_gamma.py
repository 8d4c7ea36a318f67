"""The inverse gamma distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .gamma import Gamma
from .transformed_distribution import TransformedDistribution
from .transforms import PowerTransform

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """One over a gamma number.

    Args:
        concentration, rate: those of the gamma distribution, above 0.

    Example:
        >>> InverseGamma(torch.tensor(3.0), 2.0).mean
        tensor(1.)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True  # type: ignore[assignment]

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        base = Gamma(concentration, rate, validate_args=validate_args)
        super().__init__(base, PowerTransform(torch.full((), -1.0, dtype=base.rate.dtype)),
                         validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        return super().expand(batch_shape, self._get_checked_instance(InverseGamma, _instance))

    @property
    def concentration(self) -> Any:
        """The gamma distribution's."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Any:
        """The gamma distribution's."""
        return self.base_dist.rate

    @property
    def mean(self) -> Any:
        """rate / (concentration - 1) for concentration > 1, else infinite."""
        found = self.rate / (self.concentration - 1)
        return torch.where(self.concentration > 1, found, torch.full_like(found, torch.inf))

    @property
    def mode(self) -> Any:
        """rate / (concentration + 1)."""
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Any:
        """The variance for concentration > 2, else infinite."""
        found = self.rate.square() / (
            (self.concentration - 1).square() * (self.concentration - 2))
        return torch.where(self.concentration > 2, found, torch.full_like(found, torch.inf))

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
