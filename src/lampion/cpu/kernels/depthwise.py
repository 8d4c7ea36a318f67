"""Plans of convolutions of single planes, and of weights' gradients that are as small."""

from __future__ import annotations

import math

from ..kernel_text import size_of
from ..steps import Place, Plan, Step
from ..steps import Slot as Argument
from ..target import Target
from .convolution_shapes import AXES, Shape
from .depthwise_text import Form, Slot, forward, transposed, weight

MOST_TAPS = 49  # more would make the kernel's text long
MOST_STEP = 2
JOBS = 8  # as many as there should be at least, for threads to share
LEAST_ROWS = 16  # of a band: less is not worth a job
FEW_OUTPUTS = 4


def suits(shape: Shape, settings: dict[str, tuple[int, ...]], target: Target) -> bool:
    """Return whether a convolution, or a transposed one, is one of single planes."""
    steps = settings["stride"][1:]
    turned = any(phase.step > 1 for axis in shape.phases for phase in axis)
    return (_usable(shape, settings, target) and shape.inputs == 1 and shape.taps <= MOST_TAPS
            and (not turned or (steps == (2, 2) and shape.outputs == 1)))


def suits_weight(shape: Shape, settings: dict[str, tuple[int, ...]], target: Target) -> bool:
    """Return whether a weight's gradient has as few sums a plane of the input as registers do."""
    registers = target.registers - 5  # for factors and what they meet
    return (_usable(shape, settings, target) and shape.outputs * shape.taps <= registers
            and shape.outputs <= FEW_OUTPUTS and shape.groups * shape.inputs >= JOBS)


def _usable(shape: Shape, settings: dict[str, tuple[int, ...]], target: Target) -> bool:
    # Loads with masks need AVX2 at least.
    return (target.vector_bytes >= 32 and shape.rank <= 2 and max(settings["dilation"]) == 1
            and max(settings["stride"]) <= MOST_STEP)


def plane_plan(shape: Shape, settings: dict[str, tuple[int, ...]], back: bool,
               operands: tuple[Place, Place, Place], element: str, target: Target) -> Plan:
    """Return how to compute a convolution; the operands are source, weight and result.

    Args:
        back: whether it is a transposed convolution.
    """
    kernel, stride, padding = (
        (values[1], values[2]) for values in (shape.kernel, settings["stride"],
                                              settings["padding"]))
    width = target.lanes(size_of(element))
    rows, columns = shape.result[1:]
    slots: dict[int, Argument] = {Slot.FIRST: 0, Slot.NEXT: 1}
    if back and stride == (1, 1):
        # The gradient convolved with the kernel from behind.
        padding = kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]
        slots = {Slot.FIRST: shape.taps - 1, Slot.NEXT: -1}
        back = False
    together = _rows_together(kernel, 2 if back else 1, target)
    if back:
        # Pairs of rows and columns.
        rows, columns = ((size - 1 + before) // 2 + 1 - before // 2
                         for size, before in ((rows, padding[0]), (columns, padding[1])))
    form = Form(element, _lanes(columns, width), kernel, stride, together)
    planes = shape.images * shape.groups * shape.outputs
    bands = max(1, min(-(-JOBS // max(planes, 1)), rows // LEAST_ROWS))
    band = -(-rows // bands // together) * together
    bands = -(-rows // band)
    slots |= {
        **_common(shape, operands, padding), Slot.CHANNELS: shape.groups * shape.outputs,
        Slot.SHARE: shape.outputs, Slot.HIGH: shape.source[1], Slot.WIDE: shape.source[2],
        Slot.ROWS: shape.result[1], Slot.COLUMNS: shape.result[2], Slot.BANDS: bands,
        Slot.BAND: band,
    }
    made = transposed(form, target) if back else forward(form, target)
    return _plan(made, planes * bands, slots)


def plane_weight_plan(shape: Shape, settings: dict[str, tuple[int, ...]],
                      operands: tuple[Place, Place, Place], element: str, target: Target) -> Plan:
    """Return how to compute the weight's gradient; operands are input, gradient and result."""
    kernel, stride, padding = (
        (values[1], values[2]) for values in (shape.kernel, settings["stride"],
                                              settings["padding"]))
    width = _lanes(shape.result[2], target.lanes(size_of(element)))
    together = 2 if 2 * shape.outputs + shape.outputs * shape.taps + 3 <= target.registers else 1
    form = Form(element, width, kernel, stride, together, shape.outputs)
    slots: dict[int, Argument] = {
        **_common(shape, operands, padding), Slot.CHANNELS: shape.groups * shape.inputs,
        Slot.SHARE: shape.inputs, Slot.HIGH: shape.source[1], Slot.WIDE: shape.source[2],
        Slot.ROWS: shape.result[1], Slot.COLUMNS: shape.result[2], Slot.BANDS: 1, Slot.BAND: 0,
        Slot.FIRST: 0, Slot.NEXT: 1,
    }
    return _plan(weight(form, target), shape.groups * shape.inputs, slots)


def _common(shape: Shape, operands: tuple[Place, Place, Place],
            padding: tuple[int, int]) -> dict[int, Argument]:
    return {Slot.SOURCE: operands[0], Slot.OTHER: operands[1], Slot.RESULT: operands[2],
            Slot.TOP: padding[0], Slot.LEFT: padding[1], Slot.IMAGES: shape.images}


def _plan(kernel, jobs: int, slots: dict[int, Argument]) -> Plan:
    return Plan((Step(kernel, jobs, tuple(slots[k] for k in range(len(Slot)))),), 0)


def _rows_together(kernel: tuple[int, int], sums: int, target: Target) -> int:
    """Return for how many rows the sums fit into the registers beside the weights."""
    free = target.registers - math.prod(kernel) - kernel[1]
    return max(1 if sums > 1 else 2, min(4 // sums, free // (sums * sums)))


def _lanes(columns: int, width: int) -> int:
    """Return how many lanes to use: narrow vectors cost less than empty lanes of wide ones."""
    while width > 4 and width // 2 >= columns:
        width //= 2
    return width


assert AXES == 3  # what is read above: depth, height, width
