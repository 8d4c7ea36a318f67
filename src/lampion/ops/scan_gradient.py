"""The gradient of a scan: a scan that runs the other way (backpropagation through time).

The forward scan stacks what the backward pass reads (`saving`); the backward body is the chain
rule of the forward body. The gradient of what stays the same over time is a sum over all steps.
Where a step's share is a product of matrices, or a sum over axes, the sum over time joins it: one
product over all steps after the backward scan, in place of one small product and one addition at
each step (see `time_sums`).

Source: Werbos 1990, Backpropagation through time, https://doi.org/10.1109/5.58337
"""

from __future__ import annotations

import functools

from ..ir import Value, full, mode, registry
from .pull_back import add_up
from .scan_arrived import Arrived, arrived, read
from .scan_layout import Scan
from .scan_plan import Flags, make_plan, saving
from .time_sums import Source


def scan_grad(g, y: Value, *inputs: Value, **settings) -> tuple[Value | None, ...]:
    """Return the gradients of the inputs of a scan."""
    setup = Scan(**settings)
    body, wants = setup.body, _wants(inputs)
    found = arrived(setup, g)
    plan = make_plan(setup, wants, *found.present())
    if plan is None:  # the forward scan did not keep what the chain rule reads
        setup = saving(setup, wants)
        found.outputs += [None] * (len(setup.body.results) - len(body.results))
        y = registry["scan"](*inputs, **setup._asdict())
        plan = make_plan(setup, wants, *found.present())
        assert plan is not None
    zeros = [full(kind.shape, 0, kind.dtype)
             for kind in plan.setup.body.parameters[: plan.setup.states]]
    seeds = [zero if seed is None else seed
             for seed, zero in zip(found.seeds, zeros, strict=False)]
    operands = [*seeds, *zeros[len(seeds):]]
    operands += [_stacked(setup, y, inputs, found, source) for source in plan.stacked]
    operands += [inputs[k] for k in plan.constants]
    back = saving(plan.setup, _wants(operands)) if mode.grad else plan.setup
    result = registry["scan"](*operands, **back._asdict())

    @functools.cache
    def stacked(source: Source) -> Value:
        if source[0] == "back":
            return read(result, back.output(plan.outputs[source[1]]))
        return _stacked(setup, y, inputs, found, source)

    shares: list[Value | None] = []
    for k, wanted in enumerate(wants):
        share = None
        if wanted and k < setup.states:
            share = add_up([read(result, back.last(k)), *found.firsts[k]])
        elif wanted and k < setup.states + setup.steps:
            share = stacked(plan.rows[k]) if k in plan.rows else None
        elif wanted:
            parts = [term(stacked) for term in plan.sums[k]]
            if k in plan.gathered:
                parts.append(read(result, back.last(plan.gathered[k])))
            share = add_up(parts) if parts else None
        shares.append(share)
    return tuple(shares)


def _wants(inputs) -> Flags:
    return tuple(v.tracked and v.dtype.is_floating_point for v in inputs)


def _stacked(setup: Scan, y: Value, inputs: tuple[Value, ...], found: Arrived, source: Source
             ) -> Value:
    """Return rows over time that the forward scan read or gave back, or their gradients."""
    kind, k = source
    if kind in ("after", "output"):
        gradient = (found.after if kind == "after" else found.outputs)[k]
        assert gradient is not None
        return gradient
    if kind == "state":
        return read(y, setup.before(k))
    if kind == "row":
        return inputs[k]
    results, states = setup.body.results, setup.states
    if k in results[states:]:
        return read(y, setup.output(results.index(k, states) - states))
    return read(y, setup.after(results.index(k)))
