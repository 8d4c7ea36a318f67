"""What a backward scan does: its body, what it reads, and where each gradient is found."""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..body import close
from ..ir import Value, full
from .pull_back import add_up, environment, pull_back
from .scan_layout import Scan
from .time_sums import Source, Term, peel

Flags = tuple[bool, ...]


@functools.lru_cache(maxsize=256)
def saving(setup: Scan, wants: Flags) -> Scan:
    """Return the scan that also gives back what the chain rule will read of it.

    Args:
        wants: for each input whether its gradient will be asked for.
    """
    if not any(wants):
        return setup
    body, states = setup.body, setup.states
    dtype = body.result_types[0].dtype
    changing = body.dependents(range(states + setup.steps))
    # What only moves elements is cheap to do again; so is what is not of the stacks' type.
    stackable = {
        place for place, line in enumerate(body.lines, body.first_line)
        if place in changing and line.op.kind != "movement" and line.type.dtype is dtype}
    values = environment(body, stackable)
    seeds = {place: [Value(None, (), {}, *body.type_of(place))] for place in body.results}
    asked = _asked(setup, wants)
    parts = pull_back(body, values, seeds, asked)
    used = _placeholders([v for k in asked for v in parts.get(k, ())])
    kept, extra = list(setup.kept), []
    for place, value in enumerate(values):
        if value.order not in used:
            continue
        if place < states:
            kept[place] = True
        elif place in stackable and place not in body.results[states:]:
            if place in body.results:
                kept[body.results.index(place)] = True
            else:
                extra.append(place)
    return setup._replace(body=body.with_results([*body.results, *extra]), kept=tuple(kept))


def _asked(setup: Scan, wants: Flags) -> set[int]:
    """Return the parameters of the body whose gradients are needed: states carry the others."""
    return {*range(setup.states), *(k for k, wanted in enumerate(wants) if wanted)}


def _placeholders(values: list[Value]) -> dict[int, Value]:
    """Return the placeholders that values are made of, by order."""
    found, seen, stack = {}, set(), list(values)
    while stack:
        value = stack.pop()
        if value.order not in seen:
            seen.add(value.order)
            if value.op is None and value.data is None:
                found[value.order] = value
            stack.extend(value.inputs)
    return found


class Plan(NamedTuple):
    """A backward scan, and how it is joined to the forward one.

    Attributes:
        setup: the backward scan; its states are the gradients of the states, then the sums over
            time that no other operation can take over.
        stacked: what its stacked inputs are.
        constants: which inputs of the forward scan it reads as they are.
        rows: for each stacked input of the forward scan where its gradient is found.
        sums: for each input that stays the same, terms to add up after the backward scan.
        gathered: for each input whose sum is carried, the number of that state.
        outputs: for each value that was asked for stacked, the output that holds it: equal values
            are stacked once.
    """

    setup: Scan
    stacked: tuple[Source, ...]
    constants: tuple[int, ...]
    rows: dict[int, Source]
    sums: dict[int, list[Term]]
    gathered: dict[int, int]
    outputs: tuple[int, ...]


@functools.lru_cache(maxsize=256)
def make_plan(setup: Scan, wants: Flags, after: Flags, outputs: Flags) -> Plan | None:
    """Return the backward scan; None where the forward scan did not keep what it reads.

    Args:
        wants: for each input whether its gradient is asked for.
        after: for each state whether gradients arrive at its values after each step.
        outputs: for each output whether its gradient arrives.
    """
    body, states = setup.body, setup.states
    available = set(body.results[states:]) | {
        body.results[k] for k in range(states) if setup.kept[k]}
    values = environment(body, available)
    making = _Making(setup, wants)
    for place, value in enumerate(values):
        if value.op is None and value.data is None:
            making.sources[value.order] = (making.kind_of(place), place)
    seeds: dict[int, list[Value]] = {}
    for k, place in enumerate(body.results):
        if k < states:
            seeds.setdefault(place, []).append(making.carried[k])
        if (*after, *outputs)[k]:
            arriving = Value(None, (), {}, *body.type_of(place))
            making.sources[arriving.order] = ("after", k) if k < states else ("output", k - states)
            seeds.setdefault(place, []).append(arriving)
    return making.finish(pull_back(body, values, seeds, _asked(setup, wants)))


class _Making:
    """A backward body in the making.

    Attributes:
        sources: what each placeholder stands for.
        carried: the states' placeholders.
        outs: values to stack, by order.
        asked: the sources that are read, in the body or after the scan.
    """

    def __init__(self, setup: Scan, wants: Flags):
        self.setup, self.wants = setup, wants
        self.sources: dict[int, Source] = {}
        self.carried = [Value(None, (), {}, *kind)
                        for kind in setup.body.parameters[: setup.states]]
        self.outs: dict[int, Value] = {}
        self.asked: set[Source] = set()

    def kind_of(self, place: int) -> str:
        """Return what kind of source a value of the forward body is."""
        setup = self.setup
        if place < setup.states:
            return "state"
        if place < setup.states + setup.steps:
            return "row"
        return "constant" if place < len(setup.body.parameters) else "saved"

    def request(self, value: Value) -> Source:
        """Say where a value will be found, stacked; have it stacked unless it is already."""
        source = self.sources.get(value.order)
        if source is None or source[0] == "constant":
            self.outs.setdefault(value.order, value)
            return ("back", list(self.outs).index(value.order))
        self.asked.add(source)
        return source

    def finish(self, parts: dict[int, list[Value]]) -> Plan | None:
        """Return the plan, given what arrives at the forward body's parameters."""
        states, first = self.setup.states, self.setup.states + self.setup.steps
        following = [add_up(parts[k]) if parts.get(k) else full(v.shape, 0, v.dtype)
                     for k, v in enumerate(self.carried)]
        rows = {k: self.request(add_up(parts[k]))
                for k in range(states, first) if parts.get(k) and self.wants[k]}
        sums: dict[int, list[Term]] = {}
        gathered: dict[int, int] = {}
        for k in range(first, len(self.wants)):
            if not self.wants[k]:
                continue
            peeled = [(part, peel(part, self.request)) for part in parts.get(k, ())]
            sums[k] = [term for _, term in peeled if term is not None]
            rest = [part for part, term in peeled if term is None]
            if rest:
                gathered[k] = len(self.carried)
                self.carried.append(Value(None, (), {}, *self.setup.body.parameters[k]))
                following.append(self.carried[-1] + add_up(rest))
        return self._close([*following, *self.outs.values()], rows, sums, gathered)

    def _close(self, results: list[Value], rows: dict[int, Source], sums: dict[int, list[Term]],
               gathered: dict[int, int]) -> Plan | None:
        setup = self.setup
        used = _placeholders(results)
        read = [(source, used[order]) for order, source in self.sources.items() if order in used]
        for kind, place in {*self.asked, *(source for source, _ in read)}:
            if kind == "state" and not setup.kept[place]:
                return None
        stacked = [(source, value) for source, value in read if source[0] != "constant"]
        constants = [(source[1], value) for source, value in read if source[0] == "constant"]
        parameters = [*self.carried, *(v for _, v in stacked), *(v for _, v in constants)]
        count = len(self.carried)
        body = close(parameters, results)
        places = list(dict.fromkeys(body.results[count:]))
        outputs = tuple(places.index(place) for place in body.results[count:])
        back = Scan(body.with_results([*body.results[:count], *places]), count, len(stacked),
                    setup.length, not setup.reverse, (False,) * count)
        return Plan(back, tuple(s for s, _ in stacked), tuple(k for k, _ in constants),
                    rows, sums, gathered, outputs)
