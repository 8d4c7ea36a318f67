"""Kullback-Leibler divergences: how far one distribution is from another.

KL(p || q) is the mean of ln p(x) - ln q(x) over p. The formulas stand by pairs of classes; the
most special pair that fits is used.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import lampion as torch

from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial, softplus
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal, _batch_mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import euler_constant, sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_formulas: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Enter a formula for a pair of classes (a decorator).

    Args:
        type_p, type_q: classes of distributions; the formula serves their subclasses, too.

    Example:
        >>> d = torch.distributions
        >>> class Mine(d.Normal): pass
        >>> @register_kl(Mine, Mine)
        ... def mine(p, q):
        ...     return torch.zeros(p.batch_shape)
        >>> kl_divergence(Mine(0.0, 1.0), Mine(1.0, 1.0))
        tensor(0.)
    """
    for cls in (type_p, type_q):
        if not (isinstance(cls, type) and issubclass(cls, Distribution)):
            raise torch.errors.ArgumentTypeError(
                f"Expected type_p and type_q to be Distribution subclasses but got {cls}")

    def enter(function: Callable) -> Callable:
        _formulas[type_p, type_q] = function
        _find.cache_clear()
        return function

    return enter


@functools.cache
def _find(type_p: type, type_q: type) -> Callable | None:
    """The formula of the most special pair: p's class decides first, then q's."""
    fitting = [(p, q) for p, q in _formulas if issubclass(type_p, p) and issubclass(type_q, q)]
    if not fitting:
        return None
    best = min(fitting, key=lambda pair: (type_p.__mro__.index(pair[0]),
                                          type_q.__mro__.index(pair[1])))
    return _formulas[best]


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """Return KL(p || q) for each member of the batch.

    Formula: the mean over p of ln p(x) - ln q(x), in nats

    Raises:
        UnsupportedError: no formula is known for the two classes.

    Example:
        >>> d = torch.distributions
        >>> kl_divergence(d.Normal(1.0, 1.0), d.Normal(0.0, 1.0))
        tensor(0.5000)
    """
    formula = _find(type(p), type(q))  # type: ignore[arg-type]
    if formula is None:
        raise torch.errors.UnsupportedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}",
            fix="x = p.sample((1000,)); (p.log_prob(x) - q.log_prob(x)).mean(0)   or register_kl")
    return formula(p, q)


def _infinite_like(x: Any) -> Any:
    return torch.full_like(x, torch.inf)


def _x_log_x(x: Any) -> Any:
    return torch.special.xlogy(x, x)


# --- the same family -----------------------------------------------------------------------------


@register_kl(ExponentialFamily, ExponentialFamily)
def _expfamily(p: Any, q: Any) -> Any:
    """The Bregman divergence of the log normaliser."""
    if type(p) is not type(q):
        raise torch.errors.UnsupportedError(
            "The cross KL-divergence between different exponential families cannot be computed "
            "using Bregman divergences")
    ours = [x.detach().requires_grad_() for x in p._natural_params]
    with torch.enable_grad():
        normaliser = p._log_normalizer(*ours)
        slopes = torch.autograd.grad(normaliser.sum(), ours, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normaliser
    for theirs, mine, slope in zip(q._natural_params, ours, slopes, strict=True):
        result = result - sum_rightmost((theirs - mine) * slope, len(q.event_shape))
    return result


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    F = torch.nn.functional
    one = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    one = torch.where(q.probs == 0, _infinite_like(one), one)
    one = torch.where(p.probs == 0, torch.zeros_like(one), one)
    none = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    none = torch.where(q.probs == 1, _infinite_like(none), none)
    none = torch.where(p.probs == 1, torch.zeros_like(none), none)
    return one + none


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    ours, theirs = (d.concentration1 + d.concentration0 for d in (p, q))
    return (q.concentration1.lgamma() + q.concentration0.lgamma() + ours.lgamma()
            - p.concentration1.lgamma() - p.concentration0.lgamma() - theirs.lgamma()
            + (p.concentration1 - q.concentration1) * torch.digamma(p.concentration1)
            + (p.concentration0 - q.concentration0) * torch.digamma(p.concentration0)
            + (theirs - ours) * torch.digamma(ours))


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    if bool((p.total_count < q.total_count).any()):
        raise torch.errors.UnsupportedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented")
    found = p.total_count * (p.probs * (p.logits - q.logits)
                             - softplus(p.logits) + softplus(q.logits))
    return torch.where(p.total_count > q.total_count, _infinite_like(found), found)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    found = p.probs * (p.logits - q.logits)
    found = torch.where((q.probs == 0).expand(found.shape), _infinite_like(found), found)
    found = torch.where((p.probs == 0).expand(found.shape), torch.zeros_like(found), found)
    return found.sum(-1)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Any:
    return (p.mean * (p.logits - q.logits) + p._cont_bern_log_norm()
            + torch.log1p(-p.probs) - q._cont_bern_log_norm() - torch.log1p(-q.probs))


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    ours, theirs = p.concentration.sum(-1), q.concentration.sum(-1)
    return (ours.lgamma() - theirs.lgamma()
            - (p.concentration.lgamma() - q.concentration.lgamma()).sum(-1)
            + ((p.concentration - q.concentration) * (
                p.concentration.digamma() - ours.digamma().unsqueeze(-1))).sum(-1))


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    return (q.concentration * (p.rate / q.rate).log() + torch.lgamma(q.concentration)
            - torch.lgamma(p.concentration)
            + (p.concentration - q.concentration) * torch.digamma(p.concentration)
            + (q.rate - p.rate) * (p.concentration / p.rate))


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Any:
    scales = p.scale / q.scale
    ours, theirs = p.loc / q.scale, q.loc / q.scale
    return (-scales.log() - theirs + ours + scales * euler_constant
            + torch.exp(theirs + (1 + scales).lgamma() - ours) - (1 + euler_constant))


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Any:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    ratio = p.scale / q.scale
    away = (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * torch.exp(-away / p.scale) - 1


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).square()
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - ratio.log())


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Any:
    apart = (p.scale + q.scale).square() + (p.loc - q.loc).square()
    return apart.log() - (4 * p.scale * q.scale).log()


