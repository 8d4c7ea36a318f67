"""From pending values to data: choose a backend, run the graph, keep what is asked for.

    evaluate(outputs)          compute pending values, in one program
    prepare(outputs)           the same, to be run with other arrays of the same types again

Programs are found by the structure of the graph: ops, settings, types, and who reads whom. Numbers
and random keys are inputs, so a new learning rate or seed never asks for another program.

Two backends run the same graphs: the native engine (`cpu`), and the oracle (`interpret`), which
computes whatever runs only once - compiling would take longer - and everything where llvmlite is
missing. LAMPION_ENGINE chooses: `auto` is that rule, `native` compiles at once, `numpy` never does.
Which backend computes does not depend on the time anything takes, so the same script gives the same
bits again.
"""

from __future__ import annotations

import importlib.util
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import interpret
from .errors import ArgumentError
from .ir import Graph, Value

if TYPE_CHECKING:
    from .cpu.program import Program

# One program runs at a time; recording goes on in other threads meanwhile.
lock = threading.RLock()
executions = 0

ENGINES = ("auto", "native", "numpy")
# A graph with more arithmetic than this is compiled before it runs for the first time.
HEAVY = 3e8
# Programs that are kept; those not used for longest go first.
MOST = 512


def _chosen() -> str:
    name = os.environ.get("LAMPION_ENGINE", "auto")
    if name not in ENGINES:
        raise ArgumentError(f"LAMPION_ENGINE is {name!r}", why=f"known are {', '.join(ENGINES)}",
                            fix="unset LAMPION_ENGINE")
    if name != "numpy" and importlib.util.find_spec("llvmlite") is None:
        return "numpy"
    return name


engine = _chosen()


class Structure:
    """What graphs of the same structure share: how often one ran, and its program.

    Attributes:
        runs: how often it was run.
        program: the compiled program, or None as long as there is none.
    """

    __slots__ = ("runs", "program")

    def __init__(self):
        self.runs = 0
        self.program: Program | None = None


_structures: OrderedDict[Hashable, Structure] = OrderedDict()


class Prepared:
    """A graph that can be run with other arrays.

    Attributes:
        graph: its structure (and the values that it was prepared from).
        inputs: the graph's inputs, in the order of the arrays.
        structure: what it shares with graphs of the same structure.
    """

    __slots__ = ("graph", "inputs", "structure", "_updates")

    def __init__(self, graph: Graph, updates: Mapping[int, int]):
        self.graph, self.inputs = graph, graph.inputs
        self._updates = updates
        key = structure_of(graph), tuple(sorted(updates.items()))
        found = _structures.get(key)
        if found is None:
            found = _structures[key] = Structure()
            if len(_structures) > MOST:
                _structures.popitem(last=False)
        else:
            _structures.move_to_end(key)
        self.structure = found

    def run(
        self, arrays: Sequence[np.ndarray], take: Mapping[int, np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        """Return the arrays of the graph's outputs for these arrays of its inputs.

        Args:
            arrays: contiguous, of the inputs' types.
            take: for outputs (by number) memory that they may take over: the array of the input
                that the output replaces, if nobody else holds it.
        """
        structure = self.structure
        structure.runs += 1
        if structure.program is None and engine != "numpy" and (
                engine == "native" or structure.runs > 1 or work(self.graph) > HEAVY):
            structure.program = _compile(self.graph, self._updates)
        if structure.program is None:
            return interpret.run(self.graph, arrays)
        return _run(structure.program, self.graph, arrays, take)


def _compile(graph: Graph, updates: Mapping[int, int]) -> Program:
    from .cpu.program import Program  # loads llvmlite, which programs that only read need not
    return Program(graph, updates)


def _run(program, graph: Graph, arrays, take) -> list[np.ndarray]:
    from .cpu.linked import Fault
    if take:
        take = {k: array for k, array in take.items() if k in program.donated}
    try:
        return program.run(arrays, take)
    except Fault:
        # The oracle meets the same mistake and raises the error that explains it.
        return interpret.run(graph, arrays)


def structure_of(graph: Graph) -> Hashable:
    """Return what programs are found by: equal for graphs that one program can compute."""
    numbers = {v.order: k for k, v in enumerate(graph.inputs)}
    types = tuple((v.shape, v.dtype) for v in graph.inputs)
    rows = []
    for value in graph.values:
        numbers[value.order] = len(numbers)
        settings = value.settings
        rows.append((value.op.name, tuple([numbers[v.order] for v in value.inputs]),
                     tuple([(k, _frozen(s)) for k, s in settings.items() if k != "location"])
                     if settings else ()))
    return types, tuple(rows), tuple([numbers[v.order] for v in graph.outputs])


def _frozen(setting: Any) -> Hashable:
    return tuple(setting) if isinstance(setting, list) else setting


def work(graph: Graph) -> float:
    """Return roughly how many arithmetic operations a graph takes."""
    total = 0.0
    for value in graph.values:
        size = math.prod(value.shape)
        if value.op.name == "matmul":
            size *= 2 * value.inputs[0].shape[-1]
        elif value.op.name.startswith("convolution"):
            # Each element of the smallest of the three tensors meets the others' common axes.
            shapes = (value.shape, *(v.shape for v in value.inputs))
            size = 2 * math.sqrt(math.prod(math.prod(s) for s in shapes))
        total += size
    return total


def prepare(outputs: Iterable[Value], updates: Mapping[int, int] | None = None) -> Prepared:
    """Return a graph of pending values that can be run again with other arrays.

    Args:
        outputs: the values wanted; all pending.
        updates: for outputs (by number) the input whose memory they may take over.
    """
    return Prepared(Graph(outputs), updates or {})


def evaluate(outputs: Iterable[Value]) -> None:
    """Compute the pending ones among `outputs`, in one program."""
    global executions
    with lock:
        pending = [v for v in outputs if v.data is None]
        if not pending:
            return
        prepared = prepare(pending)
        executions += 1
        arrays = [_contiguous(v.data) for v in prepared.inputs]
        for value, array in zip(prepared.graph.outputs, prepared.run(arrays), strict=True):
            settle(value, array)


def _contiguous(array: np.ndarray) -> np.ndarray:
    return array if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(array.shape)


def settle(value: Value, array: np.ndarray) -> None:
    """Give a value its data; what it was made from is kept only for gradients."""
    if not (array.flags.owndata and array.flags.c_contiguous):
        # A view would keep its whole base alive, and could alias another value's memory.
        array = np.array(array, order="C")
    value.data = array
    value.volatile = False
    if not value.tracked or value.history is not None:
        value.op, value.inputs, value.settings = None, (), {}
