"""A mixture of distributions of one family."""

from __future__ import annotations

from typing import Any

import lampion as torch

from . import constraints
from .categorical import Categorical
from .distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A component drawn from one distribution, a value from that component.

    Formula: p(x) = sum over k of weight_k p_k(x)

    Args:
        mixture_distribution: a Categorical over the components.
        component_distribution: a batch whose last batch axis lists the components.

    Example:
        >>> d = torch.distributions
        >>> mix = d.MixtureSameFamily(d.Categorical(torch.ones(2)),
        ...                           d.Normal(torch.tensor([0.0, 4.0]), 1.0))
        >>> mix.mean
        tensor(2.)
    """

    arg_constraints: dict[str, Any] = {}
    has_rsample = False

    def __init__(self, mixture_distribution: Categorical, component_distribution: Distribution,
                 validate_args: bool | None = None):
        if not isinstance(mixture_distribution, Categorical):
            raise torch.errors.ArgumentError(
                "The Mixture distribution needs to be an instance of "
                "torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise torch.errors.ArgumentError(
                "The Component distribution need to be an instance of "
                "torch.distributions.Distribution")
        batch, components = component_distribution.batch_shape[:-1], (
            component_distribution.batch_shape[-1:])
        for a, b in zip(reversed(mixture_distribution.batch_shape), reversed(batch),
                        strict=False):
            if a != 1 and b != 1 and a != b:
                raise torch.errors.ShapeArgumentError(
                    f"`mixture_distribution.batch_shape` ({mixture_distribution.batch_shape}) is "
                    "not compatible with `component_distribution.batch_shape`"
                    f"({component_distribution.batch_shape})")
        held = mixture_distribution.param_shape[-1]
        if not components or held != components[0]:
            raise torch.errors.ShapeArgumentError(
                f"`mixture_distribution component` ({held}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({tuple(components)})")
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        self._num_component = held
        event = component_distribution.event_shape
        self._event_ndims = len(event)
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        batch_shape = torch.Size(batch_shape)
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        new._component_distribution = self._component_distribution.expand(
            tuple(batch_shape) + (self._num_component,))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component, new._event_ndims = self._num_component, self._event_ndims
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property
    def support(self) -> Any:
        """The components'."""
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution over the components."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    def _weights(self) -> Any:
        probs = self.mixture_distribution.probs
        return probs.reshape(tuple(probs.shape) + (1,) * self._event_ndims)

    @property
    def mean(self) -> Any:
        """The weighted mean of the components' means."""
        return (self._weights() * self.component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self) -> Any:
        """The mean of the variances plus the variance of the means."""
        weights, axis = self._weights(), -1 - self._event_ndims
        inside = (weights * self.component_distribution.variance).sum(axis)
        away = self.component_distribution.mean - self._pad(self.mean)
        return inside + (weights * away.pow(2.0)).sum(axis)

    def _pad(self, x: Any) -> Any:
        return x.unsqueeze(-1 - self._event_ndims)

    def cdf(self, x: Any) -> Any:
        """Return the probability of at most a value."""
        found = self.component_distribution.cdf(self._pad(x))
        return (found * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(x)
        found = self.component_distribution.log_prob(self._pad(x))
        weights = torch.log_softmax(self.mixture_distribution.logits, dim=-1)
        return torch.logsumexp(found + weights, dim=-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw from every component, and choose one."""
        with torch.no_grad():
            axis = len(sample_shape) + len(self._batch_shape)
            chosen = self.mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            chosen = chosen.reshape(tuple(chosen.shape) + (1,) * (self._event_ndims + 1))
            chosen = chosen.expand(
                tuple(drawn.shape[:axis]) + (1,) + tuple(self._event_shape))
            return torch.gather(drawn, axis, chosen).squeeze(axis)

    def __repr__(self) -> str:
        return (f"MixtureSameFamily(\n  {self.mixture_distribution},\n  "
                f"{self.component_distribution})")
