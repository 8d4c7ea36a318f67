"""Loops over time: a scan against the same steps written out, and what its gradient costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lampion import dtypes, interpret, ir
from lampion.body import trace
from lampion.functions.recurrent import _body
from lampion.grad import backpropagate
from lampion.ir import Graph, Type, Value, VerifyError, registry
from lampion.ops.scan_layout import Scan
from lampion.ops.scan_plan import make_plan, saving

op = registry


def of_products(s, x, w):
    """h' = tanh(x + h w): the sum over time of w's gradient is one product."""
    h = op["tanh"](x + op["matmul"](s, w))
    return [h, h * x]


def of_factors(s, x, w):
    """Peepholes: w's gradient has to be added up step by step."""
    new = op["sigmoid"](s * w) * x
    return [new, op["exp"](-(new * new)) - s]


def of_biases(s, x, w):
    """w's gradient is a sum over the batch; with a constant and a comparison inside."""
    z = s + ir.expand(op["sum"](w, axes=(0,)), s.shape) * 0.5
    return [op["where"](op["gt"](z, x), z * x, op["tanh"](x)), op["relu"](z)]


BODIES = [of_products, of_factors, of_biases]
SIZE = 3


def make(body, length, reverse, kept, states=1):
    kind = Type((SIZE, SIZE), dtypes.float64)
    return Scan(trace(body, [kind] * (states + 2)), states, 1, length, reverse, kept)


def operands(length, seed=0, count=1):
    random = np.random.default_rng(seed)
    shapes = [(SIZE, SIZE)] * count + [(length, SIZE, SIZE), (SIZE, SIZE)]
    return [tracked(random.uniform(-1, 1, shape)) for shape in shapes]


def tracked(array):
    value = ir.leaf(array, dtypes.float64)
    value.tracked = True
    return value


def row(x: Value, t: int) -> Value:
    cut = op["slice"](x, start=(t, 0, 0), stop=(t + 1, SIZE, SIZE), step=(1, 1, 1))
    return op["reshape"](cut, shape=(SIZE, SIZE))


def unrolled(body, setup, state, x, w):
    """The same steps as a plain graph: the history, the outputs."""
    history, outputs = [state], [None] * setup.length
    for t in reversed(range(setup.length)) if setup.reverse else range(setup.length):
        state, outputs[t] = body(state, row(x, t), w)
        history.append(state)
    return history[::-1] if setup.reverse else history, outputs


def windows(flat, setup):
    """Read every window that a scan offers."""
    asked = [setup.last(0), setup.output(0)]
    if setup.kept[0]:
        asked += [setup.before(0), setup.after(0), setup.parts[0]]
    return [op["section"](flat, start=w.start, shape=w.shape) for w in asked]


def stack(values):
    return op["concat"](*(op["reshape"](v, shape=(1, *v.shape)) for v in values), axis=0)


def expected_windows(history, outputs, setup):
    found = [history[0 if setup.reverse else -1], stack(outputs)]
    if setup.kept[0]:
        low, high = stack(history[:-1]), stack(history[1:])
        found += [high, low] if setup.reverse else [low, high]
        found.append(stack(history))
    return found


def total(values, seed=0):
    """A number in which every element has another weight."""
    result = None
    for k, value in enumerate(values):
        weight = np.random.default_rng(seed + k).uniform(-1, 1, value.shape)
        part = op["reshape"](op["sum"](value * ir.leaf(weight, value.dtype),
                                       axes=tuple(range(value.ndim))), shape=())
        result = part if result is None else result + part
    return result


def gradients(number, inputs):
    found = backpropagate([(number, ir.full((), 1, number.dtype))], wanted=inputs, retain=True)
    return [found.get(v.order, ir.full(v.shape, 0, v.dtype)) for v in inputs]


def run(values):
    graph = Graph(values)
    graph.verify()
    return interpret.run(graph)


