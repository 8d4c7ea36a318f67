"""Kernels that read and write at positions, and copies, against the meanings of their ops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import FLOATS, INTEGERS, leaf, meaning, run

from lampion import dtypes, errors
from lampion.cpu import steps
from lampion.cpu.kernels import PROVIDERS
from lampion.cpu.kernels.numbers import supported
from lampion.cpu.program import Planned
from lampion.cpu.target import host
from lampion.ir import Graph, registry

ALL = (dtypes.bool_, *INTEGERS, *FLOATS)
# Without the processor's help there is no arithmetic on float16.
FLOATS = tuple(d for d in FLOATS if supported(d, host()))
NUMBERS = (*INTEGERS, *FLOATS)
LAYOUTS = ("plain", "turned", "spread", "flipped")
quick = settings(max_examples=60, deadline=None)


def numbers(random, shape, dtype):
    """Numbers whose sums are exact in every type, so that their order cannot be seen."""
    if dtype is dtypes.bool_:
        return leaf(random.integers(0, 2, shape), dtype)
    return leaf(random.integers(0 if not dtype.is_signed else -3, 4, shape), dtype)


def same(found, expected):
    assert found is not None
    np.testing.assert_array_equal(found, expected)
    # The bits too: a copy keeps the sign of a zero.
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@st.composite
def along_cases(draw):
    """A table, positions no larger on the other axes, an axis, a source of numbers."""
    rank = draw(st.integers(1, 4))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(rank))
    axis = draw(st.integers(0, rank - 1))
    covered = tuple(draw(st.integers(0, 7)) if k == axis else draw(st.integers(1, n))
                    for k, n in enumerate(shape))
    return shape, covered, axis, np.random.default_rng(draw(st.integers(0, 999)))


@st.composite
def row_cases(draw):
    rest = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 17, 40]), max_size=2)))
    table = (draw(st.integers(1, 5)), *rest)
    index = tuple(draw(st.lists(st.integers(0, 5), max_size=2)))
    return table, index, np.random.default_rng(draw(st.integers(0, 999)))


layouts = st.lists(st.sampled_from(LAYOUTS), min_size=3, max_size=3)


@quick
@given(along_cases(), st.sampled_from(ALL), layouts, st.integers(1, 3))
def test_gather(case, dtype, layout, parts):
    shape, covered, axis, random = case
    operands = (numbers(random, shape, dtype),
                leaf(random.integers(0, shape[axis], covered), dtypes.int64))
    found, fault = run(registry["gather"], operands, {"axis": axis}, layout, parts)
    same(found, meaning(registry["gather"], operands, {"axis": axis}))
    assert not fault


@quick
@given(along_cases(), st.sampled_from(ALL), layouts, st.integers(1, 3), st.booleans())
def test_scatter(case, dtype, layout, parts, in_place):
    shape, covered, axis, random = case
    operands = (numbers(random, shape, dtype),
                leaf(random.integers(0, shape[axis], covered), dtypes.int64),
                numbers(random, covered, dtype))
    found, fault = run(registry["scatter"], operands, {"axis": axis}, layout, parts, in_place)
    same(found, meaning(registry["scatter"], operands, {"axis": axis}))
    assert not fault


@quick
@given(along_cases(), st.sampled_from(NUMBERS), layouts, st.integers(1, 3), st.booleans())
def test_scatter_add(case, dtype, layout, parts, in_place):
    shape, covered, axis, random = case
    operands = (numbers(random, shape, dtype),
                leaf(random.integers(0, shape[axis], covered), dtypes.int64),
                numbers(random, covered, dtype))
    found, fault = run(registry["scatter_add"], operands, {"axis": axis}, layout, parts, in_place)
    np.testing.assert_array_equal(found, meaning(registry["scatter_add"], operands, {"axis": axis}))
    assert not fault


@quick
@given(row_cases(), st.sampled_from(ALL), layouts, st.integers(1, 3))
def test_take(case, dtype, layout, parts):
    table, index, random = case
    operands = (numbers(random, table, dtype),
                leaf(random.integers(-table[0], table[0], index), dtypes.int64))
    found, fault = run(registry["take"], operands, {}, layout, parts)
    same(found, meaning(registry["take"], operands, {}))
    assert not fault


@quick
@given(row_cases(), st.sampled_from(ALL), layouts, st.integers(1, 3), st.booleans(),
       st.sampled_from(["put", "put_add"]))
def test_put_and_put_add(case, dtype, layout, parts, in_place, name):
    table, index, random = case
    if name == "put_add" and dtype not in NUMBERS:
        dtype = dtypes.uint8
    if len(index) > 1:
        layout[1] = "plain"
    operands = (numbers(random, table, dtype),
                leaf(random.integers(-table[0], table[0], index), dtypes.int64),
                numbers(random, index + table[1:], dtype))
    if len(index) > 1 and layout[2] == "turned":
        layout[2] = "plain"
    found, fault = run(registry[name], operands, {}, layout, parts, in_place)
    np.testing.assert_array_equal(found, meaning(registry[name], operands, {}))
    assert not fault


@pytest.mark.parametrize("name", ["put", "put_add", "scatter", "scatter_add"])
def test_positions_in_an_order_of_axes_that_has_no_single_stride_are_not_for_these(name):
    random = np.random.default_rng(0)
    table, index = ((5, 3), (2, 3)) if "put" in name else ((5, 3), (2, 3))
    operands = (numbers(random, table, dtypes.float32), leaf(random.integers(0, 5, index),
                dtypes.int64), numbers(random, index + (3,) if "put" in name else index,
                                       dtypes.float32))
    options = {} if "put" in name else {"axis": 0}
    found, _ = run(registry[name], operands, options, ("plain", "turned", "plain"))
    assert (found is None) == ("put" in name)


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("dtype", FLOATS)
def test_repeated_positions_add_up_in_order_however_jobs_are_split(dtype, parts):
    random = np.random.default_rng(1)
    x = leaf(np.zeros((7, 1000)), dtype)
    index = leaf(random.integers(0, 7, 50), dtypes.int64)
    update = leaf(random.normal(size=(50, 1000)), dtype)
    found, _ = run(registry["put_add"], (x, index, update), {}, parts=parts)
    # The halves are summed up in float32 and rounded once.
    expected = x.data.astype(np.float32 if dtype.itemsize == 2 else dtype.array)
    for position, row in zip(index.data, update.data, strict=True):
        expected[position] += row
    np.testing.assert_array_equal(found, dtypes.round_to(dtype, expected.astype(dtype.array)))
    np.testing.assert_array_equal(found, meaning(registry["put_add"], (x, index, update), {}))


def test_a_table_of_one_number_repeated_is_filled_in():
    x = leaf(np.broadcast_to(2.0, (6, 33)), dtypes.float32)
    index, update = leaf([1, 1], dtypes.int64), leaf(np.ones((2, 33)), dtypes.float32)
    operands = (steps.Operand(dtypes.float32, (6, 33), 0, (0, 0)),
                steps.Operand(dtypes.int64, (2,), 0, (1,)),
                steps.Operand(dtypes.float32, (2, 33), 0, (33, 1)))
    plan = PROVIDERS["put_add"](operands, x.type, {}, host())
    one, out = np.full(1, 2.0, np.float32), np.zeros((6, 33), np.float32)
    fault = np.zeros(1, np.int64)
    addresses = [a.ctypes.data for a in (one, index.data, update.data, out)]
    steps.run_serially(steps.bind(plan, addresses, fault=fault.ctypes.data))
    expected = np.full((6, 33), 2.0)
    expected[1] = 4
    np.testing.assert_array_equal(out, expected)


LARGEST = np.iinfo(np.int64).max
OUTSIDE = [
    ("take", (3, 4), [0, 3, 1], None, {}), ("take", (3, 4), [-4], None, {}),
    ("take", (3,), [0, 5], None, {}), ("take", (0, 4), [0], None, {}),
    ("take", (3, 0), [7], None, {}), ("take", (3, 4), [LARGEST, -LARGEST - 1], None, {}),
    ("gather", (3,), [3], None, {"axis": 0}), ("gather", (3,), [-1], None, {"axis": 0}),
    ("gather", (0,), [0], None, {"axis": 0}),
    ("put", (3, 4), [1, 3], (2, 4), {}), ("put_add", (3, 4), [-5], (1, 4), {}),
    ("put_add", (0, 4), [0], (1, 4), {}), ("put", (3,), [9], (1,), {}),
    ("scatter", (3,), [4], (1,), {"axis": 0}), ("scatter_add", (3,), [-1], (1,), {"axis": 0}),
    ("scatter_add", (3,), [LARGEST], (1,), {"axis": 0}),
]


@pytest.mark.parametrize("name, table, index, update, options", OUTSIDE)
def test_a_position_outside_sets_the_fault_and_touches_no_other_memory(
        name, table, index, update, options):
    operands = [leaf(np.ones(table), dtypes.float32), leaf(np.array(index), dtypes.int64)]
    if update is not None:
        operands.append(leaf(np.ones(update), dtypes.float32))
    with pytest.raises((errors.IndexRangeError, errors.PositionRangeError)):
        meaning(registry[name], operands, options)
    _, fault = run(registry[name], operands, options)
    assert fault == 1


@quick
@given(st.integers(0, 70), st.integers(1, 9), st.booleans(), st.integers(1, 3))
def test_checked_positions(count, size, wrap, parts):
    random = np.random.default_rng(count)
    index = leaf(random.integers(-size if wrap else 0, size, count), dtypes.int64)
    options = {"size": size, "wrap": wrap}
    found, fault = run(registry["checked_index"], (index,), options, parts=parts)
    same(found, meaning(registry["checked_index"], (index,), options))
    assert not fault
    if count:
        index.data[random.integers(count)] = -size - 1 if wrap else -1
        assert run(registry["checked_index"], (index,), options, parts=parts)[1] == 1
        index.data[random.integers(count)] = size
        assert run(registry["checked_index"], (index,), options, parts=parts)[1] == 1


def test_many_checked_positions_are_several_jobs():
    index = leaf(np.arange(30000) % 7 - 3, dtypes.int64)
    found, fault = run(registry["checked_index"], (index,), {"size": 4}, parts=3)
    same(found, meaning(registry["checked_index"], (index,), {"size": 4}))
    assert not fault


@quick
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.lists(st.integers(0, 3), min_size=1,
       max_size=3), st.data(), st.sampled_from(ALL), st.integers(1, 3))
def test_concat(shape, lengths, data, dtype, parts):
    axis = data.draw(st.integers(0, len(shape) - 1))
    random = np.random.default_rng(len(lengths))
    operands = [numbers(random, (*shape[:axis], n, *shape[axis + 1:]), dtype) for n in lengths]
    layout = [data.draw(st.sampled_from(LAYOUTS)) for _ in operands]
    found, _ = run(registry["concat"], operands, {"axis": axis}, layout, parts)
    same(found, meaning(registry["concat"], operands, {"axis": axis}))


@pytest.mark.parametrize("dtype", [dtypes.uint8, dtypes.int16, dtypes.float32, dtypes.float64])
@pytest.mark.parametrize("parts", [1, 5])
def test_long_copies_are_split(dtype, parts):
    random = np.random.default_rng(2)
    operands = [numbers(random, (3, 100_001), dtype), numbers(random, (3, 777), dtype)]
    found, _ = run(registry["concat"], operands, {"axis": 1}, parts=parts)
    same(found, meaning(registry["concat"], operands, {"axis": 1}))


@quick
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(1, 3)), min_size=1,
                max_size=3), layouts, st.sampled_from(ALL), st.integers(1, 3), st.booleans())
def test_slice_put(axes, layout, dtype, parts, in_place):
    start = tuple(a for a, _, _ in axes)
    step = tuple(c for _, _, c in axes)
    count = tuple(n for _, n, _ in axes)
    stop = tuple(a + n * c for a, n, c in axes)
    shape = tuple(b + 1 for b in stop)
    random = np.random.default_rng(sum(shape))
    operands = (numbers(random, shape, dtype), numbers(random, count, dtype))
    options = {"start": start, "stop": stop, "step": step}
    found, _ = run(registry["slice_put"], operands, options, layout, parts, in_place)
    same(found, meaning(registry["slice_put"], operands, options))


@quick
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 3)), min_size=1,
                max_size=3), layouts, st.sampled_from(ALL), st.integers(1, 3))
def test_pad(axes, layout, dtype, parts):
    low, shape, high = (tuple(axis[k] for axis in axes) for k in range(3))
    operands = (numbers(np.random.default_rng(sum(shape)), shape, dtype),)
    options = {"low": low, "high": high}
    found, _ = run(registry["pad"], operands, options, layout, parts)
    same(found, meaning(registry["pad"], operands, options))


def test_memory_that_is_read_as_another_operand_is_not_overwritten():
    whole = {"start": (0,), "stop": (3,), "step": (1,)}
    x, other = (numbers(np.random.default_rng(k), (4,), dtypes.float32) for k in (0, 1))
    moved = registry["slice"](x, start=(1,), stop=(4,), step=(1,))
    own = registry["slice"](other, start=(1,), stop=(4,), step=(1,))
    for update, donated in ((moved, {}), (own, {0: 0})):
        graph = Graph([registry["slice_put"](x, update, **whole)])
        assert Planned(graph, {0: graph.inputs.index(x)}).donated == donated
