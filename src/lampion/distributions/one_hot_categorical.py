"""The categorical distribution with samples that mark their class with a 1."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(Distribution):
    """One of K classes as a vector: 1 at the class, 0 elsewhere.

    Shape: parameters (*batch, K) -> samples (*batch, K).

    Args:
        probs: weights of the classes, at least 0.
        logits: logarithms of weights, in place of probs.

    Example:
        >>> OneHotCategorical(torch.tensor([0.0, 1.0])).sample()
        tensor([0., 1.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:],
                         validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(OneHotCategorical, batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def _param(self) -> Any:
        return self._categorical._param

    @property
    def probs(self) -> Any:
        """The probabilities of the classes."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def mean(self) -> Any:
        """probs."""
        return self.probs

    @property
    def mode(self) -> Any:
        """The most probable class."""
        return torch.nn.functional.one_hot(
            self._categorical.mode, self._event_shape[-1]).to(self.probs)

    @property
    def variance(self) -> Any:
        """probs (1 - probs)."""
        return self.probs * (1 - self.probs)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._categorical.param_shape

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw vectors with one 1."""
        drawn = self._categorical.sample(sample_shape)
        return torch.nn.functional.one_hot(drawn, self._event_shape[-1]).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the probability of the class that is marked."""
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all vectors along a new first axis."""
        n = self._event_shape[0]
        values = torch.eye(n, dtype=self._param.dtype)
        values = values.reshape((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n,) + self._batch_shape + (n,)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """The same, with samples whose gradient is that of the probabilities.

    Source: Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic
    neurons for conditional computation" (2013).

    Example:
        >>> p = torch.tensor([0.0, 1.0], requires_grad=True)
        >>> OneHotCategoricalStraightThrough(p, validate_args=False).rsample().requires_grad
        True
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return a sample plus the probabilities, less their numbers."""
        samples, probs = self.sample(sample_shape), self.probs
        return samples + (probs - probs.detach())