def _covariance_parts(d: Any) -> Any:
    return d._unbroadcasted_scale_tril if isinstance(d, MultivariateNormal) else d.scale_tril


def _log_diagonal(lower: Any) -> Any:
    return lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Any:
    if p.event_shape != q.event_shape:
        raise torch.errors.ShapeArgumentError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be "
            f"computed: {tuple(p.event_shape)} and {tuple(q.event_shape)}")
    ours, theirs = _covariance_parts(p), _covariance_parts(q)
    n = p.event_shape[0]
    batch = torch.broadcast_shapes(ours.shape[:-2], theirs.shape[:-2])
    solved = torch.linalg.solve_triangular(
        theirs.expand(tuple(batch) + (n, n)), ours.expand(tuple(batch) + (n, n)), upper=False)
    trace = solved.square().sum((-2, -1))
    distance = _batch_mahalanobis(theirs, q.loc - p.loc)
    return _log_diagonal(theirs) - _log_diagonal(ours) + 0.5 * (trace + distance - n)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Any:
    ratio = p.scale / q.scale
    alphas = q.alpha / p.alpha
    found = q.alpha * ratio.log() - alphas.log() + alphas - 1
    return torch.where(p.scale < q.scale, _infinite_like(found), found)


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise torch.errors.UnsupportedError(
            "KL(p || q) of two transformed distributions with different transforms")
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return torch.where((q.low > p.low) | (q.high < p.high), _infinite_like(found), found)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise torch.errors.UnsupportedError(
            "KL(p || q) of two Independent with different reinterpreted_batch_ndims")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# --- different families --------------------------------------------------------------------------


def _infinite(p: Any, q: Any) -> Any:
    """p has numbers that q never gives."""
    return torch.full(torch.broadcast_shapes(p.batch_shape, q.batch_shape), torch.inf)


for _type_p, _types_q in {
    Poisson: (Bernoulli, Binomial),
    Beta: (Pareto,), ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
}.items():
    for _type_q in _types_q:
        register_kl(_type_p, _type_q)(_infinite)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous(p: Any, q: Any) -> Any:
    return (-p.entropy() - p.mean * q.logits - torch.log1p(-q.probs) - q._cont_bern_log_norm())


@register_kl(Beta, Exponential)
def _beta_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Any:
    mean_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return (-p.entropy() - q.concentration * q.rate.log() + q.concentration.lgamma()
            - (q.concentration - 1) * mean_log + q.rate * p.mean)


@register_kl(Beta, Normal)
def _beta_normal(p: Any, q: Any) -> Any:
    second = p.variance + p.mean.square()
    return (-p.entropy() + 0.5 * (2 * math.pi * q.scale.square()).log()
            + (second / 2 - p.mean * q.loc + q.loc.square() / 2) / q.scale.square())


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    found = -p.entropy() + (q.high - q.low).log()
    return torch.where((q.low > 0) | (q.high < 1), _infinite_like(found), found)


@register_kl(ContinuousBernoulli, Exponential)
def _continuous_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(ContinuousBernoulli, Normal)
def _continuous_normal(p: Any, q: Any) -> Any:
    return (-p.entropy() + 0.5 * (math.log(2.0 * math.pi) + (q.loc / q.scale).square())
            + q.scale.log() + (p.variance + p.mean.square()) / (2 * q.scale.square())
            - p.mean * q.loc / q.scale.square())


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_uniform(p: Any, q: Any) -> Any:
    found = -p.entropy() + (q.high - q.low).log()
    return torch.where((q.low > 0) | (q.high < 1), _infinite_like(found), found)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return (-q.concentration * ratio.log() + ratio + q.concentration.lgamma()
            + q.concentration * euler_constant - (1 + euler_constant))


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Any:
    product = p.rate * q.scale
    away = q.loc / q.scale
    return product.log() - 1 + product.reciprocal() - away + torch.exp(away) * product / (
        product + 1)


