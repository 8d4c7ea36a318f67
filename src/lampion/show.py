"""Show what the engine does with your code, from the recorded graph down to the machine code.

    lampion.show(step)                   a table of all that can be shown of `step()`
    lampion.show(step, "graph")          the operations as they were recorded
    lampion.show(step, "simplified")     after the first pass: nothing is computed twice
    lampion.show(step, "steps")          what is run, in order: fused loops and kernels
    lampion.show(step, "memory")         where every intermediate result lies, and when
    lampion.show(step, "llvm")           the text of each kernel, as it is given to LLVM
    lampion.show(step, "assembly")       the machine code of each kernel
    lampion.show(step, "profile")        the time of each step, GFLOP/s, GB/s, share of the limits

`step` is a function without arguments, which is called, or a tensor, whose pending work is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import runtime
from .cpu import arena, jit, limits
from .cpu.linked import Linked
from .cpu.places import Native, Place, Step, made_by, places_of
from .cpu.program import Planned
from .errors import ArgumentError, ArgumentTypeError
from .ir import Graph
from .kernel import Compute, Reduce
from .tensor import Tensor


class Report(str):
    """Text that shows itself at the prompt."""

    def __repr__(self) -> str:
        return str(self)


class Seen(NamedTuple):
    """A program that ran: the text of its graph, how it was planned, and what it was given."""

    graph: str
    planned: Planned
    structure: runtime.Structure
    arrays: list[np.ndarray]


def show(step: Callable[[], Any] | Tensor, what: str = "contents", program: int | None = None,
         ) -> Report:
    """Return a readable text about the programs that a step runs.

    Args:
        step: a function that is called without arguments, or a tensor with pending work.
        what: contents, graph, simplified, steps, memory, llvm, assembly or profile.
        program: the number of the program to show; None for the one that does most. A step runs
            one program for each moment at which something must be computed.

    Raises:
        ArgumentError: nothing was computed, or there is no such text or program.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([1.0, 2.0, 3.0])
        >>> print(torch.show(lambda: (x * 2 + 1).tolist(), "steps"))
        step 0: loop [] x [3]
          0. %0: float32 = buffer0[0 + [1]]
          0. %1: float32 = buffer1[0 + [0]]
          0. %2: float32 = mul(%0, %1)
          0. %3: float32 = buffer2[0 + [0]]
          0. %4: float32 = add(%2, %3)
          0. buffer3[1] = %4
    """
    if what not in VIEWS:
        raise ArgumentError(f"show has no view {what!r}", why=f"it has {', '.join(VIEWS)}",
                            fix='lampion.show(step, "profile")')
    programs = _watch(step)
    if not programs:
        raise ArgumentError("nothing was computed in this step",
                            why="no value was read, and no optimizer stepped",
                            fix="show(lambda: loss.item()), for instance")
    if what == "contents":
        return Report(_contents(programs))
    if program is None:
        program = max(range(len(programs)), key=lambda k: len(programs[k].planned.graph.values))
    if not 0 <= program < len(programs):
        raise ArgumentError(f"there is no program {program}", why=f"{len(programs)} ran")
    return Report(VIEWS[what](programs[program]))


def _watch(step: Callable[[], Any] | Tensor) -> list[Seen]:
    """Run a step and return the programs that it ran."""
    programs: list[Seen] = []

    def note(graph: Graph, updates, structure, arrays) -> None:
        programs.append(Seen(str(graph), Planned(graph, updates), structure,
                             [np.array(a) for a in arrays]))

    runtime.observers.append(note)
    try:
        if isinstance(step, Tensor):
            step.numpy(force=True)
        elif callable(step):
            step()
        else:
            raise ArgumentTypeError(f"show(): a step is a function or a tensor, not "
                                    f"{type(step).__name__}", fix="show(lambda: train_step(x, y))")
    finally:
        runtime.observers.remove(note)
    return programs


def _contents(programs: list[Seen]) -> str:
    lines = [f"{len(programs)} program{'s' * (len(programs) != 1)} ran:"]
    for number, seen in enumerate(programs):
        planned = seen.planned
        native = sum(isinstance(s, Native) for s in planned.steps)
        where = "natively" if seen.structure.native else "on NumPy: too little to compile"
        lines.append(
            f"  {number}: {len(planned.graph.values)} values in {len(planned.steps)} steps "
            f"({native} native), {len(planned.inputs)} inputs, {len(planned.outputs)} outputs, "
            f"{len(planned.donated)} updates in place; run {where}")
    lines.append(f'views: {", ".join(VIEWS)}; show(step, "profile", program=0)')
    return "\n".join(lines)


def _steps(seen: Seen) -> str:
    return "\n".join(f"step {number}: {_title(step, whole=True)}"
                     for number, step in enumerate(seen.planned.steps))


def _title(step: Step, whole: bool = False) -> str:
    """What a step does: one line, or all its statements."""
    made = " ".join(str(place.type) for place in made_by(step))
    if not isinstance(step, Native):
        return f"{step.value.op.name} -> {made} (on NumPy)"
    if step.loop is None:
        sources = ", ".join(str(p.type) for p in step.places[:len(step.places) - step.results])
        return f"{step.text}({sources}) -> {made}"
    if whole:
        return str(step.loop)
    names = [s.op.name for _, _, s in step.loop.statements() if isinstance(s, (Compute, Reduce))]
    return f"loop: {' '.join(names) or 'copy'} -> {made}"


def _memory(seen: Seen) -> str:
    planned = seen.planned
    inside: dict[int, Place] = {}
    for step in planned.steps:
        inside.update((id(p), p) for p in places_of(step) if p.external is None)
    places = sorted(inside.values(), key=lambda p: (p.first, p.last))
    offsets, size = arena.plan([arena.Life(p.size, p.first, p.last) for p in places])
    whole = sum(p.size for p in places)
    lines = [f"arena of {size:,} bytes for {len(places)} results of {whole:,} bytes"]
    lines += [f"  {offset:>12,}  {place.size:>12,} bytes  steps {place.first}-{place.last}  "
              f"{place.type}" for place, offset in zip(places, offsets, strict=True)]
    lines += [f"output {output} takes the memory of input {source}: "
              f"{planned.outputs[output].type}" for output, source in planned.donated.items()]
    return "\n".join(lines)


def _kernels(seen: Seen, text: Callable[[str], str]) -> str:
    found: dict[str, str] = {}
    for step in seen.planned.steps:
        if isinstance(step, Native):
            for part in step.plan.steps:
                found.setdefault(part.kernel.key, f"; {_title(step)}\n; {part.kernel.key}\n"
                                 + text(part.kernel.make_ir()))
    return "\n\n".join(found.values())


def _profile(seen: Seen) -> str:
    if seen.structure.program is None:
        return "this program runs on NumPy: it has too little to compute for native code"
    planned = seen.planned
    times = iter(Linked(planned.steps, planned.inputs, planned.outputs).times(seen.arrays))
    peak, speed = limits.flops(), limits.bandwidth()
    lines = [f"limits of one core, measured: {peak / 1e9:.0f} GFLOP/s in matrix products, "
             f"{speed / 1e9:.0f} GB/s in copies",
             "       us  share  GFLOP/s  of peak    GB/s  of copy  step"]
    rows = []
    for number, step in enumerate(seen.planned.steps):
        calls = len(step.plan.steps) if isinstance(step, Native) else 1
        rows.append((sum(next(times) for _ in range(calls)), number, step))
    total = sum(seconds for seconds, _, _ in rows) or math.inf
    for seconds, number, step in rows:
        moved = sum(p.size for p in places_of(step))
        rate, flow = step.operations / max(seconds, 1e-9), moved / max(seconds, 1e-9)
        lines.append(
            f"{seconds * 1e6:9.1f} {seconds / total:6.1%} {rate / 1e9:8.1f} {rate / peak:8.1%} "
            f"{flow / 1e9:7.1f} {flow / speed:8.1%}  {number} {_title(step)}")
    lines.append(f"{total * 1e6:9.1f} us in all, each step alone on one thread "
                 "(and about 0.5 us of each is the measurement)")
    return "\n".join(lines)


VIEWS: dict[str, Callable[[Seen], str]] = {
    "contents": lambda seen: "",
    "graph": lambda seen: seen.graph,
    "simplified": lambda seen: str(seen.planned.graph),
    "steps": _steps,
    "memory": _memory,
    "llvm": lambda seen: _kernels(seen, str),
    "assembly": lambda seen: _kernels(seen, jit.assembly),
    "profile": _profile,
}
