"""The categorical distribution."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .bernoulli import either
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits
from .validation import holds

__all__ = ["Categorical"]


class Categorical(Distribution):
    """One of K classes, numbered from 0.

    Formula: P(k) = probs[k] / sum(probs) = softmax(logits)[k]

    Shape: parameters (*batch, K) -> samples (*batch), int64.

    Args:
        probs: weights of the classes, at least 0; they are made to sum to 1.
        logits: logarithms of weights, in place of probs.

    Example:
        >>> d = Categorical(torch.tensor([0.25, 0.75]))
        >>> d.log_prob(torch.tensor([0, 1])).exp()
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        either("Categorical", probs, logits)
        given = probs if logits is None else logits
        if given.dim() < 1:
            name = "probs" if logits is None else "logits"
            raise torch.errors.ArgumentError(
                f"`{name}` parameter must be at least one-dimensional.",
                why="its last axis lists the classes")
        if probs is not None:
            if self._checks(validate_args) and not holds(lambda x: x >= 0, probs):
                raise torch.errors.ArgumentError(
                    f"Expected parameter probs (Tensor of shape {tuple(probs.shape)}) of "
                    f"distribution Categorical to be at least 0, but found invalid values:\n"
                    f"{probs}", fix="logits=x for what a network gives")
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._param = self.probs if probs is not None else self.logits
        self._num_events = self._param.size()[-1]
        super().__init__(self._param.size()[:-1], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(Categorical, batch_shape, _instance, probs=1, logits=1, _param=1)
        new._num_events = self._num_events
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """0 ... K - 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Any:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        """The probabilities of the classes."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter that was given."""
        return self._param.size()

    @property
    def mean(self) -> Any:
        """NaN: classes have no mean."""
        return torch.full(self._extended_shape(), torch.nan, dtype=self.probs.dtype)

    @property
    def mode(self) -> Any:
        """The most probable class."""
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Any:
        """NaN: classes have no variance."""
        return torch.full(self._extended_shape(), torch.nan, dtype=self.probs.dtype)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw classes: the first whose summed probability exceeds a uniform number."""
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            sums = self.probs.double().cumsum(-1)
            drawn = torch.rand(tuple(shape) + (1,), dtype=torch.float64) * sums[..., -1:]
            return (sums <= drawn).sum(-1).clamp(max=self._num_events - 1)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the probability of a class."""
        if self._validate_args:
            self._validate_sample(value)
        value = value.long().unsqueeze(-1)
        shape = torch.broadcast_shapes(value.shape[:-1], self.logits.shape[:-1])
        logits = self.logits.expand(tuple(shape) + (self._num_events,))
        return logits.gather(-1, value.expand(tuple(shape) + (1,))).squeeze(-1)

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        logits = self.logits.clamp(min=torch.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all classes along a new first axis."""
        values = torch.arange(self._num_events).reshape(
            (-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + self._batch_shape) if expand else values
