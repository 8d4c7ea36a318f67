"""The negative binomial distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .bernoulli import either
from .distribution import Distribution
from .gamma import Gamma
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["NegativeBinomial"]


class NegativeBinomial(Distribution):
    """The number of successes before total_count failures.

    Formula: P(k) = gamma(n + k) / (k! gamma(n)) (1 - probs)^n probs^k with n = total_count

    Args:
        total_count: the number of failures, above 0; it need not be whole.
        probs: the probability of success, in [0, 1).
        logits: its log odds, in place of probs.

    Example:
        >>> NegativeBinomial(3.0, torch.tensor(0.5)).mean
        tensor(3.)
    """

    arg_constraints = {"total_count": constraints.greater_than_eq(0),
                       "probs": constraints.half_open_interval(0.0, 1.0),
                       "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None):
        either("NegativeBinomial", probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
            self.total_count = self.total_count.type_as(self.probs)
            self._param = self.probs
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
            self.total_count = self.total_count.type_as(self.logits)
            self._param = self.logits
        super().__init__(self._param.size(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        return self._expanded(NegativeBinomial, batch_shape, _instance, total_count=0, probs=0,
                              logits=0, _param=0)

    @property
    def mean(self) -> Any:
        """total_count times the odds of success."""
        return self.total_count * torch.exp(self.logits)

    @property
    def mode(self) -> Any:
        """The most probable count."""
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        """The mean over the probability of failure."""
        return self.mean / torch.sigmoid(-self.logits)

    @lazy_property
    def logits(self) -> Any:
        """The log odds of success."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        """The probability of success."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._param.size()

    @lazy_property
    def _gamma(self) -> Any:
        return Gamma(self.total_count, torch.exp(-self.logits), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw a gamma number as the rate of a Poisson one."""
        with torch.no_grad():
            return torch.poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the probability."""
        if self._validate_args:
            self._validate_sample(value)
        n = self.total_count
        chances = (n * torch.nn.functional.logsigmoid(-self.logits)
                   + value * torch.nn.functional.logsigmoid(self.logits))
        choices = -torch.lgamma(n + value) + torch.lgamma(1.0 + value) + torch.lgamma(n)
        return chances - choices.masked_fill(n + value == 0.0, 0.0)
