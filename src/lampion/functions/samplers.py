"""Random tensors whose distribution each element chooses by its parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import base, ops
from ..base import TensorBase, require_tensor
from ..errors import DTypeError, ShapeError, StateError, shape_text
from ..ir import Op, Value
from ..ops.samplers import ATTEMPTS, BLOCKS
from ..replay.recorded import record_module
from .random import Generator, draw_blocks


def _key(shape: tuple[int, ...], generator: Generator | None) -> Value:
    return draw_blocks(math.prod(shape) * BLOCKS * ATTEMPTS, generator)


def _floating(name: str, x: TensorBase) -> None:
    if not x._dtype.is_floating_point:
        raise DTypeError(f'"{name}" not implemented for \'{x._dtype.name}\'', fix="x.float()")


def _drawn(name: str, op: Op, parameters: tuple[TensorBase, ...],
           generator: Generator | None) -> Any:
    for x in parameters:
        _floating(name, require_tensor(x, name))
    key = _key(tuple(parameters[0]._shape), generator)
    values = (key, *(x._value for x in parameters))
    return base.call(op, (key, *parameters), {}, values=values, label=name)


def standard_gamma(alpha: TensorBase, generator: Generator | None = None) -> Any:
    """Numbers of the gamma distribution of shape alpha and rate 1, with a gradient by alpha.

    Formula: density x^(alpha - 1) exp(-x) / gamma(alpha); the gradient is dx/dalpha at a fixed
    value of the cumulative distribution.

    Shape: any -> the same.

    Args:
        alpha: the shape of each number's distribution, above 0.

    Source: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000);
    Figurnov et al., "Implicit reparameterization gradients" (2018), equation 6.

    Example:
        >>> import lampion as torch
        >>> bool(torch._standard_gamma(torch.tensor([0.5, 3.0])).min() > 0)
        True
    """
    return _drawn("_standard_gamma", ops.samplers.standard_gamma, (alpha,), generator)


def dirichlet(concentration: TensorBase, generator: Generator | None = None) -> Any:
    """Shares along the last axis of the Dirichlet distribution, with an implicit gradient.

    Shape: (..., K) -> (..., K).

    Args:
        concentration: above 0; the larger, the closer to their mean the shares are.

    Example:
        >>> import lampion as torch
        >>> x = torch._sample_dirichlet(torch.tensor([1.0, 2.0]))
        >>> bool(torch.isclose(x.sum(), torch.tensor(1.0)))
        True
    """
    if not require_tensor(concentration, "dirichlet", "concentration")._shape:
        raise ShapeError("dirichlet: concentration is a scalar", why="the last axis holds the "
                         "shares", fix="torch.tensor([1.0, 2.0])")
    return _drawn("_sample_dirichlet", ops.samplers.dirichlet, (concentration,), generator)


def poisson(input: TensorBase, generator: Generator | None = None) -> Any:
    """Counts of the Poisson distribution.

    Formula: P(k) = rate^k exp(-rate) / k!

    Shape: any -> the same, of the type of the rates.

    Args:
        input: the rate of each count, at least 0.

    Raises:
        StateError: a known rate is negative.

    Source: Hoermann, "The transformed rejection method for generating Poisson random variables"
    (1993).

    Example:
        >>> import lampion as torch
        >>> torch.poisson(torch.tensor([0.0, 0.0]))
        tensor([0., 0.])
    """
    def check(rates: np.ndarray) -> None:
        if (rates < 0).any():
            raise StateError("invalid Poisson rate, expected rate to be non-negative",
                             fix="rate.exp() or torch.nn.functional.softplus(rate)")

    base.check_known(require_tensor(input, "poisson"), check)
    return _drawn("poisson", ops.samplers.poisson, (input,), generator)


def binomial(count: TensorBase, prob: TensorBase, generator: Generator | None = None) -> Any:
    """Numbers of successes in `count` trials that succeed with `prob` each.

    Formula: P(k) = count! / (k! (count - k)!) prob^k (1 - prob)^(count - k)

    Shape: any, the same for both -> that shape.

    Args:
        count: trials, at least 0.
        prob: between 0 and 1.

    Source: Hoermann, "The generation of binomial random variates" (1993).

    Example:
        >>> import lampion as torch
        >>> torch.binomial(torch.tensor([3.0, 5.0]), torch.tensor([0.0, 1.0]))
        tensor([0., 5.])
    """
    require_tensor(count, "binomial", "count")
    require_tensor(prob, "binomial", "prob")
    if tuple(count._shape) != tuple(prob._shape):
        raise ShapeError(f"binomial: count is {shape_text(count._shape)}, prob is "
                         f"{shape_text(prob._shape)}",
                         fix="torch.binomial(*torch.broadcast_tensors(count, prob))")
    if count._dtype is not prob._dtype:
        raise DTypeError(f"Found dtype {prob._dtype.name} but expected {count._dtype.name}",
                         fix="prob.to(count.dtype)")
    return _drawn("binomial", ops.samplers.binomial, (count, prob), generator)


def von_mises(concentration: TensorBase, generator: Generator | None = None) -> Any:
    """Angles in [-pi, pi] around 0 of the von Mises distribution.

    Formula: density exp(concentration cos x) / (2 pi I0(concentration))

    Shape: any -> the same.

    Args:
        concentration: above 0; the larger, the closer to 0 the angles are.

    Source: Best and Fisher, "Efficient simulation of the von Mises distribution" (1979).

    Example:
        >>> import lampion as torch
        >>> from lampion.functions.samplers import von_mises
        >>> bool(von_mises(torch.tensor(1e6)).abs() < 0.1)
        True
    """
    return _drawn("von_mises", ops.samplers.von_mises, (concentration,), generator)


record_module(globals())
