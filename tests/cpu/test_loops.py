"""Fused loops in native code: drawn loops against their meaning, on every instruction set."""

from __future__ import annotations

import ctypes
import itertools
import random

import numpy as np
import pytest
from drawn_graphs import graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loop_oracle import run_loop

from lampion import dtypes, interpret, ir, ops
from lampion.cpu import native, nest, pieces, steps, target
from lampion.errors import ArgumentError
from lampion.ir import Graph, Type, Value, registry
from lampion.kernel import Compute, Load, Loop, Phase, Reduce, Store
from lampion.passes.access import access
from lampion.passes.fuse import Fusion
from lampion.passes.lower import lower
from lampion.passes.simplify import simplify

assert ops  # fills the registry

_SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
GUARD = 96  # elements before and after each output that nothing may touch


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMPION_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def targets() -> list[str]:
    found = []
    for name in ("host", "avx2", "generic"):
        try:
            target.named(name)
        except ArgumentError:
            continue
        found.append(name)
    return found


def run_native(loop: Loop, addresses: list[int], name: str = "host", split: int | None = None,
               ) -> bool:
    """Run a loop on memory; return whether it noted a fault.

    Args:
        split: None to do all jobs at once, else the seed of an order in which they are done.
    """
    instructions = target.named(name)
    plan = native.plan_loop(loop, instructions)
    assert plan is not None
    return run_plan(plan, addresses, instructions, split)


