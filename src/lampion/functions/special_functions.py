"""Functions of mathematical physics and statistics: gamma, zeta, error and Bessel functions.

All are elementwise, with broadcasting; whole numbers become floating.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import base, dtypes, ops
from ..base import TensorBase
from ..errors import ArgumentTypeError, DTypeError, DTypeOperationError, StateError
from ..ir import Op
from ..replay.recorded import record_module
from . import elementwise as e
from .operands import apply, normalize_dim, write_out

g, b, f = ops.gamma, ops.bessel, ops.error_functions


def _shown(function: Callable, name: str, sentence: str, text: str, call: str, value: str) -> None:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{sentence}{text}

    Shape: (*) -> (*), any shape; whole numbers become floating.

    Example:
        >>> import lampion as torch
        >>> {call}
        {value}
    """


def _unary(name: str, op: Op, call: str, value: str, text: str = "") -> Callable:
    def function(input: TensorBase, *, out: TensorBase | None = None) -> Any:
        base.require_tensor(input, name)
        return apply(name, op, (input,), floating=True, out=out)

    _shown(function, name, op.doc, text, call, value)
    return function


lgamma = _unary("lgamma", g.lgamma, "torch.lgamma(torch.tensor([5.]))", "tensor([3.1781])")
digamma = _unary("digamma", g.digamma, "torch.digamma(torch.tensor([1.]))", "tensor([-0.5772])")
erfc = _unary("erfc", f.erfc, "torch.erfc(torch.tensor([0.]))", "tensor([1.])")
erfcx = _unary("erfcx", f.erfcx, "torch.special.erfcx(torch.tensor([0.]))", "tensor([1.])")
ndtri = _unary("ndtri", f.ndtri, "torch.special.ndtri(torch.tensor([0.975]))", "tensor([1.9600])")
i0 = _unary("i0", b.i0, "torch.i0(torch.tensor([0.]))", "tensor([1.])")
i0e = _unary("i0e", b.i0e, "torch.special.i0e(torch.tensor([0.]))", "tensor([1.])")
i1 = _unary("i1", b.i1, "torch.special.i1(torch.tensor([1.]))", "tensor([0.5652])")
i1e = _unary("i1e", b.i1e, "torch.special.i1e(torch.tensor([1.]))", "tensor([0.2079])")
bessel_j0 = _unary("bessel_j0", b.j0, "torch.special.bessel_j0(torch.tensor([0.]))", "tensor([1.])")
bessel_j1 = _unary("bessel_j1", b.j1, "torch.special.bessel_j1(torch.tensor([1.]))",
                   "tensor([0.4401])")
bessel_y0 = _unary("bessel_y0", b.y0, "torch.special.bessel_y0(torch.tensor([1.]))",
                   "tensor([0.0883])")
bessel_y1 = _unary("bessel_y1", b.y1, "torch.special.bessel_y1(torch.tensor([1.]))",
                   "tensor([-0.7812])")
modified_bessel_i0 = _unary("modified_bessel_i0", b.i0,
                            "torch.special.modified_bessel_i0(torch.tensor([0.]))", "tensor([1.])")
modified_bessel_i1 = _unary("modified_bessel_i1", b.i1,
                            "torch.special.modified_bessel_i1(torch.tensor([1.]))",
                            "tensor([0.5652])")
modified_bessel_k0 = _unary("modified_bessel_k0", b.k0,
                            "torch.special.modified_bessel_k0(torch.tensor([1.]))",
                            "tensor([0.4210])")
modified_bessel_k1 = _unary("modified_bessel_k1", b.k1,
                            "torch.special.modified_bessel_k1(torch.tensor([1.]))",
                            "tensor([0.6019])")
scaled_modified_bessel_k0 = _unary("scaled_modified_bessel_k0", b.k0e,
                                   "torch.special.scaled_modified_bessel_k0(torch.tensor([1.]))",
                                   "tensor([1.1445])")
scaled_modified_bessel_k1 = _unary("scaled_modified_bessel_k1", b.k1e,
                                   "torch.special.scaled_modified_bessel_k1(torch.tensor([1.]))",
                                   "tensor([1.6362])")


def spherical_bessel_j0(input: TensorBase) -> Any:
    """sin(x) / x, and 1 at 0."""
    return sinc(e.div(input, math.pi))


