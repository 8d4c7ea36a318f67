"""Loops over time as one op: `scan`, and the windows of what it gives back.

A scan carries states from step to step through one body: the whole sequence of a recurrent layer
is one op, whose size does not grow with the number of steps. Its gradient is a scan that runs
the other way (backpropagation through time), see `scan_gradient`.
"""

from __future__ import annotations

import math

from .. import dtypes
from ..body import trace
from ..ir import Cotangents, Type, Value, full
from .contraction import matmul
from .define import movement, opaque
from .elementwise import tanh
from .movement import _ravel, reshape, slice_put
from .scan_gradient import scan_grad
from .scan_layout import Scan


def _section_grad(g, y, x, start, shape):
    if x.op is scan:  # it waits there for the gradients of the other windows
        return (Cotangents({(start, shape): g}),)
    size = math.prod(shape)
    return (slice_put(full(x.shape, 0, g.dtype), reshape(g, shape=(size,)),
                      start=(start,), stop=(start + size,), step=(1,)),)


section = movement(
    "section", "The elements from `start` on of a flat array, under a shape.",
    meaning=lambda xp, x, start, shape: xp.reshape(x[start:start + math.prod(shape)], shape),
    result=lambda x, start, shape: Type(shape, x.dtype),
    index=lambda i, x, start, shape: (start + _ravel(i, shape),),
    grad=_section_grad,
    samples=((((12,),), {"start": 2, "shape": (2, 3)}), (((3,),), {"start": 3, "shape": (0, 2)})))


def _scan_meaning(xp, *arrays, **settings):
    """Interpret the body step after step; what does not change over time is computed once."""
    setup = Scan(**settings)
    body, states, length = setup.body, setup.states, setup.length
    first = states + setup.steps
    changing = body.dependents(range(first))
    fixed = body.compute(xp, dict(enumerate(arrays[first:], first)),
                         only=set(range(body.first_line + len(body.lines))) - changing)
    flat = xp.empty(setup.size, arrays[0].dtype)
    parts = [flat[w.start:w.start + math.prod(w.shape)].reshape(w.shape) for w in setup.parts]
    carried = list(arrays[:states])

    def keep(row):
        for k, array in enumerate(carried):
            parts[k][row if setup.kept[k] else ...] = array

    keep(length if setup.reverse else 0)
    for t in range(length - 1, -1, -1) if setup.reverse else range(length):
        rows = [x[t] for x in arrays[states:first]]
        found = body.compute(xp, {**fixed, **dict(enumerate([*carried, *rows]))})
        results = [found[place] for place in body.results]
        carried = results[:states]
        keep(t if setup.reverse else t + 1)
        for k, array in enumerate(results[states:], states):
            parts[k][t] = array
    return flat


def _elman(h: Value, x: Value, w: Value) -> tuple[Value, Value]:
    after = tanh(x + matmul(h, w))
    return after, after * x


def _sample(reverse: bool, kept: bool) -> tuple:
    shapes = ((2, 3), (3, 2, 3), (3, 3))
    types = [Type(shape, dtypes.float64) for shape in (shapes[0], shapes[0], shapes[2])]
    return shapes, Scan(trace(_elman, types), 1, 1, 3, reverse, (kept,))._asdict()


scan = opaque(
    "scan", "Carry states through one body for every step, and stack what it gives.",
    meaning=_scan_meaning,
    result=lambda *inputs, **settings: Scan(**settings).check(inputs),
    grad=scan_grad, kernel="scan",
    samples=(_sample(False, True), _sample(True, True), _sample(False, False)))
