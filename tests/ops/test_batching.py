"""Every op over a new leading axis, held against the op applied to one element after another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from op_cases import ALL_OPS, cases, claimed, operands

from lampion import dtypes, interpret, ir
from lampion.batching import batch
from lampion.batching.mapping import RULES
from lampion.ir import Graph, Value

SIZE = 3
# Their keys follow each other, see tests/func/test_vmap.py; the others are random in float64 keys.
RANDOM = {"random_bits", "random_uniform", "random_below"}


def element_type(op):
    kinds = claimed(op)
    return next((k for k in (dtypes.float64, dtypes.complex128, dtypes.int64, dtypes.float32)
                 if k in kinds), kinds[0])


def compute(value):
    graph = Graph([value])
    graph.verify()
    (array,) = interpret.run(graph)
    return array


@pytest.mark.parametrize("op", [op for op in ALL_OPS if op.name not in RANDOM],
                         ids=lambda op: op.name)
def test_the_rule_agrees_with_one_by_one(op):
    kind = element_type(op)
    for shapes, settings in cases(op):
        lanes = [operands(op, shapes, settings, kind, seed) for seed in range(SIZE)]
        flags = list(itertools.product((True, False), repeat=len(shapes)))[:-1]
        for mapped in flags:
            check(op, settings, lanes, mapped)


def check(op, settings, lanes, mapped):
    stands, elements, given = [], {}, []
    for place, flag in enumerate(mapped):
        first = lanes[0][place]
        if not flag:
            stands.append(first)
            continue
        stand = Value(None, (), {}, first.shape, first.dtype)
        whole = np.stack([lane[place].data for lane in lanes])
        elements[stand.order] = ir.leaf(whole, first.dtype)
        stands.append(stand)
    result = op(*stands, **settings)
    ((grown, has),) = batch([result], elements, SIZE)
    assert has and grown.type == ((SIZE, *result.shape), result.dtype)
    for lane in range(SIZE):
        given = [lanes[lane if flag else 0][place] for place, flag in enumerate(mapped)]
        expected = compute(op(*given, **settings))
        np.testing.assert_allclose(
            compute(grown)[lane], expected, 1e-9, 1e-12, err_msg=f"{op.name} {mapped}")


def test_every_rule_is_one_of_an_op():
    names = {op.name for op in ALL_OPS}
    assert set(RULES) <= names


def test_common_ops_are_not_applied_one_by_one():
    """What networks are made of has rules; the rest is right, and slow."""
    without = {op.name for op in ALL_OPS
               if op.kind == "opaque" and op.name not in RULES}
    assert not without & {"matmul", "convolution", "convolution_input", "convolution_weight",
                          "max_pool", "gather", "scatter_add", "take", "put_add", "cumsum",
                          "concat", "slice_put", "scan", "cholesky"}
    assert without == {"dirichlet", "standard_gamma", "poisson", "binomial", "von_mises",
                       "fourier", "statistics"}
