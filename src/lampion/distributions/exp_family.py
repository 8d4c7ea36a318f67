"""Exponential families, whose entropy follows from their log normaliser."""

from __future__ import annotations

from typing import Any

import lampion as torch

from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Distributions of the form exp(<t(x), theta> - F(theta) + k(x)).

    A subclass gives `_natural_params` (theta), `_log_normalizer` (F) and `_mean_carrier_measure`
    (the mean of k).

    Source: Nielsen and Nock, "Entropies and cross-entropies of exponential families" (2010).
    """

    _mean_carrier_measure: Any = 0.0

    @property
    def _natural_params(self) -> tuple:
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks _natural_params")

    def _log_normalizer(self, *natural_params: Any) -> Any:
        raise torch.errors.UnsupportedError(f"{type(self).__name__} lacks _log_normalizer")

    def entropy(self) -> Any:
        """Return F(theta) - <theta, grad F(theta)> - the mean of k."""
        with torch.enable_grad():
            parameters = [p.detach().requires_grad_() for p in self._natural_params]
            normaliser = self._log_normalizer(*parameters)
            slopes = torch.autograd.grad(normaliser.sum(), parameters, create_graph=True)
        result = normaliser - self._mean_carrier_measure
        for parameter, slope in zip(parameters, slopes, strict=True):
            part = parameter * slope
            result = result - part.reshape(self._batch_shape + (-1,)).sum(-1)
        return result
