"""From pending values to data: choose a backend, run the graph, keep what is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np

from . import interpret
from .ir import Graph, Value

# One program runs at a time; recording goes on in other threads meanwhile.
lock = threading.RLock()
executions = 0


def evaluate(outputs: Iterable[Value]) -> None:
    """Compute the pending ones among `outputs`, in one program."""
    global executions
    with lock:
        pending = [v for v in outputs if v.data is None]
        if not pending:
            return
        graph = Graph(pending)
        executions += 1
        for value, array in zip(graph.outputs, interpret.run(graph), strict=True):
            settle(value, array)


def settle(value: Value, array: np.ndarray) -> None:
    """Give a value its data; what it was made from is kept only for gradients."""
    if not (array.flags.owndata and array.flags.c_contiguous):
        # A view would keep its whole base alive, and could alias another value's memory.
        array = np.array(array, order="C")
    value.data = array
    value.volatile = False
    if not value.tracked or value.history is not None:
        value.op, value.inputs, value.settings = None, (), {}
