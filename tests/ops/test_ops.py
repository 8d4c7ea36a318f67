"""Tests made from the registry of ops: every op is held against slow truths.

For each op: the type rule agrees with the meaning on every element type it claims, also with
empty and size-1 axes; the gradient and the second derivative agree with central differences in
float64; special values come out as PyTorch has them.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from op_cases import (
    ALL_OPS,
    FLOATS,
    IMPLICIT,
    OF_COMPLEX,
    ONE_ARGUMENT,
    ONE_TRIANGLE,
    ONLY_BOOLEAN_OR_INTEGER,
    arity,
    cases,
    claimed,
    operands,
)

from lampion import dtypes, interpret, ir
from lampion.grad import backpropagate
from lampion.ir import Graph, NoGradient, Value, registry, zero

by_name = pytest.mark.parametrize("op", ALL_OPS, ids=lambda op: op.name)


def run(*outputs: Value):
    graph = Graph(outputs)
    graph.verify()
    return interpret.run(graph)


@by_name
def test_every_op_says_what_it_means(op):
    assert op.doc.endswith(".") and len(op.doc) < 90
    assert op.kind in ("elementwise", "movement", "reduction", "opaque")
    # A pad has zeros where nothing is read, so it is no mere other way of reading.
    assert (op.kind == "opaque" or op.name == "pad") == ("kernel" in op.lower)


@by_name
def test_the_type_rule_agrees_with_the_meaning(op):
    for dtype, (shapes, settings) in itertools.product(claimed(op), cases(op)):
        value = op(*operands(op, shapes, settings, dtype), **settings)
        (array,) = run(value)  # interpret refuses an array of another type or shape
        assert array.shape == value.shape
        assert array.dtype == value.dtype.array


def differentiable(op):
    return op.grad is not zero and not isinstance(op.grad, NoGradient) and op.name not in (
        "floor_divide", "trunc_divide", *ONE_TRIANGLE, *ONE_ARGUMENT, *OF_COMPLEX, *IMPLICIT)


DIFFERENTIABLE = [op for op in ALL_OPS if differentiable(op)]


def scalar(op, values, settings, weight):
    """A number made of the op's result, so that every element's gradient differs."""
    result = op(*values, **settings)
    if not result.dtype.is_floating_point:
        return None
    return registry["sum"](result * ir.leaf(weight(result.shape), dtypes.float64),
                           axes=tuple(range(result.ndim)))


def weights(shape):
    return np.cos(np.arange(math.prod(shape)) + 1.0).reshape(shape)


def tracked(values):
    for value in values:
        value.tracked = value.dtype.is_floating_point
    return values


def gradients(op, values, settings):
    total = scalar(op, tracked(values), settings, weights)
    seed = ir.full(total.shape, 1, total.dtype)
    found = backpropagate([(total, seed)], wanted=[v for v in values if v.tracked], retain=True)
    return [found.get(v.order) for v in values if v.tracked]


def numeric(function, values, place, step=1e-6):
    """Central differences of a number by each element of one operand."""
    base = values[place].data
    slopes = np.zeros(base.shape)
    for index in np.ndindex(base.shape):
        ends = []
        for sign in (1, -1):
            moved = base.copy()
            moved[index] += sign * step
            changed = list(values)
            changed[place] = ir.leaf(moved, values[place].dtype)
            ends.append(function(changed))
        slopes[index] = (ends[0] - ends[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_the_gradient_agrees_with_central_differences(op):
    for shapes, settings in cases(op):
        if op.name == "cast" and settings["dtype"] is not dtypes.float64:
            continue
        values = operands(op, shapes, settings, dtypes.float64, seed=1)
        found = gradients(op, values, settings)

        def total(changed, settings=settings):
            return run(scalar(op, changed, settings, weights))[0].item()

        wanted = [k for k, v in enumerate(values) if v.tracked]
        for place, g in zip(wanted, found, strict=True):
            slopes = numeric(total, values, place)
            got = np.zeros(slopes.shape) if g is None else run(g)[0]
            np.testing.assert_allclose(got, slopes, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_the_second_derivative_agrees_with_central_differences(op):
    shapes, settings = cases(op)[0]
    if op.name == "cast":
        settings = {"dtype": dtypes.float64}
    values = operands(op, shapes, settings, dtypes.float64, seed=2)

    def slope_sum(changed):
        """A number made of all first derivatives."""
        parts = [g for g in gradients(op, changed, settings) if g is not None]
        total = None
        for part in parts:
            weighed = registry["sum"](
                part * ir.leaf(np.sin(np.arange(part.data.size if part.data is not None else
                                                math.prod(part.shape)) + 0.5).reshape(part.shape),
                               dtypes.float64), axes=tuple(range(part.ndim)))
            total = registry["reshape"](weighed, shape=()) if total is None else (
                total + registry["reshape"](weighed, shape=()))
        return total

    total = slope_sum(values)
    if not total.tracked:
        # A linear op: its slopes must not change at all.
        for place, value in enumerate(values):
            if value.tracked:
                slopes = numeric(lambda c: run(slope_sum(c))[0].item(), values, place)
                np.testing.assert_allclose(slopes, 0, atol=1e-5)
        return
    found = backpropagate([(total, ir.full((), 1, total.dtype))],
                          wanted=[v for v in values if v.tracked], retain=True)
    for place, value in enumerate(values):
        if not value.tracked:
            continue
        slopes = numeric(lambda c: run(slope_sum(c))[0].item(), values, place)
        g = found.get(value.order)
        got = np.zeros(slopes.shape) if g is None else run(g)[0]
        np.testing.assert_allclose(got, slopes, rtol=5e-4, atol=5e-5)


SPECIAL = np.array([
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 1e-45, -1e-45, 1e-38, 1e-39, 3.4e38, -3.4e38,
    1e-7, 88.0, 89.0, -88.0, -104.0, 20.0, -20.0, 3.14159265, 1e5, math.inf, -math.inf, math.nan,
], np.float32)

TORCH_NAMES = {
    "bit_and": "bitwise_and", "bit_or": "bitwise_or", "bit_xor": "bitwise_xor",
    "bit_not": "bitwise_not", "shift_left": "bitwise_left_shift",
    "shift_right": "bitwise_right_shift", "div": "true_divide", "copy": "clone",
}
ELEMENTWISE = [op for op in ALL_OPS if op.kind == "elementwise" and op.name not in (
    "cast", "overwrite", "clamp", "clamp_low", "clamp_high", "where", "trunc_divide")
    and op.name not in ONLY_BOOLEAN_OR_INTEGER]


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64], ids=lambda d: d.name)
def test_special_values_agree_with_pytorch(op, dtype):
    torch = pytest.importorskip("torch")
    special = SPECIAL.astype(dtype.array)
    if arity(op) == 2:
        grids = np.meshgrid(special, special, indexing="ij")
        arrays = [np.ascontiguousarray(g.reshape(-1)) for g in grids]
        if op.name in ("fmod", "remainder"):
            # PyTorch gives NaN where the quotient overflows; the C library's fmod is exact there.
            with np.errstate(all="ignore"):
                overflow = np.isinf(arrays[0] / arrays[1])
            usual = ~(overflow & np.isfinite(arrays[0]) & (arrays[1] != 0))
            arrays = [a[usual] for a in arrays]
    else:
        arrays = [special]
    (got,) = run(op(*(ir.leaf(a, dtype) for a in arrays)))
    expected = getattr(torch, TORCH_NAMES.get(op.name, op.name))(
        *(torch.from_numpy(a) for a in arrays)).numpy()
    # Where PyTorch's own rounding decides (huge arguments), neighbours are as good.
    rtol = 3e-6 if dtype is dtypes.float32 else 1e-12
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=np.finfo(dtype.array).tiny * 4)
    if op.name in ("neg", "copy", "mul", "div", "sqrt", "sin", "floor", "ceil", "trunc", "round"):
        known = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(expected)[known])


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.name)
def test_float_results_are_close_to_float64(dtype):
    """Each elementwise op in each floating type, against its own meaning in float64."""
    epsilon = dtypes.finfo(dtype).eps
    for op in ELEMENTWISE:
        if op.name in ("floor_divide", "remainder", "fmod", "sign", "floor", "ceil", "trunc",
                       "round") or op.lower.get("to"):
            continue
        values = operands(op, ((50,),) * arity(op), {}, dtype, seed=3)
        wide = [ir.leaf(v.data.astype(np.float64), dtypes.float64) for v in values]
        (got,), (expected,) = run(op(*values)), run(op(*wide))
        if got.dtype == np.bool_:
            np.testing.assert_array_equal(got, expected)
            continue
        error = np.abs(got.astype(np.float64) - expected)
        allowed = 4 * epsilon * np.maximum(np.abs(expected), 1e-3)
        assert (error <= allowed).all(), f"{op.name}: {error.max()}"


def test_the_table_of_ops_names_every_op(capsys):
    from lampion.ops.__main__ import main

    main()
    text = capsys.readouterr().out
    for op in ALL_OPS:
        assert f" {op.name} " in text


class ArrayBuilder:
    """A builder whose instructions compute with NumPy at once."""

    @staticmethod
    def constant(number, like):
        return np.asarray(number, like.dtype)

    @staticmethod
    def cast(x, dtype):
        return x.astype(getattr(dtype, "array", dtype))

    def __getattr__(self, name):
        meaning = registry[name].meaning
        return lambda *operands: np.asarray(meaning(np, *operands))


@pytest.mark.parametrize("op", [o for o in ALL_OPS if o.kind == "elementwise"],
                         ids=lambda op: op.name)
def test_emission_agrees_with_the_meaning(op):
    for dtype in claimed(op):
        shapes, settings = cases(op)[0]
        values = operands(op, shapes, settings, dtype)
        if dtype is dtypes.float32 and op.name not in ("where", "cast"):
            grids = np.meshgrid(*[SPECIAL] * arity(op), indexing="ij")
            values = [ir.leaf(g.copy(), dtype) for g in grids]
        with np.errstate(all="ignore"):
            got = op.lower["emit"](ArrayBuilder(), *(v.data for v in values), **settings)
            expected = op.meaning(np, *(v.data for v in values), **settings)
        np.testing.assert_allclose(np.asarray(got, np.float64), np.asarray(expected, np.float64),
                                   rtol=1e-3 if dtype.itemsize == 2 else 1e-6)


@pytest.mark.parametrize("op", [o for o in ALL_OPS if o.kind == "movement"],
                         ids=lambda op: op.name)
def test_the_index_map_agrees_with_the_meaning(op):
    for shapes, settings in cases(op):
        (x,) = operands(op, shapes, settings, dtypes.float64)
        value = op(x, **settings)
        (expected,) = run(value)
        for place in np.ndindex(*value.shape):
            inside = op.lower["inside"]
            if inside is not None and not inside(place, x, **settings):
                assert expected[place] == 0
            else:
                assert expected[place] == x.data[op.lower["index"](place, x, **settings)]


START = {"lowest": -math.inf, "highest": math.inf}


@pytest.mark.parametrize("op", [o for o in ALL_OPS if o.kind == "reduction"],
                         ids=lambda op: op.name)
def test_combining_one_by_one_agrees_with_the_reduction(op):
    values = np.random.default_rng(5).uniform(-2, 2, 7)
    x = ir.leaf(values, dtypes.float64)
    (expected,) = run(op(x, axes=(0,)))
    builder, lower = ArrayBuilder(), op.lower
    total = np.asarray(START.get(lower["start"], lower["start"]), np.float64)
    for element in values:
        element = lower["before"](builder, element) if lower["before"] else element
        total = getattr(builder, lower["combine"])(total, element)
    total = lower["after"](builder, total) if lower["after"] else total
    np.testing.assert_allclose(total, expected[0], rtol=1e-12)
