"""Whether operations are recorded for gradients: `no_grad` and its relatives.

Each is a context manager and a decorator, of functions and of generators.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..base import unrecorded
from ..ir import mode

F = TypeVar("F", bound=Callable[..., Any])


class GradMode:
    """Base of the modes: remembers the mode on entry and restores it on exit."""

    def __init__(self):
        self._before: list[tuple[bool, bool]] = []

    def _enter(self) -> None:
        raise NotImplementedError

    def clone(self) -> GradMode:
        return type(self)()

    def __enter__(self) -> None:
        self._before.append((mode.grad, mode.inference))
        self._enter()

    def __exit__(self, *unused) -> None:
        mode.grad, mode.inference = self._before.pop()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)  # type: ignore[return-value]

        @functools.wraps(function)
        def inside(*args, **kwargs):
            with self.clone():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _wrap_generator(self, function):
        @functools.wraps(function)
        def inside(*args, **kwargs):
            generator = function(*args, **kwargs)
            # The mode holds while the generator runs, not while its caller does.
            send, payload = generator.send, None
            while True:
                try:
                    with self.clone():
                        item = send(payload)
                except StopIteration as stop:
                    return stop.value
                try:
                    payload = yield item
                    send = generator.send
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:
                    send, payload = generator.throw, error

        return inside


class no_grad(GradMode):  # noqa: N801 - PyTorch's name
    """Record nothing for gradients: results do not require grad.

    Example:
        >>> import lampion as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> with torch.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __new__(cls, function=None):
        instance = super().__new__(cls)
        if function is None:
            return instance
        instance.__init__()
        return instance(function)

    def __init__(self, function=None):
        super().__init__()

    def _enter(self) -> None:
        mode.grad = False


class enable_grad(no_grad):  # noqa: N801 - PyTorch's name
    """Record for gradients, also inside `no_grad`."""

    def _enter(self) -> None:
        mode.grad = True


class set_grad_enabled(GradMode):  # noqa: N801 - PyTorch's name
    """Switch recording on or off, from the call on or for a `with` block.

    Args:
        enabled: whether to record.
    """

    def __init__(self, enabled: bool):
        super().__init__()
        self.enabled = bool(enabled)
        self._at_call = (mode.grad, mode.inference)
        mode.grad = self.enabled

    def clone(self) -> GradMode:
        return set_grad_enabled(self.enabled)

    def __call__(self, function: F) -> F:
        mode.grad, mode.inference = self._at_call
        return super().__call__(function)

    def __enter__(self) -> None:
        self._before.append(self._at_call)
        mode.grad = self.enabled

    def _enter(self) -> None:
        mode.grad = self.enabled


class inference_mode(GradMode):  # noqa: N801 - PyTorch's name
    """Record nothing, and make tensors that can never take part in gradients.

    Args:
        enabled: False leaves the outer mode as it is.
    """

    def __new__(cls, enabled=True):
        instance = super().__new__(cls)
        if isinstance(enabled, bool):
            return instance
        instance.__init__()
        return instance(enabled)

    def __init__(self, enabled: bool = True):
        super().__init__()
        self.enabled = enabled if isinstance(enabled, bool) else True

    def clone(self) -> GradMode:
        return inference_mode(self.enabled)

    def _enter(self) -> None:
        unrecorded()
        if self.enabled:
            mode.grad = False
        mode.inference = self.enabled

    def __exit__(self, *unused) -> None:
        super().__exit__(*unused)
        unrecorded()


def is_grad_enabled() -> bool:
    """Whether operations are recorded for gradients now."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on now."""
    return mode.inference
