"""`torch.autograd.graph`: places in the recorded graph, and rules for what it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..base import TensorBase, require_tensor
from ..errors import GradientError
from ..ir import mode, origin
from .node import Node

__all__ = ["GradientEdge", "Node", "allow_mutation_on_saved_tensors", "get_gradient_edge",
           "increment_version", "save_on_cpu"]


class GradientEdge(NamedTuple):
    """Where a gradient goes: an operation, and which of its outputs it belongs to."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: TensorBase) -> GradientEdge:
    """Return where the gradient of a tensor goes.

    Raises:
        GradientError: the tensor does not require grad.

    Example:
        >>> import lampion as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> torch.autograd.graph.get_gradient_edge(x * 2).node
        <MulBackward0>
    """
    require_tensor(tensor, "get_gradient_edge", "tensor")
    if not tensor._tracked:
        raise GradientError("It is not possible to get the gradient edge for a Tensor that does "
                            "not require gradients", fix="x.requires_grad_()")
    return GradientEdge(Node(origin(tensor._value)), 0)


def increment_version(tensor: TensorBase | Sequence[TensorBase]) -> None:
    """Count a write to a tensor that autograd did not see, so that stale gradients are refused.

    Args:
        tensor: one tensor, or several.

    Example:
        >>> import lampion as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> y = (x * x).sum()
        >>> torch.autograd.graph.increment_version(x)
        >>> y.backward()
        Traceback (most recent call last):
        lampion.errors.InplaceError: one of the variables needed for gradient computation has been \
modified by an inplace operation
    """
    for x in (tensor,) if isinstance(tensor, TensorBase) else tensor:
        require_tensor(x, "increment_version", "tensor")
        x._storage.version.count += 1


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[None]:
    """Let tensors be written in place that a `backward()` in the same block still reads.

    The graph keeps every value as it was, so gradients are those of the old numbers; outside of
    this block such a backward is refused, because it usually is a mistake.

    Example:
        >>> import lampion as torch
        >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
        ...     x = torch.ones(2, requires_grad=True)
        ...     y = x.clone()
        ...     z = (y ** 2).sum()
        ...     _ = y.sin_()
        ...     z.backward()
        >>> x.grad
        tensor([2., 2.])
    """
    before, mode.mutable = mode.mutable, True
    try:
        yield
    finally:
        mode.mutable = before


class save_on_cpu:  # noqa: N801 - PyTorch's name
    """Keep what backward will read in main memory, where it is anyway: a block that does nothing.

    Args:
        pin_memory: accepted; there is no other device to copy to.
        device_type: accepted.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        self.pin_memory, self.device_type = pin_memory, device_type

    def __enter__(self) -> None:
        pass

    def __exit__(self, *unused: Any) -> None:
        pass
