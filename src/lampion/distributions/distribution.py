"""`Distribution`: what all distributions share."""

from __future__ import annotations

import inspect
from typing import Any

import lampion as torch

from . import constraints
from .utils import lazy_property
from .validation import holds

__all__ = ["Distribution"]


class Distribution:
    """A probability distribution, or a batch of them.

    A sample has the shape `sample_shape + batch_shape + event_shape`.

    Args:
        batch_shape: how many distributions with parameters of their own there are.
        event_shape: the shape of one event of one of them.
        validate_args: check parameters and samples whose numbers are known (default: on).

    Attributes:
        has_rsample: whether gradients flow from samples to parameters.
        has_enumerate_support: whether all values can be listed.
        arg_constraints: where each parameter may lie.

    Example:
        >>> d = torch.distributions.Normal(torch.zeros(3), 1.0)
        >>> d.batch_shape, d.event_shape, d.sample((2,)).shape
        (torch.Size([3]), torch.Size([]), torch.Size([2, 3]))
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Switch checks on or off for distributions that do not say."""
        if value not in (True, False):
            raise torch.errors.ArgumentError(f"validate_args is True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (),
                 validate_args: bool | None = None):
        self._batch_shape, self._event_shape = torch.Size(batch_shape), torch.Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _checks(self, validate_args: bool | None) -> bool:
        return self._validate_args if validate_args is None else validate_args

    def _check_parameters(self) -> None:
        try:
            regions = self.arg_constraints
        except NotImplementedError:
            return
        for name, region in regions.items():
            if constraints.is_dependent(region):
                continue
            if name not in self.__dict__ and isinstance(
                    inspect.getattr_static(type(self), name, None), (lazy_property, property)):
                continue  # follows from a parameter that is checked
            value = getattr(self, name)
            if not holds(region.check, value, region):
                raise torch.errors.ArgumentError(
                    f"Expected parameter {name} ({type(value).__name__} of shape "
                    f"{tuple(value.shape)}) of distribution {type(self).__name__} to satisfy the "
                    f"constraint {region!r}, but found invalid values:\n{value}",
                    why=f"the distribution is defined for {name} in {region!r} only",
                    fix="a transformation of what a network gives, such as .exp(), "
                    "torch.nn.functional.softplus(x) or torch.softmax(x, -1)")

    @property
    def batch_shape(self) -> Any:
        """How many distributions there are."""
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of one event."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """Where each parameter may lie."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks arg_constraints")

    @property
    def support(self) -> Any:
        """Where samples lie."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks support")

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks expand")

    @property
    def mean(self) -> Any:
        """The mean of each distribution."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks mean")

    @property
    def mode(self) -> Any:
        """The most probable value of each distribution."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} does not implement mode")

    @property
    def variance(self) -> Any:
        """The variance of each distribution."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks variance")

    @property
    def stddev(self) -> Any:
        """The standard deviation of each distribution."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw, without a gradient; the shape is sample_shape + batch_shape + event_shape."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draw so that gradients flow to the parameters."""
        raise torch.errors.UnsupportedError(
            f"{type(self).__name__} has no rsample",
            why="its samples are no differentiable function of its parameters",
            fix="sample() and log_prob(), whose gradient is the score function's")

    def sample_n(self, n: int) -> Any:
        """Draw n times (PyTorch's old name)."""
        return self.sample(torch.Size((n,)))

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density, or probability, at a value."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks log_prob")

    def cdf(self, value: Any) -> Any:
        """Return the probability of at most a value."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks cdf")

    def icdf(self, value: Any) -> Any:
        """Return the value below which a share of the distribution lies."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks icdf")

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all values along a new first axis.

        Args:
            expand: repeat them for every distribution of the batch.
        """
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks enumerate_support")

    def entropy(self) -> Any:
        """Return the entropy of each distribution, in nats."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks entropy")

    def perplexity(self) -> Any:
        """Return exp of the entropy."""
        return torch.exp(self.entropy())

    def _extended_shape(self, sample_shape: Any = ()) -> Any:
        return torch.Size(tuple(sample_shape) + tuple(self._batch_shape)
                          + tuple(self._event_shape))

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, torch.Tensor):
            raise torch.errors.ArgumentError("The value argument to log_prob must be a Tensor",
                                             fix="torch.as_tensor(value)")
        event, expected = len(self._event_shape), self._batch_shape + self._event_shape
        if tuple(value.shape[value.dim() - event:]) != tuple(self._event_shape):
            raise torch.errors.ShapeArgumentError(
                f"The right-most size of value must match event_shape: {tuple(value.shape)} vs "
                f"{tuple(self._event_shape)}.")
        for i, j in zip(reversed(value.shape), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise torch.errors.ShapeArgumentError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{tuple(value.shape)} vs {tuple(expected)}.")
        try:
            region = self.support
        except NotImplementedError:
            return
        if not holds(region.check, value, region):
            raise torch.errors.ArgumentError(
                "Expected value argument "
                f"({type(value).__name__} of shape {tuple(value.shape)}) to be within the support "
                f"({region!r}) of the distribution {self!r}, but found invalid values:\n{value}",
                fix=f"{type(self).__name__}(..., validate_args=False) to get -inf or NaN there")

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        ours: Any = type(self)
        if _instance is None and ours.__init__ != cls.__init__:  # type: ignore[misc]
            raise torch.errors.UnsupportedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method.")
        return self.__new__(type(self)) if _instance is None else _instance

    def _expanded(self, cls: type, batch_shape: Any, _instance: Any, **parts: int) -> Any:
        """Return a copy with the named parameters repeated.

        Args:
            parts: for each parameter, how many event axes it has.
        """
        new = self._get_checked_instance(cls, _instance)
        batch_shape = torch.Size(batch_shape)
        for name, event in parts.items():
            if name in self.__dict__:
                held = self.__dict__[name]
                tail = tuple(held.shape[held.dim() - event:])
                setattr(new, name, held.expand(tuple(batch_shape) + tail))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        held = {name: self.__dict__[name] for name in self.arg_constraints
                if name in self.__dict__}
        parts = [f"{name}: {x if x.numel() == 1 else x.size()}" for name, x in held.items()]
        return f"{type(self).__name__}({', '.join(parts)})"
