"""How a tensor looks when it is printed: exactly as PyTorch prints it.

The rules, in the order in which they apply:

1. More than `threshold` elements: each axis keeps its first and last `edgeitems`, `...` between.
2. All finite values are whole: they print as `1.`, without decimals.
3. Otherwise `precision` decimals; scientific notation when the largest non-zero magnitude is more
   than 1000 times the smallest, or above 1e8, or the smallest is below 1e-4.
4. All numbers of one tensor get the same width; rows wrap at `linewidth` columns.
5. After the numbers come the facts that the numbers do not show: `size=`, `dtype=`, `grad_fn=`.

Example:
    >>> print(format_tensor(np.array([1.0, 2.5]), "float64", default_dtype=False))
    tensor([1.0000, 2.5000], dtype=torch.float64)
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lampion.errors import ArgumentError, ArgumentTypeError, shape_text

# Types that a reader recognises from the numbers alone ("1" and "True" need no dtype).
OBVIOUS_DTYPES = ("int64", "bool")


@dataclasses.dataclass
class PrintOptions:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

OPTIONS = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print; what is not given stays as it is, except `sci_mode`.

    Args:
        precision: digits after the point (4 at first).
        threshold: with more elements than this, only the edges are shown (1000 at first).
        edgeitems: elements shown at each end of a summarised axis (3 at first).
        linewidth: columns before a row of numbers is wrapped (80 at first).
        profile: `"default"`, `"short"` (2 digits, 2 edge items) or `"full"` (never summarise);
            the other arguments override it.
        sci_mode: True or False forces scientific notation on or off; None, also when it is not
            given, lets the values decide.

    Raises:
        ArgumentError: an unknown profile.

    Example:
        >>> with printoptions():
        ...     set_printoptions(precision=2)
        ...     print(format_tensor(np.array(1.12345), "float32", default_dtype=True))
        tensor(1.12)
    """
    given = {
        "precision": precision, "threshold": threshold,
        "edgeitems": edgeitems, "linewidth": linewidth,
    }
    changes: dict[str, float] = {}
    if profile is not None:
        if profile not in PROFILES:
            raise ArgumentError(
                f"set_printoptions: unknown profile {profile!r}",
                why=f"the profiles are {', '.join(PROFILES)}",
                fix='set_printoptions(profile="full")',
            )
        changes.update(PROFILES[profile])
    changes.update({name: value for name, value in given.items() if value is not None})
    for name, value in changes.items():
        setattr(OPTIONS, name, value)
    OPTIONS.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the print options as a dict that fits `set_printoptions(**options)`.

    Example:
        >>> get_printoptions()["precision"]
        4
    """
    return dataclasses.asdict(OPTIONS)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Change the print options inside a `with` block; takes what `set_printoptions` takes.

    Example:
        >>> with printoptions(precision=1):
        ...     print(format_tensor(np.array([0.25, 1.0]), "float32", default_dtype=True))
        tensor([0.2, 1.0])
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def format_tensor(
    array: np.ndarray,
    dtype_name: str,
    *,
    default_dtype: bool,
    suffixes: Sequence[str] = (),
    prefix: str = "tensor(",
) -> str:
    """Return the text that `repr` gives for a tensor with these values.

    Args:
        array: the values; bfloat16 comes as a float32 array.
        dtype_name: the element type, such as `"float32"` or `"bfloat16"`.
        default_dtype: whether that type is the default floating type, which is not written.
        suffixes: more facts, in order: `"requires_grad=True"` or `"grad_fn=<MulBackward0>"`.
        prefix: the opening; a subclass of Tensor gives `"ItsName("`.

    Example:
        >>> format_tensor(np.zeros((0, 3), np.float32), "float32", default_dtype=True)
        'tensor([], size=(0, 3))'
    """
    array = np.asarray(array)
    facts = []
    if (array.ndim != 1) if array.size == 0 else (not OPTIONS.edgeitems):
        facts.append(f"size={tuple(array.shape)}")
    # With no element to look at, even int64 and bool are worth saying.
    if not default_dtype and (array.size == 0 or dtype_name not in OBVIOUS_DTYPES):
        facts.append(f"dtype=torch.{dtype_name}")
    return _append_facts(
        prefix + format_values(array, len(prefix)), [*facts, *suffixes], len(prefix)
    )


def format_parameter(text: str) -> str:
    """Return the text of a parameter whose values print as `text`.

    Example:
        >>> print(format_parameter("tensor([1.], requires_grad=True)"))
        Parameter containing:
        tensor([1.], requires_grad=True)
    """
    return f"Parameter containing:\n{text}"


def format_scalar(array: np.ndarray, spec: str) -> str:
    """Return `f"{tensor:spec}"` for a tensor of no axes: its number, formatted by Python.

    Raises:
        ArgumentTypeError: the tensor has axes; a format such as `.4f` describes one number.

    Example:
        >>> format_scalar(np.array(0.125), ".2f")
        '0.12'
    """
    if array.ndim:
        raise ArgumentTypeError(
            f"unsupported format string {spec!r} for a tensor of shape {shape_text(array.shape)}",
            why="a format such as '.4f' describes one number",
            fix="f'{x.mean():.4f}' for one number, or lampion.set_printoptions(precision=4)",
        )
    return format(array.item(), spec)


def format_values(array: np.ndarray, indent: int = 0) -> str:
    """Return the nested brackets alone, later lines indented by `indent` columns."""
    if array.size == 0:
        return "[]"
    if array.size <= OPTIONS.threshold:
        return _draw(array, array.shape, indent, NumberFormat(array))
    shown = array[np.ix_(*(_edges(length) for length in array.shape))]
    return _draw(shown, array.shape, indent, NumberFormat(shown))


class NumberFormat:
    """One format for all numbers of a tensor: whole, fixed or scientific, and their width."""

    def __init__(self, array: np.ndarray):
        self.spec = ""
        self.point = ""
        numbers = array.reshape(-1)
        self.width: int = 1
        self.imaginary: NumberFormat | None = None
        if array.dtype.kind == "c":
            parts = array.real, array.imag
            self.real, self.imaginary = (NumberFormat(np.ascontiguousarray(p)) for p in parts)
            self.width = self.real.width + self.imaginary.width + 1
            return
        if array.dtype.kind == "f":
            # Zeros and non-finite values fit any format, so they have no say in the choice.
            numbers = numbers[np.isfinite(numbers) & (numbers != 0)]
            self.spec, self.point = _float_format(numbers.astype(np.float64))
        self.width = max((len(self.text(value)) for value in numbers.tolist()), default=1)

    def text(self, value: float) -> str:
        """Return the number without padding."""
        text = format(value, self.spec) if self.spec else str(value)
        return text + self.point if math.isfinite(value) else text

    def __call__(self, value: Any) -> str:
        """Return the number, padded to the common width."""
        if self.imaginary is None:
            return self.text(value).rjust(self.width)
        part = self.imaginary(value.imag).lstrip()
        return self.real(value.real) + (part if part[0] in "+-" else f"+{part}") + "j"


def _float_format(numbers: np.ndarray) -> tuple[str, str]:
    """Choose the format for these non-zero finite numbers, and what follows a whole number."""
    scientific, whole = False, True
    if numbers.size:
        sizes = np.abs(numbers)
        smallest, largest = float(sizes.min()), float(sizes.max())
        whole = bool((numbers == np.ceil(numbers)).all())
        scientific = OPTIONS.sci_mode if OPTIONS.sci_mode is not None else (
            largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        )
    if scientific:
        return f".{OPTIONS.precision}e", ""
    return (".0f", ".") if whole else (f".{OPTIONS.precision}f", "")


def _edges(length: int) -> np.ndarray:
    """Return the positions of an axis that a summary shows."""
    positions, edge = np.arange(length), OPTIONS.edgeitems
    return positions if length <= 2 * edge else np.r_[positions[:edge], positions[length - edge:]]


def _draw(shown: np.ndarray, shape: tuple[int, ...], indent: int, number: NumberFormat) -> str:
    """Write `shown`, of which each axis shorter than in `shape` has its middle left out."""
    if not shape:
        return number(shown.item())
    if len(shape) == 1:
        items = [number(value) for value in shown.tolist()]
    else:
        items = [_draw(part, shape[1:], indent + 1, number) for part in shown]
    left_out = len(items) < shape[0]
    if len(shape) > 1:
        if left_out:
            items.insert(OPTIONS.edgeitems, "...")
        return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(items) + "]"
    if left_out:
        items.insert(OPTIONS.edgeitems, " ..." if items else "...")
    per_line = max(1, (OPTIONS.linewidth - indent) // (number.width + 2))
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _append_facts(text: str, facts: Sequence[str], indent: int) -> str:
    """Add the facts after the numbers, each on the same line while it fits, and close."""
    parts = [text]
    column = len(text) - text.rfind("\n") + 1
    for fact in facts:
        if column + len(fact) + 2 > OPTIONS.linewidth:
            parts.append(",\n" + " " * indent + fact)
            column = indent + len(fact)
        else:
            parts.append(", " + fact)
            column += len(fact) + 2
    return "".join(parts) + ")"
