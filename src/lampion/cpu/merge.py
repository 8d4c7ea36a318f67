"""Merge: neighbouring steps that do not depend on each other become one.

All threads then share the jobs of all of them: the updates of sixty parameters, most of them too
small to be worth a second thread, or the two products that a layer's gradients are. Who does a job
never changes a number, so neither does this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from . import batch
from .places import Native, Place, Step, made_by, places_of

# Operations and bytes, some microseconds' worth: less is done before another thread has noticed.
LEAST_WORK = 150_000
MOST_SCRATCH = 4 << 20  # bytes: parts of one step cannot share their scratch memory


class _Run:
    """Steps that can become one."""

    def __init__(self):
        self.parts: list[Native] = []
        self.read: set[int] = set()
        self.written: set[int] = set()
        self.scratch = 0

    def takes(self, step: Native, written: set[int]) -> bool:
        read = {id(p) for p in places_of(step)}
        return not (read & self.written or written & self.read
                    or self.scratch + step.plan.scratch_bytes > MOST_SCRATCH)

    def add(self, step: Native, written: set[int]) -> None:
        self.parts.append(step)
        self.read |= {id(p) for p in places_of(step)}
        self.written |= written
        self.scratch += step.plan.scratch_bytes

    def steps(self) -> Iterator[Native]:
        work = sum(p.operations + sum(place.size for place in p.places) for p in self.parts)
        if len(self.parts) < 2 or work < LEAST_WORK:
            yield from self.parts
            return
        places: dict[int, Place] = {}
        for read in (True, False):
            for part in self.parts:
                split = len(part.places) - part.results
                for place in part.places[:split] if read else part.places[split:]:
                    places.setdefault(id(place), place)
        numbers = {key: k for k, key in enumerate(places)}
        plan = batch.batch([p.plan for p in self.parts],
                           [[numbers[id(place)] for place in p.places] for p in self.parts])
        yield Native(plan, tuple(places.values()), sum(p.results for p in self.parts),
                     text=" | ".join(p.text or "loop" for p in self.parts),
                     operations=sum(p.operations for p in self.parts))


def merged(steps: Sequence[Step], taken: Mapping[int, Place]) -> list[Step]:
    """Return the steps with independent neighbours as one.

    Args:
        taken: for results (by the id of their place) the input whose memory they take over.
    """
    found: list[Step] = []
    run = _Run()
    for step in steps:
        if not isinstance(step, Native):
            found.extend(run.steps())
            found.append(step)
            run = _Run()
            continue
        written = {id(place) for place in made_by(step)}
        written |= {id(taken[key]) for key in written if key in taken}
        if not run.takes(step, written):
            found.extend(run.steps())
            run = _Run()
        run.add(step, written)
    found.extend(run.steps())
    return found
