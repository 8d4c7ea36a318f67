"""The von Mises distribution."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch
from lampion.functions.samplers import von_mises

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles around a mean direction.

    Formula: density exp(concentration cos(x - loc)) / (2 pi I0(concentration))

    Args:
        loc: the mean direction, in radians.
        concentration: how close to it the angles are, above 0.

    Source of the samples: Best and Fisher, "Efficient simulation of the von Mises distribution"
    (1979).

    Example:
        >>> VonMises(0.0, 1.0).mean
        tensor(0.)
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        return self._expanded(VonMises, batch_shape, _instance, loc=0, concentration=0)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        k = self.concentration
        return (k * (torch.cos(value - self.loc) - 1) - math.log(2 * math.pi)
                - torch.log(torch.special.i0e(k)))

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw angles in [-pi, pi)."""
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            angle = von_mises(self.concentration.double().expand(shape))
            turned = (angle + math.pi + self.loc.double()) % (2 * math.pi) - math.pi
            return turned.to(self.loc.dtype)

    @property
    def mean(self) -> Any:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @property
    def variance(self) -> Any:
        """The circular variance, 1 - I1(concentration) / I0(concentration)."""
        return 1 - torch.special.i1e(self.concentration) / torch.special.i0e(self.concentration)
