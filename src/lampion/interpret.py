"""The oracle: run a graph with NumPy, one value after another, slowly and obviously."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .dtypes import bfloat16, float16, round_to
from .ir import Graph, Value, VerifyError
from .ops.movement import put_into, slice_put


def run(graph: Graph, inputs: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
    """Return the arrays of the graph's outputs.

    Args:
        inputs: arrays for the graph's inputs; those that the inputs hold if not given.

    float16 and bfloat16 are storage types: arithmetic on them happens in float32, and each
    result is rounded.
    """
    arrays: dict[int, np.ndarray] = {v.order: v.data for v in graph.inputs} if inputs is None else {
        v.order: array for v, array in zip(graph.inputs, inputs, strict=True)}
    last_use: dict[int, int] = {v.order: -1 for v in graph.outputs}
    for value in reversed(graph.values):
        for operand in value.inputs:
            last_use.setdefault(operand.order, value.order)
    with np.errstate(all="ignore"):
        for value in graph.values:
            operands = [arrays[v.order] for v in value.inputs]
            arrays[value.order] = compute(value, operands)
            for operand in value.inputs:
                if last_use[operand.order] == value.order:
                    arrays.pop(operand.order, None)
    return [arrays[v.order] for v in graph.outputs]


def fill(graph: Graph) -> list[np.ndarray]:
    """Do what `run` does, for a graph that only copies: write after write into the same memory.

    A `slice_put` gives a new array with some elements replaced; where nobody looks at the old one
    any more, it is written into instead. So filling a tensor row by row is linear in its size.
    """
    arrays: dict[int, np.ndarray] = {v.order: v.data for v in graph.inputs}
    last_use: dict[int, int] = {v.order: -1 for v in graph.outputs}
    for value in reversed(graph.values):
        for operand in value.inputs:
            last_use.setdefault(operand.order, value.order)
    roots: dict[int, int] = {}  # whose memory an array of this run looks at
    looks: dict[int, int] = {}  # how many arrays look at it
    for value in graph.values:
        operands = [arrays[v.order] for v in value.inputs]
        base = value.inputs[0].order if value.inputs else -1
        if (value.op is slice_put and roots.get(base) == base and looks[base] == 1
                and last_use[base] == value.order):
            array = put_into(*operands, **value.settings)
            del roots[base], looks[base]
            roots[value.order], looks[value.order] = value.order, 1
        else:
            array = compute(value, operands)
            shared = [v.order for v, x in zip(value.inputs, operands, strict=True)
                      if np.may_share_memory(array, x)]
            root = roots.get(shared[0]) if shared else value.order
            if root is not None:  # None: memory from before this run
                roots[value.order] = root
                looks[root] = looks.get(root, 0) + 1
        arrays[value.order] = array
        for order in {v.order for v in value.inputs}:
            if last_use[order] == value.order:
                arrays.pop(order, None)
                if order in roots:
                    looks[roots.pop(order)] -= 1
    return [arrays[v.order] for v in graph.outputs]


def run_partly(graph: Graph) -> tuple[dict[int, np.ndarray], dict[int, int]]:
    """Run a graph in which an op fails, and go on after the error.

    Returns:
        The arrays of the values that can be computed, and for each other value the place of the
        op whose error it comes from; both by creation order.
    """
    arrays: dict[int, np.ndarray] = {v.order: v.data for v in graph.inputs}
    failed: dict[int, int] = {}
    with np.errstate(all="ignore"):
        for value in graph.values:
            causes = [failed[v.order] for v in value.inputs if v.order in failed]
            if causes:
                failed[value.order] = min(causes)
                continue
            try:
                arrays[value.order] = compute(value, [arrays[v.order] for v in value.inputs])
            except Exception:
                failed[value.order] = value.order
    return arrays, failed


def compute(value: Value, operands: list[np.ndarray]) -> np.ndarray:
    """Return the array of one value from the arrays of its inputs."""
    op = value.op
    if op.kind == "movement":
        return op.meaning(np, *operands, **value.settings)
    operands = [x.astype(np.float32) if x.dtype == np.float16 else x for x in operands]
    array = np.asarray(op.meaning(np, *operands, **value.settings))
    if value.dtype is float16 and array.dtype == np.float32:
        array = array.astype(np.float16)
    elif value.dtype is bfloat16:
        array = round_to(bfloat16, array)
    if array.dtype != value.dtype.array or array.shape != value.shape:
        raise VerifyError(
            f"{value!r}: its meaning gave {array.dtype}{array.shape}",
            why="the meaning and the type rule of an op must agree")
    return array
