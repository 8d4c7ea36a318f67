"""Distributions with drawn parameters, made alike in lampion and in PyTorch."""

from __future__ import annotations

import functools

import numpy as np

RANDOM = np.random.default_rng(5)


def real(*shape):
    return RANDOM.normal(size=shape)


def positive(*shape):
    return RANDOM.uniform(0.4, 3.0, shape)


def unit(*shape):
    return RANDOM.uniform(0.05, 0.95, shape)


def shares(*shape):
    x = positive(*shape)
    return x / x.sum(-1, keepdims=True)


def covariance(*shape):
    x = RANDOM.normal(size=shape)
    return x @ np.swapaxes(x, -1, -2) + 0.5 * np.eye(shape[-1])


def lower(*shape):
    return np.linalg.cholesky(covariance(*shape))


# name -> (class, parameters that are differentiated, other arguments)
CASES = {
    "Bernoulli": ("Bernoulli", {"probs": unit(3)}, {}),
    "Bernoulli logits": ("Bernoulli", {"logits": real(3)}, {}),
    "Beta": ("Beta", {"concentration1": positive(3), "concentration0": positive(3)}, {}),
    "Binomial": ("Binomial", {"probs": unit(3)}, {"total_count": 7}),
    "Binomial logits": ("Binomial", {"logits": real(3)}, {"total_count": 4}),
    "Categorical": ("Categorical", {"probs": positive(2, 4)}, {}),
    "Categorical logits": ("Categorical", {"logits": real(2, 4)}, {}),
    "Cauchy": ("Cauchy", {"loc": real(3), "scale": positive(3)}, {}),
    "Chi2": ("Chi2", {"df": positive(3)}, {}),
    "ContinuousBernoulli": ("ContinuousBernoulli", {"probs": np.array([0.1, 0.5, 0.8])}, {}),
    "ContinuousBernoulli logits": ("ContinuousBernoulli", {"logits": real(3)}, {}),
    "Dirichlet": ("Dirichlet", {"concentration": positive(2, 3)}, {}),
    "Exponential": ("Exponential", {"rate": positive(3)}, {}),
    "FisherSnedecor": ("FisherSnedecor", {"df1": 3 * positive(3), "df2": 4 * positive(3)}, {}),
    "Gamma": ("Gamma", {"concentration": positive(3), "rate": positive(3)}, {}),
    "GeneralizedPareto": ("GeneralizedPareto", {
        "loc": real(3), "scale": positive(3), "concentration": np.array([0.3, -0.4, 0.2])}, {}),
    "Geometric": ("Geometric", {"probs": unit(3)}, {}),
    "Geometric logits": ("Geometric", {"logits": real(3)}, {}),
    "Gumbel": ("Gumbel", {"loc": real(3), "scale": positive(3)}, {}),
    "HalfCauchy": ("HalfCauchy", {"scale": positive(3)}, {}),
    "HalfNormal": ("HalfNormal", {"scale": positive(3)}, {}),
    "InverseGamma": ("InverseGamma", {"concentration": positive(3), "rate": positive(3)}, {}),
    "Kumaraswamy": ("Kumaraswamy", {
        "concentration1": positive(3), "concentration0": positive(3)}, {}),
    "LKJCholesky": ("LKJCholesky", {"concentration": positive(2)}, {"dim": 3}),
    "Laplace": ("Laplace", {"loc": real(3), "scale": positive(3)}, {}),
    "LogNormal": ("LogNormal", {"loc": real(3), "scale": positive(3)}, {}),
    "LogisticNormal": ("LogisticNormal", {"loc": real(2, 3), "scale": positive(2, 3)}, {}),
    "LogitRelaxedBernoulli": ("relaxed_bernoulli.LogitRelaxedBernoulli", {"probs": unit(3)},
                              {"temperature": 0.7}),
    "LowRankMultivariateNormal": ("LowRankMultivariateNormal", {
        "loc": real(2, 4), "cov_factor": real(2, 4, 2), "cov_diag": positive(2, 4)}, {}),
    "Multinomial": ("Multinomial", {"probs": positive(2, 4)}, {"total_count": 5}),
    "MultivariateNormal": ("MultivariateNormal", {
        "loc": real(2, 3), "covariance_matrix": covariance(3, 3)}, {}),
    "MultivariateNormal batch": ("MultivariateNormal", {
        "loc": real(2, 3), "scale_tril": lower(2, 3, 3)}, {}),
    "MultivariateNormal precision": ("MultivariateNormal", {
        "loc": real(3), "precision_matrix": covariance(3, 3)}, {}),
    "NegativeBinomial": ("NegativeBinomial", {"probs": unit(3), "total_count": positive(3)}, {}),
    "Normal": ("Normal", {"loc": real(3), "scale": positive(3)}, {}),
    "OneHotCategorical": ("OneHotCategorical", {"probs": positive(2, 4)}, {}),
    "OneHotCategoricalStraightThrough": (
        "OneHotCategoricalStraightThrough", {"logits": real(2, 4)}, {}),
    "Pareto": ("Pareto", {"scale": positive(3), "alpha": 2 + positive(3)}, {}),
    "Poisson": ("Poisson", {"rate": positive(3)}, {}),
    "RelaxedBernoulli": ("RelaxedBernoulli", {"logits": real(3)}, {"temperature": 0.7}),
    "RelaxedOneHotCategorical": ("RelaxedOneHotCategorical", {"probs": positive(2, 3)},
                                 {"temperature": 0.7}),
    "ExpRelaxedCategorical": ("relaxed_categorical.ExpRelaxedCategorical", {"logits": real(2, 3)},
                              {"temperature": 0.7}),
    "StudentT": ("StudentT", {"df": 2 + positive(3), "loc": real(3), "scale": positive(3)}, {}),
    "Uniform": ("Uniform", {"low": -positive(3), "high": positive(3)}, {}),
    "VonMises": ("VonMises", {"loc": real(3), "concentration": positive(3)}, {}),
    "Weibull": ("Weibull", {"scale": positive(3), "concentration": 1 + positive(3)}, {}),
    "Wishart": ("Wishart", {"df": 3 + positive(2), "covariance_matrix": covariance(2, 3, 3)}, {}),
}


def make(library, case, gradients=True):
    """Return the distribution of a case in a library, and its parameters."""
    name, parameters, others = CASES[case]
    made = {key: library.tensor(value, dtype=library.float64, requires_grad=gradients)
            for key, value in parameters.items()}
    if "temperature" in others:
        others = {"temperature": library.tensor(0.7, dtype=library.float64)}
    return class_of(library, name)(**made, **others), list(made.values())


def class_of(library, name):
    """Return the class of that name, which may name its module."""
    return functools.reduce(getattr, name.split("."), library.distributions)
