"""Anomaly detection: which operation's gradient is NaN, and which line of the program called it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import runtime
from ..errors import GradientError, shape_text, user_location
from ..ir import Value, mode, origin
from ..replay.recorded import set_replay
from .node import name_of

# A value, the gradient that arrived at it, and what its rule made of that for each input.
Spread = tuple[Value, Value, list[tuple[Value, Value]]]


class Anomaly:
    """What is known while anomalies are looked for.

    Args:
        check_nan: look for NaN in every gradient.
    """

    def __init__(self, check_nan: bool):
        self.check_nan = check_nan
        self.before = mode.tracing, mode.run is not None  # what is put back at the end
        self.lines: WeakKeyDictionary[Value, str] = WeakKeyDictionary()

    def made(self, value: Value) -> None:
        """Note the line that makes a value."""
        line = user_location()
        if line is not None:
            self.lines[value] = line

    def called(self, value: Value) -> str:
        """Say where an operation was called, in words that go on a sentence."""
        line = self.lines.get(value)
        return f", called at {line}" if line else (
            ", called where anomaly detection was not enabled")

    def check(self, spreads: list[Spread]) -> None:
        """Raise where a rule has made NaN; all that a backward pass walked is computed.

        Raises:
            GradientError: names the operation, the line that called it, and what it was given.
        """
        parts = [part for _, _, shares in spreads for _, part in shares if isinstance(part, Value)]
        runtime.evaluate([part for part in parts if part.data is None])
        for value, g, shares in spreads:
            places = list(enumerate(map(origin, value.inputs)))
            for source, part in shares:
                place = next(k for k, v in places if v is source)
                places.remove((place, source))  # the next share of the same is another input's
                if isinstance(part, Value) and _has_nan(part):
                    self._refuse(value, g, place, part)

    def _refuse(self, value: Value, g: Value, place: int, part: Value) -> None:
        raise GradientError(
            f"Function '{name_of(value)}' returned nan values in its {place}th output"
            f"{self.called(value)}.", why=_story(value, g, part, place),
            fix="numbers for which the derivative exists: sqrt(x + eps), log(x.clamp(min=eps)), "
            "or a torch.where on the input, before the operation")


def _has_nan(value: Value) -> bool:
    return value.dtype.is_inexact and bool(np.isnan(_array(value)).any())


def _array(value: Value) -> np.ndarray:
    runtime.evaluate([value])
    assert value.data is not None
    return value.data


def _story(value: Value, g: Value, part: Value, place: int) -> str:
    """Say how many elements are NaN, and which numbers made the first of them."""
    wrong = np.isnan(_array(part))
    text = (f"{int(wrong.sum())} of {wrong.size} elements ({shape_text(part.shape)}) of this "
            "gradient are NaN")
    arrived = _array(g) if isinstance(g, Value) else None
    if arrived is not None and np.isnan(arrived).any():
        return f"{text}; the gradient that arrived is NaN already"
    first = tuple(int(k[0]) for k in np.nonzero(wrong)) if wrong.ndim else ()
    given = [_array(v) for v in value.inputs]
    if given[place].shape != wrong.shape:
        return text
    numbers = [str(array[first]) for array in given if array.shape == wrong.shape]
    inputs = "input is" if len(numbers) == 1 else "inputs are"
    text += f"; the first is where the {inputs} {' and '.join(numbers)}"
    if arrived is not None and arrived.shape == wrong.shape:
        text += f", and the gradient that arrived {arrived[first]}"
    return text


class set_detect_anomaly:  # noqa: N801 - PyTorch's name
    """Look for anomalies from the call on, or for a `with` block.

    Args:
        mode: whether to look.
        check_nan: raise where a gradient is NaN; False only notes lines, for other errors.

    Example:
        >>> import lampion as torch
        >>> with torch.autograd.set_detect_anomaly(True):
        ...     torch.is_anomaly_enabled()
        True
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = _state()
        _enable(bool(mode), check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *unused: Any) -> None:
        _enable(*self._before)


class detect_anomaly:  # noqa: N801 - PyTorch's name
    """Name the operation whose gradient is NaN, and the line that called it, in a `with` block.

    Each operation notes its line, each `backward()` computes every gradient on its way at once, and
    nothing is replayed: slow, for finding a mistake. `lampion.probe.first_non_finite` also finds
    infinities and NaN of the forward pass.

    Args:
        check_nan: raise where a gradient is NaN; False only notes lines, for other errors.

    Example:
        >>> import lampion as torch
        >>> x = torch.tensor([0., 1.], requires_grad=True)
        >>> with torch.autograd.set_detect_anomaly(True):  # the same, without a warning
        ...     y = (x.sqrt() * x).sum()
        ...     y.backward()
        Traceback (most recent call last):
        lampion.errors.GradientError: Function 'SqrtBackward0' returned nan values in its 0th output
    """

    def __init__(self, check_nan: bool = True):
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.", stacklevel=2)

    def __enter__(self) -> None:
        self._before = _state()
        _enable(True, self.check_nan)

    def __exit__(self, *unused: Any) -> None:
        _enable(*self._before)


def _state() -> tuple[bool, bool]:
    return is_anomaly_enabled(), is_anomaly_check_nan_enabled()


def _enable(wanted: bool, check_nan: bool) -> None:
    known: Anomaly | None = mode.anomaly
    if known is not None and wanted:
        known.check_nan = check_nan
    elif wanted:
        anomaly = Anomaly(check_nan)
        set_replay(False)
        mode.anomaly, mode.tracing = anomaly, _both(anomaly.made, mode.tracing)
    elif known is not None:
        mode.anomaly = None
        mode.tracing, replayed = known.before
        if replayed:
            set_replay(True)


def _both(first: Callable, second: Callable | None) -> Callable:
    if second is None:
        return first

    def tracing(value: Value) -> None:
        first(value)
        second(value)

    return tracing


def is_anomaly_enabled() -> bool:
    """Whether anomalies are looked for now."""
    return mode.anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether gradients are looked through for NaN now."""
    return mode.anomaly is None or mode.anomaly.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Look for anomalies from now on, or no longer.

    Args:
        mode: whether to look.
        check_nan: raise where a gradient is NaN.
    """
    _enable(mode, check_nan)
