"""A module without the work of drawing its parameters."""

from __future__ import annotations

from typing import Any

from lampion.errors import ArgumentTypeError
from lampion.nn.module import Module


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """Return `module_cls(*args, **kwargs)`, whose parameters are not meant to be read yet.

    They are drawn all the same, but only where they are read: values are computed when somebody
    looks at them, and what is loaded over them never is.

    Args:
        module_cls: a class of modules.
        args, kwargs: for its constructor.

    Raises:
        ArgumentTypeError: another class.

    Example:
        >>> import lampion as torch
        >>> torch.nn.utils.skip_init(torch.nn.Linear, 2, 3)
        Linear(in_features=2, out_features=3, bias=True)
    """
    if not isinstance(module_cls, type) or not issubclass(module_cls, Module):
        raise ArgumentTypeError(f"Expected a Module; got {module_cls}")
    return module_cls(*args, **kwargs)
