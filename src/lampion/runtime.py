"""From pending values to data: choose a backend, run the graph, keep what is asked for.

    evaluate(outputs)          compute pending values, in one program
    prepare(outputs)           the same, to be run with other arrays of the same types again

Programs are found by the structure of the graph: ops, settings, types, and who reads whom. Numbers
and random keys are inputs, so a new learning rate or seed never asks for another program.

Two backends run the same graphs: the native engine (`cpu`), and the oracle (`interpret`), which
computes small graphs without a contraction - compiling would take longer - and everything where
llvmlite is missing. LAMPION_ENGINE chooses: `auto` is that rule, `native` compiles all, `numpy`
nothing. Which backend computes depends on the graph alone, never on time or on what ran before: so
the same script gives the same bits again, and a resumed training those of one that ran through.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import math
import os
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import dtypes, interpret
from .cpu import spare
from .cpu.program import Program
from .errors import ArgumentError
from .ir import Graph, Value

# One program runs at a time; recording goes on in other threads meanwhile.
lock = threading.RLock()
executions = 0

ENGINES = ("auto", "native", "numpy")
# Graphs with so many values, or so much arithmetic, or a contraction, are worth compiling.
MANY, HEAVY = 24, 2e4
# A tensor that is filled by so many writes is filled by NumPy, apart from what is computed of it.
FILLING = 8
# Ops that bring elements elsewhere and compute none, beside those of the kind `movement`.
COPYING = ("slice_put", "copy", "cast", "concat", "overwrite")
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

# Called before a program runs: observer(graph, updates, structure, arrays).
observers: list[Callable[..., None]] = []


class Structure:
    """What graphs of the same structure share.

    Attributes:
        native: whether a program computes them.
        program: the compiled program, or None as long as there is none.
    """

    __slots__ = ("native", "program")

    def __init__(self, graph: Graph):
        self.native = known(graph) and (
            engine == "native" or (engine == "auto" and worth_compiling(graph)))
        self.program: Program | None = None


_structures: OrderedDict[bytes, Structure] = OrderedDict()


class Prepared:
    """A graph that can be run with other arrays.

    Attributes:
        graph: its structure (and the values that it was prepared from).
        inputs: the graph's inputs, in the order of the arrays.
        structure: what it shares with graphs of the same structure.
        updates: for outputs (by number) the input whose memory they may take over.
    """

    __slots__ = ("graph", "inputs", "structure", "updates")

    def __init__(self, graph: Graph, updates: Mapping[int, int]):
        self.graph, self.inputs = graph, graph.inputs
        self.updates = updates
        key = structure_of(graph, updates)
        found = _structures.get(key)
        if found is None:
            found = _structures[key] = Structure(graph)
            if len(_structures) > MOST:
                _structures.popitem(last=False)
        else:
            _structures.move_to_end(key)
        self.structure = found

    def run(
        self, arrays: Sequence[np.ndarray], take: Mapping[int, np.ndarray] | None = None,
    ) -> list[np.ndarray]:
        """Return the arrays of the graph's outputs, each in memory of its own.

        Args:
            arrays: of the inputs; contiguous, of the inputs' types.
            take: for outputs (by number) memory that they may take over: the array of the input
                that the output replaces, if nobody else holds it.
        """
        structure = self.structure
        for observer in observers:
            observer(self.graph, self.updates, structure, arrays)
        program = (structure.program or self._compile()) if structure.native else None
        if program is None:
            return [owned(array) for array in interpret.run(self.graph, arrays)]
        if take and not take.keys() <= program.donated.keys():
            take = {k: array for k, array in take.items() if k in program.donated}
        try:
            return program.run(arrays, take)
        except Exception as error:
            # The oracle meets the same mistake, and names the line that recorded it this time.
            results = [owned(array) for array in interpret.run(self.graph, arrays)]
            warnings.warn(
                f"a native program of lampion failed ({type(error).__name__}: {error}) at what "
                "NumPy can compute. The numbers are NumPy's and right. This is a mistake in "
                "lampion: please report it.", RuntimeWarning, stacklevel=2)
            return results

    def _compile(self) -> Program | None:
        """Return the program, None where that fails: the oracle computes it all the same."""
        structure = self.structure
        try:
            structure.program = Program(self.graph, self.updates)
        except ArgumentError:
            raise  # LAMPION_CPU names what there is not
        except Exception as error:
            warnings.warn(
                f"lampion could not compile a program ({type(error).__name__}: {error}), so NumPy "
                "computes it, which is slower. This is a mistake in lampion: please report it. "
                "LAMPION_ENGINE=numpy avoids the attempt.", RuntimeWarning, stacklevel=2)
            structure.native = False
        return structure.program

    def lasting(self) -> Prepared:
        """Return the same without the values it was prepared from, which hold their arrays."""
        copies: dict[int, Value] = {}
        for value in self.inputs:
            copies[value.order] = Value(None, (), {}, value.shape, value.dtype)
        for value in self.graph.values:
            operands = tuple(copies[v.order] for v in value.inputs)
            copies[value.order] = Value(
                value.op, operands, value.settings, value.shape, value.dtype)
        return Prepared(Graph([copies[v.order] for v in self.graph.outputs]), self.updates)


def structure_of(graph: Graph, updates: Mapping[int, int]) -> bytes:
    """Return what programs are found by: equal for graphs that one program can compute."""
    numbers = {v.order: k for k, v in enumerate(graph.inputs)}
    types = [(v.shape, v.dtype.name) for v in graph.inputs]
    rows = []
    for value in graph.values:
        numbers[value.order] = len(numbers)
        settings = value.settings
        rows.append((value.op.name, [numbers[v.order] for v in value.inputs],
                     [(k, frozen(s)) for k, s in settings.items() if k != "location"]
                     if settings else None))
    outputs = [numbers[v.order] for v in graph.outputs]
    # Version 2 of the format does not depend on which of the parts are the same object.
    whole = marshal.dumps((types, rows, outputs, sorted(updates.items())), 2)
    return hashlib.blake2b(whole, digest_size=20).digest()


def frozen(setting: Any) -> Any:
    """Return a setting in terms of numbers, strings and tuples of them."""
    if isinstance(setting, (int, float, str)) or setting is None:
        return setting
    if isinstance(setting, (tuple, list)):
        return [frozen(part) for part in setting]
    if isinstance(setting, dtypes.dtype):
        return setting.name
    return setting.structure


def known(graph: Graph) -> bool:
    """Return whether the native engine knows all types of a graph."""
    return not any(v.dtype in dtypes.RARE for part in (graph.inputs, graph.values) for v in part)


def worth_compiling(graph: Graph) -> bool:
    """Return whether a graph has a contraction, a loop, many values, or much arithmetic."""
    if len(graph.values) >= MANY:
        return True
    total = 0
    for value in graph.values:
        if value.op.lower.get("kernel", "").startswith(("matmul", "convolution", "scan")):
            return True
        total += math.prod(value.shape)
    return total >= HEAVY


def prepare(outputs: Iterable[Value], updates: Mapping[int, int] | None = None) -> Prepared:
    """Return a graph of pending values that can be run again with other arrays.

    Args:
        outputs: the values wanted; all pending.
        updates: for outputs (by number) the input whose memory they may take over.
    """
    return Prepared(Graph(outputs), updates or {})


def evaluate(outputs: Iterable[Value], replaced: Mapping[int, Value] | None = None,
             watch: Callable[[Prepared | None, list[Value]], None] | None = None) -> None:
    """Compute the pending ones among `outputs`, in one program.

    Args:
        replaced: for outputs (by creation order) the computed value that their holder held before
            and will never ask for again. The output may take over its memory.
        watch: called with the program (None where nothing is pending) and its outputs before it
            runs.
    """
    global executions
    with lock:
        pending = [v for v in outputs if v.data is None]
        if not pending:
            if watch is not None:
                watch(None, [])
            return
        graph = Graph(pending)
        filled = filled_by_hand(graph)
        if filled:
            watch = None  # the next step's rows are of other lengths
            parts = Graph(filled)
            for value, array in zip(parts.outputs, interpret.fill(parts), strict=True):
                settle(value, array)
            pending = [v for v in pending if v.data is None]
            if not pending:
                return
            graph = Graph(pending)
        numbers = {v.order: k for k, v in enumerate(graph.inputs)} if replaced else {}
        updates = {k: numbers[replaced[v.order].order] for k, v in enumerate(graph.outputs)
                   if replaced and v.order in replaced and replaced[v.order].order in numbers}
        prepared = Prepared(graph, updates)
        if watch is not None:
            watch(prepared, pending)
        executions += 1
        take = {k: graph.inputs[n].data for k, n in updates.items() if is_alone(graph.inputs[n])}
        arrays = [contiguous(v.data) for v in graph.inputs]
        results = prepared.run(arrays, take)
        for k, array in take.items():
            if results[k] is array:
                graph.inputs[updates[k]].data = None  # what it was is gone
        for value, array in zip(graph.outputs, results, strict=True):
            settle(value, array)


def filled_by_hand(graph: Graph) -> list[Value]:
    """Return the values that stand for a tensor which many writes have filled, row by row.

    As a part of a larger program they would be another program for every batch, since the rows
    of the next one are of other lengths. Only elements that are known are copied into them.
    """
    count: dict[int, int] = {}  # writes so far, of values that are made of known elements
    found: dict[int, Value] = {}
    for value in graph.values:
        op = value.op
        if op.name == "slice_put" and not value.tracked:
            base = value.inputs[0]
            if all(v.data is not None or v.order in count for v in value.inputs):
                count[value.order] = count.get(base.order, 0) + 1
                found.pop(base.order, None)
                if count[value.order] >= FILLING:
                    found[value.order] = value
        elif (op.kind == "movement" or op.name in COPYING) and not value.tracked and all(
                v.data is not None or v.order in count for v in value.inputs):
            count[value.order] = 0
    return list(found.values())


def is_alone(value: Value) -> bool:
    """Return whether nothing else refers to a value's array."""
    array = value.data
    if type(array) is not np.ndarray or not array.flags.owndata:
        return False
    count = sys.getrefcount(array)
    return count == 3 or (count == 4 and spare.let_go(array))


def contiguous(array: np.ndarray) -> np.ndarray:
    """Return an array as native code reads it; NumPy's scalars are no arrays."""
    if type(array) is np.ndarray and array.flags.c_contiguous:
        return array
    return np.ascontiguousarray(array).reshape(array.shape)


def settle(value: Value, array: np.ndarray) -> None:
    """Give a value its data; what it was made from is kept only for gradients."""
    value.data = owned(array)
    value.volatile = False
    if not value.tracked or value.history is not None:
        value.op, value.inputs, value.settings = None, (), {}


def owned(array: np.ndarray) -> np.ndarray:
    """Return a program's result in memory of its own.

    A view would keep its whole base alive, and could alias another value's memory.
    """
    if type(array) is np.ndarray and array.flags.owndata and array.flags.c_contiguous:
        return array
    return np.array(array, order="C")


def _fork_in_child() -> None:
    """Let go of a lock that only the parent can release."""
    global lock
    lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    # No program runs, in any thread, at the moment of a fork.
    os.register_at_fork(before=lambda: lock.acquire(), after_in_parent=lambda: lock.release(),
                        after_in_child=_fork_in_child)
