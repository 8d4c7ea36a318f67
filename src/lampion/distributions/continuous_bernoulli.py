"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch

from . import constraints
from .bernoulli import either
from .exp_family import ExponentialFamily
from .utils import (
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    rand,
)

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ExponentialFamily):
    """Numbers in [0, 1] with density proportional to probs^x (1 - probs)^(1 - x).

    Args:
        probs: in (0, 1).
        logits: its log odds, in place of probs.
        lims: between these, where the formulas have 0 / 0, their Taylor series is used.

    Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in
    variational autoencoders" (2019).

    Example:
        >>> ContinuousBernoulli(torch.tensor([0.5])).mean
        tensor([0.5000])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    _mean_carrier_measure = 0
    has_rsample = True

    def __init__(self, probs: Any = None, logits: Any = None, lims: tuple = (0.499, 0.501),
                 validate_args: bool | None = None):
        either("ContinuousBernoulli", probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
            self.probs = clamp_probs(self.probs)
            self._param = self.probs
        else:
            (self.logits,) = broadcast_all(logits)
            self._param = self.logits
        self._lims = lims
        super().__init__(self._param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(ContinuousBernoulli, batch_shape, _instance, probs=0, logits=0,
                             _param=0)
        new._lims = self._lims
        return new

    def _far(self) -> Any:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut_probs(self) -> Any:
        return torch.where(self._far(), self.probs, torch.full_like(self.probs, self._lims[0]))

    def _cont_bern_log_norm(self) -> Any:
        cut = self._cut_probs()
        below = torch.where(cut <= 0.5, cut, torch.zeros_like(cut))
        above = torch.where(cut >= 0.5, cut, torch.ones_like(cut))
        exact = (torch.log(torch.abs(torch.log1p(-cut) - torch.log(cut)))
                 - torch.where(cut <= 0.5, torch.log1p(-2.0 * below),
                               torch.log(2.0 * above - 1.0)))
        x = (self.probs - 0.5).square()
        return torch.where(self._far(), exact, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self) -> Any:
        """The mean."""
        cut = self._cut_probs()
        exact = cut / (2.0 * cut - 1.0) + 1.0 / (torch.log1p(-cut) - torch.log(cut))
        x = self.probs - 0.5
        return torch.where(self._far(), exact, 0.5 + (1 / 3 + 16 / 45 * x.square()) * x)

    @property
    def stddev(self) -> Any:
        """The standard deviation."""
        return torch.sqrt(self.variance)

    @property
    def variance(self) -> Any:
        """The variance."""
        cut = self._cut_probs()
        exact = (cut * (cut - 1.0) / (1.0 - 2.0 * cut).square()
                 + 1.0 / (torch.log1p(-cut) - torch.log(cut)).square())
        x = (self.probs - 0.5).square()
        return torch.where(self._far(), exact, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    @lazy_property
    def logits(self) -> Any:
        """The log odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        """The parameter in (0, 1)."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._param.size()

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draw by the inverse of the cumulative distribution."""
        return self.icdf(rand(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return (-torch.nn.functional.binary_cross_entropy_with_logits(
            logits, value, reduction="none") + self._cont_bern_log_norm())

    def cdf(self, value: Any) -> Any:
        """Return the probability of at most a value."""
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut_probs()
        inner = (torch.pow(cut, value) * torch.pow(1.0 - cut, 1.0 - value) + cut - 1.0) / (
            2.0 * cut - 1.0)
        found = torch.where(self._far(), inner, value)
        return torch.where(value <= 0, torch.zeros_like(found),
                           torch.where(value >= 1, torch.ones_like(found), found))

    def icdf(self, value: Any) -> Any:
        """Return the value below which a share lies."""
        cut = self._cut_probs()
        found = (torch.log1p(-cut + value * (2.0 * cut - 1.0)) - torch.log1p(-cut)) / (
            torch.log(cut) - torch.log1p(-cut))
        return torch.where(self._far(), found, value)

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        none, one = torch.log1p(-self.probs), torch.log(self.probs)
        return self.mean * (none - one) - self._cont_bern_log_norm() - none

    @property
    def _natural_params(self) -> tuple:
        return (self.logits,)
