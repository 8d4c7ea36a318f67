"""Tensors from and for other array libraries, through the DLPack protocol."""

from lampion.functions.creation import from_dlpack as from_dlpack
from lampion.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> object:
    """Return a capsule that shares the tensor's memory; it may be taken over once.

    Args:
        tensor: must not require grad.

    Example:
        >>> import lampion as torch
        >>> from lampion.utils.dlpack import from_dlpack, to_dlpack
        >>> x = torch.zeros(2)
        >>> y = from_dlpack(to_dlpack(x))
        >>> x[0] = 5; y
        tensor([5., 0.])
    """
    return tensor.__dlpack__(max_version=(1, 0))
