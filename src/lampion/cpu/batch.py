"""Many small steps as one: jobs of several kernels, drawn from one counter.

The table of a batch holds, in this order: the number of its parts; where the jobs of each part
begin, and where the last ones end; for each part its kernel and the place of its own table, which
lies further on in the same table.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import kernel_text, steps
from .target import Target, host

ALIGNMENT = 64  # bytes, of each plan's scratch memory
HALVINGS = 20  # a batch has fewer than 2^20 parts


def batch(
    plans: Sequence[steps.Plan], operands: Sequence[Sequence[int]], target: Target | None = None,
) -> steps.Plan:
    """Return one plan that does the work of several, which must not depend on each other.

    Args:
        plans: what is to be done.
        operands: for each plan, which of the batch's operands its own operands are.
        target: the instruction set, the host's if not given.
    """
    target = target or host()
    scratch = [0]
    for plan in plans:
        scratch.append(scratch[-1] + -(-plan.scratch_bytes // ALIGNMENT) * ALIGNMENT)
    together = []
    for level in range(max((len(plan.steps) for plan in plans), default=0)):
        parts = []
        for plan, own, start in zip(plans, operands, scratch):
            if level < len(plan.steps) and plan.steps[level].jobs:
                parts.append(_moved(plan.steps[level], own, start))
        if parts:
            together.append(parts[0] if len(parts) == 1 else _joined(parts, target))
    return steps.Plan(tuple(together), scratch[-1])


def _moved(step: steps.Step, operands: Sequence[int], scratch: int) -> steps.Step:
    """The step with the batch's operands and its own part of the scratch memory."""
    def moved(slot: steps.Slot) -> steps.Slot:
        if not isinstance(slot, steps.Place) or slot.where == steps.FAULT:
            return slot
        if slot.where == steps.SCRATCH:
            return slot._replace(offset=slot.offset + scratch)
        return slot._replace(where=operands[slot.where])

    return step._replace(slots=tuple(map(moved, step.slots)))


def _joined(parts: Sequence[steps.Step], target: Target) -> steps.Step:
    starts, places, place = [0], [], 2 + 3 * len(parts)
    slots: list[steps.Slot] = []
    for part in parts:
        starts.append(starts[-1] + part.jobs)
        slots.extend(part.slots)
        places.append(place)
        place += len(part.slots)
    heads: list[steps.Slot] = []
    for part, where in zip(parts, places):
        heads += [part.kernel, where]
    kernel = steps.Kernel("batch", lambda: _text(target), "batch")
    return steps.Step(kernel, starts[-1], (len(parts), *starts, *heads, *slots))


def _text(target: Target) -> str:
    """A function that finds the parts that jobs begin..end belong to, and has them done."""
    module = kernel_text.Module(target)
    f = module.function("batch", ["ptr %args", "i64 %begin", "i64 %end"])
    count = f.slot(0)
    starts = f.at("%args", 1, "i64")
    heads = f.at("%args", f.add(count, 2), "i64")
    part = f.variable("i64", 0)
    with f.loop(0, HALVINGS) as step:
        # The last part that begins no later than the jobs: by steps of falling powers of two.
        stride = f.value(f"lshr i64 {1 << HALVINGS >> 1}, {step}")
        further = f.add(f.load("i64", part), stride)
        with f.when(f.compare("slt", further, count)):
            begins = f.load("i64", f.at(starts, further, "i64"))
            with f.when(f.compare("sle", begins, "%begin")):
                f.store("i64", further, part)
    position = f.variable("i64", "%begin")
    with f.while_below(position, "%end") as begin:
        number = f.load("i64", part)
        first, following = (f.load("i64", f.at(starts, f.add(number, k), "i64")) for k in (0, 1))
        end = f.minimum("%end", following)
        head = f.at(heads, f.multiply(number, 2), "i64")
        function = f.load("ptr", head)
        table = f.at("%args", f.load("i64", f.at(head, 1, "i64")), "i64")
        f.call(function, [f"ptr {table}", f"i64 {f.subtract(begin, first)}",
                          f"i64 {f.subtract(end, first)}"])
        f.store("i64", f.add(number, 1), part)
        f.store("i64", end, position)
    f.done()
    return module.text()
