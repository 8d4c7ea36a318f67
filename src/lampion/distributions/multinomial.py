"""The multinomial distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .binomial import Binomial
from .categorical import Categorical
from .distribution import Distribution
from .utils import broadcast_all

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each of K classes comes up in total_count draws.

    Formula: P(x) = n! / (x_1! ... x_K!) probs_1^x_1 ... probs_K^x_K

    Shape: parameters (*batch, K) -> samples (*batch, K).

    Args:
        total_count: the number of draws.
        probs: weights of the classes, at least 0.
        logits: logarithms of weights, in place of probs.

    Example:
        >>> Multinomial(4, torch.tensor([0.25, 0.75])).mean
        tensor([1., 3.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    total_count: int

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None,
                 validate_args: bool | None = None):
        if not isinstance(total_count, int):
            raise torch.errors.UnsupportedError(
                "inhomogeneous total_count is not supported", fix="one whole number")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        self._binomial = Binomial(total_count=total_count, probs=self.probs)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:],
                         validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(Multinomial, batch_shape, _instance)
        new.total_count = self.total_count
        new._categorical = self._categorical.expand(batch_shape)
        new._binomial = Binomial(self.total_count, probs=new.probs)
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts that sum to total_count."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        """total_count probs."""
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        """total_count probs (1 - probs)."""
        return self.total_count * self.probs * (1 - self.probs)

    @property
    def logits(self) -> Any:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def probs(self) -> Any:
        """The probabilities of the classes."""
        return self._categorical.probs

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._categorical.param_shape

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw counts."""
        with torch.no_grad():
            drawn = self._categorical.sample((self.total_count, *sample_shape))
            drawn = drawn.movedim(0, -1)
            counts = torch.zeros(self._extended_shape(sample_shape), dtype=self.probs.dtype)
            return counts.scatter_add(-1, drawn, torch.ones_like(drawn, dtype=counts.dtype))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the probability."""
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = logits.masked_fill((value == 0) & (logits == -torch.inf), 0)
        return (torch.lgamma(value.sum(-1) + 1) - torch.lgamma(value + 1).sum(-1)
                + (logits * value).sum(-1))

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        n = torch.tensor(float(self.total_count), dtype=self.probs.dtype)
        single = self._categorical.entropy()
        support = self._binomial.enumerate_support(expand=False)[1:]
        chances = torch.exp(self._binomial.log_prob(support))
        weights = torch.lgamma(support + 1)
        return n * single - torch.lgamma(n + 1) + (chances * weights).sum((0, -1))