@register_kl(Exponential, Normal)
def _exponential_normal(p: Any, q: Any) -> Any:
    squared = (p.rate * q.scale).square()
    return (0.5 * torch.log(squared * 2 * math.pi) - 1 + (
        1 - q.loc * p.rate + 0.5 * (q.loc * p.rate).square()) / squared)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Any:
    product = p.rate * q.scale
    away = q.loc / q.scale
    return ((p.concentration - 1) * p.concentration.digamma() - p.concentration.lgamma()
            - p.concentration + product.log() + p.concentration / product - away
            + torch.exp(away) * (1 + product.reciprocal()).pow(-p.concentration))


@register_kl(Gamma, Normal)
def _gamma_normal(p: Any, q: Any) -> Any:
    squared = (p.rate * q.scale).square()
    return (0.5 * torch.log(squared * 2 * math.pi) - p.concentration - p.concentration.lgamma()
            + (p.concentration - 1) * p.concentration.digamma() + (
                0.5 * (p.concentration.square() + p.concentration)
                - q.loc * p.rate * p.concentration
                + 0.5 * (q.loc * p.rate).square()) / squared)


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Any, q: Any) -> Any:
    ratio = p.scale / q.scale
    return (0.5 * math.log(2 * math.pi) - ratio.log() + (math.pi * ratio * 0.5).square() / 3
            + ((p.loc + p.scale * euler_constant - q.loc) / q.scale).square() * 0.5
            - (euler_constant + 1))


@register_kl(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Any:
    squared = q.scale.square()
    ratio = p.scale.square() / squared
    return (-0.5 * torch.log(2 * ratio / math.pi) + 0.5 * p.loc.square() / squared
            - p.loc * q.loc / squared + 0.5 * q.loc.square() / squared + ratio - 1)


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Any:
    means = p.loc / q.scale
    squared = (p.scale / q.scale).square()
    away = q.loc / q.scale
    return (-(p.scale / q.scale).log() + means - away + torch.exp(-means + 0.5 * squared + away)
            - 0.5 * (1 + math.log(2 * math.pi)))


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    away = p.loc - q.loc
    ratio = away / p.scale
    mean = (math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * ratio.square())
            + away * torch.erf(math.sqrt(0.5) * ratio))
    return (-(p.scale / q.scale).log() + mean / q.scale
            - (0.5 + 0.5 * math.log(0.5 * math.pi)))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    product = p.scale * q.rate
    found = ((p.alpha / product).log() - p.alpha.reciprocal()
             + p.alpha * product / (p.alpha - 1) - 1)
    return torch.where(p.alpha <= 1, _infinite_like(found), found)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    common = p.scale.log() + p.alpha.reciprocal()
    found = (p.alpha.log() - common + q.concentration.lgamma()
             - q.concentration * q.rate.log() + (1 - q.concentration) * common
             + q.rate * p.alpha * p.scale / (p.alpha - 1) - 1)
    return torch.where(p.alpha <= 1, _infinite_like(found), found)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    variance = 2 * q.scale.square()
    common = p.scale / (p.alpha - 1)
    found = ((math.sqrt(2 * math.pi) * q.scale * p.alpha / p.scale).log()
             - p.alpha.reciprocal()
             + (p.alpha * common.square() / (p.alpha - 2)
                + (p.alpha * common - q.loc).square()) / variance - 1)
    return torch.where(p.alpha <= 2, _infinite_like(found), found)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    width = p.high - p.low
    found = (-width.log()
             - ((q.concentration1 - 1) * (_x_log_x(p.high) - _x_log_x(p.low) - width)
                - (q.concentration0 - 1) * (
                    _x_log_x(1 - p.high) - _x_log_x(1 - p.low) + width)) / width
             + q.concentration1.lgamma() + q.concentration0.lgamma()
             - (q.concentration1 + q.concentration0).lgamma())
    return torch.where((p.high > 1) | (p.low < 0), _infinite_like(found), found)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous(p: Any, q: Any) -> Any:
    found = (-p.entropy() - p.mean * q.logits - torch.log1p(-q.probs) - q._cont_bern_log_norm())
    return torch.where((p.high >= 1) | (p.low < 0), _infinite_like(found), found)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    found = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return torch.where(p.low < 0, _infinite_like(found), found)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    width = p.high - p.low
    found = (-width.log() + q.concentration.lgamma() - q.concentration * q.rate.log()
             + (1 - q.concentration) * (_x_log_x(p.high) - _x_log_x(p.low) - width) / width
             + q.rate * (p.high + p.low) / 2)
    return torch.where(p.low < 0, _infinite_like(found), found)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Any:
    common = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return common.log() + 0.5 * (high + low) - common * (torch.exp(-high) - torch.exp(-low))


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    width = p.high - p.low
    return ((math.sqrt(2 * math.pi) * q.scale / width).log()
            + (width.square() / 12 + ((p.high + p.low - 2 * q.loc) / 2).square())
            / (2 * q.scale.square()))


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    width = p.high - p.low
    found = (-width.log() - q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * (
        _x_log_x(p.high) - _x_log_x(p.low) - width) / width)
    return torch.where(p.low < q.scale, _infinite_like(found), found)
