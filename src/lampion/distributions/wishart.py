"""Random covariance matrices."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch

from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .multivariate_normal import _precision_to_scale_tril
from .utils import lazy_property
from .validation import holds

__all__ = ["Wishart"]


def _mvdigamma(x: Any, p: int) -> Any:
    """The slope of mvlgamma."""
    return torch.digamma(x.unsqueeze(-1) - torch.arange(p, dtype=x.dtype) / 2).sum(-1)


class Wishart(Distribution):
    """The sum of df squared normal vectors with mean 0 and covariance C.

    Formula: density proportional to det(X)^((df - p - 1) / 2) exp(-trace(C^-1 X) / 2)

    Shape: df (*batch), matrices (*batch, p, p) -> samples (*batch, p, p).

    Args:
        df: degrees of freedom, above p - 1.
        covariance_matrix: C, positive definite.
        precision_matrix: the inverse of C, in its place.
        scale_tril: the lower triangle L with C = L L^T, in its place.

    Source of the samples: Bartlett, "On the theory of statistical regression" (1933).

    Example:
        >>> Wishart(torch.tensor(3.0), torch.eye(2)).mean
        tensor([[3., 0.],
                [0., 3.]])
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """df above p - 1."""
        return {"covariance_matrix": constraints.positive_definite,
                "precision_matrix": constraints.positive_definite,
                "scale_tril": constraints.lower_cholesky,
                "df": constraints.greater_than(self._event_shape[-1] - 1)}

    def __init__(self, df: Any, covariance_matrix: Any = None, precision_matrix: Any = None,
                 scale_tril: Any = None, validate_args: bool | None = None):
        given = {"covariance_matrix": covariance_matrix, "scale_tril": scale_tril,
                 "precision_matrix": precision_matrix}
        given = {name: x for name, x in given.items() if x is not None}
        if len(given) != 1:
            raise torch.errors.ArgumentError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                f"specified, got {', '.join(given) or 'none'}.")
        ((name, matrix),) = given.items()
        if matrix.dim() < 2:
            raise torch.errors.ArgumentError(f"{name} must be at least two-dimensional")
        df = torch.as_tensor(df, dtype=matrix.dtype)
        batch = torch.broadcast_shapes(df.shape, matrix.shape[:-2])
        size = matrix.shape[-1]
        self.df = df.expand(batch)
        setattr(self, name, matrix.expand(tuple(batch) + (size, size)))
        self._event_shape = torch.Size((size, size))
        if not holds(lambda x: x > size - 1, self.df):
            raise torch.errors.ArgumentError(
                f"Value of df={df} expected to be greater than ndim - 1 = {size - 1}.",
                why="fewer vectors than that do not span a positive definite matrix")
        super().__init__(batch, (size, size), validate_args=validate_args)
        if scale_tril is not None:
            self._unbroadcasted_scale_tril = scale_tril
        elif covariance_matrix is not None:
            self._unbroadcasted_scale_tril = torch.linalg.cholesky(covariance_matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(precision_matrix)
        self._set_chi2()

    def _set_chi2(self) -> None:
        size = self._event_shape[-1]
        lower = torch.arange(size, dtype=self.df.dtype)
        self._dist_chi2 = Chi2(self.df.unsqueeze(-1) - lower, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(Wishart, batch_shape, _instance, df=0, covariance_matrix=2,
                             scale_tril=2, precision_matrix=2)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        new._set_chi2()
        return new

    def _square(self, matrix: Any) -> Any:
        return matrix.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangle L with C = L L^T."""
        return self._square(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """C."""
        lower = self._unbroadcasted_scale_tril
        return self._square(lower @ lower.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of C."""
        return self._square(torch.cholesky_inverse(self._unbroadcasted_scale_tril))

    @property
    def mean(self) -> Any:
        """df C."""
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Any:
        """(df - p - 1) C for df above p + 1, else NaN."""
        factor = self.df - self._event_shape[-1] - 1
        return factor.masked_fill(factor <= 0, torch.nan)[..., None, None] * (
            self.covariance_matrix)

    @property
    def variance(self) -> Any:
        """The variance of each element."""
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (
            covariance.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def rsample(self, sample_shape: Any = (), max_try_correction: Any = None) -> Any:
        """Draw by Bartlett's triangle: chi numbers on the diagonal, normal ones below."""
        diagonal = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = torch.randn(self._extended_shape(sample_shape), dtype=self.df.dtype).tril(-1)
        product = self._unbroadcasted_scale_tril @ (noise + torch.diag_embed(diagonal))
        return product @ product.mT

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        lower = self._unbroadcasted_scale_tril
        log_det = lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        solved = torch.cholesky_solve(value, lower.expand(value.shape))
        return (-nu * (p * math.log(2) / 2 + log_det) - torch.mvlgamma(nu / 2, p)
                + (nu - p - 1) / 2 * torch.linalg.slogdet(value).logabsdet
                - solved.diagonal(dim1=-2, dim2=-1).sum(-1) / 2)

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        nu, p = self.df, self._event_shape[-1]
        log_det = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return ((p + 1) * (p * math.log(2) / 2 + log_det) + torch.mvlgamma(nu / 2, p)
                - (nu - p - 1) / 2 * _mvdigamma(nu / 2, p) + nu * p / 2)
