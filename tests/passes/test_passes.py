"""The passes keep meaning: what a graph gives after simplification, fusion and lowering to loops.

The loops are run by a slow interpreter of `kernel.Loop` on NumPy, so that no compiler is needed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_graphs import graphs, numbers
from hypothesis import given, settings
from loop_oracle import run_loop

from lampion import interpret, ir, ops
from lampion.ir import Graph, Value, registry
from lampion.passes.access import access
from lampion.passes.fuse import MOST, Fusion, fusible
from lampion.passes.lower import join_axes, lower
from lampion.passes.simplify import simplify

assert ops  # fills the registry


def run_fused(graph: Graph) -> list[np.ndarray]:
    """Run a graph by its loops, everything else by its meaning."""
    simple, outputs = simplify(graph)
    simple.verify()
    fusion = Fusion(simple)
    stored = fusion.stored()
    arrays = {v.order: v.data for v in simple.inputs}
    done: set[int] = set()

    def read(value: Value) -> np.ndarray:
        if value.order not in arrays:
            found = access(value)
            base = arrays.get(found.source.order)
            if base is None:
                compute(found.source)
                base = arrays[found.source.order]
            if found.source is value:
                return base
            flat = np.ascontiguousarray(base).reshape(-1)
            if math.prod(value.shape) == 0:
                return np.zeros(value.shape, flat.dtype)
            return np.lib.stride_tricks.as_strided(
                flat[found.offset:], value.shape, [s * flat.itemsize for s in found.strides])
        return arrays[value.order]

    def compute(value: Value) -> None:
        group = fusion.group_of.get(value.order)
        if group is None:
            operands = [read(v) for v in value.inputs]
            arrays[value.order] = interpret.compute(value, operands)
            return
        assert group.number not in done, "a group is computed once"
        done.add(group.number)
        lowered = lower(fusion, group, [k for k in group.members if k in stored])
        buffers = [np.ascontiguousarray(read(v)) for v in lowered.inputs]
        buffers += [np.empty(v.shape, v.dtype.array) for v in lowered.outputs]
        run_loop(lowered.loop, buffers)
        for value_out, array in zip(lowered.outputs, buffers[len(lowered.inputs):], strict=True):
            arrays[value_out.order] = array

    with np.errstate(all="ignore"):
        return [read(v) for v in outputs]


def check(*outputs: Value) -> Fusion:
    graph = Graph(outputs)
    graph.verify()
    expected = interpret.run(graph)
    got = run_fused(graph)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    simple, _ = simplify(graph)
    return Fusion(simple)


def softmax(x, axis):
    e = registry
    top = ir.expand(e["max"](x, axes=(axis,)), x.shape)
    up = e["exp"](x - top)
    return up / ir.expand(e["sum"](up, axes=(axis,)), x.shape)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax_is_one_loop(axis):
    fusion = check(softmax(numbers(3, 4, 5) * 2, axis))
    assert len(fusion.groups) == 1


def test_layer_norm_is_one_loop():
    x, weight, bias = numbers(6, 8), numbers(8, seed=1), numbers(8, seed=2)
    mean = registry["sum"](x, axes=(1,)) / 8
    centered = x - ir.expand(mean, x.shape)
    spread = registry["sum"](centered * centered, axes=(1,)) / 8 + 1e-5
    normal = centered * ir.expand(registry["rsqrt"](spread), x.shape)
    y = normal * ir.expand(weight, x.shape) + ir.expand(bias, x.shape)
    assert len(check(y).groups) == 1


def test_an_update_of_a_parameter_is_one_loop():
    p, m, v, g = (numbers(4, 5, seed=k) for k in range(4))
    m2 = m * 0.9 + g * 0.1
    v2 = v * 0.99 + g * g * 0.01
    step = m2 / (registry["sqrt"](v2) + 1e-8)
    fusion = check(p - step * 0.001, m2, v2)
    assert len(fusion.groups) == 1


def test_a_sum_over_rows_and_one_over_columns_are_two_loops():
    x = numbers(3, 4)
    y = x * x
    fusion = check(registry["sum"](y, axes=(0,)), registry["sum"](y, axes=(1,)))
    assert len(fusion.groups) == 2


def test_groups_never_wait_for_each_other():
    # a feeds b through a product of matrices, and b's sibling a2 must not join a.
    x = numbers(3, 3)
    a = registry["exp"](x)
    b = registry["matmul"](a, a)
    c = registry["exp"](b) + a
    d = registry["matmul"](c, a) * c
    check(d, registry["sum"](d + a, axes=(1,)))


def stored_shapes(*outputs: Value) -> list[tuple[int, ...]]:
    """The shapes of what stands in memory apart from the outputs and products."""
    check(*outputs)
    simple, wanted = simplify(Graph(outputs))
    kept = [v for v in Fusion(simple).stored().values() if v not in wanted]
    return [v.shape for v in kept if v.op.name != "matmul"]


def test_what_is_cheap_is_computed_again_where_it_is_read():
    x, y = numbers(3, 3), numbers(3, 3, seed=1)
    hidden = registry["relu"](registry["matmul"](x, y) - 1)
    after = registry["matmul"](hidden, y)
    flow = registry["where"](registry["gt"](hidden, ir.same(hidden, 0)), after, x)
    # The mask of the backward pass is made from the activation, which a product reads anyway.
    assert stored_shapes(flow) == [(3, 3)]


def test_of_a_norm_only_rows_are_kept_for_the_way_back():
    x, y = numbers(3, 3), numbers(3, 3, seed=1)
    mean = registry["sum"](x, axes=(1,)) / 3
    centered = x - ir.expand(mean, x.shape)
    scale = registry["rsqrt"](registry["sum"](centered * centered, axes=(1,)) / 3 + 1e-5)
    normal = centered * ir.expand(scale, x.shape)
    after = registry["tanh"](registry["matmul"](normal * 2, y))
    back = registry["matmul"](after, y) * normal + centered
    assert sorted(stored_shapes(back)) == [(3, 1), (3, 1), (3, 3), (3, 3)]


def test_simplification_drops_what_changes_nothing():
    x = numbers(2, 3)
    y = registry["copy"](x)
    y = registry["permute"](registry["permute"](y, order=(1, 0)), order=(1, 0))
    y = registry["reshape"](registry["reshape"](y, shape=(6,)), shape=(2, 3))
    simple, outputs = simplify(Graph([y + y]))
    assert [v.op.name for v in simple.values] == ["add"]
    assert outputs[0].inputs == (x, x)


def test_equal_computations_happen_once():
    x = numbers(2, 3)
    simple, outputs = simplify(Graph([registry["exp"](x), registry["exp"](x)]))
    assert outputs[0] is outputs[1]
    assert len(simple.values) == 1


def test_axes_join_where_every_access_allows_it():
    assert join_axes([2, 3, 4], [(12, 4, 1), (12, 4, 1)]) == ((24,), [2])
    assert join_axes([2, 3, 4], [(12, 4, 1), (0, 0, 1)]) == ((6, 4), [1, 2])
    assert join_axes([2, 1, 4], [(4, 9, 1)]) == ((8,), [2])
    assert join_axes([1, 1], [(1, 1)]) == ((), [])


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_random_graphs_keep_their_meaning(outputs):
    graph = Graph(outputs)
    expected = interpret.run(graph)
    for a, b in zip(run_fused(graph), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_only_what_a_loop_can_compute_is_fused():
    assert fusible(numbers(3) + numbers(3))
    assert not fusible(registry["matmul"](numbers(2, 2), numbers(2, 2)))


def test_planning_is_linear_in_the_number_of_values():
    """A long chain becomes many loops of bounded size, equal but for the memory they read."""
    x = numbers(4)
    for _ in range(3000):
        x = registry["tanh"](x * 0.5)
    simple, _ = simplify(Graph([x]))
    fusion = Fusion(simple)
    assert len(fusion.groups) == -(-2 * 3000 // MOST)
    stored = list(fusion.stored())
    loops = {lower(fusion, group, [k for k in group.members if k in stored]).loop
             for group in fusion.groups[1:-1]}
    (loop,) = loops
    assert len(loop.phases[0].inner) == 1 + MOST // 2 * 3 + 1  # load, (load, mul, tanh)*, store