def run_plan(plan: steps.Plan, addresses: list[int], instructions: target.Target,
             split: int | None) -> bool:
    scratch = np.full(plan.scratch_bytes + 64, 0x7F, np.uint8)
    fault = np.zeros(1, np.int64)
    calls = steps.bind(plan, addresses, -(-scratch.ctypes.data // 64) * 64, instructions,
                       fault.ctypes.data)
    for call in calls:
        for begin, end in parts(call.jobs, split):
            _SIGNATURE(call.address)(call.slots.ctypes.data, begin, end)
    return bool(fault[0])


def parts(jobs: int, split: int | None) -> list[tuple[int, int]]:
    if split is None:
        return [(0, jobs)]
    draw = random.Random(split)
    cuts = sorted({0, jobs, *(draw.randrange(jobs + 1) for _ in range(5))})
    found = list(itertools.pairwise(cuts))
    draw.shuffle(found)
    return found


# --- drawn loops -----------------------------------------------------------------------------

LENGTHS = (0, 1, 2, 3, 5, 8, 16, 17, 33, 70, 130)
FLOATS = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
WHOLE = (dtypes.int8, dtypes.uint8, dtypes.int16, dtypes.int32, dtypes.int64)
UNARY = {"float": ("neg", "abs", "relu", "sign", "floor"), "whole": ("neg", "abs", "bit_not"),
         "bool": ("bit_not",)}
BINARY = {"float": ("add", "sub", "mul", "maximum", "minimum", "lt", "eq"),
          "whole": ("add", "sub", "mul", "maximum", "minimum", "bit_and", "ge", "floor_divide",
                    "remainder", "trunc_divide", "fmod"),
          "bool": ("bit_and", "bit_or", "bit_xor", "add", "mul", "maximum")}


def family(dtype: dtypes.dtype) -> str:
    if dtype is dtypes.bool_:
        return "bool"
    return "float" if dtype.is_floating_point else "whole"


class Drawing:
    """A loop in the making: results so far as (number, type, whether one for each element)."""

    def __init__(self, draw):
        self.draw = draw
        lengths = st.sampled_from(LENGTHS)
        self.outer = tuple(draw(st.lists(lengths, max_size=3)))
        self.inner = tuple(draw(st.lists(lengths, max_size=2)))
        if np.prod(self.outer + self.inner, dtype=float) > 40_000:
            self.outer = tuple(min(n, 5) for n in self.outer)
            self.inner = tuple(min(n, 17) for n in self.inner)
        self.dtype = draw(st.sampled_from((dtypes.float32, dtypes.bool_, *FLOATS, *WHOLE)))
        self.inputs: list[tuple[dtypes.dtype, int]] = []
        self.outputs: list[tuple[dtypes.dtype, int]] = []
        self.count = 0
        self.rows: list[tuple[int, dtypes.dtype]] = []

    def next(self) -> int:
        self.count += 1
        return self.count - 1

    def load(self, inside: bool) -> Load:
        """A read with steps of 0, in any order of axes, backwards, with gaps."""
        draw, lengths = self.draw, self.outer + self.inner
        strides, offset, step = [0] * len(lengths), draw(st.sampled_from((0, 0, 3))), 1
        axes = range(len(lengths) if inside else len(self.outer))
        mode = draw(st.sampled_from(("plain", "row", "any")))
        order = list(reversed(axes))
        if mode == "any":
            order = draw(st.permutations(order))
        for axis in order:
            if mode == "any" and draw(st.integers(0, 3)) == 0:
                continue
            if mode == "row" and axis < len(self.outer):
                continue
            step *= draw(st.sampled_from((1, 1, 1, 2))) if mode == "any" else 1
            back = mode == "any" and draw(st.integers(0, 4)) == 0
            strides[axis] = -step if back else step
            offset += step * max(lengths[axis] - 1, 0) if back else 0
            step *= max(lengths[axis], 1)
        dtype = self.dtype
        if draw(st.integers(0, 5)) == 0:
            dtype = draw(st.sampled_from((dtypes.bool_, dtypes.float32, dtypes.int64)))
        self.inputs.append((dtype, offset + step))
        return Load(len(self.inputs) - 1, dtype, offset, tuple(strides))

    def store(self, number: int, dtype: dtypes.dtype, inside: bool) -> Store:
        draw, lengths = self.draw, self.outer + self.inner
        strides, step = [0] * len(lengths), 1
        axes = list(reversed(range(len(lengths) if inside else len(self.outer))))
        if draw(st.integers(0, 2)) == 0:
            axes = draw(st.permutations(axes))
            step = draw(st.sampled_from((1, 2)))
        for axis in axes:
            strides[axis] = step
            step *= max(lengths[axis], 1)
        self.outputs.append((dtype, step))
        return Store(-len(self.outputs), number, 0, tuple(strides))

    def compute(self, known: list[tuple[int, dtypes.dtype]]) -> Compute:
        draw = self.draw
        number, dtype = draw(st.sampled_from(known))
        same = [n for n, d in known if d is dtype]
        kind = draw(st.sampled_from(("unary", "binary", "binary", "cast", "where")))
        bits = [n for n, d in known if d is dtypes.bool_]
        if kind == "where" and bits:
            operands = (draw(st.sampled_from(bits)), number, draw(st.sampled_from(same)))
            return Compute(registry["where"], operands, (), dtype)
        if kind == "cast":
            to = draw(st.sampled_from((self.dtype, dtypes.float32, dtypes.int32, dtypes.bool_)))
            if not (dtype.is_floating_point and family(to) == "whole"):
                return Compute(registry["cast"], (number,), (("dtype", to),), to)
        if kind == "unary":
            op = registry[draw(st.sampled_from(UNARY[family(dtype)]))]
            return Compute(op, (number,), (), dtype)
        op = registry[draw(st.sampled_from(BINARY[family(dtype)]))]
        made = dtypes.bool_ if op.name in ("lt", "eq", "ge") else dtype
        return Compute(op, (number, draw(st.sampled_from(same))), (), made)

    def phase(self) -> Phase:
        draw = self.draw
        inner: list = []
        known: list = list(self.rows)
        reduced: list = []
        for _ in range(draw(st.integers(1, 3))):
            load = self.load(True)
            inner.append(load)
            known.append((self.next(), load.dtype))
        for _ in range(draw(st.integers(0, 4))):
            made = self.compute(known)
            inner.append(made)
            known.append((self.next(), made.dtype))
        for _ in range(draw(st.integers(0, 2))):
            number, dtype = draw(st.sampled_from(known))
            inner.append(Reduce(registry[draw(st.sampled_from(("sum", "max", "min")))], number,
                                dtype))
            reduced.append((self.next(), dtype))
        for _ in range(draw(st.integers(0 if reduced else 1, 2))):
            number, dtype = draw(st.sampled_from(known))
            inner.append(self.store(number, dtype, True))
        return Phase(tuple(inner), self.after(reduced))

    def after(self, reduced: list) -> tuple:
        draw, after = self.draw, []
        self.rows += reduced
        if not self.rows:
            return ()
        if draw(st.booleans()):
            load = self.load(False)
            after.append(load)
            self.rows.append((self.next(), load.dtype))
        for _ in range(draw(st.integers(0, 2))):
            made = self.compute(self.rows)
            after.append(made)
            self.rows.append((self.next(), made.dtype))
        for _ in range(draw(st.integers(1 if reduced else 0, 2))):
            number, dtype = draw(st.sampled_from(self.rows))
            after.append(self.store(number, dtype, False))
        return tuple(after)

    def loop(self) -> Loop:
        phases = [self.phase() for _ in range(self.draw(st.sampled_from((1, 1, 1, 2, 3))))]

        def numbered(s):
            if isinstance(s, Store):
                return s._replace(buffer=len(self.inputs) - s.buffer - 1)
            return s

        buffers = tuple(Type((size,), dtype) for dtype, size in self.inputs + self.outputs)
        return Loop(self.outer, self.inner, tuple(
            Phase(tuple(map(numbered, p.inner)), tuple(map(numbered, p.after))) for p in phases),
            buffers, len(self.outputs))


@st.composite
def loops(draw):
    return Drawing(draw).loop()


def filled(loop: Loop, seed: int) -> list[np.ndarray]:
    """Arrays for the buffers; sums of their small whole numbers are exact in any order."""
    rng = np.random.default_rng(seed)
    found = []
    for place, (shape, dtype) in enumerate(loop.buffers):
        if place >= len(loop.buffers) - loop.outputs:
            found.append(np.full(shape[0] + 2 * GUARD, 77, dtype.array))
            continue
        low = 0 if dtype in (dtypes.bool_, dtypes.uint8) else -2
        array = rng.integers(low, 3, shape).astype(dtype.array)
        if dtype.is_floating_point and rng.random() < 0.2 and array.size:
            special = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], 3)
            array[rng.integers(0, array.size, 3)] = special
        found.append(array)
    return found


