"""The binomial distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .bernoulli import either
from .distribution import Distribution
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Binomial"]


def softplus(x: Any) -> Any:
    """ln(1 + exp(x)), with a gradient of one half at 0."""
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


class Binomial(Distribution):
    """The number of successes in independent trials.

    Formula: P(k) = n! / (k! (n - k)!) probs^k (1 - probs)^(n - k)

    Args:
        total_count: the number of trials n, a whole number of at least 0.
        probs: the probability of success, in [0, 1].
        logits: its log odds, in place of probs.

    Example:
        >>> Binomial(10, torch.tensor([0.0, 0.5, 1.0])).mean
        tensor([ 0.,  5., 10.])
    """

    arg_constraints = {"total_count": constraints.nonnegative_integer,
                       "probs": constraints.unit_interval, "logits": constraints.real}
    has_enumerate_support = True

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None):
        either("Binomial", probs, logits)
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
        return self._expanded(Binomial, batch_shape, _instance, total_count=0, probs=0, logits=0,
                              _param=0)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """0 ... total_count."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        """total_count probs."""
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        """The most probable count."""
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Any:
        """total_count probs (1 - probs)."""
        return self.total_count * self.probs * (1 - self.probs)

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

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw counts."""
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            return torch.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the probability."""
        if self._validate_args:
            self._validate_sample(value)
        n = self.total_count
        choices = torch.lgamma(n + 1) - torch.lgamma(value + 1) - torch.lgamma(n - value + 1)
        return choices + value * self.logits - n * softplus(self.logits)

    def entropy(self) -> Any:
        """Return the entropy; all batch members must have the same total_count."""
        most = int(self.total_count.max())
        if not bool((self.total_count == most).all()):
            raise torch.errors.UnsupportedError(
                "Inhomogeneous total count not supported by `entropy`.",
                fix="one Binomial for each total_count")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(torch.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all counts along a new first axis."""
        most = int(self.total_count.max())
        if not bool((self.total_count == most).all()):
            raise torch.errors.UnsupportedError(
                "Inhomogeneous total count not supported by `enumerate_support`.",
                fix="one Binomial for each total_count")
        values = torch.arange(1 + most, dtype=self._param.dtype)
        values = values.reshape((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + self._batch_shape) if expand else values
