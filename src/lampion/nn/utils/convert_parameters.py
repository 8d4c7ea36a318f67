"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from lampion import errors
from lampion.functions import shape
from lampion.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters one after another.

    Example:
        >>> import lampion as torch
        >>> torch.nn.utils.parameters_to_vector([torch.ones(2), torch.zeros(1, 1)])
        tensor([1., 1., 0.])
    """
    return shape.cat([one.view(-1) for one in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Set the parameters to consecutive pieces of a vector.

    Args:
        vec: as `parameters_to_vector` returns it.
        parameters: what to set.

    Raises:
        ArgumentTypeError: `vec` is no tensor.
    """
    if not isinstance(vec, Tensor):
        raise errors.ArgumentTypeError(
            f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for one in parameters:
        stop = start + one.numel()
        one.data = vec[start:stop].view_as(one).data
        start = stop