@settings(max_examples=100, deadline=None)
@given(loops(), st.integers(0, 2**32), st.sampled_from(targets()))
def test_a_drawn_loop_computes_its_meaning(loop, seed, name):
    check(loop, seed, name)


@pytest.fixture
def short_pieces(monkeypatch):
    """Rows are cut in pieces of a few elements."""
    monkeypatch.setattr(pieces, "PIECE", 20)
    monkeypatch.setattr(pieces, "WORTH", 2)
    monkeypatch.setattr(nest, "FEW", 10**9)
    native._plan_loop.cache_clear()
    yield
    native._plan_loop.cache_clear()


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loops(), st.integers(0, 2**32), st.sampled_from(targets()))
def test_a_drawn_loop_in_pieces_computes_its_meaning(short_pieces, loop, seed, name):
    check(loop, seed, name)


def test_a_long_sum_has_pieces_for_all_threads():
    plan = native.plan_loop(only_loop(total(leaf(1_000_003), 0)))
    assert [step.jobs for step in plan.steps] == [31, 1]


def check(loop: Loop, seed: int, name: str) -> None:
    first = len(loop.buffers) - loop.outputs
    buffers = filled(loop, seed)
    expected = [array.copy() for array in buffers]
    inside = expected[:first] + [array[GUARD:] for array in expected[first:]]
    whole_zero = False
    try:
        run_loop(loop, inside)
    except Exception as error:
        assert "divided by zero" in str(error)
        whole_zero = True
    addresses = [a.ctypes.data + GUARD * a.itemsize * (k >= first) for k, a in enumerate(buffers)]
    fault = run_native(loop, addresses, name, seed)
    assert fault == whole_zero
    if not fault:
        for got, want in zip(buffers, expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_division_of_whole_numbers_by_zero_is_noted():
    whole = Type((5,), dtypes.int32)
    loop = Loop((), (5,), (Phase((
        Load(0, dtypes.int32, 0, (1,)), Load(1, dtypes.int32, 0, (1,)),
        Compute(registry["floor_divide"], (0, 1), (), dtypes.int32), Store(2, 2, 0, (1,)))),),
        (whole, whole, whole), 1)
    a, b, c = (np.arange(1, 6, dtype=np.int32) for _ in range(3))
    addresses = [x.ctypes.data for x in (a, b, c)]
    assert not run_native(loop, addresses)
    assert c.tolist() == [1, 1, 1, 1, 1]
    b[3] = 0
    assert run_native(loop, addresses)


# --- whole graphs ------------------------------------------------------------------------------


def compute(outputs: list[Value], name: str = "host", split: int | None = None,
            ) -> tuple[list[np.ndarray], int]:
    """The arrays of outputs by native loops, everything else by its meaning; how many loops."""
    simple, wanted = simplify(Graph(outputs))
    fusion = Fusion(simple)
    stored = fusion.stored()
    arrays = {v.order: v.data for v in simple.inputs}

    def read(value: Value) -> np.ndarray:
        found = access(value)
        if found.source.order not in arrays:
            make(found.source)
        base = np.ascontiguousarray(arrays[found.source.order]).reshape(-1)
        if not base.size or 0 in value.shape:
            return np.zeros(value.shape, base.dtype)
        return np.lib.stride_tricks.as_strided(
            base[found.offset:], value.shape, [s * base.itemsize for s in found.strides])

    def make(value: Value) -> None:
        group = fusion.group_of.get(value.order)
        if group is None:
            arrays[value.order] = interpret.compute(value, [read(v) for v in value.inputs])
            return
        lowered = lower(fusion, group, [k for k in group.members if k in stored])
        buffers = [np.ascontiguousarray(read(v)) for v in lowered.inputs]
        buffers += [np.empty(v.shape, v.dtype.array) for v in lowered.outputs]
        assert not run_native(lowered.loop, [b.ctypes.data for b in buffers], name, split)
        for made, array in zip(lowered.outputs, buffers[len(lowered.inputs):], strict=True):
            arrays[made.order] = array

    return [read(v) for v in wanted], len(fusion.groups)


def leaf(*shape: int, seed: int = 0, dtype: dtypes.dtype = dtypes.float32) -> Value:
    array = np.random.default_rng(seed).standard_normal(shape)
    return ir.leaf(dtypes.round_to(dtype, array.astype(dtype.array)), dtype)


def total(x: Value, *axes: int) -> Value:
    return registry["sum"](x, axes=axes)


def widened(value: Value) -> Value:
    """The same web of values in float64, from leaves that hold the same numbers."""
    known: dict[int, Value] = {}

    def wide(v: Value) -> Value:
        if v.order not in known:
            if v.op is None:
                known[v.order] = ir.leaf(v.data.astype(np.float64), dtypes.float64)
            else:
                known[v.order] = v.op(*map(wide, v.inputs), **v.settings)
        return known[v.order]

    return wide(value)


def softmax(x: Value, axis: int) -> Value:
    top = ir.expand(registry["max"](x, axes=(axis,)), x.shape)
    up = registry["exp"](x - top)
    return up / ir.expand(total(up, axis), x.shape)


def log_softmax(x: Value) -> Value:
    top = ir.expand(registry["max"](x, axes=(1,)), x.shape)
    low = x - top
    return low - ir.expand(registry["log"](total(registry["exp"](low), 1)), x.shape)


def normalised(x: Value, *axes: int) -> tuple[Value, Value]:
    count = float(np.prod([x.shape[k] for k in axes]))
    low = x - ir.expand(total(x, *axes) / count, x.shape)
    scale = registry["rsqrt"](total(low * low, *axes) / count + 1e-5)
    return low * ir.expand(scale, x.shape), scale


def norm_backward(g: Value, x: Value, weight: Value, *axes: int) -> Value:
    count = float(np.prod([x.shape[k] for k in axes]))
    normal, scale = normalised(x, *axes)
    g = g * ir.expand(weight, x.shape)
    mean = ir.expand(total(g, *axes) / count, x.shape)
    along = ir.expand(total(g * normal, *axes) / count, x.shape)
    return (g - mean - normal * along) * ir.expand(scale, x.shape)


def divided_by_norm(x: Value, axis: int) -> Value:
    return x / ir.expand(registry["norm2"](x, axes=(axis,)), x.shape)


def cross_entropy(x: Value, chosen: Value) -> Value:
    return -(total(log_softmax(x) * chosen, 0, 1) / x.shape[0])


GROUPS = {
    "softmax": (lambda: softmax(leaf(7, 129), 1), 1),
    "softmax of ten": (lambda: softmax(leaf(64, 10), 1), 1),
    "softmax down": (lambda: softmax(leaf(33, 70), 0), 1),
    "softmax of one": (lambda: softmax(leaf(1, 1), 1), 1),
    "a single number that waits in the result": (
        lambda: divided_by_norm(registry["sinh"](leaf(1)), 0), 1),
    "log_softmax": (lambda: log_softmax(leaf(40, 11)), 1),
    "layer norm": (lambda: normalised(leaf(9, 200), 1)[0] * ir.expand(leaf(200), (9, 200)), 1),
    "layer norm backward": (
        lambda: norm_backward(leaf(9, 50), leaf(9, 50, seed=1), leaf(50, seed=2), 1), 1),
    "batch norm": (lambda: normalised(leaf(5, 3, 7, 9), 0, 2, 3)[0], 1),
    "batch norm backward": (lambda: norm_backward(
        leaf(5, 3, 7, 9), leaf(5, 3, 7, 9, seed=1), leaf(1, 3, 1, 1), 0, 2, 3), 1),
    "cross entropy": (lambda: cross_entropy(leaf(33, 10), leaf(33, 10, seed=1)), 2),
    "norm": (lambda: registry["norm2"](leaf(3, 4, 500), axes=(0, 1, 2)), 1),
}


@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("group", GROUPS)
def test_groups_of_networks(group, name):
    make, most = GROUPS[group]
    value = make()
    (got,), loops_made = compute([value], name)
    (expected,) = interpret.run(Graph([widened(value)]))
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(got, expected, rtol=3e-6, atol=3e-6 * scale)
    assert loops_made <= most


@settings(max_examples=60, deadline=None)
@given(graphs(), st.sampled_from(targets()))
def test_drawn_graphs_keep_their_meaning(outputs, name):
    got, _ = compute(outputs, name)
    for a, b in zip(got, interpret.run(Graph(outputs)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def only_loop(value: Value) -> Loop:
    simple, _ = simplify(Graph([value]))
    fusion = Fusion(simple)
    (group,) = fusion.groups
    return lower(fusion, group, list(fusion.stored())).loop


def test_the_exponentials_of_a_softmax_wait_in_the_result():
    value = softmax(leaf(37, 60), 1)
    loop = only_loop(value)
    made = [s.op.name for _, _, s in loop.statements() if isinstance(s, Compute)]
    assert made.count("exp") == 1
    # And the result may stand where the input stood.
    assert loop.in_place() == [(0, 1)]
    array = leaf(37, 60).data.copy()
    for name in targets():
        again = array.copy()
        run_native(loop, [again.ctypes.data] * 2, name)
        np.testing.assert_allclose(again, interpret.run(Graph([value]))[0], rtol=1e-5)


def test_what_may_be_overwritten():
    a, b = leaf(5, 6), leaf(5, 6, seed=1)
    cases = [
        (a * 2.0 + b, [(0, 3), (2, 3)]),  # the number 2 is input 1
        (registry["permute"](leaf(6, 6), order=(1, 0)) + leaf(6, 6, seed=1), [(1, 2)]),
        (registry["flip"](a, axes=(1,)) + a, []),
        (total(a, 1), []),
    ]
    for value, expected in cases:
        loop = only_loop(value)
        assert loop.in_place() == expected, str(loop)


@pytest.mark.parametrize("shape, axes", [
    ((1_000_003,), (0,)), ((700, 501), (0,)), ((700, 501), (1,)), ((700, 501), (0, 1)),
    ((3, 100_000), (1,)), ((30_000, 7), (0,)), ((5, 6, 24, 24), (0, 2, 3)),
])
def test_long_sums_are_exact_and_do_not_depend_on_who_does_them(shape, axes):
    # The bound is one rounding of the sum of sizes: a plain running sum has thousands.
    x = leaf(*shape, seed=3)
    value = total(x, *axes)
    (whole,), _ = compute([value])
    for split in (1, 2):
        (again,), _ = compute([value], split=split)
        assert again.tobytes() == whole.tobytes()
    expected = x.data.astype(np.float64).sum(axes, keepdims=True)
    size = np.abs(x.data).astype(np.float64).sum(axes, keepdims=True)
    assert np.all(np.abs(whole - expected) <= np.abs(expected) * 2**-22 + size * 2**-24)


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: d.name)
def test_sums_of_special_values(dtype):
    rows = np.ones((6, 300))
    rows[0, 7], rows[1, 299], rows[2, [3, 200]] = np.nan, np.inf, (np.inf, -np.inf)
    rows[3, 0], rows[4] = -np.inf, -0.0
    x = ir.leaf(rows.astype(dtype.array), dtype)
    (got, most), _ = compute([total(x, 1), registry["max"](x, axes=(1,))])
    assert np.array_equal(got[:4, 0], [np.nan, np.inf, np.nan, -np.inf], equal_nan=True)
    assert got[5, 0] == 300
    assert np.array_equal(most[:4, 0], [np.nan, np.inf, np.inf, 1], equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(targets()), st.sampled_from(FLOATS))
def test_half_types_round_after_every_operation(seed, name, dtype):
    x, y = leaf(37, seed=seed, dtype=dtype), leaf(37, seed=seed + 1, dtype=dtype)
    value = (x * y + x) / (y * y + 1.0) - registry["relu"](x) * 3.0
    (got,), loops_made = compute([value, ], name)
    (expected,) = interpret.run(Graph([value]))
    np.testing.assert_array_equal(got, expected)
    assert loops_made == 1


# --- batches -----------------------------------------------------------------------------------


def test_a_batch_does_the_work_of_its_plans():
    """Updates of parameters of many sizes, and a sum among them, as one step."""
    plans, operands, buffers, expected = [], [], [], []
    for number, size in enumerate((1, 70_000, 3, 5000, 40_000)):
        x, y = leaf(size, seed=number), leaf(size, seed=number + 50)
        value = total(x * y, 0) if number == 3 else x * 0.5 + y
        simple, _ = simplify(Graph([value]))
        fusion = Fusion(simple)
        (group,) = fusion.groups
        lowered = lower(fusion, group, list(fusion.stored()))
        plans.append(native.plan_loop(lowered.loop))
        operands.append(range(len(buffers), len(buffers) + len(lowered.loop.buffers)))
        buffers += [v.data for v in lowered.inputs]
        buffers += [np.empty(v.shape, v.dtype.array) for v in lowered.outputs]
        expected.append((len(buffers) - 1, interpret.run(Graph([value]))[0]))
    plan = native.batch(plans, operands)
    assert len(plan.steps) == 1
    assert plan.steps[0].jobs == sum(p.steps[0].jobs for p in plans)
    for split in (None, 1, 2, 3):
        for place, _ in expected:
            buffers[place][...] = -1
        run_plan(plan, [b.ctypes.data for b in buffers], target.host(), split)
        for place, array in expected:
            np.testing.assert_allclose(buffers[place], array, rtol=1e-6)
