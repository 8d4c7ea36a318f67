"""`torch.testing`: comparing what was computed with what was expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lampion import dtypes
from lampion.dtypes import dtype as DType
from lampion.errors import ArgumentError
from lampion.functions.creation import as_tensor
from lampion.tensor import Tensor

__all__ = ["assert_close"]

# (rtol, atol) by type, as PyTorch has them; whole numbers must be equal.
TOLERANCES: dict[DType, tuple[float, float]] = {
    dtypes.float16: (1e-3, 1e-5), dtypes.bfloat16: (1.6e-2, 1e-5), dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7), dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None,
    atol: float | None = None, equal_nan: bool = False, check_device: bool = True,
    check_dtype: bool = True, check_layout: bool = True, check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise where actual and expected differ by more than atol + rtol |expected| somewhere.

    Args:
        actual, expected: tensors, NumPy arrays, numbers, or sequences and mappings of them.
        rtol, atol: both or neither; by the element types if not given (1.3e-6 and 1e-5 for
            float32).
        equal_nan: NaN is close to NaN.
        check_dtype: the element types must be equal; otherwise both are promoted first.
        check_stride: the strides must be equal.
        allow_subclasses, check_device, check_layout: as in PyTorch; there is one device and one
            layout.
        msg: the message of the error, or a function that makes it of the usual one.

    Raises:
        AssertionError: they are not close.

    Example:
        >>> import lampion as torch
        >>> torch.testing.assert_close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError(f"rtol and atol must both be specified or both be unspecified, but got "
                            f"rtol={rtol} and atol={atol} instead.", fix="rtol=1e-5, atol=1e-8")
    if not allow_subclasses and type(actual) is not type(expected):
        _fail(f"Type equality is required if allow_subclasses=False, but got {type(actual)} and "
              f"{type(expected)} instead.", "", msg)
    tolerances = None if rtol is None or atol is None else (rtol, atol)
    _compare(actual, expected, tolerances, equal_nan, check_dtype, check_stride, msg, "")


def _fail(text: str, where: str, msg: str | Callable[[str], str] | None) -> None:
    text = f"{text}\n\nThe failure occurred for item {where}" if where else text
    raise AssertionError(msg(text) if callable(msg) else (text if msg is None else msg))


def _compare(actual, expected, tolerances, equal_nan, check_dtype, check_stride, msg, where):
    rest = (tolerances, equal_nan, check_dtype, check_stride, msg)
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            _fail(f"The keys of the mappings do not match:\nMissing keys in the actual mapping: "
                  f"{sorted(set(expected) - set(actual))}\nAdditional keys in the actual mapping: "
                  f"{sorted(set(actual) - set(expected))}", where, msg)
        for key in expected:
            _compare(actual[key], expected[key], *rest, f"{where}[{key!r}]")
        return
    plain = (str, bytes, Tensor, np.ndarray)
    if isinstance(actual, Sequence) and isinstance(expected, Sequence) and not (
            isinstance(actual, plain) or isinstance(expected, plain)):
        if len(actual) != len(expected):
            _fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}",
                  where, msg)
        for k, pair in enumerate(zip(actual, expected, strict=True)):
            _compare(*pair, *rest, f"{where}[{k}]")
        return
    if actual is None and expected is None:
        return
    if actual is None or expected is None:
        _fail(f"None mismatch: {actual} is not {expected}", where, msg)
    numbers = not isinstance(actual, plain) and not isinstance(expected, plain)
    if numbers and check_dtype and type(actual) is not type(expected):
        _fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", where, msg)
    _compare_tensors(as_tensor(actual), as_tensor(expected), numbers, *rest, where)


def _compare_tensors(actual, expected, numbers, tolerances, equal_nan, check_dtype, check_stride,
                     msg, where):
    kind = "Scalars" if numbers else "Tensor-likes"
    if tuple(actual.shape) != tuple(expected.shape):
        _fail(f"The values for attribute 'shape' do not match: {actual.shape} != "
              f"{expected.shape}.", where, msg)
    if check_dtype and not numbers and actual.dtype is not expected.dtype:
        _fail(f"The values for attribute 'dtype' do not match: {actual.dtype} != "
              f"{expected.dtype}.", where, msg)
    if check_stride and actual.stride() != expected.stride():
        _fail(f"The values for attribute 'stride()' do not match: {actual.stride()} != "
              f"{expected.stride()}.", where, msg)
    rtol, atol = tolerances or np.max(
        [TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (actual, expected)], axis=0).tolist()
    a, b = (x.detach()._read() for x in (actual, expected))
    wide = np.result_type(a.dtype, b.dtype)
    wide = np.result_type(wide, np.float64) if wide.kind in "fc" else wide
    a, b = a.astype(wide), b.astype(wide)
    if wide.kind in "iu" and rtol == atol == 0:
        close = a == b
    else:
        if wide.kind in "biu":
            a, b = a.astype(np.float64), b.astype(np.float64)
        close = np.isclose(a, b, rtol, atol, equal_nan)
    if not close.all():
        _fail(_differences(a, b, close, kind, rtol, atol), where, msg)


def _differences(a: np.ndarray, b: np.ndarray, close: np.ndarray, kind: str, rtol: float,
                 atol: float) -> str:
    how = "equal" if rtol == atol == 0 else "close"
    with np.errstate(all="ignore"):
        wide = np.result_type(a.dtype, np.float64)
        absolute = np.abs(a.astype(wide) - b.astype(wide))
        absolute = np.where(close, 0, absolute)
        relative = absolute / np.abs(b)
        relative = np.where(close, 0, relative)
    limits = [f" (up to {limit} allowed)" if how == "close" else "" for limit in (atol, rtol)]
    if a.dtype.kind in "biu":
        absolute = absolute.astype(np.int64)
    if kind == "Scalars":
        return (f"Scalars are not {how}!\n\nExpected {b.item()} but got {a.item()}.\n"
                f"Absolute difference: {absolute.item()}{limits[0]}\n"
                f"Relative difference: {relative.item()}{limits[1]}")
    wrong = int(np.size(close) - np.count_nonzero(close))

    def place(x: np.ndarray) -> str:
        where = np.unravel_index(np.argmax(np.where(np.isnan(x), np.inf, x)), x.shape)
        at = f" at index {tuple(map(int, where))}" if x.ndim else ""
        return f"{x[where]}{at}"

    return (f"{kind} are not {how}!\n\nMismatched elements: {wrong} / {close.size} "
            f"({wrong / close.size:.1%})\nGreatest absolute difference: {place(absolute)}"
            f"{limits[0]}\nGreatest relative difference: {place(relative)}{limits[1]}")
