"""What a backward pass depends on besides its arguments: the gradients that are there."""

from __future__ import annotations

from typing import Any

from ..base import TensorBase


def gradients(run: Any, args: tuple, kwargs: dict) -> list | None:
    """Return the operands of `backward`: its arguments, and `.grad` of every leaf of the record.

    A leaf that has no gradient yet gets a new tensor; to one that has, the backward pass adds. The
    leaves are those that the record has met, and what backward is called on: it may be a leaf.
    """
    operands = list(_arguments(*args, **kwargs))
    run.reads_gradients = True
    for slot in run.differentiable_slots():
        tensor = run.tensor(slot)
        operands.append(None if tensor is None else tensor._gradient)
    outputs = operands[0]
    for tensor in outputs if isinstance(outputs, (list, tuple)) else (outputs,):
        if (isinstance(tensor, TensorBase) and tensor._promise is None
                and run.slot_of(tensor) is None):
            operands.append(tensor._gradient)
    return operands


def _arguments(tensors: Any, grad_tensors: Any = None, retain_graph: Any = None,
               create_graph: Any = False, inputs: Any = None) -> tuple:
    return tensors, grad_tensors, retain_graph, create_graph, inputs


def forget_gradients(tensors: list) -> None:
    """Set `.grad` of every tensor to None."""
    for tensor in tensors:
        tensor._gradient = None


def follow_forgetting(run: Any, args: tuple, kwargs: dict) -> None:
    """Do the same while a record is followed."""
    if run.reads_gradients:
        for tensor in args[0]:
            run.set_gradient(tensor, None)
    else:  # nothing in the record depends on what they were
        forget_gradients(args[0])
