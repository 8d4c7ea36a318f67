"""Fused loops in native code: drawn loops against their meaning, on every instruction set."""

from __future__ import annotations

import ctypes
import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_oracle import run_loop

from lampion import dtypes, interpret, ir, ops
from lampion.cpu import native, steps, target
from lampion.errors import ArgumentError
from lampion.ir import Graph, Type, registry
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
    scratch = np.full(plan.scratch_bytes + 64, 0x7F, np.uint8)
    fault = np.zeros(1, np.int64)
    calls = steps.bind(plan, addresses, -(-scratch.ctypes.data // 64) * 64, instructions,
                       fault.ctypes.data)
    for call in calls:
        for begin, end in pieces(call.jobs, split):
            _SIGNATURE(call.address)(call.slots.ctypes.data, begin, end)
    return bool(fault[0])


def pieces(jobs: int, split: int | None) -> list[tuple[int, int]]:
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


@settings(max_examples=150, deadline=None)
@given(loops(), st.integers(0, 2**32), st.sampled_from(targets()))
def test_a_drawn_loop_computes_its_meaning(loop, seed, name):
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
