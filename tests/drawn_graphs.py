"""Random graphs of elementwise ops, moves, reductions and products, for passes and engines."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from lampion import dtypes, ir, ops
from lampion.ir import registry

assert ops  # fills the registry


def numbers(*shape, seed=0):
    return ir.leaf(np.random.default_rng(seed).uniform(0.5, 2, shape), dtypes.float64)


UNARY = ("exp", "neg", "tanh", "abs", "relu", "sqrt")
BINARY = ("add", "sub", "mul", "maximum", "div")


def copied(x):
    """A move that no strides can express."""
    flat = registry["reshape"](registry["permute"](x, order=(1, 0)), shape=(9,))
    return registry["reshape"](registry["flip"](flat, axes=(0,)), shape=(3, 3))


@st.composite
def graphs(draw):
    """A random graph of elementwise ops, moves, reductions and products on square matrices."""
    pool = [numbers(3, 3, seed=k) for k in range(2)]
    for _ in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(("unary", "binary", "row", "move", "slice", "matmul")))
        x = draw(st.sampled_from(pool))
        if kind == "unary":
            made = registry[draw(st.sampled_from(UNARY))](x)
        elif kind == "binary":
            made = registry[draw(st.sampled_from(BINARY))](x, draw(st.sampled_from(pool)))
        elif kind == "row":
            axes = draw(st.sampled_from(((0,), (1,), (0, 1))))
            row = registry[draw(st.sampled_from(("sum", "max", "norm2")))](x, axes=axes)
            if draw(st.booleans()):
                row = registry["tanh"](row)
            made = ir.expand(row, x.shape)
        elif kind == "move":
            made = draw(st.sampled_from((
                registry["permute"](x, order=(1, 0)), registry["flip"](x, axes=(1,)), copied(x),
                registry["reshape"](registry["reshape"](x, shape=(9,)), shape=(3, 3)))))
        elif kind == "slice":
            start = draw(st.integers(0, 2))
            part = registry["slice"](x, start=(start, 0), stop=(start + 1, 3), step=(1, 1))
            made = ir.expand(part, x.shape)
        else:
            made = registry["tanh"](registry["matmul"](x, draw(st.sampled_from(pool))))
        pool.append(made)
    return draw(st.lists(st.sampled_from(pool[2:]), min_size=1, max_size=4))
