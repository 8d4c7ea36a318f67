"""Reducing elements into places along an axis: products and extremes."""

from __future__ import annotations

from ..ir import full
from .define import opaque
from .elementwise import cast, eq, where
from .indexing import _region, check_positions, gather, scatter_add

_UFUNCS = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}


def _meaning(xp, x, index, update, axis, how, location=None):
    out = xp.array(x)
    index = check_positions(xp, index, x.shape[axis], "scatter", False, location)
    _, grid = _region(xp, out, index, axis)
    getattr(xp, _UFUNCS[how]).at(out, grid, update)
    return out


def _zero(like, dtype=None):
    return full(like.shape, 0, dtype or like.dtype)


def _added(x, index, update, axis):
    return scatter_add(_zero(x), index, update, axis=axis)


def _extreme_grad(g, y, x, index, update, axis):
    # All elements that are the extreme share the gradient evenly.
    own, hit = eq(x, y), eq(update, gather(y, index, axis=axis))
    count = cast(own, dtype=g.dtype) + _added(x, index, cast(hit, dtype=g.dtype), axis)
    share = g / count
    return where(own, share, _zero(g)), where(hit, gather(share, index, axis=axis), _zero(update))


def _product_grad(g, y, x, index, update, axis):
    # The product of all others: y / v; for the only zero, the product of what is not zero.
    one = full(x.shape, 1, x.dtype)
    no_x, no_update = eq(x, _zero(x)), eq(update, _zero(update))
    zeros = cast(no_x, dtype=g.dtype) + _added(x, index, cast(no_update, dtype=g.dtype), axis)
    filled = full(update.shape, 1, update.dtype)
    rest = scatter_reduce(where(no_x, one, x), index, where(no_update, filled, update), axis=axis,
                          how="prod")
    alone = where(eq(zeros, one), g * rest, _zero(g))
    every = where(eq(zeros, _zero(g)), g * y, _zero(g))
    gx = where(no_x, alone, every / where(no_x, one, x))
    gupdate = where(no_update, gather(alone, index, axis=axis),
                    gather(every, index, axis=axis) / where(no_update, filled, update))
    return gx, gupdate


def _grad(g, y, x, index, update, axis, how, location=None):
    rule = _product_grad if how == "prod" else _extreme_grad
    gx, gupdate = rule(g, y, x, index, update, axis)
    return gx, None, gupdate


scatter_reduce = opaque(
    "scatter_reduce", "x with update multiplied, or the larger or smaller taken, into places.",
    meaning=_meaning, result=lambda x, index, update, axis, how, location=None: x.type,
    grad=_grad, kernel="scatter_reduce",
    samples=((((3, 4), (3, 2), (3, 2)), {"axis": 1, "how": "prod"}),
             (((3, 4), (2, 2), (2, 2)), {"axis": 0, "how": "amax"})))
