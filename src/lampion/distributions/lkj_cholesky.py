"""Random correlation matrices."""

from __future__ import annotations

import math
from typing import Any

import lampion as torch

from . import constraints
from .beta import Beta
from .distribution import Distribution

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors L of correlation matrices M with density proportional to det(M)^(c - 1).

    Args:
        dim: the size of the matrices, at least 2.
        concentration: c, above 0; at 1, all correlation matrices are alike.

    Source: Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines
    and extended onion method" (2009), section 3.

    Example:
        >>> LKJCholesky(3, 0.5).sample().shape
        torch.Size([3, 3])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None):
        if dim < 2:
            raise torch.errors.ArgumentError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        self.concentration = torch.as_tensor(concentration, dtype=getattr(
            concentration, "dtype", torch.get_default_dtype()))
        # The squared length of row k before its diagonal is a beta number.
        marginal = self.concentration + 0.5 * (dim - 2)
        offset = torch.arange(dim - 1, dtype=self.concentration.dtype)
        offset = torch.cat([offset.new_zeros((1,)), offset])
        self._beta = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)
        super().__init__(self.concentration.size(), (dim, dim), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its parameters repeated to a batch shape."""
        new = self._expanded(LKJCholesky, batch_shape, _instance, concentration=0)
        new.dim = self.dim
        new._beta = self._beta.expand(tuple(batch_shape) + (self.dim,))
        return new

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draw by the onion method: a direction and a length for each row."""
        with torch.no_grad():
            length = self._beta.sample(sample_shape).unsqueeze(-1)
            shape = self._extended_shape(sample_shape)
            normal = torch.randn(shape, dtype=self.concentration.dtype).tril(-1)
            norm = normal.norm(dim=-1, keepdim=True)
            direction = torch.where(norm > 0, normal / norm, torch.zeros_like(normal))
            row = torch.sqrt(length) * direction
            tiny = torch.finfo(row.dtype).tiny
            last = torch.clamp(1 - torch.sum(row**2, dim=-1), min=tiny).sqrt()
            return row + torch.diag_embed(last)

    def log_prob(self, value: Any) -> Any:
        """Return the logarithm of the density."""
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = torch.arange(2, self.dim + 1, dtype=self.concentration.dtype)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        density = torch.sum(order * diagonal.log(), dim=-1)
        less = self.dim - 1
        alpha = self.concentration + 0.5 * less
        scale = torch.lgamma(alpha) * less
        return density - (torch.mvlgamma(alpha - 0.5, less)
                          + 0.5 * less * math.log(math.pi) - scale)
