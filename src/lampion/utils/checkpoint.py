"""`torch.utils.checkpoint`: what lampion does instead of computing parts of a network twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
               preserve_rng_state: bool = True, determinism_check: str = "default",
               debug: bool = False, context_fn: Any = None, **kwargs: Any) -> Any:
    """Call the function; the numbers and gradients are those that PyTorch's checkpoint gives.

    PyTorch drops the function's inner values and computes them again in backward, to need less
    memory. lampion plans the memory of the whole step, and keeps what backward reads: nothing is
    computed twice, and no memory is saved by this call.

    Args:
        function: a part of the network.
        args, kwargs: its arguments.
        use_reentrant, preserve_rng_state, determinism_check, debug, context_fn: PyTorch's:
            accepted, not used.

    Example:
        >>> import lampion as torch
        >>> from lampion.utils.checkpoint import checkpoint
        >>> checkpoint(torch.sin, torch.zeros(2), use_reentrant=False)
        tensor([0., 0.])
    """
    return function(*args, **kwargs)


def checkpoint_sequential(functions: Any, segments: int, input: Any,
                          use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Call the functions one after another; see `checkpoint`.

    Args:
        functions: an `nn.Sequential` or a sequence of functions.
        segments: PyTorch's number of parts: accepted, not used.
        input: what the first function is given.
    """
    parts: Sequence[Callable] = list(
        functions.children() if hasattr(functions, "children") else functions)
    for part in parts:
        input = part(input)
    return input
