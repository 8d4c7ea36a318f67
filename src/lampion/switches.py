"""Functions by which PyTorch programs tune their engine: lampion accepts them.

Each one says what it means here. None of them changes a result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from lampion import dtypes
from lampion.dtypes import device as Device
from lampion.errors import ArgumentTypeError, DTypeError

__all__ = [
    "get_default_device", "set_default_device", "set_default_tensor_type", "set_deterministic",
    "set_flush_denormal", "set_warn_always", "is_warn_always_enabled",
    "are_deterministic_algorithms_enabled",
    "compile",
    "get_float32_matmul_precision",
    "set_float32_matmul_precision",
    "use_deterministic_algorithms",
]

Model = TypeVar("Model", bound=Callable[..., Any])
PRECISIONS = ("highest", "high", "medium")

_settings: dict[str, Any] = {"precision": "highest", "deterministic": False, "warn": False}


def compile(model: Any = None, **options: Any) -> Any:  # noqa: A001 - PyTorch's name
    """Return `model` as it is: lampion compiles every program, asked or not.

    Args:
        model: a module or function; without it, `compile(**options)` is a decorator.
        options: PyTorch's `mode`, `fullgraph`, `dynamic`, `backend`, ...: accepted, not used.

    Example:
        >>> import lampion as torch
        >>> torch.compile(abs, mode="max-autotune")(-3)
        3
    """
    if model is None:
        return lambda function: function
    return model


def set_float32_matmul_precision(precision: str) -> None:
    """Remember `precision` ("highest", "high" or "medium"); products stay in full float32.

    Another word has no effect but a warning, as in PyTorch.

    Raises:
        DTypeError: `precision` is not a string.
    """
    if not isinstance(precision, str):
        raise DTypeError(
            f"set_float32_matmul_precision: got {precision!r}",
            why=f"the precision is one of {', '.join(PRECISIONS)}",
            fix='torch.set_float32_matmul_precision("highest")',
        )
    if precision not in PRECISIONS:
        warnings.warn(
            f"set_float32_matmul_precision: {precision!r} is not one of {', '.join(PRECISIONS)}: "
            "no effect",
            stacklevel=2,
        )
        return
    _settings["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Return the word last set; "highest" at the start.

    Example:
        >>> get_float32_matmul_precision()
        'highest'
    """
    return _settings["precision"]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remember `mode`: lampion's results are repeatable either way.

    Raises:
        ArgumentTypeError: `mode` is neither True nor False.
    """
    if not isinstance(mode, bool):
        raise ArgumentTypeError(
            f"use_deterministic_algorithms: mode is {mode!r}",
            fix="torch.use_deterministic_algorithms(True)",
        )
    _settings["deterministic"] = mode


def are_deterministic_algorithms_enabled() -> bool:
    """Return the mode last set; False at the start."""
    return _settings["deterministic"]


set_deterministic = use_deterministic_algorithms


def set_default_device(device: Any) -> None:
    """Accept the CPU, or None for it, as the place of new tensors; raises for any other.

    Example:
        >>> set_default_device("cpu")
    """
    dtypes.check_device(device)


def get_default_device() -> Device:
    """Return the CPU.

    Example:
        >>> get_default_device()
        device(type='cpu')
    """
    return Device("cpu")


def set_default_tensor_type(t: Any) -> None:
    """Set the floating type that Python floats become, by a tensor type such as FloatTensor.

    Args:
        t: `torch.FloatTensor` and the like, or their names.

    Raises:
        ArgumentTypeError: something else, or a type of whole numbers.

    Example:
        >>> set_default_tensor_type("torch.FloatTensor")
    """
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    kinds = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64,
             "HalfTensor": dtypes.float16, "BFloat16Tensor": dtypes.bfloat16}
    kind = kinds.get(name.rpartition(".")[2])
    if kind is None:
        raise ArgumentTypeError(f"set_default_tensor_type: invalid type object {t!r}",
                                why="only floating-point types are supported as the default type",
                                fix="torch.set_default_dtype(torch.float32)")
    dtypes.set_default_dtype(kind)


def set_flush_denormal(mode: bool) -> bool:
    """Return False: denormal numbers are kept, as IEEE 754 has them."""
    return False


def set_warn_always(b: bool) -> None:
    """Remember b; lampion's warnings go through Python's own filters."""
    _settings["warn"] = bool(b)


def is_warn_always_enabled() -> bool:
    """Return what `set_warn_always` was last given; False at the start."""
    return _settings["warn"]