def same(ours, expected):
    for a, b in zip(run(ours), run(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("length", [1, 2, 4])
def test_values_and_two_derivatives_of_steps_written_out(body, reverse, kept, length):
    setup = make(body, length, reverse, (kept,))
    state, x, w = inputs = operands(length)
    ours = windows(op["scan"](*inputs, **setup._asdict()), setup)
    theirs = expected_windows(*unrolled(body, setup, state, x, w), setup)
    same(ours, theirs)
    first = [gradients(total(values), inputs) for values in (ours, theirs)]
    same(*first)
    same(*(gradients(total(values, 7), inputs) for values in first))


@pytest.mark.parametrize("body", BODIES)
def test_a_third_derivative(body):
    setup = make(body, 3, False, (True,))
    state, x, w = inputs = operands(3)
    found = []
    for values in (windows(op["scan"](*inputs, **setup._asdict()), setup),
                   expected_windows(*unrolled(body, setup, state, x, w), setup)):
        for order in range(3):
            values = gradients(total(values, order), inputs)
        found.append(values)
    same(*found)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(BODIES), st.booleans(), st.integers(1, 3),
       st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
       st.lists(st.booleans(), min_size=3, max_size=3).filter(any))
def test_some_windows_and_some_gradients(body, reverse, length, read, wanted):
    """Whatever subset of results is used, and whatever subset of gradients asked for."""
    setup = make(body, length, reverse, (True,))
    state, x, w = inputs = operands(length)
    for value, flag in zip(inputs, wanted, strict=True):
        value.tracked = flag
    prepared = saving(setup, tuple(wanted))
    ours = windows(op["scan"](*inputs, **prepared._asdict()), prepared)
    theirs = expected_windows(*unrolled(body, setup, state, x, w), setup)
    leaves = [v for v in inputs if v.tracked]
    first = [total([values[k] for k in read]) for values in (ours, theirs)]
    if not first[1].tracked:
        return
    same(*(gradients(number, leaves) for number in first))


def names(body):
    return [line.op.name for line in body.lines]


def test_the_weights_gradient_is_one_product_over_all_steps():
    setup = saving(make(of_products, 5, False, (True,)), (True, True, True))
    plan = make_plan(setup, (True, True, True), (True,), (True, False))
    # Backwards, a step multiplies once (for the state before); nothing is added up for w.
    assert names(plan.setup.body).count("matmul") == 1 and not plan.gathered
    assert plan.setup.states == 1 and len(plan.sums[2]) == 1
    factors = saving(make(of_factors, 5, False, (True,)), (True, True, True))
    plan = make_plan(factors, (True, True, True), (True,), (True, *(False,) * (
        len(factors.body.results) - 2)))
    assert plan.gathered == {2: 1}


def test_equal_gradients_are_stacked_once():
    """The gradient of x is what w's product takes: one stack, and none twice."""
    setup = saving(make(of_products, 5, False, (True,)), (True, True, True))
    plan = make_plan(setup, (True, True, True), (True,), (True, False))
    results = plan.setup.body.results[plan.setup.states:]
    assert len(set(results)) == len(results)
    body = _body("LSTM", 2, (12, 3), dtypes.float64, None, False)
    setup = saving(Scan(body, 2, 1, 4, False, (True, False)), (True,) * 4)
    plan = make_plan(setup, (True,) * 4, (True, False), (False,) * (len(setup.body.results) - 2))
    assert len(plan.setup.body.results) == 2 + 1


def test_the_backward_body_computes_no_function_again():
    setup = saving(make(of_products, 5, False, (True,)), (True, True, True))
    plan = make_plan(setup, (True, True, True), (True,), (True,) * (len(setup.body.results) - 1))
    assert "tanh" not in names(plan.setup.body)


def test_the_program_does_not_grow_with_the_number_of_steps():
    counts = []
    for length in (2, 50):
        setup = make(of_products, length, False, (True,))
        inputs = operands(length)
        values = windows(op["scan"](*inputs, **setup._asdict()), setup)
        counts.append(len(Graph(gradients(total(values), inputs)).values))
    assert counts[0] == counts[1]


def test_no_steps_at_all():
    setup = make(of_products, 0, False, (True,))
    state, x, w = inputs = operands(0)
    flat = op["scan"](*inputs, **setup._asdict())
    last, outputs = windows(flat, setup)[:2]
    np.testing.assert_array_equal(run([last])[0], state.data)
    assert run([outputs])[0].shape == (0, SIZE, SIZE)
    got = run(gradients(total([last]), inputs))
    assert not got[2].any() and got[0].any()


def test_two_states():
    def body(a, b, x, w):
        new = op["tanh"](op["matmul"](a, w) + x * b)
        return [new, b * 0.5 + new * a]

    setup = make(body, 3, False, (True, False), states=2)
    a, b, x, w = inputs = operands(3, count=2)
    flat = op["scan"](*inputs, **setup._asdict())
    ours = [op["section"](flat, start=p.start, shape=p.shape) for p in (
        setup.after(0), setup.last(1))]
    rows, p, q = [], a, b
    for t in range(3):
        p, q = body(p, q, row(x, t), w)
        rows.append(p)
    theirs = [stack(rows), q]
    same(ours, theirs)
    same(gradients(total(ours), inputs), gradients(total(theirs), inputs))


def test_a_scan_inside_a_scan():
    inner = make(of_products, 2, False, (False,))

    def outer(s, x, w):
        rows = op["expand"](op["reshape"](x, shape=(1, SIZE, SIZE)), shape=(2, SIZE, SIZE))
        flat = op["scan"](s, rows, w, **inner._asdict())
        end = inner.last(0)
        return [op["section"](flat, start=end.start, shape=end.shape), x]

    def plain(s, x, w):
        for _ in range(2):
            s, _ = of_products(s, x, w)
        return [s, x]

    setup = make(outer, 3, False, (True,))
    state, x, w = inputs = operands(3)
    ours = windows(op["scan"](*inputs, **setup._asdict()), setup)
    theirs = expected_windows(*unrolled(plain, setup, state, x, w), setup)
    same(ours, theirs)
    same(gradients(total(ours), inputs), gradients(total(theirs), inputs))


def test_what_does_not_fit_is_refused():
    setup = make(of_products, 3, False, (True,))
    with pytest.raises(VerifyError, match="stacked over time"):
        op["scan"](*operands(4), **setup._asdict())
    kind = Type((SIZE, SIZE), dtypes.float64)
    changing = trace(lambda s, x: [op["sum"](s, axes=(0,))], [kind, kind])
    with pytest.raises(VerifyError, match="changes its type"):
        op["scan"](*operands(3)[:2], **Scan(changing, 1, 1, 3, False, (True,))._asdict())


def test_the_graph_prints_and_verifies_its_bodies():
    setup = make(of_products, 3, False, (True,))
    graph = Graph([op["scan"](*operands(3), **setup._asdict())])
    graph.verify()
    text = str(graph)
    assert "body=body0" in text and "body0 = body(%0: float64[3x3]" in text
    assert "matmul" in text
