"""Pools and their gradients: how each is computed for given sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...ir import Type
from .. import regions
from ..kernel_text import size_of
from ..steps import SCRATCH, Operand, Place, Plan, Step
from ..steps import Slot as Argument
from ..target import Target
from . import pooling_gather, pooling_global, pooling_pairs
from .convolution import in_order
from .convolution_shapes import three
from .matmul import ELEMENTS
from .pooling_text import Slot, kernel


def max_pool(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `max_pool`; None for other types and for operands that are not in order."""
    return _plan("max", operands, (Slot.IMAGE,), Slot.WINDOWS, result, operands[0].shape,
                 result.shape, settings, target)


def pool_argmax(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `pool_argmax`."""
    return _plan("index", operands, (Slot.IMAGE,), Slot.WINDOWS, result, operands[0].shape,
                 result.shape, settings, target)


def max_pool_input(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `max_pool_input`."""
    return _plan("back", operands, (Slot.WINDOWS, Slot.IMAGE), Slot.GRADIENT, result, result.shape,
                 operands[0].shape, settings, target)


def pool_sum(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `pool_sum`."""
    return _plan("sum", operands, (Slot.IMAGE,), Slot.WINDOWS, result, operands[0].shape,
                 result.shape, settings, target)


def pool_spread(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `pool_spread`."""
    return _plan("spread", operands, (Slot.WINDOWS,), Slot.GRADIENT, result, result.shape,
                 operands[0].shape, settings, target)


def _plan(
    name: str, operands: tuple[Operand, ...], inputs: tuple[Slot, ...], output: Slot,
    result: Type, image: tuple[int, ...], windows: tuple[int, ...], settings: Mapping[str, Any],
    target: Target,
) -> Plan | None:
    element = ELEMENTS.get(operands[0].dtype.name)
    area = math.prod(image[2:])
    if element is None or not all(map(in_order, operands)) or area >= 2**31:
        return None
    if not math.prod(result.shape):
        return Plan((), 0)
    itemsize = size_of(element)
    planes = math.prod(image[:2])
    size, out = three(image[2:], 1), three(windows[2:], 1)
    kernel_size, step = three(settings["kernel"], 1), three(settings["stride"], 1)
    padding = three(settings["padding"], 0)
    dilation = three(settings.get("dilation", ()), 1)
    # A line holds a row with its padding, up to the end of the last window.
    line = max(padding[2] + size[2],
               (out[2] - 1) * step[2] + (kernel_size[2] - 1) * dilation[2] + 1)
    line += 4 * target.lanes(itemsize)
    region = -(-line * itemsize // 64) * 64 + 64
    places = regions.count(planes)
    slots: dict[int, Argument] = {slot: 0 for slot in Slot}
    for number, slot in enumerate(inputs):
        slots[slot] = Place(number, operands[number].offset * itemsize)
    slots |= {
        output: Place(len(inputs)), Slot.SCRATCH: Place(SCRATCH), Slot.REGIONS: places,
        Slot.REGION: region, Slot.LINE: line,
    }
    for first, numbers in ((Slot.DEPTH, size), (Slot.OUT_DEPTH, out),
                           (Slot.KERNEL_DEPTH, kernel_size), (Slot.STEP_DEPTH, step),
                           (Slot.PADDING_DEPTH, padding), (Slot.DILATION_DEPTH, dilation)):
        slots |= {first + k: number for k, number in enumerate(numbers)}
    if (set(out) == {1} and kernel_size == size and not any(padding)
            and all(d == 1 or n == 1 for d, n in zip(dilation, size, strict=True))):
        code = pooling_global.kernel(name, element, area, target)
        return Plan((Step(code, planes, tuple(slots[k] for k in Slot)),), 0)
    if _pairs(name, size, out, kernel_size, step, padding, dilation):
        code = pooling_pairs.kernel(name, element, out[2], target)
        return Plan((Step(code, planes, tuple(slots[k] for k in Slot)),), 0)
    if name in ("back", "spread") and pooling_gather.suits(
            kernel_size, step, padding, dilation, size, target):
        code = pooling_gather.kernel(name, element, out[2], kernel_size, step, target)
        room = pooling_gather.region(out) if name == "back" else 0
        room = -(-room // 64) * 64 + 64
        slots[Slot.REGION] = room
        return Plan((Step(code, planes, tuple(slots[k] for k in Slot)),), places * room)
    code = kernel(name, element, step[2], kernel_size[2], dilation[2], target)
    run = Step(code, planes, tuple(slots[k] for k in Slot))
    return Plan((run,), places * region)


def _pairs(name: str, size, out, kernel_size, step, padding, dilation) -> bool:
    """Return whether windows of 2 x 2 lie side by side."""
    return (name != "index" and kernel_size == (1, 2, 2) and step[1:] == (2, 2)
            and not any(padding) and dilation == (1, 1, 1) and size[0] == out[0] == 1
            and all(2 * n <= length for n, length in zip(out[1:], size[1:], strict=True)))
