"""The multivariate normal distribution with a covariance of low rank plus a diagonal."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch

from . import constraints
from .distribution import Distribution
from .multivariate_normal import _batch_mahalanobis, _batch_mv
from .utils import _standard_normal, lazy_property

__all__ = ["LowRankMultivariateNormal"]


def _capacitance_tril(factor: Any, diagonal: Any) -> Any:
    """Return the Cholesky factor of I + W^T D^-1 W."""
    rank = factor.shape[-1]
    scaled = factor.mT / diagonal.unsqueeze(-2)
    return torch.linalg.cholesky(torch.matmul(scaled, factor)
                                 + torch.eye(rank, dtype=factor.dtype))


def _log_det(diagonal: Any, capacitance_tril: Any) -> Any:
    """ln det(W W^T + D), by the matrix determinant lemma."""
    return (2 * capacitance_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            + diagonal.log().sum(-1))


def _mahalanobis(factor: Any, diagonal: Any, away: Any, capacitance_tril: Any) -> Any:
    """x^T (W W^T + D)^-1 x, by the Woodbury formula."""
    scaled = factor.mT / diagonal.unsqueeze(-2)
    first = (away.pow(2) / diagonal).sum(-1)
    return first - _batch_mahalanobis(capacitance_tril, _batch_mv(scaled, away))


class LowRankMultivariateNormal(Distribution):
    """Normal vectors with covariance W W^T + D.

    Shape: loc (*batch, n), cov_factor (*batch, n, rank), cov_diag (*batch, n) -> samples
    (*batch, n).

    Args:
        loc: the mean.
        cov_factor: W, with far fewer columns than rows.
        cov_diag: the diagonal of D, above 0.

    Example:
        >>> d = LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2))
        >>> d.covariance_matrix
        tensor([[2., 1.],
                [1., 2.]])
    """

    arg_constraints = {"loc": constraints.real_vector,
                       "cov_factor": constraints.independent(constraints.real, 2),
                       "cov_diag": constraints.independent(constraints.positive, 1)}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Any, cov_factor: Any, cov_diag: Any,
                 validate_args: bool | None = None):
        if loc.dim() < 1:
            raise torch.errors.ArgumentError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise torch.errors.ArgumentError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions")
        if tuple(cov_factor.shape[-2:-1]) != tuple(event):
            raise torch.errors.ShapeArgumentError(
                f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if tuple(cov_diag.shape[-1:]) != tuple(event):
            raise torch.errors.ShapeArgumentError(
                f"cov_diag must be a batch of vectors with shape {tuple(event)}")
        batch = torch.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2],
                                       cov_diag.shape[:-1])
        self.loc = loc.expand(tuple(batch) + (-1,))
        self.cov_factor = cov_factor.expand(tuple(batch) + tuple(cov_factor.shape[-2:]))
        self.cov_diag = cov_diag.expand(tuple(batch) + (-1,))
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        self._capacitance_tril = _capacitance_tril(cov_factor, cov_diag)
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(LowRankMultivariateNormal, batch_shape, _instance, loc=1,
                             cov_factor=2, cov_diag=1)
        new._unbroadcasted_cov_factor = self._unbroadcasted_cov_factor
        new._unbroadcasted_cov_diag = self._unbroadcasted_cov_diag
        new._capacitance_tril = self._capacitance_tril
        return new

    @property
    def mean(self) -> Any:
        """loc."""
        return self.loc

    @property
    def mode(self) -> Any:
        """loc."""
        return self.loc

    @lazy_property
    def variance(self) -> Any:
        """The diagonal of the covariance matrix."""
        return (self._unbroadcasted_cov_factor.pow(2).sum(-1)
                + self._unbroadcasted_cov_diag).expand(self._batch_shape + self._event_shape)

    def _square(self, matrix: Any) -> Any:
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangle L with L L^T = W W^T + D."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        inner = torch.matmul(scaled, scaled.mT) + torch.eye(
            self._event_shape[0], dtype=scaled.dtype)
        return self._square(root * torch.linalg.cholesky(inner))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """W W^T + D."""
        factor = self._unbroadcasted_cov_factor
        return self._square(torch.matmul(factor, factor.mT)
                            + torch.diag_embed(self._unbroadcasted_cov_diag))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance matrix."""
        inverse = self._unbroadcasted_cov_diag.reciprocal()
        scaled = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        solved = torch.linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        return self._square(torch.diag_embed(inverse) - torch.matmul(solved.mT, solved))

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Return loc + W noise + sqrt(D) noise."""
        shape = self._extended_shape(sample_shape)
        rank = self.cov_factor.shape[-1]
        few = _standard_normal(tuple(shape[:-1]) + (rank,), self.loc.dtype)
        many = _standard_normal(shape, self.loc.dtype)
        return (self.loc + _batch_mv(self._unbroadcasted_cov_factor, few)
                + self._unbroadcasted_cov_diag.sqrt() * many)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        distance = _mahalanobis(self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag,
                                value - self.loc, self._capacitance_tril)
        log_det = _log_det(self._unbroadcasted_cov_diag, self._capacitance_tril)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + log_det + distance)

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        log_det = _log_det(self._unbroadcasted_cov_diag, self._capacitance_tril)
        found = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + log_det)
        return found.expand(self._batch_shape)
