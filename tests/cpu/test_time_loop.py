"""Loops over time as native calls, against the oracle."""

import numpy as np
import pytest

from lampion import dtypes, interpret, ir
from lampion.body import trace
from lampion.cpu.places import Meaning
from lampion.cpu.program import Planned, Program
from lampion.functions.recurrent import _body
from lampion.ir import Graph, Type, registry
from lampion.ops.scan_layout import Scan
from lampion.ops.scan_plan import make_plan, saving

op = registry


def elementwise(s, x, w):
    return [op["tanh"](s * 0.5 + x), s * w + 1]


def moving(s, x, w):
    """States that trade places with rows, and a result that is a parameter."""
    return [op["permute"](x, order=(1, 0)), s, op["matmul"](s, w)]


def two(a, b, x, w):
    return [b, op["sigmoid"](op["matmul"](a, w) + x), a - b]


def make(body, states=1, length=4, reverse=False, kept=(True,), dtype=dtypes.float32, size=5):
    kind = Type((size, size), dtype)
    return Scan(trace(body, [kind] * (states + 2)), states, 1, length, reverse, kept)


def operands(setup, seed=0):
    random = np.random.default_rng(seed)
    found = []
    for k, (shape, dtype) in enumerate(setup.body.parameters):
        stacked = setup.states <= k < setup.states + setup.steps
        shape = (setup.length, *shape) if stacked else shape
        array = random.random(shape) < 0.5 if dtype is dtypes.bool_ else (
            random.uniform(-1, 1, shape).astype(dtype.array))
        found.append(ir.leaf(dtypes.round_to(dtype, array), dtype))
    return found


def check(setup, native=True):
    """Compare all that a scan gives back, twice with other numbers in the same program."""
    program = None
    for seed in (0, 1):
        inputs = operands(setup, seed)
        graph = Graph([op["scan"](*inputs, **setup._asdict())])
        steps = Planned(graph).steps
        assert native == (not any(isinstance(step, Meaning) for step in steps))
        (expected,) = interpret.run(graph)
        program = program or Program(graph)
        (found,) = program.run([v.data for v in graph.inputs])
        tolerance = 1e-12 if found.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("body", [elementwise, moving])
def test_one_state(body, length, kept, reverse):
    check(make(body, 1, length, reverse, (kept,)))


@pytest.mark.parametrize("kept", [(True, False), (False, True), (False, False)])
def test_states_that_change_places(kept):
    check(make(two, 2, 4, False, kept))
    check(make(two, 2, 3, True, kept, dtypes.float64))


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN_TANH", "RNN_RELU"])
def test_recurrent_layers_and_their_gradients(kind, masked, dtype):
    gates = {"LSTM": 4, "GRU": 3}.get(kind, 1)
    extra = (gates * 7,) if kind == "GRU" else None
    body = _body(kind, 3, (gates * 7, 7), dtype, extra, masked)
    states = 2 if kind == "LSTM" else 1
    plain = Scan(body, states, 1 + masked, 4, False, (True, *(False,) * (states - 1)))
    check(plain)
    wants = tuple(t.dtype is not dtypes.bool_ for t in body.parameters)
    setup = saving(plain, wants)
    check(setup)
    outputs = (False,) * (len(setup.body.results) - states)
    plan = make_plan(setup, wants, (True, *(False,) * (states - 1)), outputs)
    assert plan.setup.reverse
    check(plan.setup)


def test_what_has_no_native_plan_is_computed_by_its_meaning():
    check(make(elementwise, length=0), native=False)
    check(make(elementwise, size=0), native=False)


def test_operands_that_do_not_lie_in_order():
    setup = make(elementwise)
    state, x, w = operands(setup)
    turned = op["permute"](state, order=(1, 0))
    late = op["slice"](op["concat"](x, x, axis=0), start=(2, 0, 0), stop=(6, 5, 5), step=(1, 1, 1))
    graph = Graph([op["scan"](turned, late, w, **setup._asdict())])
    (found,) = Program(graph).run([v.data for v in graph.inputs])
    np.testing.assert_allclose(found, interpret.run(graph)[0], rtol=1e-5, atol=1e-6)


def test_it_needs_no_more_memory_for_more_steps_than_its_results():
    rooms = [Program(Graph([op["scan"](*operands(s), **s._asdict())])).linked.arena_bytes
             for s in (make(two, 2, n, False, (True, False)) for n in (2, 40))]
    assert rooms[0] == rooms[1]