def polygamma(n: int, input: TensorBase) -> Any:
    """Derivative number n of digamma.

    Args:
        n: 0 or more.

    Example:
        >>> import lampion as torch
        >>> torch.polygamma(1, torch.tensor([1.]))
        tensor([1.6449])
    """
    if isinstance(n, TensorBase) and not isinstance(input, TensorBase):
        n, input = input, n  # the method form: x.polygamma(n)
    if n < 0:
        raise StateError(f"polygamma(n, x) does not support negative n: {n}")
    x = input if input._dtype.is_floating_point else input.to(dtypes.get_default_dtype())
    return base.call(g.polygamma, (x,), {"n": int(n)}, label="polygamma")


def mvlgamma(input: TensorBase, p: int) -> Any:
    """The logarithm of the gamma function of p variables.

    p (p - 1) / 4 log(pi) + sum of lgamma(x - j / 2) over j = 0 ... p - 1

    Raises:
        StateError: p is below 1, or an element is not above (p - 1) / 2.
    """
    if p < 1:
        raise StateError(f"p has to be greater than or equal to 1: {p}")
    if input._dtype is dtypes.bool_:
        raise DTypeError("The input tensor may not be a boolean tensor.")
    x = input if input._dtype.is_floating_point else input.to(dtypes.get_default_dtype())
    total = lgamma(x)
    for j in range(1, p):
        total = e.add(total, lgamma(e.sub(x, j / 2)))
    return e.add(total, p * (p - 1) / 4 * math.log(math.pi))


def _pair(name: str, op: Op, call: str, value: str) -> Callable:
    def function(input: Any, other: Any, *, out: TensorBase | None = None) -> Any:
        return apply(name, op, (input, other), floating=True, out=out)

    _shown(function, name, op.doc, "", call, value)
    return function


def _both_tensors(name: str, function: Callable) -> Callable:
    def checked(input: Any, other: Any, *, out: TensorBase | None = None) -> Any:
        base.require_tensor(input, name), base.require_tensor(other, name, "other")
        return function(input, other, out=out)

    checked.__name__ = checked.__qualname__ = name
    checked.__doc__ = function.__doc__
    return checked


def _one_tensor(name: str, function: Callable) -> Callable:
    def checked(input: Any, other: Any, *, out: TensorBase | None = None) -> Any:
        if not isinstance(other, TensorBase):
            base.require_tensor(input, name)
        return function(input, other, out=out)

    checked.__name__ = checked.__qualname__ = name
    checked.__doc__ = function.__doc__
    return checked


igamma = _both_tensors("igamma", _pair(
    "igamma", g.igamma, "torch.igamma(torch.tensor([1.]), torch.tensor([1.]))", "tensor([0.6321])"))
igammac = _both_tensors("igammac", _pair(
    "igammac", g.igammac, "torch.igammac(torch.tensor([1.]), torch.tensor([1.]))",
    "tensor([0.3679])"))
zeta = _one_tensor("zeta", _pair(
    "zeta", g.zeta, "torch.special.zeta(torch.tensor([2.]), 1.)", "tensor([1.6449])"))


def _polynomial(name: str, family: str, shifted: bool = False) -> Callable:
    def function(input: Any, n: Any, *, out: TensorBase | None = None) -> Any:
        if not isinstance(input, TensorBase) and not isinstance(n, TensorBase):
            raise ArgumentTypeError(f"{name}(): one of the arguments must be a Tensor")
        dtype = e.result_type(input, n)
        dtype = dtype if dtype.is_floating_point else dtypes.get_default_dtype()
        shape = e.broadcast_shape(name, [x._shape if isinstance(x, TensorBase) else ()
                                         for x in (input, n)])
        values = tuple(e.convert(x, dtype, shape) for x in (input, n))
        made = base.call(ops.polynomials.polynomial, (input, n),
                         {"family": family, "shifted": shifted}, values=values, label=name)
        return made if out is None else write_out(out, made)

    sentence = f"The {'shifted ' * shifted}polynomial of family {family} and degree n at x."
    _shown(function, name, sentence, "", f"torch.special.{name}(torch.tensor([0.5]), 0)",
           "tensor([1.])")
    return function


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", "chebyshev_t")
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", "chebyshev_u")
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", "chebyshev_v")
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", "chebyshev_w")
hermite_polynomial_h = _polynomial("hermite_polynomial_h", "hermite_h")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", "hermite_he")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", "laguerre_l")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", "legendre_p")
shifted_chebyshev_polynomial_t = _polynomial(
    "shifted_chebyshev_polynomial_t", "chebyshev_t", True)
