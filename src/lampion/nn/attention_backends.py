"""`torch.nn.attention`: which kernel computes attention. lampion compiles its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from enum import IntEnum

from lampion.errors import ArgumentTypeError


class SDPBackend(IntEnum):
    """PyTorch's kernels, by name."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: SDPBackend | Sequence[SDPBackend],
                set_priority: bool = False) -> Iterator[None]:
    """Accept a choice of kernels inside a `with` block: the result is the same with each.

    Args:
        backends: one or several of `SDPBackend`.
        set_priority: PyTorch's: accepted, not used.

    Raises:
        ArgumentTypeError: something else than a kernel's name.

    Example:
        >>> import lampion as torch
        >>> q = torch.ones(1, 1, 2, 4)
        >>> with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        ...     torch.nn.functional.scaled_dot_product_attention(q, q, q).shape
        torch.Size([1, 1, 2, 4])
    """
    given = [backends] if isinstance(backends, SDPBackend) else list(backends)
    for one in given:
        if not isinstance(one, SDPBackend):
            raise ArgumentTypeError(f"sdpa_kernel: expected SDPBackend, got {one!r}",
                                    fix="SDPBackend.MATH")
    yield
