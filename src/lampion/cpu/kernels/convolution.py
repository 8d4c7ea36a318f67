"""Convolutions, their two gradients: how each is computed for given sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...ir import Type
from ..kernel_text import size_of
from ..steps import Operand, Place, Plan
from ..target import Target
from .convolution_lanes import Weights, lanes_plan
from .convolution_planes import planes_plan, suits, suits_weight, weight_planes_plan
from .convolution_shapes import Shape, forward_phases, three, transposed_phases
from .convolution_weight import weight_plan
from .depthwise import plane_plan, plane_weight_plan
from .depthwise import suits as suits_plane
from .depthwise import suits_weight as suits_plane_weight
from .matmul import ELEMENTS


def in_order(operand: Operand) -> bool:
    """Return whether elements lie one after another in row-major order."""
    expected = 1
    if 0 in operand.shape:
        return True
    for size, stride in zip(reversed(operand.shape), reversed(operand.strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def settings_of(settings: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return stride, padding and dilation for three axes."""
    return {name: three(settings[name], missing)
            for name, missing in (("stride", 1), ("padding", 0), ("dilation", 1))}


def addresses(operands: tuple[Operand, ...], element: str) -> tuple[Place, Place, Place]:
    """Return the places of two operands and the result."""
    first, second = (Place(k, o.offset * size_of(element)) for k, o in enumerate(operands))
    return first, second, Place(2)


def provide_forward(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `convolution`; None for other types and for operands that are not in order."""
    x, weight = operands
    if not usable(operands, result):
        return None
    if not math.prod(result.shape):
        return Plan((), 0)
    groups = settings["groups"]
    kernel, size = three(weight.shape[2:], 1), three(x.shape[2:], 1)
    inputs, outputs = weight.shape[1], weight.shape[0] // groups
    numbers = settings_of(settings)
    phases = forward_phases(size, kernel, **numbers)
    shape = Shape(x.shape[0], groups, inputs, outputs, size, three(result.shape[2:], 1), kernel,
                  phases, len(x.shape) - 2)
    steps = inputs * shape.taps
    element = ELEMENTS[result.dtype.name]
    where = addresses(operands, element)
    if suits_plane(shape, numbers, target):
        return plane_plan(shape, numbers, False, where, element, target)
    if suits(shape, target.lanes(size_of(element)), size_of(element)):
        return planes_plan(shape, (outputs * steps, steps, shape.taps), where, element, target)
    weights = Weights(outputs * steps, steps, 1, steps, 0)
    return small_enough(lanes_plan(shape, weights, where, element, target))


def provide_input(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `convolution_input`, the transposed convolution.

    The gradient is read with zeros around it. An infinite weight times such a zero is NaN, at the
    borders, where the meaning skips the tap; finite weights show no difference.
    """
    g, weight = operands
    if not usable(operands, result):
        return None
    if not math.prod(result.shape):
        return Plan((), 0)
    groups = settings["groups"]
    kernel, size = three(weight.shape[2:], 1), three(result.shape[2:], 1)
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    numbers = settings_of(settings)
    phases = transposed_phases(size, kernel, **numbers)
    shape = Shape(g.shape[0], groups, inputs, outputs, three(g.shape[2:], 1), size, kernel,
                  phases, len(g.shape) - 2)
    taps = shape.taps
    element = ELEMENTS[result.dtype.name]
    where = addresses(operands, element)
    if suits_plane(shape, numbers, target):
        return plane_plan(shape, numbers, True, where, element, target)
    distances = inputs * outputs * taps, taps, outputs * taps
    if suits(shape, target.lanes(size_of(element)), size_of(element)):
        return planes_plan(shape, distances, where, element, target)
    weights = Weights(distances[0], taps, inputs, taps, outputs * taps)
    return small_enough(lanes_plan(shape, weights, where, element, target))


def provide_weight(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `convolution_weight`."""
    x, g = operands
    if not usable(operands, result):
        return None
    if not math.prod(result.shape):
        return Plan((), 0)
    groups = settings["groups"]
    kernel, size = three(result.shape[2:], 1), three(x.shape[2:], 1)
    numbers = settings_of(settings)
    phases = forward_phases(size, kernel, **numbers)
    shape = Shape(x.shape[0], groups, result.shape[1], result.shape[0] // groups, size,
                  three(g.shape[2:], 1), kernel, phases, len(x.shape) - 2)
    element = ELEMENTS[result.dtype.name]
    where = addresses(operands, element)
    if suits_plane_weight(shape, numbers, target):
        return plane_weight_plan(shape, numbers, where, element, target)
    if suits_weight(shape, target.lanes(size_of(element)), size_of(element)):
        return weight_planes_plan(shape, where, element, target)
    return small_enough(weight_plan(shape, where, element, target))


def small_enough(plan: Plan) -> Plan | None:
    """Return a plan unless offsets in its scratch memory might not fit into 32 bits."""
    return plan if plan.scratch_bytes < 2**31 else None


def usable(operands: tuple[Operand, ...], result: Type) -> bool:
    """Return whether there are kernels for these types and orders."""
    return (result.dtype.name in ELEMENTS and len(result.shape) <= 5
            and all(in_order(operand) for operand in operands))
