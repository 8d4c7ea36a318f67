"""A network as TensorBoard's graph: each value of a run, in boxes by module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ... import ir
from ...autograd import no_grad
from ...base import TensorBase
from ...nn.module import Module
from .wire import text, whole


@contextmanager
def _noted(model: Module, notes: dict[int, str]) -> Iterator[None]:
    """Inside, note for each value that is made the path of the module at work."""
    stack: list[str] = []
    handles: list[Any] = []
    root = type(model).__name__
    for path, module in model.named_modules():
        place = "/".join([root, *path.split(".")]) if path else root
        handles.append(module.register_forward_pre_hook(
            lambda *_, place=place: stack.append(place)))
        handles.append(module.register_forward_hook(
            lambda *_: stack.pop() and None, always_call=True))

    def note(value: ir.Value) -> None:
        notes[value.order] = stack[-1] if stack else root

    run, ir.mode.run = ir.mode.run, None
    before, ir.mode.tracing = ir.mode.tracing, note
    try:
        yield
    finally:
        ir.mode.run, ir.mode.tracing = run, before
        for handle in handles:
            handle.remove()


def _tensors(x: Any) -> list:
    if isinstance(x, TensorBase):
        return [x]
    if isinstance(x, dict):
        x = x.values()
    return [t for item in x for t in _tensors(item)] if isinstance(
        x, (list, tuple, type({}.values()))) else []


def graph(model: Module, inputs: Any) -> bytes:
    """Return what a model does with inputs as a GraphDef.

    Args:
        inputs: a tensor, or the arguments in a tuple or list.
    """
    arguments = inputs if isinstance(inputs, (list, tuple)) else (inputs,)
    known: dict[int, str] = {}  # by the array: a detached twin has the same
    for x in [*_tensors(arguments), *model.parameters(), *model.buffers()]:
        x._read()  # what is known is where the graph begins
    for path, parameter in [*model.named_parameters(), *model.named_buffers()]:
        known[id(parameter._value.data)] = (
            f"{type(model).__name__}/{path.replace('.', '/')}")
    for k, x in enumerate(_tensors(arguments)):
        known[id(x._value.data)] = f"input/{k}"
    notes: dict[int, str] = {}
    training = model.training
    model.eval()
    try:
        with no_grad(), _noted(model, notes):
            outputs = [x._value for x in _tensors(model(*arguments))]
    finally:
        model.train(training)
    return _definition(ir.Graph(outputs), known, notes)


def _definition(found: ir.Graph, known: dict[int, str], notes: dict[int, str]) -> bytes:
    names: dict[int, str] = {}
    counts: dict[str, int] = {}
    nodes = []

    def named(name: str) -> str:
        counts[name] = counts.get(name, 0) + 1
        return name if counts[name] == 1 else f"{name}_{counts[name] - 1}"

    for value in found.inputs:
        name = known.get(id(value.data))
        # Numbers that functions make are no nodes: they would hide what matters.
        if name is not None:
            names[value.order] = named(name)
            kind = "Placeholder" if name.startswith("input/") else "Parameter"
            nodes.append(_node(names[value.order], kind, (), value))
    for value in found.values:
        label = value.label or value.op.name
        names[value.order] = named(f"{notes.get(value.order, 'made outside')}/{label}")
        sources = [names[v.order] for v in value.inputs if v.order in names]
        nodes.append(_node(names[value.order], value.op.name, sources, value))
    for k, value in enumerate(found.outputs):
        if value.order in names:
            nodes.append(_node(f"output/{k}", "Output", [names[value.order]], value))
    return b"".join(text(1, node) for node in nodes) + text(4, whole(1, 22))


def _node(name: str, op: str, sources: Any, value: ir.Value) -> bytes:
    shape = b"".join(text(2, whole(1, n)) for n in value.shape)
    shapes = text(5, text(1, "_output_shapes") + text(2, text(1, text(7, shape))))
    kind = text(5, text(1, "type") + text(2, text(2, value.dtype.name)))
    return (text(1, name) + text(2, op) + b"".join(text(3, source) for source in sources)
            + shapes + kind)
