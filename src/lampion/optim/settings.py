"""Checks of what users give an optimizer: settings, and the parameters of a group."""

from __future__ import annotations

import math
from typing import Any

from lampion.errors import ArgumentError, ArgumentTypeError, StateError
from lampion.tensor import Tensor


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def check_setting(name: str, value: Any, low: float = 0.0, below: float = math.inf) -> None:
    """Raise unless `value` is a number (or a tensor of one element) with low <= value < below."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ArgumentError(
            f"{name} is a tensor of shape {tuple(value.shape)}",
            why=f"a tensor {name} must have exactly one element",
        )
    try:
        fits = bool(low <= value) and (below == math.inf or bool(value < below))
    except TypeError:
        raise ArgumentTypeError(
            f"{name} = {value!r} ({type(value).__name__})", why=f"{name} must be a number",
        ) from None
    if not fits:
        upper = "" if below == math.inf else f" and below {below:g}"
        raise ArgumentError(
            f"Invalid {name}: {value}", why=f"it must be at least {low:g}{upper}",
            fix="lr=0.001" if name == "learning rate" else None,
        )


def check_betas(betas: tuple[Any, Any]) -> None:
    """Raise unless both decay rates lie in [0, 1)."""
    for index, beta in enumerate(betas):
        check_setting(f"beta parameter at index {index}", beta, below=1.0)


def scalar(value: Any) -> Any:
    """Return a one-element tensor as a tensor without axes, everything else as it is."""
    return value.reshape(()) if isinstance(value, Tensor) and value.dim() != 0 else value


def check_flags(defaults: dict[str, Any]) -> None:
    if defaults.get("fused"):
        for other in ("differentiable", "foreach"):
            if defaults.get(other):
                raise StateError(f"fused=True together with {other}=True",
                                 why="PyTorch has no such combination")


def split_names(params: Any) -> tuple[list[Any], list[str]]:
    """Turn what a group gives as "params" into a list of tensors and a list of names."""
    if isinstance(params, Tensor):
        return [params], []
    if isinstance(params, set):
        raise ArgumentTypeError(
            "the parameters are a set",
            why="the order of a set changes between runs, so saved state could not be matched",
            fix="a list of parameters",
        )
    entries = list(params)
    names = [entry[0] for entry in entries if isinstance(entry, tuple)]
    if names and len(names) != len(entries):
        raise ArgumentError(
            "some parameters come with a name and some without",
            why="all optimizer params should be with/without names",
        )
    return [entry[1] if isinstance(entry, tuple) else entry for entry in entries], names
