"""`torch.jit`: lampion compiles every program by itself, so a function stays as it is.

Saving a program without its Python code is what ONNX is for; TorchScript files are not read.
"""

from __future__ import annotations

from typing import Any, NoReturn

from lampion.errors import UnsupportedError

__all__ = ["export", "freeze", "ignore", "is_scripting", "is_tracing", "load",
           "optimize_for_inference",
           "save", "script", "script_if_tracing", "trace", "unused"]


def script(obj: Any, *args: Any, **options: Any) -> Any:
    """Return a function, class or module as it is.

    Args:
        obj: the function, class or module.
        args, options: PyTorch's: accepted, not used.

    Example:
        >>> import lampion as torch
        >>> @torch.jit.script
        ... def double(x):
        ...     return x + x
        >>> double(torch.ones(1))
        tensor([2.])
    """
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **options: Any) -> Any:
    """Return a function or module as it is; unlike PyTorch's it goes on to look at its inputs.

    Args:
        func: the function or module.
        example_inputs: PyTorch's: accepted, not used.
    """
    return func


def ignore(drop: Any = False, **options: Any) -> Any:
    """Return a method as it is, or a decorator that does."""
    return drop if callable(drop) else lambda function: function


def unused(function: Any) -> Any:
    """Return a method as it is."""
    return function


export = script_if_tracing = unused


def freeze(module: Any, *args: Any, **options: Any) -> Any:
    """Return a module as it is."""
    return module


optimize_for_inference = freeze


def is_scripting() -> bool:
    """Return False: nothing is turned into TorchScript."""
    return False


def is_tracing() -> bool:
    """Return False: what is recorded is computed as it would be."""
    return False


def save(m: Any, f: Any, *args: Any, **options: Any) -> NoReturn:
    """Raise: there are no TorchScript programs to save."""
    raise UnsupportedError("torch.jit.save: lampion does not write TorchScript programs",
                           why="they are programs of PyTorch's own machine",
                           fix="torch.save(model.state_dict(), path)")


def load(f: Any, *args: Any, **options: Any) -> NoReturn:
    """Raise: a file must not bring a program with it."""
    raise UnsupportedError("torch.jit.load: lampion does not read TorchScript programs",
                           why="lampion reads values, not programs",
                           fix="with PyTorch: torch.save(torch.jit.load(path).state_dict(), path)")
