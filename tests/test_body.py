"""Bodies: pieces of graph that loops hold as settings."""

import numpy as np
import pytest

from lampion import dtypes, interpret, ir
from lampion.body import Body, Constant, Line, close, trace
from lampion.ir import Type, Value, VerifyError, registry

PAIR = Type((2, 3), dtypes.float64)


def function(x: Value, y: Value):
    return [registry["tanh"](x) * y + 1, x - y]


def leaf(seed):
    return ir.leaf(np.random.default_rng(seed).standard_normal(PAIR.shape), PAIR.dtype)


def test_the_same_function_gives_equal_bodies():
    one, two = trace(function, [PAIR, PAIR]), trace(function, [PAIR, PAIR])
    assert one == two and hash(one) == hash(two) and len({one, two}) == 1
    other = Type((2, 4), dtypes.float64)
    assert one != trace(function, [other, other])
    assert one.structure == two.structure
    assert one.structure != trace(lambda x, y: function(y, x), [PAIR, PAIR]).structure
    assert one != trace(lambda x, y: function(y, x), [PAIR, PAIR])
    assert one != trace(lambda x, y: [registry["tanh"](x) * y + 2, x - y], [PAIR, PAIR])


def test_equal_lines_and_numbers_stand_once():
    body = trace(lambda x: [registry["exp"](x) + 1, registry["exp"](x) - 1], [PAIR])
    assert [line.op.name for line in body.lines].count("exp") == 1
    assert len(body.constants) == 1 and body.constants[0].value == 1.0


def test_it_means_what_the_function_does():
    body = trace(function, [PAIR, PAIR])
    x, y = leaf(0), leaf(1)
    found = body.compute(np, {0: x.data, 1: y.data})
    unfolded = body.unfold([x, y])
    expected = [np.tanh(x.data) * y.data + 1, x.data - y.data]
    for place, array in zip(body.results, expected, strict=True):
        np.testing.assert_allclose(found[place], array, rtol=1e-15)
        np.testing.assert_allclose(
            interpret.run(ir.Graph([unfolded[place]]))[0], array, rtol=1e-15)
    assert body.result_types == (PAIR, PAIR)


def test_what_depends_on_what():
    body = trace(lambda x, w: [x + registry["exp"](w)], [PAIR, PAIR])
    assert body.dependents([0]) == {0, body.results[0]}
    assert len(body.dependents([1])) == 3


def test_text():
    text = str(trace(function, [PAIR, PAIR]))
    assert text.splitlines()[0] == "body(%0: float64[2x3], %1: float64[2x3])"
    assert "tanh(%0)" in text and "= 1.0" in text and "return %" in text


def test_a_body_holds_no_arrays_and_knows_its_parameters():
    with pytest.raises(VerifyError, match="holds no arrays"):
        trace(lambda x: [x + leaf(0)], [PAIR])
    stranger = Value(None, (), {}, *PAIR)
    with pytest.raises(VerifyError, match="no parameter"):
        close([Value(None, (), {}, *PAIR)], [registry["neg"](stranger)])


def test_verify_finds_broken_lines():
    neg = registry["neg"]
    trace(function, [PAIR, PAIR]).verify()
    for lines, results, mention in (
            ([Line(neg, (2,), (), PAIR)], [1], "before its operand"),
            ([Line(neg, (0,), (), Type((3,), dtypes.float64))], [1], "type rule"),
            ([Line(neg, (0,), (), PAIR)], [7], "results")):
        with pytest.raises(VerifyError, match=mention):
            Body([PAIR], [], lines, results).verify()


def test_constants_keep_their_sign_and_nan():
    values = [Constant(dtypes.float32, np.float32(x).tobytes()) for x in (0.0, -0.0, np.nan)]
    assert len(set(values)) == 3
    assert np.signbit(values[1].value) and np.isnan(values[2].value)