shifted_chebyshev_polynomial_u = _polynomial(
    "shifted_chebyshev_polynomial_u", "chebyshev_u", True)
shifted_chebyshev_polynomial_v = _polynomial(
    "shifted_chebyshev_polynomial_v", "chebyshev_v", True)
shifted_chebyshev_polynomial_w = _polynomial(
    "shifted_chebyshev_polynomial_w", "chebyshev_w", True)

# --- compositions --------------------------------------------------------------------------------


def _floating(x: TensorBase) -> Any:
    return x if x._dtype.is_floating_point else x.to(dtypes.get_default_dtype())


def sinc(input: TensorBase) -> Any:
    """sin(pi x) / (pi x), and 1 at 0.

    Example:
        >>> import lampion as torch
        >>> torch.sinc(torch.tensor([0., 0.5]))
        tensor([1.0000, 0.6366])
    """
    x = e.mul(_floating(base.require_tensor(input, "sinc")), math.pi)
    # Near 0 the series, whose slopes exist there.
    near = e.lt(e.abs(x), 1e-3)
    safe = e.where(near, 1.0, x)
    square = e.mul(x, x)
    series = e.add(e.mul(square, e.add(e.mul(square, 1 / 120), -1 / 6)), 1)
    return e.where(near, series, e.div(e.sin(safe), safe))


def entr(input: TensorBase) -> Any:
    """-x log(x): 0 at 0, -inf below."""
    x = _floating(base.require_tensor(input, "entr"))
    inside = e.gt(x, 0)
    safe = e.where(inside, x, 1)
    value = e.neg(e.mul(safe, e.log(safe)))
    outside = e.where(e.eq(x, 0), e.mul(x, 0), e.where(e.isnan(x), x, -math.inf))
    return e.where(inside, value, outside)


def _times_log(name: str, log: Callable, input: Any, other: Any, zero: float) -> Any:
    if not isinstance(input, TensorBase) and not isinstance(other, TensorBase):
        raise ArgumentTypeError(f"{name}(): one of the arguments must be a Tensor")
    dtype = e.result_type(input, other)
    dtype = dtype if dtype.is_floating_point else dtypes.get_default_dtype()
    x, y = (v.to(dtype) if isinstance(v, TensorBase) else base.wrap(
        e.number_value(v, dtype)) for v in (input, other))
    none = e.logical_and(e.eq(x, 0), e.logical_not(e.isnan(y)))
    return e.where(none, 0, e.mul(x, log(e.where(none, zero, y))))


def xlogy(input: Any, other: Any) -> Any:
    """x log(y), and 0 where x is 0.

    Shape: (*), (*) -> the broadcast shape.
    """
    return _times_log("xlogy", e.log, input, other, 1.0)


def xlog1py(input: Any, other: Any) -> Any:
    """x log(1 + y), and 0 where x is 0."""
    return _times_log("xlog1py", e.log1p, input, other, 0.0)


def ndtr(input: TensorBase) -> Any:
    """The share of the standard normal distribution below x."""
    x = _floating(base.require_tensor(input, "ndtr"))
    return e.mul(erfc(e.mul(x, -math.sqrt(0.5))), 0.5)


def log_ndtr(input: TensorBase) -> Any:
    """log(ndtr(x)), exact far below 0 too."""
    x = _floating(base.require_tensor(input, "log_ndtr"))
    scaled = e.mul(x, math.sqrt(0.5))
    low = e.lt(x, -1)
    far = e.where(low, scaled, -1.0)
    below = e.sub(e.log(e.div(erfcx(e.neg(far)), 2)), e.mul(far, far))
    above = e.log1p(e.div(e.neg(erfc(e.where(low, 0.0, scaled))), 2))
    return e.where(low, below, above)


def logcumsumexp(input: TensorBase, dim: int) -> Any:
    """log of the running sum of exp(x) along an axis.

    Example:
        >>> import lampion as torch
        >>> torch.logcumsumexp(torch.zeros(3), 0)
        tensor([0.0000, 0.6931, 1.0986])
    """
    base.require_tensor(input, "logcumsumexp")
    if not input._dtype.is_floating_point:
        raise DTypeOperationError(f"logcumsumexp: not implemented for {input._dtype.name}",
                         fix="x.float()")
    axis = normalize_dim(dim, len(input._shape), "logcumsumexp")
    if not input._shape:
        return e.clone(input)
    return base.call(f.log_cumulative, (input,), {"axis": axis, "reverse": False},
                     label="logcumsumexp")


record_module(globals())
