"""Plans of native code: of a fused loop, and of a value that a hand-made kernel computes.

    plan = plan_loop(loop)                # operands: the loop's buffers, inputs first
    plan = plan_value(value, operands)    # operands: the inputs' memory, then the result's

    plan = batch(plans, operands)         # several that do not wait for each other, as one

Planning is cheap the second time: plans are kept by what they depend on.
"""

from __future__ import annotations

import functools

from .. import ir, kernel
from . import loop_text, steps
from .batch import batch as batch
from .kernels import PROVIDERS
from .loop_form import Form, form_of
from .nest import is_flat, nests
from .target import Target, host


def plan_loop(loop: kernel.Loop, target: Target | None = None) -> steps.Plan | None:
    """Return how to run a fused loop; its operands are the loop's buffers in order.

    Args:
        target: the instruction set, the host's if not given.
    """
    return _plan_loop(loop, target or host())


@functools.lru_cache(maxsize=512)
def _plan_loop(loop: kernel.Loop, target: Target) -> steps.Plan | None:
    if not loop.rows or (is_flat(loop) and not loop.width):
        return steps.Plan((), 0)
    lanes = loop_text.lanes_of(loop, target)
    made, scratch_bytes = nests(loop, lanes)
    found = []
    for nest in made:
        form, slots, jobs = form_of(nest, lanes)
        found.append(steps.Step(kernel_of(form, lanes, target), jobs, slots))
    return steps.Plan(tuple(found), scratch_bytes)


def kernel_of(form: Form, lanes: int, target: Target) -> steps.Kernel:
    """Return the kernel of a form: loops that differ in sizes alone share it."""
    key = f"loop of {lanes} lanes: {form!r}"
    return steps.Kernel(key, lambda: loop_text.write(form, lanes, target, "loop"), "loop")


def plan_value(
    value: ir.Value, operands: tuple[steps.Operand, ...], target: Target | None = None,
) -> steps.Plan | None:
    """Return how the hand-made kernel of a value's op computes it, or None where there is none.

    Args:
        operands: where the inputs lie. The result is contiguous.
        target: the instruction set, the host's if not given.
    """
    assert value.op is not None, "a leaf is not computed"
    provider = PROVIDERS.get(value.op.lower.get("kernel", ""))
    if provider is None:
        return None
    return provider(operands, value.type, value.settings, target or host())
