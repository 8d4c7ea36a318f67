"""The multivariate normal distribution."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch

from . import constraints
from .distribution import Distribution
from .utils import _standard_normal, lazy_property

__all__ = ["MultivariateNormal"]


def _batch_mv(matrix: Any, vector: Any) -> Any:
    """Products of matrices with vectors."""
    return torch.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def _batch_mahalanobis(lower: Any, away: Any) -> Any:
    """Return |L^-1 x|^2 for each pair of a lower triangle and a vector.

    Shape: (*batch, n, n), (*more, *batch, n) -> (*more, *batch).
    """
    n = away.shape[-1]
    if lower.dim() == 2:  # one triangle for all: its solutions are columns of one matrix
        solved = torch.linalg.solve_triangular(lower, away.reshape(-1, n).mT, upper=False)
        return solved.square().sum(0).reshape(away.shape[:-1])
    batch = torch.broadcast_shapes(lower.shape[:-2], away.shape[:-1])
    lower = lower.expand(tuple(batch) + (n, n))
    away = away.expand(tuple(batch) + (n,)).unsqueeze(-1)
    return torch.linalg.solve_triangular(lower, away, upper=False).square().sum((-2, -1))


def _precision_to_scale_tril(precision: Any) -> Any:
    """Return the Cholesky factor of the inverse of a matrix."""
    flipped = torch.linalg.cholesky(torch.flip(precision, (-2, -1)))
    inverse = torch.flip(flipped, (-2, -1)).mT
    one = torch.eye(precision.shape[-1], dtype=precision.dtype).expand(precision.shape)
    return torch.linalg.solve_triangular(inverse, one, upper=False)


class MultivariateNormal(Distribution):
    """Normal vectors whose elements depend on each other.

    Formula: density exp(-(x - loc)^T C^-1 (x - loc) / 2) / sqrt((2 pi)^n det C)

    Shape: loc (*batch, n), matrices (*batch, n, n) -> samples (*batch, n).

    Args:
        loc: the mean.
        covariance_matrix: C, positive definite.
        precision_matrix: the inverse of C, in its place.
        scale_tril: the lower triangle L with C = L L^T, in its place; the fastest.

    Example:
        >>> MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))
        tensor(-1.8379)
    """

    arg_constraints = {"loc": constraints.real_vector,
                       "covariance_matrix": constraints.positive_definite,
                       "precision_matrix": constraints.positive_definite,
                       "scale_tril": constraints.lower_cholesky}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
                 scale_tril: Any = None, validate_args: bool | None = None):
        if loc.dim() < 1:
            raise torch.errors.ArgumentError("loc must be at least one-dimensional.",
                                             fix="Normal for single numbers")
        given = {"covariance_matrix": covariance_matrix, "scale_tril": scale_tril,
                 "precision_matrix": precision_matrix}
        given = {name: x for name, x in given.items() if x is not None}
        if len(given) != 1:
            raise torch.errors.ArgumentError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                f"specified, got {', '.join(given) or 'none'}.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise torch.errors.ArgumentError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions",
                fix=f"torch.diag({name})")
        batch = torch.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(tuple(batch) + (-1, -1)))
        self.loc = loc.expand(tuple(batch) + (-1,))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        if scale_tril is not None:
            self._unbroadcasted_scale_tril = scale_tril
        elif covariance_matrix is not None:
            self._unbroadcasted_scale_tril = torch.linalg.cholesky(covariance_matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(precision_matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(MultivariateNormal, batch_shape, _instance, loc=1,
                             covariance_matrix=2, scale_tril=2, precision_matrix=2)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        return new

    def _square(self, matrix: Any) -> Any:
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangle L with C = L L^T."""
        return self._square(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance matrix C."""
        lower = self._unbroadcasted_scale_tril
        return self._square(torch.matmul(lower, lower.mT))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance matrix."""
        return self._square(torch.cholesky_inverse(self._unbroadcasted_scale_tril))

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
        """The diagonal of the covariance matrix."""
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(
            self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc + L * standard normal numbers."""
        noise = _standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + _batch_mv(self._unbroadcasted_scale_tril, noise)

    def _half_log_det(self) -> Any:
        return self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        distance = _batch_mahalanobis(self._unbroadcasted_scale_tril, value - self.loc)
        return (-0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance)
                - self._half_log_det())

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        found = (0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi))
                 + self._half_log_det())
        return found.expand(self._batch_shape)
