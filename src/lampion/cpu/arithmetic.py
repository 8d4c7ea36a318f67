"""How many arithmetic operations a step takes, to compare its time with the machine's limits."""

from __future__ import annotations

import math

from ..ir import Value
from ..kernel import Compute, Loop, Reduce


def of_loop(loop: Loop) -> float:
    """Return one operation for each statement inside the loop and each element."""
    inside = sum(isinstance(s, (Compute, Reduce)) for _, inner, s in loop.statements() if inner)
    return float(inside) * loop.rows * loop.width


def of_value(value: Value) -> float:
    """Return the operations of an op with a kernel of its own."""
    shapes = [v.shape for v in value.inputs]
    if value.op.name == "matmul":
        return 2.0 * math.prod(value.shape) * shapes[0][-1]
    if value.op.name == "convolution":
        return 2.0 * math.prod(value.shape) * math.prod(shapes[1][1:])
    if value.op.name == "convolution_input":
        return 2.0 * math.prod(shapes[0]) * math.prod(shapes[1][1:])
    if value.op.name == "convolution_weight":
        return 2.0 * math.prod(shapes[1]) * math.prod(value.shape[1:])
    return float(math.prod(value.shape))
